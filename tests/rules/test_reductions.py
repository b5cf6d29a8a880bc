"""What the reduction divides by: KL201, KL202, KL301."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.codes import PREAMBLE, codes_after_preamble, findings

CASES = {
    "default reduction": ("F.kl_div(log_q, p)", ["KL201"]),
    "mean by name": ("F.kl_div(log_q, p, reduction='mean')", ["KL201"]),
    "module default": ("nn.KLDivLoss()(log_q, p)", ["KL201"]),
    "legacy size_average": ("F.kl_div(log_q, p, size_average=True)", ["KL201", "KL205"]),
    "legacy sum": ("F.kl_div(log_q, p, size_average=False)", ["KL205"]),
    "batchmean": ("F.kl_div(log_q, p, reduction='batchmean')", []),
    "sum over the batch": ("F.kl_div(log_q, p, reduction='sum') / x.size(0)", []),
    "mean times the classes": ("F.kl_div(log_q, p, reduction='mean') * x.size(1)", []),
    "mean times a named class count": ("F.kl_div(log_q, p) * num_classes", []),
    "mean times a size where the class dim is not known": (
        "F.kl_div(some(x.view(8, 10)).view(8, 10), other(), reduction='mean') * 10",
        [],
    ),
    "mean times the classes under one of two conditions": (
        "kl = F.kl_div(log_q, p) if flag else F.kl_div(log_q, p)\nloss = kl * x.size(1)",
        [],
    ),
    "mean times a weight": ("0.5 * F.kl_div(log_q, p)", ["KL201"]),
    "unknown reduction": ("F.kl_div(log_q, p, reduction=how)", []),
    "batchmean on 1-D": ("F.kl_div(log_q[0], p[0], reduction='batchmean')", ["KL202"]),
    "batchmean on 1-D against a row": ("F.kl_div(log_q[0], p[:1], reduction='batchmean')", ["KL202"]),
    "batchmean on a slice": ("F.kl_div(log_q[:1], p[:1], reduction='batchmean')", []),
    "sum on 1-D": ("F.kl_div(log_q[0], p[0], reduction='sum')", []),
    "batchmean on unsqueezed": ("F.kl_div(log_q[0].unsqueeze(0), p[0].unsqueeze(0), reduction='batchmean')", []),
}


@pytest.mark.parametrize(("source", "expected"), CASES.values(), ids=CASES)
def test_reduction(source, expected):
    assert codes_after_preamble(source) == expected


COMPARISONS = {
    "printed": ("print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))", 1),
    "printed in two lines": ("print(kl)\nprint(F.cross_entropy(x, p) - F.cross_entropy(y, p))", 1),
    "in an f-string": ("print(f'{kl.item():.4f} {(F.cross_entropy(x, p) - F.cross_entropy(y, p)).item()}')", 1),
    "allclose": ("torch.allclose(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))", 1),
    "subtracted": ("d = kl - (F.cross_entropy(x, p) - F.cross_entropy(y, p))", 1),
    "returned side by side": ("def f():\n    return kl, F.cross_entropy(x, p) - F.cross_entropy(y, p)", 1),
    "not compared": ("h = F.cross_entropy(x, p) - F.cross_entropy(y, p)", 0),
    "equal in both branches": (
        (
            "if flag:\n    kl = F.kl_div(log_q, p, reduction='sum')\nelse:\n    kl = F.kl_div(log_q, p, reduction='sum')\n"
            "print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))"
        ),
        2,
    ),
    "equal in both branches, halved": (
        (
            "if flag:\n    kl = F.kl_div(log_q, p, reduction='sum') / 2\n"
            "else:\n    kl = F.kl_div(log_q, p, reduction='sum') / 2\n"
            "print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))"
        ),
        2,
    ),
    "equal in both branches, of which one drops another": (
        (
            "if flag:\n    kl = F.kl_div(log_q, p, reduction='sum')\n"
            "else:\n    F.kl_div(log_q, p, reduction='sum')\n    kl = F.kl_div(log_q, p, reduction='sum')\n"
            "print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))"
        ),
        2,
    ),
    "bound before": (
        "kl = F.kl_div(log_q, p, reduction='sum')\nprint(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))",
        1,
    ),
    "another distribution": ("print(kl, F.cross_entropy(x, p) - F.cross_entropy(x, p))", 0),
    "summed as well": (
        "print(kl, F.cross_entropy(x, p, reduction='sum') - F.cross_entropy(y, p, reduction='sum'))",
        0,
    ),
}


@pytest.mark.parametrize(("source", "count"), COMPARISONS.values(), ids=COMPARISONS)
def test_comparison_with_a_sum(source, count):
    assert codes_after_preamble("kl = F.kl_div(log_q, p, reduction='sum')\n" + source).count("KL301") == count


def test_each_criterion_that_a_helper_is_given_is_judged():
    source = """
def evaluate(criterion, q, target):
    return criterion(q, target)
evaluate(nn.KLDivLoss(), log_q, p)
evaluate(nn.KLDivLoss(reduction='sum'), log_q, p)
evaluate(nn.KLDivLoss(), log_q, p) * x.size(1)
evaluate(nn.KLDivLoss(), log_q, p)
"""
    found = [(finding.code, finding.location.row) for finding in findings(PREAMBLE + source)]
    assert found == [("KL201", PREAMBLE.count("\n") + row) for row in (4, 7)]


BRANCHES = {
    "multiplied by the caller": ("F.kl_div(q, t)", "x.size(1)", 0),
    "multiplied in one branch only": ("F.kl_div(q, t) * q.size(1)", "1", 1),
    "multiplied by nobody": ("F.kl_div(q, t)", "2.0", 2),
}


@pytest.mark.parametrize(("returned", "factor", "count"), BRANCHES.values(), ids=BRANCHES)
def test_a_caller_speaks_for_every_branch_of_what_it_calls(returned, factor, count):
    source = f"""
def divergence(q, t, mode="fast"):
    if mode == "slow":
        return F.kl_div(q, t)
    return {returned}
loss = divergence(log_q, p) * {factor}
"""
    assert codes_after_preamble(source) == ["KL201"] * count


def test_forum_thread_names_the_true_cause():
    source = Path("fixtures/forum_thread.py").read_text()
    found = [(finding.location.row, finding.code) for finding in findings(source)]
    assert found == [(17, "KL202"), (17, "KL301"), (25, "KL204"), (25, "KL301")]
    message = findings(source)[0].message
    assert "divides by input.size(0) = 4" in message
    assert "because input is 1-D" in message
