"""Adding ``noqa`` comments: each finding is silenced on the row where that counts, and nothing else is touched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from klint.config import Settings
from klint.finding import Edit, Finding
from klint.fix import apply_edits
from klint.linter import lint_paths
from klint.rules.fixes import safe
from klint.source.discover import STDIN
from klint.source.files import in_text, parse_file
from klint.source.python import SourceError, SourceUnit
from klint.source.suppress import Suppressions
from klint.source.write import decode_exactly, encoding_of, write_file

if TYPE_CHECKING:
    from klint.pyproject import Configuration


class NoqaError(ValueError):
    """A run that cannot be meant."""


@dataclass
class NoqaReport:
    """What came of a run: how many findings comments silence now, the files that have them, and what could not be done."""

    silenced: int = 0
    files: list[str] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)


@dataclass(frozen=True)
class _Place:
    """A row of a module where a comment counts, and the findings that it silences."""

    part: int
    row: int
    findings: tuple[Finding, ...]


def add_noqa(paths: Iterable[str | Path], settings: Settings | Configuration | None = None) -> NoqaReport:
    """Silence the findings in files and directories by comments. Files that do not parse are left alone."""
    paths = list(paths)
    if STDIN in map(str, paths):
        raise NoqaError("comments can be added to files, not to standard input")
    linted = lint_paths(paths, settings)
    report = NoqaReport(errors=linted.errors)
    broken = {error.filename for error in linted.errors}
    by_file: dict[str, list[Finding]] = defaultdict(list)
    for finding in linted.findings:
        if finding.location.filename not in broken:
            by_file[finding.location.filename].append(finding)
    for filename, findings in by_file.items():
        _silence_file(filename, findings, report)
    return report


def comment_edits(text: str, filename: str, finding: Finding) -> tuple[Edit, ...]:
    """The edits by which a comment silences one finding of a text; none where no comment can."""
    _, edits = next(iter(_comments(text, filename, [finding])), (None, ()))
    return edits


def _silence_file(filename: str, findings: Sequence[Finding], report: NoqaReport) -> None:
    try:
        data = Path(filename).read_bytes()
        text = decode_exactly(data, filename)
        if isinstance(text, SourceError):
            report.errors.append(text)
            return
        after, silenced = _silenced(text, filename, findings)
        if silenced:
            write_file(Path(filename), after.encode(encoding_of(data, filename)), data)
            report.files.append(filename)
    except OSError as error:
        report.errors.append(SourceError(filename, 0, 0, f"cannot be changed: {error.strerror or error}"))
        return
    report.silenced += len(silenced)
    for finding in findings:
        if finding not in silenced:
            place = finding.location
            problem = f"{finding.code} cannot be silenced: the line has another noqa in front, which counts for flake8"
            report.errors.append(SourceError(filename, place.row, place.column, problem, place.cell))


def _silenced(text: str, filename: str, findings: Sequence[Finding]) -> tuple[str, list[Finding]]:
    """A text with comments for findings, and those of them that the comments silence: the others have none."""
    before = text.replace("\r\n", "\n").replace("\r", "\n")
    comments = _comments(before, filename, findings)
    after = apply_edits(text, (edit for _, edits in comments for edit in edits))
    return after, [finding for place, _ in comments for finding in place.findings]


def _comments(text: str, filename: str, findings: Sequence[Finding]) -> list[tuple[_Place, tuple[Edit, ...]]]:
    """The places where comments silence findings, and the edits that write them."""
    units = parse_file(text, filename)
    before = [Suppressions(unit.lines) for unit in units]
    places = _places(units, before, findings)
    edits = {place: _edits(text, filename, units[place.part], before[place.part], place) for place in places}
    trial = parse_file(apply_edits(text, (edit for each in edits.values() for edit in each)), filename)
    comments = [Suppressions(unit.lines) for unit in trial]
    return [
        (place, edits[place])
        for place in places
        if all(comments[place.part].silences(finding.code, place.row) for finding in place.findings)
    ]


def _places(units: Sequence[SourceUnit], comments: Sequence[Suppressions], findings: Iterable[Finding]) -> list[_Place]:
    rows: dict[tuple[int, int], list[Finding]] = defaultdict(list)
    for finding in findings:
        for part, unit in enumerate(units):
            try:
                row = unit.inward(finding.location).row
            except KeyError:  # it stands in another module of the file
                continue
            rows[part, comments[part].comment_row(row)].append(finding)
            break
    return [_Place(part, row, tuple(each)) for (part, row), each in rows.items()]


def _edits(text: str, filename: str, unit: SourceUnit, comments: Suppressions, place: _Place) -> tuple[Edit, ...]:
    """The comment of a place as edits of the file's text."""
    codes = {finding.code for finding in place.findings}
    start, end, content = comments.comment_for(codes, place.row)
    offset = unit.offset(place.row, 1)
    edit = Edit(unit.between(offset + start, offset + end), content)
    carrier = replace(place.findings[0], fix=safe("Add a noqa comment", (edit,)))
    (carrier,) = in_text(text, filename, [carrier])
    return carrier.fix.edits if carrier.fix is not None else ()
