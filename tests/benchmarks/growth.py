"""Programs that grow in one way each, and by which power of their size the time to lint them grows."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from klint import lint_source

HEAD = "import torch\nimport torch.nn.functional as F\n\n\n"
LOSS = 'F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")'
SIZES = (1, 2, 4, 8, 16, 32, 64)
NOISE = 0.02
"""Seconds below which a time says nothing of growth."""


def lines(size: int) -> str:
    """One loss, among 100 lines for each step."""
    plain = "".join(f"def plain_{n}(a, b):\n    c = a * b\n    return [c, a, b]\n\n\n" for n in range(20 * size))
    return f"{HEAD}def loss(x, y):\n    return {LOSS}\n\n\n{plain}"


def sites(size: int) -> str:
    """25 functions with one loss each for each step."""
    return HEAD + "".join(f"def loss_{n}(x, y):\n    return {LOSS}\n\n\n" for n in range(25 * size))


def sites_of_one_function(size: int) -> str:
    """One function with five losses for each step, which are added up."""
    added = f"    total = total + {LOSS}\n"
    return f"{HEAD}def loss(x, y):\n    total = 0\n{added * 5 * size}    return total\n"


def call_chain(size: int) -> str:
    """Functions that call one another, five for each step, with a loss in the last one."""
    count = 5 * size
    chain = "".join(f"def call_{n}(x, y):\n    return call_{n + 1}(x, y)\n\n\n" for n in range(count))
    return f"{HEAD}{chain}def call_{count}(x, y):\n    return {LOSS}\n"


def callers(size: int) -> str:
    """One function with a loss, and 25 that call it for each step."""
    calls = "".join(f"def call_{n}(x, y):\n    return loss(x * {n}, y)\n\n\n" for n in range(25 * size))
    return f"{HEAD}def loss(x, y):\n    return {LOSS}\n\n\n{calls}"


def branches(size: int) -> str:
    """Conditions around a loss, one after the other, five for each step."""
    steps = "".join(f"    if flag[{n}]:\n        x = x * {n}\n" for n in range(5 * size))
    return f"{HEAD}def loss(x, y, flag):\n{steps}    return {LOSS}\n"


def nesting(size: int) -> str:
    """Brackets around an operand, one for each step."""
    return f"{HEAD}def loss(x, y):\n    x = {'(' * size}x{' * 2)' * size}\n    return {LOSS}\n"


PROGRAMS: tuple[Callable[[int], str], ...] = (
    lines,
    sites,
    sites_of_one_function,
    call_chain,
    callers,
    branches,
    nesting,
)


def seconds(work: Callable[[], object], rounds: int) -> float:
    """How long it takes: the median of some rounds."""

    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return median(once() for _ in range(rounds))


def growth(program: Callable[[int], str]) -> tuple[float, float]:
    """The exponent of a program's time over its size, and the longest time."""
    times = [seconds(partial(lint_source, program(size), "a.py"), 1) for size in SIZES]
    points = [(math.log(size), math.log(time)) for size, time in zip(SIZES, times, strict=True) if time >= NOISE]
    return slope(points) if len(points) > 2 else 0.0, max(times)


def slope(points: list[tuple[float, float]]) -> float:
    """The steepness of the line that lies nearest to some points."""
    middle_x, middle_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread
