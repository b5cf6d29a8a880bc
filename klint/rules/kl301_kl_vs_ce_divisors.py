"""KL301: KL and cross entropy minus entropy are compared, and divide by different counts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from klint.finding import Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Divisor, Effect
from klint.rules.comparing import (
    REDUCTIONS,
    Comparison,
    divisor_in,
    divisor_of,
    is_definite,
    ratio,
    use_for,
    with_divisor,
)
from klint.rules.fixes import reduction, unsafe
from klint.rules.rewrite import kl_claim
from klint.torch_model.count import ONE
from klint.torch_model.sites import ComparisonSite, LossSite


class KlVsCeDivisors(Rule[ComparisonSite]):
    """KL is compared with cross entropy minus entropy, but the two divide by different counts.

    ## What it does

    Follows both values of a subtraction, of `==`, `allclose` and the like, and values that are printed or returned side by side. Finds
    those that are the same sum over classes and positions, divided by different counts.

    ## Why it is wrong

    CE(x, P) - H(P) = KL(P || softmax x) holds only if both sides divide by the same count. `kl_div` divides by all elements
    (`'mean'`), by `input.size(0)` (`'batchmean'`) or by nothing (`'sum'`); `cross_entropy` with `'mean'` divides by
    the number of rows. Where the counts differ, so do the numbers, by exactly their ratio, although both formulas are right.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="sum")
    print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
    print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))
    ```

    ## Fix

    Unsafe, since the loss is multiplied: the reduction becomes the one with the divisor of the other side, where there is one.

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    - [torch.nn.functional.cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    """

    code = "KL301"
    name = "kl-vs-ce-divisors"
    summary = "KL and cross entropy minus entropy divide by different counts"
    severity = Severity.ERROR
    site = ComparisonSite
    losses = ("kl_div",)

    def check(self, site: ComparisonSite) -> Iterator[Draft]:
        """Both sides are the same terms up to one factor, which is not 1."""
        comparison = Comparison.of(site)
        if comparison is None or comparison.is_weighed:
            return
        kl, other = comparison.kl_facts, comparison.other_facts
        times = ratio(kl, other)
        if times is None or times == ONE or not is_definite(times):
            return
        divisor, rows = divisor_in(kl), divisor_in(other)
        for loss_site in comparison.loss_sites:
            wanted = divisor_of(loss_site, rows)
            if wanted is not None:
                yield Draft(
                    loss_site.anchor,
                    f"KL divides by {divisor}, cross entropy minus entropy by {rows}: this value is {times} times the other; "
                    f"use {use_for(loss_site, wanted)}",
                    kl_claim(
                        loss_site,
                        f"KL = {times} * (CE - entropy)",
                        Effect.RATIO,
                        with_divisor(loss_site, wanted),
                        wanted,
                        times,
                        counterpart=comparison.other,
                        as_written=comparison.kl,
                    ),
                    related=(
                        (comparison.other.anchor, "compared with cross entropy minus entropy"),
                        (site.place.anchor, "side by side"),
                    ),
                    fix=None if kl.loss is None or kl.loss.reduced else partial(_fix, loss_site, wanted),
                )


def _fix(site: LossSite, wanted: Divisor) -> Fix | None:
    """The reduction that the message names, where it is no more than that."""
    value = REDUCTIONS.get(wanted) or ("sum" if site.input.facts.rank == 1 else "batchmean")
    meant = f"reduction={value!r}"
    return (
        unsafe(f"Use {meant}", reduction(site, value))
        if use_for(site, wanted) == meant and site.reduction != "none"
        else None
    )
