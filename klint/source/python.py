"""Python text: decoding, parsing statement by statement where need be, and positions as people count them."""

from __future__ import annotations

import ast
import codecs
import io
import os
import warnings
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klint.finding import Location
    from klint.source.lines import LineMap

NOTEBOOK = ".ipynb"
PROSE = (".md", ".rst", ".txt")
OTHER_SUFFIXES = (NOTEBOOK, *PROSE)
"""Files that hold Python among other things."""


@dataclass(frozen=True)
class SourceError:
    """Why a file, or a statement of it, could not be read: one line for the user, with its position.

    ``row`` and ``column`` are 1-based; both are 0 when the file as a whole could not be read. In a notebook they are
    those of ``cell``.
    """

    filename: str
    row: int
    column: int
    message: str
    cell: int | None = None

    def __str__(self) -> str:
        source = self.filename if self.cell is None else f"{self.filename}:cell {self.cell}"
        place = f"{source}:{self.row}:{self.column}" if self.row else source
        return f"{place}: {self.message}"

    @property
    def sort_key(self) -> tuple[object, ...]:
        """The order of errors: by file, place and message."""
        return (self.filename, self.cell or 0, self.row, self.column, self.message)


@dataclass(eq=False)
class SourceUnit:
    """One module of Python: its name as the user spelled it, its text, its tree, and what of it did not parse.

    A module that is taken out of a file of another kind has an ``origin``, by which its locations are those of the file.
    Such a file may hold several modules, of which ``part`` is the number, and ``seen`` are its lines by ``Location.source``.
    """

    filename: str
    text: str
    tree: ast.Module
    errors: list[SourceError] = field(default_factory=list)
    origin: LineMap | None = None
    part: int = 0
    seen: Mapping[str, list[str]] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[str]:
        """The physical lines as ``ast`` counts them (split at newlines only, so that form feeds stay in their line)."""
        return io.StringIO(self.text).readlines()

    @property
    def sources(self) -> Mapping[str, list[str]]:
        """The lines that people see, by the ``Location.source`` in which they are counted."""
        return {self.filename: self.lines} if self.origin is None else self.seen

    def location(self, node: ast.AST) -> Location:
        """The place of a tree node in the user's file."""
        return self._outward(self._place(node))

    def _outward(self, place: Location) -> Location:
        return place if self.origin is None else self.origin.outward(place)

    def inward(self, location: Location) -> Location:
        """The place in ``text`` of a location in the user's file."""
        return location if self.origin is None else self.origin.inward(location)

    def file_row(self, row: int) -> int:
        """The row in the user's file, or the cell of it, of a row of ``text``."""
        return self._outward(self._between(row, 1, row, 1)).row

    def _place(self, node: ast.AST) -> Location:
        """The place of a tree node in ``text``. ``ast`` counts columns in UTF-8 bytes; people count characters."""
        row, end_row = getattr(node, "lineno", 1), getattr(node, "end_lineno", None) or 1
        return self._between(
            row,
            self._column(row, getattr(node, "col_offset", 0)),
            end_row,
            self._column(end_row, getattr(node, "end_col_offset", None) or 0),
        )

    def _between(self, row: int, column: int, end_row: int, end_column: int) -> Location:
        from klint.finding import Location  # most files have nothing to find

        return Location(self.filename, row, column, end_row, end_column)

    def segment(self, node: ast.AST) -> str:
        """The source text of a tree node on one line."""
        place = self._place(node)
        if place.row == place.end_row:
            return self.lines[place.row - 1][place.column - 1 : place.end_column - 1]
        rows = self.lines[place.row - 1 : place.end_row]
        rows[-1] = rows[-1][: place.end_column - 1]
        rows[0] = rows[0][place.column - 1 :]
        return " ".join(" ".join(rows).split())

    def stretch(self, row: int, column: int, end_column: int) -> Anchor:
        """A stretch of one line that is no node of the tree; columns are 1-based and count characters."""
        line = self.lines[row - 1]
        start, end = (len(line[: at - 1].encode()) for at in (column, end_column))
        return Anchor(self, ast.expr(lineno=row, col_offset=start, end_lineno=row, end_col_offset=end))

    @cached_property
    def parents(self) -> dict[int, ast.AST]:
        """By the ``id`` of a tree node, the node that holds it."""
        return {id(child): parent for parent in ast.walk(self.tree) for child in ast.iter_child_nodes(parent)}

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes that hold a tree node, the nearest first."""
        parent = self.parents.get(id(node))
        while parent is not None:
            yield parent
            parent = self.parents.get(id(parent))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a tree node starts and ends in ``text``, in characters from 0."""
        place = self._place(node)
        return self.offset(place.row, place.column), self.offset(place.end_row, place.end_column)

    def offset(self, row: int, column: int) -> int:
        """How many characters of ``text`` stand before a place."""
        return self._starts[row - 1] + column - 1

    def between(self, start: int, end: int) -> Location:
        """The place in the user's file of a stretch of ``text``, given in characters from 0."""
        row, end_row = (bisect_right(self._starts, offset) for offset in (start, end))
        column, end_column = start - self._starts[row - 1] + 1, end - self._starts[end_row - 1] + 1
        return self._outward(self._between(row, column, end_row, end_column))

    @cached_property
    def _starts(self) -> list[int]:
        """How many characters stand before each line."""
        return [0, *accumulate(map(len, self.lines))]

    def _column(self, row: int, offset: int) -> int:
        if row > len(self.lines):
            return offset + 1
        line = self.lines[row - 1]
        if line.isascii():
            return offset + 1
        return len(line.encode()[:offset].decode(errors="replace")) + 1


