"""How arithmetic moves facts: sums and means of losses, sums of loss terms, and sizes as numbers."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from klint.graph.nodes import Constant, Node, Operation
from klint.torch_model.count import ONE, ZERO, Count, inverse
from klint.torch_model.creation import whole
from klint.torch_model.facts import Distribution, Facts, Shape, Space, replace
from klint.torch_model.infer import Inference, reads, unread
from klint.torch_model.mixtures import mean_of_logs
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.scalars import added, number, operand, power, whole_quotient
from klint.torch_model.table import Transfer
from klint.torch_model.terms import (
    MINUS,
    add_terms,
    multiplied_parts,
    same_positions,
    scaled_parts,
    scaled_terms,
    summed_parts,
)

T = Transfer

_AS_IN_NUMPY = {"axis": "dim", "keepdims": "keepdim"}
"""numpy's names of arguments, which torch takes as well."""

_EPSILON = 1e-2
"""What is added to probabilities below this is taken for protection against log(0)."""


@reads(T.ADD, T.SUB)
def add(inference: Inference, node: Operation) -> Facts:
    """Sums of scores are scores; sums of losses have the terms of both; so do sums of what they are made of."""
    left, right = operand(inference, node, "input"), operand(inference, node, "other")
    if inference.is_given(node, "alpha"):
        return _same_shape(inference, node, left, right)
    sign = -1 if node.name == "sub" else 1
    if left.count is not None and right.count is not None:
        return number(added(left.count, right.count, sign))
    if right.count == ZERO or (left.count == ZERO and sign > 0):
        return right if left.count == ZERO else left
    result = _same_shape(inference, node, left, right)
    if _stays_whole(inference, node):
        return whole(result, node)
    result = summed_parts(result, left, right, Count.number(sign))
    if left.terms is not None and right.terms is not None and same_positions(left, right):
        return replace(result, terms=add_terms((*left.terms, *(scaled_terms(right.terms, Count.number(sign)) or ()))))
    if node.name == "sub" and _is_log_normaliser(inference, node, left, right):
        return replace(result, **_normalised(left, node, right, Space.LOG_PROBABILITIES))
    mean = mean_of_logs(inference, node, result) if node.name == "sub" else None
    if mean is not None:
        return mean
    first, second = _mass(left), _mass(right)
    if node.name == "add" and first and second and left.same_dim(left.dim, right.dim):
        return _mixture(result, left, first + second, node)
    for scores, other in ((left, "other"), (right, "input")):
        if scores.space is Space.SCORES and _is_held(inference, inference.value(node, other)):
            return replace(result, space=Space.SCORES, made_by=node, confidence=scores.confidence)
    return _shifted(result, left, right, node)


_OF_ONE_TENSOR = (Transfer.KEEP, Transfer.VIEW, Transfer.INDEX, Transfer.SELECT)


def _is_held(inference: Inference, node: Node | None) -> bool:
    """Whether a value is, or is part of, a tensor that a module learns or holds: no sum with one normalises scores."""
    while isinstance(node, Operation):
        transfer = OPERATIONS[node.name].transfer if node.name in OPERATIONS else None
        if transfer in (Transfer.PARAMETER, Transfer.BUFFER):
            return True
        node = inference.value(node, "input") if transfer in _OF_ONE_TENSOR else None
    return False


_WHOLE_NUMBERS = frozenset("numel length process".split())
_STAY_WHOLE = frozenset("add sub mul floordiv neg".split())


def _stays_whole(inference: Inference, node: Operation) -> bool:
    """Whether a sum or product is one of class indices and whole numbers, and so whole itself."""
    operands = [inference.value(node, slot) for slot in ("input", "other")]
    indices = [operand is not None and inference.facts(operand).space is Space.INDICES for operand in operands]
    return any(indices) and all(
        is_index or _is_whole(inference, operand) for is_index, operand in zip(indices, operands, strict=True)
    )


def _is_whole(inference: Inference, node: Node | None) -> bool:
    """Whether a value is a Python number, and a whole one: a literal, a size, or what is computed of those."""
    queue = [node]
    for value in queue:
        if isinstance(value, Constant):
            if type(value.value) is not int:
                return False
        elif isinstance(value, Operation) and value.name in _STAY_WHOLE:
            queue.extend(map(inference.resolve, value.operands()))
        elif not isinstance(value, Operation) or not (value.name in _WHOLE_NUMBERS or _is_size(inference, value)):
            return False
    return True


