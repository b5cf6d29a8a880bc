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

from klint.torch_model.losses import LOSSES
from klint.torch_model.operations import OPERATIONS, split_callable
from klint.torch_model.table import Transfer
from klint.verify.plan import Plan, Step
from klint.verify.protocol import Raised
from klint.verify.special import SPECIAL, Arguments, ReplayError, as_items, as_tensor, is_floating, named

_PYTHON_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "builtins.len": len,
    "math.isclose": math.isclose,
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
_REFUSE_NONE = ("reduction", "ignore_index", "label_smoothing")
_WEIGHTS = ("weight", "pos_weight")
_MEMORY = ("allocate", "out of memory")
"""What an exception says that is about the machine, not about the site."""


@dataclass(frozen=True)
class Failure:
    """What stands in a register whose step could not be run. ``raised`` is what torch said; None where klint itself gave up."""

    message: str
    raised: Raised | None = None


@dataclass
class Replay:
    """The value of every register, and the floating tensors that the numbers come from, whose gradients are asked for.

    A step that fails leaves a ``Failure``, and so do those that need its value; all others are run.
    """

    values: list[Any] = field(default_factory=list)
    sources: dict[int, torch.Tensor] = field(default_factory=dict)

    def value(self, register: int) -> Any:
        """The value of a register. Raises ``ReplayError`` where there is none."""
        value = self.values[register]
        if isinstance(value, Failure):
            raise ReplayError(value.message)
        return value

    def failure(self, register: int) -> Failure | None:
        """Why a register has no value; None where it has one."""
        value = self.values[register]
        return value if isinstance(value, Failure) else None


def replay(plan: Plan, leaves: Mapping[int, Any], seed: int, stretch: Mapping[int, float] | None = None) -> Replay:
    """Run all steps. Random draws start from ``seed``; the scores in registers of ``stretch`` are spread to that gap."""
    torch.manual_seed(seed)
    given = {step: value for step, value in leaves.items() if is_floating(value) and plan.steps[step].grad_enabled}
    result = Replay(sources=given)
    for register, step in enumerate(plan.steps):
        with torch.set_grad_enabled(step.grad_enabled):
            value = _leaf(leaves[register], step) if step.kind == "leaf" else _value_or_failure(step, result)
        if step.kind == "call" and _is_source(step) and is_floating(value) and value.is_leaf:
            result.sources[register] = value.requires_grad_()
        if stretch is not None and register in stretch:
            value = spread(value, stretch[register])
        result.values.append(value)
    return result


def _leaf(value: Any, step: Step) -> Any:
    """A made-up value; what a model gives under ``torch.no_grad()`` takes no gradient."""
    return value if step.grad_enabled or not isinstance(value, torch.Tensor) else value.detach()


def spelled_out(plan: Plan, seed: int) -> list[torch.Tensor]:
    """The tensors that the code spells out: the values of all steps that need none of the leaves, the last first."""
    free = Failure("it is free")
    values = replay(plan, {leaf.register: free for leaf in plan.leaves}, seed).values
    return [value for value in reversed(values) if isinstance(value, torch.Tensor)]


def _value_or_failure(step: Step, before: Replay) -> Any:
    for _, register in step.arguments:
        failure = before.failure(register)
        if failure is not None:
            return failure
    try:
        return run_step(step, before.values)
    except ReplayError as error:
        return Failure(str(error))
    except Exception as error:  # whatever the site does wrong is what we are here to see
        raised = Raised(step.name, type(error).__name__, first_line(error))
        lacks_memory = isinstance(error, MemoryError) or any(word in raised.text for word in _MEMORY)
        return Failure(str(raised), None if lacks_memory else raised)


def first_line(error: Exception) -> str:
    """What an exception says, up to its first line break."""
    return (str(error).strip().splitlines() or [""])[0][:200].rstrip(" .")


def run_step(step: Step, values: list[Any]) -> Any:
    """The value of one step, given those before it. Raises whatever torch raises."""
    if step.kind == "constant":
        return step.value
    if step.kind == "sequence":
        items = [values[register] for _, register in step.arguments]
        return tuple(items) if step.name == "tuple" else items
    if step.kind == "reference":
        return ... if step.name == "builtins.Ellipsis" else named(step.name)
    arguments = {slot: values[register] for slot, register in step.arguments}
    if (
        step.name in LOSSES
    ):  # whose weights take no gradient, though numbers that the code spells out are asked for theirs
        arguments = {slot: _constant(value) if slot in _WEIGHTS else value for slot, value in arguments.items()}
    if step.kind == "module":
        return _run_module(step.name, arguments)
    if step.kind != "call":
        raise ReplayError(f"unknown kind of step: {step.kind}")
    return _callable(step.name)(arguments)


def _constant(value: Any) -> Any:
    return value.detach() if isinstance(value, torch.Tensor) else value


def _run_module(loss: str, arguments: Arguments) -> Any:
    """A loss made as a module of its options, and called if it is given tensors."""
    target, slots = split_callable(OPERATIONS[loss].callables[1])
    tensors = {slot: arguments[slot] for slot in LOSSES[loss].slots if slot in arguments}
    options = {slot: value for slot, value in arguments.items() if slot not in tensors}
    module = _call(named(target), slots, options)
    return module(**tensors) if tensors else module


def spread(scores: Any, gap: float) -> Any:
    """The same scores, drawn apart until the largest and the smallest differ by ``gap``."""
    scores = as_tensor(scores)
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


def _is_source(step: Step) -> bool:
    spec = OPERATIONS.get(step.name)
    return spec is not None and spec.transfer in _SOURCES


@cache
def _callable(name: str) -> Callable[[Arguments], Any]:
    """The function of bound arguments that performs an operation: a special one, an operator, or the table's first callable."""
    special = SPECIAL.get(name)
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
        return lambda given: _call(getattr(as_tensor(given["input"]), target[1:]), slots, _without_input(given))
    if not target.startswith("torch."):
        plain = _PYTHON_FUNCTIONS.get(target)
        return None if plain is None else lambda given: _call(plain, slots, given)
    function = named(target)
    if not isinstance(function, type):
        return lambda given: _call(function, slots, given)
    return lambda given: _call(function, slots, _without_input(given))(given["input"])


def _member(owner: str, member: str) -> Callable[[Arguments], Any]:
    """A property of a tensor, or what an object of a class says of itself once it is made of the arguments."""
    if not owner:
        return lambda given: getattr(as_tensor(given["input"]), member)

    def ask(given: Arguments) -> Any:
        value = getattr(_call(named(owner), (), given), member)
        return value() if callable(value) else value

    return ask


def _call(function: Callable[..., Any], slots: tuple[str, ...], given: Arguments) -> Any:
    """Call with arguments bound to slots: by position as far as there is no gap, then by name; ``*4`` is one more, the fifth.

    None is left out: absent means the same in torch, and is taken where None is not; but for some options of the losses.
    """
    rest = {slot: value for slot, value in given.items() if value is not None or slot in _REFUSE_NONE}
    positional: list[Any] = []
    for slot in slots:
        if slot.startswith("*"):
            positional += as_items(rest.pop(slot[1:], ()))
        elif slot not in rest:
            break
        else:
            positional.append(rest.pop(slot))
    more = sorted((slot for slot in rest if slot.startswith("*")), key=lambda slot: int(slot[1:]))
    positional += [rest.pop(slot) for slot in more]
    return function(*positional, **rest)


def _without_input(given: Arguments) -> Arguments:
    return {slot: value for slot, value in given.items() if slot != "input"}
