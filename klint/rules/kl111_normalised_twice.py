"""KL111: a softmax of what is normalised already."""

from __future__ import annotations

from collections.abc import Iterator
from math import e

from klint.finding import Confidence, Edit, Fix, Severity
from klint.graph.nodes import Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect, Reading
from klint.rules.fixes import argument, unsafe
from klint.rules.makers import input_of, path_to, undone_behind
from klint.rules.rewrite import apply, kl_claim, loss_claim, substituted, with_arguments, with_reading
from klint.torch_model.facts import Facts, Space
from klint.torch_model.sites import LossSite, Slot

_NORMALISING = frozenset("softmax log_softmax softmax2d softmin".split())
_COMPUTED = frozenset("softmax softmax2d softmin exp categorical_probs add mean div".split())
"""What makes probabilities of scores. A softmax of one-hot rows, on the other hand, may be meant to smooth them."""


class NormalisedTwice(Rule[LossSite]):
    """A softmax or log_softmax is taken of probabilities, which are normalised already.

    ## What it does

    Finds `log_softmax(softmax(x))` and `softmax(softmax(x))` over the same dim in what KL divergence, cross entropy or `nll_loss` is given, also where
    one of the two stands in the model and the other in the loss. `softmax(log_softmax(x))` is harmless and not reported.

    ## Why it is wrong

    The second softmax takes the probabilities for scores. They lie in [0, 1], so that the result is nearly uniform: no class gets more than
    e / (e + C - 1), 0.232 of 10 classes. A loss whose targets are one-hot cannot fall below ln(1 + (C - 1) / e), which is 1.461 for 10 classes
    and 5.909 for 1000, and its gradient passes through two softmaxes and all but vanishes. Training stalls there.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    output = F.softmax(logits, dim=1)
    loss = F.kl_div(F.log_softmax(output, dim=1), target, reduction="batchmean")
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

    Unsafe, since another loss is trained: the inner softmax is left out, if it is written inside the outer one or in a variable.

    ## References

    - [torch.nn.functional.log_softmax](https://pytorch.org/docs/stable/generated/torch.nn.functional.log_softmax.html)
    """

    code = "KL111"
    name = "normalised-twice"
    summary = "softmax of what is normalised already"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div", "cross_entropy", "nll_loss")

    def check(self, site: LossSite) -> Iterator[Draft]:
        """What normalised a slot was given probabilities over the same dim."""
        slots = (site.input, site.target)
        found = [(slot, *pair) for slot in slots if (pair := _normalised_twice(site, slot)) is not None]
        if not found:
            return
        where = "input and target are" if len(found) == 2 else f"{found[0][0].name} is"
        _, outer, inner = found[0]
        classes = None if site.classes is None else site.classes.value
        most = f"{e / (e + classes - 1):.3g}" if classes else "e / (e + C - 1)"
        scores = inner.arguments.get("input") if inner.name in _NORMALISING else None
        of = "the scores" if scores is None or len(scores.anchor.text) >= 30 else scores.anchor.text
        made = ((inner.anchor, "probabilities are made here"), (outer.anchor, "they are normalised again here"))
        yield Draft(
            site.anchor,
            f"{where} normalised twice: {outer.name} takes probabilities for scores, so that no class gets more than {most}, "
            f"whatever the scores; use {outer.name} of {of} alone",
            _claim(site, found),
            site.confidence,
            made,
            fix=lambda: _fix(site, found),
        )


def _normalised_twice(site: LossSite, slot: Slot) -> tuple[Operation, Operation] | None:
    """The operation that normalised a slot and the one that made the probabilities that it was given."""
    if not slot.facts.is_distribution:
        return None
    if site.loss == "cross_entropy" and slot.name == "input" and slot.facts.space is Space.PROBABILITIES:
        return None  # one softmax is too many there already: that is KL401
    outer = slot.maker
    while outer is not None and outer.name in ("log", "exp"):
        made = site.inference.argument(outer, "input").made_by
        outer = made if isinstance(made, Operation) else None
    if outer is None or outer.name not in _NORMALISING:
        return None
    source = site.inference.argument(outer, "input")
    inner = source.made_by
    if not isinstance(inner, Operation) or inner.name not in _COMPUTED or source.confidence is Confidence.LIKELY:
        return None
    same = source.same_dim(site.inference.facts(outer).dim, source.dim)
    return (outer, inner) if _within_one(source) and same else None


def _within_one(facts: Facts) -> bool:
    """Whether a tensor holds probabilities, or a positive part of them: softmax(x) / T."""
    return facts.space is Space.PROBABILITIES or (facts.mass is not None and 0 < facts.mass <= 1)


def _claim(site: LossSite, found: list[tuple[Slot, Operation, Operation]]) -> Claim:
    """The site with slots that are normalised once, which is also how its definition is read."""
    meant: dict[str, Node] = {}
    for slot, outer, inner in found:
        given = site.inference.resolve(outer.arguments["input"])
        directly = given is inner and inner.name in _NORMALISING
        once = inner.arguments["input"] if directly else apply("log", given, input=given)
        normalised = apply(outer.name, outer, **(dict(outer.arguments) | {"input": once}))
        meant[slot.name] = substituted(slot.node, outer, normalised)
    fixed = with_arguments(site.call, **meant)
    text = "no class gets more than e / (e + C - 1)"
    claim = (kl_claim if site.loss == "kl_div" else loss_claim)(site, text, Effect.DIFFERS, fixed)
    for slot, _, _ in found:
        claim = with_reading(claim, slot.name, Reading(meant[slot.name], slot.facts.space, slot.facts.dim))
    return claim


def _fix(site: LossSite, found: list[tuple[Slot, Operation, Operation]]) -> Fix | None:
    """The outer normalisation of what the inner one was applied to."""
    edits: list[Edit] = []
    for slot, outer, inner in found:
        given, unit = argument(site, slot.name), site.anchor.unit
        is_there = given is not None and path_to(unit, given.value, outer.anchor.tree) is not None
        inside = input_of(unit, outer.anchor.tree, outer) if is_there else None
        left_out = undone_behind(unit, inside, inner) if inside is not None and inner.name in _NORMALISING else None
        if left_out is None:
            return None
        edits.extend(left_out)
    return unsafe(f"Use {found[0][1].name} alone", tuple(edits))
