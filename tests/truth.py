"""What a program does in torch: the loss calls that it makes, and the misuse that their real tensors show."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import _reduction
from torch.overrides import TorchFunctionMode

torch.set_num_threads(1)  # small tensors, and several test processes

CLOSE = 2e-2
"""How far from 1 a sum of probabilities may lie: as far as bfloat16 rounds."""

SLOTS = {
    F.kl_div: ("size_average", "reduce", "reduction", "log_target"),
    F.cross_entropy: ("weight", "size_average", "ignore_index", "reduce", "reduction", "label_smoothing"),
    F.nll_loss: ("weight", "size_average", "ignore_index", "reduce", "reduction"),
    F.binary_cross_entropy: ("weight", "size_average", "reduce", "reduction"),
    F.binary_cross_entropy_with_logits: ("weight", "size_average", "reduce", "reduction", "pos_weight"),
}
"""The options of each loss behind input and target, in torch's positional order."""


class Watch(TorchFunctionMode):
    """Notes the codes of the misuse that each loss call shows, in the order of the calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.codes: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in SLOTS:
            bound = dict(zip(("input", "target", *SLOTS[func]), args, strict=False)) | (kwargs or {})
            self.calls += 1
            self.codes += misuse(func.__name__, **bound)
        return func(*args, **(kwargs or {}))


def misuse(loss: str, input: Tensor, target: Tensor, **options: Any) -> Iterator[str]:
    """The codes of what one loss call does wrong, as far as its numbers show it."""
    space = space_of(input)
    if loss == "kl_div":
        yield from misuse_of_kl_div(input, target, **options)
    elif loss == "cross_entropy" and space == "probabilities":
        yield "KL401"
    elif loss == "nll_loss" and space != "log-probabilities":
        yield "KL405"
    elif loss == "binary_cross_entropy_with_logits" and input.min() >= 0 and input.max() <= 1:
        yield "KL407"


def misuse_of_kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Iterator[str]:
    """The codes of what a call of kl_div does wrong. What the value is multiplied by afterwards is not seen."""
    if size_average is not None or reduce is not None:
        reduction = _reduction.legacy_get_string(size_average, reduce, emit_warning=False)
    space = space_of(input)
    if space != "log-probabilities":
        yield "KL101" if space == "probabilities" else "KL102"
    space = space_of(target)
    if log_target and space == "probabilities":
        yield "KL105"
    elif not log_target and target.min() < 0:
        yield "KL103" if space == "log-probabilities" else "KL104"
    if reduction == "mean":
        yield "KL201"
    elif reduction == "batchmean" and input.dim() == 1:
        yield "KL202"


def space_of(tensor: Tensor) -> str:
    """What the numbers of a tensor are: ``probabilities``, ``log-probabilities`` or ``other``."""
    values = tensor.detach().double()
    for dim in range(values.dim()):
        if values.min() >= 0 and ((values.sum(dim) - 1).abs() < CLOSE).all():
            return "probabilities"
        if (values.logsumexp(dim).abs() < CLOSE).all():
            return "log-probabilities"
    return "other"


def watch(source: str, **arguments: Any) -> tuple[Watch, dict[str, Any]]:
    """Run a program, and its ``entry`` or ``Entry`` with what it asks for.

    Returns what was seen of its loss calls, and its names; what the entry returns has the name ``result``.
    """
    namespace: dict[str, Any] = {"__name__": __name__}  # a module that can be looked up, as dataclasses do
    torch.manual_seed(0)
    with Watch() as seen:
        exec(compile(dedent(source), "program.py", "exec"), namespace)
        entry = namespace.get("entry") or (namespace["Entry"]() if "Entry" in namespace else None)
        if entry is not None:
            names = inspect.signature(getattr(entry, "forward", entry)).parameters
            namespace["result"] = entry(**{name: value for name, value in arguments.items() if name in names})
    return seen, namespace
