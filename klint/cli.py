"""The command line: commands and options, no logic of its own. Heavy imports stand in the commands that need them."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from klint import __version__
from klint.finding import Applicability, Confidence
from klint.output import FORMATS, TEXT_FORMATS

if TYPE_CHECKING:
    from klint.config import Settings
    from klint.linter import Report

_Command = TypeVar("_Command", bound=Callable[..., Any])

NOTHING, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130


def main(args: list[str] | None = None) -> int:
    """Run klint; the exit status is 0 for nothing found, 1 for findings, 2 for errors."""
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
        from klint.linter import internal_error

        _complain([internal_error(error, "klint")])
        status = FAILED
    return status if isinstance(status, int) else NOTHING


class Failure(click.ClickException):
    """An error of the user's or of the system's: one line, exit status 2."""

    exit_code = FAILED

    def show(self, file: Any = None) -> None:
        _complain([f"klint: {self.message}"])


def _list_option(*names: str, metavar: str, help: str) -> Callable[[_Command], _Command]:
    """An option that takes a comma-separated list, and may be given several times."""
    return click.option(*names, multiple=True, metavar=metavar, help=help, callback=_split)


def _split(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


_PATHS = click.argument("paths", nargs=-1)
_SELECT = _list_option("--select", metavar="CODES", help="Report only these rules; a prefix names a block of them.")
_IGNORE = _list_option("--ignore", metavar="CODES", help="Leave out these rules.")
_EXTEND_SELECT = _list_option("--extend-select", metavar="CODES", help="Report these rules too.")
_EXCLUDE = _list_option("--exclude", metavar="GLOBS", help="Leave out these files, as a .gitignore would.")
_OUTPUT_FILE = click.option(
    "--output-file", type=click.Path(dir_okay=False), metavar="FILE", help="Write to this file, not to standard output."
)


@click.group()
@click.version_option(__version__, prog_name="klint", message="%(prog)s %(version)s")
def cli() -> None:
    """Find misuse of PyTorch's probabilistic losses without running the code, and prove it in torch."""


@cli.command()
@_PATHS
@_SELECT
@_IGNORE
@_EXTEND_SELECT
@click.option(
    "--min-confidence",
    type=click.Choice([level.value for level in Confidence]),
    default=Confidence.LIKELY.value,
    show_default=True,
    help="Report what follows from the data flow alone (proven), or what rests on a name as well (likely).",
)
@click.option(
    "--output-format",
    type=click.Choice([*FORMATS]),
    default="full",
    show_default=True,
    help="How findings are written.",
)
@_OUTPUT_FILE
@click.option("--fix", is_flag=True, help="Fix what can be fixed without a change of value, and list the rest.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: fixes that change what is trained as well.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--statistics", is_flag=True, help="Count the findings of each rule in place of listing them.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 even where there are findings.")
@click.option("--stdin-filename", metavar="FILE", help="What to call standard input.")
@_EXCLUDE
@click.option("--force-exclude", is_flag=True, help="Leave out excluded files even where they are named.")
@click.option("-q", "--quiet", is_flag=True, help="Findings and errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Say how many files were read.")
def check(
    paths: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    extend_select: tuple[str, ...],
    min_confidence: str,
    output_format: str,
    output_file: str | None,
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
    statistics: bool,
    exit_zero: bool,
    stdin_filename: str | None,
    exclude: tuple[str, ...],
    force_exclude: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Lint Python files and directories; - is standard input, and the default is the working directory."""
    from klint.linter import lint_paths

    settings = _settings(
        select=select or None,
        ignore=ignore,
        extend_select=extend_select,
        min_confidence=Confidence(min_confidence),
        exclude=exclude,
        force_exclude=force_exclude,
        stdin_filename=stdin_filename,
    )
    remarks: list[str] = []
    if fix or diff:
        from klint.fix import FixError, fix_paths

        try:
            fixes = fix_paths(paths or ["."], settings, unsafe=unsafe_fixes, write=not diff)
        except FixError as error:
            raise Failure(str(error)) from error
        report = fixes.remaining
        if fixes.fixed:
            remarks = [f"{'Would fix' if diff else 'Fixed'} {_plural(fixes.fixed, 'error')}"]
        if diff:
            _write("".join(file.diff() for file in fixes.files), output_file)
    else:
        report = lint_paths(paths or ["."], settings)
    if not diff:
        text = _statistics(report, output_format) if statistics else _rendered(report, output_format, output_file)
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
@click.argument("code", required=False)
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
    from klint.explain import explain_paths, split_place, unanswered
    from klint.explain.text import render

    path, row = split_place(place)
    explanations = explain_paths([path], row)
    if output_format == "json":
        _write(json.dumps([explanation.to_json() for explanation in explanations], indent=2) + "\n")
    else:
        _write(render(explanations))
    errors = [error for explanation in explanations for error in explanation.errors]
    remark = unanswered(explanations, row)
    _complain([*errors, remark] if remark else errors)
    return FAILED if errors or (remark and row is not None) else NOTHING


@cli.command()
@_PATHS
@_SELECT
@_IGNORE
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "all"]),
    default="auto",
    show_default=True,
    help="Where to replay.",
)
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
    type=click.Choice(["full", "json"]),
    default="full",
    show_default=True,
    help="How verdicts are written.",
)
@_OUTPUT_FILE
@_EXCLUDE
@click.option("--strict", is_flag=True, help="Exit with 1 for inconclusive findings as well.")
def verify(
    paths: tuple[str, ...],
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    device: str,
    seed: int,
    timeout: float,
    output_format: str,
    output_file: str | None,
    exclude: tuple[str, ...],
    strict: bool,
) -> int:
    """Lint, then replay every finding in torch and say whether the predicted gap is there. Your code is not run."""
    from klint.verify import VerifyError, VerifyOptions, verify_paths
    from klint.verify.report import render_text, to_json

    settings = _settings(select=select or None, ignore=ignore, exclude=exclude)
    try:
        report = verify_paths(paths or ["."], VerifyOptions(device=device, seed=seed, timeout=timeout), settings)
    except VerifyError as error:
        raise Failure(str(error)) from error
    if output_format == "json":
        _write(json.dumps(to_json(report), indent=2) + "\n", output_file)
    else:
        _write(render_text(report, colour=output_file is None and _shows_colour()), output_file)
    _complain(report.errors)
    if report.errors:
        return FAILED
    return FOUND if report.confirmed or (strict and report.inconclusive) else NOTHING


def _settings(**options: Any) -> Settings:
    from klint.config import ConfigError, Settings

    try:
        return Settings(**options)
    except ConfigError as error:
        raise Failure(f"--{error}") from error


def _rendered(report: Report, output_format: str, output_file: str | None) -> str:
    if output_format == "full" and output_file is None and _shows_colour():
        from klint.output import text

        return text.render(report, colour=True)
    return FORMATS[output_format](report)


def _statistics(report: Report, output_format: str) -> str:
    counts = Counter((finding.code, finding.name) for finding in report.findings)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if output_format == "json":
        return (
            json.dumps([{"code": code, "name": name, "count": count} for (code, name), count in ordered], indent=2)
            + "\n"
        )
    digits = len(str(max(counts.values(), default=0)))
    return "".join(f"{count:>{digits}}  {code}  {name}\n" for (code, name), count in ordered)


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
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


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
            Path(output_file).write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        except OSError as error:
            raise Failure(f"{output_file}: cannot be written: {error.strerror or error}") from error
        return
    try:
        click.echo(text, nl=False)
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
