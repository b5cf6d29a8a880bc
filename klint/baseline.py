"""A baseline: findings that are old, told by what stands in the code and not by where, and the file that holds them."""

from __future__ import annotations

import ast
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from klint.config import Settings
from klint.finding import Finding, Location
from klint.fingerprint import stretch
from klint.linter import Report
from klint.source.python import SourceUnit, parse_source
from klint.source.write import write_file

if TYPE_CHECKING:
    from klint.pyproject import Configuration

VERSION = 1

EXAMPLES = 3
"""How many entries that match nothing are named."""

_TRAILING_COMMA = re.compile(r",(?=[)\]}])")


class BaselineError(ValueError):
    """A file that cannot be a baseline, or cannot be written: one line."""


@dataclass(frozen=True, order=True)
class Entry:
    """What an old finding is known by: its file, seen from the baseline's, its code, the text it is about, and the statement around."""

    filename: str
    code: str
    expression: str
    statement: str

    @property
    def key(self) -> tuple[str, ...]:
        """What two entries have in common that mean the same: white space and trailing commas count for nothing."""
        return (self.filename, self.code, *map(_bare, (self.expression, self.statement)))


@dataclass(frozen=True)
class Silenced:
    """A report without its old findings, how many they were, and the entries that match nothing any more."""

    report: Report
    count: int
    stale: tuple[Entry, ...]


@dataclass
class Baseline:
    """The entries of a file, each with how many findings are meant, and the bytes that the file held."""

    path: Path
    entries: Counter[Entry]
    before: bytes | None = None

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """The baseline in a file; one without entries where there is no such file."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return cls(path, Counter())
        except OSError as error:
            raise BaselineError(f"{path}: cannot be read: {error.strerror or error}") from error
        try:
            document = json.loads(data)
            if document["version"] != VERSION:
                raise BaselineError(f"{path}: is of version {document['version']}, and this klint reads {VERSION}")
            entries = Counter[Entry]()
            for item in document["findings"]:
                count = item.pop("count")
                entry = Entry(**item)
                entries[entry] += int(count)
                if not all(isinstance(value, str) for value in item.values()):
                    raise TypeError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            if isinstance(error, BaselineError):
                raise
            raise BaselineError(f"{path}: is no baseline of klint's; give another name, or delete it") from error
        return cls(path, entries, data)

    def silence(self, report: Report, settings: Settings | Configuration) -> Silenced:
        """Take the old findings out of a report: of those that are alike, the first.

        Entries are stale only where their file was judged by their rule.
        """
        left = Counter[tuple[str, ...]]()
        for entry, count in self.entries.items():
            left[entry.key] += count
        new = []
        for finding, entry in zip(report.findings, _entries(report, self.path.parent), strict=True):
            if left[entry.key] > 0:
                left[entry.key] -= 1
            else:
                new.append(finding)
        judged = self._judged(report, settings)
        stale = tuple(entry for entry in sorted(self.entries) if left[entry.key] > 0 and judged(entry))
        return Silenced(replace(report, findings=new), len(report.findings) - len(new), stale)

    def write(self, report: Report, settings: Settings | Configuration) -> int:
        """Make the findings of a report the old ones, and say how many the file holds; what it has not judged stays."""
        judged = self._judged(report, settings)
        kept = Counter({entry: count for entry, count in self.entries.items() if not judged(entry)})
        entries = kept + Counter(_entries(report, self.path.parent))
        items = [{**vars(entry), "count": count} for entry, count in sorted(entries.items())]
        text = json.dumps({"version": VERSION, "findings": items}, indent=2, ensure_ascii=False) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self.path, text.encode("utf-8", "backslashreplace"), self.before)
        except OSError as error:
            raise BaselineError(f"{self.path}: cannot be written: {error.strerror or error}") from error
        return sum(entries.values())

    def _judged(self, report: Report, settings: Settings | Configuration) -> Callable[[Entry], bool]:
        """Whether a report says all there is to say about an entry: files that are gone have no findings."""
        names = {_name(filename, self.path.parent): filename for filename in report.filenames}
        broken = {error.filename for error in report.errors}

        def judged(entry: Entry) -> bool:
            if entry.filename not in names:
                return not os.path.exists(self.path.parent / entry.filename)
            filename = names[entry.filename]
            return filename not in broken and entry.code in settings.of(filename).codes

        return judged


def apply_baseline(
    path: Path, report: Report, settings: Settings | Configuration, write: bool = False
) -> tuple[Report, list[str]]:
    """A report without its old findings, and what is to be said of them. ``write``, or a file that is not there: all are old."""
    baseline = Baseline.read(path)
    if write or baseline.before is None:
        recorded = baseline.write(report, settings)
        return replace(report, findings=[]), [f"{_counted(recorded, 'finding')} recorded in {path}"]
    silenced = baseline.silence(report, settings)
    said = [f"{_counted(silenced.count, 'old finding')} silenced by {path}"]
    if silenced.stale:
        named = ", ".join(f"{entry.code} in {entry.filename}" for entry in silenced.stale[:EXAMPLES])
        more = f" and {len(silenced.stale) - EXAMPLES} more" if len(silenced.stale) > EXAMPLES else ""
        said.append(f"no longer found: {named}{more}; --write-baseline takes this out of {path}")
    return silenced.report, said


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _entries(report: Report, home: Path) -> Iterator[Entry]:
    """An entry for each finding of a report."""
    statements = _Statements(report)
    for finding in report.findings:
        lines = statements.lines(finding.location)
        yield Entry(
            _name(finding.location.filename, home),
            finding.code,
            _one_line(stretch(finding.location, lines)),
            _one_line(statements.around(finding)),
        )


class _Statements:
    """The statements of the files that a report is about, each file parsed once."""

    def __init__(self, report: Report) -> None:
        self._sources = report.sources
        self._found: dict[str, list[Location]] = {}

    def lines(self, location: Location) -> Sequence[str]:
        return self._sources.get(location.source, ())

    def around(self, finding: Finding) -> str:
        """The innermost statement around a finding, without the statements in it; its lines where there is none."""
        place, lines = finding.location, self.lines(finding.location)
        start = (place.row, place.column)
        inside = [each for each in self._statements(place) if _start(each) <= start < (each.end_row, each.end_column)]
        if not inside:
            return "".join(lines[place.row - 1 : place.end_row])
        own = max(inside, key=_start)
        nested = [_start(each) for each in self._statements(place) if _start(own) < _start(each)]
        end = min([(own.end_row, own.end_column), *nested])
        return stretch(replace(own, end_row=end[0], end_column=end[1]), lines)

    def _statements(self, place: Location) -> list[Location]:
        if place.source not in self._found:
            unit = parse_source("".join(self.lines(place)), place.filename)
            self._found[place.source] = list(_statement_places(unit))
        return self._found[place.source]


def _statement_places(unit: SourceUnit) -> Iterable[Location]:
    return (unit.location(node) for node in ast.walk(unit.tree) if isinstance(node, ast.stmt))


def _start(place: Location) -> tuple[int, int]:
    return place.row, place.column


def _name(filename: str, home: Path) -> str:
    """A file as seen from the directory of the baseline, so that it matters not where klint is started."""
    try:
        return PurePath(os.path.relpath(filename, home)).as_posix()
    except ValueError:  # another drive
        return PurePath(filename).as_posix()


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _bare(text: str) -> str:
    return _TRAILING_COMMA.sub("", "".join(text.split()))
