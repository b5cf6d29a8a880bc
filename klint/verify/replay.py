"""Runs a program in torch, step by step.

Only operations of klint's own table are ever called, under the names that stand there, on values that are tensors,
numbers, strings and sequences of them. Nothing of the user's text is evaluated.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch

from klint.torch_model.operations import OPERATIONS, Transfer, split_callable
from klint.verify.plan import Plan, Step

Arguments = dict[str, Any]

_PYTHON_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "builtins.len": len,
    "math.isclose": math.isclose,
    "operator.getitem": operator.getitem,
}
_OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "matmul": operator.matmul,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_SOURCES = (Transfer.LITERAL, Transfer.CREATE)


class ReplayError(Exception):
    """A step could not be run; the message says which, and why, on one line."""


@dataclass
class Replay:
    """The value of every register, and the floating tensors that the numbers come from, whose gradients are asked for."""

    values: list[Any] = field(default_factory=list)
    sources: list[torch.Tensor] = field(default_factory=list)


def replay(plan: Plan, leaves: Mapping[int, Any], seed: int, stretch: Mapping[int, float] | None = None) -> Replay:
    """Run all steps. Random draws start from ``seed``; the scores in registers of ``stretch`` are spread to that gap.

    Raises ``ReplayError`` at the first step that fails.
    """
    torch.manual_seed(seed)
    result = Replay(sources=[leaf for leaf in leaves.values() if _is_floating(leaf)])
    for register, step in enumerate(plan.steps):
        value = leaves[register] if step.kind == "leaf" else run_step(step, result.values)
        if step.kind == "call" and _is_source(step) and _is_floating(value) and value.is_leaf:
            result.sources.append(value.requires_grad_())
        if stretch is not None and register in stretch:
            value = spread(value, stretch[register])
        result.values.append(value)
    return result


def run_step(step: Step, values: list[Any]) -> Any:
    """The value of one step, given those before it."""
    if step.kind == "constant":
        return step.value
    if step.kind == "sequence":
        items = [values[register] for _, register in step.arguments]
        return tuple(items) if step.name == "tuple" else items
    if step.kind == "reference":
        return ... if step.name == "builtins.Ellipsis" else _named(step.name)
    if step.kind != "call":
        raise ReplayError(f"unknown kind of step: {step.kind}")
    arguments = {slot: values[register] for slot, register in step.arguments}
    try:
        return _callable(step.name)(arguments)
    except ReplayError:
        raise
    except Exception as error:  # whatever the site does wrong is what we are here to see
        text = " ".join(str(error).split())
        raise ReplayError(f"{step.name} raises {type(error).__name__}: {text[:200]}") from error


def spread(scores: Any, gap: float) -> Any:
    """The same scores, drawn apart until the largest and the smallest differ by ``gap``."""
    if not _is_floating(scores) or scores.numel() < 2:
        return scores
    width = float((scores.max() - scores.min()).detach())
    return scores * (gap / width) if width > 0 else scores


def replayable(name: str) -> bool:
    """Whether klint has a callable for the operation."""
    try:
        _callable(name)
    except ReplayError:
        return False
    return True


def _is_floating(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _is_source(step: Step) -> bool:
    spec = OPERATIONS.get(step.name)
    return spec is not None and spec.transfer in _SOURCES


@cache
def _callable(name: str) -> Callable[[Arguments], Any]:
    """The function of bound arguments that performs an operation: a special one, an operator, or the table's first callable."""
    general = _from_table(name) if name in OPERATIONS else None
    special = _SPECIAL.get(name)
    if special is not None:
        return special
    if name in _OPERATORS:
        return lambda arguments: _operate(name, general, arguments)
    if general is None:
        raise ReplayError(f"{name} is not an operation that klint replays")
    return general


def _operate(name: str, general: Callable[[Arguments], Any] | None, arguments: Arguments) -> Any:
    """Python's operator, which takes numbers as well; torch's function where more than the two operands is given."""
    if len(arguments) > 2 and general is not None:
        return general(arguments)
    right = next(value for slot, value in arguments.items() if slot != "input")
    return _OPERATORS[name](arguments["input"], right)


