"""Mending code by the fixes of its findings: whole fixes only, until there is nothing left to mend, and never over a stranger's change.

A fix counts if the code parses after it, its finding is gone, and no other place has a finding that it had not before; else it is undone.
"""

from __future__ import annotations

import difflib
import os
import re
import stat
import sys
import tempfile
import tokenize
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from klint.config import Settings
from klint.finding import Applicability, Edit, Finding, Location
from klint.linter import Report, lint_paths, lint_source
from klint.source.discover import STDIN, discover
from klint.source.python import SourceError, decode_source, parse_source

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


def fix_text(text: str, lint: Lint, unsafe: bool = False) -> FixedText:
    """Apply the fixes of a text's findings until none is left; ``unsafe`` admits those that change the value."""
    if _has_errors(text):
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
        after = _attempt(places, found, chosen, edits, lint)
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


def fix_source(text: str, filename: str, settings: Settings | None = None, unsafe: bool = False) -> FixedFile:
    """Fix the text of one Python file; its newlines are kept as they are."""
    fixed = fix_text(_unified(text), lambda changed: lint_source(changed, filename, settings).findings, unsafe)
    after = text
    for edits in fixed.rounds:
        after = apply_edits(after, edits)
    return FixedFile(filename, text, after, fixed.fixed)


def fix_paths(
    paths: Iterable[str | Path], settings: Settings | None = None, unsafe: bool = False, write: bool = True
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


def _fix_file(filename: str, settings: Settings, unsafe: bool, write: bool) -> FixedFile | SourceError:
    try:
        data = Path(filename).read_bytes()
        text = _decode(data, filename)
        if isinstance(text, SourceError):
            return text
        fixed = fix_source(text, filename, settings, unsafe)
        if write and fixed.fixed:
            _write(Path(filename), data, fixed.after)
    except OSError as error:
        return SourceError(filename, 0, 0, f"cannot be fixed: {error.strerror or error}")
    return fixed


def _fix_stdin(settings: Settings, unsafe: bool) -> FixReport:
    data = sys.stdin.buffer.read()
    report = FixReport(source=data)
    for file in discover([STDIN], settings.exclude, settings.force_exclude, settings.stdin_filename).files:
        text = _decode(data, file.filename)
        if isinstance(text, SourceError):
            report.remaining.errors.append(text)
            continue
        fixed = fix_source(text, file.filename, settings, unsafe)
        report.source = fixed.after.encode(_encoding(data))
        report.files += [fixed] if fixed.fixed else []
        report.remaining = lint_source(_unified(fixed.after), file.filename, settings)
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
    for finding in findings:
        own = _edits(finding)
        if all(edit in taken for edit in own) or not any(
            _touch(places, edit, other) for edit in own for other in taken
        ):
            chosen.append(finding)
            taken.update(own)
    return chosen


def _touch(places: _Places, one: Edit, other: Edit) -> bool:
    (start, end), (first, last) = places.span(one.location), places.span(other.location)
    return start == first or (start < last and first < end)


def _attempt(
    places: _Places, found: Sequence[Finding], chosen: Sequence[Finding], edits: Sequence[Edit], lint: Lint
) -> tuple[str, list[Finding]] | None:
    """The text and its findings after some fixes; None where they do not keep their promise."""
    text = apply_edits(places.text, edits)
    if text == places.text or _has_errors(text):
        return None
    after = list(lint(text))
    moved = {(f.code, place) for f in found for place in places.moved(places.key(f)[1], edits)}
    mended = {(f.code, place) for f in chosen for place in places.moved(places.key(f)[1], edits)}
    own = {place for _, place in mended}
    now = _Places(text)
    for finding in after:
        key = now.key(finding)
        if key in mended or (key not in moved and key[1] not in own):
            return None
    return text, after


def _edits(finding: Finding) -> tuple[Edit, ...]:
    return finding.fix.edits if finding.fix is not None else ()


def _has_errors(text: str) -> bool:
    return bool(parse_source(text, "").errors)


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


# Files.


def _decode(data: bytes, filename: str) -> str | SourceError:
    """The text with its newlines as they are, if it is sure to come back as the same bytes."""
    text = decode_source(data, filename)
    if isinstance(text, SourceError):
        return text
    encoding = _encoding(data)
    decoded = data.decode(encoding)
    if decoded.encode(encoding) != data:
        return SourceError(filename, 0, 0, f"cannot be fixed: other bytes than these are its text in {encoding} too")
    return decoded


def _encoding(data: bytes) -> str:
    """The encoding that Python reads a module in; that of a byte order mark writes the mark again."""
    try:
        return tokenize.detect_encoding(BytesIO(data).readline)[0]
    except SyntaxError:
        return "utf-8"


def _write(path: Path, before: bytes, text: str) -> None:
    """Put the text in the file's place at once, with its encoding and mode; ``OSError`` if the file has changed meanwhile."""
    target = Path(os.path.realpath(path))  # a link stays a link
    data = text.encode(_encoding(before))
    if not os.access(target, os.W_OK):
        raise PermissionError(13, "it may not be written")
    known = target.stat()
    handle, temporary = tempfile.mkstemp(prefix=".klint-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(known.st_mode))
        if target.read_bytes() != before:
            raise OSError("it has changed since it was read")
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
