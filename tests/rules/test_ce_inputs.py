"""What cross entropies are given as their input: KL401, KL403, KL405, KL406, KL407, KL902."""

from __future__ import annotations

from textwrap import dedent

import pytest

from klint import lint_source
from klint.config import Settings
from klint.finding import Confidence
from tests.codes import codes, findings

HEAD = """\
import torch
import torch.nn as nn
import torch.nn.functional as F

x, y = torch.randn(8, 10), torch.randn(8, 10)
t = torch.randint(0, 10, (8,))
b = torch.randint(0, 2, (8, 10)).float()
"""
"""Scores x and y, class indices t, zeros and ones b."""


def found(source, *opted_in):
    return codes(HEAD + dedent(source), *opted_in)


PROBABILITIES = {
    "function": "F.cross_entropy(F.softmax(x, dim=1), t)",
    "method": "F.cross_entropy(x.softmax(-1), t)",
    "torch": "F.cross_entropy(torch.softmax(x, 1), t, reduction='none')",
    "module loss": "nn.CrossEntropyLoss(label_smoothing=0.1)(F.softmax(x, dim=1), t)",
    "module softmax": "nn.CrossEntropyLoss()(nn.Softmax(dim=1)(x), t)",
    "arguments by keyword": "F.cross_entropy(target=t, input=F.softmax(x, dim=1))",
    "function under another name": "from torch.nn.functional import cross_entropy as ce, softmax as s\nce(s(x, 1), t)",
    "variable": "q = F.softmax(x, dim=1)\nF.cross_entropy(q, t)",
    "reshaped": "F.cross_entropy(F.softmax(x, dim=-1).view(-1, 10), t.view(-1))",
    "converted": "F.cross_entropy(F.softmax(x, dim=1).float().to('cuda'), t)",
    "exp of log-probabilities": "F.cross_entropy(F.log_softmax(x, dim=1).exp(), t)",
    "mean of two distributions": "F.cross_entropy((F.softmax(x, 1) + F.softmax(y, 1)) / 2, t)",
    "exp over its sum": "e = torch.exp(x)\nF.cross_entropy(e / e.sum(dim=1, keepdim=True), t)",
    "soft target": "F.cross_entropy(F.softmax(x, dim=1), F.softmax(y, dim=1))",
    "two classes of a sigmoid": "s = torch.sigmoid(x[:, 0])\nF.cross_entropy(torch.stack([1 - s, s], dim=1), t)",
    "Sequential that ends in softmax": "net = nn.Sequential(nn.Linear(10, 10), nn.Softmax(dim=1))\nF.cross_entropy(net(x), t)",
    "criterion kept by a model": """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.criterion = nn.Linear(10, 10), nn.CrossEntropyLoss()

            def forward(self, x):
                return torch.softmax(self.fc(x), dim=1)

            def step(self, x, t):
                return self.criterion(self(x), t)
        """,
    "softmax at the caller": """
        def loss_of(output, t):
            return F.cross_entropy(output, t)

        loss_of(F.softmax(x, dim=1), t)
        """,
    "loop over a loader": """
        def train(model, loader):
            criterion = nn.CrossEntropyLoss()
            for inputs, labels in loader:
                output = F.softmax(model(inputs), dim=1)
                criterion(output, labels).backward()
        """,
    "both branches": """
        def loss_of(x, t, sharp):
            q = F.softmax(x / 2, dim=1) if sharp else F.softmax(x, dim=1)
            return F.cross_entropy(q, t)
        """,
}

SIGMOID = {
    "function": "F.cross_entropy(torch.sigmoid(x), t)",
    "method": "F.cross_entropy(x.sigmoid(), t)",
    "module": "nn.CrossEntropyLoss()(nn.Sigmoid()(x), t)",
    "reshaped": "F.cross_entropy(torch.sigmoid(x).view(-1, 10), t)",
    "exp of logsigmoid": "F.cross_entropy(F.logsigmoid(x).exp(), t)",
    "Sequential that ends in sigmoid": "F.cross_entropy(nn.Sequential(nn.Linear(10, 10), nn.Sigmoid())(x), t)",
}

NLL = {
    "softmax": "F.nll_loss(F.softmax(x, dim=1), t)",
    "softmax and the module": "nn.NLLLoss()(nn.Softmax(dim=1)(x), t)",
    "softmax, row by row, then the mean": "F.nll_loss(F.softmax(x, dim=1), t, reduction='none').mean()",
    "sigmoid": "F.nll_loss(torch.sigmoid(x), t)",
    "scores": "F.nll_loss(x, t)",
    "output of a layer": "nn.NLLLoss()(nn.Linear(10, 10)(x), t)",
    "weighted sum of two losses": "loss = 0.5 * F.nll_loss(F.softmax(x, 1), t) + 0.5 * F.mse_loss(x, y)",
}

BCE = {
    "scores": "F.binary_cross_entropy(x, b)",
    "output of a layer": "nn.BCELoss()(nn.Linear(10, 10)(x), b)",
    "squeezed": "nn.BCELoss()(nn.Linear(10, 1)(x).squeeze(1), b[:, 0])",
    "relu of a layer": "F.binary_cross_entropy(F.relu(nn.Linear(10, 10)(x)), b)",
    "scaled and shifted": "F.binary_cross_entropy(nn.Linear(10, 10)(x) / 2 + 1, b)",
    "mean of two heads": "F.binary_cross_entropy((nn.Linear(10, 10)(x) + nn.Linear(10, 10)(y)) / 2, b)",
    "mean over positions": "F.binary_cross_entropy(nn.Linear(10, 10)(torch.randn(8, 5, 10)).mean(1), b)",
    "model without a sigmoid": """
        class Discriminator(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = nn.Sequential(nn.Linear(10, 32), nn.LeakyReLU(0.2), nn.Linear(32, 10))

            def forward(self, x):
                return self.net(x)

        nn.BCELoss()(Discriminator()(x), b)
        """,
}

BCE_WITH_LOGITS = {
    "sigmoid": "F.binary_cross_entropy_with_logits(torch.sigmoid(x), b)",
    "sigmoid and the module": "nn.BCEWithLogitsLoss(pos_weight=torch.tensor(2.0))(x.sigmoid(), b)",
    "softmax": "nn.BCEWithLogitsLoss()(F.softmax(x, dim=1), b)",
    "one column": "F.binary_cross_entropy_with_logits(torch.sigmoid(x)[:, 0], b[:, 0])",
    "model that ends in sigmoid": "nn.BCEWithLogitsLoss()(nn.Sequential(nn.Linear(10, 10), nn.Sigmoid())(x), b)",
}

WRONG = {
    f"{code} {name}": (source, code)
    for code, cases in (
        ("KL401", PROBABILITIES),
        ("KL403", SIGMOID),
        ("KL405", NLL),
        ("KL406", BCE),
        ("KL407", BCE_WITH_LOGITS),
    )
    for name, source in cases.items()
}

