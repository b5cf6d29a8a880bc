"""KL401: the input of cross_entropy holds probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator

from klint.finding import Confidence, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import undone, unsafe
from klint.rules.rewrite import class_dim_of, log_of, loss_claim, with_arguments
from klint.torch_model.origins import is_normalised
from klint.torch_model.sites import LossSite


class CeInputProbabilities(Rule[LossSite]):
    """`cross_entropy` is given probabilities, where it expects scores: softmax is applied twice.

    ## What it does

    Finds calls of `F.cross_entropy` and `nn.CrossEntropyLoss` whose input is the output of a softmax, the exp of log-probabilities, or a
    mixture of such. Where nothing but a name such as `probs` says so, the finding is *likely* and says that it rests on the name.

    ## Why it is wrong

    `cross_entropy` is `nll_loss(log_softmax(input), target)`: it normalises by itself. Numbers between 0 and 1 leave its softmax almost
    flat, so that the loss of a row lies between ln(1 + (C - 1)/e) and ln(e + C - 1), whatever the model does. A perfect model of 10 classes
    has the loss 1.4612 (0.3133 for 2 classes, 3.6222 for 100, 5.9095 for 1000), and 0 is out of reach. The gradient vanishes as well: measured on
    a batch of 8 rows that are wrong by a score gap of 50, its norm is 8e-23 instead of 0.5, so that what is wrong for certain is never unlearnt.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(F.softmax(logits, dim=1), labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(logits, labels)
    ```

    ## Fix

    Unsafe, since another loss is trained: the softmax is left out, if it is written at the call or in a variable. Not offered where a model
    applies it, which others may call.

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    """

    code = "KL401"
    name = "ce-input-probabilities"
    summary = "input of cross_entropy holds probabilities"
    severity = Severity.ERROR
    site = LossSite
    losses = ("cross_entropy",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The input was normalised by the code, or is called probabilities."""
        facts = site.input.facts
        if not is_normalised(facts):
            return
        maker = site.input.maker
        made = f" ({maker.name})" if maker is not None and maker.name in ("softmax", "exp") else ""
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        yield Draft(
            site.anchor,
            f"{site.input.title}{named} holds probabilities{made} where cross_entropy takes scores and applies softmax itself: "
            f"the loss of a row cannot fall below {floor(site)}; use the scores, without softmax",
            loss_claim(
                site,
                "loss of a row lies between ln(1 + (C - 1)/e) and ln(e + C - 1)",
                Effect.DIFFERS,
                with_arguments(site.call, input=log_of(site.input)),
            ),
            facts.confidence,
            ((maker.anchor, "probabilities are made here"),) if maker is not None else (),
            fix=lambda: unsafe("Use the scores", undone(site, site.input, "softmax")),
        )


def floor(site: LossSite) -> str:
    """The least cross entropy of numbers between 0 and 1: a number, where that of the classes is known."""
    classes = site.input.facts.size(class_dim_of(site))
    if classes is None or classes.value is None or classes.value < 1:
        return "ln(1 + (C - 1)/e)"
    return f"{math.log1p((classes.value - 1) / math.e):.4f}"
