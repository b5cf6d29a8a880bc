"""For people: each finding with the lines of source that make the case, and where to read more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from klint.levels import Severity
from klint.output.concise import headline, one_line

if TYPE_CHECKING:
    from klint.finding import Finding
    from klint.linter import Report

_Piece = tuple[str, str]
"""Some text and its style."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold blue"}
_RELATED = "cyan"
_QUIET = "dim"


def render(report: Report, colour: bool = False) -> str:
    """All findings, with an empty line after each; in ``colour`` where a terminal shows it."""
    lines = [line for finding in report.findings for line in _lines(finding, report.sources)]
    if not colour:
        return "".join(f"{''.join(text for text, _ in line)}\n" for line in lines)
    return _coloured(lines)


def _lines(finding: Finding, sources: dict[str, list[str]]) -> Iterator[list[_Piece]]:
    from klint.output.frame import Mark, frame  # most runs find nothing

    style = _STYLES[finding.severity]
    place, code, message = headline(finding).partition(f" {finding.code} ")
    yield [(place, "bold"), (code, style), (message, "")]
    here = finding.location.source
    marks = [Mark(finding.location, "^")]
    marks += [
        Mark(related.location, "-", one_line(related.message))
        for related in finding.related
        if related.location.source == here
    ]
    gutter = " "
    for row in frame(sources.get(here, []), marks):
        gutter = " " * len(row.gutter)
        yield [
            (f"{row.gutter} |{' ' * bool(row.text)}", _QUIET),
            (row.text, {"^": style, "-": _RELATED}.get(row.sign, "")),
        ]
    for related in finding.related:
        if related.location.source != here:
            place = f"{related.location.source}:{related.location.row}:{related.location.column}"
            yield [(f"{gutter} = ", _QUIET), (one_line(f"{place}: {related.message}"), _RELATED)]
    if finding.fix is not None:
        yield [(f"{gutter} = fix: ", _QUIET), (one_line(finding.fix.message), "")]
    yield [(f"{gutter} = help: klint rule {finding.code}", _QUIET)]
    yield []


def _coloured(lines: Iterable[list[_Piece]]) -> str:
    from rich.console import Console  # only a terminal pays for it
    from rich.text import Text

    console = Console(force_terminal=True, highlight=False, soft_wrap=True)
    with console.capture() as capture:
        for line in lines:
            console.print(Text.assemble(*line))
    return capture.get()
