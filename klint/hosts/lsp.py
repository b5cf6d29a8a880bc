"""Findings in the terms of the Language Server Protocol, as plain JSON: what all hosts that speak it share.

The protocol counts rows and columns from 0, and columns in code units of the encoding that editor and server agree on.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from threading import RLock
from typing import Any

from klint.explain import explain_source
from klint.explain.model import Explanation
from klint.explain.text import render
from klint.finding import Applicability, Edit, Finding, Location, Related, Severity
from klint.fix import keeps_promise
from klint.graph.project import Project
from klint.linter import Report, find_files, lint_source
from klint.noqa import comment_edits
from klint.pyproject import Configuration
from klint.source.files import in_text
from klint.source.python import SourceError, read_source

SOURCE = "klint"
QUICK_FIX = "quickfix"
SEVERITIES = {Severity.ERROR: 1, Severity.WARNING: 2, Severity.NOTE: 3}

Json = dict[str, Any]

_CODE_UNITS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
_ENDING = re.compile(r"\r\n|\r|\n")
_LOCK = RLock()
"""One analysis at a time: it sets Python's recursion limit, which all threads share."""


def unified(text: str) -> str:
    """A text as klint reads it: each line ends with a line feed."""
    return _ENDING.sub("\n", text)


class Text:
    """The text of a document, between places as klint counts them and as the protocol does."""

    def __init__(self, text: str, encoding: str = "utf-16") -> None:
        self._lines = _ENDING.split(text)
        self._endings = _ENDING.findall(text)
        self._encoding, self._size = _CODE_UNITS[encoding]

    def position(self, row: int, column: int) -> Json:
        """The position of a place."""
        line = self._lines[row - 1] if row <= len(self._lines) else ""
        return {"line": row - 1, "character": self._units(line[: column - 1])}

    def place(self, position: Json) -> tuple[int, int]:
        """The row and column of a position; one behind the end of its line is the end of it."""
        row = position["line"] + 1
        line = self._lines[row - 1] if row <= len(self._lines) else ""
        ends = list(accumulate(map(self._units, line)))
        return row, bisect_right(ends, position["character"]) + 1

    def range(self, location: Location) -> Json:
        """The range of a stretch of the text."""
        return {
            "start": self.position(location.row, location.column),
            "end": self.position(location.end_row, location.end_column),
        }

    def edit(self, edit: Edit) -> Json:
        """A change of the text; new lines end as the one does in which it stands."""
        ending = next(iter(self._endings[edit.location.row - 1 :] or self._endings), "\n")
        return {"range": self.range(edit.location), "newText": edit.content.replace("\n", ending)}

    def _units(self, text: str) -> int:
        return len(text) if text.isascii() else len(text.encode(self._encoding, "surrogatepass")) // self._size


