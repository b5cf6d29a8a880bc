"""KL107: the target of kl_div holds whole numbers."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Fix, Severity
from klint.graph.nodes import Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.fixes import followed_by, unsafe
from klint.rules.rewrite import apply, kl_claim, total, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class KlClassIndices(Rule[LossSite]):
    """The target of `kl_div` holds whole numbers: class indices, or a one-hot that was never made a float.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` whose target is a tensor of whole numbers: `argmax`, `randint`, `.long()`, a literal of
    whole numbers, `F.one_hot(...)`.

    ## Why it is wrong

    `kl_div` takes distributions. torch refuses whole numbers of any shape: `RuntimeError: kl_div: Integral inputs not supported.` Nor would class indices be
    a distribution. `F.one_hot` gives whole numbers too, and wants a `.float()`. The divergence from one-hot rows is the cross entropy, for which
    `F.cross_entropy` takes scores and indices as they are.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.kl_div(F.log_softmax(logits, dim=1), F.one_hot(labels, 10), reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.kl_div(F.log_softmax(logits, dim=1), F.one_hot(labels, 10).float(), reduction="batchmean")
    ```

    ## Fix

    Unsafe, since what raised an error is now trained: `.float()` is called of one-hot rows. Not offered for class indices, which need to
    know the number of classes or another loss.

    ## References

    - [torch.nn.functional.one_hot](https://pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html)
    - [torch.nn.functional.cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    """

    code = "KL107"
    name = "kl-class-indices"
    summary = "target of kl_div holds whole numbers"
    severity = Severity.ERROR
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The target's numbers are known to be whole ones."""
        facts = site.target.facts
        if not facts.integer:
            return
        maker = site.target.maker
        text = site.target.text
        if facts.space is Space.PROBABILITIES:
            held, instead = "distributions as whole numbers", f"{text}.float()" if text != "target" else "its .float()"
        else:
            held = "class indices, or other whole numbers"
            instead = "F.cross_entropy of the scores, or F.one_hot(..., C).float() as target"
        yield Draft(
            site.anchor,
            f"{site.target.title} holds {held}, which kl_div refuses: RuntimeError; use {instead}",
            _claim(site),
            facts.confidence,
            ((maker.anchor, "whole numbers are made here"),) if maker is not None else (),
            fix=lambda: _fix(site),
        )


def _claim(site: LossSite) -> Claim:
    text = "raises RuntimeError"
    fixed = _fixed(site)
    if fixed is not None and site.target.facts.space is Space.PROBABILITIES:
        return kl_claim(site, text, Effect.RAISES, fixed)
    meant = None if fixed is None else total(fixed, site.reduction)
    choices = dict(site.inference.choices)
    return Claim(text, Effect.RAISES, total(site.call, site.reduction), meant, choices=choices)


def _fixed(site: LossSite) -> Operation | None:
    """The call with one-hot rows of numbers; None where the classes cannot be counted."""
    target, facts = site.target.node, site.target.facts
    rank, classes = site.input.facts.rank, site.classes
    if facts.space is not Space.PROBABILITIES:
        is_less = rank is not None and facts.rank == rank - 1
        is_last = rank is not None and site.input.facts.dim in (-1, rank - 1)
        if classes is None or classes.value is None or not is_less or not is_last:
            return None
        target = apply("one_hot", target, input=target, num_classes=classes.value)
    return with_arguments(site.call, target=apply("float", target, input=target))


def _fix(site: LossSite) -> Fix | None:
    if site.target.facts.space is not Space.PROBABILITIES:
        return None
    return unsafe("Use .float()", followed_by(site, site.target, ".float()", Space.PROBABILITIES))