RIGHT = {
    "scores": "F.cross_entropy(x, t)",
    "scores over a temperature": "F.cross_entropy(x / 0.07, t)",
    "cosines": "F.cross_entropy(F.normalize(x, dim=1) @ F.normalize(y, dim=1).t(), torch.arange(8))",
    "log-probabilities": "F.cross_entropy(F.log_softmax(x, dim=1), t)",
    "log of a mixture": "F.nll_loss(((F.softmax(x, 1) + F.softmax(y, 1)) / 2).log(), t)",
    "unknown input": "F.cross_entropy(model(x), t)",
    "unknown input of nll_loss": "F.nll_loss(model(x), t)",
    "unknown input of binary_cross_entropy": "F.binary_cross_entropy(model(x), b)",
    "scaled probabilities": "F.cross_entropy(F.softmax(x, dim=1) / 0.1, t)",
    "literal that happens to sum to 1": "F.cross_entropy(torch.tensor([[0.2, 0.8]]), torch.tensor([1]))",
    "uniform scores": "F.cross_entropy(torch.full((8, 10), 0.1), t)",
    "zeros as scores": "F.cross_entropy(torch.zeros(8, 10), t) + F.binary_cross_entropy_with_logits(torch.zeros(8, 10), b)",
    "ones as scores": "F.binary_cross_entropy_with_logits(torch.ones(8, 10), torch.sigmoid(x))",
    "zeros that are learnt": "z = torch.zeros(8, 10, requires_grad=True)\nF.binary_cross_entropy(z, torch.sigmoid(x))",
    "sigmoid before binary_cross_entropy": "F.binary_cross_entropy(torch.sigmoid(x), b)",
    "softmax before binary_cross_entropy": "F.binary_cross_entropy(F.softmax(x, dim=1), b)",
    "clamped scores": "F.binary_cross_entropy(nn.Linear(10, 10)(x).clamp(0, 1), b)",
    "tanh brought to 0 and 1": "F.binary_cross_entropy((torch.tanh(nn.Linear(10, 10)(x)) + 1) / 2, b)",
    "cosine brought to 0 and 1": "F.binary_cross_entropy((F.cosine_similarity(x, y) + 1) / 2, b[:, 0])",
    "product of unit vectors": "F.binary_cross_entropy((F.normalize(x) @ F.normalize(y).t() + 1) / 2, torch.eye(8))",
    "relu6 over 6": "F.binary_cross_entropy(F.relu6(x) / 6, b)",
    "scores over their largest": "h = nn.Linear(10, 10)(x)\nF.binary_cross_entropy((h / h.abs().max() + 1) / 2, b)",
    "scores between their ends": "h = nn.Linear(10, 10)(x)\nF.binary_cross_entropy((h - h.min()) / (h.max() - h.min()), b)",
    "exp of minus a square": "F.binary_cross_entropy(torch.exp(-(nn.Linear(10, 10)(x) ** 2)), b)",
    "scores over a norm": "F.binary_cross_entropy(x / norm(x), b)",
    "scores with logits": "F.binary_cross_entropy_with_logits(nn.Linear(10, 10)(x), b)",
    "logit of a sigmoid": "F.binary_cross_entropy_with_logits(torch.logit(torch.sigmoid(x)), b)",
    "sigmoid for the accuracy alone": """
        def step(model, x, b):
            logits = model(x)
            accuracy = (torch.sigmoid(logits) > 0.5).eq(b).float().mean()
            return F.binary_cross_entropy_with_logits(logits, b), accuracy
        """,
    "softmax after the loss": "q = x\nF.cross_entropy(q, t)\nq = F.softmax(x, dim=1)",
    "branches that disagree": """
        def loss_of(x, t, flag):
            q = F.softmax(x, dim=1) if flag else x
            return F.cross_entropy(q, t)
        """,
    "softmax outside training only": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                logits = self.fc(x)
                return logits if self.training else F.softmax(logits, dim=1)

        F.cross_entropy(Net()(x), t)
        """,
    "scores and probabilities from one forward": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                logits = self.fc(x)
                return logits, F.softmax(logits, dim=1)

        logits, probs = Net()(x)
        F.cross_entropy(logits, t)
        """,
    "probabilities by predict": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                return self.fc(x)

            def predict(self, x):
                return F.softmax(self(x), dim=1)

        net = Net()
        F.cross_entropy(net(x), t)
        accuracy = (net.predict(x).argmax(1) == t).float().mean()
        """,
    "first layer of a Sequential that ends in sigmoid": """
        net = nn.Sequential(nn.Linear(10, 10), nn.Sigmoid())
        F.binary_cross_entropy_with_logits(net[0](x), b)
        F.cross_entropy(net[0](x), t)
        """,
    "model that ends in log_softmax": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)

            def forward(self, x):
                logits = F.log_softmax(self.fc(x), dim=1)
                return logits

        F.nll_loss(Net()(x), t)
        """,
    "a name that lies": "logits = F.log_softmax(x, dim=1)\nF.nll_loss(logits, t)",
    "a name that lies about probabilities": "probs = nn.Linear(10, 10)(x)\nF.cross_entropy(probs, t)",
    "logits that every caller normalises": """
        def loss_of(logits, t):
            return F.nll_loss(logits, t)

        def step(model, x, t):
            return loss_of(F.log_softmax(model(x), dim=1), t)
        """,
    "1 - p by nll_loss": "1 + F.nll_loss(F.softmax(x, dim=1), t, reduction='none')",
    "p by nll_loss": "p_t = -F.nll_loss(F.softmax(x, dim=1), t, reduction='none')\nloss = -torch.log(p_t).mean()",
    "focal loss by nll_loss": """
        class Focal(nn.Module):
            def __init__(self, gamma=2.0):
                super().__init__()
                self.gamma = gamma
                self.pick = nn.NLLLoss(reduction="none")

            def forward(self, x, t):
                rest = 1 + self.pick(F.softmax(x, dim=1), t)
                return (rest**self.gamma * F.cross_entropy(x, t, reduction="none")).mean()
        """,
    "1 - p by a helper": """
        def picked(q, t):
            return F.nll_loss(q, t, reduction="none")

        def focal(x, t):
            return (1 + picked(F.softmax(x, dim=1), t)) ** 2
        """,
    "probability by exp of minus cross entropy": "p_t = torch.exp(-F.cross_entropy(x, t, reduction='none'))",
    "namesake of the project": """
        def cross_entropy(probabilities, t):
            return -probabilities.log()[range(len(t)), t].mean()

        cross_entropy(F.softmax(x, dim=1), t)
        """,
}


