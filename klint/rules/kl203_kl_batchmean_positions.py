"""KL203: the reduction 'batchmean' on an input with positions between the batch and the classes."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Divisor, Effect
from klint.rules.factors import divisors_after, holds_in_a_reading, is_literal
from klint.rules.fixes import per_row_reduction, unsafe
from klint.rules.rewrite import kl_claim, per_row
from klint.torch_model.count import ONE, Count
from klint.torch_model.sites import LossSite


class KlBatchmeanPositions(Rule[LossSite]):
    """The reduction `'batchmean'` is used on an input of three dims or more, and so sums over the positions.

    ## What it does

    Finds `F.kl_div` and `nn.KLDivLoss` with `reduction='batchmean'` whose input is known to have a dim besides the batch and the classes: tokens,
    pixels, heads. Silent where the value is divided by a count further on, in the same function or by a caller. An explicit sum,
    `reduction='sum'` over the batch size, is taken to be meant.

    ## Why it is wrong

    `'batchmean'` divides the sum by `input.size(0)` alone. Of an input of shape (B, T, C) the value is the KL divergence of a whole sequence, T times
    that of a token: 13.09 instead of 0.818 at T = 16. For images of 16 * 16 pixels it is 256 times as large (215.7 instead of 0.843). Beside a
    cross entropy, which divides by all positions, the term weighs as much too heavily, and its weight changes with the length.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 16, 10)
    target = torch.softmax(torch.randn(8, 16, 10), dim=-1)
    loss = F.kl_div(F.log_softmax(logits, dim=-1), target, reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 16, 10)
    target = torch.softmax(torch.randn(8, 16, 10), dim=-1)
    loss = F.kl_div(F.log_softmax(logits, dim=-1), target, reduction="none").sum(-1).mean()
    ```

    ## Fix

    Unsafe, since the loss is divided by the number of positions: `reduction='none'` with a sum over the classes and a mean over all rows.

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    """

    code = "KL203"
    name = "kl-batchmean-positions"
    summary = "'batchmean' sums over the positions"
    severity = Severity.WARNING
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """There is a dim that is neither the batch nor the classes, and nothing is divided by its size."""
        if site.reduction != "batchmean" or not _has_positions(site):
            return
        if holds_in_a_reading(site, self.code, _is_divided):
            return
        positions = _positions(site)
        number = None if positions is None else positions.value
        times = f"{number} times" if number else "as many times as there are positions"
        related = [(site.options.anchor, "the reduction is chosen here")] if site.call.constructor else []
        yield Draft(
            site.anchor,
            "'batchmean' divides by input.size(0) only and sums over the positions between batch and classes: the result is "
            f"{times} the KL divergence of one; use reduction='none' with .sum({site.class_dim}).mean(), or rows of shape (-1, C)",
            kl_claim(
                site,
                "value = KL * positions",
                Effect.RATIO,
                per_row(site.call, site.class_dim),
                Divisor.ROWS,
                positions,
            ),
            related=tuple(related),
            fix=lambda: unsafe(f"Use reduction='none' with .sum({site.class_dim}).mean()", per_row_reduction(site)),
        )


def _has_positions(site: LossSite) -> bool:
    """Whether the input surely has a dim that is neither dim 0 nor that of the classes, and is not known to be of size 1."""
    facts, target, dim = site.input.facts, site.target.facts, site.class_dim
    if any(slot.maker is not None and slot.maker.name == "stack" for slot in (site.input, site.target)):
        return False  # yes and no for each label: the labels are independent, and the sum is the divergence of all together
    if dim is None or not site.class_dims_agree or (facts.rank is not None and target.rank not in (None, facts.rank)):
        return False
    if facts.shape is None:
        return facts.min_rank > 2 and (dim > 0 or dim in (-1, -2))
    return facts.shape.rank > 2 and facts.shape.dim(dim) not in (0, None) and _positions(site) != ONE


def _positions(site: LossSite) -> Count | None:
    """How many rows there are for each item of the batch."""
    shape, dim = site.input.facts.shape, site.class_dim
    if shape is None or dim is None:
        return None
    classes = shape.dim(dim)
    return Count.product(size for index, size in enumerate(shape.sizes) if index not in (0, classes))


def _is_divided(site: LossSite) -> bool:
    """Whether the value is divided by something that may count positions: anything but the batch size and plain numbers."""
    batch, positions = (site.input.facts.size(0), site.target.facts.size(0)), _positions(site)
    for _, divisor in divisors_after(site):
        count = site.inference.facts(divisor).count
        if count is not None and count == positions:
            return True
        if not is_literal(site, divisor) and (count is None or count not in batch):
            return True
    return False
