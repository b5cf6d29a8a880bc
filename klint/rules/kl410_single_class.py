"""KL410: a softmax over one class."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.rewrite import normaliser, total
from klint.torch_model.count import ONE
from klint.torch_model.sites import LossSite, Slot


class SingleClass(Rule[LossSite]):
    """The dim over which classes are normalised has size 1: the loss is constant.

    ## What it does

    Finds `cross_entropy` of an input whose class dim has size 1, and other losses of a softmax or log_softmax over a dim of size 1.

    ## Why it is wrong

    One class has the probability 1, whatever its score. `cross_entropy` is exactly 0, a binary cross entropy of the softmax a
    constant, and the gradient is 0 in both cases: nothing is learnt, and nothing says so. A classifier with one output per sample
    is a binary one, for which `binary_cross_entropy_with_logits` is made.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F
    from torch import nn

    model = nn.Linear(16, 1)
    x, labels = torch.randn(8, 16), torch.zeros(8, dtype=torch.long)
    loss = F.cross_entropy(model(x), labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F
    from torch import nn

    model = nn.Linear(16, 1)
    x, labels = torch.randn(8, 16), torch.zeros(8, dtype=torch.long)
    loss = F.binary_cross_entropy_with_logits(model(x).squeeze(1), labels.float())
    ```

    ## References

    - [torch.nn.BCEWithLogitsLoss](https://pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
    """

    code = "KL410"
    name = "single-class"
    summary = "softmax or cross entropy over a dim of size 1"
    severity = Severity.ERROR
    site = LossSite

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The class dim of the input, or the dim that it was normalised over, has size 1."""
        slot = site.input
        if not _has_one_class(site, slot):
            return
        maker = normaliser(site, slot)
        yield Draft(
            site.anchor,
            f"{slot.name} has one class, whose probability is 1 whatever its score: the loss is constant and its gradient 0; "
            "use binary_cross_entropy_with_logits",
            Claim(
                "constant, gradient 0",
                Effect.FLAT,
                total(site.call, site.reduction),
                subject=slot.node,
                choices=dict(site.inference.choices),
            ),
            slot.facts.confidence,
            ((maker.anchor, "normalised over a dim of size 1 here"),) if maker is not None else (),
        )


def _has_one_class(site: LossSite, slot: Slot) -> bool:
    facts = slot.facts
    if facts.rank is None:
        return False
    if site.loss == "cross_entropy" and facts.rank > 1:
        return facts.size(1) == ONE
    maker = normaliser(site, slot)
    return maker is not None and facts.dim is not None and facts.size(facts.dim) == ONE
