"""KL902: the input of cross_entropy is normalised already."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import safe, undone
from klint.rules.rewrite import before, class_dim_of, loss_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.sites import LossSite
from klint.torch_model.table import Transfer


class CeInputLogProbabilities(Rule[LossSite]):
    """`cross_entropy` is given log-probabilities: it normalises them a second time, which changes nothing.

    ## What it does

    Finds calls of `F.cross_entropy` and `nn.CrossEntropyLoss` whose input is the output of a log_softmax over the class dim. Opt-in: nothing is
    wrong with the value.

    ## Why it is wrong

    log_softmax is idempotent: the logsumexp of log-probabilities is 0, so that `cross_entropy` of them is `cross_entropy` of the scores, but for rounding (measured: a
    difference of 0 in float64). It costs a second pass over the numbers, forwards and backwards, and misleads the reader: it looks as if the scores were probabilities, or as if the
    loss were `nll_loss`.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(F.log_softmax(logits, dim=1), labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.nll_loss(F.log_softmax(logits, dim=1), labels)
    ```

    ## Fix

    Safe, since log_softmax of log-probabilities is no change: the log_softmax is left out, if it is written at the call or in a variable.

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    - [torch.nn.NLLLoss](https://pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html)
    """

    code = "KL902"
    name = "ce-input-log-probabilities"
    summary = "input of cross_entropy holds log-probabilities"
    severity = Severity.NOTE
    default = False
    site = LossSite
    losses = ("cross_entropy",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The input was normalised over the class dim by a log_softmax."""
        facts, maker = site.input.facts, site.input.maker
        if facts.space is not Space.LOG_PROBABILITIES or not _is_over_classes(site):
            return
        if maker is None or OPERATIONS[maker.name].transfer not in (Transfer.LOG_SOFTMAX, Transfer.LOG):
            return
        scores = before(site.input) if maker.name == "log_softmax" else None
        yield Draft(
            site.anchor,
            f"{site.input.title} holds log-probabilities, which cross_entropy normalises a second time: it changes nothing but the "
            "cost; use nll_loss, or the scores without log_softmax",
            loss_claim(
                site,
                "value = cross entropy, as without log_softmax",
                Effect.SAME,
                None if scores is None else with_arguments(site.call, input=scores),
            ),
            facts.confidence,
            ((maker.anchor, "log-probabilities are made here"),),
            fix=lambda: safe("Use the scores", undone(site, site.input, "log_softmax")),
        )


def _is_over_classes(site: LossSite) -> bool:
    """Whether the dim that is normalised over is the one that cross_entropy takes for the classes."""
    facts = site.input.facts
    if facts.rank is None:  # dim 1 exists, so that the first one is the batch
        return facts.dim == 1 or (
            facts.dim == -1 and site.target.facts.rank == 1 and site.target.facts.space is Space.INDICES
        )
    return bool(facts.same_dim(facts.dim, class_dim_of(site)))
