"""Lines of the source with places underlined, right on a screen even with tabs, wide characters and long lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from klint.finding import Location

TAB = "    "
LONGEST = 160
BEFORE = 60


@dataclass(frozen=True, order=True)
class Mark:
    """A place to underline with ``sign``, and what to say of it."""

    location: Location
    sign: str
    label: str = ""


@dataclass(frozen=True)
class Row:
    """One row of a frame: what stands left and right of the bar, and the sign that it underlines with, if it does."""

    gutter: str
    text: str
    sign: str = ""


def frame(lines: Sequence[str], marks: Sequence[Mark]) -> Iterator[Row]:
    """The lines that ``marks`` stand on, in order, each with its underlines; of a place of many lines, the first."""
    shown = sorted(mark for mark in marks if 0 < mark.location.row <= len(lines))
    digits = len(str(shown[-1].location.row)) if shown else 1
    previous = None
    for mark in shown:
        row = mark.location.row
        line = lines[row - 1].rstrip()
        start, end = _extent(mark.location, line)
        if row != previous:
            if previous is not None and row > previous + 1:
                yield Row("." * digits, "")
            left = max(0, start - BEFORE) if len(line) > LONGEST else 0
            shows_cut = "..." if left else ""
            cut = line[left : left + LONGEST] + ("..." if len(line) > left + LONGEST else "")
            yield Row(f"{row:>{digits}}", shows_cut + screen_text(cut))
        pad = " " * (len(shows_cut) + screen_width(line[left:start]))
        signs = mark.sign * max(1, screen_width(line[max(left, start) : min(end, left + LONGEST)]))
        yield Row(" " * digits, f"{pad}{signs} {mark.label}".rstrip(), mark.sign)
        previous = row


def screen_text(text: str) -> str:
    """The text as it is shown: tabs are spaces, and what cannot be printed is a question mark."""
    return "".join(map(_shown, text))


def screen_width(text: str) -> int:
    """How many cells of a screen ``screen_text(text)`` takes."""
    return sum(_cells(char) for char in screen_text(text))


def _extent(location: Location, line: str) -> tuple[int, int]:
    end = location.end_column - 1 if location.end_row == location.row else len(line)
    start = min(location.column - 1, len(line))
    return start, max(start, min(end, len(line)))


def _shown(char: str) -> str:
    if char == "\t":
        return TAB
    return char if char.isprintable() or unicodedata.category(char) == "Zs" else "?"


def _cells(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
