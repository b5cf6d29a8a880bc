"""KL106: input and target of kl_div the wrong way round."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from klint.finding import Confidence, Fix, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect, Expected
from klint.rules.fixes import is_everywhere, swapped, unsafe, without_option
from klint.rules.rewrite import kl_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class KlSwappedArguments(Rule[LossSite]):
    """Input and target of `kl_div` are swapped: the probabilities come first, their logarithms second.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` whose input holds probabilities and whose target holds log-probabilities. Takes the place of
    KL101 and KL103 there. Which of two distributions the divergence starts from is not judged.

    ## Why it is wrong

    `kl_div(input, target)` takes log-probabilities first, the other way round than the formula KL(P || Q) is written and than most
    libraries have it. Swapped, torch takes the logarithm of log-probabilities, which are negative: the loss is NaN from the first step on. With
    `log_target=True` it is a number, and negative: -1.94 in one trial, where KL is 0.86.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.softmax(teacher, dim=1), F.log_softmax(student, dim=1), reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1), reduction="batchmean")
    ```

    ## Fix

    Unsafe, since another loss is trained: the two arguments are swapped, and `log_target=True` is dropped where it is set.

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL106"
    name = "kl-swapped-arguments"
    summary = "probabilities as input of kl_div and log-probabilities as target: swapped"
    severity = Severity.ERROR
    replaces = ("KL101", "KL103")
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The input is in the space of probabilities, the target in that of log-probabilities."""
        spaces = (site.input.facts.space, site.target.facts.space)
        if spaces != (Space.PROBABILITIES, Space.LOG_PROBABILITIES):
            return
        named = ", to go by their names," if site.confidence is Confidence.LIKELY else ""
        in_logs = site.log_target is True
        result = "the value is negative" if in_logs else "the loss is NaN"
        option = " without log_target" if in_logs else ""
        meant = with_arguments(site.call, input=site.target.node, target=site.input.node, log_target=False)
        claim = kl_claim(site, f"{result}, not KL", Effect.DIFFERS if in_logs else Effect.NAN, meant)
        if claim.expected is not None:
            read = claim.expected
            claim = replace(claim, expected=Expected(read.loss, read.target, read.input, read.divisor))
        made = (
            (site.input.maker, "probabilities are made here"),
            (site.target.maker, "log-probabilities are made here"),
        )
        texts = (site.target.text, site.input.text)
        order = "target, input" if texts[0] == "target" or texts[1] == "input" else ", ".join(texts)
        yield Draft(
            site.anchor,
            f"{site.input.title} and {site.target.title}{named} hold probabilities and log-probabilities, the wrong way "
            f"round: {result}; use kl_div({order}){option}",
            claim,
            site.confidence,
            tuple((maker.anchor, what) for maker, what in made if maker is not None),
            fix=lambda: _fix(site),
        )


def _fix(site: LossSite) -> Fix | None:
    """The arguments swapped, if each holds the same for every caller."""
    spaces = (("input", Space.PROBABILITIES), ("target", Space.LOG_PROBABILITIES))
    if not all(is_everywhere(site, slot, space) for slot, space in spaces):
        return None
    order, dropped = swapped(site), without_option(site, "log_target") if site.log_target else ()
    return (
        None
        if order is None or dropped is None
        else unsafe("Use the arguments the other way round", (*order, *dropped))
    )
