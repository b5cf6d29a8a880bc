"""KL110: the log of a softmax feeds a loss."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from klint.finding import Fix, Severity
from klint.graph.nodes import Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.fixes import safe, unsafe
from klint.rules.makers import log_softmax_of
from klint.rules.rewrite import apply, kl_claim, loss_claim, substituted, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.infer import Inference
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.sites import LossSite, Slot
from klint.torch_model.table import Transfer

_NEARLY_SAME = (Transfer.ADD, Transfer.CLAMP)
"""What may be done to a softmax so that its log is finite: a small number is added, or it is clamped."""

_SEARCHED = 200


class LogOfSoftmax(Rule[LossSite]):
    """Log-probabilities are computed as `log(softmax(x))`, which underflows.

    ## What it does

    Finds losses whose log-probabilities come from the log of a softmax, with or without a small number added or a clamp in between.

    ## Why it is wrong

    The two are equal on paper. In floating point softmax rounds to 0 once a score lies far enough below the largest one: 104 in
    float32, 18 in float16. Its log is then -inf and the gradient NaN. With an epsilon inside, the value is capped and the
    gradient of that class is exactly 0, so that it can never be learnt back. `log_softmax` has neither fault.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(torch.log(F.softmax(logits, dim=1)), target, reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")
    ```

    ## Fix

    Safe: one log_softmax has the same value wherever the log of the softmax is finite. Unsafe where a number is added, or a clamp stands
    in between, which changes the value of unlikely classes.

    ## References

    - [torch.nn.functional.log_softmax](https://pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html)
    """

    code = "KL110"
    name = "log-of-softmax"
    summary = "log(softmax(x)) where log_softmax(x) is meant"
    severity = Severity.WARNING
    site = LossSite
    losses = ("kl_div", "nll_loss")

    def check(self, site: LossSite) -> Iterator[Draft]:
        """A slot holds log-probabilities that a log made of what a softmax made."""
        found = [
            (slot, *pair) for slot in (site.input, site.target) if (pair := _log_of_softmax(site, slot)) is not None
        ]
        if not found:
            return
        slot, log, softmax = found[0]
        scores, dim = softmax.arguments["input"], softmax.arguments.get("dim")
        written = "" if dim is None else f", dim={dim.anchor.text}"
        yield Draft(
            site.anchor,
            f"{slot.name} is the log of a softmax: it is -inf once scores lie 104 apart in float32 (18 in float16); "
            f"use log_softmax({scores.anchor.text}{written})",
            _claim(site, found),
            slot.facts.confidence,
            ((softmax.anchor, "softmax is applied here"), (log.anchor, "its log is taken here")),
            fix=partial(_fix, site, log, softmax),
        )


def _fix(site: LossSite, log: Operation, softmax: Operation) -> Fix | None:
    """One log_softmax; safe unless a number that is added, or a clamp, shows in the value."""
    edits = log_softmax_of(site.anchor.unit, log, softmax)
    is_plain = site.inference.resolve(log.arguments["input"]) is softmax
    return (safe if is_plain else unsafe)("Use log_softmax", edits)


def _log_of_softmax(site: LossSite, slot: Slot) -> tuple[Operation, Operation] | None:
    log = slot.maker
    if slot.facts.space is not Space.LOG_PROBABILITIES or log is None or log.name != "log":
        return None
    softmax = site.inference.argument(log, "input").made_by
    if isinstance(softmax, Operation) and softmax.name == "softmax" and "input" in softmax.arguments:
        return log, softmax
    return None


def _claim(site: LossSite, found: list[tuple[Slot, Operation, Operation]]) -> Claim:
    """The site with one log_softmax in each slot that holds the log of a softmax."""
    meant = {slot.name: substituted(slot.node, log, _meant(site, log, softmax)) for slot, log, softmax in found}
    fixed = with_arguments(site.call, **meant)
    claim = kl_claim if site.loss == "kl_div" else loss_claim
    return claim(site, "equal until the softmax underflows, then -inf or NaN", Effect.UNDERFLOW, fixed)


def _meant(site: LossSite, log: Operation, softmax: Operation) -> Node:
    """The log_softmax, in the shape that was made of the softmax since."""
    dim = softmax.arguments.get("dim")
    over = {} if dim is None else {"dim": dim}
    meant: Node = apply("log_softmax", log, input=softmax.arguments["input"], **over)
    for operation, slot in _path(site.inference, log.arguments["input"], softmax):
        if OPERATIONS[operation.name].transfer not in _NEARLY_SAME:
            meant = with_arguments(operation, **{slot: meant})
    return meant


def _path(inference: Inference, node: Node, end: Node) -> list[tuple[Operation, str]]:
    """The operations, each with the slot that it is reached by, that lead from ``end`` to a node; none if none are found."""
    queue = [inference.resolve(node)]
    above: dict[int, tuple[Operation, str]] = {}
    for one in queue:
        if one is end or not isinstance(one, Operation) or len(queue) > _SEARCHED:
            break
        for slot, argument in one.arguments.items():
            part = inference.resolve(argument)
            if id(part) not in above and isinstance(part, Operation):
                above[id(part)] = (one, slot)
                queue.append(part)
    path: list[tuple[Operation, str]] = []
    while id(end) in above and end is not queue[0]:
        operation, slot = above[id(end)]
        path.append((operation, slot))
        end = operation
    return path
