"""What a program does, measured: it runs in torch under a recorder, and real tensors decide whether a code holds at a row.

A code is one row of ``MEASURES``: what its claim means in numbers, asked of each call of a loss. ``True`` and ``False`` are facts,
``None`` is a number that does not decide (all scores happen to lie in [0, 1]).
"""

from __future__ import annotations

import ast
import contextlib
import io
import math
import random
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from inspect import signature
from itertools import combinations
from types import FrameType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from tests.generator.programs import Program

PROGRAM = "program.py"
WORLDS = 2
"""How many seeds of torch's generator each program, and each of its drivers, is run with."""


@dataclass(eq=False)
class Call:
    """One call of a loss in one run: what its slots held, what it gave, and what was made of that."""

    loss: str
    row: int
    options_row: int
    input: Tensor
    target: Tensor
    options: dict[str, Any]
    made: tuple[str, ...]
    value: Tensor
    divisor: float
    factors: list[float] = field(default_factory=list)

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(torch.broadcast_shapes(self.input.shape, self.target.shape))

    @property
    def total(self) -> float:
        """The divergence from its definition: the sum over all classes and rows, divided by nothing."""
        if self.options["log_target"]:
            return float((self.target.exp() * (self.target - self.input)).sum())
        return float((torch.special.xlogy(self.target, self.target) - self.target * self.input).sum())


@dataclass(frozen=True)
class Shown:
    """A number that a program puts beside another one, the calls that it was computed from, and whether it was weighted on the way."""

    value: float
    calls: frozenset[int]
    weighted: bool


@dataclass
class Run:
    """All that was recorded in one run."""

    calls: list[Call] = field(default_factory=list)
    pairs: list[tuple[Shown, Shown]] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)


class Recorder(TorchFunctionMode):
    """Sees every call of torch. What a tensor was made of is known by its storage, so that views and aliases share it."""

    def __init__(self) -> None:
        super().__init__()
        self.run = Run()
        self._sources: dict[int, frozenset[int]] = {}
        self._made: dict[int, str] = {}
        self._weighted: set[int] = set()
        self._numbers: dict[float, Shown] = {}
        self._groups: dict[int, list[Shown]] = {}
        self._frames: list[FrameType] = []
        self._alive: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        call = self._call(func, args, kwargs) if func in LOSSES else None
        operands = [*_tensors(args), *_tensors(kwargs.values())]
        sources = frozenset().union(*(self._sources.get(_key(operand), frozenset()) for operand in operands))
        self._compare(func, args)
        result = func(*args, **kwargs)
        if call is not None:
            call.value = result.detach().clone()
            sources = frozenset({len(self.run.calls)})
            self.run.calls.append(call)
        if sources:
            self._multiply(func, args, sources)
        weighted = call is None and (_weighs(func, args) or any(_key(one) in self._weighted for one in operands))
        made = self._making(func, args, kwargs, operands, result)
        for output in _tensors([result]):
            self._alive.append(output)
            key = _key(output)
            self._made[key] = made
            if sources:
                self._sources[key] = sources
            if sources and weighted:
                self._weighted.add(key)
        if isinstance(result, float) and sources:
            self._numbers[result] = Shown(result, sources, weighted)
        return result

    # Losses.

    def _call(self, func: Any, args: Any, kwargs: Any) -> Call:
        bound = signature(func).bind(*args, **kwargs)
        bound.apply_defaults()
        options = dict(bound.arguments)
        source, target = options.pop("input"), options.pop("target")
        frame = sys._getframe(2)
        module: object = None
        while frame is not None and frame.f_code.co_filename != PROGRAM:
            receiver = frame.f_locals.get("self")
            module = receiver if isinstance(receiver, nn.modules.loss._Loss) else module
            frame = frame.f_back
        row = frame.f_lineno
        return Call(
            loss=func.__name__,
            row=row,
            options_row=getattr(module, "made_at_row", row),
            input=source.detach().clone().double(),
            target=target.detach().clone().double(),
            options=options,
            made=(self._made.get(_key(source), ""), self._made.get(_key(target), "")),
            value=source,
            divisor=_divisor(func, source, target, options) if func is F.kl_div else math.nan,
        )

    # What tensors are made of.

    def _making(self, func: Any, args: Any, kwargs: Any, operands: list[Tensor], result: Any) -> str:
        name = func.__name__.removeprefix("special_")
        if not operands:
            return ""
        made = {self._made.get(_key(operand), "") for operand in operands}
        source = made.pop() if len(made) == 1 else ""
        if name == "softmax":
            return "softmax"
        if name in ("log", "log_"):
            return "log of softmax" if source == "softmax" else ""
        in_place = name.endswith("_") and not name.endswith("__")
        is_view = isinstance(result, Tensor) and _key(result) == _key(operands[0]) and not in_place
        copies = name.rstrip("_") in _COPIES or (name == "add" and _is_tiny([*args, *kwargs.values()]))
        return source if is_view or copies or isinstance(result, (tuple, list)) else ""

    # What is put side by side.

    def _compare(self, func: Any, args: Any) -> None:
        if func.__name__ in _COMPARISONS and len(args) > 1:
            sides = [self._seen(side) for side in args[:2]]
            if sides[0] is not None and sides[1] is not None:
                self.run.pairs.append((sides[0], sides[1]))

    def _seen(self, value: object) -> Shown | None:
        if isinstance(value, Tensor) and value.dim() == 0 and _key(value) in self._sources:
            with torch._C.DisableTorchFunction():
                return Shown(float(value), self._sources[_key(value)], _key(value) in self._weighted)
        return self._numbers.get(value) if isinstance(value, float) else None

    def shown(self, value: object) -> object:
        """Called by the program in place of what it prints, formats or returns in a tuple."""
        seen = self._seen(value)
        if seen is not None:
            frame = sys._getframe(1)
            self._frames.append(frame)
            group = self._groups.setdefault(id(frame), [])
            self.run.pairs.extend((other, seen) for other in group)
            group.append(seen)
        return value

    def _multiply(self, func: Any, args: Any, sources: frozenset[int]) -> None:
        if func.__name__.rstrip("_") in ("mul", "rmul"):
            for factor in args:
                if isinstance(factor, (int, float)):
                    for index in sources:
                        self.run.calls[index].factors.append(factor)