@dataclass(eq=False)
class Document:
    """One version of a document in an editor, with what klint makes of it.

    ``unsaved`` are the texts of all open documents, unified, by the names of their files: they win over what is on disk.
    ``fragment``: the text is no file, but for instance one cell of a notebook, whose imports are in others.
    """

    uri: str
    filename: str
    text: str
    unsaved: Mapping[str, str] = field(default_factory=dict)
    fragment: bool = False
    encoding: str = "utf-16"
    _report: Report | None = None
    _offers: dict[Finding, list[Json]] = field(default_factory=dict)

    @property
    def report(self) -> Report:
        """What linting finds, by the settings of the file's project; nothing in a file that they exclude.

        Raises ``ConfigError`` where the settings cannot be meant.
        """
        with _LOCK:
            if self._report is None:
                self._report = Report() if self._is_excluded() else self._lint(self._source)
                self._report.findings = self._written(self._source, self._report.findings)
            return self._report

    def may_import(self, filename: str) -> bool:
        """Whether what linting finds may depend on another file."""
        return self._report is None or filename in self._report.followed

    def diagnostics(self) -> list[Json]:
        """The findings, as the editor underlines them."""
        return [self._diagnostic(finding) for finding in self.report.findings]

    def actions(self, wanted: Json) -> list[Json]:
        """What the editor can offer to do about the findings in a range: their fixes, and comments that silence them."""
        start, end = self._texts.place(wanted["start"]), self._texts.place(wanted["end"])
        actions: list[Json] = []
        for finding in self.report.findings:
            place = finding.location
            if (place.row, place.column) <= end and start <= (place.end_row, place.end_column):
                if finding not in self._offers:  # an editor asks again wherever the cursor goes
                    self._offers[finding] = list(self._actions(finding))
                actions += self._offers[finding]
        return actions

    def hover(self, position: Json) -> Json | None:
        """What klint knows of the loss call at a position."""
        row, column = self._texts.place(position)
        with _LOCK:
            project = Project(self._configuration.of(self.filename).src, self.unsaved)
            explanation = explain_source(self._source, self.filename, row, project, stdin=self.fragment)
        here = [
            site
            for site in explanation.sites
            if site.location.filename == self.filename
            and (site.location.row, site.location.column) <= (row, column)
            and (row, column) <= (site.location.end_row, site.location.end_column)
        ]
        if not here:
            return None
        innermost = max(here, key=lambda site: (site.location.row, site.location.column))
        told = render([Explanation(self.filename, sites=[innermost])]).rstrip()
        return {
            "contents": {"kind": "markdown", "value": f"```text\n{told}\n```"},
            "range": self._texts.range(innermost.location),
        }

    @cached_property
    def _source(self) -> str:
        return unified(self.text)

    @cached_property
    def _texts(self) -> Text:
        return Text(self.text, self.encoding)

    @cached_property
    def _configuration(self) -> Configuration:
        return Configuration({"force_exclude": True})

    def _is_excluded(self) -> bool:
        if self.fragment or not Path(self.filename).exists():
            return False
        return not find_files([self.filename], self._configuration).files

    def _lint(self, source: str) -> Report:
        return lint_source(source, self.filename, self._configuration, self.fragment, self.unsaved)

    def _written(self, source: str, findings: Iterable[Finding]) -> list[Finding]:
        return list(findings) if self.fragment else in_text(source, self.filename, findings)

    def _diagnostic(self, finding: Finding) -> Json:
        return {
            "range": self._texts.range(finding.location),
            "severity": SEVERITIES[finding.severity],
            "code": finding.code,
            "codeDescription": {"href": finding.url},
            "source": SOURCE,
            "message": finding.message,
            "relatedInformation": list(self._related(finding.related)),
        }

    def _related(self, places: Iterable[Related]) -> Iterator[Json]:
        for related in places:
            filename, text = related.location.filename, self._texts
            uri = self.uri
            if filename != self.filename:
                other = self.unsaved.get(filename) or read_source(Path(filename), filename)
                if isinstance(other, SourceError):
                    continue
                uri, text = Path(filename).absolute().as_uri(), Text(other, self.encoding)
            yield {"location": {"uri": uri, "range": text.range(related.location)}, "message": related.message}

    def _actions(self, finding: Finding) -> Iterator[Json]:
        fix = finding.fix
        if fix is not None and self._holds(finding):
            if fix.applicability is Applicability.SAFE:
                yield {**self._action(finding, fix.message, fix.edits), "isPreferred": True}
            else:
                yield self._action(finding, f"{fix.message} (unsafe: changes what is trained)", fix.edits)
        comment = comment_edits(self._source, self.filename, finding)
        if comment:
            yield self._action(finding, f"Silence it with # noqa: {finding.code}", comment)

    def _action(self, finding: Finding, title: str, edits: Sequence[Edit]) -> Json:
        return {
            "title": f"{finding.code}: {title}",
            "kind": QUICK_FIX,
            "diagnostics": [self._diagnostic(finding)],
            "edit": {"changes": {self.uri: [self._texts.edit(edit) for edit in edits]}},
        }

    def _holds(self, finding: Finding) -> bool:
        """Whether a fix keeps its promise in this text: what it cannot promise is not offered."""
        with _LOCK:
            return keeps_promise(
                self._source,
                finding,
                self.report.findings,
                lambda changed: self._written(changed, self._lint(changed).findings),
                self.filename,
            )
