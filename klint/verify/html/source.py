"""The lines of the source around a finding, coloured as Python, with the flagged expression marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

from klint.finding import Location
from klint.output.frame import LONGEST

AROUND = 2
"""How many lines are shown before and after the place."""

MOST = 14
"""How many lines of the place itself are shown."""

_CLASSES = (
    (Comment, "comment"),
    (String, "string"),
    (Number, "number"),
    (Keyword, "keyword"),
    (Operator.Word, "keyword"),
    (Name.Decorator, "name"),
    (Name.Function, "name"),
    (Name.Class, "name"),
)


@dataclass(frozen=True)
class Piece:
    """Some text of one line: the class of its colour, and whether it belongs to the flagged expression."""

    text: str
    style: str
    marked: bool


@dataclass(frozen=True)
class Line:
    """One line of a frame."""

    row: int
    pieces: tuple[Piece, ...]


def frame(lines: Sequence[str], place: Location) -> list[Line]:
    """The lines around ``place``; none where the source is not at hand."""
    if not 0 < place.row <= len(lines):
        return []
    first, last = max(1, place.row - AROUND), min(len(lines), place.end_row + AROUND, place.row + MOST)
    while first < place.row and not lines[first - 1].strip():
        first += 1
    while last > place.row and not lines[last - 1].strip():
        last -= 1
    shown = [line.rstrip()[: LONGEST * 2] for line in lines[first - 1 : last]]
    return [
        Line(row, tuple(_marked(pieces, *_extent(place, row, len(text)))))
        for row, (text, pieces) in enumerate(zip(shown, _coloured(shown), strict=True), first)
    ]


def _extent(place: Location, row: int, length: int) -> tuple[int, int]:
    """Where the mark starts and ends on a row; nowhere is (0, 0)."""
    if not place.row <= row <= place.end_row:
        return 0, 0
    start = place.column - 1 if row == place.row else 0
    return start, place.end_column - 1 if row == place.end_row else length


def _coloured(lines: Sequence[str]) -> list[list[tuple[str, str]]]:
    """For each line its text in pieces, each with the class of its colour."""
    coloured: list[list[tuple[str, str]]] = [[]]
    for _, kind, text in PythonLexer().get_tokens_unprocessed("\n".join(lines)):
        style = _style(kind)
        for number, part in enumerate(text.split("\n")):
            if number:
                coloured.append([])
            if part:
                coloured[-1].append((part, style))
    return coloured if lines else []


def _style(kind: Any) -> str:
    return next((style for parent, style in _CLASSES if kind in parent), "")


def _marked(pieces: Sequence[tuple[str, str]], start: int, end: int) -> Iterator[Piece]:
    """The pieces, cut where the mark starts and ends. Blanks that a line begins with are never marked."""
    text = "".join(text for text, _ in pieces)
    start = max(start, len(text) - len(text.lstrip()))
    at = 0
    for part, style in pieces:
        cuts = sorted({0, len(part), *(min(max(cut - at, 0), len(part)) for cut in (start, end))})
        for left, right in pairwise(cuts):
            yield Piece(part[left:right], style, start <= at + left < end)
        at += len(part)
