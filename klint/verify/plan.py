"""What a worker replays: a claim as a program of plain data, which travels as JSON. ``program`` makes it of a claim's graph.

Nothing here imports torch, and nothing of the user's text is kept but names for people to read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from klint.rules.claims import Effect
from klint.torch_model.facts import Space


@dataclass(frozen=True)
class Step:
    """One instruction. Its value is known by its position in the program, its *register*.

    ``kind`` is ``constant`` (``value``), ``reference`` (``name``: a dtype or a number of torch), ``sequence`` (``name``: tuple or
    list; one argument an item), ``leaf`` (a free tensor), ``call`` (``name``: the operation) or ``module`` (``name``: a loss, made as
    a module of its options, and called if it is given tensors). ``arguments`` pairs slots with registers. ``grad_enabled`` says that
    gradients are recorded where it stands: not so under ``torch.no_grad()``.
    """

    kind: str
    name: str = ""
    value: bool | int | float | str | None = None
    arguments: tuple[tuple[str, int], ...] = ()
    grad_enabled: bool = True


@dataclass(frozen=True)
class Leaf:
    """A value that the code does not fix. ``rank`` and ``sizes`` (by dim) are set where the code fixes them all the same.

    ``least_rank`` is how many dims there must be. ``space`` is what it holds where that is known whatever it is used for; ``optional`` says that it is None when nobody passes it.
    """

    register: int
    name: str
    rank: int | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    space: Space | None = None
    optional: bool = False
    least_rank: int = 0


@dataclass(frozen=True)
class PlannedReading:
    """A register, and how to read its tensor as a distribution."""

    register: int
    space: Space
    dim: int | None


@dataclass(frozen=True)
class Subject:
    """The tensor that a claim about a gradient is about, and what people call it."""

    register: int
    name: str


@dataclass(frozen=True)
class Ratio:
    """The claimed ratio: a fraction times sizes, each given as register, dim (None: all numbers) and power."""

    numerator: int
    denominator: int
    powers: tuple[tuple[int, int | None, int], ...] = ()


@dataclass(frozen=True)
class Plan:
    """A claim, ready to be replayed.

    ``outputs`` names the registers of ``as_written`` and, where the claim has them, of ``fixed`` and ``counterpart``. ``loss`` is the
    loss that the claim is about, ``input`` and ``target`` its tensors. Without a ``divisor`` there is no definition to hold the
    value against: then they only say of which shapes the site was replayed. ``accompanied`` says that the call
    has other mistakes, mended or not, so that the definition may be one of other tensors than those that are left. ``notes`` are assumptions made so far, in words.
    """

    steps: tuple[Step, ...]
    leaves: tuple[Leaf, ...]
    outputs: Mapping[str, int]
    effect: Effect
    loss: str = ""
    input: PlannedReading | None = None
    target: PlannedReading | None = None
    divisor: str | None = None
    ratio: Ratio | None = None
    subject: Subject | None = None
    accompanied: bool = False
    notes: tuple[str, ...] = ()

    @property
    def readings(self) -> dict[str, PlannedReading]:
        """The loss's tensors by slot."""
        both = {"input": self.input, "target": self.target}
        return {slot: reading for slot, reading in both.items() if reading is not None}

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        data = asdict(self)
        for holder in (*data["leaves"], data["input"], data["target"]):
            if holder is not None and holder["space"] is not None:
                holder["space"] = holder["space"].value
        return {**data, "effect": self.effect.value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The inverse of ``to_json``."""
        return cls(
            steps=tuple(Step(**{**step, "arguments": _pairs(step["arguments"])}) for step in data["steps"]),
            leaves=tuple(
                Leaf(**{**leaf, "sizes": _pairs(leaf["sizes"]), "space": _space(leaf["space"])})
                for leaf in data["leaves"]
            ),
            outputs=data["outputs"],
            effect=Effect(data["effect"]),
            loss=data["loss"],
            input=_reading(data["input"]),
            target=_reading(data["target"]),
            divisor=data["divisor"],
            ratio=None
            if data["ratio"] is None
            else Ratio(**{**data["ratio"], "powers": _pairs(data["ratio"]["powers"])}),
            subject=None if data["subject"] is None else Subject(**data["subject"]),
            accompanied=data["accompanied"],
            notes=tuple(data["notes"]),
        )


def _pairs(rows: Any) -> Any:
    """Rows as the tuples that they were before JSON made lists of them."""
    return tuple(tuple(row) for row in rows)


def _space(value: str | None) -> Space | None:
    return None if value is None else Space(value)


def _reading(data: Mapping[str, Any] | None) -> PlannedReading | None:
    return None if data is None else PlannedReading(data["register"], Space(data["space"]), data["dim"])
