"""What cross entropies are given as their target, and arguments in the wrong order: KL404, KL413, KL414."""

from __future__ import annotations

from textwrap import dedent

import pytest

from klint import lint_source
from klint.config import Settings
from klint.finding import Confidence
from klint.rules.claims import Effect
from klint.rules.engine import diagnose
from klint.rules.kl413_ce_swapped_arguments import CeSwappedArguments
from klint.source.python import parse_source
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


def found(source):
    return codes(HEAD + dedent(source))


NOT_DISTRIBUTIONS = {
    "scores": "F.cross_entropy(x, y)",
    "scores and the module": "nn.CrossEntropyLoss()(x, y)",
    "output of a layer": "F.cross_entropy(x, nn.Linear(10, 10)(y).detach())",
    "scores over a temperature": "F.cross_entropy(x / 2, y / 2)",
    "log-probabilities": "F.cross_entropy(x, F.log_softmax(y, dim=1))",
    "log-probabilities of a module": "F.cross_entropy(x, nn.LogSoftmax(dim=1)(y))",
    "log-probabilities beside log-probabilities": "F.cross_entropy(F.log_softmax(x, 1), F.log_softmax(y, 1))",
    "input of unknown rank": "F.cross_entropy(model(x), y)",
    "teacher under no_grad": """
        teacher = nn.Linear(10, 10)
        with torch.no_grad():
            target = teacher(x)
        F.cross_entropy(x, target)
        """,
    "across functions": """
        def distill(student, teacher):
            return F.cross_entropy(student, teacher)

        distill(x, nn.Linear(10, 10)(x))
        """,
}

SWAPPED = {
    "one-hot rows first": "F.cross_entropy(F.one_hot(t, 10).float(), x)",
    "one-hot rows in whole numbers first": "F.cross_entropy(F.one_hot(t, 10), x)",
    "class indices first": "F.cross_entropy(t, x)",
    "class indices first, by keyword": "F.cross_entropy(input=t, target=x)",
    "class indices first, module": "nn.CrossEntropyLoss()(t, nn.Linear(10, 10)(x))",
    "class indices before probabilities": "F.cross_entropy(t, F.softmax(x, dim=1))",
    "one-hot rows before probabilities": "F.cross_entropy(F.one_hot(t, 10).float(), F.softmax(x, dim=1))",
    "probabilities before scores": "F.cross_entropy(F.softmax(y, dim=1), x)",
    "probabilities before log-probabilities": "F.cross_entropy(F.softmax(y, dim=1), F.log_softmax(x, dim=1))",
    "nll_loss of indices": "F.nll_loss(t, F.log_softmax(x, dim=1))",
    "nll_loss of indices, module": "nn.NLLLoss()(t.long(), nn.LogSoftmax(dim=1)(x))",
    "binary_cross_entropy of labels": "F.binary_cross_entropy((t > 4).float(), torch.sigmoid(x[:, 0]))",
    "binary_cross_entropy of indices as floats": "nn.BCELoss()(t.float().view(-1, 1), torch.sigmoid(nn.Linear(10, 1)(x)))",
    "binary_cross_entropy of ones": "nn.BCELoss()(torch.ones(8, 10), torch.sigmoid(x))",
    "with logits, one-hot rows first": "F.binary_cross_entropy_with_logits(F.one_hot(t, 10).float(), x)",
    "with logits, draws first": "F.binary_cross_entropy_with_logits(torch.bernoulli(torch.full((8, 10), 0.5)), x)",
    "training step": """
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc, self.criterion = nn.Linear(10, 10), nn.CrossEntropyLoss()

            def step(self, x, y):
                return self.criterion(y.argmax(dim=1), self.fc(x))
        """,
}

BY_NAME = {
    "labels of a loader": """
        def train(model, loader):
            for x, labels in loader:
                nn.BCELoss()(labels.float().view(-1, 1), torch.sigmoid(model(x))).backward()
        """,
    "labels of a batch": "def f(net, batch): return F.cross_entropy(batch['labels'], F.log_softmax(net(batch['x']), 1))",
    "parameter": "def f(targets, hidden): return F.cross_entropy(targets, nn.Linear(10, 10)(hidden))",
    "y_true before y_pred": "def f(y_true, x): return F.binary_cross_entropy(y_true, torch.sigmoid(x))",
}

