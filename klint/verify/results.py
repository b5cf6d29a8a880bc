"""What verify found out: a verdict for each finding, and all of them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from klint.finding import Finding, Location
from klint.rules.claims import Claim
from klint.verify.protocol import Run


class Verdict(str, Enum):
    """``confirmed``: the gap is as claimed and the fix closes it; ``refuted``: klint was wrong; ``inconclusive``: neither shown."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Result:
    """One finding, put to the test. ``reason`` says in words what the verdict rests on, ``claim`` what was replayed."""

    finding: Finding
    verdict: Verdict
    reason: str
    assumptions: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    claim: Claim | None = field(default=None, compare=False, repr=False)


class SiteVerdict(str, Enum):
    """``agrees``: value and gradient are those of the definition; ``deviates``: they are not; ``undecided``: not told."""

    AGREES = "agrees"
    DEVIATES = "deviates"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class SiteResult:
    """One loss call, held against the definition of what its tensors hold. ``codes`` are the findings about it."""

    location: Location
    loss: str
    verdict: SiteVerdict
    reason: str
    codes: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()

    @property
    def is_hole(self) -> bool:
        """Whether it deviates and no rule says so: a hole in the static side."""
        return self.verdict is SiteVerdict.DEVIATES and not self.codes


@dataclass(frozen=True)
class VerifyReport:
    """The results in the order of the findings; ``errors`` are files that could not be linted, one line each.

    ``environment`` says what the replays ran on and how they were confined, ``not_checked`` what remains open,
    ``sources`` the lines of the files with findings. ``sites`` are all loss sites, with or without a finding, where that was asked for.
    """

    results: tuple[Result, ...] = ()
    errors: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    not_checked: tuple[str, ...] = ()
    sources: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)
    sites: tuple[SiteResult, ...] | None = None

    @property
    def confirmed(self) -> tuple[Result, ...]:
        """The findings that hold."""
        return self._with(Verdict.CONFIRMED)

    @property
    def refuted(self) -> tuple[Result, ...]:
        """The findings that do not."""
        return self._with(Verdict.REFUTED)

    @property
    def inconclusive(self) -> tuple[Result, ...]:
        """The findings about which nothing was shown."""
        return self._with(Verdict.INCONCLUSIVE)

    @property
    def holes(self) -> tuple[SiteResult, ...]:
        """The sites that deviate without a finding."""
        return tuple(site for site in self.sites or () if site.is_hole)

    def _with(self, verdict: Verdict) -> tuple[Result, ...]:
        return tuple(result for result in self.results if result.verdict is verdict)
