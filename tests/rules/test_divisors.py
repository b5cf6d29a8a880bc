"""What is divided or reduced once too often, or too little: KL203, KL204, KL209, KL210."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.codes import PREAMBLE, codes_after_preamble, findings

TOKENS = """\
labels = torch.randint(10, (8,))
a, b = torch.randn(8, 16, 10), torch.randn(8, 16, 10)
tokens, log_tokens = F.softmax(b, dim=-1), F.log_softmax(a, dim=-1)
"""


def codes(source):
    """The codes in a source that may use tensors of rows, labels and tokens."""
    return codes_after_preamble(TOKENS + dedent(source))


POSITIONS = {
    "tokens": "F.kl_div(log_tokens, tokens, reduction='batchmean')",
    "module": "nn.KLDivLoss(reduction='batchmean')(log_tokens, tokens)",
    "scaled by a temperature": "F.kl_div(log_tokens, tokens, reduction='batchmean') * 4.0**2",
    "pixels": """
        s, t = torch.randn(2, 5, 4, 4), torch.randn(2, 5, 4, 4)
        F.kl_div(F.log_softmax(s, dim=1), F.softmax(t, dim=1), reduction="batchmean")
        """,
    "rank known from the dim alone": """
        def loss(s, t):
            return F.kl_div(F.log_softmax(s, dim=2), F.softmax(t, dim=2), reduction="batchmean")
        """,
    "rank known from unpacking": """
        def loss(s, t):
            B, T, C = s.shape
            return F.kl_div(F.log_softmax(s, dim=-1), F.softmax(t, dim=-1), reduction="batchmean")
        """,
    "weighted by a parameter": """
        def loss(s, t, alpha):
            B, T, C = s.shape
            kl = F.kl_div(F.log_softmax(s, dim=-1), F.softmax(t, dim=-1), reduction="batchmean")
            return alpha * kl
        """,
    "across functions": """
        def divergence(s, t):
            return F.kl_div(s, t, reduction="batchmean")
        loss = divergence(log_tokens, tokens)
        """,
}


@pytest.mark.parametrize("source", POSITIONS.values(), ids=POSITIONS)
def test_batchmean_sums_over_positions(source):
    assert codes(source) == ["KL203"]


NO_POSITIONS = {
    "two dims": "F.kl_div(log_q, p, reduction='batchmean')",
    "rows": "F.kl_div(log_tokens.view(-1, 10), tokens.view(-1, 10), reduction='batchmean')",
    "flattened": "F.kl_div(log_tokens.flatten(0, 1), tokens.flatten(0, 1), reduction='batchmean')",
    "one position": "F.kl_div(log_tokens[:, :1], tokens[:, :1], reduction='batchmean')",
    "the position is picked": "F.kl_div(log_tokens[:, 0], tokens[:, 0], reduction='batchmean')",
    "divided by the length": "F.kl_div(log_tokens, tokens, reduction='batchmean') / a.size(1)",
    "divided by the length as a literal": "F.kl_div(log_tokens, tokens, reduction='batchmean') / 16",
    "times one over the length": "F.kl_div(log_tokens, tokens, reduction='batchmean') * (1 / a.shape[1])",
    "divided by a count of which nothing is known": """
        def loss(s, t, n_tokens):
            kl = F.kl_div(F.log_softmax(s, dim=2), F.softmax(t, dim=2), reduction="batchmean")
            return kl / n_tokens
        """,
    "divided by the caller": """
        def divergence(s, t):
            return F.kl_div(s, t, reduction="batchmean")
        loss = divergence(log_tokens, tokens) / a.size(1)
        """,
    "explicit sum over the batch size": "F.kl_div(log_tokens, tokens, reduction='sum') / a.size(0)",
    "sum of the elements over the batch size": "F.kl_div(log_tokens, tokens, reduction='none').sum() / a.size(0)",
    "mean over rows": "F.kl_div(log_tokens, tokens, reduction='none').sum(-1).mean()",
    "rank not known": """
        def loss(s, t):
            return F.kl_div(F.log_softmax(s, dim=-1), F.softmax(t, dim=-1), reduction="batchmean")
        """,
    "dim 1 at a rank that is not known": """
        def loss(s, t):
            return F.kl_div(F.log_softmax(s, dim=1), F.softmax(t, dim=1), reduction="batchmean")
        """,
    "yes and no for each label": """
        s, t = torch.sigmoid(a[:, 0]), torch.sigmoid(b[:, 0])
        log_s = torch.stack([F.logsigmoid(a[:, 0]), F.logsigmoid(-a[:, 0])], dim=-1)
        F.kl_div(log_s, torch.stack([t, 1 - t], dim=-1), reduction="batchmean")
        """,
    "class dim not known": """
        def loss(s, t):
            B, T, C = s.shape
            return F.kl_div(s, t, reduction="batchmean")
        """,
}


@pytest.mark.parametrize("source", NO_POSITIONS.values(), ids=NO_POSITIONS)
def test_no_positions_or_they_are_counted(source):
    assert codes(source) == []


ELEMENTS = {
    "mean of the elements": "F.kl_div(log_q, p, reduction='none').mean()",
    "torch.mean": "torch.mean(F.kl_div(log_q, p, reduction='none'))",
    "of a module": "nn.KLDivLoss(reduction='none')(log_q, p).mean()",
    "bound before": "pointwise = F.kl_div(log_q, p, reduction='none')\nloss = pointwise.mean()",
    "scaled before": "(F.kl_div(log_q, p, reduction='none') * 2.0).mean()",
    "over the class dim": "F.kl_div(log_q, p, reduction='none').mean(dim=1)",
    "over the class dim from the right": "F.kl_div(log_q, p, reduction='none').mean(-1).sum()",
    "over both dims": "F.kl_div(log_q, p, reduction='none').mean(dim=(0, 1))",
    "over the classes after a sum over the batch": "F.kl_div(log_q, p, reduction='none').sum(0).mean()",
    "sum over numel": "F.kl_div(log_q, p, reduction='sum') / x.numel()",
    "sum of the elements over numel": "F.kl_div(log_q, p, reduction='none').sum() / log_q.numel()",
    "of one row": "F.kl_div(log_q[0], p[0], reduction='none').mean()",
    "rank not known": """
        def loss(s, t):
            return F.kl_div(F.log_softmax(s, dim=-1), F.softmax(t, dim=-1), reduction="none").mean(-1)
        """,
    "in the caller": """
        def pointwise(q, t):
            return F.kl_div(q, t, reduction="none")
        loss = pointwise(log_q, p).mean()
        """,
}


@pytest.mark.parametrize("source", ELEMENTS.values(), ids=ELEMENTS)
def test_a_mean_runs_over_the_classes(source):
    assert codes(source) == ["KL204"]


SUMMED_OVER_CLASSES = {
    "sum over the classes": "F.kl_div(log_q, p, reduction='none').sum(1).mean()",
    "mean over the batch, then the sum": "F.kl_div(log_q, p, reduction='none').mean(0).sum()",
    "mean over positions": "F.kl_div(log_tokens, tokens, reduction='none').mean(1).sum(-1).mean()",
    "times the class count": "F.kl_div(log_q, p, reduction='none').mean() * x.size(1)",
    "times a named class count": "F.kl_div(log_q, p, reduction='none').mean() * num_classes",
    "times the class count, at the caller": """
        def divergence(q, t):
            return F.kl_div(q, t, reduction="none").mean()
        loss = divergence(log_q, p) * x.size(1)
        """,
    "class dim not known": "def loss(s, t):\n    return F.kl_div(s, t, reduction='none').mean()",
    "log-probabilities by name, of the tokens that were drawn": """
        def loss(logprobs, ref_logprobs):
            return F.kl_div(logprobs, ref_logprobs, log_target=True, reduction="none").mean()
        """,
    "summed over another dim at a rank that is not known": """
        def loss(s, t):
            return F.kl_div(F.log_softmax(s, dim=-1), F.softmax(t, dim=-1), reduction="none").mean(dim=1)
        """,
    "only summed": "F.kl_div(log_q, p, reduction='none').sum()",
    "sum over the batch size": "F.kl_div(log_q, p, reduction='sum') / x.size(0)",
    "mean of cross entropies": "F.cross_entropy(x, labels, reduction='none').mean()",
    "only if it is asked for": """
        def divergence(q, t, reduction):
            kl = F.kl_div(F.log_softmax(q, dim=-1), F.softmax(t, dim=-1), reduction="none")
            if reduction == "mean":
                return kl.mean()
            return kl.sum() / len(q)
        """,
    "dim that is not known": "F.kl_div(log_q, p, reduction='none').mean(dim)",
    "mask": """
        kl = F.kl_div(log_tokens, tokens, reduction="none").sum(-1)
        loss = (kl * mask).sum() / mask.sum()
        """,
}


@pytest.mark.parametrize("source", SUMMED_OVER_CLASSES.values(), ids=SUMMED_OVER_CLASSES)
def test_the_classes_are_summed_or_not_known(source):
    assert codes(source) == []


TWICE_REDUCED = {
    "mean of the sum": "F.kl_div(log_q, p, reduction='none').sum().mean()",
    "mean of a summed loss": "F.cross_entropy(x, labels, reduction='sum').mean()",
    "sum of a mean": "F.cross_entropy(x, labels).sum()",
    "sum of batchmean": "F.kl_div(log_q, p, reduction='batchmean').sum()",
    "sum of a mean of the elements": "F.nll_loss(log_q, labels, reduction='none').mean().sum()",
    "of a module": "criterion = nn.BCEWithLogitsLoss(reduction='sum')\nloss = criterion(x, p).mean()",
    "torch.mean of torch.sum": "torch.mean(torch.sum(F.cross_entropy(x, labels, reduction='none')))",
    "weighted in between": "(0.5 * F.cross_entropy(x, labels, reduction='sum')).mean()",
    "by a caller of a function": """
        def total(x, labels):
            return F.cross_entropy(x, labels, reduction="sum")
        loss = total(x, labels).mean()
        """,
}


@pytest.mark.parametrize("source", TWICE_REDUCED.values(), ids=TWICE_REDUCED)
def test_reduced_twice(source):
    assert codes(source) == ["KL209"]


REDUCED_ONCE = {
    "mean of a mean": "F.cross_entropy(x, labels).mean()",
    "sum of a sum": "F.cross_entropy(x, labels, reduction='sum').sum()",
    "sum over the classes, then the mean": "F.kl_div(log_q, p, reduction='none').sum(-1).mean()",
    "mean over rows, then the sum over the classes": "F.kl_div(log_q, p, reduction='none').mean(0).sum()",
    "sum over a dim at a rank that is not known": """
        def loss(s, t):
            return F.cross_entropy(s, t, reduction="none").sum(1).mean()
        """,
    "reduction not known": "F.cross_entropy(x, labels, reduction=how).mean()",
    "mean of a sum that has been divided": "(F.cross_entropy(x, labels, reduction='sum') / x.size(0)).mean()",
    "mean of a sum over a mask": "(F.cross_entropy(x, labels, reduction='none').sum() / mask.sum()).mean()",
    "mean of several losses": "torch.stack([F.cross_entropy(x, labels, reduction='sum') for _ in r]).mean()",
    "mean of a loss times a mask": "(F.cross_entropy(x, labels, reduction='sum') * mask).mean()",
    "several devices": "loss = F.cross_entropy(x, labels)\nif n_gpu > 1:\n    loss = loss.sum()",
    "nn.DataParallel": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = nn.Linear(5, 10)

            def forward(self, x, labels):
                return F.cross_entropy(self.layer(x), labels)

        net = nn.DataParallel(Net())
        loss = net(torch.randn(8, 5), labels).sum()
        """,
    "helper of a module's forward": """
        def total(x, labels):
            return F.cross_entropy(x, labels, reduction="sum")

        class Net(nn.Module):
            def forward(self, x, labels):
                return total(x, labels)

        loss = nn.DataParallel(Net())(x, labels).mean()
        """,
}


