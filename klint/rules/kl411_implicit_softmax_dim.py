"""KL411: a softmax without dim feeds a loss."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.graph.nodes import Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.fixes import over_dim, safe, unsafe
from klint.rules.rewrite import normaliser, substituted, total, with_arguments
from klint.torch_model.sites import LossSite, Slot


class ImplicitSoftmaxDim(Rule[LossSite]):
    """A softmax or log_softmax that feeds a loss is not told over which dim to normalise.

    ## What it does

    Finds losses whose input or target comes from `F.softmax`, `F.log_softmax`, `nn.Softmax` or `nn.LogSoftmax` without `dim`.

    ## Why it is wrong

    torch then chooses the dim by the rank: 0 for tensors of rank 0, 1 and 3, otherwise 1. For a batch of shape (B, C) that is the
    class dim. The same code for sequences of shape (B, T, C) normalises over the batch: the loss compares different samples with each
    other, and the probabilities of one position no longer sum to 1 (for a (5, 7, 10) normal draw they sum to anything between 1.3 and
    2.9). torch itself warns that the choice is deprecated.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(5, 7, 10)
    target = torch.softmax(torch.randn(5, 7, 10), dim=-1)
    loss = F.kl_div(F.log_softmax(logits), target, reduction="none").sum(-1).mean()
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(5, 7, 10)
    target = torch.softmax(torch.randn(5, 7, 10), dim=-1)
    loss = F.kl_div(F.log_softmax(logits, dim=-1), target, reduction="none").sum(-1).mean()
    ```

    ## Fix

    Unsafe where torch takes another dim: `dim=` is written where the softmax is called. Safe where torch takes the same one.

    ## References

    - [torch.nn.functional.softmax](https://pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html)
    """

    code = "KL411"
    name = "implicit-softmax-dim"
    summary = "softmax without dim feeds a loss"
    severity = Severity.WARNING
    replaces = ("KL108", "KL412")
    site = LossSite

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The operation that normalised a slot is given no dim."""
        for slot in (site.input, site.target):
            maker = normaliser(site, slot)
            if maker is not None and not maker.open and not site.inference.is_given(maker, "dim"):
                yield _draft(site, slot, maker)


def _draft(site: LossSite, slot: Slot, maker: Operation) -> Draft:
    rank = site.inference.argument(maker, "input").rank
    # cross_entropy and nll_loss take dim 1 for the classes; behind a view their place is not seen
    is_second = site.loss in ("cross_entropy", "nll_loss") and rank not in (None, 0, 1) and slot.node is maker
    dim = 1 if is_second else -1
    chosen = None if rank is None else 0 if rank in (0, 1, 3) else 1
    here = "" if rank is None else f", so {chosen} here, where the rank is {rank}"
    is_same = chosen is None or chosen in (dim, dim + rank if rank else 0)
    meant = substituted(slot.node, maker, with_arguments(maker, dim=dim))
    return Draft(
        site.anchor,
        f"{slot.name} is made by {maker.name} without dim: torch takes 0 for rank 0, 1 and 3, else 1{here}; use dim={dim}",
        Claim(
            "dim 0 for rank 0, 1 and 3, else dim 1",
            Effect.SAME if is_same else Effect.DIFFERS,
            total(site.call, site.reduction),
            total(with_arguments(site.call, **{slot.name: meant}), site.reduction),
            choices=dict(site.inference.choices),
        ),
        slot.facts.confidence,
        ((maker.anchor, f"{maker.name} is called without dim"),),
        fix=lambda: (safe if is_same else unsafe)(f"Use dim={dim}", over_dim(site, slot, maker, dim)),
    )
