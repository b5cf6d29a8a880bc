"""KL beside cross entropy minus entropy, and beside a cross entropy in one objective: KL302, KL303, KL304, KL305, KL901."""

from __future__ import annotations

from textwrap import dedent

import pytest

from klint.finding import Severity
from tests.codes import PREAMBLE, codes, codes_after_preamble, findings

SIDES = """\
import math, numpy, pytest
q = F.softmax(x, dim=1)
kl = F.kl_div(log_q, p, reduction="batchmean")
entropy = F.cross_entropy(y, p)
labels = torch.randint(10, (8,))
def by_hand(p):
    return -(p * p.log()).sum(dim=1).mean()
"""


def compared(source):
    """The codes in a source that may use KL(P || Q), the entropy of P, and Q as probabilities."""
    return codes_after_preamble(SIDES + dedent(source))


OPTIONS = {
    "label_smoothing": "print(kl, F.cross_entropy(x, p, label_smoothing=0.1) - entropy)",
    "label_smoothing of a module": "print(kl, nn.CrossEntropyLoss(label_smoothing=0.1)(x, p) - entropy)",
    "weight": "torch.allclose(kl, F.cross_entropy(x, p, weight=torch.rand(10)) - entropy)",
    "weight that has a name": "w = torch.linspace(1, 2, 10)\nkl - (F.cross_entropy(x, p, w) - entropy)",
    "weight of a method": """
        class Criterion(nn.Module):
            def __init__(self):
                super().__init__()
                self.ce = nn.CrossEntropyLoss(weight=torch.tensor([2.0] + [1.0] * 9))
            def forward(self, x, p):
                return self.ce(x, p)
        torch.testing.assert_close(kl, Criterion()(x, p) - entropy)
        """,
    "one module for both terms": """
        ce = nn.CrossEntropyLoss(label_smoothing=0.1)
        assert math.isclose(kl, ce(x, p) - ce(y, p))
        """,
    "entropy by hand": "print(kl, F.cross_entropy(x, p, label_smoothing=0.1) - by_hand(p))",
    "another divisor as well": "print(kl, F.cross_entropy(x, p, label_smoothing=0.1, reduction='sum') + (p * p.log()).sum())",
    "ignored class": "print(kl, F.cross_entropy(x, p, ignore_index=0) - entropy)",
    "in a helper": """
        def soft_loss(scores, target, smoothing):
            return F.cross_entropy(scores, target, label_smoothing=smoothing)
        print(kl, soft_loss(x, p, 0.1) - soft_loss(y, p, 0.0))
        """,
}


@pytest.mark.parametrize("source", OPTIONS.values(), ids=OPTIONS)
def test_options_of_the_cross_entropy_change_it(source):
    assert compared(source) == ["KL302"]


NO_OPTIONS = {
    "no option": "print(kl, F.cross_entropy(x, p) - entropy)",
    "smoothing of 0": "print(kl, F.cross_entropy(x, p, label_smoothing=0.0) - entropy)",
    "no weight": "print(kl, F.cross_entropy(x, p, weight=None) - entropy)",
    "weights of 1": "print(kl, F.cross_entropy(x, p, weight=torch.ones(10)) - entropy)",
    "weight that is not known": """
        def difference(x, p, weight=None):
            return F.cross_entropy(x, p, weight=weight) - F.cross_entropy(p.log(), p)
        print(kl, difference(x, p))
        """,
    "smoothing that is not known": """
        def difference(smoothing):
            print(kl, F.cross_entropy(x, p, label_smoothing=smoothing) - entropy)
        """,
    "ignored index that is no class": "print(kl, F.cross_entropy(x, p, ignore_index=-1) - entropy)",
    "no entropy is subtracted": "print(kl, F.cross_entropy(x, p, label_smoothing=0.1))",
    "other distributions": "print(kl, F.cross_entropy(torch.randn(8, 10), p, label_smoothing=0.1) - entropy)",
    "an objective": "print(kl + F.cross_entropy(x, labels, label_smoothing=0.1))",
    "not beside KL": "print(F.cross_entropy(x, p, label_smoothing=0.1) - entropy)",
    "KL is weighed": "print(0.5 * kl, F.cross_entropy(x, p, label_smoothing=0.1) - entropy)",
}


