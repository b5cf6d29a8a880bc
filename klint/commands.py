"""The command line as click has it: every command with its options, errors, help and completion."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from klint import __version__
from klint.options import CHECK, VERIFY, Option, Said, run_configured, split
from klint.terminal import FAILED, FOUND, INTERRUPTED, NOTHING, Failure, complain, shows_colour, write

if TYPE_CHECKING:
    from klint.pyproject import Configuration

Command = TypeVar("Command", bound=Callable[..., Any])


def run(args: list[str] | None) -> int:
    """Run what the words of a command line say; the exit status."""
    try:
        status = cli.main(args, prog_name="klint", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except click.Abort:
        status = INTERRUPTED
    return status if isinstance(status, int) else NOTHING


def _complete_code(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The codes that a shell offers for what has been typed of a list of them."""
    from klint.rules import RULES

    before, comma, last = typed.rpartition(",")
    codes = (rule for rule in RULES if rule.code.startswith(last.upper()))
    return [CompletionItem(f"{before}{comma}{rule.code}", help=rule.summary) for rule in codes]


def _options(options: Sequence[Option]) -> Callable[[Command], Command]:
    """Give a command paths and the options of a table."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = _option(option)(command)
        return click.argument("paths", nargs=-1, type=click.Path())(command)

    return decorate


def _option(option: Option) -> Callable[[Command], Command]:
    names = option.names.split()
    if option.kind == "flag":
        return click.option(*names, is_flag=True, help=option.help)
    more: dict[str, Any] = {}
    if option.is_list:
        more["callback"] = _split
    if option.kind == "codes":
        more["shell_complete"] = _complete_code
    return click.option(
        *names,
        type=_type(option),
        multiple=option.repeated,
        default=option.default if not option.repeated else None,
        show_default=not option.repeated and option.default is not None,
        metavar=option.metavar,
        help=option.help,
        **more,
    )


def _type(option: Option) -> click.ParamType[Any]:
    if option.kind == "choice":
        return click.Choice(option.choices)
    if option.kind in ("path", "file", "directory"):
        return click.Path(file_okay=option.kind != "directory", dir_okay=option.kind != "file")
    if option.kind == "number":
        return click.INT if option.least is None else click.IntRange(min=option.least)
    if option.kind == "seconds":
        return click.FloatRange(min=0, min_open=True)
    return click.STRING


def _split(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part for value in values for part in split(value))


def _said(context: click.Context) -> Said:
    options = context.params.keys() - {"paths"}
    given = (name for name in options if context.get_parameter_source(name) is not ParameterSource.DEFAULT)
    return Said(context.params, frozenset(given))


@click.group()
@click.version_option(__version__, prog_name="klint", message="%(prog)s %(version)s")
def cli() -> None:
    """Find misuse of PyTorch's probabilistic losses without running the code, and prove it in torch."""


@cli.command()
@_options(CHECK)
@click.pass_context
def check(context: click.Context, /, **_options: Any) -> int:
    """Lint Python files, notebooks and directories; - is standard input, and the default is the working directory.

    Of .md, .rst and .txt files that are named, the blocks of Python and the transcripts are linted.
    """
    from klint.checking import run_check

    return run_check(_said(context))


@cli.command()
@click.argument("code", required=False, shell_complete=_complete_code)
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
        write(json.dumps(pages[0] if code else pages, indent=2) + "\n")
    elif code or every:
        _write_markdown("\n".join(page(rule) for rule in rules))
    else:
        write("".join(f"{rule.code}  {rule.name:<28}  {rule.summary}\n" for rule in rules))
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
        write(json.dumps([explanation.to_json() for explanation in explanations], indent=2) + "\n")
    else:
        write(render(explanations))
    errors = [error for explanation in explanations for error in explanation.errors]
    remark = unanswered(explanations, row)
    complain([*errors, remark] if remark else errors)
    return FAILED if errors or (remark and row is not None) else NOTHING


@cli.command()
@_options(VERIFY)
@click.pass_context
def verify(context: click.Context, /, **_options: Any) -> int:
    """Lint, then replay every finding in torch and say whether the predicted gap is there. Your code is not run."""
    return run_configured(_verify, _said(context), lambda here: here.verify)


@cli.command()
def server() -> int:
    """Serve an editor: a language server on standard input and output."""
    try:
        from klint.hosts.server import serve
    except ModuleNotFoundError as error:
        raise Failure(f"server: needs {error.name}, missing here: pip install 'klint[server]'") from error
    serve()
    return NOTHING


def _verify(
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
        write(json.dumps(to_json(report), indent=2) + "\n", output_file)
    elif output_format == "html":
        write(render_html(report), output_file)
    else:
        write(render_text(report, colour=output_file is None and shows_colour()), output_file)
    complain(report.errors)
    if report.errors:
        return FAILED
    return FOUND if report.confirmed or report.holes or (strict and report.inconclusive) else NOTHING


def _counts(words: Iterable[str]) -> tuple[int, ...]:
    try:
        return tuple(map(int, words))
    except ValueError:
        raise Failure(f"--classes: {','.join(words)!r} is no list of whole numbers such as 2,10,100") from None


def _write_markdown(text: str) -> None:
    if not shows_colour():
        write(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    with console.capture() as capture:
        console.print(Markdown(text))
    write(capture.get())
