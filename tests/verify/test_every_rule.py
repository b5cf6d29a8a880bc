"""Every rule's page keeps its word in torch too: its Example shows the gap that is claimed, its Use instead none."""

from __future__ import annotations

from pathlib import Path

import pytest

from klint.config import Settings
from klint.linter import diagnose_paths
from klint.rules import RULES
from klint.verify import Verdict, VerifyOptions, VerifyReport, verify_diagnoses

EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])
BAD_PROGRAMS = sorted((Path(__file__).parents[2] / "fixtures").glob("kl*/bad.py"))
CLAIM_NOTHING = {"KL905"}
"""Rules whose findings are not about what torch computes."""


@pytest.fixture
def verify_block(sandbox, tmp_path):
    """What verify says of one block of a rule's page, with all rules on."""

    def run(rule, title: str) -> VerifyReport:
        file = tmp_path / "page.py"
        file.write_text(rule.code_block(title), encoding="utf-8")
        settings = Settings(extend_select=(rule.code,))
        diagnoses, linted = diagnose_paths([file], settings)
        assert not linted.errors
        return verify_diagnoses(diagnoses, VerifyOptions(device="cpu"), sandbox)

    return run


@pytest.mark.parametrize("path", BAD_PROGRAMS, ids=lambda path: path.parent.name)
def test_life_like_programs_are_confirmed(path, sandbox):
    settings = Settings(extend_select=(path.parent.name.upper(),))
    report = verify_diagnoses(diagnose_paths([path], settings)[0], VerifyOptions(device="cpu"), sandbox)
    others = [result for result in report.results if result.verdict is not Verdict.CONFIRMED]
    assert [(result.finding.location.row, result.finding.code, result.reason) for result in others] == []


@EACH_RULE
def test_the_example_is_confirmed(rule, verify_block):
    report = verify_block(rule, "Example")
    if rule.code in CLAIM_NOTHING:
        assert report.results == ()
        assert report.not_checked[0].endswith("(nothing to replay)")
        return
    assert report.results
    for result in report.results:
        assert result.finding.code == rule.code
        assert result.verdict is Verdict.CONFIRMED, result.reason


@EACH_RULE
def test_use_instead_leaves_nothing_to_verify(rule, verify_block):
    report = verify_block(rule, "Use instead")
    assert report.results == ()
    assert not [line for line in report.not_checked if "nothing to replay" in line]