LOSSES = (F.kl_div, F.cross_entropy)
_COMPARISONS = "sub sub_ rsub eq __eq__ ne __ne__ allclose isclose".split()
_COPIES = "clone to float double contiguous reshape clamp type type_as cat stack flatten requires_grad detach".split()


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (tuple, list)):
            yield from _tensors(value)


def _key(tensor: Tensor) -> int:
    with torch._C.DisableTorchFunction():
        return tensor.untyped_storage().data_ptr()


def _weighs(func: Any, args: Any) -> bool:
    """Whether a tensor is multiplied or divided by a decimal fraction, and not by a size."""
    return func.__name__.strip("_") in ("mul", "rmul", "div") and any(isinstance(arg, float) for arg in args)


def _is_tiny(operands: list[object]) -> bool:
    return any(isinstance(operand, float) and abs(operand) < 1e-4 for operand in operands)


def _divisor(func: Any, source: Tensor, target: Tensor, options: dict[str, Any]) -> float:
    """By what a call divides the sum of its terms, from a call with the same options whose terms are all e."""
    start = torch.zeros(source.shape, dtype=torch.float64)
    filled = torch.full(target.shape, 1.0 if options["log_target"] else math.e, dtype=torch.float64)
    value = func(start, filled, **options)
    count = torch.broadcast_shapes(source.shape, target.shape).numel()
    return math.e * count / float(value.sum())


# Running.


class _Showing(ast.NodeTransformer):
    """Hands what a program prints, formats or returns in a tuple to the recorder first."""

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        self.generic_visit(node)
        node.value = _watched(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            node.args = [_watched(argument) for argument in node.args]
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.Tuple):
            node.value.elts = [_watched(element) for element in node.value.elts]
        return node


def _watched(node: ast.expr) -> ast.expr:
    call = ast.Call(ast.Name("shown_by_program", ast.Load()), [node], [])
    return ast.fix_missing_locations(ast.copy_location(call, node))


def runs(program: Program) -> Iterator[Run]:
    """The program run in every world: each driver under each seed."""
    code = compile(_Showing().visit(ast.parse(program.source)), PROGRAM, "exec")
    for driver in program.drivers or ("",):
        for seed in range(WORLDS):
            yield _run(code, driver, 1000 * program.seed + seed)


def _run(code: Any, driver: str, seed: int) -> Run:
    torch.manual_seed(seed)
    random.seed(seed)
    recorder = Recorder()
    names = {"__name__": "__main__", "shown_by_program": recorder.shown}
    with (
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
        torch.no_grad(),
        _constructors(),
        _traced(recorder.run.rows),
        recorder,
    ):
        warnings.simplefilter("ignore")
        exec(code, names)
        eval(driver or "None", {**names, "torch": torch})
    return recorder.run


@contextlib.contextmanager
def _traced(rows: set[int]) -> Iterator[None]:
    """Note the rows of the program that are reached."""

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != PROGRAM:
            return None
        if event == "line":
            rows.add(frame.f_lineno)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@contextlib.contextmanager
def _constructors() -> Iterator[None]:
    """Loss modules remember the row at which they are made."""
    initialise = nn.KLDivLoss.__init__

    def remembered(self: nn.Module, *args: Any, **kwargs: Any) -> None:
        initialise(self, *args, **kwargs)
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename != PROGRAM:
            frame = frame.f_back
        self.made_at_row = frame.f_lineno if frame else 0

    nn.KLDivLoss.__init__ = remembered
    try:
        yield
    finally:
        nn.KLDivLoss.__init__ = initialise


# What the numbers say.


def space(tensor: Tensor) -> str | None:
    """What a tensor's numbers are: ``probabilities``, ``log-probabilities``, ``scores``; None where they do not say."""
    if tensor.isnan().any():
        return None
    dims = [dim for dim in range(tensor.dim()) if tensor.size(dim) > 1]
    if bool((tensor >= 0).all()) and any(_is_near(tensor.sum(dim), 1) for dim in dims):
        return "probabilities"
    if bool((tensor <= 1e-6).all()) and any(_is_near(tensor.logsumexp(dim), 0) for dim in dims):
        return "log-probabilities"
    bounded = bool(((tensor >= 0) & (tensor <= 1)).all()) or bool((tensor <= 0).all())
    return None if bounded else "scores"


