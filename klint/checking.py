"""``klint check``: lint, and say what was found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from klint.levels import Applicability
from klint.options import Said, run_configured
from klint.output import COUNTED_FORMATS, FORMATS, TEXT_FORMATS
from klint.terminal import FAILED, FOUND, NOTHING, Failure, complain, plural, shows_colour, write, write_bytes

if TYPE_CHECKING:
    from klint.linter import Report
    from klint.pyproject import Configuration


def run_check(said: Said) -> int:
    """Do what the command line says; the exit status."""
    return run_configured(check, said, lambda here: {"output_format": here.output_format, "cache_dir": here.cache_dir})


def check(
    paths: tuple[str, ...],
    configuration: Configuration,
    output_format: str,
    output_file: str | None,
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
    statistics: bool,
    exit_zero: bool,
    add_noqa: bool,
    baseline: str | None,
    write_baseline: bool,
    jobs: int | None,
    no_cache: bool,
    cache_dir: str,
    quiet: bool,
    verbose: bool,
) -> int:
    """Lint files and directories; the parameters are the options of the command."""
    from klint.linter import lint_paths
    from klint.output.progress import track

    if statistics and output_format not in COUNTED_FORMATS:
        raise Failure(f"--statistics: {output_format} has no counts; take one of {', '.join(COUNTED_FORMATS)}")
    if write_baseline and baseline is None:
        raise Failure("--write-baseline: say with --baseline which file to write")
    if add_noqa:
        if fix or diff:
            raise Failure("--add-noqa: silence or fix, one at a time")
        return _add_noqa(paths, configuration, quiet)
    remarks: list[str] = []
    if fix or diff:
        from klint.fix import FixError, fix_paths

        try:
            fixes = fix_paths(paths or ["."], configuration, unsafe=unsafe_fixes, write=not diff)
        except FixError as error:
            raise Failure(str(error)) from error
        report = fixes.remaining
        if fixes.fixed:
            remarks = [f"{'Would fix' if diff else 'Fixed'} {plural(fixes.fixed, 'error')}"]
        if diff:
            write("".join(file.diff() for file in fixes.files), output_file)
    else:
        keeping = None if no_cache else cache_dir
        report = lint_paths(paths or ["."], configuration, iter if quiet else track, jobs, keeping)
    if not diff:
        if baseline is not None:
            from klint.baseline import BaselineError, apply_baseline

            try:
                report, said = apply_baseline(Path(baseline), report, configuration, write_baseline)
            except BaselineError as error:
                raise Failure(f"--baseline: {error}") from error
            remarks += said
        text = (
            _statistics(report, output_format, unsafe_fixes)
            if statistics
            else _rendered(report, output_format, output_file)
        )
        if fix and fixes.source is not None:
            # what was read from standard input goes on, and what is to be said beside it
            write_bytes(fixes.source)
            sys.stderr.write(text)
        else:
            write(text, output_file)
        remarks += [*_fixable(report, fix, unsafe_fixes), *_remarks(report, verbose)]
    complain(report.errors)
    if output_format in TEXT_FORMATS and not quiet:
        complain(remarks)
    if report.errors:
        return FAILED
    return FOUND if (fixes.files if diff else report.findings) and not exit_zero else NOTHING


def _add_noqa(paths: tuple[str, ...], configuration: Configuration, quiet: bool) -> int:
    from klint.noqa import NoqaError, add_noqa

    try:
        report = add_noqa(paths or ["."], configuration)
    except NoqaError as error:
        raise Failure(f"--add-noqa: {error}") from error
    complain(report.errors)
    if not quiet:
        complain([f"{plural(report.silenced, 'finding')} silenced in {plural(len(report.files), 'file')}"])
    return FAILED if report.errors else NOTHING


def _rendered(report: Report, output_format: str, output_file: str | None) -> str:
    if output_format == "full" and output_file is None and shows_colour():
        from klint.output import text

        return text.render(report, colour=True)
    return FORMATS[output_format](report)


def _statistics(report: Report, output_format: str, unsafe: bool) -> str:
    from klint.output import statistics

    return statistics.render(report, output_format, unsafe)


def _fixable(report: Report, fixing: bool, unsafe: bool) -> list[str]:
    """How many findings have a fix, and the options that apply it."""
    fixes = [finding.fix for finding in report.findings if finding.fix is not None]
    safe = sum(fix.applicability is Applicability.SAFE for fix in fixes)
    if fixing:  # of what is left after fixing, what was asked for has been tried
        return [f"{len(fixes) - safe} more fixable with --unsafe-fixes"] if len(fixes) > safe and not unsafe else []
    if unsafe or not safe:
        return [f"{len(fixes)} fixable with --fix --unsafe-fixes"] if fixes else []
    more = f", {len(fixes) - safe} more with --unsafe-fixes" if len(fixes) > safe else ""
    return [f"{safe} fixable with --fix{more}"]


def _remarks(report: Report, verbose: bool) -> list[str]:
    """What text output says of a run beside its findings: silence must never be read as proof."""
    remarks = [f"{plural(report.files, 'file')} read"] if verbose else []
    if report.sites:
        unknown = report.sites - report.understood
        hint = "; klint explain says why" if unknown else ""
        remarks.append(f"{plural(report.sites, 'loss site')}: {report.understood} understood, {unknown} unknown{hint}")
    return remarks