def _is_size(inference: Inference, value: Operation) -> bool:
    """``x.size(0)``, ``x.shape[0]``."""
    return value.name in ("shape", "getitem") and inference.facts(value).count is not None


def _shifted(result: Facts, left: Facts, right: Facts, node: Operation) -> Facts:
    """Scores plus scores, scores plus a number, probabilities plus an epsilon."""
    constants = [facts.count if facts.count and facts.count.is_number else None for facts in (left, right)]
    if {left.space, right.space} == {Space.SCORES} or (Space.SCORES in (left.space, right.space) and any(constants)):
        confidence = max(left.confidence, right.confidence, key=lambda c: c.value == "likely")
        return replace(result, space=Space.SCORES, made_by=node, confidence=confidence)
    epsilon = constants[1] or constants[0]
    kept = right if constants[0] else left
    if epsilon is not None and 0 < abs(epsilon.factor) < _EPSILON and kept.space is Space.PROBABILITIES:
        return replace(kept, values=node.identity, distribution=None)
    return result


@reads(T.MUL, T.DIV)
def multiply(inference: Inference, node: Operation) -> Facts:
    """Scores times a number stay scores; a loss over a number has a larger divisor; sizes multiply."""
    left, right = operand(inference, node, "input"), operand(inference, node, "other")
    if inference.is_given(node, "rounding_mode"):
        return _same_shape(inference, node, left, right)
    divides = node.name == "div"
    first, second = left.count, right.count
    if first is not None and second is not None:
        known = not divides or second.factor
        return number((first / second if divides else first * second) if known else None)
    if divides and _is_own_sum(inference, node, left, right):
        return replace(_same_shape(inference, node, left, left), **_normalised(left, node, right, Space.PROBABILITIES))
    tensor, factor = (left, second) if second is not None or divides or first is None else (right, first)
    result = _same_shape(inference, node, left, right)
    if not divides and _stays_whole(inference, node):
        return whole(result, node)
    if factor is not None and factor.factor:
        result = _scaled(result, tensor, ONE / factor if divides else factor, node)
    elif not divides:
        result = multiplied_parts(result, left, right)
    if factor is None:
        result = _weighed(result, left, right, node, divides)
    mass = _mass(tensor)
    if mass is not None and factor is not None and factor.is_number and factor.factor:
        return _mixture(result, tensor, mass / factor.factor if divides else mass * factor.factor, node)
    other = right if tensor is left else left
    if tensor.space is Space.SCORES and other.space is Space.UNKNOWN:
        return replace(result, space=Space.SCORES, made_by=node, confidence=tensor.confidence)
    return result


def _scaled(result: Facts, tensor: Facts, by: Count, node: Operation) -> Facts:
    """``result`` as a tensor times a number that is not 0."""
    loss = tensor.loss
    if loss is not None:
        divisor = None if loss.divisor is None else loss.divisor / by
        loss = replace(loss, divisor=divisor, reduced=(*loss.reduced, node))
    result = scaled_parts(result, tensor, by)
    return replace(result, loss=loss, terms=scaled_terms(tensor.terms, by))


def _weighed(result: Facts, left: Facts, right: Facts, node: Operation, divides: bool) -> Facts:
    """``result`` as a loss times, or over, one number of which nothing is known: of its divisor nothing is known either."""
    pairs = [(left, right)] if divides else [(left, right), (right, left)]
    for value, weight in pairs:
        if value.loss is not None and weight.loss is None and weight.rank == 0:
            return replace(result, loss=replace(value.loss, divisor=None, reduced=(*value.loss.reduced, node)))
    return result


@reads(T.FLOORDIV)
def floor_divide(inference: Inference, node: Operation) -> Facts:
    """``a // b``, exact where a size divides a product of sizes."""
    left, right = operand(inference, node, "input"), operand(inference, node, "other")
    if left.count is None or right.count is None:
        return _same_shape(inference, node, left, right)
    return number(whole_quotient(left.count, right.count))


