"""One line a finding, as compilers and editors write it: ``path:row:col: CODE message``."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klint.finding import Finding, Location
    from klint.linter import Report


def render(report: Report) -> str:
    """One line for each finding."""
    return "".join(f"{headline(finding)}\n" for finding in report.findings)


def headline(finding: Finding) -> str:
    """``path:row:col: CODE message``."""
    return one_line(f"{place(finding.location)}: {finding.code} {finding.message}")


def place(location: Location) -> str:
    """``path:row:col``, and in a notebook ``path:cell 2:row:col``, as ruff writes it."""
    return f"{location.source}:{location.row}:{location.column}"


def one_line(text: str) -> str:
    """The text with control characters escaped: one line to every reader, and no command to a terminal."""
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char)[0] == "C" or char in "\u2028\u2029"
        else char
        for char in text
    )
