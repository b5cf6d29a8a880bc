"""From a claim to a program that a worker can replay.

The graph becomes a flat list of steps, each of which computes one value from the values of earlier steps; the program
is plain data and travels as JSON. Nothing here imports torch, and nothing of the user's text is kept but names for
people to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from klint.graph.nodes import Choice, Constant, Node, Operation, Parameter, Reference, Sequence, Unknown
from klint.rules.claims import Claim, Effect, Reading
from klint.torch_model.facts import Space
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer
from klint.verify.companions import Mending

MAX_STEPS = 200_000
PYTHON_OPERATIONS = frozenset({"slice", "lt", "le", "gt", "ge"})
"""Operations of Python itself, which the table of torch's operations need not list."""

DTYPES = frozenset(
    f"torch.{name}"
    for name in (
        "float16 bfloat16 float32 float64 half float double int8 int16 int32 int64 uint8 short int long bool".split()
    )
)
NUMBERS = frozenset({"math.pi", "math.e", "math.inf", "math.nan", "torch.pi", "torch.e", "torch.inf", "torch.nan"})

# Where a value lives, how it is laid out and where it is written to do not change what it is: the worker decides.
_IGNORED_SLOTS = frozenset(
    "device out inplace pin_memory memory_format layout generator non_blocking _stacklevel".split()
)
_SAME_VALUE = frozenset({"cuda", "cpu", "contiguous"})
_CONVERSIONS = frozenset({"to", "type"})


class PlanError(Exception):
    """The site cannot be replayed; the message says why."""


@dataclass(frozen=True)
class Step:
    """One instruction. Its value is known by its position in the program, its *register*.

    ``kind`` is ``constant`` (``value``), ``reference`` (``name``: a dtype or a number of torch), ``sequence`` (``name``: tuple or
    list; one argument an item), ``leaf`` (a free tensor) or ``call`` (``name``: the operation). ``arguments`` pairs slots
    with registers.
    """

    kind: str
    name: str = ""
    value: bool | int | float | str | None = None
    arguments: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Leaf:
    """A value that the code does not fix. ``rank`` and ``sizes`` (by dim) are set where the code fixes them all the same."""

    register: int
    name: str
    rank: int | None = None
    sizes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class PlannedReading:
    """A register, and how to read its tensor as a distribution."""

    register: int
    space: Space
    dim: int | None


@dataclass(frozen=True)
class Ratio:
    """The claimed ratio: a fraction times sizes, each given as register, dim (None: all numbers) and power."""

    numerator: int
    denominator: int
    powers: tuple[tuple[int, int | None, int], ...] = ()


