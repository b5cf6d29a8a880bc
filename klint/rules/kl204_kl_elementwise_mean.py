"""KL204: the mean of the elements of kl_div runs over the classes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from klint.finding import Fix, Severity
from klint.graph.nodes import Constant, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Divisor, Effect
from klint.rules.edits import method_called
from klint.rules.factors import always_follows, holds_in_a_reading, multiplied_by_classes
from klint.rules.fixes import unsafe
from klint.rules.makers import operand
from klint.rules.rewrite import apply, elementwise_dim, kl_claim, per_row
from klint.torch_model.count import ONE, Count
from klint.torch_model.facts import Facts
from klint.torch_model.sites import LossSite


class KlElementwiseMean(Rule[LossSite]):
    """The elements of `kl_div` are averaged over the classes, over which the KL divergence sums.

    ## What it does

    Finds `reduction='none'` and then a `.mean()` over all elements or over the class dim, and `reduction='sum'` divided by `numel()`.
    Silent where the classes are summed first, where the mean is taken under a condition only, and where the value is multiplied by their number again.

    ## Why it is wrong

    KL(P || Q) is a sum over the classes. Each of the C numbers of a row is a summand of it, negative ones included, and no divergence: their mean
    is KL / C, as with `reduction='mean'` (KL201). For an input of shape (8, 10) the example gives 0.0899, the KL divergence is 0.899.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    pointwise = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="none")
    loss = pointwise.mean()
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    pointwise = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="none")
    loss = pointwise.sum(dim=1).mean()
    ```

    ## Fix

    Unsafe, since the loss is multiplied by the class count: the sum over the class dim is put before a mean over all elements.

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL204"
    name = "kl-elementwise-mean"
    summary = "a mean over the classes divides KL by their number"
    severity = Severity.WARNING
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """Some use of the value is such a mean, and the value is not multiplied by the class count."""
        if site.reduction not in ("none", "sum"):
            return
        if site.class_dim is None or not site.class_dims_agree:
            return
        mean = next(_means(site), None)
        if mean is None or holds_in_a_reading(site, self.code, _makes_up):
            return
        classes = site.classes
        number = None if classes is None else classes.value
        first = f".sum({elementwise_dim(site)})"
        yield Draft(
            site.anchor,
            f"{'the mean' if mean.name == 'mean' else 'the division by numel'} runs over the classes too: the result is "
            f"KL / {number or 'C'}; use {first} before the mean",
            _claim(site, mean, None if classes is None else ONE / classes),
            related=((mean.anchor, "averaged over the classes here"),),
            fix=lambda: _fix(site, mean),
        )


def _means(site: LossSite) -> Iterator[Operation]:
    """The uses of the value that divide by the class count."""
    for use in site.uses(names=("mean", "div")):
        before = site.inference.facts(use.arguments["input"]) if "input" in use.arguments else None
        if before is None or before.loss is None or before.loss.call is not site.call or not always_follows(site, use):
            continue
        if use.name == "mean" and site.reduction == "none" and _runs_over_classes(site, use, before):
            yield use
        elif use.name == "div" and before.loss.divisor == ONE and before.rank == 0:
            after = site.inference.facts(use).loss
            numel = site.input.facts.numel
            if after is not None and numel is not None and after.divisor == numel:
                yield use


def _runs_over_classes(site: LossSite, use: Operation, before: Facts) -> bool:
    """Whether a mean runs over the class dim, and no sum or mean did so before."""
    loss = before.loss
    if loss is None or any(slot not in ("input", "dim", "axis", "keepdim", "dtype") for slot in use.arguments):
        return False
    is_pointwise = not any(operation.name in ("sum", "mean") for operation in loss.reduced)
    slot = "axis" if "axis" in use.arguments else "dim"
    node = site.inference.value(use, slot)
    if node is None or (isinstance(node, Constant) and node.value is None):
        return is_pointwise or loss.class_dim is not None
    dims = site.inference.integers(use, slot)
    if dims is None:
        return False
    if loss.class_dim is not None and before.shape is not None:
        return any(before.shape.dim(dim) == loss.class_dim for dim in dims)
    return is_pointwise and any(site.input.facts.same_dim(dim, site.class_dim) for dim in dims)


def _makes_up(site: LossSite) -> bool:
    """Whether there are such means, and each is multiplied by the class count further on."""
    means = list(_means(site))
    return bool(means) and all(map(partial(multiplied_by_classes, site), means))


def _claim(site: LossSite, mean: Operation, ratio: Count | None) -> Claim:
    """Over all elements the definition tells; of a mean over some dims the reference is one of sums over the classes."""
    facts = site.inference.facts(mean)
    pointwise = mean.arguments["input"]
    if facts.rank == 0 and (mean.name == "div" or pointwise is site.call):
        fixed = per_row(site.call, elementwise_dim(site))
        return kl_claim(site, "value * C = KL", Effect.RATIO, fixed, Divisor.ROWS, ratio, as_written=mean)
    summed = apply("sum", mean, input=pointwise, dim=elementwise_dim(site) or 0, keepdim=True)
    return Claim(
        text="value * C = mean of the sums over the classes",
        effect=Effect.RATIO,
        as_written=apply("sum", mean, input=mean),
        fixed=apply("sum", mean, input=apply("mean", mean, **{**mean.arguments, "input": summed})),
        ratio=ratio,
        choices=dict(site.inference.choices),
    )


def _fix(site: LossSite, mean: Operation) -> Fix | None:
    """The sum in front of the mean, where that stands in the same function and is a mean over everything."""
    is_here = mean.function == site.call.function and mean.callers == site.call.callers
    if not is_here or mean.anchor.unit is not site.anchor.unit or mean.name != "mean":
        return None
    inner = operand(mean.anchor.unit, mean.anchor.tree)
    edits = None if inner is None else method_called(mean.anchor.unit, inner, f".sum(dim={elementwise_dim(site)})")
    return unsafe(f"Use .sum({elementwise_dim(site)}) before the mean", edits)
