"""Workflow commands of GitHub Actions, which shows them as annotations in the diff of a pull request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from klint.finding import Finding, Severity
from klint.output.concise import headline, one_line

if TYPE_CHECKING:
    from klint.linter import Report
    from klint.source.python import SourceError

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(report: Report) -> str:
    """One command for each finding, and for each file or statement that could not be linted."""
    return "".join(f"{line}\n" for line in (*map(_finding, report.findings), *map(_error, report.errors)))


def _finding(finding: Finding) -> str:
    place = finding.location
    properties = {"title": f"klint ({finding.code})", "file": os.path.abspath(place.filename)}
    if finding.cell is None:  # of a notebook GitHub shows the JSON, where the rows of a cell mean nothing
        properties["line"] = str(place.row)
        if place.end_row == place.row:  # columns are refused where a command spans lines
            properties |= {"col": str(place.column), "endLine": str(place.row), "endColumn": str(place.end_column)}
        else:
            properties["endLine"] = str(place.end_row)
    return _command(_COMMANDS[finding.severity], properties, "\n".join(_said(finding)))


def _said(finding: Finding) -> Iterator[str]:
    yield headline(finding)
    if finding.fix is not None:
        yield f"fix: {one_line(finding.fix.message)}"
    yield f"help: {finding.url}"


def _error(error: SourceError) -> str:
    properties = {"title": "klint", "file": os.path.abspath(error.filename)}
    if error.row and error.cell is None:
        properties |= {"line": str(error.row), "col": str(error.column)}
    return _command("error", properties, one_line(str(error)))


def _command(name: str, properties: dict[str, str], message: str) -> str:
    listed = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{name} {listed}::{_escaped(message)}"


def _escaped(text: str, more: str = "") -> str:
    """The text with what would end a command, or one of its properties, written in hexadecimal."""
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{more}" else char for char in text)
