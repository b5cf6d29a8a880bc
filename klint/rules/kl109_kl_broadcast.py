"""KL109: input and target of kl_div are broadcast against each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import zip_longest

from klint.finding import Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect, Reading
from klint.rules.edits import method_called
from klint.rules.fixes import argument, unsafe
from klint.rules.rewrite import apply, kl_claim, read, with_arguments, with_reading
from klint.torch_model.count import ONE, Count
from klint.torch_model.sites import LossSite, Slot

Sizes = tuple[Count, ...]


class KlBroadcast(Rule[LossSite]):
    """The shapes of input and target differ, and torch broadcasts them without a word.

    ## What it does

    Finds `kl_div` calls whose shapes are known and of which one has a dim of size 1 that pairs every row with every other, as
    (B, 1, C) against (B, C) does; and `reduction='batchmean'` with an input of shape (1, C) against a target of more rows.
    Silent for a prior of shape (C,) or (1, C) as the target, and with `reduction='none'`, where the shape is there to be seen.

    ## Why it is wrong

    `kl_div` broadcasts as arithmetic does, and says nothing. Of (B, 1, C) and (B, C) it makes (B, B, C), so that each sample is compared
    with the targets of all others. 'batchmean' divides by the size of the input before it is broadcast: with an input of shape (1, C)
    it is the plain sum over all rows of the target.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 1, 10)
    target = torch.softmax(torch.randn(8, 10), dim=-1)
    loss = F.kl_div(F.log_softmax(logits, dim=-1), target, reduction="sum") / 8
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 1, 10)
    target = torch.softmax(torch.randn(8, 10), dim=-1)
    loss = F.kl_div(F.log_softmax(logits.squeeze(1), dim=-1), target, reduction="sum") / 8
    ```

    ## Fix

    Unsafe, since another loss is trained: `.squeeze` or `.expand_as` is called of the argument, where no caller passes it.

    ## References

    - [PyTorch: broadcasting semantics](https://pytorch.org/docs/stable/notes/broadcasting.html)
    """

    code = "KL109"
    name = "kl-broadcast"
    summary = "shapes of input and target differ and broadcast"
    severity = Severity.WARNING
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """Both shapes are known, and broadcasting makes more of them than the code divides by."""
        input, target = site.input.facts.shape, site.target.facts.shape
        if input is None or target is None or site.reduction in (None, "none"):
            return
        both = _broadcast(input.sizes, target.sizes)
        if both is None or input.rank == 0 or target.rank == 0:
            return
        shapes = f"input of shape {_text(input.sizes)} and target of shape {_text(target.sizes)}"
        if _pairs_all(both, input.sizes, target.sizes):
            slot = site.input if input.rank > target.rank else site.target
            index = _single(slot)
            squeezed = apply("squeeze", slot.node, input=slot.node, dim=index)
            claim = kl_claim(
                site,
                "every row is paired with every other",
                Effect.DIFFERS,
                with_arguments(site.call, **{slot.name: squeezed}),
            )
            was = read(slot, site)
            dim = was.dim if was.dim is None or was.dim < 0 or was.dim < index else was.dim - 1
            yield Draft(
                site.anchor,
                f"{shapes} broadcast to {_text(both)}: every row is paired with every other; use {slot.name}.squeeze({index})",
                with_reading(claim, slot.name, Reading(squeezed, was.space, dim)),
                related=((slot.node.anchor, "this has a dim of size 1"),),
                fix=lambda: _fix(site, slot, f".squeeze({index})"),
            )
        elif site.reduction == "batchmean" and input.sizes[0] == ONE != both[0] and input.rank == len(both):
            expanded = apply("expand_as", site.input.node, input=site.input.node, other=site.target.node)
            was = read(site.input, site)
            claim = kl_claim(
                site, "value / rows = KL", Effect.RATIO, with_arguments(site.call, input=expanded), ratio=both[0]
            )
            yield Draft(
                site.anchor,
                f"{shapes} broadcast, but 'batchmean' divides by input.size(0) = 1: the value is the sum over all rows; "
                "use input.expand_as(target)",
                with_reading(claim, "input", Reading(expanded, was.space, was.dim)),
                fix=lambda: _expanded(site),
            )


def _broadcast(left: Sizes, right: Sizes) -> Sizes | None:
    """The shape that torch makes of two; None where it is not known to broadcast."""
    sizes: list[Count] = []
    for one, other in zip_longest(reversed(left), reversed(right), fillvalue=ONE):
        if one not in (other, ONE) and other != ONE:
            return None
        sizes.append(other if one == ONE else one)
    return tuple(reversed(sizes))


def _pairs_all(both: Sizes, left: Sizes, right: Sizes) -> bool:
    """Whether neither shape is that of the result, for another reason than dims of size 1 in front, or ones put in on purpose."""
    return len(left) != len(right) and all(_bare(both) != _bare(sizes) for sizes in (left, right))


def _bare(sizes: Sizes) -> Sizes:
    """The sizes without those of 1 in front."""
    while sizes and sizes[0] == ONE:
        sizes = sizes[1:]
    return sizes


def _single(slot: Slot) -> int:
    """The last dim of size 1, counted from the left."""
    sizes = slot.facts.shape.sizes if slot.facts.shape is not None else ()
    return max((index for index, size in enumerate(sizes) if size == ONE), default=0)


def _text(sizes: Sizes) -> str:
    return f"({', '.join(map(str, sizes))}{',' if len(sizes) == 1 else ''})"


def _fix(site: LossSite, slot: Slot, call: str) -> Fix | None:
    """A method that changes the shape, where it does not hang on a caller."""
    given = argument(site, slot.name)
    if given is None or site.call.callers:
        return None
    return unsafe(f"Use {call}", method_called(site.anchor.unit, given.value, call))


def _expanded(site: LossSite) -> Fix | None:
    """The input for each row of the target, which is repeated and so must be cheap to name."""
    other = argument(site, "target")
    if other is None or not isinstance(other.value, ast.Name):
        return None
    return _fix(site, site.input, f".expand_as({other.value.id})")
