"""KL105: the target of kl_div holds probabilities, and log_target is set."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence, Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import as_log_softmax, is_everywhere, option, unsafe
from klint.rules.rewrite import kl_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class KlLogTargetProbabilities(Rule[LossSite]):
    """`log_target=True` is set, but the target of `kl_div` holds probabilities.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` with `log_target=True` whose target holds probabilities: the output of a softmax, of an
    `exp` of log-probabilities, a mixture of such.

    ## Why it is wrong

    With `log_target=True` torch computes `exp(target) * (target - input)`. Of probabilities P the exponentials lie between 1 and e and
    sum to Z, which is about C + 1 for C classes. The value is at least `Z * ln(Z)`, which is 26.4 or more of 10 classes, whatever the input; its optimum
    is softmax(P), which is nearly uniform: of a P with a probability of 0.45 the optimum has 0.14 there. Nothing fails, and the model learns to be unsure.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    target = F.softmax(teacher, dim=1)
    loss = F.kl_div(F.log_softmax(student, dim=1), target, reduction="batchmean", log_target=True)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    target = F.log_softmax(teacher, dim=1)
    loss = F.kl_div(F.log_softmax(student, dim=1), target, reduction="batchmean", log_target=True)
    ```

    ## Fix

    Unsafe, since another loss is trained: the softmax behind the target becomes a log_softmax where nothing but the loss uses it, and
    a copy of it otherwise; for other probabilities `log_target` becomes False.

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    """

    code = "KL105"
    name = "kl-log-target-probabilities"
    summary = "log_target=True, but the target of kl_div holds probabilities"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The target is in the space of probabilities, and log_target is known to be True."""
        facts = site.target.facts
        is_wrong = facts.space is Space.PROBABILITIES and site.log_target is True
        if not is_wrong or facts.integer:  # torch refuses whole numbers, whatever they mean
            return
        maker = site.target.maker
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        related = [(maker.anchor, "probabilities are made here")] if maker is not None else []
        if site.call.constructor is not None:
            related.append((site.options.anchor, "log_target is set here"))
        yield Draft(
            site.anchor,
            f"{site.target.title}{named} holds probabilities but log_target is True: they are exponentiated, the value is "
            "never below (C+1) ln(C+1) and its optimum is their softmax; use log_target=False, or a log_softmax as target",
            kl_claim(
                site,
                "value >= Z ln Z with Z = sum exp(target), not KL",
                Effect.DIFFERS,
                with_arguments(site.call, log_target=False),
            ),
            facts.confidence,
            tuple(related),
            fix=lambda: _fix(site),
        )


def _fix(site: LossSite) -> Fix | None:
    """A log_softmax where a softmax made the target, else the option, for a module that is called nowhere else."""
    in_logs = as_log_softmax(site, site.target)
    if in_logs is not None or not is_everywhere(site, "target", Space.PROBABILITIES):
        return unsafe("Use log_softmax", in_logs)
    return unsafe("Use log_target=False", option(site, "log_target", False))
