"""KL208: a reduction that the loss does not take."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

from klint.finding import Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import reduction, unsafe
from klint.rules.rewrite import options_claim, with_arguments
from klint.torch_model.losses import LEGACY, OLD_REDUCTIONS
from klint.torch_model.sites import OptionsSite

_KNOWN_ELSEWHERE = {"batchmean": "mean", "avg": "mean", "average": "mean", "None": "none", "": "none"}
"""What people write, and what the losses that do not take it call it."""


class UnknownReduction(Rule[OptionsSite]):
    """The reduction is one that the loss does not take.

    ## What it does

    Finds values of `reduction` that are none of those of the loss: `'batchmean'`, which `kl_div` alone takes, misspelled ones such as
    `'batch_mean'`, and None, where `'none'` is meant. Silent where the deprecated `size_average` or `reduce` is given, since `reduction` is then not read.

    ## Why it is wrong

    A module accepts any text when it is made. The mistake shows at the first call: `ValueError: batchmean is not a valid value for reduction`.

    ## Example

    ```python
    import torch
    import torch.nn as nn

    criterion = nn.CrossEntropyLoss(reduction="batchmean")
    loss = criterion(torch.randn(8, 10), torch.randint(10, (8,)))
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn as nn

    criterion = nn.CrossEntropyLoss(reduction="mean")
    loss = criterion(torch.randn(8, 10), torch.randint(10, (8,)))
    ```

    ## Fix

    Unsafe, since what raised an error is now trained: the nearest reduction that the loss has, where there is one.

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL208"
    name = "unknown-reduction"
    summary = "the loss has no such reduction"
    severity = Severity.ERROR
    site = OptionsSite

    def check(self, site: OptionsSite) -> Iterator[Draft]:
        """The reduction is a literal that is not in the loss's list, and it is read."""
        named, taken = site.literal("reduction"), site.spec.reductions
        if named is None or "reduction" in site.misplaced or named.value in (*taken, *OLD_REDUCTIONS):
            return
        if site.call.open or any(not _is_absent(site, slot) for slot in LEGACY):
            return
        nearest = _nearest(named.value, taken)
        listed = ", ".join(map(repr, taken))
        yield Draft(
            site.anchor,
            f"{site.loss} has no reduction {named.value!r} and raises ValueError when it is called; use "
            + (f"reduction={nearest!r}" if nearest else f"one of {listed}"),
            options_claim(
                site,
                f"the reduction is none of {listed}",
                Effect.RAISES,
                with_arguments(site.call, reduction=nearest or taken[1]),
            ),
            fix=lambda: (
                unsafe(f"Use reduction={nearest!r}", reduction(site, nearest, shared=True)) if nearest else None
            ),
        )


def _is_absent(site: OptionsSite, slot: str) -> bool:
    """Whether an option is left at its default, or passed as None."""
    literal = site.literal(slot)
    return slot not in site.call.arguments or (literal is not None and literal.value is None)


def _nearest(value: object, taken: tuple[str, ...]) -> str | None:
    """The reduction that must have been meant."""
    if value is None:
        return "none"
    text = str(value).strip().lower().replace("_", "")
    text = text if text in taken else _KNOWN_ELSEWHERE.get(text, text)
    return next(iter(get_close_matches(text, taken, 1, 0.7)), None)
