"""The temperature by which the scores of a slot were divided before they were normalised."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from klint.finding import Confidence
from klint.graph.nodes import Constant, Node, Operation, Parameter, Unknown
from klint.rules.rewrite import normaliser
from klint.torch_model.infer import Inference
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.scalars import operand
from klint.torch_model.sites import LossSite, Slot, keeps_numbers
from klint.torch_model.table import Transfer

_DEPTH = 8
_LARGEST_EXPONENT = 4
_ARITHMETIC: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "add": lambda left, right: left + right,
    "sub": lambda left, right: left - right,
    "mul": lambda left, right: left * right,
    "div": lambda left, right: left / right,
}
_SCALED = frozenset("scaled soft softened sharpened sharp tempered temp temperature tau".split())
"""Words of names that say that scores were divided by a temperature already."""

_SCORES = (Transfer.SCORES, Transfer.CREATE)


@dataclass(frozen=True)
class Temperature:
    """What the scores of a slot were divided by; ``node`` is None where they are visibly not scaled.

    ``value`` is its number where that is known: from a literal, or (then LIKELY) from a parameter's default.
    """

    softmax: Operation
    scores: Node
    node: Node | None
    value: Fraction | None
    confidence: Confidence

    def is_same(self, other: Temperature) -> bool:
        """Whether two temperatures are known to be the same number."""
        if self.node is None or other.node is None:
            return self.node is other.node
        return self.node.identity == other.node.identity or (self.value is not None and self.value == other.value)

    @property
    def text(self) -> str:
        """How a message names it: ``T = 4``."""
        name = "1" if self.node is None else self.node.anchor.text
        shown = "" if self.value is None else f"{float(self.value):g}"
        if not name.replace(".", "").replace("_", "").isalnum() or len(name) > 20 or name[:1].isdigit():
            return f"T = {shown}" if shown else "T"
        return f"{name} = {shown}" if shown else name


def temperature(site: LossSite, slot: Slot) -> Temperature | None:
    """The temperature of a slot; None where a softmax did not make it, or where its scores may be scaled out of sight."""
    softmax = normaliser(site, slot)
    if softmax is None or "input" not in softmax.arguments:
        return None
    inference = site.inference
    scores = plain(inference, softmax.arguments["input"])
    if isinstance(scores, Operation) and scores.name in ("div", "mul"):
        for tensor, number in (("input", "other"), ("other", "input")):
            if scores.arguments.keys() != {"input", "other"} or (scores.name == "div" and tensor == "other"):
                continue
            if operand(inference, scores, number).rank == 0 and operand(inference, scores, tensor).rank != 0:
                by = inference.resolve(scores.arguments[number])
                return _scaled(inference, softmax, scores, by, scores.name == "mul", scores.arguments[tensor])
        return None
    if not comes_from_model(inference, scores):
        return None
    known = Confidence.PROVEN if isinstance(scores, Operation) else Confidence.LIKELY
    return Temperature(softmax, scores, None, Fraction(1), known)


def _scaled(
    inference: Inference, softmax: Operation, scaled: Operation, by: Node, is_factor: bool, scores: Node
) -> Temperature | None:
    if is_factor and isinstance(by, Operation) and by.name == "div":  # scores * (1 / T)
        one, by = inference.value(by, "input"), inference.resolve(by.arguments["other"])
        if not isinstance(one, Constant) or one.value != 1:
            return None
        is_factor = False
    value, is_literal = value_of(inference, by), isinstance(by, Constant)
    if is_factor and value is not None:
        if not value or not is_literal:
            return None
        value = 1 / value
    elif is_factor:
        return None
    if value is not None and value <= 0:
        return None
    return Temperature(softmax, scores, by, value, Confidence.PROVEN if is_literal else Confidence.LIKELY)


def plain(inference: Inference, node: Node) -> Node:
    """A tensor before changes of shape and type."""
    node = inference.resolve(node)
    while isinstance(node, Operation) and keeps_numbers(node) and "input" in node.arguments:
        node = inference.resolve(node.arguments["input"])
    return node


def comes_from_model(inference: Inference, node: Node) -> bool:
    """Whether scores come straight out of a model, or out of a function that makes them up, or from the caller.

    Not so those that are called scaled: ``soft_logits``.
    """
    node = plain(inference, node)
    while isinstance(node, Operation) and OPERATIONS[node.name].transfer is Transfer.INDEX:
        node = plain(inference, node.arguments["input"])
    if isinstance(node, Operation):
        return OPERATIONS[node.name].transfer in _SCORES
    if not isinstance(node, (Parameter, Unknown)):
        return False
    return _SCALED.isdisjoint(re.split(r"[\W_]+", node.anchor.text.lower()))


def value_of(inference: Inference, node: Node, depth: int = _DEPTH) -> Fraction | None:
    """A number, where it is literal, or a parameter's default, or arithmetic of such."""
    node = inference.resolve(node)
    if isinstance(node, Parameter) and node.default is not None:
        node = inference.resolve(node.default)
    if isinstance(node, Constant):
        number = node.value
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) < float("inf"):
            return None
        return Fraction(str(number))
    if not isinstance(node, Operation) or not depth:
        return None
    parts = [value_of(inference, part, depth - 1) for part in node.operands()]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        return None
    if node.name == "pow":
        whole = parts[1].denominator == 1 and 0 <= parts[1] <= _LARGEST_EXPONENT
        return parts[0] ** int(parts[1]) if whole else None
    if node.name not in _ARITHMETIC or (node.name == "div" and not parts[1]):
        return None
    return _ARITHMETIC[node.name](parts[0], parts[1])
