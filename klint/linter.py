"""The pipeline, for one file and for many: read, parse, judge, heed ``noqa``, sort."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from traceback import extract_tb

from klint.config import Settings
from klint.finding import Finding
from klint.rules.base import Diagnosis
from klint.rules.engine import diagnose
from klint.source.discover import STDIN, discover
from klint.source.python import SourceError, SourceUnit, parse_source
from klint.source.suppress import Suppressions
from klint.torch_model.losses import LOSSES

_LOSS = re.compile("|".join(name for loss in LOSSES.values() for name in (loss.name, loss.module.removeprefix("nn."))))


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
    """Lint the text of one Python file; ``filename`` is what the findings call it."""
    report = Report()
    _finish(_judge(text, filename, settings or Settings(), report), report)
    return report


def lint_paths(paths: Iterable[str | Path], settings: Settings | None = None) -> Report:
    """Lint files and directories; ``-`` is standard input."""
    return diagnose_paths(paths, settings)[1]


def diagnose_paths(paths: Iterable[str | Path], settings: Settings | None = None) -> tuple[list[Diagnosis], Report]:
    """Like ``lint_paths``, with the claims that ``klint verify`` replays: one for each finding, in the same order."""
    settings = settings or Settings()
    discovery = discover(paths, settings.exclude, settings.force_exclude, settings.stdin_filename)
    report = Report(errors=discovery.errors)
    diagnoses: list[Diagnosis] = []
    for file in discovery.files:
        text = file.read()
        if isinstance(text, SourceError):
            report.errors.append(text)
        else:
            diagnoses += _judge(text, file.filename, settings, report)
    return _finish(diagnoses, report), report


def names_loss(text: str) -> bool:
    """Whether a file can hold a loss site at all. Most do not, and this settles it without a look at their code."""
    return _LOSS.search(text) is not None


def arrange(diagnoses: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Sort diagnoses by file, place and code; of those that say the same at the same place, keep one."""
    kept: dict[object, Diagnosis] = {}
    for diagnosis in sorted(diagnoses, key=lambda diagnosis: (diagnosis.finding.sort_key, diagnosis.finding.related)):
        kept.setdefault(diagnosis.finding.sort_key, diagnosis)
    return list(kept.values())


def internal_error(error: BaseException, filename: str) -> SourceError:
    """The line for an error that is klint's own fault."""
    last = extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return SourceError(
        filename, 0, 0, f"internal error{place}: {reason}; please report this line and the file as a bug in klint"
    )


def _judge(text: str, filename: str, settings: Settings, report: Report) -> list[Diagnosis]:
    """The diagnoses of one file; all else that is to be said of it goes to the report."""
    unit = parse_source(text, filename)
    report.files += 1
    report.errors += unit.errors
    if not names_loss(text):
        return []
    try:
        analysis = diagnose(unit, settings.rules)
        diagnoses = list(_audible(analysis.diagnoses, unit, settings))
    except Exception as error:  # one file must not cost the findings of the others
        report.errors.append(internal_error(error, filename))
        return []
    report.sites += analysis.sites
    report.understood += analysis.understood
    if diagnoses:
        report.sources[filename] = unit.lines
    return diagnoses


def _audible(diagnoses: Sequence[Diagnosis], unit: SourceUnit, settings: Settings) -> Iterator[Diagnosis]:
    """The diagnoses that neither the settings nor a comment silences, with the row where such a comment would stand."""
    if not diagnoses:
        return
    suppressions = Suppressions(unit.lines)
    for diagnosis in diagnoses:
        finding = diagnosis.finding
        row = finding.location.row
        if settings.admits(finding) and not suppressions.silences(finding.code, row):
            yield replace(diagnosis, finding=replace(finding, noqa_row=suppressions.comment_row(row)))


def _finish(diagnoses: Iterable[Diagnosis], report: Report) -> list[Diagnosis]:
    arranged = arrange(diagnoses)
    report.findings = [diagnosis.finding for diagnosis in arranged]
    report.errors.sort(key=lambda error: (error.filename, error.row, error.column, error.message))
    return arranged
