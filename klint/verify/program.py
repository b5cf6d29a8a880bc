"""From a claim to a program that a worker can replay.

The graph becomes a flat list of steps, each of which computes one value from the values of earlier steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from klint.graph.nodes import (
    Choice,
    Constant,
    Items,
    ModuleObject,
    Node,
    Operation,
    Parameter,
    Reference,
    Sequence,
    Unknown,
)
from klint.rules.claims import Claim, Effect, Reading
from klint.torch_model.facts import Space
from klint.torch_model.library import TORCH
from klint.torch_model.losses import LOSSES
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.readers import Inference
from klint.torch_model.table import Transfer
from klint.verify.companions import Mending, find_loss
from klint.verify.plan import Leaf, Plan, PlannedReading, Ratio, Step, Subject
from klint.verify.uses import wanted_space

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
_PARTS = (Transfer.RECURRENT, Transfer.ATTENTION)
"""Layers that return several tensors: each of them is free on its own."""

_SIZES_OF_LAYERS = (("out_features", -1), ("out_channels", 1), ("hidden_size", -1), ("embed_dim", -1))

_DEFAULT_SIZE = 50
"""How many nodes of a parameter's default are looked at; none has more in earnest."""


class PlanError(Exception):
    """The site cannot be replayed; the message says why."""


def build_plan(claim: Claim, mending: Mending | None = None, right: Mapping[str, Node] | None = None) -> Plan:
    """Linearise a claim, with the mistakes of ``mending`` mended.

    The tensors of the loss in ``right``, by slot, are made up as the loss wants them, whatever the code computes for them.
    Raises ``PlanError`` where an operation has effects, or is one that klint does not know.
    """
    mending = mending or Mending()
    program = _Program(claim.choices, mending.calls, claim.world)
    program.is_about_constancy = claim.effect is Effect.FLAT
    for slot, node in (right or {}).items():
        program.make_up(slot, node, find_loss(claim.as_written))
    if mending.codes:
        program.notes[f"the mistake of {' and '.join(mending.codes)} is mended"] = None
    if mending.left:
        program.notes[f"the mistake of {' and '.join(mending.left)} is left as it is"] = None
    values = {"as_written": claim.as_written, "fixed": claim.fixed, "counterpart": claim.counterpart}
    outputs = {name: program.register(node) for name, node in values.items() if node is not None}
    expected = claim.expected
    if expected is not None:
        loss, divisor = expected.loss, expected.divisor.value
        readings = {"input": program.reading(expected.input), "target": program.reading(expected.target)}
    else:
        divisor = None
        loss, readings = program.loss_of(claim)
    return Plan(
        outputs=outputs,
        effect=claim.effect,
        loss=loss,
        input=readings.get("input"),
        target=readings.get("target"),
        divisor=divisor,
        ratio=program.ratio(claim),
        accompanied=mending.accompanied,
        subject=None if claim.subject is None else Subject(program.register(claim.subject), _name(claim.subject)),
        steps=tuple(program.steps),
        leaves=tuple(program.leaves),
        notes=tuple(program.notes),
    )


