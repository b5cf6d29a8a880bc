"""What is behind a node of a graph, and what uses it: the questions that the engine asks of a whole graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from klint.graph.build import Graph
from klint.graph.nodes import Choice, Dictionary, Node, Operation, Parameter
from klint.graph.nodes import Sequence as SequenceNode
from klint.torch_model.comparisons import WRAPPING

REACH = 3_000
"""How many nodes behind a site are searched for conditions."""


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


def consumers(graph: Graph) -> dict[int, list[Node]]:
    """The nodes that use a node, by its ``id``: operations, and the choices and containers that operations are given.

    What uses a value that branches hold alike uses the equal ones too, of which the graph keeps none.
    """
    consumers: dict[int, list[Node]] = {}
    seen: set[int] = set()
    queue: list[Node] = list(graph.operations)
    for node in queue:
        if id(node) not in seen:
            seen.add(id(node))
            condition = node.condition if isinstance(node, Choice) else None
            for operand in node.operands():
                if operand is not condition:
                    consumers.setdefault(id(operand), []).append(node)
                queue.append(operand)
    for kept, other in reversed(graph.merged):  # what is merged last is used by all that comes after
        own = consumers.setdefault(id(other), [])
        known = set(map(id, own))
        own.extend(use for use in consumers.get(id(kept), ()) if id(use) not in known)
    return consumers


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


def conditions_behind(nodes: Iterable[Node]) -> tuple[dict[int, Node], set[int]]:
    """The conditions of all choices behind some nodes, and the identities of everything behind them."""
    conditions: dict[int, Node] = {}
    seen: set[int] = set()
    identities: set[int] = set()
    queue = list(nodes)
    while queue and len(seen) < REACH:
        node = queue.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        identities.add(node.identity)
        if isinstance(node, Choice):
            if isinstance(node.condition, Choice):  # a flag that is itself chosen: what it hangs on counts
                queue.append(node.condition)
            else:
                conditions.setdefault(node.condition.identity, node.condition)
            queue.extend((node.then, node.otherwise))
        else:
            queue.extend(node.operands())
    return conditions, identities
