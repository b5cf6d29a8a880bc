"""Modules made of pieces of code: the cells of a notebook, the blocks and examples of a text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from klint.finding import Location
from klint.source.lines import Line, LineMap, PlacedLine
from klint.source.magics import without_magics
from klint.source.python import SourceError, SourceUnit, parse_source
from klint.source.quotes import with_plain_quotes


@dataclass(frozen=True)
class Piece:
    """Code that is read by itself.

    One that is not ``marked`` as Python may be something else, and says nothing if it does not parse. One that
    ``shows`` its value prints it if it ends in an expression, as a cell and an example at a prompt do.
    """

    lines: tuple[Line, ...]
    cell: int | None = None
    marked: bool = True
    shows: bool = False


@dataclass(frozen=True)
class Reading:
    """What a piece holds: the lines that Python reads, their tree, and what of them did not parse (rows from 1)."""

    piece: Piece
    lines: tuple[Line, ...]
    tree: ast.Module
    errors: list[SourceError] = field(default_factory=list)

    @property
    def imports(self) -> frozenset[tuple[str, str]]:
        """What the piece imports at its top level: the names, each with what it stands for."""
        return frozenset(
            (alias.asname or alias.name, f"{getattr(statement, 'module', None) or ''}.{alias.name}")
            for statement in self.tree.body
            if isinstance(statement, (ast.Import, ast.ImportFrom))
            for alias in statement.names
        )


def read(piece: Piece) -> Reading | None:
    """Read a piece as it stands or, where it does not parse so, without magics and with plain quotes; None if it is no code."""
    reading = None
    for lines in _spellings(_dedented(piece.lines)):
        if reading is None or lines != reading.lines:
            unit = parse_source(_text(lines), "")
            reading = Reading(piece, lines, unit.tree, unit.errors)
            if not unit.errors:
                break
    if reading is None or (reading.errors and not piece.marked):
        return None
    if piece.shows:
        _show(reading)
    return reading


def assemble(filename: str, readings: Iterable[Reading], sources: Mapping[str, list[str]], part: int = 0) -> SourceUnit:
    """One module of all pieces in order. ``sources`` are the lines that people see, by ``Location.source``."""
    body: list[ast.stmt] = []
    placed: list[PlacedLine] = []
    errors: list[tuple[int, SourceError]] = []
    for number, reading in enumerate(readings):
        ast.increment_lineno(reading.tree, len(placed))
        body += reading.tree.body
        errors += [(len(placed) + error.row, error) for error in reading.errors]
        placed += [PlacedLine(line, number, reading.piece.cell) for line in reading.lines]
    origin = LineMap(placed)
    text = _text(each.line for each in placed)
    tree = ast.Module(body=body, type_ignores=[])
    unit = SourceUnit(filename, text, tree, origin=origin, part=part, seen=sources)
    for row, error in errors:
        place = origin.outward(Location(filename, row, error.column, row, error.column))
        unit.errors.append(replace(error, filename=filename, row=place.row, column=place.column, cell=place.cell))
    return unit


def _spellings(lines: tuple[Line, ...]) -> Iterator[tuple[Line, ...]]:
    yield lines
    yield without_magics(lines)
    lines = tuple(map(with_plain_quotes, lines))
    yield without_magics(lines)


def _dedented(lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines without the indentation that all of them have."""
    margin = min((line.indentation for line in lines if line.text.strip()), default=0)
    return tuple(line.without(0, min(margin, line.indentation)) for line in lines)


def _show(reading: Reading) -> None:
    """Print the value of the last expression; a semicolon after it keeps it back."""
    last = reading.tree.body[-1] if reading.tree.body else None
    if isinstance(last, ast.Expr) and not _text(reading.lines).rstrip().endswith(";"):
        value = last.value
        name = ast.copy_location(ast.Name("print", ast.Load()), value)
        last.value = ast.copy_location(ast.Call(name, [value], []), value)


def _text(lines: Iterable[Line]) -> str:
    return "".join(f"{line.text}\n" for line in lines)
