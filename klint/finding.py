"""The words that all rooms share: what a finding is, where it stands, how sure it is, how it is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from klint.levels import Applicability, Confidence, Severity

if TYPE_CHECKING:
    from klint.rules.claims import Claim

__all__ = [
    "Applicability",
    "Confidence",
    "Diagnosis",
    "Edit",
    "Finding",
    "Fix",
    "Location",
    "Related",
    "Severity",
]


@dataclass(frozen=True, order=True)
class Location:
    """A stretch of a file. Rows and columns are 1-based; columns count characters; the end is exclusive.

    In a notebook the rows are those of ``cell``, which counts the notebook's cells of all kinds from 1.
    """

    filename: str
    row: int
    column: int
    end_row: int
    end_column: int
    cell: int | None = None

    @property
    def source(self) -> str:
        """What the rows are counted in: the file, or ``notebook.ipynb:cell 3``."""
        return self.filename if self.cell is None else f"{self.filename}:cell {self.cell}"

    @property
    def sort_key(self) -> tuple[str, int, Location]:
        """The order of places: by file, cell, row and column."""
        return (self.filename, self.cell or 0, self)


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
    comment would silence the finding, in the cell of the finding if it has one.
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

    @property
    def cell(self) -> int | None:
        """The notebook cell that the finding is in; None in other files."""
        return self.location.cell

    @property
    def sort_key(self) -> tuple[object, ...]:
        """The order of all output: by file, place, code."""
        return (*self.location.sort_key, self.code, self.message)

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
                {
                    "filename": related.location.filename,
                    **_range(related.location),
                    "cell": related.location.cell,
                    "message": related.message,
                }
                for related in self.related
            ],
            "claim": self.claim,
        }


@dataclass(frozen=True)
class Diagnosis:
    """A finding with the claim, in the terms of the graph, that ``klint verify`` replays; None where no number is claimed."""

    finding: Finding
    claim: Claim | None


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
        "edits": [{"content": edit.content, **_range(edit.location), "cell": edit.location.cell} for edit in fix.edits],
    }
