from __future__ import annotations

import pytest

import klint
from klint.config import ConfigError, Settings

MISUSE = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum"){comment}
"""


def test_lint_source_reports_findings_and_sites():
    report = klint.lint_source(MISUSE.format(comment=""), "model.py")
    assert [(finding.code, finding.location.filename, finding.location.row) for finding in report.findings] == [
        ("KL101", "model.py", 5)
    ]
    assert (report.sites, report.understood, report.errors) == (1, 1, [])


def test_lint_source_heeds_noqa():
    assert klint.lint_source(MISUSE.format(comment="  # noqa: KL101")).findings == []


def test_lint_source_judges_what_is_left_of_broken_code():
    report = klint.lint_source(MISUSE.format(comment="") + "\n\ndef half(:\n")
    assert [finding.code for finding in report.findings] == ["KL101"]
    assert [(error.row, error.filename) for error in report.errors] == [(8, "-")]


def test_lint_paths_finds_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MISUSE.format(comment=""))
    assert klint.lint_paths(["."]).findings == klint.lint_source(MISUSE.format(comment=""), "model.py").findings


@pytest.mark.parametrize(
    ("source", "row"),
    [
        pytest.param('loss = F.kl_div(p, q, reduction="sum")', 4, id="one line"),
        pytest.param('loss = F.kl_div(\n    p, q, reduction="sum"\n)', 4, id="the first line of brackets"),
        pytest.param('loss = F.kl_div(p, q, reduction="sum") + \\\n    1', 5, id="the last line of a continuation"),
        pytest.param('loss = F.kl_div(p, q, reduction="sum"), """\n\n"""', 6, id="the last line of a string"),
    ],
)
def test_noqa_row_is_where_a_comment_silences(source, row):
    head = "import torch.nn.functional as F\np = F.softmax(x, dim=1)\nq = F.softmax(y, dim=1)\n"
    lines = (head + source).split("\n")
    (finding,) = klint.lint_source("\n".join(lines)).findings
    assert finding.noqa_row == row
    lines[row - 1] += "  # noqa: KL101"
    assert klint.lint_source("\n".join(lines)).findings == []


def test_settings_refuse_unknown_codes():
    with pytest.raises(ConfigError, match="did you mean 'KL101'"):
        Settings(select=("KL101X",))


def test_rules_that_are_opt_in_are_off_until_selected():
    on = set(Settings().rules)
    assert {rule.default for rule in on} == {True}
    assert on <= set(Settings(select=("KL",)).rules)
