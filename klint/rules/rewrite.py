"""The corrected expressions that claims predict: small changes of a loss call's graph."""

from __future__ import annotations

from klint.graph.nodes import Constant, Literal, Node, Operation
from klint.rules.claims import Claim, Divisor, Effect, Expected, Reading
from klint.torch_model.count import Count
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite, Slot

_DIVISORS = {"none": Divisor.ONE, "sum": Divisor.ONE, "mean": Divisor.NUMEL, "batchmean": Divisor.BATCH}
_LEGACY = ("size_average", "reduce")


def constant(value: Literal, like: Node) -> Constant:
    """A literal that stands nowhere in the source."""
    return Constant(like.anchor, -1, value)


def apply(name: str, like: Node, **arguments: Node | int | bool | str) -> Operation:
    """An operation that stands nowhere in the source."""
    nodes = {
        slot: argument if isinstance(argument, Node) else constant(argument, like)
        for slot, argument in arguments.items()
    }
    return Operation(like.anchor, -1, name, nodes)


def with_arguments(call: Operation, **arguments: Node | bool | str) -> Operation:
    """The same call with some arguments replaced; a new reduction replaces the legacy ones too."""
    dropped = _LEGACY if "reduction" in arguments else ()
    kept = {slot: node for slot, node in call.arguments.items() if slot not in dropped}
    return apply(call.name, call, **(kept | arguments))


def total(call: Operation, reduction: str | None) -> Operation:
    """The value of a call as one number: with 'none', or a reduction that is not known, its sum."""
    if reduction is None:
        return with_arguments(call, reduction="sum")
    return apply("sum", call, input=call) if reduction == "none" else call


def per_row(call: Operation, class_dim: int | None) -> Operation:
    """Sum over the classes, mean over the rows, at any rank."""
    pointwise = with_arguments(call, reduction="none")
    return apply("mean", call, input=apply("sum", call, input=pointwise, dim=-1 if class_dim is None else class_dim))


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
