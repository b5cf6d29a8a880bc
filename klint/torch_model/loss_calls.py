"""What a loss call computes: its shape, its divisor, and its value as a sum of terms."""

from __future__ import annotations

from klint.graph.nodes import Constant, Operation
from klint.torch_model.arithmetic import broadcast
from klint.torch_model.count import ONE, inverse
from klint.torch_model.facts import Distribution, Facts, Loss, Shape, Space, Term, replace
from klint.torch_model.infer import Inference, reads, unread
from klint.torch_model.losses import LOSSES, OLD_REDUCTIONS
from klint.torch_model.table import Transfer
from klint.torch_model.terms import MINUS, add_terms, distribution_of, scaled_terms


def reduction_of(inference: Inference, call: Operation) -> str | None:
    """The reduction that is in force, legacy arguments included; None where it is not known.

    Legacy arguments win, except that ``F.kl_div`` divides by the batch size for ``reduction='batchmean'`` all the same.
    """
    named = inference.value(call, "reduction")
    named_value = named.value if isinstance(named, Constant) and isinstance(named.value, str) else None
    legacy: list[object] = []
    for slot in ("size_average", "reduce"):
        node = inference.value(call, slot)
        known = node.value if isinstance(node, Constant) else None
        if node is not None and not isinstance(node, Constant):
            return None
        legacy.append(known)
    if legacy != [None, None]:
        average, reduce = (True if value is None else bool(value) for value in legacy)
        reduction = ("mean" if average else "sum") if reduce else "none"
        may_be_batchmean = named_value == "batchmean" or (named is not None and not isinstance(named, Constant))
        if call.name == "kl_div" and call.constructor is None and may_be_batchmean:
            return "batchmean" if named_value and reduction == "sum" else None
        return reduction
    if named is None:
        return None if call.open else "mean"
    return OLD_REDUCTIONS.get(named_value, named_value) if named_value is not None else None


def truth_of(inference: Inference, call: Operation, slot: str, default: bool) -> bool | None:
    """A truth value among the options; None where it is not known."""
    node = inference.value(call, slot)
    if node is None:
        return None if call.open else default
    return bool(node.value) if isinstance(node, Constant) else None


@reads(Transfer.LOSS)
def loss_call(inference: Inference, call: Operation) -> Facts:
    """Any loss of the table; the value in terms is known of KL divergence and of cross entropy with soft targets."""
    reduction = reduction_of(inference, call)
    result = replace(unread(inference, call), made_by=call)
    if reduction is None or reduction not in LOSSES[call.name].reductions:
        return replace(result, loss=Loss(call, None))
    if call.name == "kl_div":
        return _kl_div(inference, call, reduction, result)
    if call.name == "cross_entropy":
        return _cross_entropy(inference, call, reduction, result)
    shape = None if reduction == "none" else Shape(())
    return replace(result, shape=shape, loss=Loss(call, ONE if reduction == "sum" else None))


def _kl_div(inference: Inference, call: Operation, reduction: str, result: Facts) -> Facts:
    source, target = inference.argument(call, "input"), inference.argument(call, "target")
    shape = broadcast(source.shape, target.shape)
    same_root = source.root is not None and source.root == target.root
    numel = shape.numel if shape is not None else source.numel if same_root else None
    divisor = {"none": ONE, "sum": ONE, "mean": numel, "batchmean": source.size(0)}[reduction]
    class_dim = None
    if shape is not None and source.dim is not None and source.rank is not None:
        right = source.dim_from_right(source.dim)
        class_dim = None if right is None else shape.dim(right)
    terms = None if divisor is None or _is_spread(source, target) else _kl_terms(inference, call, source, target)
    return replace(
        result,
        shape=shape if reduction == "none" else Shape(()),
        loss=Loss(call, divisor, class_dim if reduction == "none" else None),
        terms=scaled_terms(terms, inverse(divisor)),
    )


