"""The losses of torch: their slots in torch's positional order, what each slot must hold, and their reductions."""

from __future__ import annotations

import re
from typing import NamedTuple

LEGACY = ("size_average", "reduce")
"""Options that torch took before ``reduction``, and still takes: where one of them is given, it decides."""

OLD_REDUCTIONS = {"elementwise_mean": "mean"}
"""Names of reductions that torch still takes, with a warning."""

LITERALS: dict[str, tuple[type, ...]] = {
    "weight": (),
    "pos_weight": (),
    "size_average": (bool,),
    "reduce": (bool,),
    "reduction": (str,),
    "ignore_index": (bool, int),
    "label_smoothing": (bool, int, float),
    "log_target": (bool, int),
}
"""The types of literal that mean something in each option; tensors have none."""

_LEGACY = "size_average=None, {0}reduce=None, reduction='mean'"


class LossSpec(NamedTuple):
    """One loss.

    ``call`` is the signature of the functional form, ``options`` that of the module's constructor, both in torch's
    positional order with torch's defaults; ``slots`` are the tensors that the module's call takes; ``reductions`` the strings that
    ``reduction`` may hold.
    """

    name: str
    module: str
    slots: tuple[str, ...]
    call: str
    options: str
    reductions: tuple[str, ...] = ("none", "mean", "sum")

    def positions(self, made: bool) -> tuple[str, ...]:
        """The slots in positional order: of the constructor where a module is ``made``, else of the functional form."""
        return tuple(slot.partition("=")[0] for slot in (self.options if made else self.call).split(", "))

    @property
    def takes_indices(self) -> bool:
        """Whether the target may be class indices."""
        return self.name in ("cross_entropy", "nll_loss")


def _loss(
    name: str, module: str, before: str = "", middle: str = "", after: str = "", **more: tuple[str, ...]
) -> LossSpec:
    reduction = _LEGACY.format(middle)
    options = before + reduction + after
    return LossSpec(name, f"nn.{module}", ("input", "target"), f"input, target, {options}", options, **more)


LOSSES: dict[str, LossSpec] = {
    loss.name: loss
    for loss in (
        _loss("kl_div", "KLDivLoss", after=", log_target=False", reductions=("none", "mean", "sum", "batchmean")),
        _loss("cross_entropy", "CrossEntropyLoss", "weight=None, ", "ignore_index=-100, ", ", label_smoothing=0.0"),
        _loss("nll_loss", "NLLLoss", "weight=None, ", "ignore_index=-100, "),
        _loss("binary_cross_entropy", "BCELoss", "weight=None, "),
        _loss("binary_cross_entropy_with_logits", "BCEWithLogitsLoss", "weight=None, ", "", ", pos_weight=None"),
    )
}

LOSS_NAMES = frozenset(name for loss in LOSSES.values() for name in (loss.name, loss.module.rpartition(".")[2]))
"""Every name under which a loss is imported or called: a module that mentions none holds no loss site of its own."""

_NAMED = re.compile("|".join(name for loss in LOSSES.values() for name in (loss.name, loss.module.removeprefix("nn."))))


def names_loss(text: str) -> bool:
    """Whether a file can hold a loss site at all. Most do not, and this settles it without a look at their code."""
    return _NAMED.search(text) is not None
