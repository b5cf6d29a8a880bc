"""Python's numbers: literals, sizes, and what arithmetic makes of them."""

from __future__ import annotations

from fractions import Fraction

from klint.graph.nodes import Constant, Node, Operation
from klint.torch_model.count import ZERO, Count
from klint.torch_model.facts import Facts, Shape, replace
from klint.torch_model.infer import Inference

_LARGEST_POWER = 8


def number_of(node: Node | None) -> Count | None:
    """A literal number as a count; a decimal fraction is taken as it is written."""
    number = node.value if isinstance(node, Constant) else None
    if not isinstance(number, (int, float)) or isinstance(number, bool):
        return None
    if number != number or abs(number) == float("inf"):
        return None
    return Count(Fraction(str(number)))


def operand(inference: Inference, node: Operation, slot: str) -> Facts:
    """An operand of arithmetic; a literal number or a size has no dims."""
    facts = inference.argument(node, slot)
    count = facts.count or number_of(inference.value(node, slot))
    return facts if count is None else replace(facts, count=count, shape=Shape(()))


def number(count: Count | None) -> Facts:
    """A Python number."""
    return Facts(count=count, shape=Shape(()))


def added(left: Count, right: Count, sign: int) -> Count | None:
    """A sum of two numbers, or of multiples of the same size; None where it is no product of sizes."""
    if left.powers != right.powers and left.factor and right.factor:
        return None
    factor = left.factor + sign * right.factor
    return Count(factor, left.powers if left.factor else right.powers) if factor else ZERO


def whole_quotient(left: Count, right: Count) -> Count | None:
    """``left // right``: of two numbers, or of sizes that divide without a rest."""
    if not right.factor:
        return None
    quotient = left / right
    if quotient.is_number and left.is_number:
        return Count.number(quotient.factor.__floor__())
    if quotient.factor.denominator == 1 and all(power > 0 for _, power in quotient.powers):
        return quotient
    return None


def power(base: Count, exponent: Count) -> Count | None:
    """``base ** exponent`` for small whole exponents."""
    times = exponent.value
    if times is None or not 0 <= times <= _LARGEST_POWER:
        return None
    return Count.product([base] * times)
