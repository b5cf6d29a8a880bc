"""The command line: commands and options, no logic of its own. Heavy imports stand in the commands that need them."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from klint import __version__
from klint.finding import Applicability
from klint.options import (
    FAILED,
    FOUND,
    INTERRUPTED,
    NOTHING,
    OUTPUT_FILE,
    PATHS,
    Failure,
    complete_code,
    configured,
    list_option,
)
from klint.output import COUNTED_FORMATS, FORMATS, TEXT_FORMATS

if TYPE_CHECKING:
    from klint.linter import Report
    from klint.pyproject import Configuration


def main(args: list[str] | None = None) -> int:
    """Run klint; the exit status is 0 for nothing found, 1 for findings, 2 for errors."""
    gc.set_threshold(
        100_000, 50, 50
    )  # trees and graphs live as long as they are of use: to look for garbage in them costs a fifth
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
    try:
        status = cli.main(args, prog_name="klint", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except click.Abort:
        status = INTERRUPTED
    except Exception as error:
        from klint.workers import internal_error

        _complain([internal_error(error, "klint")])
        status = FAILED
    return status if isinstance(status, int) else NOTHING


@click.group()
@click.version_option(__version__, prog_name="klint", message="%(prog)s %(version)s")
def cli() -> None:
    """Find misuse of PyTorch's probabilistic losses without running the code, and prove it in torch."""


@cli.command()
@PATHS
@configured(lambda here: {"output_format": here.output_format, "cache_dir": here.cache_dir})
@click.option(
    "--output-format",
    type=click.Choice([*FORMATS]),
    default="full",
    show_default=True,
    help="How findings are written.",
)
@OUTPUT_FILE
@click.option("--fix", is_flag=True, help="Fix what can be fixed without a change of value, and list the rest.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: fixes that change what is trained as well.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--statistics", is_flag=True, help="Count the findings of each rule in place of listing them.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even where there are findings.")
@click.option("--add-noqa", is_flag=True, help="Silence what is found by noqa comments, and list nothing.")
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="List only what is new since this file was written; it is written if it is not there.",
)
@click.option("--write-baseline", is_flag=True, help="Write the file of --baseline anew.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many processes may work at once (default: one a core).",
)
@click.option("--no-cache", is_flag=True, help="Keep no results for the next run, and use none of the last.")
@click.option(
    "--cache-dir",
    type=click.Path(file_okay=False),
    default=".klint_cache",
    show_default=True,
    metavar="DIR",
    help="Where results are kept from run to run.",
)
@click.option("-q", "--quiet", is_flag=True, help="Findings and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say how many files were read.")
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
    """Lint Python files, notebooks and directories; - is standard input, and the default is the working directory.

    Of .md, .rst and .txt files that are named, the blocks of Python and the transcripts are linted.
    """
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
            remarks = [f"{'Would fix' if diff else 'Fixed'} {_plural(fixes.fixed, 'error')}"]
        if diff:
            _write("".join(file.diff() for file in fixes.files), output_file)
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
        if (
            fix and fixes.source is not None
        ):  # what was read from standard input goes on, and what is to be said beside it
            _write_bytes(fixes.source)
            click.echo(text, nl=False, err=True)
        else:
            _write(text, output_file)
        remarks += [*_fixable(report, fix, unsafe_fixes), *_remarks(report, verbose)]
    _complain(report.errors)
    if output_format in TEXT_FORMATS and not quiet:
        _complain(remarks)
    if report.errors:
        return FAILED
    return FOUND if (fixes.files if diff else report.findings) and not exit_zero else NOTHING


@cli.command()
@click.argument("code", required=False, shell_complete=complete_code)
@click.option("--all", "every", is_flag=True, help="Show the page of every rule.")
@click.option(
    "--output-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How pages are written.",
)
def rule(code: str | None, every: bool, output_format: str) -> int:
    """Show the page of the rule CODE: what is wrong, why, and what to write instead. Without CODE, list the rules."""
    from klint.config import ConfigError, find_rule
    from klint.rules import RULES
    from klint.rules.pages import page

    if code and every:
        raise Failure("rule: name one rule or say --all, not both")
    try:
        rules = [find_rule(code)] if code else list(RULES)
    except ConfigError as error:
        raise Failure(f"rule: {error}") from error
    if output_format == "json":
        pages = [
            {
                "code": rule.code,
                "name": rule.name,
                "summary": rule.summary,
                "severity": rule.severity.value,
                "level": rule.level,
                "url": rule.url,
                "page": page(rule),
            }
            for rule in rules
        ]
        _write(json.dumps(pages[0] if code else pages, indent=2) + "\n")
    elif code or every:
        _write_markdown("\n".join(page(rule) for rule in rules))
    else:
        _write("".join(f"{rule.code}  {rule.name:<28}  {rule.summary}\n" for rule in rules))
    return NOTHING


@cli.command()
@click.argument("place", metavar="PATH[:LINE]")
@click.option(
    "--output-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How explanations are written.",
)
def explain(place: str, output_format: str) -> int:
    """Say of every loss site of a file, or of one line, what it computes: the formula, what each slot holds and why."""
    from klint.config import ConfigError
    from klint.explain import explain_paths, split_place, unanswered
    from klint.explain.text import render
    from klint.pyproject import Configuration

    path, row, cell = split_place(place)
    try:
        explanations = explain_paths([path], row, cell, Configuration())
    except ConfigError as error:
        raise Failure(str(error)) from error
    if output_format == "json":
        _write(json.dumps([explanation.to_json() for explanation in explanations], indent=2) + "\n")
    else:
        _write(render(explanations))
    errors = [error for explanation in explanations for error in explanation.errors]
    remark = unanswered(explanations, row)
    _complain([*errors, remark] if remark else errors)
    return FAILED if errors or (remark and row is not None) else NOTHING