class _Program:
    """The steps so far, and which register holds which node."""

    def __init__(
        self, choices: Mapping[int, bool], replaced: Mapping[int, Operation], world: Inference | None = None
    ) -> None:
        self.choices = choices
        self.replaced: dict[int, Node] = dict(replaced)
        self.world = world or Inference(choices)
        self.steps: list[Step] = []
        self.leaves: list[Leaf] = []
        self.notes: dict[str, None] = {}
        self.registers: dict[tuple[str, int], int] = {}
        self.made_up: dict[int, Space] = {}
        self.is_about_constancy = False
        self.nodes: dict[int, Node] = {}

    def register(self, node: Node) -> int:
        """The register of a node, after the steps that compute it. Iterative: chains may be thousands of calls long."""
        stack = [node]
        while stack:
            top = self.resolve(stack[-1])
            if self.known(top) is None:
                missing = [operand for operand in _operands(top) if self.known(self.resolve(operand)) is None]
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
                holds = self.holds(node.condition)
                self.notes.setdefault(f"`{_name(node.condition)}` {'holds' if holds else 'does not hold'}")
                node = node.then if holds else node.otherwise
            elif isinstance(node, Parameter) and (known := self.world.resolve(node)) is not node:
                self.notes.setdefault(f"{node.name} is {_default_text(known)}")
                node = known
            elif isinstance(node, Parameter) and node.default is not None and _is_spelled_out(node.default):
                self.notes.setdefault(f"{node.name} has its default {_default_text(node.default)}")
                node = node.default
            elif isinstance(node, Operation) and "input" in node.arguments and _keeps_value(node):
                node = node.arguments["input"]
            elif isinstance(node, Operation) and node.name == "any_item":
                self.notes.setdefault(f"every {_name(node)} is alike")
                node = node.arguments["input"]
            elif isinstance(node, Operation) and _is_layer(node) and OPERATIONS[node.name].detail == "same shape":
                self.notes.setdefault(f"{_name(node)} is taken to change nothing")
                node = node.arguments.get("input", Unknown(node.anchor, node.identity, _name(node), ""))
            else:
                return node

    def make_up(self, slot: str, node: Node, call: Operation | None) -> None:
        """Put a leaf in place of a loss's tensor: of what the loss wants there, of the shape that is known of it."""
        taken = Unknown(node.anchor, node.identity, "taken to be right", _name(node))
        self.replaced[id(node)] = taken
        if call is not None:
            wanted = wanted_space(call, slot, self.world.facts(node).space)
            self.made_up[taken.identity] = wanted
            self.notes[f"{slot} `{_name(node)}` is taken to be right"] = None

    def holds(self, condition: Node) -> bool:
        """Whether a condition holds: as the claim says, else as its world does, else yes."""
        said = self.choices.get(condition.identity)
        return self.world.truth(condition) is not False if said is None else said

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

    def append(self, node: Node) -> None:
        """Add the step of a node whose operands have theirs."""
        if len(self.steps) >= MAX_STEPS:
            raise PlanError(f"the site takes more than {MAX_STEPS} steps to compute")
        self.registers[self.key(node)] = len(self.steps)
        step = self.step(node)
        self.steps.append(step if self.records_gradients(node) else replace(step, grad_enabled=False))

    def records_gradients(self, node: Node) -> bool:
        """Whether gradients are recorded where a value is computed; a leaf that is no call was computed elsewhere.

        A claim that a value depends on nothing is none about where gradients are recorded.
        """
        is_computed = isinstance(node, Operation) or (isinstance(node, Unknown) and node.callee is not None)
        return not is_computed or self.is_about_constancy or getattr(node, "grad_enabled", True)

    def step(self, node: Node) -> Step:
        if isinstance(node, Constant):
            value = node.value
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
        if isinstance(node, ModuleObject) and (loss := _loss_module(node)):
            return Step("module", loss, None, tuple((slot, self.at(n)) for slot, n in node.options.items()))
        if isinstance(node, Items):
            self.notes.setdefault(f"{_name(node)} holds two items, which are alike")
            return Step("sequence", "list", None, (("0", self.at(node.item)), ("1", self.at(node.item))))
        if isinstance(node, Operation) and node.name == "row":  # whichever it is: the loop sees all of them
            return Step("call", "getitem", None, tuple((slot, self.at(n)) for slot, n in _arguments(node).items()))
        if isinstance(node, Operation) and not _is_leaf(node):
            spec = OPERATIONS.get(node.name)
            if node.name not in PYTHON_OPERATIONS and (spec is None or not spec.pure):
                raise PlanError(f"{node.name} is not an operation that klint replays")
            # Module and function do not take every option alike: each is replayed as it is written.
            kind = "module" if node.name in LOSSES and node.constructor is not None else "call"
            return Step(kind, node.name, None, tuple((slot, self.at(n)) for slot, n in _arguments(node).items()))
        self.leaves.append(self.leaf(node))
        return Step("leaf", _name(node))

    def leaf(self, node: Node) -> Leaf:
        """A leaf, of the rank and the sizes that its layer or the reading of the graph knows."""
        leaf = _leaf(len(self.steps), node)
        if node.identity in self.made_up:
            leaf = replace(leaf, space=self.made_up[node.identity])
        facts = self.world.facts(node)
        if facts.shape is None or not facts.shape.sizes:
            return replace(leaf, least_rank=facts.min_rank)
        known = {dim: size.value for dim, size in enumerate(facts.shape.sizes) if size.value}
        return replace(leaf, rank=facts.rank, sizes=tuple(known.items()) or leaf.sizes)

    def reading(self, reading: Reading) -> PlannedReading:
        space = self.made_up.get(reading.node.identity, reading.space)
        return PlannedReading(self.register(reading.node), space, reading.dim)

    def loss_of(self, claim: Claim) -> tuple[str, dict[str, PlannedReading]]:
        """The loss behind the value as written and its tensors, of which nothing is said but that they are there."""
        call = find_loss(claim.as_written)
        if call is None:
            return "", {}
        slots = {slot: call.arguments[slot] for slot in ("input", "target") if slot in call.arguments}
        readings = {slot: Reading(node, Space.UNKNOWN, None) for slot, node in slots.items()}
        return call.name, {slot: self.reading(reading) for slot, reading in readings.items()}

    def ratio(self, claim: Claim) -> Ratio | None:
        """The claimed ratio, where every size in it belongs to a tensor of the program."""
        if claim.ratio is None or any(size.tensor not in self.nodes for size, _ in claim.ratio.powers):
            return None
        factor = claim.ratio.factor
        powers = tuple((self.register(self.nodes[size.tensor]), size.dim, power) for size, power in claim.ratio.powers)
        return Ratio(factor.numerator, factor.denominator, powers)