@reads(T.POW)
def raise_to(inference: Inference, node: Operation) -> Facts:
    """``a ** b`` of numbers, such as ``T ** 2``; of a tensor the shape is known."""
    left, right = operand(inference, node, "input"), operand(inference, node, "exponent")
    if "exponent" not in node.arguments:
        right = operand(inference, node, "other")
    if left.count is None or right.count is None:
        return _same_shape(inference, node, left, right)
    return number(power(left.count, right.count))


def _mass(facts: Facts) -> Fraction | None:
    """What a tensor sums to over its dim: 1 for a distribution, another number for a part of a mixture."""
    return Fraction(1) if facts.space is Space.PROBABILITIES else facts.mass


def _mixture(result: Facts, part: Facts, mass: Fraction, node: Operation) -> Facts:
    """Weighted distributions over the same dim: one again as soon as the weights sum to 1."""
    whole = math.isclose(mass, 1, rel_tol=1e-9)
    space = Space.PROBABILITIES if whole else Space.UNKNOWN
    return replace(
        result, space=space, dim=part.dim, made_by=node, mass=None if whole else mass, confidence=part.confidence
    )


def _is_own_sum(inference: Inference, node: Operation, left: Facts, right: Facts) -> bool:
    """Whether ``x / y`` is ``x / x.sum(dim, keepdim=True)``, or ``x / x.sum()`` of a vector."""
    total = inference.value(node, "other")
    if not isinstance(total, Operation) or total.name != "sum" or left.values is None:
        return False
    if inference.argument(total, "input").values != left.values:
        return False
    return _keeps_one_dim(inference, total) or (left.rank == 1 and total.arguments.keys() == {"input"})


def _is_log_normaliser(inference: Inference, node: Operation, left: Facts, right: Facts) -> bool:
    """Whether ``x - y`` is ``x - x.logsumexp(dim, keepdim=True)``."""
    total = inference.value(node, "other")
    if not isinstance(total, Operation) or total.name != "logsumexp" or left.values is None:
        return False
    return inference.argument(total, "input").values == left.values and _keeps_one_dim(inference, total)


def _keeps_one_dim(inference: Inference, total: Operation) -> bool:
    keep = inference.value(total, "keepdim")
    return isinstance(keep, Constant) and bool(keep.value) and inference.integer(total, "dim") is not None


def _normalised(source: Facts, node: Operation, total: Facts, space: Space) -> dict[str, Any]:
    """The fields of a tensor that was divided by its own sum over a dim, or had its logsumexp subtracted."""
    operation = node.arguments["other"]
    written = operation.arguments.get("dim") if isinstance(operation, Operation) else None
    dim = written.value if isinstance(written, Constant) and isinstance(written.value, int) else None
    if written is None and source.rank == 1:
        dim = -1
    distribution = None
    if space is Space.LOG_PROBABILITIES and source.values is not None:
        distribution = Distribution(source.values, source.dim_from_right(dim))
    return {"space": space, "dim": dim, "made_by": node, "distribution": distribution}


def _same_shape(inference: Inference, node: Operation, left: Facts, right: Facts) -> Facts:
    """New numbers in the shape that two operands broadcast to, where that is known; a number takes the other's."""
    result = unread(inference, node)
    operands = [facts for facts in (left, right) if facts.root is not None and facts.rank != 0]
    if len(operands) == 1 or (len(operands) == 2 and left.root == right.root):
        only = operands[0]
        return replace(result, shape=only.shape, min_rank=only.min_rank, root=only.root, name=only.name)
    shape = broadcast(left.shape, right.shape)
    return result if shape is None else replace(result, shape=shape)


def broadcast(left: Shape | None, right: Shape | None) -> Shape | None:
    """The shape that torch broadcasts two shapes to; None where it is not known or torch would refuse."""
    if left is None or right is None:
        return None
    rank = max(left.rank, right.rank)
    sizes: list[Count] = []
    for index in range(-rank, 0):
        first = left.sizes[index] if -index <= left.rank else ONE
        second = right.sizes[index] if -index <= right.rank else ONE
        if first == second or second == ONE:
            sizes.append(first)
        elif first == ONE:
            sizes.append(second)
        else:
            return None
    return Shape(tuple(sizes))


