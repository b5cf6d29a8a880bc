"""The words that all rooms share: what a finding is, where it stands, how sure it is, how it is mended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Severity(str, Enum):
    """How bad the consequence is: ``error`` (the value is not the loss), ``warning`` (wrong scale, or a trap), ``note``."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Confidence(str, Enum):
    """What a finding rests on: the data flow (``proven``), or a name such as a parameter called ``logits`` (``likely``)."""

    PROVEN = "proven"
    LIKELY = "likely"


class Applicability(str, Enum):
    """Whether a fix keeps the value (``safe``) or changes the training signal (``unsafe``)."""

    SAFE = "safe"
    UNSAFE = "unsafe"


@dataclass(frozen=True, order=True)
class Location:
    """A stretch of a file. Rows and columns are 1-based; columns count characters; the end is exclusive."""

    filename: str
    row: int
    column: int
    end_row: int
    end_column: int


@dataclass(frozen=True, order=True)
class Related:
    """A place that makes the case: the softmax, the constructor, the caller."""

    location: Location
    message: str


@dataclass(frozen=True, order=True)
class Edit:
    """Replace the text at ``location`` by ``content``."""

    location: Location
    content: str


@dataclass(frozen=True)
class Fix:
    """A mend: the edits belong together, and ``message`` says what they do."""

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Finding:
    """One claim about one loss site, as people and programs read it.

    ``claim`` is the numeric statement that ``klint verify`` tests; ``noqa_row`` is the row on which a ``# noqa``
    comment would silence the finding; ``cell`` is the notebook cell (None elsewhere).
    """

    code: str
    name: str
    message: str
    severity: Severity
    confidence: Confidence
    location: Location
    claim: str
    url: str
    noqa_row: int
    related: tuple[Related, ...] = ()
    fix: Fix | None = None
    cell: int | None = None

    @property
    def sort_key(self) -> tuple[Location, str, str]:
        """The order of all output: by file, place, code."""
        return (self.location, self.code, self.message)

    def to_json(self) -> dict[str, Any]:
        """The finding with ruff's JSON keys, and klint's own: name, severity, confidence, related, claim."""
        return {
            "code": self.code,
            "name": self.name,
            "message": self.message,
            "severity": self.severity.value,
            "confidence": self.confidence.value,
            "filename": self.location.filename,
            **_range(self.location),
            "noqa_row": self.noqa_row,
            "cell": self.cell,
            "url": self.url,
            "fix": _fix_to_json(self.fix),
            "related": [
                {"filename": related.location.filename, **_range(related.location), "message": related.message}
                for related in self.related
            ],
            "claim": self.claim,
        }


def _range(location: Location) -> dict[str, Any]:
    return {
        "location": {"row": location.row, "column": location.column},
        "end_location": {"row": location.end_row, "column": location.end_column},
    }


def _fix_to_json(fix: Fix | None) -> dict[str, Any] | None:
    if fix is None:
        return None
    return {
        "applicability": fix.applicability.value,
        "message": fix.message,
        "edits": [{"content": edit.content, **_range(edit.location)} for edit in fix.edits],
    }
