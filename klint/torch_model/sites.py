"""The places that rules judge: loss calls with their slots, and comparisons of two values."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

from klint.finding import Confidence
from klint.graph.nodes import Choice, Constant, ModuleObject, Node, Operation, Parameter
from klint.source.python import Anchor
from klint.torch_model.count import Count
from klint.torch_model.facts import Facts, Space
from klint.torch_model.infer import Inference, short
from klint.torch_model.loss_calls import reduction_of, truth_of
from klint.torch_model.losses import LEGACY, LITERALS, LOSSES, LossSpec
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer


class Consumers(Protocol):
    """The nodes that use a node: operations, and the choices and containers that they are given."""

    def __call__(self, node: Node) -> Iterable[Node]:
        """What uses a node, be it anything."""

    def leading_to(self, names: tuple[str, ...]) -> Container[int]:
        """The ``id`` of every node computed from a loss of which an operation of one of these names is computed."""


_USES = 1_000
"""How many uses of a value are followed."""


@dataclass(frozen=True)
class Slot:
    """One tensor argument of a loss call: its node and what is known of it."""

    name: str
    node: Node
    facts: Facts

    @property
    def text(self) -> str:
        """How a message names it: its source text where that is short, else the slot's name."""
        return short(self.node) if len(self.node.anchor.text) < 30 else self.name

    @property
    def title(self) -> str:
        """How a message introduces it: by its name, and its source text where that is short."""
        return self.name if self.text == self.name else f"{self.name} {self.text}"

    @property
    def maker(self) -> Operation | None:
        """The operation that established what the slot holds."""
        return self.facts.made_by if isinstance(self.facts.made_by, Operation) else None


@dataclass(eq=False)
class Readings:
    """All readings of one loss call: on its own, where nothing is known of the callers, and once for each of them.

    ``beside`` are those of each loss call of the same function.
    ``known`` keeps, by rule, world and reading, what a rule found out about it.
    """

    calls: tuple[Operation, ...] = ()
    beside: Sequence[tuple[Operation, ...]] = ()
    known: dict[tuple[str, Inference, int], bool] = field(default_factory=dict)


class Unused:
    """The consumers of a site that is not asked what becomes of it."""

    def __call__(self, node: Node) -> Iterable[Node]:
        """Nothing."""
        return ()

    def leading_to(self, names: tuple[str, ...]) -> Container[int]:
        """Nothing."""
        return ()


