"""Life-like programs: what klint finds in them stands at its line (``# error: KL101``), and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from klint.config import Settings
from klint.fix import fix_source
from klint.linter import lint_paths

FIXTURES = Path(__file__).parents[2] / "fixtures"
PROGRAMS = sorted(FIXTURES.glob("kl*/*.py"))
BAD = [path for path in PROGRAMS if path.stem == "bad"]
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


def fixed(path):
    """The program after all its fixes, those that change what is trained included."""
    settings = Settings(extend_select=(path.parent.name.upper(),))
    name = path.relative_to(FIXTURES.parent).as_posix()
    return fix_source(path.read_text("utf-8"), name, settings, unsafe=True)


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.parent.name)
def test_fixes_are_those_of_the_diff(path, request):
    """``pytest --rewrite`` writes the diffs anew; read them before they are kept."""
    diff, stored = fixed(path).diff(), path.with_suffix(".diff")
    if request.config.getoption("--rewrite"):
        stored.write_text(diff, "utf-8")
    assert stored.read_text("utf-8") == diff


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.parent.name)
def test_fixed_programs_still_parse_and_are_fixed_for_good(path):
    once = fixed(path).after
    compile(once, str(path), "exec")
    again = fix_source(once, path.name, Settings(extend_select=(path.parent.name.upper(),)), unsafe=True)
    assert again.after == once
