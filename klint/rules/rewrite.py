"""The corrected expressions that claims predict: small changes of a loss call's graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from klint.graph.nodes import Choice, Constant, Literal, Node, Operation, Sequence
from klint.rules.claims import Claim, Divisor, Effect, Expected, Reading
from klint.torch_model.count import Count
from klint.torch_model.facts import Space
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.sites import LossSite, Slot
from klint.torch_model.table import Transfer

_DIVISORS = {"none": Divisor.ONE, "sum": Divisor.ONE, "mean": Divisor.NUMEL, "batchmean": Divisor.BATCH}
_LEGACY = ("size_average", "reduce")
_ROW_DIVISORS = {"none": Divisor.ONE, "sum": Divisor.ONE, "mean": Divisor.ROWS}
_ELEMENT_DIVISORS = _ROW_DIVISORS | {"mean": Divisor.NUMEL}
_WEIGHING = ("weight", "pos_weight", "ignore_index", "label_smoothing")
_HELD = {
    "cross_entropy": (Space.SCORES, Space.INDICES),
    "nll_loss": (Space.LOG_PROBABILITIES, Space.INDICES),
    "binary_cross_entropy": (Space.ELEMENTWISE, Space.ELEMENTWISE),
    "binary_cross_entropy_with_logits": (Space.SCORES, Space.ELEMENTWISE),
}
"""What the input and the target of a loss are taken for where nothing is known of them."""


def constant(value: Literal, like: Node) -> Constant:
    """A literal that stands nowhere in the source."""
    return Constant(like.anchor, -1, value)


def apply(name: str, like: Node, **arguments: Node | int | bool | str) -> Operation:
    """An operation that stands nowhere in the source."""
    nodes = {
        slot: argument if isinstance(argument, Node) else constant(argument, like)
        for slot, argument in arguments.items()
    }
    grad_enabled = like.grad_enabled if isinstance(like, Operation) else True
    return Operation(like.anchor, -1, name, nodes, grad_enabled=grad_enabled)


def with_arguments(call: Operation, **arguments: Node | bool | int | str) -> Operation:
    """The same call with some arguments replaced; a new reduction replaces the legacy ones too."""
    dropped = _LEGACY if "reduction" in arguments else ()
    kept = {slot: node for slot, node in call.arguments.items() if slot not in dropped}
    return apply(call.name, call, **(kept | arguments))


def without_arguments(call: Operation, *slots: str) -> Operation:
    """The same call with some arguments left out."""
    return apply(call.name, call, **{slot: node for slot, node in call.arguments.items() if slot not in slots})


def total(call: Operation, reduction: str | None) -> Operation:
    """The value of a call as one number: with 'none', or a reduction that is not known, its sum."""
    if reduction is None:
        return with_arguments(call, reduction="sum")
    return apply("sum", call, input=call) if reduction == "none" else call


def per_row(call: Operation, class_dim: int | None) -> Operation:
    """Sum over the classes, mean over the rows, at any rank."""
    pointwise = with_arguments(call, reduction="none")
    return apply("mean", call, input=apply("sum", call, input=pointwise, dim=-1 if class_dim is None else class_dim))


def elementwise_dim(site: LossSite) -> int | None:
    """The class dim of the elementwise loss: counted from the right where one of the tensors has more dims than the other."""
    ranks = {slot.facts.rank for slot in (site.input, site.target)}
    dim = site.class_dim
    if dim is None or dim < 0 or len(ranks) == 1:
        return dim
    rank = next((slot.facts.rank for slot in (site.input, site.target) if slot.facts.dim is not None), None)
    return dim if rank is None else dim - rank


def normaliser(site: LossSite, slot: Slot) -> Operation | None:
    """The softmax or log_softmax that made what a slot holds, seen through the log or exp that was taken since."""
    maker = slot.maker
    while maker is not None and maker.name in ("log", "exp"):
        made_by = site.inference.argument(maker, "input").made_by
        maker = made_by if isinstance(made_by, Operation) else None
    return maker if maker is not None and maker.name in ("softmax", "log_softmax") else None


def log_of(slot: Slot) -> Operation:
    """The log-probabilities of what a slot holds as probabilities: log_softmax where it is made by softmax."""
    maker = slot.maker
    if maker is slot.node and maker is not None and maker.name == "softmax":
        return apply("log_softmax", maker, **dict(maker.arguments))
    return apply("log", slot.node, input=slot.node)


def read(slot: Slot, site: LossSite, space: Space | None = None) -> Reading:
    """How the oracle reads a slot; a space that is not known is the one that torch expects there."""
    known = space or slot.facts.space
    if known is Space.UNKNOWN:
        wants_logs = slot.name == "input" or bool(site.log_target)
        known = Space.LOG_PROBABILITIES if wants_logs else Space.PROBABILITIES
    dim = slot.facts.dim if slot.facts.dim is not None else site.class_dim
    return Reading(slot.node, known, dim)


def kl_claim(
    site: LossSite,
    text: str,
    effect: Effect,
    fixed: Operation,
    divisor: Divisor | None = None,
    ratio: Count | None = None,
    counterpart: Node | None = None,
    as_written: Node | None = None,
) -> Claim:
    """A claim about a ``kl_div`` call, or about the value ``as_written`` that the code makes of it.

    Without a divisor of its own the oracle divides as the call says.
    """
    reduction = site.reduction
    return Claim(
        text=text,
        effect=effect,
        as_written=as_written or total(site.call, reduction),
        fixed=fixed if divisor is not None else total(fixed, reduction),
        expected=Expected(
            "kl_div",
            read(site.input, site),
            read(site.target, site),
            divisor or _DIVISORS.get(reduction or "", Divisor.ONE),
        ),
        ratio=ratio,
        counterpart=counterpart,
        choices=dict(site.inference.choices),
    )


def difference(left: Node, right: Node) -> Operation:
    """``left - right``."""
    return apply("sub", left, input=left, other=right)


def logits_of(slot: Slot) -> Node:
    """The scores of elementwise probabilities: what the sigmoid was taken of, or log p - log(1 - p)."""
    maker = slot.maker
    if maker is slot.node and maker is not None and maker.name == "sigmoid":
        return maker.arguments["input"]
    rest = difference(constant(1, slot.node), slot.node)
    return difference(apply("log", slot.node, input=slot.node), apply("log", slot.node, input=rest))


def before(slot: Slot) -> Node | None:
    """A slot as it would be without the operation that made what it holds, seen through changes of shape and type.

    None where something else happens in between.
    """
    maker = slot.maker
    node, steps = slot.node, list[Operation]()
    while node is not maker:
        if not isinstance(node, Operation) or OPERATIONS[node.name].transfer not in (Transfer.KEEP, Transfer.VIEW):
            return None
        steps.append(node)
        node = node.arguments["input"]
    if maker is None or "input" not in maker.arguments:
        return None
    made = maker.arguments["input"]
    for step in reversed(steps):
        made = with_arguments(step, input=made)
    return made


def class_dim_of(site: LossSite) -> int:
    """The dim that ``cross_entropy`` and ``nll_loss`` take for the classes: 1, or 0 of a single row."""
    return 0 if site.input.facts.rank == 1 else 1


def loss_claim(site: LossSite, text: str, effect: Effect, fixed: Operation | None) -> Claim:
    """A claim about a call of any other loss than ``kl_div``, held against its definition for what the slots hold.

    Options that weigh or leave out rows, and operations that were normalised over another dim than the classes, have no
    such definition: the fixed code is then the reference.
    """
    reduction = site.reduction
    by_row = site.loss in ("cross_entropy", "nll_loss")
    weighed = site.call.open or any(site.is_given(option) for option in _WEIGHING)
    dim = class_dim_of(site) if by_row else None
    readings = []
    for slot, held in zip((site.input, site.target), _HELD[site.loss], strict=True):
        space = held if slot.facts.space is Space.UNKNOWN else slot.facts.space
        weighed = weighed or (by_row and slot.facts.differs(dim))
        readings.append(Reading(slot.node, space, dim))
    divisor = (_ROW_DIVISORS if by_row else _ELEMENT_DIVISORS).get(reduction or "", Divisor.ONE)
    return Claim(
        text=text,
        effect=effect,
        as_written=total(site.call, reduction),
        fixed=None if fixed is None else total(fixed, reduction),
        expected=None if weighed else Expected(site.loss, readings[0], readings[1], divisor),
        choices=dict(site.inference.choices),
    )


def substituted(node: Node, old: Node, new: Node) -> Node:
    """The same expression with ``new`` wherever ``old`` stands in it. Iterative: chains may be thousands of calls long."""
    done: dict[int, Node] = {id(old): new}
    stack = [node]
    while stack:
        top = stack[-1]
        missing = [] if id(top) in done else [part for part in top.operands() if id(part) not in done]
        if missing:
            stack.extend(missing)
        else:
            stack.pop()
            if id(top) not in done:
                done[id(top)] = _rebuilt(top, done)
    return done[id(node)]


def _rebuilt(node: Node, parts: Mapping[int, Node]) -> Node:
    """A node of other operands; itself where they are the same."""
    if all(parts[id(part)] is part for part in node.operands()):
        return node
    if isinstance(node, Operation):
        return apply(node.name, node, **{slot: parts[id(part)] for slot, part in node.arguments.items()})
    if isinstance(node, Sequence):
        return replace(node, identity=-1, items=tuple(parts[id(item)] for item in node.items))
    if isinstance(node, Choice):
        then, otherwise = parts[id(node.then)], parts[id(node.otherwise)]
        return replace(node, identity=-1, then=then, otherwise=otherwise)
    return node


def with_reading(claim: Claim, slot: str, reading: Reading) -> Claim:
    """The same claim, where the definition reads another tensor in one slot than the code does."""
    if claim.expected is None:
        return claim
    is_input = slot == "input"
    return replace(
        claim,
        expected=replace(claim.expected, input=reading) if is_input else replace(claim.expected, target=reading),
    )


def options_claim(site: LossSite, text: str, effect: Effect, fixed: Operation) -> Claim:
    """A claim about the options of a loss: the same call with other options is the reference, whatever the tensors hold."""
    return Claim(
        text=text,
        effect=effect,
        as_written=total(site.call, site.reduction) if site.reduction == "none" else site.call,
        fixed=_as_one_number(fixed),
        choices=dict(site.inference.choices),
    )


def _as_one_number(call: Operation) -> Operation:
    reduction = call.arguments.get("reduction")
    pointwise = isinstance(reduction, Constant) and reduction.value == "none"
    return apply("sum", call, input=call) if pointwise else call