WHOLE_NUMBERS = {
    "cross_entropy": "F.cross_entropy(x, F.one_hot(t, 10))",
    "cross_entropy, module": "nn.CrossEntropyLoss()(nn.Linear(10, 10)(x), F.one_hot(t))",
    "cross_entropy of an unknown input": "F.cross_entropy(model(x), F.one_hot(t, 10))",
    "cross_entropy over pixels": """
        pixels = torch.randint(0, 5, (2, 4, 4))
        F.cross_entropy(torch.randn(2, 5, 4, 4), F.one_hot(pixels, 5).permute(0, 3, 1, 2))
        """,
    "on another device": "F.cross_entropy(x, F.one_hot(t, 10).to('cuda'))",
    "binary_cross_entropy": "F.binary_cross_entropy(torch.sigmoid(x), F.one_hot(t, 10))",
    "binary_cross_entropy_with_logits": "F.binary_cross_entropy_with_logits(x, F.one_hot(t, 10))",
    "binary_cross_entropy_with_logits, module": "nn.BCEWithLogitsLoss()(x, F.one_hot(t, num_classes=10))",
    "unknown labels": "def f(x, labels): return F.binary_cross_entropy_with_logits(x, F.one_hot(labels, 10))",
}

WRONG = {
    f"{code} {name}": (source, code)
    for code, cases in (("KL404", NOT_DISTRIBUTIONS), ("KL413", SWAPPED | BY_NAME), ("KL414", WHOLE_NUMBERS))
    for name, source in cases.items()
}

RIGHT = {
    "class indices": "F.cross_entropy(x, t)",
    "soft target": "F.cross_entropy(x, F.softmax(y, dim=1))",
    "soft target of exp": "F.cross_entropy(x, F.log_softmax(y, dim=1).exp())",
    "one-hot rows as floats": "F.cross_entropy(x, F.one_hot(t, 10).float())",
    "one-hot rows of the scores' type": "F.cross_entropy(x, F.one_hot(t, 10).to(x.dtype))",
    "one-hot rows of the scores' type and device": "F.binary_cross_entropy_with_logits(x, F.one_hot(t, 10).to(x))",
    "one-hot rows as type_as": "F.binary_cross_entropy(torch.sigmoid(x), F.one_hot(t, 10).type_as(x))",
    "smoothed one-hot rows": "F.cross_entropy(x, F.one_hot(t, 10) * 0.9 + 0.01)",
    "indices of one-hot rows": "F.cross_entropy(x, F.one_hot(t, 10).argmax(dim=1))",
    "zeros and ones that are indices of two classes": "F.cross_entropy(torch.randn(8, 2, 10), F.one_hot(t, 10))",
    "column of one-hot rows": "F.cross_entropy(torch.randn(8, 2), F.one_hot(t, 10)[:, 3])",
    "mixup": "F.cross_entropy(x, 0.3 * F.one_hot(t, 10).float() + 0.7 * F.one_hot(t.flip(0), 10).float())",
    "label smoothing by scatter_": """
        target = torch.full((8, 10), 0.1 / 9)
        target.scatter_(1, t.unsqueeze(1), 0.9)
        F.cross_entropy(x, target)
        """,
    "zeros and ones": "F.binary_cross_entropy_with_logits(x, b)",
    "soft labels": "F.binary_cross_entropy_with_logits(x, torch.sigmoid(y).detach())",
    "consistency of two heads": "F.binary_cross_entropy(torch.sigmoid(x), torch.sigmoid(y).detach())",
    "discriminator on real and fake": """
        def discriminator_loss(real, fake):
            real, fake = torch.sigmoid(nn.Linear(10, 1)(real)), torch.sigmoid(nn.Linear(10, 1)(fake))
            bce = nn.BCELoss()
            return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
        """,
    "unknown target": "F.cross_entropy(x, target())",
    "scores called labels": "labels = nn.Linear(10, 10)(x)\nF.cross_entropy(labels, t)",
    "logits of targets": "def f(target_logits, t): return F.cross_entropy(target_logits, t)",
    "parameter called labels as target": "def f(x, labels): return F.cross_entropy(nn.Linear(10, 10)(x), labels)",
    "wrapper with the target first": """
        def loss_of(target, output):
            return F.cross_entropy(output, target)

        loss_of(t, x)
        """,
    "labels before unknown": "def f(labels, output): return F.cross_entropy(labels, output)",
    "kl_div takes the target second too": "F.kl_div(F.log_softmax(x, 1), F.softmax(y, 1), reduction='batchmean')",
    "mutual learning": """
        def mutual(first, second):
            p, q = F.softmax(first, dim=1), F.softmax(second, dim=1)
            return F.cross_entropy(first, q.detach()) + F.cross_entropy(second, p.detach())

        mutual(x, y)
        """,
    "tied branches": """
        def f(x, y, soft):
            target = F.softmax(y, dim=1) if soft else y.argmax(dim=1)
            return F.cross_entropy(x, target)
        """,
    "branches that disagree": """
        def f(x, y, raw):
            scores = nn.Linear(10, 10)(y)
            return F.cross_entropy(x, scores if raw else scores.softmax(dim=1))
        """,
    "perturbation that is learnt": """
        logits = torch.zeros(8, 10, requires_grad=True)
        F.binary_cross_entropy_with_logits(logits, torch.sigmoid(x))
        """,
}


