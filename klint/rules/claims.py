"""What a finding predicts, in a form that a machine can test: the part of a finding that ``klint verify`` replays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from klint.graph.nodes import Node
from klint.torch_model.count import Count
from klint.torch_model.facts import Space


class Effect(Enum):
    """How the code as written departs from what it should compute."""

    RATIO = "ratio"  # a fixed multiple of it
    DIFFERS = "differs"  # another number
    NAN = "nan"
    UNDERFLOW = "underflow"  # equal, until a score gap makes it infinite


class Divisor(Enum):
    """What the oracle divides the summed loss by."""

    ONE = "one"
    ROWS = "rows"  # every distribution counts once: all numbers / classes
    BATCH = "batch"  # input.size(0)
    NUMEL = "numel"  # all numbers


@dataclass(frozen=True)
class Reading:
    """A tensor of the graph and how to read it as a distribution: the space it is in, the dim that runs over classes."""

    node: Node
    space: Space
    dim: int | None


@dataclass(frozen=True)
class Expected:
    """What the site should compute, for an oracle that works from the definition.

    For ``kl_div``: sum over classes of Q (log Q - log P), with P read from ``input`` and Q from ``target``, over ``divisor``.
    """

    loss: str
    input: Reading
    target: Reading
    divisor: Divisor


@dataclass(frozen=True)
class Claim:
    """One prediction. ``text`` is for people; verify evaluates ``as_written``, ``fixed`` and ``expected`` on the same tensors.

    ``counterpart`` is the other side of a comparison (``CE - entropy``), which the fixed code must equal. ``ratio`` is as written over
    expected, where the claim knows it. ``choices`` says, by identity of the condition, which alternatives of the graph are
    meant.
    """

    text: str
    effect: Effect
    as_written: Node
    fixed: Node
    expected: Expected
    ratio: Count | None = None
    counterpart: Node | None = None
    choices: Mapping[int, bool] = field(default_factory=dict)
