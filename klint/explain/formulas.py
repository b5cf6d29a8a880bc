"""The formula that a loss call computes, what divides it, and why."""

from __future__ import annotations

from collections.abc import Callable

from klint.explain.names import Voice, bracketed
from klint.explain.slots import reason
from klint.torch_model.count import ONE
from klint.torch_model.facts import Facts, Loss, Space
from klint.torch_model.losses import LOSSES
from klint.torch_model.sites import LossSite, Slot

_ROWS = ("cross_entropy", "nll_loss")
_LEGACY = ("size_average", "reduce")


def formula(site: LossSite, voice: Voice, facts: Facts) -> str:
    """``KL(softmax(y) || softmax(x)) / 4``: the value of the call, or what the code has reduced it to since."""
    body = _BODIES.get(site.loss, _unwritten)(site, voice)
    if site.reduction == "none" and facts.rank != 0:
        body = f"the terms of {body}"
    loss = facts.loss
    if loss is not None and loss.divisor is not None:
        return voice.times(body, ONE / loss.divisor)
    symbol = divisor(site, voice, loss)
    return body if symbol == "1" else f"{body} / {symbol}"


def divisor(site: LossSite, voice: Voice, loss: Loss | None) -> str:
    """What the sum is divided by, in symbols; ``?`` where it is not known."""
    if loss is not None and loss.divisor is not None:
        return voice.count(loss.divisor)
    if site.reduction not in LOSSES[site.loss].reductions or (loss is not None and loss.reduced):
        return "?"
    if site.reduction in ("none", "sum"):
        return "1"
    if site.reduction == "batchmean":
        return "input.size(0)"
    if site.loss not in _ROWS:
        return "numel"
    by_weights = _divides_by_weights(site)
    if not by_weights:
        return "rows" if by_weights is False else "?"
    return f"sum({_weight(site, voice)}[{_text(site.target, site, voice)}])"


def because(site: LossSite) -> str:
    """What the reduction does to the sum, and why the sum is no KL where it is none."""
    note = _note(site)
    return f"{_divides(site)}; {note}" if note else _divides(site)


def reduction(site: LossSite, voice: Voice) -> str:
    """The reduction and where it is chosen, or why it is not known."""
    if site.reduction is None:
        return f"not known ({unknown_reduction(site, voice)})"
    given = [slot for slot in ("reduction", *_LEGACY) if site.is_given(slot)]
    if not given:
        return f"'{site.reduction}', the default"
    legacy = [slot for slot in given if slot != "reduction"]
    by = f" by {' and '.join(legacy)}" if legacy else ""
    return f"'{site.reduction}', chosen{by} at {voice.names.place(site.options.anchor)}"


def unknown_reduction(site: LossSite, voice: Voice) -> str:
    """Why the reduction is not known."""
    for slot in (*_LEGACY, "reduction"):
        node = site.call.arguments.get(slot)
        if node is not None:
            return reason(voice, node)
    return "more arguments may be passed than klint can see"


def options(site: LossSite, voice: Voice) -> tuple[str, ...]:
    """The options that are written out, but for the reduction."""
    skipped = {*LOSSES[site.loss].slots, "reduction", *_LEGACY}
    return tuple(
        f"{slot}={voice.expression(node)}"
        for slot, node in site.call.arguments.items()
        if slot not in skipped and site.is_given(slot)
    )


# The sum that each loss computes, before anything divides it.


def _kl_div(site: LossSite, voice: Voice) -> str:
    if _is_divergence(site):
        p, q = voice.distribution(site.target.node), voice.distribution(site.input.node)
        if p == q and site.input.facts.distribution != site.target.facts.distribution:
            p += f" at {voice.names.exact_place(site.target.node.anchor)}"
            q += f" at {voice.names.exact_place(site.input.node.anchor)}"
        return f"KL({p} || {q})"
    target, source = _factor(site.target, site, voice), _factor(site.input, site, voice)
    if site.log_target:
        return f"sum(exp({target}) * ({target} - {source}))"
    return f"sum({target} * (log {target} - {source}))"


def _cross_entropy(site: LossSite, voice: Voice) -> str:
    predicted = f"softmax({_text(site.input, site, voice)})"
    target, weight = _text(site.target, site, voice), _weight(site, voice)
    if site.is_given("label_smoothing"):
        target = f"smoothed({target})"
    elif site.target.facts.space is Space.INDICES:
        weight = f"{weight}[{target}] * " if weight else ""
        return f"-sum({weight}log {predicted}[{target}])"
    if site.target.facts.space is Space.UNKNOWN:
        return f"CE({target}, {predicted}" + (f", weight {weight})" if weight else ")")
    return f"-sum({f'{weight} * ' if weight else ''}{bracketed(target)} * log {predicted})"


def _nll_loss(site: LossSite, voice: Voice) -> str:
    target, weight = _text(site.target, site, voice), _weight(site, voice)
    weight = f"{weight}[{target}] * " if weight else ""
    return f"-sum({weight}{_factor(site.input, site, voice)}[{target}])"


