"""Layers and products, whose output are scores; and what is chosen or mixed element by element."""

from __future__ import annotations

from collections.abc import Iterable

from klint.finding import Confidence
from klint.graph.nodes import Constant, Operation, Sequence
from klint.torch_model.count import ONE, Count
from klint.torch_model.creation import like, new_size
from klint.torch_model.facts import NOTHING, Facts, Shape, Space, replace
from klint.torch_model.infer import Inference, reads, unread
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

T = Transfer


def weakest(operands: Iterable[Facts]) -> Confidence:
    """LIKELY if any operand is."""
    return Confidence.LIKELY if any(f.confidence is Confidence.LIKELY for f in operands) else Confidence.PROVEN


def broadcast(left: Shape | None, right: Shape | None) -> Shape | None:
    """The shape that torch broadcasts two shapes to; None where it is not known."""
    if left is None or right is None:
        return None
    sizes: list[Count] = []
    for index in range(-max(left.rank, right.rank), 0):
        first = left.sizes[index] if -index <= left.rank else ONE
        second = right.sizes[index] if -index <= right.rank else ONE
        if first != second and ONE not in (first, second):
            return None
        sizes.append(second if first == ONE else first)
    return Shape(tuple(sizes))


def _shape_of(inference: Inference, node: Operation, slot: str) -> Shape | None:
    """The shape of an operand; a number has no dims."""
    value = inference.value(node, slot)
    return Shape(()) if isinstance(value, Constant) else inference.argument(node, slot).shape


def _product(operands: tuple[Facts, ...], result: Facts, node: Operation) -> Facts:
    """Products with scores are scores; a product of two tensors of which nothing is known may well be a distribution."""
    if Space.SCORES not in {facts.space for facts in operands} or any(facts.is_distribution for facts in operands):
        return result
    return replace(result, space=Space.SCORES, made_by=node, confidence=weakest(operands))


@reads(T.MATMUL)
def matmul(inference: Inference, node: Operation) -> Facts:
    """A product of two tensors, and its shape."""
    left, right = inference.argument(node, "input"), inference.argument(node, "other")
    result = unread(inference, node)
    if node.name == "matmul" and left.shape is not None and right.shape is not None:
        result = replace(result, shape=_matmul_shape(left.shape.sizes, right.shape.sizes))
    return _product((left, right), result, node)


def _matmul_shape(left: tuple[Count, ...], right: tuple[Count, ...]) -> Shape | None:
    """The shape of a product: the inner dim goes, a vector brings no other, and the leading dims are broadcast."""
    if not left or not right:
        return None
    outer = (*left[-2:-1], *(right[-1:] if len(right) > 1 else ()))
    ahead = broadcast(Shape(left[:-2]), Shape(right[:-2]))
    return None if ahead is None else Shape((*ahead.sizes, *outer))


@reads(T.EINSUM)
def einsum(inference: Inference, node: Operation) -> Facts:
    """Products with scores are scores."""
    operands = inference.value(node, "operands")
    items = operands.items if isinstance(operands, Sequence) else ()
    if len(items) == 1 and isinstance(inner := inference.resolve(items[0]), Sequence):
        items = inner.items
    if node.open:
        return unread(inference, node)
    return _product(tuple(map(inference.facts, items)), unread(inference, node), node)


@reads(T.SCORES)
def scores(inference: Inference, node: Operation) -> Facts:
    """A layer: scores come out. ``detail`` says what is known of the shape."""
    source = inference.argument(node, "input")
    detail = OPERATIONS[node.name].detail
    if node.name == "addmm":
        operands = tuple(inference.argument(node, slot) for slot in ("input", "mat1", "mat2"))
        return _product(operands, unread(inference, node), node)
    if detail == "same shape":
        return replace(like(source, node, Space.SCORES), made_by=node)
    shape = source.shape
    if shape is not None and shape.sizes and detail in ("linear", "leading dims"):
        shape = Shape((*shape.sizes[:-1], _features(inference, node)))
    elif shape is not None and node.name == "embedding":
        features = inference.argument(node, "embedding_dim").count
        shape = Shape((*shape.sizes, features or new_size(node, -1)))
    elif detail.startswith("rank "):
        shape = _convolved(inference, node, source, int(detail.removeprefix("rank ")))
    else:
        shape = None
    return replace(unread(inference, node), space=Space.SCORES, made_by=node, shape=shape)


def _features(inference: Inference, node: Operation) -> Count:
    """The size that a linear layer gives the last dim."""
    weight = inference.argument(node, "weight")
    features = weight.shape.size(0) if weight.shape is not None else inference.argument(node, "out_features").count
    return features or new_size(node, -1)


def _convolved(inference: Inference, node: Operation, source: Facts, rank: int) -> Shape:
    """The shape after a convolution, of a batch unless the input is known to be a single one."""
    ahead = () if source.rank == rank - 1 else (source.size(0) or new_size(node, 0),)
    channels = inference.argument(node, "out_channels").count or new_size(node, -rank + 1)
    return Shape((*ahead, channels, *(new_size(node, dim) for dim in range(2 - rank, 0))))