def _is_spread(source: Facts, target: Facts) -> bool:
    """Whether broadcasting counts some numbers more than once."""
    if source.shape is None or target.shape is None:
        return False
    shape = broadcast(source.shape, target.shape)
    return shape is None or not shape.numel == source.shape.numel == target.shape.numel


def _kl_terms(inference: Inference, call: Operation, source: Facts, target: Facts) -> tuple[Term, ...] | None:
    """The sum of target * (log target - input), where the input is known to be log-probabilities."""
    log_target = truth_of(inference, call, "log_target", False)
    wanted = Space.LOG_PROBABILITIES if log_target else Space.PROBABILITIES
    if log_target is None or source.space is not Space.LOG_PROBABILITIES or target.space not in (wanted, Space.UNKNOWN):
        return None
    p, q = distribution_of(target), distribution_of(source)
    if p is None or q is None:
        return None
    return add_terms((Term(p, p, ONE), Term(p, q, MINUS)))


def _cross_entropy(inference: Inference, call: Operation, reduction: str, result: Facts) -> Facts:
    source, target = inference.argument(call, "input"), inference.argument(call, "target")
    class_dim = None if source.rank is None else 0 if source.rank == 1 else 1
    soft = target.is_distribution or target.space is Space.SCORES
    # torch refuses a soft target whose shape is not the input's, so the sizes of either are those of both
    shaped = source if source.shape is not None or not soft else target
    rows = None
    if shaped.shape is not None:
        classes = shaped.size(0 if shaped.rank == 1 else 1)
        rows = None if classes is None or not classes.factor else shaped.shape.numel / classes
    weight = inference.value(call, "weight")
    weighted = weight is not None and not (isinstance(weight, Constant) and weight.value is None)
    divisor = ONE if reduction != "mean" else None if weighted and not soft else rows
    shape = Shape(()) if reduction != "none" else None
    if reduction == "none" and shaped.shape is not None and class_dim is not None:
        shape = Shape(tuple(size for index, size in enumerate(shaped.shape.sizes) if index != class_dim))
    terms = None
    smoothing = inference.value(call, "label_smoothing")
    smoothed = smoothing is not None and not (isinstance(smoothing, Constant) and not smoothing.value)
    source, target, place = _before_transpose(inference, call, class_dim if class_dim is not None else 1)
    p = distribution_of(target)
    if soft and not weighted and not smoothed and not call.open and p is not None and source.values is not None:
        dim = (source if source.shape is not None else target).dim_from_right(place)
        q = Distribution(source.values, dim)
        if source.space is Space.LOG_PROBABILITIES and source.same_dim(source.dim, dim) and source.distribution:
            q = source.distribution
        terms = scaled_terms((Term(p, q, MINUS),), inverse(divisor))
    return replace(result, shape=shape, loss=Loss(call, divisor), terms=terms)


def _before_transpose(inference: Inference, call: Operation, class_dim: int) -> tuple[Facts, Facts, int]:
    """Input, target and class dim before both were transposed alike (``x.transpose(1, 2)``): the sum is the same."""
    nodes = [inference.value(call, slot) for slot in ("input", "target")]
    facts = (inference.argument(call, "input"), inference.argument(call, "target"), class_dim)
    if not all(isinstance(node, Operation) and node.name == "transpose" for node in nodes):
        return facts
    first, second = (node for node in nodes if isinstance(node, Operation))
    before = (inference.argument(first, "input"), inference.argument(second, "input"))
    swaps = []
    for node, inner in zip((first, second), before, strict=True):
        dims = [inference.integer(node, slot) for slot in ("dim0", "dim1")]
        swaps.append({inner.shape.dim(dim) for dim in dims if dim is not None} if inner.shape is not None else set())
    if swaps[0] != swaps[1] or len(swaps[0]) != 2 or before[0].rank != before[1].rank:
        return facts
    other = next((dim for dim in swaps[0] if dim != class_dim), None) if class_dim in swaps[0] else class_dim
    return facts if other is None else (*before, other)
