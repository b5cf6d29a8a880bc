"""How arithmetic moves facts: sums and means of losses, sums of loss terms, and sizes as numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from klint.graph.nodes import Constant, Node, Operation
from klint.torch_model.count import ONE, Count
from klint.torch_model.facts import Distribution, Facts, Shape, Space, Term
from klint.torch_model.infer import Inference, reads, unread
from klint.torch_model.table import Transfer

T = Transfer

_EPSILON = 1e-2
"""What is added to probabilities below this is taken for protection against log(0)."""


def add_terms(terms: Iterable[Term]) -> tuple[Term, ...]:
    """A sum of terms with those of the same distributions and weight-up-to-a-number taken together."""
    sums: dict[tuple[object, ...], Term] = {}
    for term in terms:
        key = (term.target, term.input, term.weight.powers)
        known = sums.get(key)
        factor = term.weight.factor + (known.weight.factor if known else 0)
        sums[key] = replace(term, weight=Count(factor, term.weight.powers))
    return tuple(term for term in sums.values() if term.weight.factor)


def scaled_terms(terms: tuple[Term, ...] | None, by: Count | None) -> tuple[Term, ...] | None:
    """All terms times a count; None where either is not known."""
    if terms is None or by is None:
        return None
    return tuple(replace(term, weight=term.weight * by) for term in terms)


def _number(node: Node | None) -> Count | None:
    """A literal number as a count."""
    number = node.value if isinstance(node, Constant) else None
    if (
        isinstance(number, (int, float))
        and not isinstance(number, bool)
        and abs(number) < float("inf")
        and number == number
    ):
        return Count(Fraction(number))
    return None


def _factor(inference: Inference, node: Operation, slot: str) -> Count | None:
    """An operand that is a number: a literal or a size."""
    return inference.argument(node, slot).count or _number(inference.value(node, slot))


@reads(T.ADD, T.SUB)
def add(inference: Inference, node: Operation) -> Facts:
    """Sums of scores are scores; sums of losses have the terms of both."""
    left, right = inference.argument(node, "input"), inference.argument(node, "other")
    result = _same_shape(inference, node, left, right)
    sign = Count.number(-1 if node.name == "sub" else 1)
    if left.terms is not None and right.terms is not None and left.rank == 0 and right.rank == 0:
        terms = add_terms((*left.terms, *(scaled_terms(right.terms, sign) or ())))
        return replace(result, terms=terms, shape=Shape(()))
    if node.name == "sub" and _is_log_normaliser(inference, node, left, right):
        return replace(result, **_normalised(left, node, right, Space.LOG_PROBABILITIES))
    first, second = _mass(left), _mass(right)
    if node.name == "add" and first and second and left.same_dim(left.dim, right.dim):
        return _mixture(result, left, first + second, node)
    spaces = {left.space, right.space}
    constants = [_number(inference.value(node, slot)) for slot in ("input", "other")]
    if spaces == {Space.SCORES} or (Space.SCORES in spaces and any(constants)):
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
    left, right = inference.argument(node, "input"), inference.argument(node, "other")
    divides = node.name == "div"
    first, second = _factor(inference, node, "input"), _factor(inference, node, "other")
    if left.count is not None and second is not None and (not divides or second.factor):
        return Facts(count=left.count / second if divides else left.count * second)
    if right.count is not None and first is not None and not divides:
        return Facts(count=right.count * first)
    if divides and _is_own_sum(inference, node, left, right):
        return replace(_same_shape(inference, node, left, left), **_normalised(left, node, right, Space.PROBABILITIES))
    tensor, factor = (left, second) if second is not None or divides or first is None else (right, first)
    result = _same_shape(inference, node, left, right)
    if factor is not None and factor.factor:
        by = ONE / factor if divides else factor
        loss = tensor.loss
        if loss is not None:
            divisor = None if loss.divisor is None else loss.divisor / by
            loss = replace(loss, divisor=divisor, reduced=(*loss.reduced, node))
        result = replace(result, loss=loss, terms=scaled_terms(tensor.terms, by))
    mass = _mass(tensor)
    if mass is not None and factor is not None and factor.is_number and factor.factor:
        return _mixture(result, tensor, mass / factor.factor if divides else mass * factor.factor, node)
    other = right if tensor is left else left
    if tensor.space is Space.SCORES and other.space is Space.UNKNOWN:
        return replace(result, space=Space.SCORES, made_by=node, confidence=tensor.confidence)
    return result


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
    """Whether ``x / y`` is ``x / x.sum(dim, keepdim=True)``."""
    total = inference.value(node, "other")
    if not isinstance(total, Operation) or total.name != "sum" or left.values is None:
        return False
    return inference.argument(total, "input").values == left.values and _keeps_one_dim(inference, total)


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
    written = operation.arguments["dim"] if isinstance(operation, Operation) else None
    dim = written.value if isinstance(written, Constant) and isinstance(written.value, int) else None
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
    source = inference.argument(node, "input")
    terms = scaled_terms(source.terms, Count.number(-1))
    result = replace(_same_shape(inference, node, source, source), terms=terms, loss=source.loss)
    if source.space is Space.SCORES:
        return replace(result, space=Space.SCORES, made_by=node, confidence=source.confidence)
    return result


@reads(T.SUM, T.MEAN)
def reduce(inference: Inference, node: Operation) -> Facts:
    """A sum or mean over some dims, or over all. A mean divides by the sizes of the dims that it runs over."""
    source = inference.argument(node, "input")
    result = unread(inference, node)
    shape, counted = _reduced(inference, node, source)
    if shape is not None:
        result = replace(result, shape=shape)
    is_mean = node.name == "mean"
    terms = scaled_terms(source.terms, (None if counted is None else ONE / counted) if is_mean else ONE)
    loss = source.loss
    if loss is not None:
        divisor = loss.divisor
        if is_mean:
            divisor = None if divisor is None or counted is None else divisor * counted
        class_dim = _class_dim_after(inference, node, source)
        loss = replace(loss, divisor=divisor, class_dim=class_dim, reduced=(*loss.reduced, node))
    result = replace(result, loss=loss, terms=terms)
    if source.space is Space.SCORES:
        return replace(result, space=Space.SCORES, made_by=node, confidence=source.confidence)
    if is_mean and source.space is Space.PROBABILITIES:
        return _mean_of_distributions(inference, node, source, result)
    return result


def _mean_of_distributions(inference: Inference, node: Operation, source: Facts, result: Facts) -> Facts:
    """A mean over other dims than its own is a mixture, and so a distribution again."""
    dims = inference.integers(node, "dim")
    if dims is None or source.dim is None or any(source.same_dim(dim, source.dim) is not False for dim in dims):
        return result
    right = source.dim_from_right(source.dim)
    if right is None or right >= 0:
        return result
    keep = inference.value(node, "keepdim")
    if not (isinstance(keep, Constant) and keep.value):
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
