"""KL404: the soft target of cross_entropy is no distribution."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence, Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import followed_by, normalised, unsafe
from klint.rules.rewrite import apply, class_dim_of, loss_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class CeTargetNotDistribution(Rule[LossSite]):
    """The soft target of `cross_entropy` holds scores or log-probabilities, where it must hold probabilities.

    ## What it does

    Finds calls of `F.cross_entropy` and `nn.CrossEntropyLoss` whose target holds scores (the output of a layer, a parameter called
    `teacher_logits`) or log-probabilities.

    ## Why it is wrong

    A target of the input's shape is taken for probabilities as it is: the value is -sum target * log_softmax(input), and nothing normalises
    the target. Where it has negative numbers the loss has no minimum: measured on normal draws of 10 classes, scores in the input 1, 10 and 100 times the target's
    give -7.7, -86 and -859. Where it is positive it weighs each row by its sum, k times too much. Log-probabilities turn the loss upside down: it is
    least where the target is least likely.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.cross_entropy(student, teacher)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.cross_entropy(student, F.softmax(teacher, dim=1))
    ```

    ## Fix

    Unsafe, since another loss is trained: the softmax of scores, or the exp of log-probabilities, is taken at the call.

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    """

    code = "KL404"
    name = "ce-target-not-distribution"
    summary = "soft target of cross_entropy holds scores or log-probabilities"
    severity = Severity.ERROR
    site = LossSite
    losses = ("cross_entropy",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The target is in the space of scores or of log-probabilities, and has the input's rank so far as that is known."""
        facts = site.target.facts
        if facts.space not in (Space.SCORES, Space.LOG_PROBABILITIES):
            return
        if None not in (facts.rank, site.input.facts.rank) and facts.rank != site.input.facts.rank:
            return  # torch refuses it for its shape, whatever it holds
        target, maker = site.target.node, site.target.maker
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        if facts.space is Space.SCORES:
            dim = class_dim_of(site)
            fixed, use = apply("softmax", target, input=target, dim=dim), f"F.softmax({site.target.text}, dim={dim})"
            effect = "the loss has no minimum"
        else:
            fixed, use = apply("exp", target, input=target), f"{site.target.text}.exp()"
            effect = "the loss is least where the target is least likely"
        yield Draft(
            site.anchor,
            f"{site.target.title}{named} holds {facts.space.value} where cross_entropy takes probabilities or class indices: "
            f"{effect}; use {use}",
            loss_claim(
                site,
                "value = -sum target * log_softmax(input) for a target that is no distribution",
                Effect.DIFFERS,
                with_arguments(site.call, target=fixed),
            ),
            facts.confidence,
            ((maker.anchor, f"{facts.space.value} are made here"),) if maker is not None else (),
            fix=lambda: _fix(site),
        )


def _fix(site: LossSite) -> Fix | None:
    if site.target.facts.space is Space.SCORES:
        return unsafe("Use softmax", normalised(site, site.target, "softmax", class_dim_of(site)))
    return unsafe("Use .exp()", followed_by(site, site.target, ".exp()", Space.LOG_PROBABILITIES))
