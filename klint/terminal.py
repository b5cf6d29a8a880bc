"""What commands say: to standard output what was asked for, to standard error all else, and by their exit status what came of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

NOTHING, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""


class Failure(Exception):
    """An error of the user's or of the system's: one line, exit status 2."""


def write(text: str, output_file: str | None = None) -> None:
    """Write to a file, or to standard output, whose reader may have gone."""
    if output_file is not None:
        try:
            Path(output_file).parent.mkdir(parents=True, exist_ok=True)
            Path(output_file).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            raise Failure(f"{output_file}: cannot be written: {error.strerror or error}") from error
        return
    _put(sys.stdout, text)


def write_bytes(data: bytes) -> None:
    """Write to standard output what is no text."""
    sys.stdout.flush()
    _put(sys.stdout.buffer, data)


def complain(lines: Iterable[object]) -> None:
    """Say something on standard error, one line each."""
    from klint.output.concise import one_line

    for line in lines:
        _put(sys.stderr, f"{one_line(str(line))}\n")


def _put(stream: IO[Any], content: str | bytes) -> None:
    try:
        stream.write(content)
        stream.flush()
    except BrokenPipeError:
        # The status still says what was found; Python's own flush at exit must not find the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def shows_colour() -> bool:
    """Whether standard output is to be coloured."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def plural(count: int, word: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count} {word}{'' if count == 1 else 's'}"