@dataclass(frozen=True)
class LossSite:
    """One loss call in one world; ``readings`` are those of the same call in the source."""

    call: Operation
    inference: Inference
    consumers: Consumers = field(default_factory=Unused)
    readings: Readings = field(default_factory=Readings)

    @property
    def loss(self) -> str:
        """The loss by the name of its function: ``kl_div``."""
        return self.call.name

    @property
    def anchor(self) -> Anchor:
        """The call that computes the loss."""
        return self.call.anchor

    @property
    def options(self) -> ModuleObject | Operation:
        """Where the options stand: the module that was made, or the functional call itself."""
        return self.call.constructor or self.call

    @cached_property
    def input(self) -> Slot:
        """What torch calls ``input``."""
        return self._slot("input")

    @cached_property
    def target(self) -> Slot:
        """What torch calls ``target``.

        One dim less than the input's can only be class indices to cross entropy, and so can the target of a loss that ignores a
        class; ``nll_loss`` takes nothing else, so that the target is known where the input is.
        """
        slot, given = self._slot("target"), self.input.facts
        input_rank, rank = given.rank, slot.facts.rank
        is_less = input_rank is not None and rank is not None and rank == input_rank - 1
        is_only = self.loss == "nll_loss" and given.space not in (Space.UNKNOWN, Space.INDICES)
        if slot.facts.space is not Space.UNKNOWN or not LOSSES[self.loss].takes_indices:
            return slot
        if not (is_less or is_only or self.ignores_a_class):
            return slot
        return replace(slot, facts=replace(slot.facts, space=Space.INDICES))

    def _slot(self, name: str) -> Slot:
        node = self.call.arguments.get(name)
        if node is None:
            return Slot(name, self.call, Facts())
        return Slot(name, self.inference.resolve(node), self.inference.facts(node))

    @property
    def ignores_a_class(self) -> bool:
        """Whether ``ignore_index`` names a class: a number from 0 up, or a size. torch then refuses soft targets."""
        node = self.inference.value(self.call, "ignore_index")
        if isinstance(node, Constant):
            return isinstance(node.value, int) and node.value >= 0
        if not isinstance(node, Operation):
            return False
        is_item = node.name == "getitem" and self.inference.argument(node, "input").sizes is not None
        return is_item or node.name == "length" or (node.name == "shape" and "dim" in node.arguments)

    def numbers_of(self, slot: Slot) -> Node:
        """What a slot holds, before changes of shape and type that leave its numbers alone."""
        node = slot.node
        while isinstance(node, Operation) and keeps_numbers(node) and "input" in node.arguments:
            node = self.inference.resolve(node.arguments["input"])
        return node

    @cached_property
    def reduction(self) -> str | None:
        """The reduction in force; None where it is not known."""
        return reduction_of(self.inference, self.call)

    @cached_property
    def log_target(self) -> bool | None:
        """Whether the target is taken as log-probabilities; None where it is not known."""
        return truth_of(self.inference, self.call, "log_target", False)

    @cached_property
    def facts(self) -> Facts:
        """What is known of the value of the call."""
        return self.inference.facts(self.call)

    @property
    def confidence(self) -> Confidence:
        """LIKELY when what the slots hold rests on a name."""
        likely = Confidence.LIKELY in (self.input.facts.confidence, self.target.facts.confidence)
        return Confidence.LIKELY if likely else Confidence.PROVEN

    @property
    def class_dim(self) -> int | None:
        """The dim over which the slots are distributions, as the code counts it."""
        for slot in (self.input, self.target):
            if slot.facts.dim is not None:
                return slot.facts.dim
        return None

    @property
    def class_dims_agree(self) -> bool:
        """Whether the slots are not known to be distributions over different dims."""
        return not self.input.facts.differs(self.target.facts.dim)

    @property
    def classes(self) -> Count | None:
        """The size of the class dim."""
        for slot in (self.input, self.target):
            if slot.facts.dim is not None:
                return slot.facts.size(slot.facts.dim)
        return self.input.facts.size(-1) if self.input.facts.rank == 1 else None

    @property
    def class_counts(self) -> tuple[Count, ...]:
        """The size of the class dim as each slot names it."""
        dim = self.class_dim
        own = [slot.facts.size(slot.facts.dim if slot.facts.dim is not None else dim or -1) for slot in self._slots]
        return tuple(size for size in (*(own if dim is not None else ()), self.classes) if size is not None)

    def may_count_classes(self, count: Count) -> bool:
        """Whether a size may be that of the class dim: where that is not known, or ``size(1)`` beside ``dim=-1`` at unknown rank."""
        if self.class_dim is None and any(f.shape and count in f.shape.sizes for f in (s.facts for s in self._slots)):
            return True
        if count.factor != 1 or len(count.powers) != 1 or count.powers[0][1] != 1:
            return False
        size = count.powers[0][0]
        owners = [slot.facts for slot in self._slots if slot.facts.root == size.tensor]
        dim = self.class_dim
        return any(facts.rank is None and (dim is None or facts.same_dim(size.dim, dim) is None) for facts in owners)

    @property
    def _slots(self) -> tuple[Slot, Slot]:
        return self.input, self.target

    @property
    def is_understood(self) -> bool:
        """Whether what both slots hold is known."""
        return all(slot.facts.space is not Space.UNKNOWN for slot in (self.input, self.target))

    def is_given(self, slot: str) -> bool:
        """Whether an option is written out, as opposed to left at its default."""
        node = self.call.arguments.get(slot)
        return node is not None and not (isinstance(node, Constant) and node.value is None)

    def factors(self, product: Operation) -> Iterator[Node]:
        """The factors of a product, those of products inside it and all alternatives of a choice included."""
        queue: list[Node] = list(product.operands())
        seen: set[int] = set()
        while queue:
            node = self.inference.resolve(queue.pop())
            if id(node) in seen or len(seen) > _USES:
                continue
            seen.add(id(node))
            if isinstance(node, Operation) and node.name == "mul":
                queue.extend(node.operands())
            elif isinstance(node, Choice):
                queue.extend((node.then, node.otherwise))
            yield node

    def uses(self, value: Node | None = None, names: tuple[str, ...] = ()) -> Iterator[Operation]:
        """The operations that use the value of the call, or ``value``, directly or through others, nearest first.

        Only those of some ``names``, if any are given, of a value that is computed from a loss: what leads to none of them is left aside.
        """
        leading = self.consumers.leading_to(names) if names else None
        queue: list[Node] = [value or self.call]
        seen: set[int] = set()
        for node in queue:
            if leading is not None and id(node) not in leading:
                continue
            for use in self.consumers(node):
                if id(use) not in seen and len(seen) < _USES:
                    seen.add(id(use))
                    queue.append(use)
                    if isinstance(use, Operation) and (not names or use.name in names):
                        yield use


