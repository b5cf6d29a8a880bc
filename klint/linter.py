"""The pipeline, for one file and for many: read, parse, judge, heed ``noqa``, sort."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import extract_tb

from klint.config import Settings
from klint.finding import Confidence, Finding
from klint.graph.project import Project, imports_any
from klint.rules import RULES
from klint.rules.base import Diagnosis
from klint.rules.engine import Analysis, diagnose
from klint.rules.kl905_unused_noqa import UnusedCode
from klint.source.discover import STDIN, discover
from klint.source.python import SourceError, SourceUnit, parse_source
from klint.source.suppress import Suppressions
from klint.torch_model.losses import LOSSES

_LOSS = re.compile("|".join(name for loss in LOSSES.values() for name in (loss.name, loss.module.removeprefix("nn."))))
_NOQA = re.compile(r"# noqa:.*KL", re.IGNORECASE)


@dataclass
class Report:
    """What came of a run.

    ``errors`` are the files, or parts of files, that could not be linted. Of ``sites`` loss sites, ``understood`` were
    judged: nothing is known of the others. ``sources`` holds the lines of the files with findings.
    """

    findings: list[Finding] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)
    files: int = 0
    sites: int = 0
    understood: int = 0
    sources: dict[str, list[str]] = field(default_factory=dict)


def lint_source(text: str, filename: str = STDIN, settings: Settings | None = None) -> Report:
    """Lint the text of one Python file; ``filename`` is what the findings call it.

    What the file imports from its project is read from disk, unless ``settings.project`` is off.
    """
    settings = settings or Settings()
    report = Report()
    linter = Linter(settings, report, Project() if settings.project else None)
    linter.lint(text, filename)
    linter.finish()
    return report


def lint_paths(paths: Iterable[str | Path], settings: Settings | None = None) -> Report:
    """Lint files and directories; ``-`` is standard input."""
    return diagnose_paths(paths, settings)[1]


def diagnose_paths(paths: Iterable[str | Path], settings: Settings | None = None) -> tuple[list[Diagnosis], Report]:
    """Like ``lint_paths``, with the claims that ``klint verify`` replays: one for each finding, in the same order."""
    settings = settings or Settings()
    paths = list(paths)
    discovery = discover(paths, settings.exclude, settings.force_exclude, settings.stdin_filename)
    report = Report(errors=discovery.errors)
    linter = Linter(settings, report, Project.of_paths(paths) if settings.project else None)
    texts: dict[str, str] = {}
    for file in discovery.files:
        text = file.read()
        if isinstance(text, SourceError):
            report.errors.append(text)
        else:
            texts[file.filename] = text
            linter.lint(text, file.filename)
    for filename, text in texts.items():
        linter.lint_callers(text, filename)
    return linter.finish(), report


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
    """Lints the files of one run, of which all share the settings, the report and the project."""

    settings: Settings
    report: Report
    project: Project | None = None
    diagnoses: list[Diagnosis] = field(default_factory=list)
    wrappers: set[str] = field(default_factory=set)
    suppressions: dict[str, Suppressions] = field(default_factory=dict)
    filenames: set[str] = field(default_factory=set)
    commented: list[SourceUnit] = field(default_factory=list)

    def lint(self, text: str, filename: str) -> None:
        """Judge one file."""
        unit = parse_source(text, filename)
        self.report.files += 1
        self.filenames.add(filename)
        self.report.errors += unit.errors
        if _NOQA.search(text):
            self.commented.append(unit)
        if names_loss(text):
            analysis = self._judge(unit)
            self.report.sites += analysis.sites
            self.report.understood += analysis.understood
            self.wrappers |= analysis.wrappers

    def lint_callers(self, text: str, filename: str) -> None:
        """Judge the sites of other files once more as this one calls them, if it names any of the functions they are in."""
        if self.project is None or not self.wrappers:
            return
        named = frozenset(name for name in self.wrappers if name in text)
        if named:
            unit = parse_source(text, filename)
            called = imports_any(unit.tree, named)
            if called:
                self._judge(unit, called)

    def _judge(self, unit: SourceUnit, wanted: frozenset[str] = frozenset()) -> Analysis:
        """The analysis of one file, of which what may be heard is kept."""
        try:
            analysis = diagnose(unit, self.settings.rules, self.project, wanted)
            audible = list(self._audible(analysis))
        except Exception as error:  # one file must not cost the findings of the others
            self.report.errors.append(internal_error(error, unit.filename))
            return Analysis()
        self.diagnoses += audible
        return analysis

    def _audible(self, analysis: Analysis) -> Iterator[Diagnosis]:
        """The diagnoses that neither the settings nor a comment silences, with the row where such a comment would stand."""
        for diagnosis in analysis.diagnoses:
            finding = diagnosis.finding
            unit, row = analysis.units[finding.location.filename], finding.location.row
            suppressions = self._suppressions(unit)
            if not suppressions.silences(finding.code, row) and self.settings.admits(finding):
                self.report.sources[unit.filename] = unit.lines
                yield replace(diagnosis, finding=replace(finding, noqa_row=suppressions.comment_row(row)))

    def _suppressions(self, unit: SourceUnit) -> Suppressions:
        if unit.filename not in self.suppressions:
            self.suppressions[unit.filename] = Suppressions(unit.lines)
        return self.suppressions[unit.filename]

    def _judge_comments(self) -> None:
        """The codes of klint's own in ``noqa`` comments that have silenced nothing, once all files are judged."""
        rules = [rule for rule in self.settings.rules if rule.site is UnusedCode]
        on = {rule.code for rule in self.settings.rules}
        for unit in self.commented if rules else ():
            for place in self._suppressions(unit).unused():
                meant = {rule.code for rule in RULES if rule.code.startswith(place.code)}
                if place.code.startswith("KL") and meant <= on:  # a rule that is off says nothing about its comments
                    drafts = [(rule, draft) for rule in rules for draft in rule.check(UnusedCode(unit, place))]
                    found = {draft.anchor.unit.filename: draft.anchor.unit for _, draft in drafts}
                    analysis = Analysis([rule.diagnosis(draft) for rule, draft in drafts], units=found)
                    self.diagnoses += self._audible(analysis)

    def finish(self) -> list[Diagnosis]:
        """Put the report in order; the diagnoses, one for each of its findings. Files that were not asked for are left out."""
        self._judge_comments()
        diagnoses = arrange(d for d in self.diagnoses if d.finding.location.filename in self.filenames)
        self.report.findings = [diagnosis.finding for diagnosis in diagnoses]
        self.report.errors.sort(key=lambda error: (error.filename, error.row, error.column, error.message))
        return diagnoses