@pytest.mark.parametrize(("source", "code"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_found(source, code):
    assert found(source) == [code]


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_right_input_is_silent(source):
    assert found(source) == []


@pytest.mark.parametrize(
    ("classes", "floor"), [(2, "0.3133"), (3, "0.5514"), (10, "1.4612"), (100, "3.6222"), (1000, "5.9095")]
)
@pytest.mark.parametrize("normalise", ["torch.softmax(x, dim=1)", "torch.sigmoid(x)"])
def test_message_says_how_small_the_loss_can_be(classes, floor, normalise):
    (finding,) = findings(
        f"""
        import torch
        import torch.nn.functional as F

        x, t = torch.randn(8, {classes}), torch.randint(0, {classes}, (8,))
        F.cross_entropy({normalise}, t)
        """
    )
    assert f"cannot fall below {floor}" in finding.message


def test_message_says_the_formula_where_the_classes_are_not_known():
    (finding,) = findings("import torch.nn.functional as F\ndef f(x, t): return F.cross_entropy(F.softmax(x, 1), t)")
    assert "ln(1 + (C - 1)/e)" in finding.message


NAMED = {
    "KL401": "def f(probs, t): return F.cross_entropy(probs, t)",
    "KL405": "def f(logits, t): return F.nll_loss(logits, t)",
    "KL406": "def f(student_logits, t): return F.binary_cross_entropy(student_logits, t)",
    "KL407": "def f(probs, t): return F.binary_cross_entropy_with_logits(probs, t)",
}


@pytest.mark.parametrize(("code", "source"), NAMED.items(), ids=NAMED)
def test_what_rests_on_a_name_is_likely_and_says_so(code, source):
    (finding,) = findings(HEAD + source)
    assert (finding.code, finding.confidence) == (code, Confidence.LIKELY)
    assert "to go by its name" in finding.message


def test_related_locations_are_the_softmax_and_the_caller():
    (finding,) = findings(
        HEAD
        + dedent(
            """
            def loss_of(output):
                return F.cross_entropy(output, t)

            q = F.softmax(x, dim=1)
            loss_of(q)
            """
        )
    )
    assert [(related.message, related.location.row) for related in finding.related] == [
        ("probabilities are made here", 12),
        ("called from here", 13),
    ]


IDEMPOTENT = {
    "over dim 1": "F.cross_entropy(F.log_softmax(x, dim=1), t)",
    "over the last of two dims": "F.cross_entropy(x.log_softmax(-1), t)",
    "over dim 1 at unknown rank": "F.cross_entropy(F.log_softmax(model(x), dim=1), t)",
    "over the last dim beside a row of indices": "F.cross_entropy(F.log_softmax(model(x), dim=-1), t)",
    "single row": "F.cross_entropy(F.log_softmax(torch.randn(10), dim=0), torch.tensor(3))",
    "soft target": "F.cross_entropy(F.log_softmax(x, dim=1), F.softmax(y, dim=1))",
    "module": "nn.CrossEntropyLoss()(nn.LogSoftmax(dim=1)(x), t)",
    "reshaped": "F.cross_entropy(F.log_softmax(x, dim=-1).view(-1, 10), t)",
}
NOT_IDEMPOTENT = {
    "scores": "F.cross_entropy(x, t)",
    "nll_loss": "F.nll_loss(F.log_softmax(x, dim=1), t)",
    "over another dim": "F.cross_entropy(F.log_softmax(torch.randn(8, 10, 5), dim=-1), torch.zeros(8, 5).long())",
    "over an unknown dim": "F.cross_entropy(F.log_softmax(model(x), dim=-1), labels)",
    "a name": "def f(log_probs, t): return F.cross_entropy(log_probs, t)",
}


@pytest.mark.parametrize("source", IDEMPOTENT.values(), ids=IDEMPOTENT)
def test_log_softmax_before_cross_entropy_is_found_only_if_selected(source):
    assert found(source, "KL902") == ["KL902"]
    assert found(source) == []


@pytest.mark.parametrize("source", NOT_IDEMPOTENT.values(), ids=NOT_IDEMPOTENT)
def test_what_is_not_normalised_twice_over_the_classes_is_silent(source):
    report = lint_source(HEAD + source, "case.py", Settings(select=("KL902",)))
    assert report.findings == []
