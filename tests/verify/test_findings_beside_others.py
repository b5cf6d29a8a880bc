"""Findings that verify once got wrong: another mistake of the call, its shape or its branch stood in the way."""

from __future__ import annotations

import pytest

from klint.rules import RULES
from klint.rules.engine import diagnose
from klint.source.python import parse_source
from klint.verify import VerifyOptions, verify_diagnoses

HEADER = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"

SWAPPED_LOG_OF_SOFTMAX = """
def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), torch.log(F.softmax(y, dim=1)), reduction="batchmean")
"""
BOTH_LOGS_OF_SOFTMAX = """
def loss(x, y):
    a, b = F.softmax(x, dim=1).log(), F.softmax(y, dim=1).log()
    return F.kl_div(a, b, reduction="batchmean", log_target=True)
"""
LOG_OF_A_PART = """
def loss(x, y):
    a = (F.softmax(x, dim=-1) + 1e-8)[:, 0].log()
    return F.kl_div(a, F.softmax(y, dim=-1), reduction="sum")

loss(torch.randn(3, 4, 5), torch.randn(3, 5))
"""
MEAN_OF_MORE_DIMS = """
a, b = torch.randn(5), torch.randn(1, 5)
out = F.kl_div(F.log_softmax(a, dim=0), F.softmax(b, dim=1), reduction="none")
print(out.mean())
"""
BRANCH_WITH_A_MISTAKE = """
def loss(x, y, flag):
    q = F.softmax(y, dim=1) if flag else F.log_softmax(y, dim=1)
    return F.kl_div(F.log_softmax(x, dim=1), q, log_target=flag)
"""
TEMPERATURE_BEHIND_A_VIEW = """
student, teacher = nn.Linear(7, 5), nn.Linear(7, 5)
a = student(torch.randn(3, 7)).view(1, 3, 5)
b = (teacher(torch.randn(3, 7)) / 2.0).view(1, 3, 5)
out = F.kl_div(F.log_softmax(a, dim=2), F.softmax(b, dim=2), reduction="batchmean")
"""


@pytest.mark.parametrize(
    ("code", "body"),
    [
        pytest.param("KL110", SWAPPED_LOG_OF_SOFTMAX, id="the log of a softmax in the wrong slot"),
        pytest.param("KL110", BOTH_LOGS_OF_SOFTMAX, id="the log of a softmax in both slots"),
        pytest.param("KL110", LOG_OF_A_PART, id="the log of a part of a softmax"),
        pytest.param("KL204", MEAN_OF_MORE_DIMS, id="a target with more dims than the input"),
        pytest.param("KL201", BRANCH_WITH_A_MISTAKE, id="a branch with another mistake"),
        pytest.param("KL203", TEMPERATURE_BEHIND_A_VIEW, id="a temperature behind a view"),
    ],
)
def test_it_is_confirmed(code, body, sandbox):
    diagnoses = diagnose(parse_source(HEADER + body, "site.py"), RULES).diagnoses
    results = verify_diagnoses(diagnoses, VerifyOptions(device="cpu"), sandbox).results
    assert code in {result.finding.code for result in results}
    assert [(result.finding.code, result.reason) for result in results if result.verdict.value != "confirmed"] == []


def test_the_entropy_over_a_dim_that_may_be_the_same_is_no_finding():
    """cross_entropy takes dim 1 for the classes, which is dim -1 of a matrix: y may well be one."""
    body = (
        "def check(x, y):\n"
        "    p, log_q = F.softmax(y, dim=-1), F.log_softmax(x, dim=1)\n"
        "    kl = F.kl_div(log_q, p, reduction='sum')\n"
        "    return (kl - (F.cross_entropy(x, p, reduction='sum') - F.cross_entropy(y, p, reduction='sum'))).abs()\n"
    )
    found = {diagnosis.finding.code for diagnosis in diagnose(parse_source(HEADER + body, "site.py"), RULES).diagnoses}
    assert "KL303" not in found
