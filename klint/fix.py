"""Mending code by the fixes of its findings: whole fixes only, until there is nothing left to mend, and never over a stranger's change.

A fix counts if the code parses after it, its finding is gone, and no other place has a finding that it had not before; else it is undone.
"""

from __future__ import annotations

import difflib
import re
import sys
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from klint.config import Settings
from klint.finding import Applicability, Edit, Finding, Location
from klint.linter import Report, find_files, lint_paths, lint_source
from klint.source.discover import STDIN
from klint.source.files import in_text, parse_file
from klint.source.python import SourceError
from klint.source.write import decode_exactly, encoding_of, write_file

if TYPE_CHECKING:
    from klint.pyproject import Configuration

Lint = Callable[[str], Iterable[Finding]]
"""What finds the findings of a text, in which rows and columns are those of the text."""

ROUNDS = 100
"""How often a text is linted anew at most: fixes that undo each other must end."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


@dataclass(frozen=True)
class FixedText:
    """A text after its fixes, the findings that they mended, and what was edited in each round, by the places of that round."""

    text: str
    fixed: tuple[Finding, ...] = ()
    rounds: tuple[tuple[Edit, ...], ...] = ()


@dataclass(frozen=True)
class FixedFile:
    """A file that has fixes: its text before and after with the newlines as they are, and the findings that are mended."""

    filename: str
    before: str
    after: str
    fixed: tuple[Finding, ...]

    def diff(self) -> str:
        """The change as a unified diff."""
        lines = difflib.unified_diff(_lines(self.before), _lines(self.after), self.filename, self.filename)
        ended = (line if line.endswith(("\n", "\r")) else f"{line}\n\\ No newline at end of file\n" for line in lines)
        return "".join(ended)


class FixError(ValueError):
    """A run that cannot be meant."""


@dataclass
class FixReport:
    """What came of a run: the files that have fixes, and what is found when they are applied.

    The errors of ``remaining`` name the files that could not be fixed as well. ``source`` is what became of standard input.
    """

    files: list[FixedFile] = field(default_factory=list)
    remaining: Report = field(default_factory=Report)
    source: bytes | None = None

    @property
    def fixed(self) -> int:
        """How many findings are mended."""
        return sum(len(file.fixed) for file in self.files)


def is_applicable(finding: Finding, unsafe: bool = False) -> bool:
    """Whether a finding has a fix that may be applied: a safe one, or any where ``unsafe`` is asked for."""
    return finding.fix is not None and (unsafe or finding.fix.applicability is Applicability.SAFE)


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """A text after edits that do not overlap. New lines end as the line does in which the edit stands."""
    lines = _lines(text)
    starts = _starts(lines)
    for edit in sorted(set(edits), reverse=True):
        start, end = _span(starts, edit.location)
        line = lines[edit.location.row - 1] if edit.location.row <= len(lines) else ""
        ending = line[len(line.rstrip("\r\n")) :] or "\n"
        text = text[:start] + edit.content.replace("\n", ending) + text[end:]
    return text


def fix_text(text: str, lint: Lint, unsafe: bool = False, filename: str = "") -> FixedText:
    """Apply the fixes of a text's findings until none is left; ``unsafe`` admits those that change the value.

    The name of the file says of what kind the text is.
    """
    if _has_errors(text, filename):
        return FixedText(text)
    found = list(lint(text))
    done, rounds = [], []
    refused: set[tuple[str, int]] = set()
    seen = {text}
    one_by_one = False
    for _ in range(ROUNDS):
        places = _Places(text)
        open_findings = [f for f in found if is_applicable(f, unsafe) and places.key(f) not in refused]
        chosen = _compatible(places, open_findings)[: 1 if one_by_one else None]
        if not chosen:
            break
        edits = tuple(dict.fromkeys(edit for finding in chosen for edit in _edits(finding)))
        after = _attempt(places, found, chosen, edits, lint, filename)
        if after is not None and after[0] not in seen:
            seen.add(after[0])
            refused = {(code, places.moved(start, edits)[-1]) for code, start in refused}
            text, found = after
            done += chosen
            rounds.append(edits)
            one_by_one = False
        elif len(chosen) == 1:
            refused.add(places.key(chosen[0]))
        else:  # one of them does not hold: which one, they say one by one
            one_by_one = True
    return FixedText(text, tuple(done), tuple(rounds))


def keeps_promise(text: str, finding: Finding, found: Sequence[Finding], lint: Lint, filename: str = "") -> bool:
    """Whether the fix of one finding counts in a text, of which ``found`` are all findings."""
    if finding.fix is None or _has_errors(text, filename):
        return False
    return _attempt(_Places(text), found, [finding], finding.fix.edits, lint, filename) is not None


def fix_source(
    text: str,
    filename: str,
    settings: Settings | Configuration | None = None,
    unsafe: bool = False,
    stdin: bool = False,
) -> FixedFile:
    """Fix the text of one file, which may come from ``stdin``; its newlines are kept as they are."""

    def lint(changed: str) -> list[Finding]:
        return in_text(changed, filename, lint_source(changed, filename, settings, stdin).findings)

    fixed = fix_text(_unified(text), lint, unsafe, filename)
    after = text
    for edits in fixed.rounds:
        after = apply_edits(after, edits)
    return FixedFile(filename, text, after, fixed.fixed)


def fix_paths(
    paths: Iterable[str | Path],
    settings: Settings | Configuration | None = None,
    unsafe: bool = False,
    write: bool = True,
) -> FixReport:
    """Fix files and directories, and write what changed unless ``write`` is off; ``-`` alone is standard input.

    Files that do not parse are left alone.
    """
    settings, paths = settings or Settings(), list(paths)
    if STDIN in map(str, paths):
        if len(paths) > 1:
            raise FixError("standard input is fixed alone, without files beside it")
        return _fix_stdin(settings, unsafe)
    report = FixReport(remaining=lint_paths(paths, settings))
    errors: list[SourceError] = []
    for filename in sorted({f.location.filename for f in report.remaining.findings if is_applicable(f, unsafe)}):
        fixed = _fix_file(filename, settings, unsafe, write)
        if isinstance(fixed, SourceError):
            errors.append(fixed)
        elif fixed.fixed:
            report.files.append(fixed)
    if report.files and write:
        report.remaining = lint_paths(paths, settings)
    report.remaining.errors += errors
    return report


def _fix_file(filename: str, settings: Settings | Configuration, unsafe: bool, write: bool) -> FixedFile | SourceError:
    try:
        data = Path(filename).read_bytes()
        text = decode_exactly(data, filename)
        if isinstance(text, SourceError):
            return text
        fixed = fix_source(text, filename, settings, unsafe)
        if write and fixed.fixed:
            write_file(Path(filename), fixed.after.encode(encoding_of(data, filename)), data)
    except OSError as error:
        return SourceError(filename, 0, 0, f"cannot be fixed: {error.strerror or error}")
    return fixed


def _fix_stdin(settings: Settings | Configuration, unsafe: bool) -> FixReport:
    data = sys.stdin.buffer.read()
    report = FixReport(source=data)
    for file in find_files([STDIN], settings).files:
        text = decode_exactly(data, file.filename)
        if isinstance(text, SourceError):
            report.remaining.errors.append(text)
            continue
        fixed = fix_source(text, file.filename, settings, unsafe, stdin=True)
        report.source = fixed.after.encode(encoding_of(data, file.filename))
        report.files += [fixed] if fixed.fixed else []
        report.remaining = lint_source(_unified(fixed.after), file.filename, settings, stdin=True)
    return report


# One round.


class _Places:
    """The places of a text as counts of characters, and where edits move them."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = _starts(_lines(text))

    def span(self, location: Location) -> tuple[int, int]:
        return _span(self._starts, location)

    def key(self, finding: Finding) -> tuple[str, int]:
        return finding.code, self.span(finding.location)[0]

    def moved(self, place: int, edits: Iterable[Edit]) -> tuple[int, int]:
        """Where a place is after edits: two answers, since what is put in at the place itself may belong before or after it."""
        before = after = place
        for edit in edits:
            start, end = self.span(edit.location)
            growth = len(edit.content) - (end - start)
            if end <= place and start < place:
                before, after = before + growth, after + growth
            elif start == end == place:
                after += growth
            elif start < place:
                before, after = before + start - place, after + start - place
        return before, after


