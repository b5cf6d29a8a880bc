"""Operations whose callable in the table takes its arguments otherwise than bound, or would do more than give a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

Arguments = dict[str, Any]


class ReplayError(Exception):
    """A step could not be run; the message says which, and why, on one line."""


def is_floating(value: Any) -> bool:
    """Whether a value is a tensor of real numbers."""
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def as_items(value: Any) -> list[Any]:
    """The items of arguments that torch takes one by one or as one sequence: ``view(2, 3)`` and ``view((2, 3))``."""
    items = list(value) if isinstance(value, (tuple, list)) else [value]
    return list(items[0]) if len(items) == 1 and isinstance(items[0], (tuple, list)) else items


def as_tensor(value: Any) -> torch.Tensor:
    """The value. Raises ``ReplayError`` where it is no tensor."""
    if not isinstance(value, torch.Tensor):
        raise ReplayError(f"a tensor is needed, not {type(value).__name__}")
    return value


def single() -> torch.dtype:
    """What stands for float32. Where made-up tensors are wider, the code's own single precision would only get in their way."""
    return torch.float64 if torch.get_default_dtype() is torch.float64 else torch.float32


def named(name: str) -> Any:
    """An object of torch or math by its full name, which is one of klint's tables, never the user's."""
    if name in ("torch.float32", "torch.float"):
        return single()
    module, _, path = name.partition(".")
    found: Any = {"torch": torch, "math": math}[module]
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _shape(arguments: Arguments) -> Any:
    shape = tuple(as_tensor(arguments["input"]).shape)
    return shape if arguments.get("dim") is None else shape[arguments["dim"]]


def _requires_grad(arguments: Arguments) -> Any:
    tensor = as_tensor(arguments["input"])
    if not arguments.get("requires_grad", True):
        return tensor.detach()
    return tensor if tensor.requires_grad else tensor.detach().clone().requires_grad_()


def _literal(arguments: Arguments) -> Any:
    data = arguments["input"]
    if isinstance(data, torch.Tensor):
        data = data.detach().clone()
        return data if arguments.get("dtype") is None else data.to(arguments["dtype"])
    return torch.tensor(data, dtype=arguments.get("dtype"))


def _float_literal(arguments: Arguments) -> Any:
    if isinstance(arguments["input"], int):
        raise ReplayError("a tensor of that many uninitialised numbers has no value")
    return _literal({**arguments, "dtype": single()})


def _part(value: Any, name: str) -> Any:
    """A part of the pair that ``max``, ``topk`` and ``sort`` return."""
    if not isinstance(value, tuple) or not hasattr(value, name):
        raise ReplayError(f"a pair of values and indices is needed, not {type(value).__name__}")
    return getattr(value, name)


def _randint(arguments: Arguments) -> Any:
    low, high, size = (arguments.get(slot) for slot in ("low", "high", "size"))
    if not isinstance(high, int):  # randint(high, size)
        low, high, size = 0, low, high if size is None else size
    return torch.randint(low or 0, high, tuple(as_items(size)))


def _number(arguments: Arguments) -> Any:
    """``x.item()`` or ``float(x)``. A real number stays a tensor, so that its dtype and its gradient are still known."""
    value = arguments["input"]
    if is_floating(value) and value.numel() == 1:
        return value.reshape(())
    return value.item() if isinstance(value, torch.Tensor) else float(value)


SPECIAL: Mapping[str, Callable[[Arguments], Any]] = {
    "FloatTensor": _float_literal,
    "arange": lambda given: torch.arange(*as_items(given["range"])),
    "categorical_entropy": lambda given: torch.distributions.Categorical(**given).entropy(),
    "categorical_logits": lambda given: torch.distributions.Categorical(**given).logits,
    "categorical_probs": lambda given: torch.distributions.Categorical(**given).probs,
    "data": lambda given: as_tensor(given["input"]).detach(),
    "float": lambda given: as_tensor(given["input"]).to(single()),
    "flip": lambda given: as_tensor(given["input"]).flip(as_items(given["dims"])),
    "getitem": lambda given: given["input"][given["index"]],  # where None is an index like others
    "indices": lambda given: _part(given["input"], "indices"),
    "neg": lambda given: -given["input"],
    "number": _number,
    "permute": lambda given: as_tensor(given["input"]).permute(as_items(given["dims"])),
    "randint": _randint,
    "requires_grad_": _requires_grad,
    "reshape": lambda given: as_tensor(given["input"]).reshape(as_items(given["shape"])),
    "shape": _shape,
    "slice": lambda given: slice(given.get("start"), given.get("stop"), given.get("step")),
    "tensor": _literal,
    "to": lambda given: as_tensor(given["input"]).to(given["dtype"]),
    "type": lambda given: as_tensor(given["input"]).to(given["dtype"]),
    "values": lambda given: _part(given["input"], "values"),
    "variable": lambda given: _requires_grad({"requires_grad": False, **given}),
}
