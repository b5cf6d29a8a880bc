"""KL407: the input of binary_cross_entropy_with_logits holds probabilities."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import undone, unsafe
from klint.rules.rewrite import logits_of, loss_claim, with_arguments
from klint.torch_model.origins import is_normalised, is_squashed
from klint.torch_model.sites import LossSite


class BceLogitsInputProbabilities(Rule[LossSite]):
    """`binary_cross_entropy_with_logits` is given probabilities, where it expects scores: sigmoid is applied twice.

    ## What it does

    Finds calls of `F.binary_cross_entropy_with_logits` and `nn.BCEWithLogitsLoss` whose input is the output of a sigmoid or a softmax. Where
    nothing but a name such as `probs` says so, the finding is *likely* and says that it rests on the name.

    ## Why it is wrong

    The function applies sigmoid by itself. Of a number in [0, 1] the sigmoid lies in [0.5, 0.7311]: nothing is ever called a negative. The loss of
    a negative never falls below ln 2 = 0.6931, that of a positive never below ln(1 + 1/e) = 0.3133. A perfect model of as many
    positives as negatives has the loss 0.5032 instead of 0.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 1), torch.randint(0, 2, (8, 1)).float()
    loss = F.binary_cross_entropy_with_logits(torch.sigmoid(logits), labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 1), torch.randint(0, 2, (8, 1)).float()
    loss = F.binary_cross_entropy_with_logits(logits, labels)
    ```

    ## Fix

    Unsafe, since another loss is trained: the sigmoid is left out, if it is written at the call or in a variable.

    ## References

    - [torch.nn.BCEWithLogitsLoss](https://pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
    """

    code = "KL407"
    name = "bce-logits-input-probabilities"
    summary = "input of binary_cross_entropy_with_logits holds probabilities"
    severity = Severity.ERROR
    site = LossSite
    losses = ("binary_cross_entropy_with_logits",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The input went through a sigmoid or a softmax, or is called probabilities."""
        facts = site.input.facts
        if not (is_squashed(facts) or is_normalised(facts)):
            return
        maker = site.input.maker
        made = f" ({maker.name})" if maker is not None and maker.name in ("sigmoid", "softmax", "exp") else ""
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        yield Draft(
            site.anchor,
            f"{site.input.title}{named} holds probabilities{made} where binary_cross_entropy_with_logits takes scores and applies "
            "sigmoid itself: the loss of a negative never falls below ln 2; use the scores, or binary_cross_entropy",
            loss_claim(
                site,
                "loss of a negative lies between ln 2 and ln(1 + e)",
                Effect.DIFFERS,
                with_arguments(site.call, input=logits_of(site.input)),
            ),
            facts.confidence,
            ((maker.anchor, "probabilities are made here"),) if maker is not None else (),
            fix=lambda: unsafe("Use the scores", undone(site, site.input, "sigmoid")),
        )
