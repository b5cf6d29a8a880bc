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
class Raised:
    """An exception that torch raised: the operation, the exception's type, and the first line of what it says."""

    operation: str
    type: str
    text: str

    def __str__(self) -> str:
        return f"{self.operation} raises {self.type}: {self.text}"


@dataclass(frozen=True)
class Run:
    """One replay of one site. ``dtype`` is that of the value; ``sizes`` holds the shapes and the class count.

    ``as_written`` is None where the code raises (``raised``), ``expected`` where there is nothing to hold it against, ``fixed`` where the
    claim names no fixed code. ``reference`` says what ``expected`` comes from: the loss's ``definition``, or the ``fixed code``.
    ``claimed`` is the ratio that the claim predicts for these sizes (None: it names none). The gradient norms are taken over all
    floating tensors that the numbers come from (None: no gradient reaches them); those of ``subject`` over the ones behind the
    tensor of that name (None: the claim is about no such tensor). ``expected_gradient`` is that of the reference, ``grad_cosine`` how far
    the gradient as written, ``fixed_grad_cosine`` that of the fixed code points the same way (None: one of both is 0, or not there).
    """

    device: str
    dtype: str
    sizes: Mapping[str, Any]
    as_written: float | None
    expected: float | None
    fixed: float | None = None
    counterpart: float | None = None
    claimed: float | None = None
    gradient: float | None = None
    fixed_gradient: float | None = None
    reference: str | None = "definition"
    raised: Raised | None = None
    subject: str | None = None
    subject_gradient: float | None = None
    fixed_subject_gradient: float | None = None
    same_expression: bool = False
    expected_gradient: float | None = None
    grad_cosine: float | None = None
    fixed_grad_cosine: float | None = None

    @property
    def ratio(self) -> float | None:
        """As written over expected; None where that says nothing."""
        return self.as_written / self.expected if self.as_written is not None and self.expected else None

    @property
    def gap(self) -> float | None:
        """As written minus expected."""
        return None if self.as_written is None or self.expected is None else self.as_written - self.expected

    @property
    def grad_ratio(self) -> float | None:
        """The gradient's norm as written over the expected one; None where either is missing or the latter is 0."""
        expected = self.fixed_gradient if self.expected_gradient is None else self.expected_gradient
        return self.gradient / expected if self.gradient is not None and expected else None

    @property
    def classes(self) -> int:
        """The class count; 1 where there are no classes to count."""
        return int(self.sizes.get("classes", 1))

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Run:
        """The inverse of ``asdict``."""
        return cls(**{**data, "raised": None if data["raised"] is None else Raised(**data["raised"])})


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
        return cls(tuple(Run.from_json(run) for run in data["runs"]), tuple(data["assumptions"]))
