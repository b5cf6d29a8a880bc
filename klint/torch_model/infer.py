"""From the graph to facts: one abstract reading of every node, in one world.

A world fixes which alternatives of the graph's choices are taken. Facts are found operands first, without recursion, so that long chains
cost no stack; each operation is read by the function that ``TRANSFERS`` names for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from klint.finding import Confidence
from klint.graph.nodes import Choice, Constant, Node, Operation, Parameter, Sequence, Unknown
from klint.torch_model.count import Count, Size
from klint.torch_model.evidence import tested_rank
from klint.torch_model.facts import NOTHING, Facts, Shape, Space, replace
from klint.torch_model.names import is_scalar_name, space_of_name
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer
from klint.torch_model.worlds import Worlds

TransferFunction = Callable[["Inference", Operation], Facts]
TRANSFERS: dict[Transfer, TransferFunction] = {}
"""How each kind of operation is read; filled by the modules that hold the functions."""


def reads(*transfers: Transfer) -> Callable[[TransferFunction], TransferFunction]:
    """Register the function that reads these kinds of operation."""

    def register(function: TransferFunction) -> TransferFunction:
        TRANSFERS.update(dict.fromkeys(transfers, function))
        return function

    return register


@dataclass(eq=False)
class Inference:
    """The reading of a graph in one world: ``choices`` says, by identity, which conditions hold.

    ``worlds`` is what it has in common with the other worlds of the graph.
    """

    choices: Mapping[int, bool] = field(default_factory=dict)
    worlds: Worlds = field(default_factory=Worlds)
    _ranks: dict[int, int] = field(default_factory=dict)
    _facts: dict[int, Facts] = field(default_factory=dict)
    _known: dict[int, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._decided = self.worlds.decided(self.choices)

    def assume(self, conditions: Mapping[int, tuple[Node, bool]]) -> None:
        """Take from conditions that hold what they say of values: ``reduction == 'mean'`` makes it so."""
        for node, holds in conditions.values():
            tested = tested_rank(node) if holds else None
            if tested is not None:
                self.worlds.says(node.identity, tested[0])
                self._ranks.setdefault(*tested)
            if not isinstance(node, Operation):
                if isinstance(node, Parameter):
                    self._known[node.identity] = Constant(node.anchor, -node.identity, holds)
            elif holds and node.name in ("eq", "is") and isinstance(node.arguments.get("other"), Constant):
                self.worlds.says(node.identity, node.arguments["input"].identity)
                self._known[node.arguments["input"].identity] = node.arguments["other"]

    def afresh(self) -> Inference:
        """The same world with no facts found yet: for graphs that are made and dropped, which would else be kept with their facts."""
        return Inference(self.choices, Worlds(self.worlds.evidence), self._ranks, {}, self._known)

    def resolve(self, node: Node) -> Node:
        """The node that is meant in this world: choices that are decided are followed."""
        while True:
            known = self._known.get(node.identity)
            if known is not None:
                return known
            if not isinstance(node, Choice):
                return node
            truth = self.truth(node.condition)
            if truth is None:
                return node
            node = node.then if truth else node.otherwise

    def truth(self, condition: Node) -> bool | None:
        """Whether a condition holds in this world; None where the world does not say."""
        if condition.identity in self.choices:
            return self.choices[condition.identity]
        condition = self.resolve(condition)
        if isinstance(condition, Constant):
            return bool(condition.value)
        if isinstance(condition, Operation) and condition.name in ("eq", "is"):
            left, right = (self.resolve(node) for node in condition.arguments.values())
            if isinstance(left, Constant) and isinstance(right, Constant):
                return left.value == right.value
        return self.choices.get(condition.identity)

    def facts(self, node: Node) -> Facts:
        """What is known of a node."""
        stack = [node]
        while stack:
            top = stack[-1]
            if id(top) in self._facts:
                stack.pop()
                continue
            key = self.worlds.key(top, *self._decided)
            facts = self.worlds.facts.get(key)
            if facts is None:
                resolved = self.resolve(top)
                missing = [operand for operand in self._operands(resolved) if id(operand) not in self._facts]
                if missing:
                    stack.extend(missing)
                    continue
                facts = self.worlds.facts[key] = self._ranked(self._read(resolved), resolved)
            self._facts[id(top)] = facts
            stack.pop()
        return self._facts[id(node)]

    def _ranked(self, facts: Facts, node: Node) -> Facts:
        """The same facts with the rank that the code shows the tensor to have."""
        if facts.shape is not None or facts.root is None:
            return facts
        rank = self._ranks.get(node.identity)
        said = self.worlds.evidence.get(node.identity, ())
        possible = [one for one in said if all(self.choices.get(c.identity, truth) == truth for c, truth in one.path)]
        holds = any(all(c.identity in self.choices for c, _ in one.path) for one in possible)
        ranks = {one.rank for one in possible}
        if rank is None and holds and len(ranks) == 1:
            rank = ranks.pop()
        if rank is None:
            return facts
        sizes = (Count.of(Size(facts.root, dim, f"{facts.name}.size({dim})")) for dim in range(rank))
        return replace(facts, shape=Shape(tuple(sizes)))

    def _operands(self, node: Node) -> Iterator[Node]:
        if isinstance(node, Choice):
            return iter((node.then, node.otherwise))
        return node.operands()

    def _read(self, node: Node) -> Facts:
        if isinstance(node, Operation):
            spec = OPERATIONS.get(node.name)
            function = TRANSFERS.get(spec.transfer) if spec else None
            return function(self, node) if function else unread(self, node)
        if isinstance(node, Choice):
            return join(self.facts(node.then), self.facts(node.otherwise), node)
        if isinstance(node, Constant):
            number = node.value
            whole = isinstance(number, int) and not isinstance(number, bool)
            return Facts(count=Count.number(number)) if whole and isinstance(number, int) else NOTHING
        if isinstance(node, Parameter):
            default = node.default.value if isinstance(node.default, Constant) else None
            facts = named(node, node.name)
            return replace(facts, shape=Shape(())) if isinstance(default, (int, float)) else facts
        if isinstance(node, Unknown):
            return named(node, node.text)
        return NOTHING

    # Arguments of an operation, as the functions that read them want them.

    def argument(self, operation: Operation, slot: str) -> Facts:
        """The facts of an argument; nothing is known of one that is absent."""
        node = operation.arguments.get(slot)
        return NOTHING if node is None else self.facts(node)

    def value(self, operation: Operation, slot: str) -> Node | None:
        """The node of an argument in this world, or None where it is absent."""
        node = operation.arguments.get(slot)
        return None if node is None else self.resolve(node)

    def is_given(self, operation: Operation, slot: str) -> bool:
        """Whether an argument is passed and is not None."""
        node = self.value(operation, slot)
        return node is not None and not (isinstance(node, Constant) and node.value is None)

    def integer(self, operation: Operation, slot: str) -> int | None:
        """A literal whole number, or None."""
        node = self.value(operation, slot)
        number = node.value if isinstance(node, Constant) else None
        return number if isinstance(number, int) and not isinstance(number, bool) else None

    def integers(self, operation: Operation, slot: str) -> tuple[int, ...] | None:
        """A literal whole number or a tuple of them, always as a tuple; None where it is not known."""
        node = self.value(operation, slot)
        items = node.items if isinstance(node, Sequence) else () if node is None else (node,)
        if len(items) == 1 and isinstance(items[0], Sequence):
            items = items[0].items
        numbers = [item.value for item in map(self.resolve, items) if isinstance(item, Constant)]
        whole = tuple(number for number in numbers if isinstance(number, int) and not isinstance(number, bool))
        return whole if whole and len(whole) == len(items) else None

    def counts(self, node: Node | None) -> tuple[Count | None, ...] | None:
        """The sizes that a shape argument lists, each None where it is not known; None where even their number is not."""
        if node is None:
            return None
        node = self.resolve(node)
        if not isinstance(node, Sequence):
            sizes = self.facts(node).sizes
            if sizes is not None:
                return sizes.shape.sizes if sizes.shape is not None else None
            count = self.facts(node).count
            return None if count is None else (count,)
        if len(node.items) == 1:
            inner = self.resolve(node.items[0])
            if isinstance(inner, Sequence) or self.facts(inner).sizes is not None:
                return self.counts(inner)
        return tuple(self.facts(item).count for item in node.items)


@reads(Transfer.ANY_ITEM)
def any_item(inference: Inference, node: Operation) -> Facts:
    """A value that means the same as another one, of which the numbers are not the same."""
    source = inference.argument(node, "input")
    return replace(source, values=node.identity, distribution=None, loss=None, terms=None)


def unread(_: Inference, node: Node) -> Facts:
    """A tensor of which nothing is known but that it is one."""
    return replace(NOTHING, root=node.identity, values=node.identity, name=short(node))


def named(node: Node, name: str) -> Facts:
    """A value of which only the name is known."""
    space = space_of_name(name) if name.replace(".", "").replace("_", "").isalnum() else Space.UNKNOWN
    return replace(
        NOTHING,
        space=space,
        shape=Shape(()) if is_scalar_name(name) else None,
        root=node.identity,
        values=node.identity,
        name=name if len(name) < 30 else "input",
        confidence=Confidence.PROVEN if space is Space.UNKNOWN else Confidence.LIKELY,
    )


def short(node: Node) -> str:
    """How a message may name a value: its text, where that is short."""
    text = node.anchor.text
    return text if len(text) < 30 else "input"


def join(left: Facts, right: Facts, node: Node) -> Facts:
    """What holds of both: a field that differs is not known."""
    if left is right:
        return left
    one, other = left.__dict__, right.__dict__
    same = {name: value for name, value in one.items() if value is other[name] or value == other[name]}
    joined = replace(NOTHING, **same)
    if "space" not in same or joined.space is Space.UNKNOWN:
        joined = replace(joined, space=Space.UNKNOWN, dim=None, made_by=None)
    if Confidence.LIKELY in (left.confidence, right.confidence):
        joined = replace(joined, confidence=Confidence.LIKELY)
    return replace(joined, root=joined.root or node.identity, values=joined.values or node.identity)
