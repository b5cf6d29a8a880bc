"""KL102: the input of kl_div holds scores."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import normalised, unsafe
from klint.rules.rewrite import apply, kl_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class KlInputScores(Rule[LossSite]):
    """`kl_div` is given unnormalised scores as its input, where it expects log-probabilities.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` whose input holds scores: the output of a layer, random normals, sums of such.
    Where nothing but a name such as `student_logits` says so, the finding is *likely* and says that it rests on the name.

    ## Why it is wrong

    `kl_div` takes its input for log-probabilities and does not normalise it. The value differs from KL by the mean of
    `logsumexp(input)`, and the gradient is `-target` whatever the input is: the loss has no minimum and the scores grow without bound.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(logits, target, reduction="batchmean")
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

    Unsafe, since another loss is trained: the log_softmax of the scores is taken at the call, over the last dim where the class dim is
    not known.

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL102"
    name = "kl-input-scores"
    summary = "input of kl_div holds unnormalised scores"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The input is in the space of scores."""
        facts = site.input.facts
        if facts.space is not Space.SCORES:
            return
        maker = site.input.maker
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        dim = -1 if site.class_dim is None else site.class_dim
        fixed = apply("log_softmax", site.input.node, input=site.input.node, dim=dim)
        yield Draft(
            site.anchor,
            f"input {site.input.text}{named} holds unnormalised scores where kl_div takes log-probabilities: the gradient is "
            f"-target whatever they are; use F.log_softmax({site.input.text}, dim={dim})",
            kl_claim(
                site,
                "value differs from KL by the mean of logsumexp(input)",
                Effect.DIFFERS,
                with_arguments(site.call, input=fixed),
            ),
            facts.confidence,
            ((maker.anchor, "scores are made here"),) if maker is not None else (),
            fix=lambda: unsafe("Use log_softmax", normalised(site, site.input, "log_softmax", dim)),
        )
