"""KL103: the target of kl_div holds log-probabilities, and log_target is not set."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import in_log_target, unsafe
from klint.rules.rewrite import kl_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class KlTargetLogProbabilities(Rule[LossSite]):
    """The target of `kl_div` holds log-probabilities, but `log_target` is not set.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` whose target is the output of a log_softmax or the log of
    probabilities, while `log_target` is False, as it is by default.

    ## Why it is wrong

    Without `log_target=True` the target is taken for probabilities Q, of which torch computes `Q * log Q`. Log-probabilities are
    negative, and the log of a negative number is NaN: so is the loss, from the first step on.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.log_softmax(student, dim=1), F.log_softmax(teacher, dim=1), reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.log_softmax(student, dim=1), F.log_softmax(teacher, dim=1), reduction="batchmean", log_target=True)
    ```

    ## Fix

    Unsafe, since another loss is trained: `log_target=True` is set at the call, or at the constructor of a module that is called nowhere
    else.

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    """

    code = "KL103"
    name = "kl-target-log-probabilities"
    summary = "target of kl_div holds log-probabilities without log_target=True"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The target is in the space of log-probabilities, and log_target is known to be False."""
        facts = site.target.facts
        if facts.space is not Space.LOG_PROBABILITIES or site.log_target is not False:
            return
        maker = site.target.maker
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        yield Draft(
            site.anchor,
            f"target {site.target.text}{named} holds log-probabilities but log_target is False: the loss is NaN; "
            "use log_target=True",
            kl_claim(site, "value is NaN", Effect.NAN, with_arguments(site.call, log_target=True)),
            facts.confidence,
            ((maker.anchor, "log-probabilities are made here"),) if maker is not None else (),
            fix=lambda: unsafe("Use log_target=True", in_log_target(site)),
        )
