"""What is behind a node of a graph, and what uses it: the questions that the engine asks of a whole graph."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from functools import cached_property

from klint.graph.build import Graph
from klint.graph.nodes import Choice, Constant, Dictionary, Node, Operation, Parameter, Reference, Unknown
from klint.graph.nodes import Sequence as SequenceNode
from klint.torch_model.comparisons import WRAPPING
from klint.torch_model.losses import LOSSES

REACH = 3_000
"""How many nodes behind a call are searched for a parameter."""

_LEAVES = frozenset({Constant, Parameter, Reference, Unknown})


def rests_on_parameter(call: Operation) -> bool:
    """Whether something behind a call is a parameter of the function that it stands in."""
    seen: set[int] = set()
    queue = list(call.operands())
    while queue and len(seen) < REACH:
        node = queue.pop()
        if isinstance(node, Parameter):
            return True
        if id(node) not in seen:
            seen.add(id(node))
            queue.extend(node.operands())
    return False


class Consumers:
    """The nodes that use a node: operations, and the choices and containers that operations are given.

    What uses a value that branches hold alike uses the equal ones too, of which the graph keeps none. Rules ask what becomes of losses, and most of
    a graph comes of none: what uses other values is looked up only where it is asked for.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._leading: dict[tuple[str, ...], set[int]] = {}

    def __call__(self, node: Node) -> Iterable[Node]:
        """What uses a node, in the order in which the walk over the code met it."""
        users = self._of_losses if id(node) in self._after_losses else self._of_all
        return users.get(id(node), ())

    def after(self, losses: Container[str]) -> frozenset[int]:
        """The ``id`` of every node that is computed from one of these losses."""
        queue: list[Node] = [operation for operation in self.graph.operations if operation.name in losses]
        found = {id(node) for node in queue}
        for node in queue:
            for user in self(node):
                if id(user) not in found:
                    found.add(id(user))
                    queue.append(user)
        return frozenset(found)

    def leading_to(self, names: tuple[str, ...]) -> Container[int]:
        """The ``id`` of every node computed from a loss of which an operation of one of these names is computed."""
        leading = self._leading.get(names)
        if leading is None:
            ends = (operation for operation in self.graph.operations if operation.name in names)
            queue = [id(operation) for operation in ends if id(operation) in self._after_losses]
            leading = self._leading[names] = set()
            for user in queue:
                sources = [source for source in self._sources.get(user, ()) if source not in leading]
                leading.update(sources)
                queue.extend(sources)
        return leading

    @cached_property
    def _sources(self) -> dict[int, list[int]]:
        """By its ``id``, the nodes computed from a loss that a node uses."""
        sources: dict[int, list[int]] = {}
        for node, users in self._of_losses.items():
            for user in users:
                sources.setdefault(id(user), []).append(node)
        return sources

    @cached_property
    def _of_losses(self) -> dict[int, list[Node]]:
        operations = self.graph.operations
        return self._users(
            [operation for operation in operations if id(operation) in self._after_losses], self._after_losses
        )

    @cached_property
    def _of_all(self) -> dict[int, list[Node]]:
        return self._users(self.graph.operations, None)

    def _users(self, operations: Iterable[Operation], among: Container[int] | None) -> dict[int, list[Node]]:
        """By the ``id`` of a node, of those in ``among`` if any are given, what uses it."""
        users: dict[int, list[Node]] = {}
        seen: set[int] = set()
        queue: list[Node] = list(operations)
        for node in queue:
            if id(node) in seen:
                continue
            seen.add(id(node))
            condition = node.condition if isinstance(node, Choice) else None
            for operand in node.operands():
                if among is None or id(operand) in among:
                    if operand is not condition:
                        users.setdefault(id(operand), []).append(node)
                    queue.append(operand)
        for kept, other in reversed(self.graph.merged):  # what is merged last is used by all that comes after
            own = users.setdefault(id(other), [])
            known = set(map(id, own))
            own.extend(use for use in users.get(id(kept), ()) if id(use) not in known)
        return users

    @cached_property
    def _after_losses(self) -> set[int]:
        """The ``id`` of every node that has a loss behind it, be it in a condition: found in one pass, as operands are made first."""
        after: set[int] = set()
        settled: set[int] = set()
        for operation in self.graph.operations:
            is_after = operation.name in LOSSES
            for operand in operation.arguments.values():
                if id(operand) not in settled and operand.__class__ not in _LEAVES:
                    _settle(operand, settled, after)
                is_after = is_after or id(operand) in after
            settled.add(id(operation))
            if is_after:
                after.add(id(operation))
        return after


def _settle(node: Node, settled: set[int], after: set[int]) -> None:
    """Note of a node, and of all behind it, whether there is a loss behind: what is no operation of the walk, such as a choice."""
    stack = [node]
    while stack:
        top = stack[-1]
        missing = [part for part in top.operands() if id(part) not in settled and part.__class__ not in _LEAVES]
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        settled.add(id(top))
        is_loss = isinstance(top, Operation) and top.name in LOSSES
        if is_loss or not after.isdisjoint(map(id, top.operands())):
            after.add(id(top))


def merged(graph: Graph) -> dict[int, list[Node]]:
    """By the ``id`` of a value that branches hold alike, the equal ones that it stands for from there on."""
    merged: dict[int, list[Node]] = {}
    for kept, other in graph.merged:
        merged.setdefault(id(kept), []).append(other)
    return merged


def bare(node: Node) -> Node:
    """What is compared or shown: ``pytest.approx(x)``, ``round(x, 4)`` and the like say how, and no more."""
    while isinstance(node, Operation) and node.name in WRAPPING and "input" in node.arguments:
        node = node.arguments["input"]
    return node


def flat(node: Node) -> Iterator[Node]:
    """The values inside printed tuples, dicts, and formatted strings."""
    node = bare(node)
    if isinstance(node, SequenceNode):
        for item in node.items:
            yield from flat(item)
    elif isinstance(node, Dictionary):
        for _, value in node.entries:
            yield from flat(value)
    elif isinstance(node, Operation) and node.name == "format":
        yield from flat(node.arguments["values"])
    else:
        yield node
