"""How operations move the meaning of numbers: normalising, logarithms, layers, creation."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from klint.finding import Confidence
from klint.graph.nodes import Constant, Node, Operation, Sequence
from klint.torch_model.count import Count, Size
from klint.torch_model.facts import NOTHING, Distribution, Facts, Shape, Space
from klint.torch_model.infer import Inference, reads, short, unread
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

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
    if spec.detail == "categorical":
        return _categorical(inference, node)
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


def _categorical(inference: Inference, node: Operation) -> Facts:
    """``Categorical(...).probs`` and ``.logits``: normalised over the last dim, whatever it was made of."""
    space = Space.PROBABILITIES if node.name == "categorical_probs" else Space.LOG_PROBABILITIES
    source = categorical_source(inference, node)
    return replace(like(source, node, space), dim=-1, made_by=node, distribution=source.distribution)


def categorical_source(inference: Inference, node: Operation) -> Facts:
    """The tensor that a Categorical was made of, with the distribution that it then holds."""
    slot = "logits" if inference.is_given(node, "logits") else "probs"
    source = inference.argument(node, slot)
    if source.values is None or node.open:
        return NOTHING
    if source.is_distribution and source.distribution is not None:
        return source
    return replace(source, distribution=Distribution(source.values, -1, normalised=slot == "logits"))


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


@reads(T.STAY_SCORES, T.SELECT, T.OVERWRITE)
def stay_scores(inference: Inference, node: Operation) -> Facts:
    """Scores stay scores. What becomes of a distribution is not known: dropout, a mask or a selection breaks it."""
    source = inference.argument(node, "input")
    keeps_shape = OPERATIONS[node.name].detail == "same shape" or OPERATIONS[node.name].transfer is T.OVERWRITE
    result = like(source, node) if keeps_shape else unread(inference, node)
    if source.space is not Space.SCORES:
        return replace(result, integer=source.integer)
    return replace(result, space=Space.SCORES, made_by=node, confidence=source.confidence)


@reads(T.MATMUL)
def matmul(inference: Inference, node: Operation) -> Facts:
    """Products with scores are scores; a product of two tensors of which nothing is known may well be a distribution."""
    operands = (inference.argument(node, "input"), inference.argument(node, "other"))
    result = unread(inference, node)
    if Space.SCORES not in {facts.space for facts in operands} or any(facts.is_distribution for facts in operands):
        return result
    return replace(result, space=Space.SCORES, made_by=node, confidence=weakest(operands))


def weakest(operands: Iterable[Facts]) -> Confidence:
    """LIKELY if any operand is."""
    return Confidence.LIKELY if any(f.confidence is Confidence.LIKELY for f in operands) else Confidence.PROVEN


@reads(T.NORMALIZE)
def normalize(inference: Inference, node: Operation) -> Facts:
    """Unit vectors are scores; with ``p=1`` they may be a distribution."""
    source = inference.argument(node, "input")
    norm = inference.value(node, "p")
    unit = norm is None or (isinstance(norm, Constant) and norm.value == 2)
    return replace(like(source, node), space=Space.SCORES, made_by=node) if unit else like(source, node)


@reads(T.WHERE)
def where(inference: Inference, node: Operation) -> Facts:
    """One of two values, element by element: scores if both are, or if the other is a number."""
    operands = [inference.argument(node, slot) for slot in ("input", "other")]
    tensors = [facts for facts in operands if facts.root is not None]
    result = unread(inference, node)
    if tensors and all(facts.space is Space.SCORES for facts in tensors):
        return replace(result, space=Space.SCORES, made_by=node, confidence=weakest(tensors))
    return result


@reads(T.SPLIT)
def split(inference: Inference, node: Operation) -> Facts:
    """A tuple of parts: the facts of any of them, which ``shapes.index`` hands out."""
    source = inference.argument(node, "input")
    dim = inference.integer(node, "dim") if "dim" in node.arguments else 0
    same = None if dim is None else source.same_dim(dim, source.dim)
    if source.is_distribution and same is not False and not (source.dim == -1 and dim == 0 and source.min_rank > 1):
        return unread(inference, node)
    kept = source.dim if source.dim is not None and source.dim < 0 else source.dim_from_right(source.dim)
    kept = kept if kept is None or kept < 0 else None
    return replace(
        unread(inference, node),
        space=source.space,
        dim=kept if source.is_distribution else None,
        made_by=source.made_by,
        confidence=source.confidence,
        integer=source.integer,
    )


@reads(T.EXTREME)
def extreme(inference: Inference, node: Operation) -> Facts:
    """``max`` and its kin: of scores, scores. The indices that come along are told apart by ``shapes.index``."""
    source = inference.argument(node, "input")
    space = Space.SCORES if source.space is Space.SCORES else Space.UNKNOWN
    return replace(unread(inference, node), space=space, made_by=node, confidence=source.confidence)


@reads(T.LIKE_FIRST)
def like_first(inference: Inference, node: Operation) -> Facts:
    """The same meaning over dims that are not followed."""
    source = inference.argument(node, "input")
    return replace(unread(inference, node), space=source.space, made_by=source.made_by, confidence=source.confidence)


@reads(T.JOIN)
def join_tensors(inference: Inference, node: Operation) -> Facts:
    """``cat`` and ``stack``: scores of scores; distributions stay whole unless they are joined along their own dim."""
    tensors = inference.value(node, "tensors")
    parts = [inference.facts(item) for item in tensors.items] if isinstance(tensors, Sequence) else []
    result = unread(inference, node)
    if not parts or len({part.space for part in parts}) != 1:
        return result
    first = parts[0]
    dim = inference.integer(node, "dim") if "dim" in node.arguments else 0
    confidence = weakest(parts)
    if first.space is Space.SCORES:
        return replace(result, space=Space.SCORES, made_by=node, confidence=confidence)
    ranks = {part.rank for part in parts}
    rights = {part.dim_from_right(part.dim) for part in parts}
    right = rights.pop() if len(rights) == 1 else None
    if not first.is_distribution or dim is None or right is None or right >= 0:
        return result
    rank = ranks.pop() if len(ranks) == 1 else None
    if node.name == "stack":
        below = dim < 0 and -dim - 1 <= -right - 1 and dim == -1  # a new last dim pushes the others left
        moved = right - 1 if below else right
        known = dim == 0 or dim == -1 or (rank is not None)
        if rank is not None and dim not in (0, -1):
            place = dim % (rank + 1)
            moved = right if place <= rank + right else right - 1
        shape = None
        if rank is not None and first.shape is not None and all(part.shape == first.shape for part in parts):
            sizes = list(first.shape.sizes)
            sizes.insert(dim % (rank + 1), Count.number(len(parts)))
            shape = Shape(tuple(sizes))
        return replace(result, space=first.space, dim=moved, made_by=first.made_by, shape=shape) if known else result
    along = dim if dim < 0 else None if rank is None else dim - rank
    if along is None and dim == 0 and min(part.min_rank for part in parts) > -right:
        along = -1_000  # the first dim is not the one that is normalised over
    if along is None or along == right:
        return result
    return replace(result, space=first.space, dim=right, made_by=first.made_by, confidence=confidence)


@reads(T.LOGSUMEXP)
def logsumexp(inference: Inference, node: Operation) -> Facts:
    """The normaliser of scores; ``x - x.logsumexp(...)`` is recognised where it is subtracted."""
    return replace(unread(inference, node), made_by=node)


@reads(T.SCORES)
def scores(inference: Inference, node: Operation) -> Facts:
    """A layer: scores come out. ``detail`` says what is known of the shape."""
    source = inference.argument(node, "input")
    detail = OPERATIONS[node.name].detail
    result = replace(unread(inference, node), space=Space.SCORES, made_by=node)
    if detail == "same shape":
        return replace(like(source, node, Space.SCORES), made_by=node)
    if detail == "linear" and source.shape is not None and source.shape.sizes:
        features = inference.argument(node, "out_features").count or Count.of(Size(node.identity, -1, "C"))
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


@reads(T.COMPARE, T.UNKNOWN)
def nothing(inference: Inference, node: Operation) -> Facts:
    """Nothing is followed through."""
    return unread(inference, node)
