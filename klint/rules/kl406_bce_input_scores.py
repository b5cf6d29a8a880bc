"""KL406: the input of binary_cross_entropy holds scores."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence, Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import is_everywhere, other_loss, unsafe
from klint.rules.rewrite import apply, loss_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.origins import is_unbounded
from klint.torch_model.sites import LossSite


class BceInputScores(Rule[LossSite]):
    """`binary_cross_entropy` is given scores, where it expects probabilities.

    ## What it does

    Finds calls of `F.binary_cross_entropy` and `nn.BCELoss` whose input is the output of a layer, or another value that may be any
    number. Values that were clamped or went through a tanh are left alone: they may well lie in [0, 1].

    ## Why it is wrong

    `binary_cross_entropy` takes the logarithm of its input and of 1 minus its input. torch refuses numbers outside [0, 1] with
    `RuntimeError: all elements of input should be between 0 and 1` on the CPU, and with a device-side assertion on a GPU. The code runs only as long as the
    scores happen to lie there. `binary_cross_entropy_with_logits` takes scores, and does not lose digits to a sigmoid that rounds to 0 or 1.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 1), torch.randint(0, 2, (8, 1)).float()
    loss = F.binary_cross_entropy(logits, labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 1), torch.randint(0, 2, (8, 1)).float()
    loss = F.binary_cross_entropy_with_logits(logits, labels)
    ```

    ## Fix

    Unsafe, since what raised an error is now trained: the loss with logits takes the place of this one, where nothing else uses the module.

    ## References

    - [torch.nn.BCELoss](https://pytorch.org/docs/stable/generated/torch.nn.BCELoss.html)
    - [torch.nn.BCEWithLogitsLoss](https://pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
    """

    code = "KL406"
    name = "bce-input-scores"
    summary = "input of binary_cross_entropy holds scores"
    severity = Severity.ERROR
    site = LossSite
    losses = ("binary_cross_entropy",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The input holds scores that nothing keeps within 0 and 1."""
        if not is_unbounded(site.inference, site.input.node):
            return
        facts, maker = site.input.facts, site.input.maker
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        sigmoid = apply("sigmoid", site.input.node, input=site.input.node)
        yield Draft(
            site.anchor,
            f"{site.input.title}{named} holds unnormalised scores where binary_cross_entropy takes probabilities: torch refuses any "
            "outside [0, 1]; use binary_cross_entropy_with_logits",
            loss_claim(
                site,
                "torch raises an error unless all scores lie in [0, 1]",
                Effect.RAISES,
                with_arguments(site.call, input=sigmoid),
            ),
            facts.confidence,
            ((maker.anchor, "scores are made here"),) if maker is not None else (),
            fix=lambda: _fix(site),
        )


def _fix(site: LossSite) -> Fix | None:
    if not is_everywhere(site, "input", Space.SCORES):
        return None
    edits = other_loss(site, "binary_cross_entropy_with_logits", "BCEWithLogitsLoss")
    return unsafe("Use binary_cross_entropy_with_logits", edits)