@cli.command()
@PATHS
@configured(lambda here: here.verify)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "all"]),
    default="auto",
    show_default=True,
    help="Where to replay.",
)
@list_option("--dtype", metavar="DTYPES", help="Of the tensors that are made up, such as float32,bfloat16.")
@list_option("--classes", metavar="COUNTS", help="Class counts of such tensors: 10, and 2,10,100,1000 for html.")
@click.option("--batch", type=click.IntRange(min=1), default=7, show_default=True, help="Rows of such tensors.")
@click.option("--seed", type=int, default=0, show_default=True, help="For the tensors that are made up.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds for one site.",
)
@click.option(
    "--output-format",
    type=click.Choice(["full", "json", "html"]),
    default="full",
    show_default=True,
    help="How verdicts are written; html is one page that stands alone.",
)
@OUTPUT_FILE
@click.option("--strict", is_flag=True, help="Exit with 1 for inconclusive findings as well.")
@click.option(
    "--all-sites", is_flag=True, help="Replay every loss site that can be decided, also those without a finding."
)
def verify(
    paths: tuple[str, ...],
    configuration: Configuration,
    device: str,
    dtype: tuple[str, ...],
    classes: tuple[str, ...],
    batch: int,
    seed: int,
    timeout: float,
    output_format: str,
    output_file: str | None,
    strict: bool,
    all_sites: bool,
) -> int:
    """Lint, then replay every finding in torch and say whether the predicted gap is there. Your code is not run."""
    from klint.verify import VerifyError, VerifyOptions, verify_paths
    from klint.verify.html import CLASSES, render_html, require_extra
    from klint.verify.progress import shown_progress
    from klint.verify.report import render_text, to_json

    counts = _counts(classes) or (CLASSES if output_format == "html" else VerifyOptions.classes)
    try:
        if output_format == "html":
            require_extra()
        options = VerifyOptions(device, seed, timeout, counts, batch, dtype)
        with shown_progress() as progress:
            report = verify_paths(paths or ["."], options, configuration, progress, all_sites)
    except VerifyError as error:
        raise Failure(str(error)) from error
    if output_format == "json":
        _write(json.dumps(to_json(report), indent=2) + "\n", output_file)
    elif output_format == "html":
        _write(render_html(report), output_file)
    else:
        _write(render_text(report, colour=output_file is None and _shows_colour()), output_file)
    _complain(report.errors)
    if report.errors:
        return FAILED
    return FOUND if report.confirmed or report.holes or (strict and report.inconclusive) else NOTHING


@cli.command()
def server() -> int:
    """Serve an editor: a language server on standard input and output."""
    try:
        from klint.hosts.server import serve
    except ModuleNotFoundError as error:
        raise Failure(f"server: needs {error.name}, missing here: pip install 'klint[server]'") from error
    serve()
    return NOTHING


def _counts(words: Iterable[str]) -> tuple[int, ...]:
    try:
        return tuple(map(int, words))
    except ValueError:
        raise Failure(f"--classes: {','.join(words)!r} is no list of whole numbers such as 2,10,100") from None


def _add_noqa(paths: tuple[str, ...], configuration: Configuration, quiet: bool) -> int:
    from klint.noqa import NoqaError, add_noqa

    try:
        report = add_noqa(paths or ["."], configuration)
    except NoqaError as error:
        raise Failure(f"--add-noqa: {error}") from error
    _complain(report.errors)
    if not quiet:
        _complain([f"{_plural(report.silenced, 'finding')} silenced in {_plural(len(report.files), 'file')}"])
    return FAILED if report.errors else NOTHING


def _rendered(report: Report, output_format: str, output_file: str | None) -> str:
    if output_format == "full" and output_file is None and _shows_colour():
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
    remarks = [f"{_plural(report.files, 'file')} read"] if verbose else []
    if report.sites:
        unknown = report.sites - report.understood
        hint = "; klint explain says why" if unknown else ""
        remarks.append(f"{_plural(report.sites, 'loss site')}: {report.understood} understood, {unknown} unknown{hint}")
    return remarks


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _shows_colour() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (sys.stdout.isatty() and os.environ.get("TERM") != "dumb")


def _write_markdown(text: str) -> None:
    if not _shows_colour():
        _write(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    with console.capture() as capture:
        console.print(Markdown(text))
    _write(capture.get())


def _write(text: str, output_file: str | None = None) -> None:
    """Write to a file, or to standard output, whose reader may have gone."""
    if output_file is not None:
        try:
            Path(output_file).parent.mkdir(parents=True, exist_ok=True)
            Path(output_file).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            raise Failure(f"{output_file}: cannot be written: {error.strerror or error}") from error
        return
    try:
        click.echo(text, nl=False, color=_shows_colour())
        sys.stdout.flush()
    except BrokenPipeError:
        # The status still says what was found; Python's own flush at exit must not find the closed pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write_bytes(data: bytes) -> None:
    click.echo(data, nl=False)
    sys.stdout.flush()


def _complain(lines: Iterable[object]) -> None:
    from klint.output.concise import one_line

    for line in lines:
        click.echo(one_line(str(line)), err=True)
