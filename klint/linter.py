"""The pipeline, for one file and for many: read, parse, judge, heed ``noqa``, sort."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from klint.codes import NAMES
from klint.config import Settings
from klint.levels import Confidence
from klint.source.discover import STDIN, Discovery, SourceFile, discover, roots_of
from klint.source.files import parse_file
from klint.source.python import SourceError, SourceUnit, read_source
from klint.source.suppress import Suppressions, names_klint
from klint.workers import Answer, Part, Projects, Task, Workers, default_jobs

if TYPE_CHECKING:
    from klint.cache import Cache
    from klint.finding import Diagnosis, Finding
    from klint.pyproject import Configuration

COMMENTS = "KL905"
"""The rule about ``noqa`` comments: they are looked for only where it is on."""

Track = Callable[[Sequence[Task]], Iterable[Task]]


@dataclass
class Report:
    """What came of a run.

    ``errors`` are the files, or parts of files, that could not be linted; ``filenames`` are those that were. Of ``sites`` loss sites, ``understood`` were
    judged: nothing is known of the others. ``followed`` are the files that imports led to. ``sources`` holds the lines of the files with findings.
    """

    findings: list[Finding] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)
    files: int = 0
    sites: int = 0
    understood: int = 0
    filenames: frozenset[str] = frozenset()
    followed: frozenset[str] = frozenset()
    sources: dict[str, list[str]] = field(default_factory=dict)


def lint_source(
    text: str,
    filename: str = STDIN,
    settings: Settings | Configuration | None = None,
    stdin: bool = False,
    unsaved: Mapping[str, str] | None = None,
) -> Report:
    """Lint the text of one file; ``filename`` is what the findings call it, and says of what kind the text is.

    What the file imports from its project is read from disk, unless ``settings.project`` is off, or is among the
    ``unsaved`` texts of an editor. Text from ``stdin`` may be a notebook's cell, whose imports are in other cells.
    """
    settings = settings or Settings()
    report = Report()
    linter = Linter(settings, report, unsaved=unsaved or {})
    task = linter.task(filename, text, stdin)
    linter.hear(task, linter.projects.judge(task))
    linter.finish()
    return report


def lint_paths(
    paths: Iterable[str | Path],
    settings: Settings | Configuration | None = None,
    track: Track = iter,
    jobs: int | None = None,
    cache_dir: str | Path | None = None,
) -> Report:
    """Lint files and directories; ``-`` is standard input.

    ``track`` passes on the files that are judged, and may show how far it is. ``jobs`` is how many processes may work at once (None: as many
    as there are cores), ``cache_dir`` where results are kept from run to run (None: nowhere); the report does not depend on them.
    """
    return _lint(paths, settings, track, default_jobs() if jobs is None else jobs, cache_dir)[1]


def diagnose_paths(
    paths: Iterable[str | Path], settings: Settings | Configuration | None = None, track: Track = iter
) -> tuple[list[Diagnosis], Report]:
    """Like ``lint_paths``, with the claims that ``klint verify`` replays: one for each finding, in the same order."""
    return _lint(paths, settings, track, 1)


def _lint(
    paths: Iterable[str | Path],
    settings: Settings | Configuration | None,
    track: Track,
    jobs: int,
    cache_dir: str | Path | None = None,
) -> tuple[list[Diagnosis], Report]:
    settings = settings or Settings()
    paths = list(paths)
    discovery = find_files(paths, settings)
    report = Report(errors=discovery.errors)
    linter = Linter(settings, report, roots_of(paths))
    with Workers(linter.projects, jobs) as workers, _kept(cache_dir, workers) as judges:
        tasks = [*linter.tasks(discovery.files, judges)]
        for task, answer in zip(track(tasks), judges.judge(tasks), strict=True):
            linter.hear(task, answer)
        callers = [*linter.callers(tasks, judges)]
        for task, answer in zip(callers, judges.judge(callers), strict=True):
            linter.hear(task, answer)
    return linter.finish(), report


def _kept(directory: str | Path | None, workers: Workers) -> AbstractContextManager[Workers | Cache]:
    """The workers, with the results that are kept in a directory; without where none is given, or Python was built without SQLite."""
    if directory is None:
        return nullcontext(workers)
    try:
        from klint.cache import Cache
    except ImportError:
        return nullcontext(workers)
    return Cache(directory, workers)


def find_files(paths: Iterable[str | Path], settings: Settings | Configuration) -> Discovery:
    """The files at ``paths`` that the settings do not exclude."""
    here = settings.at(os.getcwd())
    return discover(paths, lambda directory: settings.at(directory).excluded, here.force_exclude, here.stdin_filename)


def arrange(diagnoses: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Sort diagnoses by file, place and code; of those with one code at one place, keep the surest, with the shortest case."""

    def weight(diagnosis: Diagnosis) -> tuple[object, ...]:
        finding = diagnosis.finding
        return (finding.confidence is not Confidence.PROVEN, len(finding.related), finding.message, finding.related)

    kept: dict[tuple[object, str], Diagnosis] = {}
    for diagnosis in sorted(diagnoses, key=weight):
        kept.setdefault((diagnosis.finding.location, diagnosis.finding.code), diagnosis)
    return sorted(kept.values(), key=lambda diagnosis: diagnosis.finding.sort_key)


