"""KL206: an option of a loss has landed in the slot of another one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from klint.finding import Fix, Severity
from klint.graph.nodes import Constant
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.edits import text_of
from klint.rules.fixes import options, safe, unsafe
from klint.rules.rewrite import options_claim, with_arguments, without_arguments
from klint.torch_model.losses import LEGACY
from klint.torch_model.sites import OptionsSite

_LARGEST_CLASS = 100
"""Above this, a number that is left out is a mark for what has no class, such as 255."""


class ReductionInWrongSlot(Rule[OptionsSite]):
    """A reduction, or another option, is passed by position and lands in the slot of another option.

    ## What it does

    Finds text and numbers in option slots of a loss that they cannot be meant for: `nn.KLDivLoss('batchmean')`,
    `F.kl_div(x, y, 'sum')`, `nn.CrossEntropyLoss(None, 0)`, `nn.BCELoss('none')`. Positional None, as in `F.kl_div(x, y, None, None, 'sum')`, is right.

    ## Why it is wrong

    The deprecated `size_average` and `reduce` still come before `reduction`. `'batchmean'` or `'sum'` as `size_average` counts as true, and so means
    `'mean'`: for an input of shape (8, 10) the example gives 0.0899, a tenth of the KL divergence of 0.899, and nothing is said about it.
    `nn.CrossEntropyLoss(None, 0)` is meant to ignore index 0: it ignores nothing and sums, since 0 counts as `size_average=False` (18.73 instead
    of 2.01 in one trial of 8 rows). Where the first slot is `weight`, torch raises a TypeError.

    ## Example

    ```python
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = nn.KLDivLoss("batchmean")(F.log_softmax(logits, dim=1), target)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = nn.KLDivLoss(reduction="batchmean")(F.log_softmax(logits, dim=1), target)
    ```

    ## Fix

    Unsafe, since another loss is trained: the keyword that is meant is written in front of the value. Safe where the reduction stays the
    same.

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    """

    code = "KL206"
    name = "reduction-in-wrong-slot"
    summary = "an option is passed for another option"
    severity = Severity.ERROR
    replaces = ("KL201",)
    site = OptionsSite

    def check(self, site: OptionsSite) -> Iterator[Draft]:
        """Some option holds a literal that it has no use for."""
        for slot, node in site.misplaced.items():
            meant = _meant(site, node)
            lands = f"{_written(node)} is passed for {slot}"
            use = "use the keyword that is meant" if meant is None else f"use {meant}={_written(node)}"
            if slot not in LEGACY:
                fixed = without_arguments(site.call, slot)
                yield Draft(
                    site.anchor,
                    f"{lands}: torch raises an error; {use}",
                    options_claim(
                        site,
                        f"{slot} does not take {_written(node)}",
                        Effect.RAISES,
                        fixed if meant is None else with_arguments(fixed, **{meant: node}),
                    ),
                    fix=partial(_fix, site, slot, meant, Effect.RAISES),
                )
                return
            if meant is None:
                fixed, effect = without_arguments(site.call, slot), Effect.SAME if node.value else Effect.RATIO
            else:
                fixed = with_arguments(without_arguments(site.call, *LEGACY), **{meant: node})
                effect = _effect(site, node)
            value = site.reduction
            yield Draft(
                site.anchor,
                f"{lands}, where it counts as {bool(node.value)}: the reduction is {value!r}; {use}",
                options_claim(site, f"the reduction is {value!r}, not what is written", effect, fixed),
                fix=partial(_fix, site, slot, meant, effect),
            )
            return


def _meant(site: OptionsSite, node: Constant) -> str | None:
    """The option that a literal must have been meant for."""
    if isinstance(node.value, str):
        return "reduction" if node.value in site.spec.reductions else None
    if isinstance(node.value, bool) or "ignore_index" not in site.spec.positions(site.made):
        return None
    return "ignore_index" if isinstance(node.value, int) else "label_smoothing"


def _effect(site: OptionsSite, node: Constant) -> Effect:
    """By what the value is off: not at all where the reduction is the same, and no class is to be ignored."""
    if isinstance(node.value, str):
        return Effect.SAME if node.value == site.reduction else Effect.RATIO
    no_class = isinstance(node.value, int) and not 0 <= node.value < _LARGEST_CLASS
    return Effect.SAME if no_class else Effect.DIFFERS


def _written(node: Constant) -> str:
    return repr(node.value)


def _fix(site: OptionsSite, slot: str, meant: str | None, effect: Effect) -> Fix | None:
    """The keyword that is meant, unless it is given as well."""
    found = options(site)
    item = found.find(slot) if found is not None else None
    if found is None or item is None or meant is None or found.find(meant) is not None:
        return None
    text = text_of(found.unit, item.value)
    fix = safe if effect is Effect.SAME else unsafe
    return fix(f"Use {meant}={text}", found.as_keyword(item, f"{meant}={text}"))
