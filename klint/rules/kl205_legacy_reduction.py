"""KL205: the options that torch took before ``reduction``."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Fix, Severity
from klint.graph.nodes import Constant
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import reduction, safe, unsafe
from klint.rules.rewrite import options_claim, with_arguments
from klint.torch_model.losses import OLD_REDUCTIONS
from klint.torch_model.sites import OptionsSite


class LegacyReduction(Rule[OptionsSite]):
    """`size_average` or `reduce` is given to a loss, which `reduction` replaced in torch 0.4.1.

    ## What it does

    Finds `size_average=` and `reduce=` at every loss of torch that klint knows, by keyword or by position, and the reduction
    `'elementwise_mean'`, which is now called `'mean'`. It is an error where `reduction` is given as well. Silent about None, the default.

    ## Why it is wrong

    torch warns that both will be removed. Until then they win over `reduction`, and not even in the same way: for one input of shape (8, 10),
    `nn.KLDivLoss(size_average=False, reduction='batchmean')` is the plain sum, 7.195, whereas `F.kl_div` with the same two arguments
    divides that by 8: 0.899. With `size_average=True` the first is the mean over all elements, 0.0899, the second an eighth of it, 0.0112.
    Which reduction is in force should be readable in the call.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    labels = torch.randint(10, (8,))
    loss = F.cross_entropy(logits, labels, size_average=False)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    labels = torch.randint(10, (8,))
    loss = F.cross_entropy(logits, labels, reduction="sum")
    ```

    ## Fix

    Safe where the reduction in force is the one that is written: `reduction=` takes the place of the options of old. Unsafe where they win
    over a `reduction` that says something else.

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    """

    code = "KL205"
    name = "legacy-reduction"
    summary = "size_average and reduce are deprecated, and win over reduction"
    severity = Severity.WARNING
    site = OptionsSite

    def check(self, site: OptionsSite) -> Iterator[Draft]:
        """An option of old is given, and it is not another one that has landed in its place."""
        old, named = site.legacy, site.literal("reduction")
        if site.misplaced:
            return
        if not old:
            if named is not None and named.value in OLD_REDUCTIONS:
                yield _old_name(site, str(named.value))
            return
        given = " and ".join(f"{slot}{_value(node)}" for slot, node in old.items())
        verb = "is" if len(old) == 1 else "are"
        as_is, meant = site.reduction, None
        if site.is_given("reduction"):
            if named is not None and named.value in site.spec.reductions:
                meant = str(named.value)
            reduction = "reduction" if named is None else f"reduction={named.value!r}"
            message = f"{given} {verb} given as well as {reduction}, and {_outcome(site, meant)}; use reduction alone"
        elif as_is is None:
            message = f"{given} {verb} deprecated; use reduction='none', 'mean' or 'sum'"
        else:
            message = f"{given} {verb} deprecated and means {as_is!r}; use reduction={as_is!r}"
        other = meant is not None and meant != as_is
        fixed = meant or as_is
        yield Draft(
            site.anchor,
            message,
            options_claim(
                site,
                "the value is not that of reduction" if other else "reduction alone computes the same",
                Effect.RATIO if other else Effect.SAME,
                site.call if fixed is None else with_arguments(site.call, reduction=fixed),
            ),
            severity=Severity.ERROR if site.is_given("reduction") else None,
            fix=lambda: _fix(site, fixed, is_same=fixed == as_is),
        )


def _outcome(site: OptionsSite, meant: str | None) -> str:
    """What comes of options of old beside ``reduction``."""
    if site.reduction is None:
        return "wins over it" if meant != "batchmean" else "both divide"
    return "changes nothing" if site.reduction == meant else f"wins: the reduction is {site.reduction!r}"


def _old_name(site: OptionsSite, name: str) -> Draft:
    new = OLD_REDUCTIONS[name]
    return Draft(
        site.anchor,
        f"reduction {name!r} is deprecated and means {new!r}; use reduction={new!r}",
        options_claim(site, "reduction computes the same", Effect.SAME, with_arguments(site.call, reduction=new)),
        fix=lambda: _fix(site, new, is_same=True),
    )


def _value(node: object) -> str:
    return f"={node.value!r}" if isinstance(node, Constant) else ""


def _fix(site: OptionsSite, value: str | None, is_same: bool) -> Fix | None:
    if value is None:
        return None
    edits = reduction(site, value, shared=True)
    return (safe if is_same else unsafe)(f"Use reduction={value!r}", edits)