@pytest.mark.parametrize("source", NO_OPTIONS.values(), ids=NO_OPTIONS)
def test_options_without_effect_or_comparison(source):
    assert compared(source) == []


ENTROPIES = {
    "cross entropy of the target with itself": "print(kl, F.cross_entropy(x, p) - F.cross_entropy(p, p))",
    "module": "ce = nn.CrossEntropyLoss()\nprint(kl, ce(x, p) - ce(p, p))",
    "variables": """
        crossed, own = F.cross_entropy(x, p), F.cross_entropy(p, p)
        difference = crossed - own
        print(f"{kl.item():.3f} {difference.item():.3f}")
        """,
    "subtracted from KL": "kl - (F.cross_entropy(x, p) - F.cross_entropy(p, p))",
    "scores before the temperature": """
        soft = F.softmax(y / 4, dim=1)
        softened = F.kl_div(log_q, soft, reduction="batchmean")
        print(softened, F.cross_entropy(x, soft) - F.cross_entropy(y, soft))
        """,
    "scores of another distribution": """
        z = torch.randn(8, 10)
        assert torch.allclose(kl, F.cross_entropy(x, p) - F.cross_entropy(z, p))
        """,
    "entropy of the model": "torch.testing.assert_close(kl, F.cross_entropy(x, p) - by_hand(q))",
    "entropy of a Categorical of the model": """
        from torch.distributions import Categorical
        torch.testing.assert_close(kl, F.cross_entropy(x, p) - Categorical(logits=x).entropy().mean())
        """,
    "in a method": """
        class Check:
            def difference(self, scores, target):
                return F.cross_entropy(scores, target) - F.cross_entropy(target, target)
        print(kl, Check().difference(x, p))
        """,
}


@pytest.mark.parametrize("source", ENTROPIES.values(), ids=ENTROPIES)
def test_what_is_subtracted_is_not_the_entropy(source):
    assert compared(source) == ["KL303"]


ENTROPIES_OF_THE_TARGET = {
    "of its scores": "print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))",
    "of its logarithm": "print(kl, F.cross_entropy(x, p) - F.cross_entropy(p.log(), p))",
    "by hand": "print(kl, F.cross_entropy(x, p) - by_hand(p))",
    "of a Categorical": """
        from torch.distributions import Categorical
        print(kl, F.cross_entropy(x, p) - Categorical(probs=p).entropy().mean())
        """,
    "of a shift of its scores, which is not known to be one": "print(kl, F.cross_entropy(x, p) - unknown(p))",
    "excess over another model, shown": """
        z = torch.randn(8, 10)
        print(kl, F.cross_entropy(x, p) - F.cross_entropy(z, p))
        """,
    "uncertainty of the model as a bonus, shown": "print(kl, F.cross_entropy(x, p) - 0.1 * by_hand(q))",
    "uncertainty of the model as a bonus, compared": "torch.allclose(kl, F.cross_entropy(x, p) - 0.1 * by_hand(q))",
    "cross entropy of labels": "kl - (F.cross_entropy(x, labels) - F.cross_entropy(y, labels))",
}


@pytest.mark.parametrize("source", ENTROPIES_OF_THE_TARGET.values(), ids=ENTROPIES_OF_THE_TARGET)
def test_entropies_of_the_target_and_other_differences(source):
    assert compared(source) == []


def test_entropy_of_probabilities_as_scores_is_reported_at_kl_alone():
    source = SIDES + "print(kl, F.cross_entropy(x, p) - F.cross_entropy(p, p), F.cross_entropy(q, labels))\n"
    found = findings(PREAMBLE + source)
    assert [(finding.code, finding.location.row) for finding in found] == [("KL303", 10), ("KL401", 15)]
    entropy = next(related for related in found[0].related if "entropy of the target" in related.message)
    assert entropy.location.row == 15
    assert entropy.location.column == found[1].location.column - len("F.cross_entropy(p, p), ")


def test_probabilities_as_scores_without_kl_are_for_kl401():
    assert compared("print(F.cross_entropy(x, p) - F.cross_entropy(p, p))") == ["KL401"]


