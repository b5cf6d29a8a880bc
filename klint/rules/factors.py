"""What a loss is multiplied by or divided by further on: factors that make up for a divisor, by value or by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from klint.graph.nodes import Constant, Node, Operation
from klint.torch_model.count import ONE, Count
from klint.torch_model.facts import Loss
from klint.torch_model.names import counts_classes
from klint.torch_model.scalars import number_of
from klint.torch_model.sites import LossSite, exclude

_NAME = 40
"""A longer text is no name."""


def holds_in_a_reading(site: LossSite, code: str, question: Callable[[LossSite], bool]) -> bool:
    """Whether something holds of what the program makes of the value.

    Where it is not known who calls the function that a reading starts from, any other reading of which it holds speaks for it; so does a
    caller of whom it holds for what another branch of the function returns.
    """

    def holds(call: Operation) -> bool:
        key, known = (code, site.inference, id(call)), site.readings.known
        if key not in known:
            known[key] = question(replace(site, call=call))
        return known[key]

    calls = (site.call,) if site.call.runs else site.readings.calls or (site.call,)
    if any(map(holds, calls)):
        return True
    if site.call.runs or site.call.callers:
        return False
    return any(_holds_of_callers(site, calls, holds) for calls in site.readings.beside)


def _holds_of_callers(site: LossSite, calls: tuple[Operation, ...], holds: Callable[[Operation], bool]) -> bool:
    """Whether it holds of a call on another branch of the same function for those who call the function, and not by itself."""
    called = [call for call in calls if call.callers]
    others = [call for call in calls if not call.callers and exclude(call, site.call)] if called else []
    if not others or any(map(holds, others)):
        return False
    return any(map(holds, called))


def multiplied_by_classes(site: LossSite, value: Operation | None = None) -> bool:
    """Whether the value of the call, or one made of it, is multiplied by the class count further on, or leaves a divisor without it."""
    value = value or site.call
    for use in site.uses(value):
        if _has_no_classes_left(site, value, use):
            return True
        if use.name == "mul" and any(_is_class_count(site, factor) for factor in site.factors(use)):
            return True
    return False


def _has_no_classes_left(site: LossSite, value: Operation, use: Operation) -> bool:
    """Whether the value has become a sum, or the mean KL divergence, again."""
    before, after = site.inference.facts(value).loss, site.inference.facts(use).loss
    if before is None or after is None or after.call is not site.call or not before.divisor or not after.divisor:
        return False
    return after.divisor == ONE or any(after.divisor * size == before.divisor for size in site.class_counts)


def _is_class_count(site: LossSite, factor: Node) -> bool:
    """Whether a factor is, or may well be, the number of classes: by its value, or by what it is called."""
    if isinstance(factor, Operation) and factor.name == "mul":
        return any(map(counts_classes, _operand_names(factor.anchor.tree)))
    count = site.inference.facts(factor).count
    if count is not None and (count in site.class_counts or site.may_count_classes(count)):
        return True
    text = factor.anchor.text
    words = re.findall(r"\w+", text) if len(text) < _NAME else []
    return bool(words) and site.inference.facts(factor).loss is None and counts_classes(words[-1])


def _operand_names(tree: ast.AST) -> Iterator[str]:
    """The names that a product is written with, which what they hold need not show: ``kl * NUM_CLASSES``."""
    operands: list[ast.expr] = []
    if isinstance(tree, ast.BinOp):
        operands = [tree.left, tree.right]
    elif isinstance(tree, ast.AugAssign):
        operands = [tree.value]
    elif isinstance(tree, ast.Call):
        operands = tree.args
    for operand in operands:
        if isinstance(operand, ast.Name):
            yield operand.id
        elif isinstance(operand, ast.Attribute):
            yield operand.attr


def divisors_after(site: LossSite, value: Operation | None = None) -> Iterator[tuple[Operation, Node]]:
    """The divisions of the value further on, each with what it divides by; ``loss * (1 / n)`` is one too."""
    for use in site.uses(value, ("div", "mul")):
        if use.name == "div" and "other" in use.arguments:
            yield use, site.inference.resolve(use.arguments["other"])
        elif use.name == "mul":
            for factor in site.factors(use):
                if not isinstance(factor, Operation) or factor.name != "div" or "other" not in factor.arguments:
                    continue
                if site.inference.facts(factor).loss is None:
                    yield use, site.inference.resolve(factor.arguments["other"])


def always_follows(site: LossSite, use: Operation) -> bool:
    """Whether a use comes about wherever the call does, under no condition of its own such as ``if reduction == 'mean'``."""
    known = {condition.identity for condition, _ in site.call.path}
    return all(condition.identity in known for condition, _ in use.path)


def counts_sizes(site: LossSite, node: Node) -> bool:
    """Whether a number is computed from the size of some tensor, and so is no literal that happens to be equal."""
    queue, seen = [site.inference.resolve(node)], set[int]()
    for part in queue:
        if isinstance(part, Operation) and part.name in ("shape", "numel", "length"):
            return True
        if id(part) not in seen:
            seen.add(id(part))
            queue.extend(map(site.inference.resolve, part.operands()))
    return False


def is_literal(site: LossSite, node: Node) -> bool:
    """Whether a factor is a number that is written out."""
    return isinstance(site.inference.resolve(node), Constant)


def unscaled(site: LossSite, loss: Loss) -> Count | None:
    """What a loss has been divided by, weights that are plain numbers left aside."""
    divisor = loss.divisor
    for operation in loss.reduced:
        if divisor is not None and operation.name in ("mul", "div"):
            for number in map(number_of, map(site.inference.resolve, operation.operands())):
                if number is not None and number.factor:
                    divisor = divisor * number if operation.name == "mul" else divisor / number
    return divisor


def is_weight(site: LossSite, node: Node) -> bool:
    """Whether a factor only says how much a term is to weigh: a plain number, a temperature, an option with a number for default."""
    node = site.inference.resolve(node)
    if isinstance(node, Operation) and node.name in ("mul", "div", "pow", "add", "sub"):
        return all(is_weight(site, operand) for operand in node.operands())
    facts = site.inference.facts(node)
    return isinstance(node, Constant) or (not isinstance(node, Operation) and facts.rank == 0 and facts.count is None)


def is_multiple(count: Count, divisor: Count) -> bool:
    """Whether a product of sizes has all of another one among its factors."""
    if not divisor.factor:
        return False
    rest = count / divisor
    return rest.factor.denominator == 1 and all(power > 0 for _, power in rest.powers)
