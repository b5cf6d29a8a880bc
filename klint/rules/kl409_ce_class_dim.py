"""KL409: the classes of cross entropy are not in dim 1."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.edits import method_called
from klint.rules.fixes import argument, unsafe
from klint.rules.rewrite import apply, total, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite, Slot


class CeClassDim(Rule[LossSite]):
    """`cross_entropy` is given classes in the last dim of three or more; it takes dim 1 for them.

    ## What it does

    Finds `cross_entropy` and `nll_loss` of an input of shape (B, T, C) with class indices of shape (B, T), or with a soft target that is
    normalised over the last dim.

    ## Why it is wrong

    Whatever the rank, torch takes dim 1 of the input for the classes. With indices it raises, as the target should then have the shape
    (B, C); where T and C are equal it does not even do that. With a soft target nothing raises: the softmax runs over the T
    positions, and the sum is divided by B * C. For a (5, 7, 10) draw of scores and softmaxed targets the loss is 1.59
    where 2.65 is right.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(5, 7, 10)
    target = torch.softmax(torch.randn(5, 7, 10), dim=-1)
    loss = F.cross_entropy(logits, target)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(5, 7, 10)
    target = torch.softmax(torch.randn(5, 7, 10), dim=-1)
    loss = F.cross_entropy(logits.transpose(1, 2), target.transpose(1, 2))
    ```

    ## Fix

    Unsafe, since another loss is trained, or an error goes: the classes are moved to dim 1 at the call, where no caller passes the tensors.

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    """

    code = "KL409"
    name = "ce-class-dim"
    summary = "the class dim of cross entropy is not dim 1"
    severity = Severity.ERROR
    site = LossSite
    losses = ("cross_entropy", "nll_loss")

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The target shows that the classes are in the last dim, which is not dim 1."""
        has_indices = _indices_of_last_dim(site)
        if not has_indices and not _distribution_over_last_dim(site):
            return
        moved = {"input": site.input} if has_indices else {"input": site.input, "target": site.target}
        swap = "transpose(1, 2)" if site.input.facts.rank in (3, None) else "movedim(-1, 1)"
        fixed = {
            name: apply("movedim", slot.node, input=slot.node, source=-1, destination=1) for name, slot in moved.items()
        }
        consequence = "it raises" if has_indices else "the softmax runs over the positions"
        yield Draft(
            site.anchor,
            f"{site.loss} takes dim 1 for the classes, which here are in the last of three or more dims: {consequence}; "
            f"use {' and '.join(f'{name}.{swap}' for name in moved)}",
            Claim(
                "raises" if has_indices else "normalised and averaged over the wrong dims",
                Effect.RAISES if has_indices else Effect.DIFFERS,
                total(site.call, site.reduction),
                total(with_arguments(site.call, **fixed), site.reduction),
                choices=dict(site.inference.choices),
            ),
            site.confidence,
            ((site.target.node.anchor, "the target shows which dim runs over the classes"),),
            fix=lambda: _fix(site, list(moved.values()), swap),
        )


def _indices_of_last_dim(site: LossSite) -> bool:
    """Whether the target has the input's shape without its last dim, and not that without dim 1."""
    input, target = site.input.facts.shape, site.target.facts.shape
    if input is None or target is None or input.rank < 3 or site.target.facts.space is not Space.INDICES:
        return False
    return target.sizes == input.sizes[:-1] and input.sizes[1] != input.sizes[-1]


def _distribution_over_last_dim(site: LossSite) -> bool:
    """Whether a soft target is normalised over another dim than 1, which is not the batch either."""
    facts = site.target.facts
    if site.loss != "cross_entropy" or facts.space is not Space.PROBABILITIES or facts.same_dim(facts.dim, 0):
        return False
    return facts.dim in (-1, (facts.rank or 0) - 1) and facts.differs(1) and max(facts.rank or 0, facts.min_rank) > 2


def _fix(site: LossSite, slots: list[Slot], swap: str) -> Fix | None:
    """The tensors with their classes in dim 1, where their shape does not hang on a caller."""
    given = [argument(site, slot.name) for slot in slots]
    moved = [method_called(site.anchor.unit, item.value, f".{swap}") for item in given if item is not None]
    if site.call.callers or len(moved) != len(slots):
        return None
    return unsafe(f"Use {swap}", tuple(edit for edits in moved for edit in edits or ()) if None not in moved else None)
