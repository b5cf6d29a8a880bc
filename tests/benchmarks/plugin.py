"""What klint adds to flake8's own time: ``python -m tests.benchmarks.plugin FILES`` prints the share.

Both are measured in one run, since runs differ by more than klint may add.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

OPTIONS = ["--isolated", "--jobs=1", "--disable-noqa", "--select=F", f"--output-file={os.devnull}"]


class Clock:
    """Adds up the seconds that are spent on klint."""

    spent = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count what is done in a ``with``."""
        start = time.process_time()
        try:
            yield
        finally:
            self.spent += time.process_time() - start

    def counting(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Count the calls of a function, and what it yields."""

        @wraps(function)
        def counted(*args: Any, **options: Any) -> Any:
            with self.running():
                result = function(*args, **options)
                return result if result is None else list(result)

        return counted


def main() -> int:
    """Print the seconds that klint takes over those that flake8 takes without it."""
    klint = Clock()
    start = time.process_time()
    from flake8.main.application import Application

    with klint.running():
        from klint.hosts.flake8 import Plugin
    Plugin.__init__ = klint.counting(Plugin.__init__)  # type: ignore[method-assign]
    Plugin.run = klint.counting(Plugin.run)  # type: ignore[method-assign]
    Application().run([*OPTIONS, *sys.argv[1:]])
    total = time.process_time() - start
    print(klint.spent / (total - klint.spent))
    return 0


if __name__ == "__main__":
    sys.exit(main())
