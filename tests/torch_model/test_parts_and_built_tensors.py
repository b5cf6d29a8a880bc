"""What is picked out of a distribution, or built by hand, is one only where that follows from the code."""

from __future__ import annotations

import pytest

from tests.codes import codes_after_preamble

BROKEN = {
    "a mask over the classes too": "q[q > 0.1]",
    "a mask of unknown rank": "torch.softmax(load(), -1)[load() > 0]",
    "classes by index": "q[:, torch.tensor([0, 2])]",
    "classes by a list": "q[:, [0, 2]]",
    "index_select of classes": "q.index_select(1, torch.arange(4))",
    "narrow along the classes": "q.narrow(1, 0, 4)",
    "one class": "q.select(1, 0)",
    "classes repeated": "q.repeat(1, 2)",
    "classes repeated one by one": "q.repeat_interleave(2, dim=1)",
    "parts along the classes": "q.split(5, dim=1)[0]",
    "columns": "q.unbind(1)[0]",
    "the largest": "q.topk(3, dim=1).values",
    "stack of a sigmoid and its negative": "torch.stack([torch.sigmoid(x[:, 0]), -torch.sigmoid(x[:, 0])], dim=1)",
    "where by element": "torch.where(x > 0, q, p)",
    "lerp by element": "torch.lerp(q, p, torch.rand(8, 10))",
    "two places scattered": "torch.zeros(8, 10).scatter(1, y.topk(2).indices, 1.0)",
    "places scattered that are not counted": "torch.zeros(8, 10).scatter(1, load(), 1.0)",
    "a smoothing that does not add up": "torch.full((8, 10), 0.1 / 8).scatter(1, y.argmax(1, keepdim=True), 0.9)",
    "a smoothing by another number": "torch.full((8, 10), load() / (10 - 1)).scatter(1, y.argmax(1, keepdim=True), 1 - load(1))",
    "a smoothing over another count": (
        "torch.full_like(x, x.sum() / (len(x) - 1)).scatter(1, y.argmax(1, keepdim=True), 1 - x.sum())"
    ),
    "a mixture whose weights are not shares": (
        "torch.stack([log_q + torch.log(x[0, 0]), log_q + torch.log(1 - x[0, 1])]).logsumexp(0).exp()"
    ),
    "a mixture by shares that differ by class": "torch.stack([log_q + load().log(), log_q + (1 - load()).log()]).logsumexp(0).exp()",
    "a sum of log-probabilities over their own dim": "torch.stack([log_q, log_q], dim=1).logsumexp(2).exp()",
    "a mean of logs over another count": "(torch.stack([log_q, log_q]).logsumexp(0) - 1.0986122886681098).exp()",
    "a matrix over its sum": "x.exp() / x.exp().sum()",
    "scattered along the batch": "torch.full((8, 10), 0.1 / 9).scatter(0, torch.zeros(1, 10).long(), 0.9)",
    "a constant along a dim that is not told apart": "torch.full((10, 10), 0.1)",
    "a learnt table that began as a distribution": "nn.Parameter(q)",
    "weights of attention of which some are dropped": (
        "nn.MultiheadAttention(10, 2, dropout=0.1, batch_first=True)(x[None], x[None], x[None])[1]"
    ),
    "weights of numbers that may be zero": "F.normalize(x, p=1, dim=1)",
}

WHOLE = {
    "rows by a mask": "q[x[:, 0] > 0]",
    "rows of an unknown tensor by a list": "torch.softmax(load(), 1)[[0, 2]]",
    "classes turned round": "q.flip(1)",
    "sorted classes": "q.sort(dim=1).values",
    "dims pushed left": "torch.softmax(load(), 1)[:, :, None]",
    "the first of three dims": "torch.randn(4, 8, 10).softmax(-1).select(0, 1)",
    "smoothing of an unknown number of rows": (
        "torch.full((len(x), 10), 0.1 / 9).scatter(1, load().unsqueeze(1), 0.9)"
    ),
    "one-hot rows": "torch.zeros(load(), 10).scatter_(1, load().view(-1, 1), 1.0)",
    "a uniform distribution over a size": "torch.full_like(load(), 1 / 10).view(4, 10)[:, :].fill_(1 / 10)",
}


def codes(expression: str) -> list[str]:
    """The codes found where an expression is the input of kl_div."""
    return codes_after_preamble(f"q = F.softmax(x, dim=1)\nF.kl_div({expression}, p, reduction='sum')\n")


@pytest.mark.parametrize("expression", BROKEN.values(), ids=BROKEN)
def test_parts_of_distributions_are_no_distributions(expression):
    assert codes(expression) == []


@pytest.mark.parametrize("expression", WHOLE.values(), ids=WHOLE)
def test_rows_of_distributions_are_distributions(expression):
    assert codes(expression) == ["KL101"]
