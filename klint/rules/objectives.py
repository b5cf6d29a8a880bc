"""Losses that are added in one objective, and what each has been divided by before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from klint.graph.nodes import Node, Operation
from klint.rules.comparing import is_definite
from klint.rules.factors import counts_sizes, is_weight
from klint.torch_model.count import ONE, Count
from klint.torch_model.facts import Loss
from klint.torch_model.scalars import number_of
from klint.torch_model.sites import LossSite

_TERMS = 50
"""Sums of more terms than these are not followed."""


@dataclass(frozen=True)
class Mixed:
    """A loss and a cross entropy in one sum, whose divisors ``own`` and ``other`` surely differ, weights left aside."""

    place: Operation
    loss: Loss
    own: Count
    cross_entropy: Loss
    other: Count

    @property
    def ratio(self) -> Count:
        """How many times as much the loss weighs as is written."""
        return self.other / self.own


class _Counted(Enum):
    """Which of the numbers that are written out are taken for counts; the others are weights."""

    NONE = "none"
    WHOLE = "whole numbers"
    ALL = "all numbers"


def mixed(site: LossSite) -> Iterator[Mixed]:
    """The sums of the value of a call and of a cross entropy whose divisors differ, whichever numbers are weights."""
    for use in site.uses(names=("add",)):
        if not _is_reached(site, use):
            continue
        losses = [loss for addend in _addends(site, use) if (loss := site.inference.facts(addend).loss) is not None]
        own = next((loss for loss in losses if loss.call is site.call), None)
        for loss in losses:
            divisors = None if own is None else _divisors(site, own, loss)
            if own is not None and divisors is not None:
                yield Mixed(use, own, divisors[0], loss, divisors[1])


def _is_reached(site: LossSite, use: Operation) -> bool:
    """Whether a use comes about in this world."""
    return all(site.inference.choices.get(condition.identity, holds) == holds for condition, holds in use.path)


def _addends(site: LossSite, use: Operation) -> Iterator[Node]:
    """The terms of a sum, and of sums inside it."""
    queue: list[Node] = [use]
    for addend in queue:
        node = site.inference.resolve(addend)
        if isinstance(node, Operation) and node.name == "add" and len(queue) < _TERMS:
            queue.extend(node.operands())
        else:
            yield node


def _divisors(site: LossSite, own: Loss, other: Loss) -> tuple[Count, Count] | None:
    """What a loss and a cross entropy have been divided by, weights left aside, where the two surely differ.

    A whole number that is written out may be a size, a decimal fraction only if it makes both equal.
    """
    if other.call.name != "cross_entropy" or site.inference.is_given(other.call, "ignore_index"):
        return None
    found: list[tuple[Count, Count]] = []
    for counted in _Counted:
        one, two = _divisor(site, own, counted), _divisor(site, other, counted)
        if not one or not two or not one.factor or one == two:
            return None
        if counted is not _Counted.ALL and not is_definite(two / one):
            return None
        found.append((one, two))
    return found[0]


def _divisor(site: LossSite, loss: Loss, counted: _Counted) -> Count | None:
    """What a loss has been divided by; None where that is not known."""
    made = site.inference.facts(loss.call).loss
    divisor = before = None if made is None else made.divisor
    for operation in loss.reduced:
        after = site.inference.facts(operation).loss
        if divisor is None or after is None:
            return None
        if operation.name in ("mul", "div"):
            for factor in _factors(site, operation):
                number = _number(site, factor, counted)
                if number is None or not number.factor:
                    return None
                divisor = divisor / number if operation.name == "mul" else divisor * number
        elif after.divisor is None or before is None:
            return None
        else:
            divisor = divisor * after.divisor / before
        before = after.divisor
    return divisor


def _factors(site: LossSite, operation: Operation) -> Iterator[Node]:
    """What a loss is multiplied with or divided by."""
    for operand in map(site.inference.resolve, operation.operands()):
        if site.inference.facts(operand).loss is None:
            yield operand


def _number(site: LossSite, factor: Node, counted: _Counted) -> Count | None:
    """A factor as a number: 1 for a weight. None where it may be any count."""
    whole = site.inference.facts(factor).count
    if whole is not None and (counted is not _Counted.NONE or not whole.is_number or counts_sizes(site, factor)):
        return whole
    decimal = number_of(factor) if counted is _Counted.ALL else None
    return decimal or (ONE if whole is not None or is_weight(site, factor) else None)
