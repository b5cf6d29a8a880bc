"""The lines of a module that stand in a file of another kind: where in the user's file each of their characters is."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from klint.finding import Location


@dataclass(frozen=True)
class Line:
    """One line of a module without its newline, and where it stands: a row, and for each character and the end a column from 0."""

    text: str
    row: int
    columns: Sequence[int]

    @classmethod
    def whole(cls, text: str, row: int, start: int = 0) -> Line:
        """A line as it stands in the file, from a column on."""
        return cls(text, row, range(start, start + len(text) + 1))

    def without(self, start: int, end: int, content: str = "") -> Line:
        """The line with ``content`` in the place of some characters."""
        text = self.text[:start] + content + self.text[end:]
        if start == 0 and not content:
            return Line(text, self.row, self.columns[end:])
        inserted = [self.columns[start]] * len(content)
        return Line(text, self.row, (*self.columns[:start], *inserted, *self.columns[end:]))

    @property
    def indentation(self) -> int:
        """How many characters stand before the code."""
        return len(self.text) - len(self.text.lstrip())


@dataclass(frozen=True)
class PlacedLine:
    """A line, the notebook cell that it is in if it is in one, and which piece of code it belongs to."""

    line: Line
    piece: int
    cell: int | None = None


class LineMap:
    """Translates the places of a module's text into places of the file or cell that its lines come from, and back."""

    def __init__(self, lines: Iterable[PlacedLine]) -> None:
        self._lines = tuple(lines)
        self._rows = {(placed.cell, placed.line.row): row for row, placed in enumerate(self._lines, start=1)}

    def outward(self, place: Location) -> Location:
        """Where a stretch of the module stands in the user's file. It ends in the piece of code in which it starts."""
        if not self._lines:
            return place
        start = self._line(place.row)
        end_row, end_column = place.end_row, place.end_column
        while end_row > place.row and (end_row > len(self._lines) or self._line(end_row).piece != start.piece):
            end_row -= 1
            end_column = len(self._line(end_row).line.text) + 1
        return replace(
            place,
            row=start.line.row,
            column=self._column(start, place.column),
            end_row=self._line(end_row).line.row,
            end_column=self._column(self._line(end_row), end_column),
            cell=start.cell,
        )

    def inward(self, place: Location) -> Location:
        """The stretch of the module that stands in a place of the user's file."""
        row, end_row = (self._rows[place.cell, each] for each in (place.row, place.end_row))
        columns = (
            bisect_left(self._line(at).line.columns, column - 1) + 1
            for at, column in ((row, place.column), (end_row, place.end_column))
        )
        return Location(place.filename, row, next(columns), end_row, next(columns))

    def margins(self) -> Iterator[tuple[int, int]]:
        """For each row, how many characters of the file stand before the module's."""
        return ((placed.line.row, placed.line.columns[0]) for placed in self._lines)

    def _line(self, row: int) -> PlacedLine:
        return self._lines[min(max(row, 1), len(self._lines)) - 1]

    @staticmethod
    def _column(placed: PlacedLine, column: int) -> int:
        columns = placed.line.columns
        return max(columns[min(column - 1, len(columns) - 1)], 0) + 1
