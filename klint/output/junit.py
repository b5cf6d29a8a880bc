"""JUnit's XML, which nearly every CI server shows: a test suite a file, a failed test case a finding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import PurePath
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from klint.finding import Finding
from klint.output.concise import one_line

if TYPE_CHECKING:
    from klint.linter import Report
    from klint.source.python import SourceError


def render(report: Report) -> str:
    """One document; where there is nothing to report, with one test case that passes: servers refuse an empty one."""
    root = Element("testsuites", name="klint")
    _count(root, len(report.findings), len(report.errors))
    for filename, group in groupby(report.findings, key=lambda finding: finding.location.filename):
        findings = list(group)
        suite = _suite(root, filename, failures=len(findings))
        for finding in findings:
            _failure(suite, finding)
    for filename, errors in groupby(report.errors, key=lambda error: error.filename):
        _errors(root, filename, list(errors))
    if len(root) == 0:
        _count(root, 0, 0, passed=1)
        SubElement(_suite(root, "klint", passed=1), "testcase", name="No errors found", classname="klint")
    ElementTree.indent(root, " " * 4)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(root: Element, name: str, *, failures: int = 0, errors: int = 0, passed: int = 0) -> Element:
    suite = SubElement(root, "testsuite", name=one_line(name))
    _count(suite, failures, errors, passed)
    return suite


def _count(element: Element, failures: int, errors: int, passed: int = 0) -> None:
    element.set("tests", str(failures + errors + passed))
    element.set("failures", str(failures))
    element.set("errors", str(errors))
    element.set("skipped", "0")


def _failure(suite: Element, finding: Finding) -> None:
    location = finding.location
    case = _case(suite, f"klint.{finding.code}", location.filename, location.row, location.column)
    cell = "" if finding.cell is None else f"cell {finding.cell}, "
    failure = SubElement(case, "failure", message=one_line(finding.message), type=finding.severity.value)
    failure.text = one_line(f"{cell}line {location.row}, col {location.column}, {finding.message}")


def _errors(root: Element, filename: str, errors: Sequence[SourceError]) -> None:
    suite = _suite(root, filename, errors=len(errors))
    for error in errors:
        case = _case(suite, "klint", filename, error.row, error.column)
        SubElement(case, "error", message=one_line(error.message), type="error").text = one_line(str(error))


def _case(suite: Element, name: str, filename: str, row: int, column: int) -> Element:
    classname = one_line(str(PurePath(filename).with_suffix("")))
    return SubElement(suite, "testcase", name=name, classname=classname, line=str(row), column=str(column))
