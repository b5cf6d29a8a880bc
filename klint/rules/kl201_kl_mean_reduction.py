"""KL201: kl_div with the reduction 'mean'."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Divisor, Effect
from klint.rules.factors import holds_in_a_reading, multiplied_by_classes
from klint.rules.fixes import has_rank_everywhere, reduction, unsafe
from klint.rules.rewrite import elementwise_dim, kl_claim, per_row, with_arguments
from klint.torch_model.count import ONE
from klint.torch_model.sites import LossSite


class KlMeanReduction(Rule[LossSite]):
    """The reduction of `kl_div` is `'mean'`, by name or by default: that is not the mean KL divergence.

    ## What it does

    Finds `F.kl_div` and `nn.KLDivLoss` with `reduction='mean'`, which is also the default. Silent where the value is multiplied by
    the number of classes again, in the same function or by a caller.

    ## Why it is wrong

    `'mean'` divides the sum by the number of all elements, batch times classes (times positions), whereas the KL divergence sums over
    the classes. The value is KL / C: with 1000 classes the term weighs a thousandth of what is meant. torch itself says in its documentation that
    `'batchmean'` is the mathematical definition.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target)
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

    Unsafe, since the loss is multiplied by the class count: the reduction becomes `'batchmean'`, or `'sum'` for a 1-D input. Not offered
    for an input of three dims or more, which must become rows first.

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL201"
    name = "kl-mean-reduction"
    summary = "reduction='mean' divides KL by the number of classes"
    severity = Severity.WARNING
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The reduction in force is 'mean', and no factor makes up for it."""
        if site.reduction != "mean":
            return
        if holds_in_a_reading(site, self.code, multiplied_by_classes):
            return
        rank, classes = site.input.facts.rank, site.classes
        number = None if classes is None else classes.value
        by = "the class count" if number is None else f"the class count, {number}"
        how = "" if site.is_given("reduction") or site.is_given("size_average") else ", the default,"
        batched = rank == 2 and site.class_dim not in (0, -2)
        meant = {1: "'sum'", 2: "'batchmean'", None: "'batchmean'"}.get(rank, "'batchmean' on rows of shape (-1, C)")
        if rank == 2 and not batched:
            meant = "'sum', divided by the number of distributions"
        unbatched = with_arguments(site.call, reduction="batchmean")
        yield Draft(
            site.options.anchor,
            f"reduction 'mean'{how} divides by every element: the result is KL / {number or 'C'}, off by {by}; "
            f"use reduction={meant}",
            kl_claim(
                site,
                "value * C = KL",
                Effect.RATIO,
                unbatched if batched else per_row(site.call, elementwise_dim(site)),
                Divisor.ROWS,
                None if classes is None else ONE / classes,
            ),
            fix=lambda: _fix(site, meant),
        )


def _fix(site: LossSite, meant: str) -> Fix | None:
    """The reduction that the message names, where it is no more than that."""
    rank, value = site.input.facts.rank, meant.strip("'")
    if value not in ("sum", "batchmean") or not (rank is None or has_rank_everywhere(site, rank)):
        return None
    return unsafe(f"Use reduction={meant}", reduction(site, value, shared=value == "batchmean"))