def _from_table(name: str) -> Callable[[Arguments], Any] | None:
    """The first callable of an operation's row, told how to take its arguments; None if it is a module with weights."""
    target, slots = split_callable(OPERATIONS[name].callables[0])
    star = next((slot[1:] for slot in slots if slot.startswith("*")), None)
    if target.startswith("@"):
        return lambda arguments: getattr(_tensor(arguments["input"]), target[1:])
    if target.startswith("."):

        def method(arguments: Arguments) -> Any:
            rest = _given({slot: value for slot, value in arguments.items() if slot != "input"})
            return getattr(_tensor(arguments["input"]), target[1:])(*_spread_star(rest, star), **rest)

        return method
    if not target.startswith("torch."):
        plain = _PYTHON_FUNCTIONS.get(target)
        return None if plain is None else lambda arguments: plain(*arguments.values())
    function = _named(target)
    if isinstance(function, type) or not callable(function):
        return None

    def call(arguments: Arguments) -> Any:
        rest = _given(arguments)
        first = [rest.pop(slots[0])] if slots and slots[0] in rest else []
        return function(*first, *_spread_star(rest, star), **rest)

    return call


def _given(arguments: Arguments) -> Arguments:
    """Without those that are None: absent means the same everywhere in torch, and is taken where None is not."""
    return {slot: value for slot, value in arguments.items() if value is not None}


def _spread_star(arguments: Arguments, star: str | None) -> list[Any]:
    """Take the argument of a ``*slot`` out: its items are passed one by one."""
    value = arguments.pop(star, ()) if star is not None else ()
    return _items(value)


def _items(value: Any) -> list[Any]:
    items = list(value) if isinstance(value, (tuple, list)) else [value]
    return list(items[0]) if len(items) == 1 and isinstance(items[0], (tuple, list)) else items


def _tensor(value: Any) -> torch.Tensor:
    if not isinstance(value, torch.Tensor):
        raise ReplayError(f"a tensor is needed, not {type(value).__name__}")
    return value


def _named(name: str) -> Any:
    """An object of torch or math by its full name, which is one of klint's tables, never the user's."""
    module, _, path = name.partition(".")
    found: Any = {"torch": torch, "math": math}[module]
    for part in path.split("."):
        found = getattr(found, part)
    return found


# Operations whose callable in the table takes its arguments otherwise than bound, or would do more than give a value.


def _shape(arguments: Arguments) -> Any:
    shape = tuple(_tensor(arguments["input"]).shape)
    return shape if arguments.get("dim") is None else shape[arguments["dim"]]


def _requires_grad(arguments: Arguments) -> Any:
    tensor = _tensor(arguments["input"])
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
    return _literal({**arguments, "dtype": torch.float32})


def _randint(arguments: Arguments) -> Any:
    low, high, size = (arguments.get(slot) for slot in ("low", "high", "size"))
    if not isinstance(high, int):  # randint(high, size)
        low, high, size = 0, low, high if size is None else size
    return torch.randint(low or 0, high, tuple(_items(size)))


def _number(arguments: Arguments) -> Any:
    value = arguments["input"]
    return value.item() if isinstance(value, torch.Tensor) else float(value)


_SPECIAL: Mapping[str, Callable[[Arguments], Any]] = {
    "FloatTensor": _float_literal,
    "arange": lambda given: torch.arange(*_items(given["range"])),
    "data": lambda given: _tensor(given["input"]).detach(),
    "identity": lambda given: given["input"],
    "neg": lambda given: -given["input"],
    "nn_flatten": lambda given: _tensor(given["input"]).flatten(given.get("start_dim", 1), given.get("end_dim", -1)),
    "number": _number,
    "permute": lambda given: _tensor(given["input"]).permute(_items(given["dims"])),
    "randint": _randint,
    "requires_grad_": _requires_grad,
    "reshape": lambda given: _tensor(given["input"]).reshape(_items(given["shape"])),
    "shape": _shape,
    "slice": lambda given: slice(given.get("start"), given.get("stop"), given.get("step")),
    "softmax2d": lambda given: torch.softmax(_tensor(given["input"]), -3),
    "tensor": _literal,
    "to": lambda given: _tensor(given["input"]).to(given["dtype"]),
    "type": lambda given: _tensor(given["input"]).to(given["dtype"]),
    "variable": lambda given: _requires_grad({"requires_grad": False, **given}),
}
