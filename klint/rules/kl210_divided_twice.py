"""KL210: a loss that is a mean over the batch is divided by the batch size again."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.graph.nodes import Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.factors import always_follows, counts_sizes, divisors_after, is_multiple, is_weight, unscaled
from klint.torch_model.count import ONE, Count
from klint.torch_model.facts import Loss
from klint.torch_model.sites import LossSite


class DividedTwice(Rule[LossSite]):
    """A loss that has been divided by the batch size is divided by it once more.

    ## What it does

    Finds the division of a mean (`'mean'`, `'batchmean'`, `.mean()`) by `x.size(0)`, `len(x)` and the like, where x is the input or target of the loss.
    Silent about any other number: the steps of gradient accumulation, the number of terms.

    ## Why it is wrong

    The value is the mean loss over B, and its gradient too: at a batch size of 8 the example gives 0.112 instead of 0.899. The
    learning rate that works depends on the batch size, and beside other terms this one all but vanishes in a large batch.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean") / logits.size(0)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="sum") / logits.size(0)
    ```

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    """

    code = "KL210"
    name = "divided-twice"
    summary = "a mean over the batch is divided by the batch size again"
    severity = Severity.WARNING
    site = LossSite

    def check(self, site: LossSite) -> Iterator[Draft]:
        """Some division of the value is by the batch size, which it has been divided by before."""
        if site.input.facts.rank == 1:
            return
        batch = {slot.facts.size(0) for slot in (site.input, site.target)} - {None, ONE}
        for use, divisor in divisors_after(site):
            count, value = site.inference.facts(divisor).count, site.inference.value(use, "input")
            if count is None or count not in batch or value is None or not counts_sizes(site, divisor):
                continue
            loss = site.inference.facts(value).loss
            if loss is None or loss.call is not site.call or not _is_mean(site, loss, count):
                continue
            if not always_follows(site, use) or any(
                _is_multiplied(site, later, count) for later in site.uses(use, ("mul",))
            ):
                continue
            how = f"reduction {site.reduction!r}" if site.reduction != "none" else "the mean"
            yield Draft(
                site.anchor,
                f"{how} has divided by the batch size already, and it is divided by {_text(divisor)} again: the result is the "
                f"loss / {count.value or 'B'}; use one of the two divisions",
                Claim(
                    "value * B = the mean",
                    Effect.RATIO,
                    as_written=use,
                    fixed=value,
                    ratio=ONE / count,
                    choices=dict(site.inference.choices),
                ),
                related=((use.anchor, "divided again here"),),
            )
            return


def _is_mean(site: LossSite, loss: Loss, batch: Count) -> bool:
    """Whether a loss has been divided by the batch size: as its divisor says, or where that is not known, its reduction."""
    divisor = unscaled(site, loss)
    if divisor is not None:
        return is_multiple(divisor, batch)
    weights = (
        operand
        for operation in loss.reduced
        for operand in operation.operands()
        if site.inference.facts(operand).loss is None
    )
    return site.reduction in ("mean", "batchmean") and all(is_weight(site, weight) for weight in weights)


def _is_multiplied(site: LossSite, use: Operation, batch: Count) -> bool:
    """Whether a product has the batch size among its factors."""
    counts = (site.inference.facts(factor).count for factor in site.factors(use))
    return any(count is not None and is_multiple(count, batch) for count in counts)


def _text(node: Node) -> str:
    text = node.anchor.text
    return text if isinstance(node, Operation) and len(text) < 30 else "the batch size"
