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

from klint.torch_model.operations import OPERATIONS, split_callable
from klint.torch_model.table import Transfer
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
    scores = _tensor(scores)
    width = float((scores.max() - scores.min()).detach()) if scores.numel() else 0.0
    if not width > 0:
        raise ReplayError("the scores are all equal, and cannot be spread apart")
    return scores * (gap / width)


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
    special = _SPECIAL.get(name)
    if special is not None:
        return special
    general = _from_table(name) if name in OPERATIONS else None
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
    """The first callable of an operation's row, told how to take its arguments; None if klint does not run it."""
    spec = OPERATIONS[name]
    if not spec.pure:
        return None
    target, slots = split_callable(spec.callables[0])
    owner, at, member = target.partition("@")
    if at:
        return _member(owner, member)
    if target.startswith("."):
        return lambda given: _call(getattr(_tensor(given["input"]), target[1:]), slots, _without_input(given))
    if not target.startswith("torch."):
        plain = _PYTHON_FUNCTIONS.get(target)
        return None if plain is None else lambda given: _call(plain, slots, given)
    function = _named(target)
    if not isinstance(function, type):
        return lambda given: _call(function, slots, given)
    return lambda given: _call(function, slots, _without_input(given))(given["input"])


def _member(owner: str, member: str) -> Callable[[Arguments], Any]:
    """A property of a tensor, or what an object of a class says of itself once it is made of the arguments."""
    if not owner:
        return lambda given: getattr(_tensor(given["input"]), member)

    def ask(given: Arguments) -> Any:
        value = getattr(_call(_named(owner), (), given), member)
        return value() if callable(value) else value

    return ask


def _call(function: Callable[..., Any], slots: tuple[str, ...], given: Arguments) -> Any:
    """Call with arguments bound to slots: by position as far as there is no gap, then by name.

    None is left out: absent means the same everywhere in torch, and is taken where None is not.
    """
    rest = {slot: value for slot, value in given.items() if value is not None}
    positional: list[Any] = []
    for slot in slots:
        if slot.startswith("*"):
            positional += _items(rest.pop(slot[1:], ()))
        elif slot not in rest:
            break
        else:
            positional.append(rest.pop(slot))
    return function(*positional, **rest)


def _without_input(given: Arguments) -> Arguments:
    return {slot: value for slot, value in given.items() if slot != "input"}


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


def _part(value: Any, name: str) -> Any:
    """A part of the pair that ``max``, ``topk`` and ``sort`` return."""
    if not isinstance(value, tuple) or not hasattr(value, name):
        raise ReplayError(f"a pair of values and indices is needed, not {type(value).__name__}")
    return getattr(value, name)


def _randint(arguments: Arguments) -> Any:
    low, high, size = (arguments.get(slot) for slot in ("low", "high", "size"))
    if not isinstance(high, int):  # randint(high, size)
        low, high, size = 0, low, high if size is None else size
    return torch.randint(low or 0, high, tuple(_items(size)))


def _number(arguments: Arguments) -> Any:
    """``x.item()`` or ``float(x)``. A real number stays a tensor, so that its dtype and its gradient are still known."""
    value = arguments["input"]
    if _is_floating(value) and value.numel() == 1:
        return value.reshape(())
    return value.item() if isinstance(value, torch.Tensor) else float(value)


_SPECIAL: Mapping[str, Callable[[Arguments], Any]] = {
    "FloatTensor": _float_literal,
    "arange": lambda given: torch.arange(*_items(given["range"])),
    "categorical_entropy": lambda given: torch.distributions.Categorical(**given).entropy(),
    "categorical_logits": lambda given: torch.distributions.Categorical(**given).logits,
    "categorical_probs": lambda given: torch.distributions.Categorical(**given).probs,
    "data": lambda given: _tensor(given["input"]).detach(),
    "flip": lambda given: _tensor(given["input"]).flip(_items(given["dims"])),
    "indices": lambda given: _part(given["input"], "indices"),
    "neg": lambda given: -given["input"],
    "number": _number,
    "permute": lambda given: _tensor(given["input"]).permute(_items(given["dims"])),
    "randint": _randint,
    "requires_grad_": _requires_grad,
    "reshape": lambda given: _tensor(given["input"]).reshape(_items(given["shape"])),
    "shape": _shape,
    "slice": lambda given: slice(given.get("start"), given.get("stop"), given.get("step")),
    "tensor": _literal,
    "to": lambda given: _tensor(given["input"]).to(given["dtype"]),
    "type": lambda given: _tensor(given["input"]).to(given["dtype"]),
    "values": lambda given: _part(given["input"], "values"),
    "variable": lambda given: _requires_grad({"requires_grad": False, **given}),
}
