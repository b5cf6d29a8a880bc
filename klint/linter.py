"""The pipeline, for one file and for many: read, parse, judge, heed ``noqa``, sort."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import extract_tb
from typing import TYPE_CHECKING, Any

from klint.config import ConfigError, Settings
from klint.finding import Confidence, Finding
from klint.graph.project import Project, imports_any
from klint.rules import RULES
from klint.rules.base import Diagnosis, Rule
from klint.rules.engine import Analysis, diagnose
from klint.rules.kl905_unused_noqa import UnusedCode
from klint.source.discover import STDIN, Discovery, SourceFile, discover
from klint.source.files import parse_file
from klint.source.python import SourceError, SourceUnit
from klint.source.suppress import Suppressions, names_klint
from klint.torch_model.losses import LOSSES

if TYPE_CHECKING:
    from klint.pyproject import Configuration

_LOSS = re.compile("|".join(name for loss in LOSSES.values() for name in (loss.name, loss.module.removeprefix("nn."))))

Track = Callable[[Sequence[SourceFile]], Iterable[SourceFile]]


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
    linter.lint(text, filename, stdin)
    linter.finish()
    return report


def lint_paths(
    paths: Iterable[str | Path], settings: Settings | Configuration | None = None, track: Track = iter
) -> Report:
    """Lint files and directories; ``-`` is standard input. ``track`` passes the files on, and may show how far it is."""
    return diagnose_paths(paths, settings, track)[1]


def diagnose_paths(
    paths: Iterable[str | Path], settings: Settings | Configuration | None = None, track: Track = iter
) -> tuple[list[Diagnosis], Report]:
    """Like ``lint_paths``, with the claims that ``klint verify`` replays: one for each finding, in the same order."""
    settings = settings or Settings()
    paths = list(paths)
    discovery = find_files(paths, settings)
    report = Report(errors=discovery.errors)
    linter = Linter(settings, report, Project.of_paths(paths).roots)
    texts: dict[str, str] = {}
    for file in track(discovery.files):
        text = file.read()
        if isinstance(text, SourceError):
            report.errors.append(text)
        else:
            texts[file.filename] = text
            linter.lint(text, file.filename, stdin=file.path is None)
    for filename, text in texts.items():
        linter.lint_callers(text, filename)
    return linter.finish(), report


def find_files(paths: Iterable[str | Path], settings: Settings | Configuration) -> Discovery:
    """The files at ``paths`` that the settings do not exclude."""
    here = settings.at(Path.cwd())
    return discover(paths, lambda directory: settings.at(directory).excluded, here.force_exclude, here.stdin_filename)


def names_loss(text: str) -> bool:
    """Whether a file can hold a loss site at all. Most do not, and this settles it without a look at their code."""
    return _LOSS.search(text) is not None


def arrange(diagnoses: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Sort diagnoses by file, place and code; of those with one code at one place, keep the surest, with the shortest case."""

    def weight(diagnosis: Diagnosis) -> tuple[object, ...]:
        finding = diagnosis.finding
        return (finding.confidence is not Confidence.PROVEN, len(finding.related), finding.message, finding.related)

    kept: dict[tuple[object, str], Diagnosis] = {}
    for diagnosis in sorted(diagnoses, key=weight):
        kept.setdefault((diagnosis.finding.location, diagnosis.finding.code), diagnosis)
    return sorted(kept.values(), key=lambda diagnosis: diagnosis.finding.sort_key)


def internal_error(error: BaseException, filename: str) -> SourceError:
    """The line for an error that is klint's own fault."""
    last = extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return SourceError(
        filename, 0, 0, f"internal error{place}: {reason}; please report this line and the file as a bug in klint"
    )


