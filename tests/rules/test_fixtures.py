"""Life-like programs: what klint finds in them stands at its line (``# error: KL101``), and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from klint.config import Settings
from klint.linter import lint_paths

FIXTURES = Path(__file__).parents[2] / "fixtures"
PROGRAMS = sorted(FIXTURES.glob("kl*/*.py"))
_EXPECTED = re.compile(r"# error: (KL\d+(?:, KL\d+)*)")


def expected(path):
    """Row and code of each expectation of a program."""
    lines = path.read_text("utf-8").splitlines()
    found = [(row, match[1]) for row, line in enumerate(lines, 1) if (match := _EXPECTED.search(line))]
    return sorted((row, code) for row, codes in found for code in codes.split(", "))


def reported(path):
    """Row and code of each finding; a rule that is opt-in is on in its own fixtures alone."""
    own = path.parent.name.upper()
    report = lint_paths([path], Settings(extend_select=(own,)))
    assert report.errors == []
    return sorted((finding.location.row, finding.code) for finding in report.findings)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_findings_are_those_that_the_program_expects(path):
    assert reported(path) == expected(path)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name} {path.stem}")
def test_bad_programs_expect_their_own_code_and_good_ones_nothing(path):
    codes = {code for _, code in expected(path)}
    assert path.parent.name.upper() in codes if path.stem == "bad" else not codes