@dataclass(frozen=True)
class Anchor:
    """Where a value was written: a tree node in its unit."""

    unit: SourceUnit
    tree: ast.AST

    @property
    def location(self) -> Location:
        """The place in the user's file."""
        return self.unit.location(self.tree)

    @property
    def text(self) -> str:
        """The source text, on one line."""
        return self.unit.segment(self.tree)


_PLAIN = frozenset(
    "arg asname attr conversion ctx id is_async kind kwd_attrs level lineno module name op ops rest simple tag type_comment".split()
)
"""Fields of trees that hold text, numbers or marks of kinds, and no nodes that say anything."""

_INNER: dict[type[ast.AST], tuple[str, ...]] = dict.fromkeys(
    (ast.Name, ast.Constant, ast.MatchSingleton, ast.Global, ast.Nonlocal), ()
)
"""By the class of a node, its fields that hold nodes."""


def tree_nodes(tree: ast.AST) -> list[ast.AST]:
    """Every node of a tree but contexts and operators, parents before their children: ``ast.walk`` in a third of its time."""
    stack, found = [tree], list[ast.AST]()
    while stack:
        node = stack.pop()
        found.append(node)
        for name in inner_fields(node.__class__):
            value = getattr(node, name)
            if value.__class__ is list:
                stack += [item for item in value if item is not None]
            elif value is not None:
                stack.append(value)
    return found


def inner_fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a class of nodes that hold nodes, or lists of them."""
    known = _INNER.get(kind)
    if known is None:
        known = _INNER[kind] = tuple(name for name in kind._fields if name not in _PLAIN)
    return known


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes that a tree node is made of, but for contexts and operators."""
    found = list[ast.AST]()
    for name in inner_fields(node.__class__):
        value = getattr(node, name)
        if value.__class__ is list:
            found += [item for item in value if item is not None]
        elif value is not None:
            found.append(value)
    return found


def read_source(path: str | Path, filename: str) -> str | SourceError:
    """The text of a file with universal newlines, decoded as Python would (BOM, coding line, else UTF-8)."""
    data = read_bytes(path, filename)
    return decode_source(data, filename) if isinstance(data, bytes) else data


def read_bytes(path: str | Path, filename: str) -> bytes | SourceError:
    """What a file holds, or why it cannot be read."""
    try:
        return _read(path)
    except OSError as error:
        return SourceError(filename, 0, 0, f"cannot be read: {error.strerror or error}")


