from __future__ import annotations

import os
import re
from dataclasses import replace

import pytest

from klint.finding import Severity
from klint.output import FORMATS
from tests.output.reports import notebook, report, with_first


def commands(report) -> list[tuple[str, dict[str, str], str]]:
    """Command, properties and message of each line, read as GitHub's runner reads them."""

    def unescaped(text: str) -> str:
        for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(code, char)
        return text

    found = []
    for line in FORMATS["github"](report).splitlines():
        name, listed, message = re.fullmatch(r"::(\w+) (.*?)::(.*)", line).groups()
        properties = dict(pair.split("=", 1) for pair in listed.split(","))
        found.append((name, {key: unescaped(value) for key, value in properties.items()}, unescaped(message)))
    return found


def test_annotates_the_place():
    name, properties, message = commands(report())[0]
    assert name == "error"
    assert properties == {
        "title": "klint (KL101)",
        "file": os.path.abspath("a.py"),
        "line": "6",
        "col": "20",
        "endLine": "6",
        "endColumn": "69",
    }
    assert message.startswith("a.py:6:20: KL101 ")
    assert message.splitlines()[1] == "fix: Use log_softmax"


@pytest.mark.parametrize(
    ("severity", "command"),
    [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.NOTE, "notice")],
    ids=["error", "warning", "note"],
)
def test_severity_is_the_command(severity, command):
    assert [name for name, _, _ in commands(with_first(severity=severity))] == [command]


@pytest.mark.parametrize("name", ["a,b.py", "a:b.py", "100%.py", "%2C.py", "a=b.py"])
def test_names_of_files_survive(name):
    location = replace(report().findings[0].location, filename=name)
    assert commands(with_first(location=location))[0][1]["file"] == os.path.abspath(name)


def test_a_message_cannot_give_a_command_of_its_own():
    evil = with_first(message="50% of\r\n::set-output name=x::y")
    (command,) = commands(evil)
    assert command[2].splitlines()[0] == "a.py:6:20: KL101 50% of\\r\\n::set-output name=x::y"


def test_columns_are_left_out_where_a_finding_spans_lines():
    location = replace(report().findings[0].location, end_row=8)
    properties = commands(with_first(location=location))[0][1]
    assert (properties["line"], properties["endLine"]) == ("6", "8")
    assert {"col", "endColumn"} & set(properties) == set()


def test_in_a_notebook_the_message_names_the_cell():
    _, properties, message = commands(notebook())[0]
    assert message.startswith("a.ipynb:cell 3:3:20: KL101 ")
    assert "line" not in properties


def test_what_cannot_be_linted_is_an_error():
    ((name, properties, _),) = commands(report("x = 1\ndef kl_div(:\n"))
    assert (name, properties["line"]) == ("error", "2")


def test_nothing_found_is_nothing_said():
    assert FORMATS["github"](report("x = 1\n")) == ""
