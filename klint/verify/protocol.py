"""What verify and its worker say to each other, one JSON object a line. No torch here: the parent process reads it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from klint.verify.plan import Plan


@dataclass(frozen=True)
class Job:
    """What to measure: a plan, and what to make its leaves of."""

    plan: Plan
    device: str
    dtype: str
    classes: int
    batch: int
    seed: int

    def to_json(self) -> dict[str, Any]:
        """The job as plain data."""
        return {**vars(self), "plan": self.plan.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """The inverse of ``to_json``."""
        return cls(**{**data, "plan": Plan.from_json(data["plan"])})


@dataclass(frozen=True)
class Run:
    """One replay of one site. ``dtype`` is that of the value as written; ``sizes`` holds the shapes and the class count.

    ``claimed`` is the ratio that the claim predicts for these sizes (None: it names none); the gradient norms are taken over
    all floating tensors that the numbers come from (None: no gradient reaches them).
    """

    device: str
    dtype: str
    sizes: Mapping[str, Any]
    as_written: float
    expected: float
    fixed: float
    counterpart: float | None = None
    claimed: float | None = None
    gradient: float | None = None
    fixed_gradient: float | None = None

    @property
    def ratio(self) -> float | None:
        """As written over expected; None where that says nothing."""
        return self.as_written / self.expected if self.expected else None

    @property
    def gap(self) -> float:
        """As written minus expected."""
        return self.as_written - self.expected

    @property
    def grad_ratio(self) -> float | None:
        """The gradient's norm as written over that of the fixed code; None where either is missing or the latter is 0."""
        return self.gradient / self.fixed_gradient if self.gradient is not None and self.fixed_gradient else None

    @property
    def classes(self) -> int:
        """The class count."""
        return int(self.sizes["classes"])


@dataclass(frozen=True)
class Measurement:
    """The runs of one job, and the assumptions that they rest on, in words.

    For a claim of underflow there are two runs: as drawn, and with the scores spread apart (``sizes["score_gap"]``).
    """

    runs: tuple[Run, ...]
    assumptions: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The measurement as plain data."""
        return {"runs": [asdict(run) for run in self.runs], "assumptions": list(self.assumptions)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Measurement:
        """The inverse of ``to_json``."""
        return cls(tuple(Run(**run) for run in data["runs"]), tuple(data["assumptions"]))
