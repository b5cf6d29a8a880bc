"""The losses of torch: their slots in torch's positional order, what each slot must hold, and their reductions."""

from __future__ import annotations

from dataclasses import dataclass

_LEGACY = "size_average=None, {0}reduce=None, reduction='mean'"


@dataclass(frozen=True)
class LossSpec:
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
