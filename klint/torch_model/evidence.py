"""What code that is not about losses says of ranks: ``B, T, C = x.shape``, ``assert x.dim() == 2``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from klint.graph.nodes import Constant, Node, Operation


@dataclass(frozen=True)
class Evidence:
    """A rank that a tensor must have wherever the conditions of ``path`` hold."""

    rank: int
    path: tuple[tuple[Node, bool], ...]


def evidence(operations: Iterable[Operation]) -> Mapping[int, tuple[Evidence, ...]]:
    """The ranks of tensors, by their identity, that shapes which are unpacked (``unpack``) and assertions (``assert``) show."""
    found: dict[int, tuple[Evidence, ...]] = {}
    for operation in operations:
        said = None
        if operation.name == "unpack":
            said = _unpacked(operation)
        elif operation.name == "assert":
            said = tested_rank(operation.arguments["input"])
        if said is not None:
            tensor, rank = said
            found[tensor] = (*found.get(tensor, ()), Evidence(rank, operation.path))
    return found


def _unpacked(operation: Operation) -> tuple[int, int] | None:
    tensor, count = _shape_of(operation.arguments["input"]), operation.arguments["count"]
    if tensor is None or not isinstance(count, Constant) or not isinstance(count.value, int):
        return None
    return tensor.identity, count.value


def tested_rank(condition: Node) -> tuple[int, int] | None:
    """The tensor, by identity, and the rank that a condition says that it has: ``x.dim() == 2``, ``len(x.shape) == 2``."""
    if not isinstance(condition, Operation) or condition.name != "eq":
        return None
    left, right = condition.arguments["input"], condition.arguments["other"]
    if isinstance(left, Constant):
        left, right = right, left
    number = right.value if isinstance(right, Constant) else None
    if not isinstance(left, Operation) or not isinstance(number, int) or isinstance(number, bool):
        return None
    tensor = left.arguments.get("input")
    if left.name == "length" and tensor is not None:
        tensor = _shape_of(tensor)
    elif left.name != "dim":
        return None
    return None if tensor is None else (tensor.identity, number)


def _shape_of(node: Node) -> Node | None:
    """The tensor whose whole shape a value is."""
    is_shape = isinstance(node, Operation) and node.name == "shape" and "dim" not in node.arguments
    return node.arguments["input"] if is_shape and isinstance(node, Operation) else None
