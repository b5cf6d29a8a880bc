"""Answers as JSON, and back: plain data, since what stands in a project's directory must never be run."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from klint.levels import Applicability, Confidence, Severity
from klint.source.dependencies import Dependencies
from klint.source.python import SourceError
from klint.workers import Answer

if TYPE_CHECKING:
    from klint.finding import Diagnosis, Finding, Fix, Location

Json = Any
"""What ``json`` reads and writes."""

_UNREAD = "-" * 32
"""Stands for the digest of a file that could not be read."""


def encode_facts(dependencies: Dependencies) -> str:
    """What an answer rests on, as a JSON list of facts; those about names that lack in the same directory are one.

    A fact is a text, ``f`` or ``d`` or ``-`` (file, directory, nothing), a directory, ``//``, names with ``/`` between them; or ``=``, the
    digest of a file, its path. Answers have most of their facts in common, and are told by them as they stand.
    """
    kinds: dict[str, list[str]] = {}
    for path, kind in dependencies.kinds.items():
        directory, name = os.path.split(path)
        kinds.setdefault(f"{kind[:1] or '-'}{directory}//", []).append(name)
    facts = [place + "/".join(sorted(names)) for place, names in kinds.items()]
    facts += [f"={read or _UNREAD}{path}" for path, read in dependencies.digests.items()]
    return json.dumps(facts, separators=(",", ":"))


def decode_facts(text: str) -> list[str]:
    """The facts that were encoded. ``ValueError`` or ``TypeError`` if there were none."""
    facts = json.loads(text)
    if not isinstance(facts, list) or not all(isinstance(fact, str) for fact in facts):
        raise TypeError("these are no facts")
    return facts


def kind_of(fact: str) -> tuple[str, str, list[str]]:
    """What a fact about kinds says: a directory, what stands there, and at which names."""
    directory, _, names = fact[1:].rpartition("//")
    return directory, {"f": "file", "d": "directory"}.get(fact[0], ""), names.split("/")


def digest_of(fact: str) -> tuple[str, str] | None:
    """The path and the digest of a fact that is about these; None where it is about kinds."""
    if not fact.startswith("="):
        return None
    read = fact[1 : 1 + len(_UNREAD)]
    return fact[1 + len(_UNREAD) :], "" if read == _UNREAD else read


def encode(answer: Answer) -> str:
    """An answer as JSON, without its claims and modules, which stay in the process that has judged, and without what it rests on."""
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