@dataclass(eq=False)
class Linter:
    """Lints the files of one run into one report. Imports are looked for in ``roots`` too."""

    settings: Settings | Configuration
    report: Report
    roots: tuple[str, ...] = ()
    diagnoses: list[Diagnosis] = field(default_factory=list)
    wrappers: set[str] = field(default_factory=set)
    suppressions: dict[tuple[str, int], Suppressions] = field(default_factory=dict)
    filenames: set[str] = field(default_factory=set)
    commented: list[SourceUnit] = field(default_factory=list)
    codes: set[str] = field(default_factory=set)
    projects: dict[tuple[str, ...], Project] = field(default_factory=dict)
    unsaved: Mapping[str, str] = field(default_factory=dict)

    def lint(self, text: str, filename: str, stdin: bool = False) -> None:
        """Judge one file."""
        self.codes.update(rule.code for rule in self.settings.of(filename).rules)
        self.report.files += 1
        self.filenames.add(filename)
        for unit in parse_file(text, filename, stdin):
            self.report.errors += unit.errors
            if names_klint(unit.text):
                self.commented.append(unit)
            if names_loss(unit.text):
                analysis = self._judge(unit)
                self.report.sites += analysis.sites
                self.report.understood += analysis.understood
                self.wrappers |= analysis.wrappers

    def lint_callers(self, text: str, filename: str) -> None:
        """Judge the sites of other files once more as this one calls them, if it names any of the functions they are in."""
        if not self.wrappers or not self.settings.of(filename).project:
            return
        named = frozenset(name for name in self.wrappers if name in text)
        for unit in parse_file(text, filename) if named else ():
            called = imports_any(unit.tree, named)
            if called:
                self._judge(unit, called)

    def _judge(self, unit: SourceUnit, wanted: frozenset[str] = frozenset()) -> Analysis:
        """The analysis of one file, of which what may be heard is kept."""
        try:
            analysis = diagnose(unit, self._rules(unit, wanted), self._project(unit), wanted)
            audible = list(self._audible(analysis))
        except ConfigError:
            raise
        except Exception as error:  # one file must not cost the findings of the others
            self.report.errors.append(internal_error(error, unit.filename))
            return Analysis()
        self.diagnoses += audible
        return analysis

    def _rules(self, unit: SourceUnit, wanted: frozenset[str]) -> Sequence[Rule[Any]]:
        """The rules to ask: those of the file, or of any where it may be about the sites of other files."""
        if not wanted:
            return self.settings.of(unit.filename).rules
        return [rule for rule in RULES if rule.code in self.codes]

    def _project(self, unit: SourceUnit) -> Project | None:
        """Where the imports of a file may lead: files with the same roots share what is parsed."""
        settings = self.settings.of(unit.filename)
        if not settings.project:
            return None
        roots = (*self.roots, *settings.src)
        return self.projects.setdefault(roots, Project(roots, self.unsaved))

    def _audible(self, analysis: Analysis) -> Iterator[Diagnosis]:
        """The diagnoses that neither the settings nor a comment silences, with the row where such a comment would stand."""
        for diagnosis in analysis.diagnoses:
            finding = diagnosis.finding
            unit = analysis.units[finding.location.filename]
            row = unit.inward(finding.location).row
            suppressions = self._suppressions(unit)
            if not suppressions.silences(finding.code, row) and self.settings.of(unit.filename).admits(finding):
                self.report.sources.update(unit.sources)
                noqa_row = unit.file_row(suppressions.comment_row(row))
                yield replace(diagnosis, finding=replace(finding, noqa_row=noqa_row))

    def _suppressions(self, unit: SourceUnit) -> Suppressions:
        key = unit.filename, unit.part
        if key not in self.suppressions:
            self.suppressions[key] = Suppressions(unit.lines)
        return self.suppressions[key]

    def _judge_comments(self) -> None:
        """The codes of klint's own in ``noqa`` comments that have silenced nothing, once all files are judged."""
        for unit in self.commented:
            on = {rule.code for rule in self.settings.of(unit.filename).rules}
            rules = [rule for rule in self.settings.of(unit.filename).rules if rule.site is UnusedCode]
            for place in self._suppressions(unit).unused() if rules else ():
                meant = {rule.code for rule in RULES if rule.code.startswith(place.code)}
                if place.code.startswith("KL") and meant <= on:  # a rule that is off says nothing about its comments
                    drafts = [(rule, draft) for rule in rules for draft in rule.check(UnusedCode(unit, place))]
                    found = {draft.anchor.unit.filename: draft.anchor.unit for _, draft in drafts}
                    analysis = Analysis([rule.diagnosis(draft) for rule, draft in drafts], units=found)
                    self.diagnoses += self._audible(analysis)

    def finish(self) -> list[Diagnosis]:
        """Put the report in order; the diagnoses, one for each of its findings. Files that were not asked for are left out."""
        self._judge_comments()
        self.report.filenames = frozenset(self.filenames)
        self.report.followed = frozenset().union(*(project.followed for project in self.projects.values()))
        diagnoses = arrange(d for d in self.diagnoses if d.finding.location.filename in self.filenames)
        self.report.findings = [diagnosis.finding for diagnosis in diagnoses]
        self.report.errors.sort(key=lambda error: error.sort_key)
        return diagnoses
