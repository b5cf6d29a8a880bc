"""How operations move the meaning of numbers: normalising, logarithms, layers, creation."""

from __future__ import annotations

import math
from dataclasses import replace

from klint.graph.nodes import Constant, Node, Operation, Sequence
from klint.torch_model.count import Count
from klint.torch_model.facts import NOTHING, Distribution, Facts, Shape, Space
from klint.torch_model.infer import Inference, reads, short, unread
from klint.torch_model.operations import OPERATIONS, Transfer

T = Transfer


def like(source: Facts, node: Node, space: Space = Space.UNKNOWN) -> Facts:
    """New numbers in the shape of ``source``."""
    return Facts(
        space=space,
        shape=source.shape,
        min_rank=source.min_rank,
        root=source.root,
        values=node.identity,
        name=source.name or short(node),
    )


@reads(T.SOFTMAX, T.LOG_SOFTMAX)
def softmax(inference: Inference, node: Operation) -> Facts:
    """Scores become (log-)probabilities over ``dim``; without dim torch takes 0 for rank 0, 1 and 3, else 1."""
    spec = OPERATIONS[node.name]
    slot = "logits" if node.name == "gumbel_softmax" else "input"
    source = inference.argument(node, slot)
    dim = inference.integer(node, "dim")
    if spec.detail.startswith("dim="):
        dim = int(spec.detail.removeprefix("dim="))
    elif node.name == "gumbel_softmax" and "dim" not in node.arguments:
        dim = -1
    elif dim is None and "dim" not in node.arguments and source.rank is not None:
        dim = 0 if source.rank in (0, 1, 3) else 1
    space = Space.LOG_PROBABILITIES if spec.transfer is T.LOG_SOFTMAX else Space.PROBABILITIES
    result = like(source, node, space)
    if dim is not None and source.rank is None:
        result = replace(result, min_rank=max(result.min_rank, dim + 1 if dim >= 0 else -dim))
    distribution = None
    if node.name in ("softmax", "log_softmax", "softmax2d") and source.values is not None:
        distribution = Distribution(source.values, source.dim_from_right(dim))
        if source.space is Space.LOG_PROBABILITIES and source.same_dim(dim, source.dim):
            distribution = source.distribution or distribution
    return replace(result, dim=dim, made_by=node, distribution=distribution)


@reads(T.LOG)
def log(inference: Inference, node: Operation) -> Facts:
    """Probabilities become log-probabilities of the same distribution."""
    source = inference.argument(node, "input")
    becomes = {Space.PROBABILITIES: Space.LOG_PROBABILITIES, Space.ELEMENTWISE: Space.LOG_ELEMENTWISE}
    space = becomes.get(source.space, Space.UNKNOWN)
    distribution = source.distribution
    if distribution is None and source.values is not None:
        distribution = Distribution(source.values, None, normalised=False)
    result = replace(like(source, node, space), dim=source.dim, made_by=node, distribution=distribution)
    return replace(result, confidence=source.confidence)


@reads(T.EXP)
def exp(inference: Inference, node: Operation) -> Facts:
    """Log-probabilities become probabilities of the same distribution."""
    source = inference.argument(node, "input")
    becomes = {Space.LOG_PROBABILITIES: Space.PROBABILITIES, Space.LOG_ELEMENTWISE: Space.ELEMENTWISE}
    space = becomes.get(source.space, Space.UNKNOWN)
    result = like(source, node, space)
    if space is Space.UNKNOWN:
        return result
    return replace(result, dim=source.dim, made_by=node, distribution=source.distribution, confidence=source.confidence)


@reads(T.SIGMOID, T.LOG_SIGMOID)
def sigmoid(inference: Inference, node: Operation) -> Facts:
    """Every number becomes a probability (or its log) of its own."""
    is_log = OPERATIONS[node.name].transfer is T.LOG_SIGMOID
    space = Space.LOG_ELEMENTWISE if is_log else Space.ELEMENTWISE
    return replace(like(inference.argument(node, "input"), node, space), made_by=node)


@reads(T.KEEP)
def keep(inference: Inference, node: Operation) -> Facts:
    """The same numbers in the same shape."""
    source = inference.argument(node, "input")
    if node.name in ("float", "double", "half", "bfloat16", "to", "type") and source.space is Space.INDICES:
        return like(source, node)
    return source


@reads(T.CLAMP)
def clamp(inference: Inference, node: Operation) -> Facts:
    """The same meaning up to a bound, but no longer the same numbers."""
    source = inference.argument(node, "input")
    return replace(source, values=node.identity, distribution=None, loss=None, terms=None)


@reads(T.BOUNDED)
def bounded(inference: Inference, node: Operation) -> Facts:
    """An activation: its output is scores if it is fed from scores, otherwise not known."""
    source = inference.argument(node, "input")
    space = Space.SCORES if source.space is Space.SCORES else Space.UNKNOWN
    return replace(like(source, node, space), made_by=node, confidence=source.confidence)


