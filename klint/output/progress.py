"""A progress bar on standard error, for runs that are long and watched."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TextIO, TypeVar

_Item = TypeVar("_Item")

DELAY = 1.0
"""How many seconds a run is quiet: a bar that flashes up helps nobody."""


def track(items: Sequence[_Item], stream: TextIO | None = None, delay: float = DELAY) -> Iterator[_Item]:
    """Pass the items on, and show on a terminal how many there are still to come; the bar is gone when they are done."""
    stream = stream or sys.stderr
    if not stream.isatty():
        yield from items
        return
    started = time.monotonic()
    for done, item in enumerate(items):
        if time.monotonic() - started >= delay:
            yield from _shown(items, done, stream)
            return
        yield item


def _shown(items: Sequence[_Item], done: int, stream: TextIO) -> Iterator[_Item]:
    from rich.console import Console  # only runs that are long pay for it
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Linting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=stream), transient=True) as progress:
        task = progress.add_task("", total=len(items), completed=done)
        for item in items[done:]:
            yield item
            progress.advance(task)