EXACT = {
    "==": "assert kl == F.cross_entropy(x, p) - entropy",
    "the other side first": "F.cross_entropy(x, p) - entropy == kl",
    "!=": "if kl != F.cross_entropy(x, p) - entropy:\n    print('wrong')",
    "torch.eq": "torch.eq(kl, F.cross_entropy(x, p) - entropy)",
    "torch.equal": "torch.equal(kl, F.cross_entropy(x, p) - by_hand(p))",
    "Tensor.equal": "kl.equal(F.cross_entropy(x, p) - entropy)",
    "items": "assert kl.item() == (F.cross_entropy(x, p) - entropy).item()",
    "numpy.testing.assert_array_equal": "numpy.testing.assert_array_equal(kl, F.cross_entropy(x, p) - entropy)",
    "numpy.testing.assert_equal": "numpy.testing.assert_equal(kl, F.cross_entropy(x, p) - entropy)",
    "assertEqual": """
        import unittest
        class Case(unittest.TestCase):
            def test_identity(self):
                self.assertEqual(kl, F.cross_entropy(x, p) - entropy)
        """,
    "products": "assert 8 * kl == 8 * (F.cross_entropy(x, p) - entropy)",
}


@pytest.mark.parametrize("source", EXACT.values(), ids=EXACT)
def test_equality_of_floats(source):
    assert compared(source) == ["KL304"]


INEXACT = {
    "assert_close": "torch.testing.assert_close(kl, F.cross_entropy(x, p) - entropy)",
    "allclose": "assert torch.allclose(kl, F.cross_entropy(x, p) - entropy)",
    "approx": "assert kl.item() == pytest.approx((F.cross_entropy(x, p) - entropy).item())",
    "approx of the other side": "assert pytest.approx(kl) == F.cross_entropy(x, p) - entropy",
    "rounded": "assert round(kl.item(), 4) == round((F.cross_entropy(x, p) - entropy).item(), 4)",
    "assert_allclose": "numpy.testing.assert_allclose(kl, F.cross_entropy(x, p) - entropy)",
    "assertAlmostEqual": """
        import unittest
        class Case(unittest.TestCase):
            def test_identity(self):
                self.assertAlmostEqual(kl.item(), (F.cross_entropy(x, p) - entropy).item(), places=5)
        """,
    "shown": "print(kl, F.cross_entropy(x, p) - entropy)",
    "shapes": "assert kl.shape == (F.cross_entropy(x, p) - entropy).shape",
    "two calls of one function": "assert kl == F.kl_div(log_q, p, reduction='batchmean')",
    "a number": "assert kl == 0",
    "another value": "assert kl == F.cross_entropy(x, p)",
}


@pytest.mark.parametrize("source", INEXACT.values(), ids=INEXACT)
def test_comparisons_that_leave_room_for_rounding(source):
    assert compared(source) == []


def test_equality_of_different_values_is_not_about_rounding():
    assert compared("F.kl_div(log_q, p, reduction='sum') == F.cross_entropy(x, p) - entropy") == ["KL301"]


def test_equality_is_a_note():
    (finding,) = findings(PREAMBLE + SIDES + "assert kl == F.cross_entropy(x, p) - entropy\n")
    assert finding.severity is Severity.NOTE


SWAPPED = {
    "both terms of the model": "print(kl, F.cross_entropy(y, q) - F.cross_entropy(x, q))",
    "entropy of the other one by hand": "print(kl, F.cross_entropy(y, q) - by_hand(q))",
    "entropy of the target of KL": "torch.testing.assert_close(kl, F.cross_entropy(y, q) - entropy)",
    "KL swapped": """
        other = F.kl_div(F.log_softmax(y, dim=1), q, reduction="batchmean")
        assert torch.allclose(other, F.cross_entropy(x, p) - entropy)
        """,
    "module with log_target": """
        other = nn.KLDivLoss(reduction="batchmean", log_target=True)(F.log_softmax(y, dim=1), log_q)
        print(other, nn.CrossEntropyLoss()(x, p) - entropy)
        """,
    "across functions": """
        def difference(scores, target):
            return F.cross_entropy(scores, target) - by_hand(target)
        print(kl, difference(y, q))
        """,
    "another divisor as well": "print(kl, F.cross_entropy(y, q, reduction='sum') + (q * q.log()).sum())",
}


