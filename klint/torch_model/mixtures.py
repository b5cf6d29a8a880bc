"""Mixtures of log-probabilities: the logsumexp over a stack of them, each plus the log of its weight."""

from __future__ import annotations

import math

from klint.graph.nodes import Constant, Node, Operation, Sequence
from klint.torch_model.creation import reduced
from klint.torch_model.facts import Facts, Shape, Space, replace
from klint.torch_model.infer import Inference, reads, unread
from klint.torch_model.products import weakest
from klint.torch_model.table import Transfer

_COMPARED = frozenset("eq ne lt le gt ge".split())


@reads(Transfer.LOGSUMEXP)
def logsumexp(inference: Inference, node: Operation) -> Facts:
    """The normaliser of scores (``x - x.logsumexp(...)`` is recognised where it is subtracted), or the log of a mixture."""
    source = inference.argument(node, "input")
    result = replace(unread(inference, node), made_by=node, shape=reduced(inference, node, source))
    logs, weights = _added(inference, node)
    if len(weights) != 2 or not _are_shares(inference, weights[0], weights[1], node):
        return result
    return _mixed(result, logs)


def mean_of_logs(inference: Inference, node: Operation, result: Facts) -> Facts | None:
    """``torch.stack([...]).logsumexp(0) - math.log(n)``: the log of the mean of n distributions; None where it is not that."""
    total, taken = inference.value(node, "input"), inference.value(node, "other")
    number = taken.value if isinstance(taken, Constant) else None
    if not isinstance(total, Operation) or total.name != "logsumexp" or not isinstance(number, float):
        return None
    logs, weights = _added(inference, total)
    if not logs or weights or not math.isclose(number, math.log(len(logs)), rel_tol=1e-6):
        return None
    return _mixed(replace(result, made_by=node), logs)


def _mixed(result: Facts, logs: list[Facts]) -> Facts:
    shapes = {facts.shape for facts in logs}
    shape = shapes.pop() if len(shapes) == 1 else None
    dim = logs[0].dim_from_right(logs[0].dim)
    return replace(result, space=Space.LOG_PROBABILITIES, dim=dim, shape=shape, confidence=weakest(logs))


def _added(inference: Inference, node: Operation) -> tuple[list[Facts], list[Node]]:
    """The log-probabilities over one dim that a logsumexp mixes, and what is added to each of them; nothing where it is none."""
    parts = [_weighted(inference, part) for part in _stacked(inference, node)]
    logs = [facts for facts, _ in parts if facts is not None]
    weights = [weight for _, weight in parts if weight is not None]
    dims = {facts.dim_from_right(facts.dim) for facts in logs}
    if len(logs) != len(parts) or len(weights) not in (0, len(parts)) or len(dims) != 1:
        return [], []
    return logs, weights


def _stacked(inference: Inference, node: Operation) -> tuple[Node, ...]:
    """The tensors that are stacked along the very dim over which the logsumexp runs."""
    stack = inference.value(node, "input")
    keep = inference.value(node, "keepdim")
    if not isinstance(stack, Operation) or stack.name != "stack" or node.open or stack.open:
        return ()
    if keep is not None and not (isinstance(keep, Constant) and not keep.value):
        return ()
    along = inference.integer(stack, "dim") if "dim" in stack.arguments else 0
    tensors = inference.value(stack, "tensors")
    is_same = along is not None and inference.integer(node, "dim") == along
    return tensors.items if is_same and isinstance(tensors, Sequence) else ()


def _weighted(inference: Inference, part: Node) -> tuple[Facts | None, Node | None]:
    """Log-probabilities, and what is added to them; None where it is none of those."""
    facts, value = inference.facts(part), inference.resolve(part)
    if facts.space is Space.LOG_PROBABILITIES:
        return facts, None
    if isinstance(value, Operation) and value.name == "add" and value.arguments.keys() == {"input", "other"}:
        left, right = (inference.resolve(operand) for operand in value.operands())
        for logs, weight in ((left, right), (right, left)):
            if inference.facts(logs).space is Space.LOG_PROBABILITIES:
                return inference.facts(logs), weight
    return None, None


def _are_shares(inference: Inference, one: Node, other: Node, node: Operation) -> bool:
    """Whether two numbers are ``log(w)`` and ``log(1 - w)``, of a ``w`` that is one number."""
    numbers = [weight.value for weight in (one, other) if isinstance(weight, Constant)]
    floats = [number for number in numbers if isinstance(number, float)]
    if len(floats) == 2:
        return max(floats) < 0 and math.isclose(math.fsum(map(math.exp, floats)), 1, rel_tol=1e-6)
    shares = [_share(inference, weight) for weight in (one, other)]
    (first, is_rest), (second, is_other_rest) = shares
    if first is None or second is None or is_rest == is_other_rest or first.identity != second.identity:
        return False
    return _is_one_number(inference, first, node)


def _share(inference: Inference, weight: Node) -> tuple[Node | None, bool]:
    """The w of ``log(w)``, or that of ``log(1 - w)`` and ``log1p(-w)`` and True."""
    if not isinstance(weight, Operation) or weight.name not in ("log", "log1p"):
        return None, False
    inner = inference.value(weight, "input")
    if weight.name == "log1p":
        is_negative = isinstance(inner, Operation) and inner.name == "neg"
        return (inference.value(inner, "input") if is_negative and isinstance(inner, Operation) else None), True
    if isinstance(inner, Operation) and inner.name == "sub":
        start = inference.value(inner, "input")
        if isinstance(start, Constant) and start.value == 1:
            return inference.value(inner, "other"), True
    return inner, False


def _is_one_number(inference: Inference, value: Node, node: Operation) -> bool:
    """Whether a weight is a single number: it has no dims, or was tested against a number on the way to the operation."""
    while isinstance(value, Operation) and value.name == "tensor" and "input" in value.arguments:
        if inference.facts(value).shape == Shape(()):
            return True
        value = inference.resolve(value.arguments["input"])
    if isinstance(value, Constant) or inference.facts(value).shape == Shape(()):
        return True
    tested = (condition for condition, _ in node.path if isinstance(condition, Operation))
    return any(
        operand.identity == value.identity
        for condition in tested
        if condition.name in _COMPARED and any(isinstance(each, Constant) for each in condition.operands())
        for operand in condition.operands()
    )
