"""How operations move the meaning of numbers: normalising, logarithms, layers, creation."""

from __future__ import annotations

from klint.graph.nodes import Constant, Node, Operation
from klint.torch_model.creation import is_integer, like, types_of, whole
from klint.torch_model.facts import NOTHING, Distribution, Facts, Shape, Space, replace
from klint.torch_model.infer import Inference, reads, unread
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

T = Transfer


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
    """Probabilities become log-probabilities of the same distribution; the log of an exp is what the exp was taken of."""
    source, maker = inference.argument(node, "input"), inference.value(node, "input")
    becomes = {Space.PROBABILITIES: Space.LOG_PROBABILITIES, Space.ELEMENTWISE: Space.LOG_ELEMENTWISE}
    space = becomes.get(source.space, Space.UNKNOWN)
    if space is Space.UNKNOWN and isinstance(maker, Operation) and maker.name == "exp":
        return inference.argument(maker, "input")
    distribution = source.distribution
    if distribution is None and source.values is not None:
        distribution = Distribution(source.values, None, normalised=False)
    result = replace(like(source, node, space), dim=source.dim, made_by=node, distribution=distribution)
    return replace(result, confidence=source.confidence)


@reads(T.EXP)
def exp(inference: Inference, node: Operation) -> Facts:
    """Log-probabilities become probabilities of the same distribution; the exp of probabilities, from 1 to e, is neither."""
    source = inference.argument(node, "input")
    becomes = {Space.LOG_PROBABILITIES: Space.PROBABILITIES, Space.LOG_ELEMENTWISE: Space.ELEMENTWISE}
    if source.space in becomes.values():
        return replace(like(source, node, Space.SCORES), made_by=node, confidence=source.confidence)
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


_CASTS = ("float", "double", "half", "bfloat16", "to", "type")
_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


@reads(T.KEEP)
def keep(inference: Inference, node: Operation) -> Facts:
    """The same numbers in the same shape, maybe of another type."""
    source = inference.argument(node, "input")
    if node.name not in _CASTS:
        return source
    kind = is_integer(inference, node) if node.name in ("to", "type") else False
    if kind:
        return whole(source, node)
    is_moved = node.name == "to" and all(_is_device(argument) for argument in types_of(inference, node))
    if kind is None and source.integer and is_moved:
        return source
    if source.space is Space.INDICES:
        return like(source, node)
    maker = inference.value(node, "input")
    if kind is False and isinstance(maker, Operation) and maker.name in _COMPARISONS:
        return replace(like(source, node, Space.ELEMENTWISE), made_by=node)
    return replace(source, integer=None) if source.integer else source


def _is_device(argument: Node) -> bool:
    """Whether an argument of ``to`` names a device, and so leaves the type alone."""
    if isinstance(argument, Constant):
        return True
    return any(word in argument.anchor.text.lower() for word in ("device", "cuda", "gpu", "rank"))


@reads(T.PARAMETER)
def parameter(inference: Inference, node: Operation) -> Facts:
    """A tensor that is learnt: scores stay scores, what else it began as does not last."""
    source = inference.argument(node, "input")
    result = like(source, node)
    if source.space is not Space.SCORES:
        return result
    return replace(result, space=Space.SCORES, made_by=node, confidence=source.confidence)


@reads(T.BUFFER)
def buffer(inference: Inference, node: Operation) -> Facts:
    """A tensor that a module holds: what it began with may be overwritten at any time, the shape stays."""
    return like(inference.argument(node, "input"), node)


@reads(T.CLAMP)
def clamp(inference: Inference, node: Operation) -> Facts:
    """The same meaning up to a bound, but no longer the same numbers; whole ones only if the bounds are whole."""
    source = inference.argument(node, "input")
    result = replace(source, values=node.identity, distribution=None, loss=None, terms=None, fill=None)
    bounds = [inference.value(node, slot) for slot in ("min", "max")]
    is_whole = all(bound is None or (isinstance(bound, Constant) and isinstance(bound.value, int)) for bound in bounds)
    return result if is_whole or not source.integer else replace(result, integer=None)


@reads(T.STAY_SCORES)
def stay_scores(inference: Inference, node: Operation) -> Facts:
    """Scores stay scores. What becomes of a distribution is not known: dropout, a mask or a selection breaks it."""
    source = inference.argument(node, "input")
    result = like(source, node) if OPERATIONS[node.name].detail == "same shape" else unread(inference, node)
    if source.space is not Space.SCORES:
        return replace(result, integer=source.integer)
    return replace(result, space=Space.SCORES, made_by=node, confidence=source.confidence)


_NOT_NEGATIVE = frozenset("rand exp softplus abs square sqrt softmax sigmoid".split())


@reads(T.NORMALIZE)
def normalize(inference: Inference, node: Operation) -> Facts:
    """Unit vectors are scores; with ``p=1`` numbers that are not negative become a distribution."""
    source = inference.argument(node, "input")
    norm = inference.value(node, "p")
    if norm is None or (isinstance(norm, Constant) and norm.value == 2):
        return replace(like(source, node), space=Space.SCORES, made_by=node)
    dim = inference.integer(node, "dim") if "dim" in node.arguments else 1
    maker = inference.value(node, "input")
    positive = source.space in (Space.PROBABILITIES, Space.ELEMENTWISE) and source.fill is None
    positive = positive or (isinstance(maker, Operation) and maker.name in _NOT_NEGATIVE)
    if positive and dim is not None and isinstance(norm, Constant) and norm.value == 1:
        return replace(like(source, node), space=Space.PROBABILITIES, dim=dim, made_by=node)
    return like(source, node)


@reads(T.COSINE)
def cosine(inference: Inference, node: Operation) -> Facts:
    """Cosines: scores, whatever the rows are that they are taken of."""
    return replace(unread(inference, node), space=Space.SCORES, made_by=node)


@reads(T.LIKE_FIRST)
def like_first(inference: Inference, node: Operation) -> Facts:
    """The same meaning over dims that are not followed."""
    source = inference.argument(node, "input")
    return replace(unread(inference, node), space=source.space, made_by=source.made_by, confidence=source.confidence)


@reads(T.NUMBER)
def number(inference: Inference, node: Operation) -> Facts:
    """``float(x)``, ``x.item()``: the same value as a Python number, which has no dims."""
    source = inference.argument(node, "input")
    return source if source.root is None else replace(source, shape=Shape(()))


@reads(T.UNKNOWN)
def nothing(inference: Inference, node: Operation) -> Facts:
    """Nothing is followed through."""
    return unread(inference, node)
