"""Jupyter notebooks: the code cells of one are one module, in order.

Fixes change the text of the notebook inside the strings that hold the code, so that all else stays byte for byte.
"""

from __future__ import annotations

import io
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from typing import Any

from klint.finding import Edit, Finding, Location
from klint.source.lines import Line
from klint.source.pieces import Piece, assemble, read
from klint.source.python import SourceError, SourceUnit, unified

_SURROGATES = r"\\u[dD][89abAB]\w\w\\u[dD][c-fC-F]\w\w"
_CHARACTER = re.compile(rf"{_SURROGATES}|\\u\w{{4}}|\\.|[^\\]", re.DOTALL)
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


class _Broken(ValueError):
    """Why a text is no notebook of Python."""


def parse_notebook(text: str, filename: str) -> SourceUnit:
    """The module that the code cells of a notebook are; one that cannot be read, or is not of Python, is empty."""
    try:
        cells = _code_cells(text)
    except json.JSONDecodeError as error:
        message = f"is not a notebook: {error.msg[:1].lower()}{error.msg[1:]}"
        return _empty(filename, SourceError(filename, error.lineno, error.colno, message))
    except RecursionError:
        return _empty(filename, SourceError(filename, 1, 1, "is not a notebook: it is nested too deeply"))
    except _Broken as error:
        return _empty(filename, SourceError(filename, 0, 0, f"is not a notebook: {error}"))
    readings = (
        read(Piece(tuple(Line.whole(line, row) for row, line in enumerate(lines, 1)), number, shows=True))
        for number, lines in cells.items()
    )
    sources = {
        Location(filename, 1, 1, 1, 1, number).source: [f"{line}\n" for line in lines]
        for number, lines in cells.items()
    }
    return assemble(filename, [reading for reading in readings if reading is not None], sources)


def parse_cell(text: str, filename: str) -> SourceUnit:
    """The module that one cell is, as editors pass it on by itself."""
    lines = unified(text).split("\n")
    reading = read(Piece(tuple(Line.whole(line, row) for row, line in enumerate(lines, 1)), shows=True))
    return assemble(filename, [] if reading is None else [reading], {filename: [f"{line}\n" for line in lines]})


def in_text(text: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings with the places of the notebook's text in place of those of its cells, in which fixes are written."""
    cells = _written_cells(text)

    def written(edit: Edit) -> Edit:
        return cells[edit.location.cell or 0].edit(edit)

    for finding in findings:
        location = written(Edit(finding.location, "")).location
        fix = finding.fix and replace(finding.fix, edits=tuple(map(written, finding.fix.edits)))
        yield replace(finding, location=location, fix=fix)


def _empty(filename: str, error: SourceError) -> SourceUnit:
    unit = assemble(filename, [], {})
    unit.errors.append(error)
    return unit


def _code_cells(text: str) -> dict[int, list[str]]:
    """The lines of each code cell by its number, which counts cells of all kinds."""
    notebook = json.loads(text)
    if not isinstance(notebook, dict):
        raise _Broken("it holds no JSON object")
    if "worksheets" in notebook:
        raise _Broken("format 3 and older are not read; jupyter nbconvert --to notebook writes the present one")
    cells = notebook.get("cells")
    if not isinstance(cells, list):
        raise _Broken("it has no list of cells")
    if _language(notebook) != "python":
        return {}
    return {
        number: unified(_source(cell, number)).split("\n")
        for number, cell in enumerate(cells, start=1)
        if _get(cell, "cell_type") == "code" and _get(cell, "metadata", "vscode", "languageId") in (None, "python")
    }


def _language(notebook: dict[str, Any]) -> Any:
    named = _get(notebook, "metadata", "language_info", "name") or _get(notebook, "metadata", "kernelspec", "language")
    return str(named or "python").lower().removeprefix("i")


def _source(cell: dict[str, Any], number: int) -> str:
    source = cell.get("source")
    lines = [source] if isinstance(source, str) else source
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise _Broken(f"the source of cell {number} is no text")
    return "".join(lines)


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


# The text of a notebook.


@dataclass(frozen=True)
class _Text:
    """The text of a notebook, of which places are counted in characters from 0 or in rows and columns from 1."""

    text: str

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *accumulate(map(len, io.StringIO(self.text)))]

    def place(self, offset: int) -> tuple[int, int]:
        """The row and the column of a character."""
        row = bisect_right(self._starts, offset)
        return row, offset - self._starts[row - 1] + 1


@dataclass
class _WrittenCell:
    """Where the strings of a cell's source stand in the notebook's text, quotes left out, and what stands between two of them."""

    whole: _Text
    strings: list[tuple[int, int]] = field(default_factory=list)
    separator: str = ""

    def edit(self, edit: Edit) -> Edit:
        """An edit of the cell as one of the notebook's text."""
        place = edit.location
        start = self._offsets[place.row - 1][place.column - 1]
        end = self._offsets[place.end_row - 1][place.end_column - 1]
        plain = self.whole.text.isascii()
        lines = (json.dumps(line, ensure_ascii=plain)[1:-1] for line in edit.content.split("\n"))
        content = (f'\\n"{self.separator}"' if self.separator else "\\n").join(lines)
        return Edit(Location(place.filename, *self.whole.place(start), *self.whole.place(end)), content)

    @cached_property
    def _offsets(self) -> list[list[int]]:
        """For each line of the cell, where each of its characters stands in the notebook's text, its newline included."""
        text = self.whole.text
        lines: list[list[int]] = [[]]
        for start, end in self.strings:
            for match in _CHARACTER.finditer(text, start, end):
                lines[-1].append(match.start())
                if match[0] == "\\n" or (match[0] == "\\r" and not text.startswith("\\n", match.end())):
                    lines.append([])
        lines[-1].append(self.strings[-1][1] if self.strings else 0)
        return lines


def _written_cells(text: str) -> dict[int, _WrittenCell]:
    """The cells of a notebook that is known to be sound, by their number."""
    whole = _Text(text)
    cells: dict[int, _WrittenCell] = {}
    for path, start, end in _strings(text):
        match path:
            case ["cells", int(index), "source", *rest]:
                cell = cells.setdefault(index + 1, _WrittenCell(whole))
                if rest == [1]:
                    cell.separator = text[cell.strings[0][1] + 1 : start - 1]
                elif rest == [0]:
                    cell.separator = "," + text[text.rindex("[", 0, start) + 1 : start - 1]
                cell.strings.append((start, end))
    return cells


def _strings(text: str) -> Iterator[tuple[list[str | int], int, int]]:
    """Every string value of a JSON text, with the keys and indexes that lead to it and where it stands inside its quotes."""
    path: list[str | int] = []
    key: str | None = None
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "{[":
            path.append("" if token == "{" else 0)
            key = None
        elif token in "}]":
            path.pop()
        elif token == "," and isinstance(path[-1], int):
            path[-1] += 1
        elif token == ",":
            key = None
        elif token == ":":
            path[-1] = key or ""
        elif token[0] == '"' and path:
            if isinstance(path[-1], str) and key is None:
                key = str(json.loads(token))
            else:
                yield path[:], match.start() + 1, match.end() - 1