@dataclass(frozen=True)
class Plan:
    """A claim, ready to be replayed.

    ``outputs`` names the registers of ``as_written``, ``fixed`` and, for comparisons, ``counterpart``. ``notes`` are assumptions
    made so far, in words.
    """

    steps: tuple[Step, ...]
    leaves: tuple[Leaf, ...]
    outputs: Mapping[str, int]
    loss: str
    input: PlannedReading
    target: PlannedReading
    divisor: str
    effect: Effect
    ratio: Ratio | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        return {
            **asdict(self),
            "input": {**asdict(self.input), "space": self.input.space.value},
            "target": {**asdict(self.target), "space": self.target.space.value},
            "effect": self.effect.value,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The inverse of ``to_json``."""
        ratio = data["ratio"]
        return cls(
            steps=tuple(
                Step(step["kind"], step["name"], step["value"], tuple((slot, at) for slot, at in step["arguments"]))
                for step in data["steps"]
            ),
            leaves=tuple(
                Leaf(leaf["register"], leaf["name"], leaf["rank"], tuple((dim, size) for dim, size in leaf["sizes"]))
                for leaf in data["leaves"]
            ),
            outputs=data["outputs"],
            loss=data["loss"],
            input=_reading_from_json(data["input"]),
            target=_reading_from_json(data["target"]),
            divisor=data["divisor"],
            effect=Effect(data["effect"]),
            ratio=None
            if ratio is None
            else Ratio(ratio["numerator"], ratio["denominator"], tuple((at, dim, n) for at, dim, n in ratio["powers"])),
            notes=tuple(data["notes"]),
        )


def build_plan(claim: Claim, mending: Mending | None = None) -> Plan:
    """Linearise a claim, with the mistakes of ``mending`` mended.

    Raises ``PlanError`` where an operation has effects, or is one that klint does not know.
    """
    mending = mending or Mending()
    program = _Program(claim.choices, mending.calls)
    if mending.codes:
        program.notes[f"the mistake of {' and '.join(mending.codes)} is mended"] = None
    outputs = {"as_written": program.register(claim.as_written), "fixed": program.register(claim.fixed)}
    if claim.counterpart is not None:
        outputs["counterpart"] = program.register(claim.counterpart)
    expected = claim.expected
    return Plan(
        outputs=outputs,
        loss=expected.loss,
        input=program.reading(expected.input),
        target=program.reading(expected.target),
        divisor=expected.divisor.value,
        effect=claim.effect,
        ratio=program.ratio(claim),
        steps=tuple(program.steps),
        leaves=tuple(program.leaves),
        notes=tuple(program.notes),
    )


class _Program:
    """The steps so far, and which register holds which node."""

    def __init__(self, choices: Mapping[int, bool], replaced: Mapping[int, Operation]) -> None:
        self.choices = choices
        self.replaced = replaced
        self.steps: list[Step] = []
        self.leaves: list[Leaf] = []
        self.notes: dict[str, None] = {}
        self.registers: dict[tuple[str, int], int] = {}
        self.nodes: dict[int, Node] = {}

    def register(self, node: Node) -> int:
        """The register of a node, after the steps that compute it. Iterative: chains may be thousands of calls long."""
        stack = [node]
        while stack:
            top = self.resolve(stack[-1])
            if self.known(top) is None:
                missing = [operand for operand in self.operands(top) if self.known(self.resolve(operand)) is None]
                if missing:
                    stack.extend(reversed(missing))
                    continue
                self.append(top)
            stack.pop()
        return self.at(node)

    def resolve(self, node: Node) -> Node:
        """The node that computes the value: choices are made, and what does not change the value is left out."""
        while True:
            self.nodes.setdefault(node.identity, node)
            node = self.replaced.get(id(node), node)
            if isinstance(node, Choice):
                holds = self.choices.get(node.condition.identity, True)
                self.notes.setdefault(f"`{_name(node.condition)}` {'holds' if holds else 'does not hold'}")
                node = node.then if holds else node.otherwise
            elif (
                isinstance(node, Parameter) and isinstance(node.default, Constant) and _value(node.default) is not None
            ):
                self.notes.setdefault(f"{node.name} has its default {node.default.value!r}")
                node = node.default
            elif isinstance(node, Operation) and "input" in node.arguments and _keeps_value(node):
                node = node.arguments["input"]
            elif isinstance(node, Operation) and _is_layer(node) and OPERATIONS[node.name].detail == "same shape":
                self.notes.setdefault(f"{_name(node)} is taken to change nothing")
                node = node.arguments.get("input", Unknown(node.anchor, node.identity, _name(node), ""))
            else:
                return node

    def key(self, node: Node) -> tuple[str, int]:
        """Leaves and random draws are the same value where their identity is the same; all else where it is one node.

        (A fixed call may have been made from the call as written by a change of arguments, identity and all.)
        """
        random = isinstance(node, Operation) and node.name in OPERATIONS and OPERATIONS[node.name].random
        return ("identity", node.identity) if random or _is_leaf(node) else ("node", id(node))

    def known(self, node: Node) -> int | None:
        return self.registers.get(self.key(node))

    def at(self, node: Node) -> int:
        return self.registers[self.key(self.resolve(node))]

    def operands(self, node: Node) -> Iterable[Node]:
        if isinstance(node, Sequence):
            return node.items
        if isinstance(node, Operation) and not _is_leaf(node):
            return _arguments(node).values()
        return ()

    def append(self, node: Node) -> None:
        """Add the step of a node whose operands have theirs."""
        if len(self.steps) >= MAX_STEPS:
            raise PlanError(f"the site takes more than {MAX_STEPS} steps to compute")
        self.registers[self.key(node)] = len(self.steps)
        self.steps.append(self.step(node))

    def step(self, node: Node) -> Step:
        if isinstance(node, Constant):
            value = _value(node)
            if value is Ellipsis:
                return Step("reference", "builtins.Ellipsis")
            if value is None or isinstance(value, (bool, int, float, str)):
                return Step("constant", value=value)
            raise PlanError(f"a constant of type {type(value).__name__} is not replayed")
        if isinstance(node, Sequence):
            return Step(
                "sequence", node.kind, None, tuple((str(i), self.at(item)) for i, item in enumerate(node.items))
            )
        if isinstance(node, Reference) and node.name in DTYPES | NUMBERS:
            return Step("reference", node.name)
        if isinstance(node, Operation) and not _is_leaf(node):
            spec = OPERATIONS.get(node.name)
            if node.name not in PYTHON_OPERATIONS and (spec is None or not spec.pure):
                raise PlanError(f"{node.name} is not an operation that klint replays")
            return Step("call", node.name, None, tuple((slot, self.at(n)) for slot, n in _arguments(node).items()))
        self.leaves.append(_leaf(len(self.steps), node))
        return Step("leaf", _name(node))

    def reading(self, reading: Reading) -> PlannedReading:
        return PlannedReading(self.register(reading.node), reading.space, reading.dim)

    def ratio(self, claim: Claim) -> Ratio | None:
        """The claimed ratio, where every size in it belongs to a tensor of the program."""
        if claim.ratio is None or any(size.tensor not in self.nodes for size, _ in claim.ratio.powers):
            return None
        factor = claim.ratio.factor
        powers = tuple((self.at(self.nodes[size.tensor]), size.dim, power) for size, power in claim.ratio.powers)
        return Ratio(factor.numerator, factor.denominator, powers)


def _arguments(node: Operation) -> dict[str, Node]:
    """The arguments that matter to the value. A conversion keeps its dtype; the device is the worker's business."""
    if node.name in _CONVERSIONS:
        dtypes = [argument for argument in _conversion_arguments(node) if _is_dtype(argument)]
        return {"input": node.arguments["input"], "dtype": dtypes[0]}
    return {slot: argument for slot, argument in node.arguments.items() if slot not in _IGNORED_SLOTS}


def _keeps_value(node: Operation) -> bool:
    if node.name in _CONVERSIONS:
        return not any(_is_dtype(argument) for argument in _conversion_arguments(node))
    return node.name in _SAME_VALUE


def _conversion_arguments(node: Operation) -> Iterable[Node]:
    for slot, argument in node.arguments.items():
        if slot != "input":
            yield from argument.items if isinstance(argument, Sequence) else (argument,)


def _is_dtype(node: Node) -> bool:
    return isinstance(node, Reference) and node.name in DTYPES


def _is_layer(node: Node) -> bool:
    """Whether the node is a layer with weights or state of its own: what comes out is free, whatever goes in."""
    spec = OPERATIONS.get(node.name) if isinstance(node, Operation) else None
    return spec is not None and not spec.pure and spec.transfer in (Transfer.SCORES, Transfer.STAY_SCORES)


def _is_leaf(node: Node) -> bool:
    if isinstance(node, Reference):
        return node.name not in DTYPES | NUMBERS
    return _is_layer(node) or not isinstance(node, (Constant, Sequence, Operation))


def _leaf(register: int, node: Node) -> Leaf:
    if not isinstance(node, Operation):
        return Leaf(register, _name(node))
    detail = OPERATIONS[node.name].detail
    rank = int(detail.removeprefix("rank ")) if detail.startswith("rank ") else None
    for slot, dim in (("out_features", -1), ("out_channels", 1)):
        size = node.arguments.get(slot)
        if isinstance(size, Constant) and isinstance(size.value, int) and size.value > 0:
            return Leaf(register, _name(node), rank, ((dim, size.value),))
    return Leaf(register, _name(node), rank)


def _value(node: Constant) -> object:
    return node.value


def _name(node: Node) -> str:
    """What people call the value."""
    if isinstance(node, (Parameter, Reference)):
        return node.name
    text = node.text if isinstance(node, Unknown) else node.anchor.text
    return text if len(text) <= 60 else f"{text[:57]}..."


def _reading_from_json(data: Mapping[str, Any]) -> PlannedReading:
    return PlannedReading(data["register"], Space(data["space"]), data["dim"])