@pytest.mark.parametrize("source", SWAPPED.values(), ids=SWAPPED)
def test_direction_differs(source):
    assert compared(source) == ["KL305"]


DIRECTIONS = {
    "same direction": "print(kl, F.cross_entropy(x, p) - entropy)",
    "two KL divergences": "print(kl, F.kl_div(F.log_softmax(y, dim=1), q, reduction='batchmean'))",
    "reverse KL by hand": "print(kl, (q * (log_q - F.log_softmax(y, dim=1))).sum(dim=1).mean())",
    "asymmetry": "kl - (q * (log_q - F.log_softmax(y, dim=1))).sum(dim=1).mean()",
    "symmetric": """
        reverse = F.kl_div(F.log_softmax(y, dim=1), q, reduction="batchmean")
        loss = (kl + reverse) / 2
        print(loss, F.cross_entropy(x, p) - entropy)
        """,
    "cross entropy alone": "print(kl, F.cross_entropy(y, q))",
    "another distribution": "z = torch.randn(8, 10)\nprint(kl, F.cross_entropy(z, q) - by_hand(q))",
    "unknown target": "print(kl, F.cross_entropy(y, unknown(q)) - by_hand(q))",
}


@pytest.mark.parametrize("source", DIRECTIONS.values(), ids=DIRECTIONS)
def test_direction_is_not_judged(source):
    assert compared(source) == []


TOKENS = """\
labels = torch.randint(10, (8,))
ce = F.cross_entropy(x, labels)
def tokens(a, b, ids, scale):
    B, T, C = a.shape
    token_ce = F.cross_entropy(a.reshape(-1, C), ids.reshape(-1))
    token_kl = F.kl_div(a.log_softmax(-1), b.softmax(-1), reduction="sum")
    return {}
"""


def mixed(source):
    """The codes in a source that may add to a cross entropy, KL901 included."""
    return codes(
        PREAMBLE + "labels = torch.randint(10, (8,))\nce = F.cross_entropy(x, labels)\n" + dedent(source), "KL901"
    )


def mixed_tokens(value):
    """The codes where a function of tokens returns this value, KL901 included."""
    return codes(PREAMBLE + TOKENS.replace("{}", value), "KL901")


MIXED = {
    "sum beside a mean": "loss = ce + F.kl_div(log_q, p, reduction='sum')",
    "weighed": "loss = ce + 0.1 * F.kl_div(log_q, p, reduction='sum')",
    "weights of both": "loss = 0.9 * ce + 0.1 * F.kl_div(log_q, p, reduction='sum')",
    "module": "kl = nn.KLDivLoss(reduction='sum')(log_q, p)\nloss = ce + kl",
    "summed elements": "loss = ce + 0.1 * F.kl_div(log_q, p, reduction='none').sum()",
    "mean beside a sum": """
        kl = F.kl_div(log_q, p, reduction="batchmean")
        loss = F.cross_entropy(x, labels, reduction="sum") + kl
        """,
    "added in place": "loss = ce\nloss += 0.1 * F.kl_div(log_q, p, reduction='sum')",
    "beside other terms": "loss = x.norm() + ce + 0.1 * F.kl_div(log_q, p, reduction='sum')",
    "scaled by the temperature": "T = 4.0\nloss = ce + T**2 * F.kl_div(log_q, p, reduction='sum')",
    "soft cross entropy": "loss = F.cross_entropy(x, p) + 0.1 * F.kl_div(log_q, p, reduction='sum')",
    "across functions": """
        def divergence(s, t):
            return F.kl_div(s, t, reduction="sum")
        loss = ce + divergence(log_q, p)
        """,
}


@pytest.mark.parametrize("source", MIXED.values(), ids=MIXED)
def test_terms_of_different_divisors(source):
    assert mixed(source) == ["KL901"]


@pytest.mark.parametrize("value", ["token_ce + token_kl", "token_ce + token_kl / B", "token_ce + 0.5 * (token_kl / B)"])
def test_tokens_of_different_divisors(value):
    assert mixed_tokens(value) == ["KL901"]


@pytest.mark.parametrize(
    "value",
    [
        "token_ce + token_kl / (B * T)",
        "token_ce + token_kl / B / T",
        "token_ce + token_kl / 32",
        "token_ce + token_kl / scale.sum()",
        "token_ce * T + token_kl / B",
        "token_ce + token_kl * scale",
        "token_ce - token_kl",
        "(token_ce, token_kl)",
    ],
)
def test_tokens_of_one_divisor_or_of_one_that_is_not_known(value):
    assert mixed_tokens(value) == []


UNMIXED = {
    "both means": "loss = ce + F.kl_div(log_q, p, reduction='batchmean')",
    "both sums": "loss = F.cross_entropy(x, labels, reduction='sum') + F.kl_div(log_q, p, reduction='sum')",
    "sum over the batch size": "loss = ce + F.kl_div(log_q, p, reduction='sum') / len(x)",
    "sum over the batch size as a number": "loss = ce + F.kl_div(log_q, p, reduction='sum') / 8",
    "sum times one over the batch size": "loss = ce + F.kl_div(log_q, p, reduction='sum') * 0.125",
    "number that may be the batch size or a weight": "loss = ce + F.kl_div(log_q, p, reduction='sum') / len(x) * 8",
    "weights": "loss = 2 * ce + 16 * F.kl_div(log_q, p, reduction='batchmean')",
    "sum over rows, mean over the batch": "loss = ce + F.kl_div(log_q, p, reduction='none').sum(-1).mean()",
    "mean times the classes": "loss = ce + F.kl_div(log_q, p, reduction='mean') * 10",
    "weight that is not known": """
        def objective(weights):
            return ce + weights["kl"] * F.kl_div(log_q, p, reduction="sum")
        """,
    "ignored labels": "loss = F.cross_entropy(x, labels, ignore_index=0) + F.kl_div(log_q, p, reduction='sum')",
    "weighed labels": "loss = F.cross_entropy(x, labels, weight=torch.rand(10)) + F.kl_div(log_q, p, reduction='sum')",
    "other rows": """
        def objective(a, b, c, labels):
            kl = F.kl_div(a.log_softmax(1), b.softmax(1), reduction="batchmean")
            return kl + F.cross_entropy(c.flatten(1), labels)
        """,
    "subtracted": "print(F.kl_div(log_q, p, reduction='batchmean') - F.cross_entropy(x, labels, reduction='sum'))",
    "another loss": "loss = F.mse_loss(x, y) + F.kl_div(log_q, p, reduction='sum')",
    "not added": "print(ce, F.kl_div(log_q, p, reduction='sum'))",
}


@pytest.mark.parametrize("source", UNMIXED.values(), ids=UNMIXED)
def test_terms_of_one_divisor_or_of_one_that_is_not_known(source):
    assert mixed(source) == []


SAID_AT_THE_CAUSE = {
    "KL201": "loss = ce + F.kl_div(log_q, p, reduction='mean')",
    "KL202": "loss = ce + F.kl_div(log_q[0], p[0], reduction='batchmean')",
    "KL203": """
        a, b = torch.randn(8, 16, 10), torch.randn(8, 16, 10)
        loss = ce + F.kl_div(a.log_softmax(-1), b.softmax(-1), reduction="batchmean")
        """,
    "KL204": "loss = ce + F.kl_div(log_q, p, reduction='none').mean()",
    "KL210": "loss = ce + F.kl_div(log_q, p, reduction='batchmean') / len(x)",
}


@pytest.mark.parametrize(("code", "source"), SAID_AT_THE_CAUSE.items(), ids=SAID_AT_THE_CAUSE)
def test_what_is_said_at_its_cause_is_not_said_again(code, source):
    assert mixed(source) == [code]


def test_mixed_divisors_are_for_those_who_ask():
    assert codes_after_preamble("loss = F.cross_entropy(x, p) + F.kl_div(log_q, p, reduction='sum')") == []


def test_tensors_without_rows_are_of_no_divisor():
    source = """
        import torch
        import torch.nn.functional as F
        x, y = torch.randn(0, 10), torch.randn(0, 10)
        p = F.softmax(y, dim=1)
        kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
        loss = F.cross_entropy(x, p) + kl + (p * p.log()).mean()
        print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))
        """
    assert codes(source, "KL901") == []