@dataclass(frozen=True)
class OptionsSite(LossSite):
    """The options of a loss: of a functional call, or of a module where it is made, whether or not it is called in sight.

    ``call`` is the functional call, or a call of the module with tensors of which nothing is known.
    """

    @property
    def made(self) -> bool:
        """Whether it is a module that is made."""
        return self.call.constructor is not None

    @property
    def spec(self) -> LossSpec:
        """The loss in the table."""
        return LOSSES[self.loss]

    def literal(self, slot: str) -> Constant | None:
        """An option that is a literal in this world; None where it is absent, or not known."""
        node = self.inference.value(self.call, slot)
        return node if isinstance(node, Constant) else None

    def is_positional(self, slot: str) -> bool:
        """Whether an option is passed by its position."""
        tree, slots = self.anchor.tree, self.spec.positions(self.made)
        if not isinstance(tree, ast.Call) or any(isinstance(argument, ast.Starred) for argument in tree.args):
            return False
        return slot in slots and slots.index(slot) < len(tree.args)

    @cached_property
    def misplaced(self) -> dict[str, Constant]:
        """The literals that cannot be meant for the option that they are passed for: text, and by position any other."""
        found = {slot: self.literal(slot) for slot in LITERALS if slot in self.call.arguments}
        return {
            slot: node
            for slot, node in found.items()
            if node is not None
            and isinstance(node.value, (str, int, float))
            and type(node.value) not in LITERALS[slot]
            and (isinstance(node.value, str) or self.is_positional(slot))
        }

    @cached_property
    def legacy(self) -> dict[str, Node]:
        """The options of old that are given, and are not None whoever the caller is."""
        nodes = {slot: self.inference.value(self.call, slot) for slot in LEGACY}
        return {slot: node for slot, node in nodes.items() if node is not None and _is_switch(node)}


@dataclass(frozen=True)
class ComparisonSite:
    """Two values that the code puts side by side: subtracts, compares, prints or returns together.

    ``merged`` holds, by the ``id`` of a value that branches hold alike, the equal ones that it stands for.
    """

    left: Node
    right: Node
    place: Operation
    inference: Inference
    merged: Mapping[int, list[Node]] = field(default_factory=dict)

    def equal_calls(self, side: Node, call: Operation) -> Iterator[Operation]:
        """A call behind a side, and the equal ones of other branches for which the graph keeps it."""
        yield call
        queue, seen = [side], set[int]()
        for node in queue:
            if id(node) not in seen and len(seen) < _USES:
                seen.add(id(node))
                queue.extend((*node.operands(), *self.merged.get(id(node), ())))
                if isinstance(node, Operation) and node.identity == call.identity and exclude(node, call):
                    yield node

    @cached_property
    def sides(self) -> tuple[Facts, Facts]:
        """What is known of both."""
        return self.inference.facts(self.left), self.inference.facts(self.right)


def _is_switch(node: Node) -> bool:
    """Whether a value is a truth value: a literal, or a parameter that is one by default."""
    if isinstance(node, Parameter) and node.default is not None:
        node = node.default
        return isinstance(node, Constant) and isinstance(node.value, bool)
    return isinstance(node, Constant) and node.value is not None


def keeps_numbers(operation: Operation) -> bool:
    """Whether an operation changes no more than shape and type."""
    spec = OPERATIONS.get(operation.name)
    return spec is not None and spec.transfer in (Transfer.KEEP, Transfer.VIEW)


def exclude(one: Operation, other: Operation) -> bool:
    """Whether two operations stand on different sides of one condition."""
    holds = {condition.identity: truth for condition, truth in one.path}
    return any(holds.get(condition.identity, truth) != truth for condition, truth in other.path)