@dataclass(eq=False)
class Linter:
    """Hears the answers to the tasks of one run, and makes one report of them. Imports are looked for in ``roots`` too."""

    settings: Settings | Configuration
    report: Report
    roots: tuple[str, ...] = ()
    unsaved: Mapping[str, str] = field(default_factory=dict)
    diagnoses: list[Diagnosis] = field(default_factory=list)
    wrappers: set[str] = field(default_factory=set)
    suppressions: dict[Part, Suppressions] = field(default_factory=dict)
    filenames: set[str] = field(default_factory=set)
    commented: list[SourceUnit] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    followed: set[str] = field(default_factory=set)
    parsed: dict[Part, SourceUnit] = field(default_factory=dict)
    _found: dict[str, Settings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.projects = Projects(self.unsaved)

    def tasks(self, files: Iterable[SourceFile], judges: Workers | Cache) -> Iterator[Task]:
        """What is to be judged in files; those that hold no loss are settled by a look at their bytes."""
        filenames: list[str] = []
        for file in files:
            if not file.flows:
                filenames.append(file.filename)
                continue
            text = file.read()  # a pipe can be read once, a file by every process that needs it
            if isinstance(text, SourceError):
                self.report.errors.append(text)
            else:
                yield self.task(file.filename, text, stdin=file.path is None)
        for filename in filenames:
            self._settings(filename)  # what is wrong with them is told before anything is judged
        comments = any(COMMENTS in settings.codes for settings in self._found.values())
        for filename, look in zip(filenames, judges.look(filenames, comments), strict=True):
            if isinstance(look, SourceError):
                self.report.errors.append(look)
            elif look.names_loss:
                yield self.task(filename)
            else:
                self._count(filename)
                if look.names_klint:
                    self._hear_comments(filename, self._units(filename, None))

    def task(self, filename: str, text: str | None = None, stdin: bool = False) -> Task:
        """What is to be judged in a file."""
        settings = self._settings(filename)
        self.codes |= settings.codes
        return Task(filename, settings.codes, text, self._roots(settings), stdin)

    def callers(self, tasks: Iterable[Task], judges: Workers | Cache) -> Iterator[Task]:
        """What is to be judged once more: files that take functions from others whose sites depend on their callers.

        That may be about the sites of other files: any rule that is on for one of them is asked.
        """
        if not self.wrappers:
            return
        wrappers, codes = frozenset(self.wrappers), frozenset(self.codes)
        given = {task.filename: task for task in tasks if task.text is not None and task.roots is not None}
        for filename in sorted(self.filenames & given.keys()):
            yield replace(given[filename], codes=codes, wanted=wrappers)
        others = [name for name in sorted(self.filenames) if name not in given and self._settings(name).project]
        for filename, taken in zip(others, judges.takes(others, wrappers), strict=True):
            if taken:
                yield replace(self.task(filename), codes=codes, wanted=taken)

    def _settings(self, filename: str) -> Settings:
        """The settings of a file: those of all files in its directory."""
        directory = filename.rpartition(os.sep)[0]
        if directory not in self._found:
            self._found[directory] = self.settings.of(filename)
        return self._found[directory]

    def _roots(self, settings: Settings) -> tuple[str, ...] | None:
        return (*self.roots, *settings.src) if settings.project else None

    def hear(self, task: Task, answer: Answer) -> None:
        """Take the answer to a task into the report."""
        self.report.errors += answer.errors
        self.report.sites += answer.sites
        self.report.understood += answer.understood
        self.followed |= answer.dependencies.digests.keys()
        if not task.wanted and answer.is_read:
            self._count(task.filename)
            self.wrappers |= answer.wrappers
            if answer.is_commented and COMMENTS in task.codes:
                self._hear_comments(task.filename, answer.units.values() or self._units(task.filename, task))
        for diagnosis, part in answer.diagnoses:
            self._hear(diagnosis, answer.units.get(part) or self._parse(part, task))

    def _count(self, filename: str) -> None:
        self.report.files += 1
        self.filenames.add(filename)

    def _hear_comments(self, filename: str, units: Iterable[SourceUnit]) -> None:
        self.commented += [unit for unit in units if unit.filename == filename and names_klint(unit.text)]

    def _hear(self, diagnosis: Diagnosis, unit: SourceUnit) -> None:
        """Take up a diagnosis that neither the settings nor a comment silences, with the row where such a comment would stand."""
        finding = diagnosis.finding
        row = unit.inward(finding.location).row
        suppressions = self._suppressions(unit)
        if not suppressions.silences(finding.code, row) and self.settings.of(unit.filename).admits(finding):
            self.report.sources.update(unit.sources)
            noqa_row = unit.file_row(suppressions.comment_row(row))
            self.diagnoses.append(replace(diagnosis, finding=replace(finding, noqa_row=noqa_row)))

    def _parse(self, part: Part, task: Task) -> SourceUnit:
        """A module that another process has judged: it is parsed here only if there is a finding in it."""
        if part not in self.parsed:
            self.parsed |= {(unit.filename, unit.part): unit for unit in self._units(part[0], task)}
        return self.parsed[part]

    def _units(self, filename: str, task: Task | None) -> list[SourceUnit]:
        own = task is not None and task.filename == filename
        text = task.read() if task is not None and own else read_source(filename, filename)
        return [] if isinstance(text, SourceError) else parse_file(text, filename, task is not None and task.stdin)

    def _suppressions(self, unit: SourceUnit) -> Suppressions:
        key = unit.filename, unit.part
        if key not in self.suppressions:
            self.suppressions[key] = Suppressions(unit.lines)
        return self.suppressions[key]

    def _judge_comments(self) -> None:
        """The codes of klint's own in ``noqa`` comments that have silenced nothing, once all files are judged."""
        if not self.commented:
            return
        from klint.rules.kl905_unused_noqa import UnusedCode, UnusedNoqa  # few files have such comments

        rule = UnusedNoqa()
        for unit in self.commented:
            on = self.settings.of(unit.filename).codes
            for place in self._suppressions(unit).unused() if rule.code in on else ():
                meant = {code for code in NAMES if code.startswith(place.code)}
                if place.code.startswith("KL") and meant <= on:  # a rule that is off says nothing about its comments
                    for draft in rule.check(UnusedCode(unit, place)):
                        self._hear(rule.diagnosis(draft), unit)

    def finish(self) -> list[Diagnosis]:
        """Put the report in order; the diagnoses, one for each of its findings. Files that were not asked for are left out."""
        self._judge_comments()
        self.report.filenames = frozenset(self.filenames)
        self.report.followed = frozenset(self.followed)
        diagnoses = arrange(d for d in self.diagnoses if d.finding.location.filename in self.filenames)
        self.report.findings = [diagnosis.finding for diagnosis in diagnoses]
        self.report.errors.sort(key=lambda error: error.sort_key)
        return diagnoses
