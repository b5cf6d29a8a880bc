"""KL412: a softmax runs over the batch."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from klint.finding import Fix, Severity
from klint.graph.nodes import Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.fixes import over_dim, unsafe
from klint.rules.rewrite import normaliser, substituted, total, with_arguments
from klint.torch_model.sites import LossSite, Slot


class SoftmaxBatchDim(Rule[LossSite]):
    """A distribution that feeds a loss is normalised over dim 0, which the loss takes for the batch.

    ## What it does

    Finds tensors of two or more dims that are normalised over dim 0 and go into `nll_loss`, as log-probabilities or soft target into
    `cross_entropy`, or both into `kl_div` with `reduction='batchmean'`. These losses take dim 0 for the batch.

    ## Why it is wrong

    The numbers of one sample then do not sum to 1: each class is spread over the samples of the batch, and a sample's loss depends on
    which others happen to be beside it. Before training `nll_loss` of log_softmax over dim 0 is about ln B, whatever the number of classes
    (for an (8, 10) normal draw 2.77 where 3.06 is right), and training lowers it by telling samples apart instead of classes.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    labels = torch.randint(10, (8,))
    loss = F.nll_loss(F.log_softmax(logits, dim=0), labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    labels = torch.randint(10, (8,))
    loss = F.nll_loss(F.log_softmax(logits, dim=1), labels)
    ```

    ## Fix

    Unsafe, since another loss is trained: the dim is changed where the softmax is called, if that is at the loss or in a variable.

    ## References

    - [torch.nn.NLLLoss](https://pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html)
    """

    code = "KL412"
    name = "softmax-batch-dim"
    summary = "softmax over dim 0 of a tensor that is batched"
    severity = Severity.WARNING
    site = LossSite

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The loss takes dim 0 for the batch, and a slot is normalised over it."""
        makers = {slot.name: (slot, normaliser(site, slot)) for slot in _slots(site)}
        for slot, maker in makers.values():
            if maker is None or not _runs_over_batch(slot):
                continue
            dim = -1 if site.loss == "kl_div" else 1
            fixed = {
                name: substituted(other.node, made, with_arguments(made, dim=dim))
                for name, (other, made) in makers.items()
                if made is not None and _runs_over_batch(other)
            }
            yield Draft(
                site.anchor,
                f"{slot.name} is normalised over dim 0, which {site.loss} takes for the batch: the classes of a sample do not sum "
                f"to 1; use {maker.name} with dim={dim}",
                Claim(
                    "rows do not sum to 1",
                    Effect.DIFFERS,
                    total(site.call, site.reduction),
                    total(with_arguments(site.call, **fixed), site.reduction),
                    choices=dict(site.inference.choices),
                ),
                slot.facts.confidence,
                ((maker.anchor, "normalised over dim 0 here"),),
                fix=partial(_fix, site, dim),
            )


def _slots(site: LossSite) -> tuple[Slot, ...]:
    """The slots that must hold distributions over another dim than 0, if they hold any."""
    both = (site.input, site.target)
    if site.loss in ("cross_entropy", "nll_loss"):
        return both if site.input.facts.is_distribution else both[1:]
    if site.loss == "kl_div" and site.reduction == "batchmean" and all(map(_runs_over_batch, both)):
        return both[:1] if not isinstance(normaliser(site, both[1]), Operation) else both
    return ()


def _runs_over_batch(slot: Slot) -> bool:
    facts = slot.facts
    is_batched = (facts.rank or facts.min_rank) > 1
    return is_batched and facts.is_distribution and facts.same_dim(facts.dim, 0) is True


def _fix(site: LossSite, dim: int) -> Fix | None:
    """The dim given to every softmax that runs over the batch."""
    makers = [(slot, normaliser(site, slot)) for slot in _slots(site) if _runs_over_batch(slot)]
    changed = [over_dim(site, slot, maker, dim) for slot, maker in makers if maker is not None]
    edits = dict.fromkeys(edit for part in changed for edit in part or ())
    return unsafe(f"Use dim={dim}", tuple(edits)) if None not in changed else None