def _binary(site: LossSite, voice: Voice) -> str:
    target, weight = _factor(site.target, site, voice), _weight(site, voice)
    p = _factor(site.input, site, voice)
    if site.loss.endswith("with_logits"):
        p = f"sigmoid({_text(site.input, site, voice)})"
    positive = f"{_weight(site, voice, 'pos_weight')} * " if site.is_given("pos_weight") else ""
    terms = f"{positive}{target} * log {p} + (1 - {target}) * log(1 - {p})"
    return f"-sum({weight} * ({terms}))" if weight else f"-sum({terms})"


def _unwritten(site: LossSite, voice: Voice) -> str:
    return f"{site.loss}({_text(site.input, site, voice)}, {_text(site.target, site, voice)})"


_BODIES: dict[str, Callable[[LossSite, Voice], str]] = {
    "kl_div": _kl_div,
    "cross_entropy": _cross_entropy,
    "nll_loss": _nll_loss,
    "binary_cross_entropy": _binary,
    "binary_cross_entropy_with_logits": _binary,
}


def _text(slot: Slot, site: LossSite, voice: Voice) -> str:
    """A slot in a formula: its expression, or its own name where it is not passed."""
    return slot.name if slot.node is site.call else voice.expression(slot.node)


def _factor(slot: Slot, site: LossSite, voice: Voice) -> str:
    """A slot beside an operator."""
    return bracketed(_text(slot, site, voice))


def _weight(site: LossSite, voice: Voice, slot: str = "weight") -> str:
    """The weight of the classes; empty where none is given."""
    return bracketed(voice.expression(site.call.arguments[slot])) if site.is_given(slot) else ""


# What the formula means, in words.


def _divides(site: LossSite) -> str:
    """What the reduction does."""
    kind = site.reduction
    if kind is None:
        return "the reduction is not known"
    if kind not in LOSSES[site.loss].reductions:
        return f"torch refuses the reduction '{kind}' here"
    if kind == "none":
        return "'none' keeps the terms apart and divides by nothing"
    if kind == "sum":
        return "'sum' divides by nothing"
    if kind == "batchmean":
        return f"'batchmean' divides by input.size(0){_one_dimension(site)}"
    if site.loss not in _ROWS:
        return "'mean' divides by the count of all numbers"
    by_weights = _divides_by_weights(site)
    if by_weights is None:
        return "'mean' divides by the weights of targets that are indices, by the number of rows where they are probabilities"
    if by_weights:
        return "'mean' divides by the sum of the weights of the targets"
    ignored = " whose target is not ignored" if site.is_given("ignore_index") else ""
    one = ", and a 1-D input is one row" if site.input.facts.rank == 1 else ""
    return f"'mean' divides by the number of rows{ignored}{one}"


def _one_dimension(site: LossSite) -> str:
    classes = site.input.facts.size(0)
    if site.input.facts.rank != 1:
        return ""
    number = None if classes is None else classes.value
    return ", and input is 1-D" if number is None else f", and input is 1-D of {number} classes"


def _divides_by_weights(site: LossSite) -> bool | None:
    """Whether a mean divides by weights, as it does for targets that are indices; None where that is not known."""
    if not site.is_given("weight"):
        return False
    if site.loss == "nll_loss" or site.target.facts.space is Space.INDICES:
        return True
    return None if site.target.facts.space is Space.UNKNOWN else False


def _wanted(site: LossSite) -> tuple[tuple[Slot, Space], tuple[Slot, Space]]:
    """The slots of ``kl_div`` with what they must hold."""
    target = Space.LOG_PROBABILITIES if site.log_target else Space.PROBABILITIES
    return (site.input, Space.LOG_PROBABILITIES), (site.target, target)


def _is_divergence(site: LossSite) -> bool:
    """Whether both slots of ``kl_div`` hold what makes the sum a KL divergence."""
    if site.log_target is None or any(slot.facts.space is not space for slot, space in _wanted(site)):
        return False
    first, second = (slot.facts.dim_from_right(slot.facts.dim) for slot in (site.input, site.target))
    return first is None or second is None or first == second or (first < 0) != (second < 0)


def _note(site: LossSite) -> str:
    """Why the sum of ``kl_div`` is no KL, or what it takes to be one."""
    if site.loss != "kl_div" or _is_divergence(site):
        return ""
    if site.log_target is None:
        return "whether log_target holds is not known"
    wanted = _wanted(site)
    wrong = [
        f"{slot.name} holds {slot.facts.space.value} in place of {space.value}"
        for slot, space in wanted
        if slot.facts.space not in (space, Space.UNKNOWN)
    ]
    if wrong:
        return f"this is no KL, for {' and '.join(wrong)}"
    missing = [f"{slot.name} holds {space.value}" for slot, space in wanted if slot.facts.space is Space.UNKNOWN]
    if missing:
        return f"this is a KL if {' and '.join(missing)}"
    return "this is no KL, for input and target are distributions over different dims"
