"""The places that rules judge: loss calls with their slots, and comparisons of two values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from klint.finding import Confidence
from klint.graph.nodes import Constant, ModuleObject, Node, Operation
from klint.source.python import Anchor
from klint.torch_model.count import Count
from klint.torch_model.facts import Facts, Space
from klint.torch_model.infer import Inference, short
from klint.torch_model.loss_calls import reduction_of, truth_of

Consumers = Mapping[int, list[Operation]]
"""The operations that use a node, by the node's ``id``."""


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
    def maker(self) -> Operation | None:
        """The operation that established what the slot holds."""
        return self.facts.made_by if isinstance(self.facts.made_by, Operation) else None


@dataclass(frozen=True)
class LossSite:
    """One loss call in one world."""

    call: Operation
    inference: Inference
    consumers: Consumers

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
        """What torch calls ``target``."""
        return self._slot("target")

    def _slot(self, name: str) -> Slot:
        node = self.call.arguments.get(name)
        if node is None:
            return Slot(name, self.call, Facts())
        return Slot(name, self.inference.resolve(node), self.inference.facts(node))

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
    def classes(self) -> Count | None:
        """The size of the class dim."""
        for slot in (self.input, self.target):
            if slot.facts.dim is not None:
                return slot.facts.size(slot.facts.dim)
        return self.input.facts.size(-1) if self.input.facts.rank == 1 else None

    @property
    def is_understood(self) -> bool:
        """Whether what both slots hold is known."""
        return all(slot.facts.space is not Space.UNKNOWN for slot in (self.input, self.target))

    def is_given(self, slot: str) -> bool:
        """Whether an option is written out, as opposed to left at its default."""
        node = self.call.arguments.get(slot)
        return node is not None and not (isinstance(node, Constant) and node.value is None)

    def factors(self, product: Operation) -> Iterator[Node]:
        """The factors of a product, those of products inside it included."""
        queue: list[Node] = list(product.operands())
        while queue:
            node = self.inference.resolve(queue.pop())
            if isinstance(node, Operation) and node.name == "mul":
                queue.extend(node.operands())
            else:
                yield node

    def uses(self) -> Iterator[Operation]:
        """The operations that use the value, directly or through others, nearest first."""
        queue = [*self.consumers.get(id(self.call), ())]
        seen: set[int] = set()
        while queue:
            operation = queue.pop(0)
            if id(operation) not in seen and len(seen) < 100:
                seen.add(id(operation))
                yield operation
                queue.extend(self.consumers.get(id(operation), ()))


@dataclass(frozen=True)
class ComparisonSite:
    """Two values that the code puts side by side: subtracts, compares, prints or returns together."""

    left: Node
    right: Node
    place: Operation
    inference: Inference

    @cached_property
    def sides(self) -> tuple[Facts, Facts]:
        """What is known of both."""
        return self.inference.facts(self.left), self.inference.facts(self.right)
