"""KL202: the reduction 'batchmean' on an input without a batch dim."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Divisor, Effect
from klint.rules.fixes import has_rank_everywhere, reduction, unsafe
from klint.rules.rewrite import kl_claim, with_arguments
from klint.torch_model.count import ONE
from klint.torch_model.sites import LossSite


class KlBatchmeanUnbatched(Rule[LossSite]):
    """The reduction `'batchmean'` is used on a 1-D input, which has no batch.

    ## What it does

    Finds `F.kl_div` and `nn.KLDivLoss` with `reduction='batchmean'` whose input is known to be 1-D.

    ## Why it is wrong

    `'batchmean'` divides the sum by `input.size(0)`. That is the batch size of a batched input. Of a 1-D input it is the number of classes: the
    result is KL / C. A target of shape (1, C) does not help, since only the input's size counts.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.tensor([0.1, 0.2, 0.4, 0.3])
    target = torch.softmax(torch.tensor([0.7, 0.1, 0.1, 0.1]), dim=0)
    loss = F.kl_div(F.log_softmax(logits, dim=0), target, reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.tensor([0.1, 0.2, 0.4, 0.3])
    target = torch.softmax(torch.tensor([0.7, 0.1, 0.1, 0.1]), dim=0)
    loss = F.kl_div(F.log_softmax(logits, dim=0), target, reduction="sum")
    ```

    ## Fix

    Unsafe, since the loss is multiplied by the class count: the reduction becomes `'sum'`, at the call or at the constructor of a module
    that is called nowhere else.

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    """

    code = "KL202"
    name = "kl-batchmean-unbatched"
    summary = "'batchmean' on a 1-D input divides by the class count"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The reduction is 'batchmean' and the input's rank is known to be 1."""
        facts = site.input.facts
        if site.reduction != "batchmean" or facts.rank != 1:
            return
        classes = facts.size(0)
        number = None if classes is None else classes.value
        size = "" if number is None else f" = {number}"
        related = [(site.options.anchor, "the reduction is chosen here")] if site.call.constructor else []
        yield Draft(
            site.anchor,
            f"'batchmean' divides by input.size(0){size}, the class count, because input is 1-D: the result is "
            f"KL / {number or 'C'}; use reduction='sum' or input.unsqueeze(0)",
            kl_claim(
                site,
                "value = KL / C",
                Effect.RATIO,
                with_arguments(site.call, reduction="sum"),
                Divisor.ROWS,
                None if classes is None else ONE / classes,
            ),
            related=tuple(related),
            fix=lambda: unsafe("Use reduction='sum'", reduction(site, "sum") if has_rank_everywhere(site, 1) else None),
        )