@pytest.mark.parametrize("source", REDUCED_ONCE.values(), ids=REDUCED_ONCE)
def test_reduced_once(source):
    assert codes(source) == []


TWICE_DIVIDED = {
    "batchmean over size(0)": "F.kl_div(log_q, p, reduction='batchmean') / x.size(0)",
    "over the size of the target": "F.kl_div(log_q, p, reduction='batchmean') / p.shape[0]",
    "over len": "F.cross_entropy(x, labels) / len(labels)",
    "by a name": "B = x.shape[0]\nloss = F.cross_entropy(x, labels)\nloss = loss / B",
    "in place": "loss = F.cross_entropy(x, labels)\nloss /= x.size(0)",
    "times one over the size": "F.cross_entropy(x, labels) * (1 / x.size(0))",
    "torch.div": "torch.div(F.cross_entropy(x, labels), x.size(0))",
    "weighted in between": "0.5 * F.kl_div(log_q, p, reduction='batchmean') * 4.0 / x.size(0)",
    "weighted by a temperature": """
        def divergence(s, t, T=4.0):
            kl = F.kl_div(F.log_softmax(s / T, dim=1), F.softmax(t / T, dim=1), reduction="batchmean")
            return T**2 * kl / s.shape[0]
        """,
    "mean over rows": "F.kl_div(log_q, p, reduction='none').sum(1).mean() / x.size(0)",
    "binary": "F.binary_cross_entropy_with_logits(x, p) / x.size(0)",
    "scores of unknown shape": """
        def step(net, x, labels):
            return F.cross_entropy(net(x), labels) / labels.size(0)
        """,
    "tokens": "F.cross_entropy(a.view(-1, 10), torch.zeros(8, 16).long().view(-1)) / (8 * a.size(1))",
    "by a caller": """
        def divergence(s, t):
            return F.kl_div(F.log_softmax(s, dim=1), F.softmax(t, dim=1), reduction="batchmean")
        loss = divergence(x, y) / x.size(0)
        """,
}


