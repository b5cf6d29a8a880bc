"""SARIF 2.1.0, the standard's format: GitHub's code scanning, Azure DevOps, and viewers in editors read it.

The steps by which a finding was reached are its related locations, and once more, with the finding as the last, a code flow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from klint import __version__
from klint.finding import Edit, Finding, Fix, Location, Related
from klint.fingerprint import fingerprints
from klint.output.concise import place
from klint.source.python import is_python

if TYPE_CHECKING:
    from klint.linter import Report
    from klint.rules.base import Rule
    from klint.source.python import SourceError

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "SRCROOT"
_FINGERPRINT = "klint/v1"

_Object = dict[str, Any]


def render(report: Report) -> str:
    """One run, with the rules that it found something by; what could not be linted are its notifications."""
    from klint.rules import RULES

    found = {finding.code for finding in report.findings}
    rules = [rule for rule in RULES if rule.code in found]
    indices = {rule.code: index for index, rule in enumerate(rules)}
    known_by = fingerprints(report.findings, report.sources)
    run = {
        "tool": {"driver": _driver(rules)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"uri": f"{Path.cwd().as_uri().removesuffix('/')}/"}},
        "invocations": [
            {
                "executionSuccessful": not report.errors,
                "toolExecutionNotifications": [_notification(error) for error in report.errors],
            }
        ],
        "results": [
            _result(finding, indices[finding.code], known)
            for finding, known in zip(report.findings, known_by, strict=True)
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _driver(rules: Sequence[Rule[Any]]) -> _Object:
    return {
        "name": "klint",
        "version": __version__,
        "informationUri": "https://klint.readthedocs.io",
        "rules": [_rule(rule) for rule in rules],
    }


def _rule(rule: Rule[Any]) -> _Object:
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.section("What it does")},
        "help": {"text": rule.section("Why it is wrong"), "markdown": rule.page},
        "helpUri": rule.url,
        "defaultConfiguration": {"enabled": rule.default, "level": rule.severity.value},
        "properties": {"tags": ["correctness", "pytorch"]},
    }


def _result(finding: Finding, rule_index: int, fingerprint: str) -> _Object:
    result: _Object = {
        "ruleId": finding.code,
        "ruleIndex": rule_index,
        "level": finding.severity.value,
        "message": _message(_said(Related(finding.location, finding.message))),
        "locations": [_location(finding.location)],
        "partialFingerprints": {_FINGERPRINT: fingerprint},
        "properties": {"confidence": finding.confidence.value},
    }
    if finding.related:
        steps = (*finding.related, Related(finding.location, finding.message))
        result["relatedLocations"] = [{"id": number, **_step(step)} for number, step in enumerate(finding.related)]
        result["codeFlows"] = [{"threadFlows": [{"locations": [{"location": _step(step)} for step in steps]}]}]
    if finding.fix is not None and is_python(finding.location.filename):  # elsewhere new lines are written otherwise
        result["fixes"] = [_fix(finding.fix)]
    return result


def _fix(fix: Fix) -> _Object:
    changes = [
        {
            "artifactLocation": _artifact(filename),
            "replacements": [
                {"deletedRegion": _region(edit.location), "insertedContent": {"text": edit.content}} for edit in edits
            ],
        }
        for filename, edits in groupby(sorted(fix.edits), key=_filename)
    ]
    return {
        "description": _message(fix.message),
        "artifactChanges": changes,
        "properties": {"applicability": fix.applicability.value},
    }


def _filename(edit: Edit) -> str:
    return edit.location.filename


def _notification(error: SourceError) -> _Object:
    location: _Object = {"artifactLocation": _artifact(error.filename)}
    if error.row and error.cell is None:
        location["region"] = {"startLine": error.row, "startColumn": error.column}
    return {
        "level": "error",
        "message": _message(error.message if error.cell is None else str(error)),
        "locations": [{"physicalLocation": location}],
    }


def _step(step: Related) -> _Object:
    return {**_location(step.location), "message": _message(_said(step))}


def _said(step: Related) -> str:
    """What is said of a place, with its row and column where the location cannot hold them."""
    return step.message if step.location.cell is None else f"{place(step.location)}: {step.message}"


def _location(location: Location) -> _Object:
    """A place; in a notebook its cell, since rows and columns would be those of the JSON that a notebook is."""
    artifact = {"artifactLocation": _artifact(location.filename)}
    if location.cell is not None:
        return {"physicalLocation": artifact, "logicalLocations": [{"name": f"cell {location.cell}"}]}
    return {"physicalLocation": {**artifact, "region": _region(location)}}


def _region(location: Location) -> _Object:
    return {
        "startLine": location.row,
        "startColumn": location.column,
        "endLine": location.end_row,
        "endColumn": location.end_column,
    }


def _artifact(filename: str) -> _Object:
    """A file below the working directory by its path from there, any other by its full address."""
    path = PurePath(filename)
    if path.is_absolute() or ".." in path.parts:
        return {"uri": Path(os.path.abspath(filename)).as_uri()}
    return {"uri": quote(os.fsencode(path.as_posix())), "uriBaseId": _ROOT}


def _message(text: str) -> _Object:
    return {"text": text}
