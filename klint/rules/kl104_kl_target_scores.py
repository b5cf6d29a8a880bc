"""KL104: the target of kl_div holds scores."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import normalised, unsafe
from klint.rules.rewrite import apply, kl_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class KlTargetScores(Rule[LossSite]):
    """The target of `kl_div` holds unnormalised scores, where a distribution is expected.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` whose target holds scores: the output of a layer, random normals, sums of such. Where
    nothing but a name such as `teacher_logits` says so, the finding is *likely* and says that it rests on the name.

    ## Why it is wrong

    `kl_div` computes `target * (log target - input)` and normalises nothing. A score below 0 has no logarithm: the loss is NaN from the
    first step on. Scores that all happen to be positive, such as those behind a ReLU, give a number that is no divergence: 8.9 in one
    trial, where KL is 0.86. With `log_target=True` the target is exponentiated, but does not sum to 1: 52.8 in the same trial.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.log_softmax(student, dim=1), teacher, reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1), reduction="batchmean")
    ```

    ## Fix

    Unsafe, since another loss is trained: the softmax of the scores is taken at the call, over the last dim where the class dim is not
    known; with `log_target=True` the log_softmax.

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL104"
    name = "kl-target-scores"
    summary = "target of kl_div holds unnormalised scores"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The target is in the space of scores."""
        facts = site.target.facts
        if facts.space is not Space.SCORES or facts.integer:
            return
        maker = site.target.maker
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        dim = -1 if site.class_dim is None else site.class_dim
        in_logs = site.log_target is True
        normalise = "log_softmax" if in_logs else "softmax"
        wanted = "log-probabilities" if in_logs else "probabilities"
        so = (
            "exp(target) does not sum to 1"
            if in_logs
            else "the loss is NaN where one is negative, and no divergence else"
        )
        meant = apply(normalise, site.target.node, input=site.target.node, dim=dim)
        yield Draft(
            site.anchor,
            f"{site.target.title}{named} holds unnormalised scores where kl_div takes {wanted}: {so}; "
            f"use F.{normalise}({site.target.text}, dim={dim})",
            kl_claim(
                site,
                "value is not KL, and NaN where a score is negative",
                Effect.DIFFERS,
                with_arguments(site.call, target=meant, log_target=in_logs),
            ),
            facts.confidence,
            ((maker.anchor, "scores are made here"),) if maker is not None else (),
            fix=lambda: unsafe(f"Use {normalise}", normalised(site, site.target, normalise, dim)),
        )
