from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from klint.output import FORMATS
from tests.output.reports import everything, notebook, report, with_first


def suites(report) -> ElementTree.Element:
    return ElementTree.fromstring(FORMATS["junit"](report).encode())


def test_each_finding_is_a_failed_test_case():
    root = suites(report(filename="sub/a.py"))
    (suite,) = root
    assert (suite.tag, suite.get("name")) == ("testsuite", "sub/a.py")
    case = suite[0]
    assert dict(case.items()) == {"name": "klint.KL101", "classname": "sub/a", "line": "6", "column": "20"}
    (failure,) = case
    assert (failure.tag, failure.get("type")) == ("failure", "error")
    assert failure.text == f"line 6, col 20, {failure.get('message')}"


def test_the_counts_are_right():
    found = everything()
    found.errors = report("def kl_div(:\n", "broken.py").errors
    root = suites(found)
    for element in (root, *root.iter("testsuite")):
        assert int(element.get("tests")) == len([*element.iter("testcase")])
        assert int(element.get("failures")) == len([*element.iter("failure")])
        assert int(element.get("errors")) == len([*element.iter("error")])
    assert root.get("errors") == "1"


@pytest.mark.parametrize(
    "said",
    ["<&>\"']]>", "a\nb\tc", "\0\x1b[31m\x7f", "\ud800 \ufffe \uffff", "損失 🙂"],
    ids=["markup", "white space", "control characters", "no characters", "wide characters"],
)
def test_it_is_xml_whatever_names_and_messages_hold(said):
    location = replace(report().findings[0].location, filename=f"{said}.py")
    (failure,) = suites(with_first(message=said, location=location)).iter("failure")
    printable = said.isprintable()
    assert (failure.get("message") == said) is printable
    assert failure.get("message").isprintable()


def test_in_a_notebook_the_text_names_the_cell():
    first, *_ = suites(notebook()).iter("failure")
    assert first.text.startswith("cell 3, line 3, col 20, ")


def test_nothing_found_is_a_test_that_passes():
    root = suites(report("x = 1\n"))
    assert (root.get("tests"), root.get("failures")) == ("1", "0")
    assert [len(case) for case in root.iter("testcase")] == [0]
