"""KL405: the input of nll_loss holds no log-probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from klint.finding import Confidence, Fix, Severity
from klint.graph.nodes import Constant, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import in_logs, normalised, unsafe
from klint.rules.rewrite import apply, class_dim_of, log_of, loss_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.origins import is_normalised, is_squashed
from klint.torch_model.sites import LossSite


class NllInput(Rule[LossSite]):
    """`nll_loss` is given probabilities or scores, where it expects log-probabilities.

    ## What it does

    Finds calls of `F.nll_loss` and `nn.NLLLoss` whose input is the output of a softmax or a sigmoid, or holds scores. Silent where the value
    is read off as a probability afterwards, as in `1 + nll_loss(softmax(x), target, reduction="none")`, which is 1 - p.

    ## Why it is wrong

    `nll_loss` takes no logarithm: it picks the number at the target and negates it. Of probabilities the value is -p, which lies in [-1, 0]
    and whose gradient vanishes where the model is wrong for certain (norm 1e-22 instead of 0.5 at a score gap of 50). Of scores it is unbounded
    below: the gradient is -1/B whatever the scores are, and they grow for ever.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.nll_loss(F.softmax(logits, dim=1), labels)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.nll_loss(F.log_softmax(logits, dim=1), labels)
    ```

    ## Fix

    Unsafe, since another loss is trained: softmax becomes log_softmax where nothing but the loss uses what it makes, and else at the call;
    of scores the log_softmax is taken at the call.

    ## References

    - [torch.nn.NLLLoss](https://pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html)
    """

    code = "KL405"
    name = "nll-input"
    summary = "input of nll_loss holds probabilities or scores"
    severity = Severity.ERROR
    site = LossSite
    losses = ("nll_loss",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The input holds probabilities that are not read off, or scores."""
        facts = site.input.facts
        dim, text, maker = class_dim_of(site), site.input.text, site.input.maker
        if facts.space is Space.SCORES:
            fixed, use = (
                apply("log_softmax", site.input.node, input=site.input.node, dim=dim),
                f"F.log_softmax({text}, dim={dim})",
            )
            effect = "the loss has no minimum and its gradient does not depend on them"
        elif is_normalised(facts) or is_squashed(facts):
            if _is_read_off(site):
                return
            fixed, use = log_of(site.input), "F.log_softmax of the scores"
            effect = "the value is -p, in [-1, 0]"
        else:
            return
        named = ", to go by its name," if facts.confidence is Confidence.LIKELY else ""
        yield Draft(
            site.anchor,
            f"{site.input.title}{named} holds {facts.space.value} where nll_loss takes log-probabilities: {effect}; use {use}",
            loss_claim(
                site,
                "value is the negated mean of the input at the target",
                Effect.DIFFERS,
                with_arguments(site.call, input=fixed),
            ),
            facts.confidence,
            ((maker.anchor, f"{facts.space.value} are made here"),) if maker is not None else (),
            fix=lambda: _fix(site),
        )


def _is_read_off(site: LossSite) -> bool:
    """Whether the value, minus the probability of the target, is used as such: negated, under a log or a power, added to a number.

    Where it is not known who calls the function that a reading starts from, any other reading that does speaks for it.
    """
    calls = (site.call,) if site.call.runs else site.readings.calls or (site.call,)
    return any(_reads_off(site, use) for call in calls for use in replace(site, call=call).uses())


def _reads_off(site: LossSite, use: Operation) -> bool:
    if use.name in ("add", "sub"):
        return any(isinstance(site.inference.resolve(operand), Constant) for operand in use.operands())
    return use.name in ("neg", "log", "pow")


def _fix(site: LossSite) -> Fix | None:
    facts = site.input.facts
    if facts.space is Space.SCORES:
        return unsafe("Use log_softmax", normalised(site, site.input, "log_softmax", class_dim_of(site)))
    is_softmax = site.input.maker is not None and site.input.maker.name == "softmax"
    return unsafe("Use log_softmax", in_logs(site, site.input)) if is_softmax else None
