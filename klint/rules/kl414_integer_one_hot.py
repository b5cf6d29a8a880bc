"""KL414: the target is a one-hot tensor of whole numbers."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import followed_by, unsafe
from klint.rules.rewrite import apply, loss_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite


class IntegerOneHot(Rule[LossSite]):
    """The target of a cross entropy is the output of `F.one_hot`, which holds whole numbers, where probabilities must be floating-point numbers.

    ## What it does

    Finds calls of `cross_entropy`, `binary_cross_entropy`, `binary_cross_entropy_with_logits` and of their modules whose target is
    `F.one_hot(...)` without a conversion such as `.float()`. Where the rank of the input or of the target of `cross_entropy` is not known, the
    finding is *likely*: zeros and ones may be the indices of two classes each, if the input has a dim more.

    ## Why it is wrong

    `F.one_hot` returns a tensor of `torch.int64`. A target of the input's shape stands for probabilities and must be of a floating type: torch raises
    `Expected floating point type for target with class probabilities, got Long` (`Found dtype Long but expected Float` for `binary_cross_entropy`, `result type Float can't be
    cast to the desired output type Long` for `binary_cross_entropy_with_logits`). `cross_entropy` needs no one-hot rows at all: it takes the class indices, and is faster with them.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(logits, F.one_hot(labels, 10))
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(logits, labels)
    ```

    ## Fix

    Unsafe, since what raised an error is now trained: `.float()` is called of the target.

    ## References

    - [torch.nn.functional.one_hot](https://pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html)
    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    """

    code = "KL414"
    name = "integer-one-hot"
    summary = "target is F.one_hot(...) in whole numbers"
    severity = Severity.ERROR
    site = LossSite
    losses = ("cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits")

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The target is what one_hot made, still in whole numbers."""
        facts, maker = site.target.facts, site.target.maker
        if facts.space is not Space.PROBABILITIES or not facts.integer:
            return
        if maker is None or maker.name != "one_hot":
            return
        confidence, unless = Confidence.PROVEN, ""
        if site.loss == "cross_entropy":
            extra = _extra_dims(site)
            if extra == 1:
                return  # each zero or one is itself the index of one of two classes
            if extra is None:
                confidence, unless = Confidence.LIKELY, " unless the input has a dim more"
        indices = ", or the class indices" if site.loss == "cross_entropy" else ""
        yield Draft(
            site.anchor,
            f"{site.target.title} holds one-hot rows in whole numbers where {site.loss} takes floating probabilities: torch raises an "
            f"error{unless}; use .float(){indices}",
            loss_claim(
                site,
                "torch raises an error for the dtype of the target",
                Effect.RAISES,
                with_arguments(site.call, target=apply("float", site.target.node, input=site.target.node)),
            ),
            confidence,
            ((maker.anchor, "one_hot returns whole numbers"),),
            fix=lambda: unsafe("Use .float()", followed_by(site, site.target, ".float()", Space.PROBABILITIES)),
        )


def _extra_dims(site: LossSite) -> int | None:
    """How many dims the input has more than the target."""
    given, rank = site.input.facts.rank, site.target.facts.rank
    return None if given is None or rank is None else given - rank