def _operands(node: Node) -> Iterable[Node]:
    if isinstance(node, Sequence):
        return node.items
    if isinstance(node, ModuleObject) and not _is_leaf(node):
        return node.options.values()
    if isinstance(node, Items):
        return (node.item,)
    if isinstance(node, Operation) and not _is_leaf(node):
        return _arguments(node).values()
    return ()


def _arguments(node: Operation) -> dict[str, Node]:
    """The arguments that matter to the value. A conversion keeps its dtype; the device is the worker's business."""
    if node.name == "row":
        return {"input": node.arguments["input"], "index": Constant(node.anchor, -1, 0)}
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


def _loss_module(node: ModuleObject) -> str:
    """The name of the loss whose module the object is; empty if it is another one."""
    signature = TORCH.module(node.name)
    call = None if signature is None else signature.call
    return call.operation if call is not None and call.operation in LOSSES else ""


def _is_layer(node: Node) -> bool:
    """Whether the node is a layer with weights or state of its own: what comes out is free, whatever goes in."""
    spec = OPERATIONS.get(node.name) if isinstance(node, Operation) else None
    return spec is not None and not spec.pure and spec.transfer in (Transfer.SCORES, Transfer.STAY_SCORES)


def _part_of_layer(node: Node) -> tuple[Operation, tuple[object, ...]] | None:
    """The layer of several results, such as ``nn.LSTM``, that a node is one of, and the places at which it is found there."""
    places: list[object] = []
    while isinstance(node, Operation) and node.name == "getitem":
        place = node.arguments.get("index")
        if not isinstance(place, Constant):
            return None
        places.append(place.value)
        node = node.arguments["input"]
    spec = OPERATIONS.get(node.name) if isinstance(node, Operation) else None
    if not places or not isinstance(node, Operation) or spec is None or spec.transfer not in _PARTS:
        return None
    whole = {"lstmcell": 1, "lstm": 1 + (places[-1] == 1)}.get(node.name, 1)
    return (node, tuple(reversed(places))) if len(places) == whole else None


def _is_entry(node: Operation) -> bool:
    """Whether the node is what something unknown holds under a name, such as ``batch["labels"]``: no tensor is indexed so."""
    key = node.arguments.get("index") if node.name == "getitem" else None
    return isinstance(key, Constant) and isinstance(key.value, str)


def _is_leaf(node: Node) -> bool:
    if isinstance(node, Reference):
        return node.name not in DTYPES | NUMBERS
    if isinstance(node, ModuleObject):
        return not _loss_module(node)
    if isinstance(node, Operation):
        return _is_layer(node) or _part_of_layer(node) is not None or _is_entry(node) or node.name == "rearrange"
    return not isinstance(node, (Constant, Sequence, Items))


def _leaf(register: int, node: Node) -> Leaf:
    part = _part_of_layer(node)
    if part is not None:
        layer, places = part
        if OPERATIONS[layer.name].transfer is Transfer.ATTENTION and places[0] == 1:
            return Leaf(register, _name(node), space=Space.PROBABILITIES)
        return Leaf(register, _name(node), sizes=_last_size(layer), space=Space.SCORES)
    if not isinstance(node, Operation) or _is_entry(node):
        return Leaf(register, _name(node), optional=isinstance(node, Parameter) and _is_none(node.default))
    detail = OPERATIONS[node.name].detail
    rank = int(detail.removeprefix("rank ")) if detail.startswith("rank ") else None
    return Leaf(register, _name(node), rank, _last_size(node))


def _last_size(layer: Operation) -> tuple[tuple[int, int], ...]:
    """The size that a layer names for its results."""
    for slot, dim in _SIZES_OF_LAYERS:
        size = layer.arguments.get(slot)
        doubled = "bidirectional" in layer.arguments or layer.open
        if isinstance(size, Constant) and isinstance(size.value, int) and size.value > 0 and not doubled:
            return ((dim, size.value),)
    return ()


def _is_none(node: Node | None) -> bool:
    return isinstance(node, Constant) and node.value is None


def _is_spelled_out(default: Node) -> bool:
    """Whether a default is a value that the code spells out: numbers, strings, and what pure operations make of them."""
    if _is_none(default):
        return False
    queue = [default]
    for node in queue:
        pure = isinstance(node, Operation) and node.name in OPERATIONS and OPERATIONS[node.name].pure
        if _is_leaf(node) or len(queue) > _DEFAULT_SIZE or not (pure or not isinstance(node, Operation)):
            return False
        queue.extend(_operands(node))
    return True


def _default_text(default: Node) -> str:
    return repr(default.value) if isinstance(default, Constant) else _name(default)


def _name(node: Node) -> str:
    """What people call the value."""
    if isinstance(node, (Parameter, Reference)):
        return node.name
    text = node.text if isinstance(node, Unknown) else node.anchor.text
    return text if len(text) <= 60 else f"{text[:57]}..."
