"""IPython's own syntax: magics, shell commands and requests for help, which a module of Python does without."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Sequence

from klint.source.lines import Line

_CELL = re.compile(r"%%(?P<name>\w+)")
_PYTHON_CELLS = frozenset("capture debug prun pypy python python3 time timeit".split())
"""Cell magics that are followed by Python."""

_TIMED = re.compile(r"\s*(?P<magic>%(?:time|timeit|prun)\s+(?:-\w+\s+(?:\d+\s+)?)*)")
_COMMAND = re.compile(r"\s*(?:[%!?]|%{0,2}[A-Za-z_][\w.*\[\]'\"]*\?{1,2}\s*$)")
_ASSIGNED = re.compile(r"\s*[A-Za-z_][\w\s,.*\[\]'\"]*=\s*(?P<command>[%!].*)")
_UNKNOWN = "get_ipython()"


def without_magics(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines of a cell with nothing in the place of what Python does not read. What ``%time`` and the like run is kept."""
    lines = list(lines)
    for index, line in enumerate(lines):
        magic = _CELL.match(line.text)
        if magic is not None:
            if magic["name"] not in _PYTHON_CELLS:
                return tuple(map(_blank, lines))
            lines[index] = _blank(line)
        elif line.text.strip():
            break
    return tuple(_without_commands(lines))


def _without_commands(lines: list[Line]) -> list[Line]:
    kept: list[Line] = []
    before: list[str] = []
    continues = False
    for line in lines:
        assigned = _ASSIGNED.match(line.text)
        is_command = continues or ((assigned or _COMMAND.match(line.text)) and not _is_open(before))
        if not is_command:
            before.append(line.text)
            kept.append(line)
            continue
        timed = None if continues else _TIMED.match(line.text)
        if continues:
            kept.append(line.without(0, len(line.text)))
        elif assigned:
            kept.append(line.without(*assigned.span("command"), _UNKNOWN))
        elif timed:
            kept.append(line.without(*timed.span("magic")))
        else:
            kept.append(_blank(line))
        continues = line.text.endswith("\\") and timed is None
        before = []
    return kept


def _blank(line: Line) -> Line:
    """Nothing in the place of a line; an indented one may be all that its block holds."""
    content = "pass" if line.indentation and line.text.strip() else ""
    return line.without(line.indentation, len(line.text), content)


def _is_open(lines: Sequence[str]) -> bool:
    """Whether the statement before goes on: a bracket or a string is open, or a backslash says so."""
    if not lines:
        return False
    remaining = iter(lines)
    try:
        for _ in tokenize.generate_tokens(lambda: f"{next(remaining)}\n"):
            pass
    except tokenize.TokenError as error:
        return any(words in str(error) for words in ("EOF in multi-line", "triple-quoted"))
    except SyntaxError:
        return False
    return lines[-1].endswith("\\")
