"""``klint``: what every run has in common, whatever its command."""

from __future__ import annotations

import gc
import os
import sys

from klint.terminal import FAILED, INTERRUPTED, Failure, complain


def main(args: list[str] | None = None) -> int:
    """Run klint; the exit status is 0 for nothing found, 1 for findings, 2 for errors."""
    # trees and graphs live as long as they are of use: to look for garbage in them costs a fifth
    gc.set_threshold(100_000, 50, 50)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
    try:
        return _run(args)
    except Failure as error:
        complain([f"klint: {error}"])
        return FAILED
    except KeyboardInterrupt:
        complain([""])
        return INTERRUPTED
    except Exception as error:
        from klint.workers import internal_error

        complain([internal_error(error, "klint")])
        return FAILED


def _run(args: list[str] | None) -> int:
    """A plain ``klint check`` does without click; click reads all other command lines, and says what is wrong with any."""
    command, *words = (sys.argv[1:] if args is None else args) or [""]
    if command == "check" and "_KLINT_COMPLETE" not in os.environ:
        from klint.checking import run_check
        from klint.options import CHECK
        from klint.plain import read_plain

        said = read_plain(words, CHECK)
        if said is not None:
            return run_check(said)
    from klint.commands import run

    return run(args)
