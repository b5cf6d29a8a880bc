"""Answers as JSON, and back: plain data, since what stands in a project's directory must never be run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from klint.levels import Applicability, Confidence, Severity
from klint.source.dependencies import Dependencies
from klint.source.python import SourceError
from klint.workers import Answer

if TYPE_CHECKING:
    from klint.finding import Diagnosis, Finding, Fix, Location

Json = Any
"""What ``json`` reads and writes."""


def encode(answer: Answer) -> str:
    """An answer as JSON, without its claims and modules: those stay in the process that has judged."""
    return json.dumps(
        {
            "diagnoses": [[_from_finding(diagnosis.finding), [*part]] for diagnosis, part in answer.diagnoses],
            "errors": [[error.filename, error.row, error.column, error.message, error.cell] for error in answer.errors],
            "is_read": answer.is_read,
            "is_commented": answer.is_commented,
            "is_sound": answer.is_sound,
            "sites": answer.sites,
            "understood": answer.understood,
            "wrappers": sorted(answer.wrappers),
            "digest": answer.digest,
            "kinds": answer.dependencies.kinds,
            "digests": answer.dependencies.digests,
        },
        separators=(",", ":"),
    )


def decode(text: str) -> Answer:
    """The answer that was encoded. ``ValueError``, ``KeyError`` or ``TypeError`` if there was none."""
    data = json.loads(text)
    return Answer(
        diagnoses=[(_to_diagnosis(finding), (part[0], part[1])) for finding, part in data["diagnoses"]],
        errors=[SourceError(*error) for error in data["errors"]],
        is_read=data["is_read"],
        is_commented=data["is_commented"],
        is_sound=data["is_sound"],
        sites=data["sites"],
        understood=data["understood"],
        wrappers=frozenset(data["wrappers"]),
        digest=data["digest"],
        dependencies=Dependencies(data["kinds"], data["digests"]),
    )


def _from_finding(finding: Finding) -> Json:
    fix = finding.fix
    return {
        "code": finding.code,
        "name": finding.name,
        "message": finding.message,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value,
        "location": _from_location(finding.location),
        "claim": finding.claim,
        "url": finding.url,
        "noqa_row": finding.noqa_row,
        "related": [[_from_location(related.location), related.message] for related in finding.related],
        "fix": None
        if fix is None
        else [
            fix.applicability.value,
            fix.message,
            [[_from_location(edit.location), edit.content] for edit in fix.edits],
        ],
    }


def _to_diagnosis(data: Json) -> Diagnosis:
    from klint.finding import Diagnosis, Finding, Location, Related  # most files have no findings

    finding = Finding(
        code=data["code"],
        name=data["name"],
        message=data["message"],
        severity=Severity(data["severity"]),
        confidence=Confidence(data["confidence"]),
        location=Location(*data["location"]),
        claim=data["claim"],
        url=data["url"],
        noqa_row=data["noqa_row"],
        related=tuple(Related(Location(*place), message) for place, message in data["related"]),
        fix=None if data["fix"] is None else _to_fix(*data["fix"]),
    )
    return Diagnosis(finding, None)


def _to_fix(applicability: str, message: str, edits: Json) -> Fix:
    from klint.finding import Edit, Fix, Location

    return Fix(
        Applicability(applicability), message, tuple(Edit(Location(*place), content) for place, content in edits)
    )


def _from_location(place: Location) -> Json:
    return [place.filename, place.row, place.column, place.end_row, place.end_column, place.cell]