def _is_near(tensor: Tensor, value: float) -> bool:
    return bool(((tensor - value).abs() < 1e-4).all())


def _holds(found: str | None, wanted: str) -> bool | None:
    return None if found is None else found == wanted


def _takes_log_of_softmax(call: Call, _: Run) -> bool:
    return "log of softmax" in call.made


def _is_averaged_over_classes(call: Call, run: Run) -> bool | None:
    """'mean' divides by every number, and nothing multiplies the value by the class count again.

    Undecided where another call of the same options is multiplied: of two equal values one may just be dropped.
    """
    if _is_unbatched(call, run) or not math.isclose(call.divisor, math.prod(call.sizes)):
        return False
    if _is_multiplied_by_classes(call):
        return False
    others = (other for other in run.calls if other.options_row == call.options_row)
    return None if any(map(_is_multiplied_by_classes, others)) else True


def _is_multiplied_by_classes(call: Call) -> bool:
    return any(factor % call.sizes[-1] == 0 for factor in call.factors)


def _is_unbatched(call: Call, _: Run) -> bool:
    return (
        call.options["reduction"] == "batchmean"
        and call.input.dim() == 1
        and math.isclose(call.divisor, call.input.size(0))
    )


def _differs_from_cross_entropy(call: Call, run: Run) -> bool | None:
    """The value stands beside cross entropy minus entropy, and the two are the same sum over different counts.

    A weighted value is not meant to be equal, even where the weight happens to be a quotient of sizes. Undecided where the value
    is multiplied by a whole number that is no size: it differs, but by no count of its own.
    """
    own, undecided = run.calls.index(call), False
    factors = {factor for factor in call.factors if isinstance(factor, int) and factor}
    for pair in run.pairs:
        for kl, other in (pair, pair[::-1]):
            if (
                kl.calls == {own}
                and not kl.weighted
                and other.calls
                and all(run.calls[i].loss != "kl_div" for i in other.calls)
            ):
                counts = [_count(call, side.value) for side in (kl, other)]
                if None not in counts and counts[0] != counts[1]:
                    return True
                if counts[0] is None and counts[1] is not None:
                    undecided |= any(_count(call, kl.value / factor) is not None for factor in factors)
    return None if undecided else False


def _count(call: Call, value: float) -> int | None:
    """By which product of its sizes a number is the divergence; None if by none."""
    choices = (sizes for size in range(len(call.sizes) + 1) for sizes in combinations(call.sizes, size))
    for sizes in choices:
        if math.isclose(value * math.prod(sizes), call.total, rel_tol=1e-3):
            return math.prod(sizes)
    return None


@dataclass(frozen=True)
class Measure:
    """What a code claims, in numbers, and the row at which it is reported: the call's or that of its options."""

    holds: Callable[[Call, Run], bool | None]
    at_options: bool = False


MEASURES: dict[str, Measure] = {
    "KL101": Measure(lambda call, _: _holds(space(call.input), "probabilities")),
    "KL102": Measure(lambda call, _: _holds(space(call.input), "scores")),
    "KL103": Measure(lambda call, _: space(call.target) == "log-probabilities" and not call.options["log_target"]),
    "KL110": Measure(_takes_log_of_softmax),
    "KL201": Measure(_is_averaged_over_classes, at_options=True),
    "KL202": Measure(_is_unbatched),
    "KL301": Measure(_differs_from_cross_entropy),
}
"""The codes of ``kl_div``. A code of another loss would ask ``call.loss`` first."""

Place = tuple[int, str]


@dataclass
class Truth:
    """For every row of a loss and every code: what each world says that reached the row."""

    worlds: dict[Place, list[bool | None]] = field(default_factory=dict)
    rows: set[int] = field(default_factory=set)

    def denies(self, place: Place) -> bool:
        """Whether no world bears the code out. Of a row that no world reaches nothing is known."""
        return place[0] in self.rows and all(holds is False for holds in self.worlds.get(place, ()))

    def demands(self) -> list[Place]:
        """The places at which every world that decides bears the code out."""
        decided = {place: [holds for holds in said if holds is not None] for place, said in self.worlds.items()}
        return sorted(place for place, said in decided.items() if said and all(said))


def measure(program: Program) -> Truth:
    """The truth of a program. In one world a code holds at a row if any call there bears it out."""
    truth = Truth()
    for run in runs(program):
        truth.rows |= run.rows
        here: dict[Place, list[bool | None]] = {}
        for call in run.calls:
            if call.loss == "kl_div":
                for code, how in MEASURES.items():
                    row = call.options_row if how.at_options else call.row
                    here.setdefault((row, code), []).append(how.holds(call, run))
        for place, said in here.items():
            holds = True if True in said else None if None in said else False
            truth.worlds.setdefault(place, []).append(holds)
    return truth
