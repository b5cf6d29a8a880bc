from __future__ import annotations

import json

import pytest

from klint.finding import Severity
from klint.output import FORMATS
from tests.output.reports import SOURCE, everything, notebook, report, with_first


def entries(report) -> list[dict]:
    return json.loads(FORMATS["gitlab"](report))


def test_the_keys_are_gitlabs():
    entry = entries(report(filename="sub/a.py"))[0]
    assert set(entry) == {"check_name", "description", "severity", "fingerprint", "location"}
    assert entry["check_name"] == "KL101"
    assert entry["description"].startswith("KL101: ")
    assert entry["location"] == {
        "path": "sub/a.py",
        "positions": {"begin": {"line": 6, "column": 20}, "end": {"line": 6, "column": 69}},
    }


@pytest.mark.parametrize(
    ("severity", "expected"),
    [(Severity.ERROR, "major"), (Severity.WARNING, "minor"), (Severity.NOTE, "info")],
    ids=["error", "warning", "note"],
)
def test_severities_are_gitlabs(severity, expected):
    assert [entry["severity"] for entry in entries(with_first(severity=severity))] == [expected]


def test_no_two_fingerprints_are_alike():
    both = everything()
    for filename in ("a.py", "b.py"):
        same = report(SOURCE + SOURCE, filename)
        both.findings += same.findings
        both.sources |= same.sources
    known = [entry["fingerprint"] for entry in entries(both)]
    assert len(set(known)) == len(known) > 100


def test_fingerprints_survive_when_lines_move():
    before, after = (
        [entry["fingerprint"] for entry in entries(report(source))] for source in (SOURCE, "\n\n" + SOURCE)
    )
    assert before == after


def test_in_a_notebook_the_description_names_the_cell():
    assert entries(notebook())[0]["description"].startswith("KL101: a.ipynb:cell 3:3:20: ")


def test_no_findings_are_an_empty_list():
    assert entries(report("x = 1\n")) == []
