"""The options that commands share: which files, which rules, and where the configuration of a run comes from."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from klint.finding import Confidence

if TYPE_CHECKING:
    from klint.config import Settings
    from klint.pyproject import Configuration

Command = TypeVar("Command", bound=Callable[..., Any])

NOTHING, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""


class Failure(click.ClickException):
    """An error of the user's or of the system's: one line, exit status 2."""

    exit_code = FAILED

    def show(self, file: Any = None) -> None:
        from klint.output.concise import one_line

        click.echo(one_line(f"klint: {self.message}"), err=True)


def list_option(*names: str, metavar: str, help: str, **more: Any) -> Callable[[Command], Command]:
    """An option that takes a comma-separated list, and may be given several times."""
    return click.option(*names, multiple=True, metavar=metavar, help=help, callback=_split, **more)


def _split(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def complete_code(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """The codes that a shell offers for what has been typed of a list of them."""
    from klint.rules import RULES

    before, comma, last = typed.rpartition(",")
    codes = (rule for rule in RULES if rule.code.startswith(last.upper()))
    return [CompletionItem(f"{before}{comma}{rule.code}", help=rule.summary) for rule in codes]


PATHS = click.argument("paths", nargs=-1, type=click.Path())
OUTPUT_FILE = click.option(
    "--output-file", type=click.Path(dir_okay=False), metavar="FILE", help="Write to this file, not to standard output."
)

_CONFIGURING = (
    list_option(
        "--select",
        metavar="CODES",
        help="Report only these rules; a prefix names a block of them.",
        shell_complete=complete_code,
    ),
    list_option("--ignore", metavar="CODES", help="Leave out these rules.", shell_complete=complete_code),
    list_option("--extend-select", metavar="CODES", help="Report these rules too.", shell_complete=complete_code),
    click.option(
        "--min-confidence",
        type=click.Choice([level.value for level in Confidence]),
        default=Confidence.LIKELY.value,
        show_default=True,
        help="Report what follows from the data flow alone (proven), or what rests on a name as well (likely).",
    ),
    list_option(
        "--exclude", metavar="GLOBS", help="Leave out these files, as a .gitignore would, and nothing by default."
    ),
    list_option("--extend-exclude", metavar="GLOBS", help="Leave out these files too."),
    click.option("--force-exclude", is_flag=True, help="Leave out excluded files even where they are named."),
    click.option(
        "--stdin-filename",
        type=click.Path(),
        metavar="FILE",
        help="What to call standard input, and whose settings it has.",
    ),
    click.option("--no-project", is_flag=True, help="Look at each file alone: follow no import into another."),
    click.option(
        "--config",
        multiple=True,
        type=click.Path(),
        metavar="FILE|KEYS",
        help="A file to take in place of every pyproject.toml, or keys that win over it: \"select = ['KL2']\".",
    ),
    click.option("--isolated", is_flag=True, help="Read no pyproject.toml."),
)
_NAMES = (
    "select ignore extend_select min_confidence exclude extend_exclude force_exclude stdin_filename no_project".split()
)


def configured(defaults: Callable[[Settings], Mapping[str, Any]]) -> Callable[[Command], Command]:
    """Give a command the options by which a run is configured, and call it with the ``configuration`` they make.

    ``defaults``: what the configuration of the working directory says of the command's own options.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        @click.pass_context
        def run(context: click.Context, /, **options: Any) -> Any:
            from klint.config import ConfigError

            given = {name for name in options if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
            said = {name: options[name] for name in _NAMES if name in given}
            configuration = _configuration(said, options.pop("config"), options.pop("isolated"))
            options = {name: value for name, value in options.items() if name not in _NAMES}
            try:
                for name, value in defaults(configuration.here).items():
                    if name not in given:
                        options[name] = value
                return command(configuration=configuration, **options)
            except ConfigError as error:
                raise Failure(str(error)) from error

        decorated: Any = run
        for option in reversed(_CONFIGURING):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def _configuration(said: Mapping[str, Any], config: tuple[str, ...], isolated: bool) -> Configuration:
    """What the command line says, laid over the files; an error in it names the option."""
    from klint.config import ConfigError, Settings
    from klint.pyproject import Configuration
    from klint.source.exclude import Patterns

    makes: dict[str, Callable[[Any], tuple[str, Any]]] = {
        "min_confidence": lambda level: ("min_confidence", Confidence(level)),
        "exclude": lambda globs: ("exclude", Patterns(globs)),
        "extend_exclude": lambda globs: ("extend_exclude", (Patterns(globs),)),
        "no_project": lambda off: ("project", not off),
    }
    options = dict(makes[name](value) if name in makes else (name, value) for name, value in said.items())
    try:
        Settings(**options)
    except ConfigError as error:
        raise Failure(f"--{error}") from error
    try:
        return Configuration(options, config, isolated)
    except ConfigError as error:
        raise Failure(str(error)) from error