@reads(T.SCORES)
def scores(inference: Inference, node: Operation) -> Facts:
    """A layer: scores come out. ``detail`` says what is known of the shape."""
    source = inference.argument(node, "input")
    detail = OPERATIONS[node.name].detail
    result = replace(unread(inference, node), space=Space.SCORES, made_by=node)
    if detail == "same shape":
        return replace(like(source, node, Space.SCORES), made_by=node)
    if detail == "linear" and source.shape is not None and source.shape.sizes:
        features = inference.argument(node, "out_features").count
        if features is not None:
            return replace(result, shape=Shape((*source.shape.sizes[:-1], features)))
    return result


@reads(T.INDICES)
def indices(inference: Inference, node: Operation) -> Facts:
    """Whole numbers."""
    detail = OPERATIONS[node.name].detail
    if detail == "size":
        return replace(created(inference, node, "size"), space=Space.INDICES, integer=True, made_by=node)
    if node.name == "long":
        return replace(inference.argument(node, "input"), space=Space.INDICES, integer=True, made_by=node, terms=None)
    return replace(unread(inference, node), space=Space.INDICES, integer=True, made_by=node)


@reads(T.ONE_HOT)
def one_hot(inference: Inference, node: Operation) -> Facts:
    """A distribution in whole numbers, over a new last dim."""
    return replace(unread(inference, node), space=Space.PROBABILITIES, dim=-1, integer=True, made_by=node)


def created(inference: Inference, node: Operation, slot: str) -> Facts:
    """A new tensor whose sizes are listed in ``slot``."""
    result = unread(inference, node)
    sizes = inference.counts(node.arguments.get(slot))
    if sizes is None or any(size is None for size in sizes):
        return result
    return replace(result, shape=Shape(tuple(size for size in sizes if size is not None)))


@reads(T.CREATE)
def create(inference: Inference, node: Operation) -> Facts:
    """``torch.randn`` makes scores; of ``rand``, ``zeros`` and the like only the shape is known."""
    space, _, source = OPERATIONS[node.name].detail.partition(" ")
    result = like(inference.argument(node, "input"), node) if source else created(inference, node, "size")
    return replace(result, space=Space.SCORES, made_by=node) if space == "scores" else result


@reads(T.LITERAL)
def literal(inference: Inference, node: Operation) -> Facts:
    """``torch.tensor([[0.2, 0.8]])``: its shape, and what its numbers show themselves to be over the last dim."""
    data = inference.value(node, "input")
    if data is None:
        return unread(inference, node)
    rows, sizes = _rows(inference, data)
    if rows is None:
        return unread(inference, node)
    result = replace(unread(inference, node), shape=Shape(tuple(map(Count.number, sizes))), made_by=node)
    numbers = [number for row in rows for number in row]
    if "dtype" not in node.arguments and node.name == "tensor" and all(isinstance(number, int) for number in numbers):
        return replace(result, space=Space.INDICES, integer=True)
    if not sizes or not numbers:
        return result
    if min(numbers) >= 0 and all(math.isclose(math.fsum(row), 1, rel_tol=1e-4) for row in rows):
        return replace(result, space=Space.PROBABILITIES, dim=-1)
    if max(numbers) <= 0 and all(math.isclose(math.fsum(map(math.exp, row)), 1, rel_tol=1e-3) for row in rows):
        return replace(result, space=Space.LOG_PROBABILITIES, dim=-1)
    return replace(result, space=Space.SCORES)


def _rows(inference: Inference, data: Node) -> tuple[list[list[float]] | None, list[int]]:
    """The innermost rows of nested lists of numbers, and their sizes from the outside in."""
    data = inference.resolve(data)
    if isinstance(data, Constant):
        number = data.value
        known = isinstance(number, (int, float)) and not isinstance(number, bool)
        return ([[number]] if known and isinstance(number, (int, float)) else None), []
    if not isinstance(data, Sequence):
        return None, []
    rows: list[list[float]] = []
    inner: list[int] | None = None
    for item in data.items:
        part, sizes = _rows(inference, item)
        if part is None or (inner is not None and sizes != inner):
            return None, []
        inner = sizes
        rows.extend(part)
    if not inner:
        rows = [[number for row in rows for number in row]]
    return rows, [len(data.items), *(inner or [])]


@reads(T.NUMBER)
def number(inference: Inference, node: Operation) -> Facts:
    """``float(x)``, ``x.item()``: the same value as a Python number."""
    return inference.argument(node, "input")


@reads(T.JOIN, T.COMPARE, T.UNKNOWN, T.LOGSUMEXP)
def nothing(inference: Inference, node: Operation) -> Facts:
    """Nothing is followed through."""
    return unread(inference, node) if OPERATIONS[node.name].transfer is not T.UNKNOWN else NOTHING
