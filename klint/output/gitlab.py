"""GitLab's Code Quality report, which a merge request shows in its widget and in its diff."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from klint.finding import Finding, Severity
from klint.fingerprint import digest, fingerprints
from klint.output.concise import place

if TYPE_CHECKING:
    from klint.linter import Report

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}


def render(report: Report) -> str:
    """The findings as a JSON list. GitLab needs a fingerprint that no other entry has: the file's name goes into it."""
    known_by = fingerprints(report.findings, report.sources)
    entries = [_entry(finding, known) for finding, known in zip(report.findings, known_by, strict=True)]
    return json.dumps(entries, indent=2) + "\n"


def _entry(finding: Finding, fingerprint: str) -> dict[str, Any]:
    path = PurePath(finding.location.filename).as_posix()
    return {
        "check_name": finding.code,
        "description": f"{finding.code}: {_description(finding)}",
        "severity": _SEVERITIES[finding.severity],
        "fingerprint": digest(path, fingerprint),
        "location": {"path": path, "positions": _positions(finding)},
    }


def _description(finding: Finding) -> str:
    return finding.message if finding.cell is None else f"{place(finding.location)}: {finding.message}"


def _positions(finding: Finding) -> dict[str, Any]:
    if finding.cell is not None:  # the rows of a cell are not those of the file, which GitLab asks for
        return {"begin": {"line": 1, "column": 1}, "end": {"line": 1, "column": 1}}
    location = finding.location
    return {
        "begin": {"line": location.row, "column": location.column},
        "end": {"line": location.end_row, "column": location.end_column},
    }
