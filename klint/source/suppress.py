"""``# noqa`` comments, as flake8 reads them.

A comment counts for the physical line that it ends, widened over multi-line strings and backslash continuations. Its
codes are prefixes and case-sensitive; without codes it silences all. ``# flake8: noqa`` on a line of its own skips the
file, and so it does when codes follow: flake8 takes no notice of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_LINE = re.compile(r"# noqa(?::\s?(?P<codes>(?:[A-Z]+[0-9]+[,\s]*)+))?", re.IGNORECASE)
_CODE = re.compile(r"[^,\s]+")
_LIST = re.compile(r"#\s*noqa\s*:\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]*[A-Z]+[0-9]+)*)", re.IGNORECASE)
"""A comment with codes in any of the ways that linters read."""

_LISTED = re.compile(r"[A-Z]+[0-9]+", re.IGNORECASE)
_OWN = re.compile(r"# noqa:.*KL", re.IGNORECASE)
OWN_COMMENT = re.compile(rb"# noqa:.*KL", re.IGNORECASE)
"""What stands in the bytes of every file of which ``names_klint``."""

_FILE = re.compile(r"\s*# flake8[:=]\s*noqa", re.IGNORECASE)


class NoqaCode(NamedTuple):
    """A code of a ``noqa`` comment, and where it stands: row and columns are 1-based and count characters."""

    code: str
    row: int
    column: int

    @property
    def end_column(self) -> int:
        """The column after its last character."""
        return self.column + len(self.code)


def names_klint(text: str) -> bool:
    """Whether a file can hold a ``noqa`` comment with a code of klint's own."""
    return _OWN.search(text) is not None


class Suppressions:
    """The ``noqa`` comments of one file, given by its lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._ranges, self._comments = _joined_rows(lines)
        self._used: set[tuple[int, str]] = set()
        self.skips_file = any(_FILE.match(line) for line in lines)

    def comment_row(self, row: int) -> int:
        """The row at whose end a comment silences a finding that stands on ``row``."""
        return self._range(row)[1]

    def silences(self, code: str, row: int) -> bool:
        """Whether a finding of ``code`` that stands on ``row`` is silenced."""
        if self.skips_file:
            return True
        first, last = self._range(row)
        comment = _LINE.search("".join(self._lines[first - 1 : last]))
        if comment is None:
            return False
        if comment["codes"] is None:
            return True
        named = [prefix for prefix in _codes(comment) if code.startswith(prefix)]
        self._used.update((last, prefix) for prefix in named)
        return bool(named)

    def unused(self) -> Iterator[NoqaCode]:
        """The codes of ``noqa`` comments for which ``silences`` has found no finding."""
        if self.skips_file:
            return
        for row, start in sorted(self._comments.items()):
            comment = _LINE.search(self._lines[row - 1], start)
            if comment is None or comment["codes"] is None:
                continue
            last = self._range(row)[1]
            for match in _CODE.finditer(self._lines[row - 1], *comment.span("codes")):
                if (last, match[0]) not in self._used:
                    yield NoqaCode(match[0], row, match.start() + 1)

    def comment_for(self, codes: Iterable[str], row: int) -> tuple[int, int, str]:
        """What silences ``codes`` too at the end of a row, in the one form that flake8 and ruff both read.

        A stretch of the line, as columns from 0, and what must stand in its place.
        """
        line = self._lines[row - 1].rstrip("\n")
        comment = _LIST.search(line, self._comments[row]) if row in self._comments else None
        if comment is None:
            return len(line.rstrip()), len(line), f"  # noqa: {', '.join(sorted(codes))}"
        listed = dict.fromkeys((*_LISTED.findall(comment["codes"]), *sorted(codes)))
        return *comment.span(), f"# noqa: {', '.join(listed)}"

    def _range(self, row: int) -> tuple[int, int]:
        return self._ranges.get(row, (row, row))


def _codes(comment: re.Match[str]) -> list[str]:
    return _CODE.findall(comment["codes"])


def _joined_rows(lines: Sequence[str]) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
    """For each row the first and the last one of the line that it belongs to, and for each comment's row its first column.

    Both are empty where the file has no tokens.
    """
    import tokenize  # most files have nothing to silence

    ranges: dict[int, tuple[int, int]] = {}
    comments: dict[int, int] = {}
    remaining = iter(lines)
    first = None
    try:
        for token in tokenize.generate_tokens(lambda: next(remaining, "")):
            if token.type in (tokenize.DEDENT, tokenize.ENDMARKER):
                continue
            if token.type == tokenize.COMMENT:
                comments[token.start[0]] = token.start[1]
            if first is None:
                first = token.start[0]
            if token.type in (tokenize.NEWLINE, tokenize.NL):
                rows = (first, token.end[0])
                ranges |= dict.fromkeys(range(rows[0], rows[1] + 1), rows)
                first = None
    except (tokenize.TokenError, SyntaxError):
        return {}, {}
    return ranges, comments