@pytest.mark.parametrize("source", TWICE_DIVIDED.values(), ids=TWICE_DIVIDED)
def test_divided_twice(source):
    assert codes(source) == ["KL210"]


DIVIDED_ONCE = {
    "sum over the batch": "F.kl_div(log_q, p, reduction='sum') / x.size(0)",
    "accumulated": "F.cross_entropy(x, labels) / accumulation_steps",
    "accumulated over as many steps as there are rows": "F.cross_entropy(x, labels) / 8",
    "several terms": "sum(F.cross_entropy(s, labels) for s in scores) / len(scores)",
    "the number of batches": """
        def train(net, loader):
            total = 0
            for x, labels in loader:
                total += F.cross_entropy(net(x), labels) / len(loader)
            return total
        """,
    "rows one by one": """
        def loss(scores, labels):
            total = 0
            for row, label in zip(scores, labels):
                total = total + F.cross_entropy(row[None], label[None]) / scores.size(0)
            return total
        """,
    "rows by their index": """
        total = 0
        for i in range(x.size(0)):
            total = total + F.cross_entropy(x[i : i + 1], labels[i : i + 1]) / x.size(0)
        """,
    "parts of the batch": """
        total = 0
        for part, own in zip(x.split(2), labels.split(2)):
            total = total + F.cross_entropy(part, own) / len(x)
        """,
    "divided by the positions": "F.kl_div(log_tokens.view(-1, 10), tokens.view(-1, 10), reduction='batchmean') / 2.0",
    "times the size later": "F.cross_entropy(x, labels) / x.size(0) * x.size(0)",
    "mean over positions of a sum": """
        s, t = torch.randn(2, 5, 4), torch.randint(5, (2, 4))
        F.cross_entropy(s, t, reduction="sum") / s.size(0) / s.size(2)
        """,
    "times a count of which nothing is known": """
        def step(net, x, labels, rows):
            return F.cross_entropy(net(x), labels) * rows / labels.size(0)
        """,
    "another tensor": """
        def step(net, x, labels, extra):
            return F.cross_entropy(net(x), labels) / extra.size(0)
        """,
    "only if it is asked for": """
        def loss(x, labels, per_row):
            value = F.cross_entropy(x, labels)
            return value / x.size(0) if per_row else value
        """,
    "reduction not known": "F.cross_entropy(x, labels, reduction=how) / x.size(0)",
    "mean over the classes of a sum over the batch": "F.cross_entropy(x, labels, reduction='none').sum() / len(x)",
}


@pytest.mark.parametrize("source", DIVIDED_ONCE.values(), ids=DIVIDED_ONCE)
def test_divided_once(source):
    assert codes(source) == []


def test_messages_name_the_sizes():
    source = "\n".join(
        (
            "F.kl_div(log_tokens, tokens, reduction='batchmean')",
            "F.kl_div(log_q, p, reduction='none').mean()",
            "F.cross_entropy(x, labels) / len(labels)",
        )
    )
    messages = [finding.message for finding in findings(PREAMBLE + TOKENS + source)]
    assert "is 16 times the KL divergence of one" in messages[0]
    assert "KL / 10" in messages[1]
    assert "divided by len(labels) again: the result is the loss / 8" in messages[2]
