"""What a finding predicts, in a form that a machine can test: the part of a finding that ``klint verify`` replays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from klint.graph.nodes import Node
from klint.torch_model.count import Count
from klint.torch_model.facts import Space
from klint.torch_model.infer import Inference


class Effect(Enum):
    """How the code as written departs from what it should compute."""

    RATIO = "ratio"  # a fixed multiple of it
    DIFFERS = "differs"  # another number
    NAN = "nan"
    UNDERFLOW = "underflow"  # equal, until a score gap makes it infinite
    RAISES = "raises"  # torch refuses it
    SAME = "same"  # the same number: the code misleads, and no more
    FLAT = "flat"  # it does not depend on ``subject``: the gradient there is 0
    LEAK = "leak"  # a gradient flows into ``subject``, where none is meant to


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
    For ``cross_entropy`` and ``nll_loss``: -sum Q log P, where a target of class indices is the Q that is 1 at the index. For
    ``binary_cross_entropy`` and ``binary_cross_entropy_with_logits``: -sum Q log P + (1 - Q) log (1 - P), number by number.
    """

    loss: str
    input: Reading
    target: Reading
    divisor: Divisor


@dataclass(frozen=True)
class Claim:
    """One prediction. ``text`` is for people; verify evaluates ``as_written``, ``fixed`` and ``expected`` on the same tensors.

    Where there is no definition to hold it against (``expected`` is None), the fixed code is the reference; ``fixed`` is None
    where no single expression is the right one. ``counterpart`` is the other side of a comparison (``CE - entropy``), which the
    fixed code must equal. ``ratio`` is as written over expected, where the claim knows it. ``subject`` is the tensor that a claim about a
    gradient is about. ``choices`` says, by identity of the condition, which alternatives of the graph are meant. ``world`` is the reading of
    the graph in which the rule found this, which the engine adds: the ranks and sizes that it knows hold for made-up tensors too.
    ``beside`` are the claims, each with its code, that were found in the same world, its own included: not all of them are reported.
    """

    text: str
    effect: Effect
    as_written: Node
    fixed: Node | None = None
    expected: Expected | None = None
    ratio: Count | None = None
    counterpart: Node | None = None
    subject: Node | None = None
    choices: Mapping[int, bool] = field(default_factory=dict)
    world: Inference | None = field(default=None, compare=False, repr=False)
    beside: tuple[tuple[str, Claim], ...] = field(default=(), compare=False, repr=False)