@reads(T.NEG)
def negative(inference: Inference, node: Operation) -> Facts:
    """The negative of scores are scores, of a loss its negative."""
    source = operand(inference, node, "input")
    if source.count is not None:
        return number(source.count * MINUS)
    result = scaled_parts(_same_shape(inference, node, source, source), source, MINUS)
    result = replace(result, terms=scaled_terms(source.terms, MINUS), loss=source.loss)
    if source.space is Space.SCORES:
        return replace(result, space=Space.SCORES, made_by=node, confidence=source.confidence)
    return result


@reads(T.SUM, T.MEAN)
def reduce(inference: Inference, node: Operation) -> Facts:
    """A sum or mean over some dims, or over all. A mean divides by the sizes of the dims that it runs over."""
    source = inference.argument(node, "input")
    result = unread(inference, node)
    asked = replace(node, arguments={_AS_IN_NUMPY.get(slot, slot): value for slot, value in node.arguments.items()})
    if not asked.arguments.keys() <= {"input", "dim", "keepdim", "dtype"}:
        return result
    shape, counted = _reduced(inference, asked, source)
    if shape is not None:
        result = replace(result, shape=shape)
    is_mean = node.name == "mean"
    terms = scaled_terms(source.terms, inverse(counted) if is_mean else ONE)
    loss = source.loss
    if loss is not None:
        divisor = loss.divisor
        if is_mean:
            divisor = None if divisor is None or counted is None else divisor * counted
        class_dim = _class_dim_after(inference, asked, source)
        loss = replace(loss, divisor=divisor, class_dim=class_dim, reduced=(*loss.reduced, node))
    result = replace(result, loss=loss, terms=terms)
    if source.space is Space.SCORES:
        return replace(result, space=Space.SCORES, made_by=node, confidence=source.confidence)
    if is_mean and source.space is Space.PROBABILITIES:
        mixed = _mean_of_distributions(inference, asked, source, result)
        return replace(mixed, made_by=node if mixed.is_distribution else None)
    return result


def _mean_of_distributions(inference: Inference, node: Operation, source: Facts, result: Facts) -> Facts:
    """A mean over other dims than its own is a mixture, and so a distribution again."""
    dims = inference.integers(node, "dim")
    if dims is None or not all(map(source.differs, dims)):
        return result
    right = source.dim_from_right(source.dim)
    if right is None or (right >= 0 and min(dims) < 0):
        return result
    keep = inference.value(node, "keepdim")
    if right >= 0 and not (isinstance(keep, Constant) and keep.value):
        right -= sum(1 for dim in dims if dim < right)
    elif not (isinstance(keep, Constant) and keep.value):
        below = [source.dim_from_right(dim) for dim in dims]
        right += sum(1 for dim in below if dim is not None and right < dim < 0)
    return replace(result, space=Space.PROBABILITIES, dim=right, made_by=node, confidence=source.confidence)


def _reduced(inference: Inference, node: Operation, source: Facts) -> tuple[Shape | None, Count | None]:
    """The shape after a reduction, and how many numbers go into each result."""
    dim = inference.value(node, "dim")
    if dim is None or (isinstance(dim, Constant) and dim.value is None):
        return Shape(()), source.numel
    dims = inference.integers(node, "dim")
    if dims is None:
        return None, None
    sizes = [source.size(index) for index in dims]
    counted = Count.product(size for size in sizes if size is not None) if None not in sizes else None
    if source.shape is None:
        return None, counted
    gone = {source.shape.dim(index) for index in dims}
    keep = inference.value(node, "keepdim")
    keeps = isinstance(keep, Constant) and bool(keep.value)
    kept = [
        ONE if index in gone else size for index, size in enumerate(source.shape.sizes) if keeps or index not in gone
    ]
    return Shape(tuple(kept)), counted


def _class_dim_after(inference: Inference, node: Operation, source: Facts) -> int | None:
    """The class dim of a pointwise loss after a reduction, from the left; None once the reduction ran over it."""
    loss = source.loss
    dims = inference.integers(node, "dim")
    if loss is None or loss.class_dim is None or dims is None or source.shape is None:
        return None
    gone = {source.shape.dim(index) for index in dims}
    if loss.class_dim in gone:
        return None
    return loss.class_dim - sum(1 for index in gone if index is not None and index < loss.class_dim)
