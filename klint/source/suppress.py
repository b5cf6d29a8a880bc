"""``# noqa`` comments, as flake8 reads them.

A comment counts for the physical line that it ends, widened over multi-line strings and backslash continuations. Its
codes are prefixes and case-sensitive; without codes it silences all. ``# flake8: noqa`` on a line of its own skips the
file, and so it does when codes follow: flake8 takes no notice of them.
"""

from __future__ import annotations

import re
import tokenize
from collections.abc import Sequence

_LINE = re.compile(r"# noqa(?::\s?(?P<codes>(?:[A-Z]+[0-9]+[,\s]*)+))?", re.IGNORECASE)
_FILE = re.compile(r"\s*# flake8[:=]\s*noqa", re.IGNORECASE)


class Suppressions:
    """The ``noqa`` comments of one file, given by its lines."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._ranges = _joined_rows(lines)
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
        return code.startswith(tuple(re.findall(r"[^,\s]+", comment["codes"])))

    def _range(self, row: int) -> tuple[int, int]:
        return self._ranges.get(row, (row, row))


def _joined_rows(lines: Sequence[str]) -> dict[int, tuple[int, int]]:
    """For each row the first and the last one of the line that it belongs to; empty where the file has no tokens."""
    ranges: dict[int, tuple[int, int]] = {}
    remaining = iter(lines)
    first = None
    try:
        for token in tokenize.generate_tokens(lambda: next(remaining, "")):
            if token.type in (tokenize.DEDENT, tokenize.ENDMARKER):
                continue
            if first is None:
                first = token.start[0]
            if token.type in (tokenize.NEWLINE, tokenize.NL):
                rows = (first, token.end[0])
                ranges |= dict.fromkeys(range(rows[0], rows[1] + 1), rows)
                first = None
    except (tokenize.TokenError, SyntaxError):
        return {}
    return ranges
