"""What an explanation says, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from klint.finding import Location
from klint.source.python import SourceError

WAYS = 4
"""In how many ways of reaching it one place is told of."""


@dataclass(frozen=True)
class Holding:
    """What a slot holds, the steps that lead to it, the last one first, and why it is not known, where it is not."""

    holds: str
    steps: tuple[str, ...]
    unknown: str | None = None


@dataclass(frozen=True)
class Reduced:
    """What the code makes of a loss after the call: ``by`` a mean, a sum, a division, at a row."""

    by: str
    row: int
    formula: str


@dataclass(frozen=True)
class Way:
    """What a site computes when it is reached in one way: from these callers, the nearest first, where these conditions hold."""

    called_at: tuple[str, ...]
    where: tuple[str, ...]
    formula: str
    because: str
    input: Holding
    target: Holding
    reduction: str
    divisor: str
    options: tuple[str, ...]
    then: tuple[Reduced, ...]
    unknown: tuple[str, ...]

    @property
    def content(self) -> tuple[object, ...]:
        """All that is said of the way but how it is reached."""
        return (self.formula, self.because, self.input, self.target, self.reduction, self.divisor, self.then)


@dataclass(frozen=True)
class SiteExplanation:
    """One loss call: what it computes in each way that differs; ``more`` ways are left out."""

    loss: str
    location: Location
    ways: tuple[Way, ...]
    more: int = 0


@dataclass(frozen=True)
class Compared:
    """One of several values that the code puts side by side; ``relation`` says what it is in terms of another."""

    name: str
    row: int
    formula: str
    relation: str = ""


@dataclass(frozen=True)
class SideBySide:
    """Values that the code compares, prints or returns together; ``symbols`` are the letters of their formulas."""

    location: Location
    called_at: tuple[str, ...]
    symbols: tuple[tuple[str, str], ...]
    values: tuple[Compared, ...]


@dataclass
class Explanation:
    """All that is said of one file; ``rows`` are those of all its loss sites."""

    filename: str
    rows: tuple[int, ...] = ()
    sites: list[SiteExplanation] = field(default_factory=list)
    comparisons: list[SideBySide] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The explanation as plain data; a location counts rows and columns from 1."""
        return {
            "filename": self.filename,
            "sites": [_placed(asdict(site)) for site in self.sites],
            "comparisons": [
                {**_placed(asdict(comparison)), "symbols": dict(comparison.symbols)} for comparison in self.comparisons
            ],
        }


def _placed(data: dict[str, Any]) -> dict[str, Any]:
    place = data.pop("location")
    where = {"row": place["row"], "column": place["column"]}
    return {"filename": place["filename"], "cell": place["cell"], "location": where, **data}
