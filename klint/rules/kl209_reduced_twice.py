"""KL209: a loss that is one number already is summed or averaged again."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.graph.nodes import Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.factors import always_follows, is_weight
from klint.torch_model.facts import Loss
from klint.torch_model.sites import LossSite


class ReducedTwice(Rule[LossSite]):
    """The sum of a loss is averaged, or its mean summed, although it is one number by then.

    ## What it does

    Finds `.mean()` of a loss that has been summed to one number, by `reduction='sum'` or `.sum()`, and `.sum()` of one that is a mean, as it is by
    default. Silent about the mean of a mean, which does nothing and says so, and where the value comes from the method of another object:
    `nn.DataParallel` returns one number for each device there.

    ## Why it is wrong

    The sum or mean of one number is that number. `.sum().mean()` is a sum, whatever the name says, and grows with the batch: for an input
    of shape (8, 10) the example gives 18.73, and the mean over the rows is 2.34.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    labels = torch.randint(10, (8,))
    loss = F.cross_entropy(logits, labels, reduction="none").sum().mean()
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    labels = torch.randint(10, (8,))
    loss = F.cross_entropy(logits, labels, reduction="none").mean()
    ```

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    """

    code = "KL209"
    name = "reduced-twice"
    summary = "the mean of a sum is that sum, and the sum of a mean that mean"
    severity = Severity.WARNING
    site = LossSite

    def check(self, site: LossSite) -> Iterator[Draft]:
        """A sum or mean of one number contradicts how that number came about."""
        for use in site.uses(names=tuple(_OPPOSITES)):
            value = site.inference.value(use, "input")
            if not isinstance(value, Operation) or not _is_in_sight(site.call, use):
                continue
            facts = site.inference.facts(value)
            if facts.loss is None or facts.loss.call is not site.call or facts.rank != 0:
                continue
            if not always_follows(site, use):
                continue
            kind = _kind(site, facts.loss)
            if kind != _OPPOSITES[use.name]:
                continue
            yield Draft(
                site.anchor,
                f".{use.name}() is taken of the {kind} of the loss, which is one number: the result is the {kind}; "
                f"use the one reduction that is meant, {use.name!r} or {kind!r}",
                Claim(
                    f"value = the {kind}, whatever the second reduction says",
                    Effect.SAME,
                    as_written=use,
                    fixed=value,
                    choices=dict(site.inference.choices),
                ),
                related=((use.anchor, "reduced again here"),),
            )
            return


_OPPOSITES = {"sum": "mean", "mean": "sum"}
_KINDS = {"sum": "sum", "mean": "mean", "batchmean": "mean"}


def _kind(site: LossSite, loss: Loss) -> str:
    """How one number came about: as a sum or as a mean; neither of the two where a sum has been divided since."""
    kind = _KINDS.get(site.reduction or "", "")
    for operation in loss.reduced:
        if operation.name in _OPPOSITES:
            kind = operation.name
        elif kind == "sum" and not all(
            is_weight(site, operand) for operand in operation.operands() if site.inference.facts(operand).loss is None
        ):
            kind = ""
    return kind


def _is_in_sight(call: Operation, use: Operation) -> bool:
    """Whether no method stands between a call and what becomes of it: a module's may run once on each device."""
    if use.callers == call.callers:
        return True
    return "." not in call.function and use.callers == call.callers[1:]