@pytest.mark.parametrize(("source", "code"), WRONG.values(), ids=WRONG)
def test_wrong_target_or_order_is_found(source, code):
    assert found(source) == [code]


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_right_target_and_order_are_silent(source):
    assert found(source) == []


@pytest.mark.parametrize("source", BY_NAME.values(), ids=BY_NAME)
def test_order_that_rests_on_a_name_is_likely_and_says_so(source):
    (finding,) = findings(HEAD + dedent(source))
    assert finding.confidence is Confidence.LIKELY
    assert "to go by its name" in finding.message


def test_a_target_called_logits_is_likely_and_says_so():
    (finding,) = findings(HEAD + "def f(x, teacher_logits): return F.cross_entropy(x, teacher_logits)")
    assert (finding.code, finding.confidence) == ("KL404", Confidence.LIKELY)
    assert "to go by its name" in finding.message


@pytest.mark.parametrize("alone", ["KL401", "KL404"])
def test_swapped_arguments_replace_what_they_cause_and_only_then(alone):
    source = HEAD + "F.cross_entropy(F.softmax(y, dim=1), x)"
    assert [finding.code for finding in lint_source(source, "case.py", Settings(select=(alone,))).findings] == [alone]
    assert found("F.cross_entropy(F.softmax(y, dim=1), x)") == ["KL413"]


@pytest.mark.parametrize(
    ("call", "effect", "words"),
    [
        ("F.cross_entropy(t, x)", Effect.RAISES, "raises an error"),
        ("F.nll_loss(t, F.log_softmax(x, dim=1))", Effect.RAISES, "raises an error"),
        ("F.cross_entropy(F.one_hot(t, 10).float(), x)", Effect.DIFFERS, "gradient does not depend"),
        ("F.binary_cross_entropy((t > 4).float(), torch.sigmoid(x[:, 0]))", Effect.DIFFERS, "gradient does not depend"),
    ],
    ids=["indices", "indices of nll_loss", "one-hot rows", "zeros and ones"],
)
def test_claim_of_swapped_arguments_says_what_torch_does(call, effect, words):
    (diagnosis,) = diagnose(parse_source(HEAD + call, "case.py"), (CeSwappedArguments(),)).diagnoses
    assert diagnosis.claim.effect is effect
    assert words in diagnosis.finding.message
    assert diagnosis.claim.expected is None


@pytest.mark.parametrize(
    ("source", "confidence"),
    [
        ("F.cross_entropy(x, F.one_hot(t, 10))", Confidence.PROVEN),
        ("F.cross_entropy(model(x), F.one_hot(t, 10))", Confidence.LIKELY),
        ("F.binary_cross_entropy_with_logits(model(x), F.one_hot(t, 10))", Confidence.PROVEN),
    ],
    ids=["ranks that are known", "rank that is not known", "loss that never takes indices"],
)
def test_one_hot_is_proven_where_its_numbers_cannot_be_indices_themselves(source, confidence):
    (finding,) = findings(HEAD + source)
    assert (finding.code, finding.confidence) == ("KL414", confidence)
    assert ("unless the input has a dim more" in finding.message) == (confidence is Confidence.LIKELY)