def _compatible(places: _Places, findings: Sequence[Finding]) -> list[Finding]:
    """Findings whose fixes do not touch each other, or are the same; the first come first."""
    chosen: list[Finding] = []
    taken: set[Edit] = set()
    spans: list[tuple[int, int]] = []
    for finding in findings:
        own = _edits(finding)
        if all(edit in taken for edit in own):
            chosen.append(finding)
        elif not any(_touches(spans, *places.span(edit.location)) for edit in own):
            chosen.append(finding)
            taken.update(own)
            for edit in own:
                insort(spans, places.span(edit.location))
    return chosen


def _touches(spans: Sequence[tuple[int, int]], start: int, end: int) -> bool:
    """Whether a stretch of text overlaps one of some that are sorted and do not overlap, or starts where one does."""
    index = bisect_left(spans, (start,))
    follows = index < len(spans) and (spans[index][0] == start or spans[index][0] < end)
    return follows or (index > 0 and spans[index - 1][1] > start)


def _attempt(
    places: _Places,
    found: Sequence[Finding],
    chosen: Sequence[Finding],
    edits: Sequence[Edit],
    lint: Lint,
    filename: str,
) -> tuple[str, list[Finding]] | None:
    """The text and its findings after some fixes; None where they do not keep their promise."""
    text = apply_edits(places.text, edits)
    if text == places.text or _has_errors(text, filename):
        return None
    after = list(lint(text))
    moved = {(f.code, place) for f in found for place in places.moved(places.key(f)[1], edits)}
    mended = {(f.code, place) for f in chosen for place in places.moved(places.key(f)[1], edits)}
    own = {place for _, place in mended}
    others = [f for f in found if all(f is not finding for finding in chosen)]
    kept = {(f.code, f.message, place) for f in others for place in places.moved(places.key(f)[1], edits)}
    now = _Places(text)
    for finding in after:
        key = now.key(finding)
        if (finding.code, finding.message, key[1]) in kept:
            continue
        if key in mended or (key not in moved and key[1] not in own):
            return None
    return text, after


def _edits(finding: Finding) -> tuple[Edit, ...]:
    return finding.fix.edits if finding.fix is not None else ()


def _has_errors(text: str, filename: str) -> bool:
    return any(unit.errors for unit in parse_file(text, filename))


def _unified(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _lines(text: str) -> list[str]:
    return [line for line in _LINE.findall(text) if line]


def _starts(lines: Sequence[str]) -> list[int]:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    return starts


def _span(starts: Sequence[int], location: Location) -> tuple[int, int]:
    return starts[location.row - 1] + location.column - 1, starts[location.end_row - 1] + location.end_column - 1
