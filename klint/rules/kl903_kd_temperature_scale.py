"""KL903: a distillation loss with a temperature is added to another loss without T**2."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from klint.finding import Confidence, Severity
from klint.graph.nodes import Choice, Constant, Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.rewrite import apply, constant, kl_claim
from klint.rules.temperature import Temperature, temperature, value_of
from klint.source.python import tree_nodes
from klint.torch_model.count import Count
from klint.torch_model.losses import LOSSES
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.sites import LossSite, exclude
from klint.torch_model.table import Transfer

_REDUCING = (Transfer.SUM, Transfer.MEAN, Transfer.KEEP, Transfer.VIEW)
_SQUARES = frozenset({"pow", "square", "power"})
_STEPS = 200


class KdTemperatureScale(Rule[LossSite]):
    """A KL term of scores softened with a temperature T is added to another loss without the factor T².

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` of which both sides are softened with the same T, above 1, and whose value is added, in the same function, to
    a loss without that temperature, while nothing is squared there and no factor may hold T². Opt-in: a weight may have been tuned to make up for it.

    ## Why it is wrong

    The gradient of the softened divergence with respect to the student's scores is (softmax(s / T) - softmax(t / T)) / T, and the difference of the two
    softened distributions falls with 1 / T itself: the gradient scales with 1 / T². Without the factor T² the weight of the term
    depends on T. Measured, with standard normal scores of 10 classes: at T = 4 the norm of the gradient is 1/16.3 of that at T = 1, and 1/65.5 at T = 8; with the factor T² it is 0.98 of it for
    both.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    T, alpha = 4.0, 0.5
    student, teacher, labels = torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,))
    soft = F.kl_div(F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1), reduction="batchmean")
    loss = alpha * soft + (1 - alpha) * F.cross_entropy(student, labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    T, alpha = 4.0, 0.5
    student, teacher, labels = torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,))
    soft = F.kl_div(F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1), reduction="batchmean")
    loss = alpha * T**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)
    ```

    ## References

    - [Distilling the Knowledge in a Neural Network](https://arxiv.org/abs/1503.02531), section 2
    """

    code = "KL903"
    name = "kd-temperature-scale"
    summary = "a softened KL term is added to another loss without T²"
    severity = Severity.NOTE
    default = False
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """Both sides have the same temperature, and the sum with another loss is reached without its square."""
        own, other = temperature(site, site.input), temperature(site, site.target)
        if own is None or other is None or own.node is None or other.node is None or not own.is_same(other):
            return
        if own.value is None or own.value <= 1:
            return
        found = _sum(site, own)
        if found is None or any(map(_squares, _surroundings(site))):
            return
        total, confidence = found
        times = f"{float(1 / own.value**2):.3g}"
        yield Draft(
            site.anchor,
            f"input and target are softened with {own.text} and the loss is added to another without T**2: its gradient scales with "
            f"1 / T**2 = {times}; use T**2 as a factor of this term",
            _claim(site, own.value),
            Confidence.LIKELY if Confidence.LIKELY in (confidence, own.confidence) else Confidence.PROVEN,
            (
                (own.softmax.anchor, "the input is softened here"),
                (other.softmax.anchor, "the target is softened here"),
                (total.anchor, "the losses are added here"),
            ),
        )


def _sum(site: LossSite, softened: Temperature) -> tuple[Operation, Confidence] | None:
    """Where the value is added to a loss without its temperature, in the function of the call; None where a factor may hold T**2."""
    queue: list[tuple[Node, Fraction, Confidence]] = [(site.call, Fraction(1), Confidence.PROVEN)]
    found: tuple[Operation, Confidence] | None = None
    for value, factor, confidence in queue:
        for use in site.consumers(value):
            if len(queue) > _STEPS:
                return None
            if isinstance(use, Choice):
                queue.append((use, factor, confidence))
            if not isinstance(use, Operation) or exclude(use, site.call):
                continue
            rest = [node for node in use.operands() if node is not value]
            if use.name == "add" and len(rest) == 1:
                if use.function == site.call.function and _is_other_loss(site, rest[0], softened):
                    found = found or (use, confidence)
                else:
                    queue.append((use, factor, confidence))
            elif use.name in ("mul", "div"):
                scale = _scale(site, use, value)
                if scale is None or factor * scale > 1:
                    return None
                is_literal = all(isinstance(site.inference.resolve(node), Constant) for node in rest)
                queue.append((use, factor * scale, confidence if is_literal else Confidence.LIKELY))
            elif use.name in OPERATIONS and OPERATIONS[use.name].transfer in _REDUCING:
                queue.append((use, factor, confidence))
    return found


def _scale(site: LossSite, use: Operation, value: Node) -> Fraction | None:
    """What a product or quotient multiplies a value with; 1 for the number of rows, None where it is not known."""
    others = [(slot, node) for slot, node in use.arguments.items() if node is not value]
    if len(others) != 1 or (use.name == "div" and others[0][0] != "other"):
        return None
    other = others[0][1]
    number = value_of(site.inference, other)
    if number is None and use.name == "div" and site.inference.facts(other).count is not None:
        return Fraction(1)
    if number is None or number <= 0:
        return None
    return number if use.name == "mul" else 1 / number


def _is_other_loss(site: LossSite, node: Node, softened: Temperature) -> bool:
    """Whether a term is computed from a loss of its own, and nowhere from the temperature."""
    assert softened.node is not None
    queue, seen, is_loss = [node], set[int](), False
    for one in queue:
        one = site.inference.resolve(one)
        if id(one) in seen or len(seen) > _STEPS:
            continue
        seen.add(id(one))
        if one.identity == softened.node.identity:
            return False
        is_loss = is_loss or (isinstance(one, Operation) and one.name in LOSSES and one.name != "kl_div")
        queue.extend((one.then, one.otherwise) if isinstance(one, Choice) else one.operands())
    return is_loss


def _surroundings(site: LossSite) -> Iterator[ast.AST]:
    """What stands in the function of the call, or in its class; outside of both, in the module."""
    unit = site.anchor.unit
    outer: ast.AST = unit.tree
    for above in unit.above(site.anchor.tree):
        if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            outer = above
    yield from tree_nodes(outer)


def _squares(tree: ast.AST) -> bool:
    """Whether an expression may square a number: ``T ** 2``, ``alpha * T * T``, ``math.pow(T, 2)``."""
    if isinstance(tree, ast.Call):
        name = tree.func.attr if isinstance(tree.func, ast.Attribute) else getattr(tree.func, "id", "")
        return name in _SQUARES
    if not isinstance(tree, ast.BinOp):
        return False
    factors = [ast.dump(factor) for factor in _factors(tree) if not isinstance(factor, ast.Constant)]
    return isinstance(tree.op, ast.Pow) or len(set(factors)) < len(factors)


def _factors(tree: ast.expr) -> Iterator[ast.expr]:
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Mult):
        yield from _factors(tree.left)
        yield from _factors(tree.right)
    else:
        yield tree


def _claim(site: LossSite, value: Fraction) -> Claim:
    """The term against the same with the factor T**2, which are a fixed ratio apart, and so are their gradients."""
    claim = kl_claim(site, "value and gradient = those of the term with T**2, over T**2", Effect.RATIO, site.call)
    assert claim.fixed is not None  # the value of the call itself
    scaled = apply("mul", site.call, input=claim.fixed, other=constant(float(value**2), site.call))
    return replace(claim, fixed=scaled, expected=None, ratio=Count(1 / value**2))