@reads(T.EMBEDDING)
def embedding(inference: Inference, node: Operation) -> Facts:
    """Rows of a table: they mean what the table's rows mean."""
    places, table = inference.argument(node, "input"), inference.argument(node, "weight")
    shape = None
    if places.shape is not None:
        shape = Shape((*places.shape.sizes, table.size(-1) or new_size(node, -1)))
    result = replace(unread(inference, node), shape=shape)
    if table.space is Space.SCORES:
        return replace(result, space=Space.SCORES, made_by=node, confidence=table.confidence)
    if table.is_distribution and table.dim in (1, -1):
        return replace(result, space=table.space, dim=-1, made_by=table.made_by, confidence=table.confidence)
    return result


@reads(T.RECURRENT)
def recurrent(inference: Inference, node: Operation) -> Facts:
    """``nn.LSTM`` and its kin: the output, and the hidden state, which is a pair for an LSTM."""
    out = replace(unread(inference, node), space=Space.SCORES, made_by=node)
    pair = Facts(root=node.identity, values=node.identity, items=(out, out))
    hidden = pair if OPERATIONS[node.name].detail == "cell" else out
    if node.name == "lstmcell":
        return pair
    return Facts(root=node.identity, values=node.identity, items=(out, hidden))


@reads(T.ATTENTION)
def attention(inference: Inference, node: Operation) -> Facts:
    """``nn.MultiheadAttention``: the output, and the weights, which are a distribution unless some are dropped."""
    out = replace(unread(inference, node), space=Space.SCORES, made_by=node)
    dropped = inference.value(node, "dropout")
    is_whole = dropped is None or (isinstance(dropped, Constant) and not dropped.value)
    weights = replace(unread(inference, node), space=Space.PROBABILITIES, dim=-1, made_by=node, min_rank=2)
    rest = weights if is_whole and not node.open else unread(inference, node)
    return Facts(root=node.identity, values=node.identity, items=(out, rest))


@reads(T.AVERAGE)
def average(inference: Inference, node: Operation) -> Facts:
    """Averages of scores are scores."""
    source = inference.argument(node, "value")
    result = unread(inference, node)
    if source.space is not Space.SCORES:
        return result
    return replace(result, space=Space.SCORES, made_by=node, confidence=source.confidence)


@reads(T.COMPARE)
def compare(inference: Inference, node: Operation) -> Facts:
    """True or False for each pair of numbers."""
    shape = broadcast(_shape_of(inference, node, "input"), _shape_of(inference, node, "other"))
    result = unread(inference, node)
    return replace(result, shape=shape) if OPERATIONS[node.name].detail == "each" else result


@reads(T.WHERE)
def where(inference: Inference, node: Operation) -> Facts:
    """One of two values, element by element: scores if both are, or if the other is a number; or whole rows of either."""
    operands = [inference.argument(node, slot) for slot in ("input", "other")]
    tensors = [facts for facts in operands if facts.root is not None]
    result = unread(inference, node)
    if tensors and all(facts.space is Space.SCORES for facts in tensors):
        return replace(result, space=Space.SCORES, made_by=node, confidence=weakest(tensors))
    dim = _common_dim(operands)
    mask = inference.argument(node, "condition")
    if dim is None or mask.shape is None or not (-dim > mask.shape.rank or mask.size(dim) == ONE):
        return result
    return _mixed(result, operands, dim, node)


@reads(T.LERP)
def lerp(inference: Inference, node: Operation) -> Facts:
    """A weighted mean of two tensors: scores if both are, and with one weight a distribution if both are."""
    operands = [inference.argument(node, slot) for slot in ("input", "end")]
    result = unread(inference, node)
    if all(facts.space is Space.SCORES for facts in operands):
        return replace(result, space=Space.SCORES, made_by=node, confidence=weakest(operands))
    dim = _common_dim(operands)
    weight = _shape_of(inference, node, "weight")
    if dim is None or weight is None or weight.sizes or operands[0].space is not Space.PROBABILITIES:
        return result
    return _mixed(result, operands, dim, node)


def _common_dim(operands: list[Facts]) -> int | None:
    """The dim, from the right, that all operands are distributions over."""
    if not operands[0].is_distribution or len({facts.space for facts in operands}) != 1:
        return None
    dims = {facts.dim_from_right(facts.dim) for facts in operands}
    dim = dims.pop() if len(dims) == 1 else None
    return dim if dim is not None and dim < 0 else None


def _mixed(result: Facts, operands: list[Facts], dim: int, node: Operation) -> Facts:
    shape = broadcast(*(facts.shape for facts in operands))
    first = operands[0]
    return replace(result, space=first.space, dim=dim, shape=shape, made_by=node, confidence=weakest(operands))


def item(facts: Facts, place: int, node: Operation) -> Facts:
    """One item of a tuple of tensors, as a value of its own."""
    items = facts.items or ()
    if not -len(items) <= place < len(items):
        return NOTHING
    found = items[place]
    return found if found.items is not None else replace(found, values=node.identity, root=node.identity)
