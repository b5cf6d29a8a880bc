"""Which dim runs over the classes: KL409, KL410, KL411, KL412."""

from __future__ import annotations

import pytest

from tests.codes import codes_after_preamble

WRONG = {
    "class indices for all but the last dim": (
        "F.cross_entropy(torch.randn(4, 7, 3), torch.randint(3, (4, 7)))",
        "KL409",
    ),
    "the same through the module": (
        "nn.CrossEntropyLoss()(torch.randn(4, 7, 3), torch.randint(3, (4, 7)))",
        "KL409",
    ),
    "nll_loss of the last dim": (
        "F.nll_loss(torch.randn(4, 7, 3).log_softmax(-1), torch.randint(3, (4, 7)))",
        "KL409",
    ),
    "sizes that only have names": (
        "def f(z, t):\n    b, n, c = z.shape\n    return F.cross_entropy(z, t.view(b, n).long())",
        "KL409",
    ),
    "a soft target over the last of three dims": (
        "F.cross_entropy(torch.randn(4, 7, 3), torch.randn(4, 7, 3).softmax(2))",
        "KL409",
    ),
    "one class from a linear layer": ("F.cross_entropy(nn.Linear(10, 1)(x), torch.zeros(8).long())", "KL410"),
    "a softmax over one class": (
        "F.binary_cross_entropy(torch.randn(8, 1).softmax(1), torch.ones(8, 1))",
        "KL410",
    ),
    "log_softmax without dim": ("F.kl_div(F.log_softmax(x), p, reduction='batchmean')", "KL411"),
    "the target's softmax without dim": ("F.kl_div(log_q, F.softmax(y), reduction='batchmean')", "KL411"),
    "a module without dim": ("F.nll_loss(nn.LogSoftmax()(x), torch.randint(10, (8,)))", "KL411"),
    "a soft target of cross entropy over the batch": ("F.cross_entropy(x, y.softmax(0))", "KL412"),
    "nll_loss of log_softmax over the batch": (
        "F.nll_loss(x.log_softmax(0), torch.randint(10, (8,)))",
        "KL412",
    ),
    "batchmean of distributions over the batch": (
        "F.kl_div(x.log_softmax(0), y.softmax(0), reduction='batchmean')",
        "KL412",
    ),
}

RIGHT = {
    "classes transposed to dim 1": "F.cross_entropy(torch.randn(4, 7, 3).transpose(1, 2), torch.randint(3, (4, 7)))",
    "as many classes as positions": "F.cross_entropy(torch.randn(4, 3, 3), torch.randint(3, (4, 3)))",
    "an image": "F.cross_entropy(torch.randn(4, 3, 8, 8), torch.randint(3, (4, 8, 8)))",
    "rows": "F.cross_entropy(torch.randn(4, 7, 3).flatten(0, 1), torch.randint(3, (28,)))",
    "a soft target of any rank": "def f(z, t):\n    return F.cross_entropy(z, t.softmax(-1))",
    "a single output squeezed": ("F.binary_cross_entropy_with_logits(nn.Linear(10, 1)(x).squeeze(1), torch.ones(8))"),
    "two classes": "F.cross_entropy(nn.Linear(10, 2)(x), torch.zeros(8).long())",
    "dim given by position": "F.kl_div(F.log_softmax(x, 1), p, reduction='batchmean')",
    "dim given by a variable": (
        "def f(z, t, dim):\n    return F.kl_div(F.log_softmax(z, dim), t, reduction='batchmean')"
    ),
    "a softmax without dim that feeds no loss": "print(F.softmax(x))",
    "dim 0 of a single row": "F.kl_div(torch.randn(4).log_softmax(0), torch.rand(4).softmax(0), reduction='sum')",
    "dim 0 of an unknown rank": "def f(z, t):\n    return F.nll_loss(z.log_softmax(0), t)",
    "dim 0 with a divisor of its own": ("F.kl_div(x.log_softmax(0), y.softmax(0), reduction='sum') / x.size(1)"),
}


@pytest.mark.parametrize(("source", "code"), WRONG.values(), ids=WRONG)
def test_wrong(source, code):
    assert codes_after_preamble(source) == [code]


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_right(source):
    assert codes_after_preamble(source) == []
