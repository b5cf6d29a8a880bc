"""KL901: a KL term is added to a cross entropy that divides by another count."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Divisor, Effect
from klint.rules.comparing import divisor_of, use_for, with_divisor
from klint.rules.kl202_kl_batchmean_unbatched import KlBatchmeanUnbatched
from klint.rules.kl203_kl_batchmean_positions import KlBatchmeanPositions
from klint.rules.kl204_kl_elementwise_mean import KlElementwiseMean
from klint.rules.kl210_divided_twice import DividedTwice
from klint.rules.objectives import Mixed, mixed
from klint.rules.rewrite import kl_claim
from klint.torch_model.sites import LossSite

_SAID = (KlBatchmeanUnbatched(), KlBatchmeanPositions(), KlElementwiseMean(), DividedTwice())
"""The rules that say at the call why its divisor is another one; `'mean'` is for KL201."""


class MixedDivisors(Rule[LossSite]):
    """A KL term is added to a cross entropy that divides by another count, so that their relative weight is not the one written.

    ## What it does

    Finds `ce + alpha * kl` where both divisors are known and differ by a factor that cannot be 1: `reduction='sum'` beside a mean, or a sum over
    the batch size beside a mean over all tokens. Silent where a factor makes up for it, where anything is not known, and where KL201,
    KL202, KL203, KL204 or KL210 say it of the KL term already.

    ## Why it is wrong

    The weight of the KL term is then alpha times the ratio of the two divisors, and it changes with the batch size or the length of the text. In the
    example KL is 7.334 beside a cross entropy of 2.418: alpha = 0.1 makes it 0.7334, 8 times the 0.0917 of a mean over the rows.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(10, (8,))
    target = torch.softmax(torch.randn(8, 10), dim=1)
    kl = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="sum")
    loss = F.cross_entropy(logits, labels) + 0.1 * kl
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(10, (8,))
    target = torch.softmax(torch.randn(8, 10), dim=1)
    kl = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")
    loss = F.cross_entropy(logits, labels) + 0.1 * kl
    ```

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    - [torch.nn.functional.cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    """

    code = "KL901"
    name = "mixed-divisors"
    summary = "a KL term is added to a cross entropy that divides by another count"
    severity = Severity.NOTE
    default = False
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The value becomes a term of a sum with a cross entropy of another divisor, and no other rule says why."""
        if site.reduction in (None, "mean"):
            return
        found = next(mixed(site), None)
        if found is None or any(draft for rule in _SAID for draft in rule.check(site)):
            return
        wanted = divisor_of(site, found.other)
        what = use_for(site, wanted) if wanted is not None else "one divisor for both terms"
        yield Draft(
            site.anchor,
            f"KL divides by {found.own}, and the cross entropy that it is added to by {found.other}: it weighs {found.ratio} times "
            f"what is written; use {what}",
            None if wanted is None else _claim(site, found, wanted),
            related=(
                (found.cross_entropy.call.anchor, f"divides by {found.other}"),
                (found.place.anchor, "added here"),
            ),
        )


def _claim(site: LossSite, found: Mixed, wanted: Divisor) -> Claim | None:
    """The KL term before it was weighed, against the divergence over the divisor of the cross entropy."""
    known = {value: site.inference.facts(value) for value in (site.call, *found.loss.reduced)}
    values = [value for value, facts in known.items() if facts.loss and facts.loss.divisor == found.own]
    if not values or site.input.facts.shape is None:
        return None
    return kl_claim(
        site,
        f"KL = {found.ratio} * KL over the divisor of CE",
        Effect.RATIO,
        with_divisor(site, wanted),
        wanted,
        found.ratio,
        as_written=next((value for value in values if known[value].rank == 0), None),
    )
