"""KL403: the input of cross_entropy went through a sigmoid."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import undone, unsafe
from klint.rules.kl401_ce_input_probabilities import floor
from klint.rules.rewrite import logits_of, loss_claim, with_arguments
from klint.torch_model.origins import is_squashed
from klint.torch_model.sites import LossSite


class CeInputElementwise(Rule[LossSite]):
    """`cross_entropy` is given the output of a sigmoid, where it expects scores.

    ## What it does

    Finds calls of `F.cross_entropy` and `nn.CrossEntropyLoss` whose input is the output of a sigmoid.

    ## Why it is wrong

    `cross_entropy` applies softmax by itself. The sigmoid squeezes the scores into [0, 1] first, so that its loss is confined as that of
    probabilities is: with 10 classes no row can fall below 1.4612 = ln(1 + 9/e), which a sigmoid reaches only for infinite scores. It is cross entropy
    of neither reading: classes that exclude each other want the scores, independent labels want `binary_cross_entropy_with_logits`.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(torch.sigmoid(logits), labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(logits, labels)
    ```

    ## Fix

    Unsafe, since another loss is trained: the sigmoid is left out, if it is written at the call or in a variable.

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    - [torch.nn.BCEWithLogitsLoss](https://pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
    """

    code = "KL403"
    name = "ce-input-elementwise"
    summary = "input of cross_entropy is the output of a sigmoid"
    severity = Severity.ERROR
    site = LossSite
    losses = ("cross_entropy",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """Every number of the input went through a sigmoid."""
        if not is_squashed(site.input.facts):
            return
        maker = site.input.maker
        yield Draft(
            site.anchor,
            f"{site.input.title} holds {site.input.facts.space.value} (sigmoid) where cross_entropy takes scores: the loss of a row "
            f"cannot fall below {floor(site)}; use the scores, or binary_cross_entropy_with_logits for labels that do not exclude each other",
            loss_claim(
                site,
                "loss of a row lies between ln(1 + (C - 1)/e) and ln(e + C - 1)",
                Effect.DIFFERS,
                with_arguments(site.call, input=logits_of(site.input)),
            ),
            site.input.facts.confidence,
            ((maker.anchor, "the sigmoid is applied here"),) if maker is not None else (),
            fix=lambda: unsafe("Use the scores", undone(site, site.input, "sigmoid")),
        )