def _read(path: str | Path) -> bytes:
    """What a file holds, by as few calls of the system as will do: there may be many thousand files."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(descriptor).st_size
        data = os.read(descriptor, size + 1)
        if data and len(data) == size:
            return data
        parts = [data]
        while parts[-1]:
            parts.append(os.read(descriptor, 1 << 20))
        return b"".join(parts)
    finally:
        os.close(descriptor)


def digest(data: object) -> str:
    """What tells the bytes of a file from all others; empty where it could not be read."""
    try:
        from _blake2 import blake2b  # hashlib loads OpenSSL, which takes longer than most files
    except ImportError:
        from hashlib import blake2b

    return blake2b(data, digest_size=16).hexdigest() if isinstance(data, bytes) else ""


def decode_source(data: bytes, filename: str) -> str | SourceError:
    """Decode a file's bytes; the error names the position of the first bad byte."""
    try:
        encoding = detect_encoding(data, filename)
    except SyntaxError as error:
        encoding = "utf-8"  # the first two lines do not decode, or name an encoding that does not exist
        if _is_utf8(data):
            return SourceError(filename, 1, 1, f"syntax error: {error.msg}")
    try:
        text = data.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        if not isinstance(error, UnicodeDecodeError):
            return SourceError(filename, 1, 1, f"syntax error: {error}")
        before = data[: error.start]
        row = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(encoding, errors="replace")) + 1
        advice = "save it as UTF-8 or declare its encoding" if is_python(filename) else "save it as UTF-8"
        return SourceError(filename, row, column, f"is not valid {encoding.removesuffix('-sig')}: {advice}")
    return unified(text)


def unified(text: str) -> str:
    """The text with newlines of one kind."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def detect_encoding(data: bytes, filename: str) -> str:
    """The encoding of a file, as Python tells that of a module; in files of another kind no line declares one."""
    if is_python(filename):
        import tokenize

        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    return "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"


def is_python(filename: str) -> bool:
    """Whether a file is all Python, as its name tells."""
    return not filename.lower().endswith(OTHER_SUFFIXES)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def parse_source(text: str, filename: str) -> SourceUnit:
    """Parse a module. A syntax error costs the top-level statement that it stands in; the rest is parsed all the same."""
    whole = parse_tree(text, filename)
    if isinstance(whole, ast.Module):
        return SourceUnit(filename, text, whole)
    unit = SourceUnit(filename, text, ast.Module(body=[], type_ignores=[]), [whole])
    if "\0" in text:
        return unit
    for first_row, chunk in _top_level_statements(text):
        tree = parse_tree(chunk, filename)
        if isinstance(tree, ast.Module):
            ast.increment_lineno(tree, first_row - 1)
            unit.tree.body.extend(tree.body)
    return unit


def parse_tree(text: str, filename: str) -> ast.Module | SourceError:
    """The tree of a text, or why there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and the like are other linters' business
            return ast.parse(text)
    except SyntaxError as error:
        column = error.offset if error.offset and error.offset > 0 else 1
        return SourceError(filename, error.lineno or 1, column, f"syntax error: {error.msg}")
    except ValueError as error:  # NUL bytes, before Python 3.12
        row = text[: text.find("\0")].count("\n") + 1
        return SourceError(filename, row, 1, f"syntax error: {error}")
    except (RecursionError, MemoryError):
        return SourceError(filename, 1, 1, "is nested too deeply to be parsed")


def _top_level_statements(text: str) -> list[tuple[int, str]]:
    """Cut a module that does not parse into pieces that start at column 1, each with its first row.

    Lines that continue the piece before them (``else:``, a closing bracket, a decorated definition) stay with it.
    """
    pieces: list[tuple[int, list[str]]] = []
    decorated = False
    for row, line in enumerate(io.StringIO(text), start=1):
        starts = bool(line.strip()) and not line[0].isspace() and line[0] not in ")]}#"
        continues = line.startswith(("else:", "else ", "elif ", "except", "finally:", "finally "))
        if not pieces or (starts and not continues and not decorated):
            pieces.append((row, []))
        if starts:
            decorated = line.startswith("@")
        pieces[-1][1].append(line)
    return [(row, "".join(lines)) for row, lines in pieces]
