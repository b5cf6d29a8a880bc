"""KL101: the input of kl_div holds probabilities."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import in_logs, unsafe
from klint.rules.rewrite import kl_claim, log_of, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class KlInputProbabilities(Rule[LossSite]):
    """`kl_div` is given probabilities as its input, where it expects log-probabilities.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` whose input holds probabilities: the output of a softmax, of an `exp` of
    log-probabilities, or a view of one.

    ## Why it is wrong

    `kl_div(input, target)` computes `sum target * (log target - input)`, so that its input must be the log of the
    probabilities P. Given P itself the value is `-H(Q) - sum P * Q`, with Q the target: it is always negative, and it falls the more P
    puts on the likeliest class, so that training drives the model to a one-hot output instead of to the target.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.softmax(logits, dim=1), target, reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")
    ```

    ## Fix

    Unsafe, since another loss is trained: softmax becomes log_softmax where nothing but the loss uses what it makes, and else at the
    call; of other probabilities the log is taken at the call.

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL101"
    name = "kl-input-probabilities"
    summary = "input of kl_div holds probabilities"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The input is in the space of probabilities."""
        if site.input.facts.space is not Space.PROBABILITIES:
            return
        maker = site.input.maker
        made = f" ({maker.name})" if maker is not None and maker.name in ("softmax", "exp") else ""
        meant = "log_softmax" if maker is not None and maker.name == "softmax" else "their log"
        yield Draft(
            site.anchor,
            f"input {site.input.text} holds probabilities{made} where kl_div takes their log: the value is negative and its "
            f"optimum one-hot; use {meant}",
            kl_claim(
                site,
                "value = -H(target) - sum input * target, not KL",
                Effect.DIFFERS,
                with_arguments(site.call, input=log_of(site.input)),
            ),
            site.input.facts.confidence,
            ((maker.anchor, "probabilities are made here"),) if maker is not None else (),
            fix=lambda: unsafe(f"Use {meant}", in_logs(site, site.input)),
        )
