"""KL108: input and target of kl_div are normalised over different dims."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect, Reading
from klint.rules.fixes import over_dim, unsafe
from klint.rules.rewrite import kl_claim, normaliser, substituted, with_arguments, with_reading
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite
from klint.torch_model.terms import same_positions


class KlDimMismatch(Rule[LossSite]):
    """Input and target of `kl_div` are distributions over different dims.

    ## What it does

    Finds `kl_div` calls whose input and target are normalised over dims that are known to differ: both ranks are known, or both dims are
    counted from the right.

    ## Why it is wrong

    The rows of one are distributions, the columns of the other: numbers are compared that mean different things. The result is no
    divergence. It is not 0 for equal logits, and it can be negative. For equal (8, 10) normal draws, one softmaxed over dim 0 and one over
    dim 1, 'batchmean' gives -0.08, -0.03 or 0.00, depending on the draw.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=0), target, reduction="batchmean")
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

    Unsafe, since another loss is trained: the dim of the target is given to what normalises the input, if that is written at the call
    or in a variable.

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL108"
    name = "kl-dim-mismatch"
    summary = "input and target are normalised over different dims"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """Both slots are distributions, over dims that are not the same."""
        input, target = site.input.facts, site.target.facts
        if not (input.is_distribution and target.is_distribution) or not _dims_differ(site):
            return
        makers = [normaliser(site, slot) for slot in (site.input, site.target)]
        if makers[0] is None or makers[1] is None or target.dim is None:
            return
        first = makers[0]
        meant = substituted(site.input.node, makers[0], with_arguments(makers[0], dim=target.dim))
        claim = kl_claim(site, "KL of equal logits is not 0", Effect.DIFFERS, with_arguments(site.call, input=meant))
        scores = makers[0].arguments.get("input", site.input.node)
        yield Draft(
            site.anchor,
            f"input is normalised over dim {input.dim} and target over dim {target.dim}: KL of equal logits is not 0; "
            f"use dim={target.dim} for both",
            with_reading(claim, "input", Reading(scores, Space.SCORES, target.dim)),
            site.confidence,
            (
                (makers[0].anchor, f"input is normalised over dim {input.dim} here"),
                (makers[1].anchor, f"target is normalised over dim {target.dim} here"),
            ),
            fix=lambda: unsafe(f"Use dim={target.dim}", over_dim(site, site.input, first, target.dim or 0)),
        )


def _dims_differ(site: LossSite) -> bool:
    """Whether the dims differ when the shapes are aligned on the right, as torch does."""
    input, target = site.input.facts, site.target.facts
    left, right = input.dim_from_right(input.dim), target.dim_from_right(target.dim)
    if left is None or right is None:
        return False
    if left < 0 and right < 0:
        return left != right
    return same_positions(input, target) and input.differs(target.dim)
