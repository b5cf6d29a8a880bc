"""The options of the commands, as tables; and the configuration that they make of a run.

click is made of these tables (``commands.py``), and so is the reader of plain command lines (``plain.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from klint.config import DEVICES, ConfigError, Settings
from klint.levels import Confidence
from klint.output import FORMATS
from klint.terminal import Failure

if TYPE_CHECKING:
    from klint.pyproject import Configuration


@dataclass(eq=False)
class Option:
    """One option of a command.

    ``kind`` is what its value is: a ``flag`` has none, a ``choice`` is one of the ``choices``, a ``list`` is separated by commas (one of
    ``codes`` too, which shells complete), ``path``, ``file`` and ``directory`` name what may or may not be there, a ``number`` is ``least``
    or more, and ``seconds`` are more than 0. Lists, and options that are ``repeated``, may be given several times.
    """

    names: str
    help: str
    kind: str = "flag"
    metavar: str | None = None
    default: Any = None
    choices: tuple[str, ...] = ()
    least: int | None = None
    repeated: bool = False

    def __post_init__(self) -> None:
        self.name = self.names.rpartition("--")[2].replace("-", "_")
        self.is_list = self.kind in ("list", "codes")
        self.repeated = self.repeated or self.is_list
        if self.repeated:
            self.default = ()
        elif self.kind == "flag":
            self.default = False


@dataclass(eq=False)
class Said:
    """What a command line says: the value of every option by its name, and which of them were ``given``."""

    values: dict[str, Any]
    given: frozenset[str] = field(default_factory=frozenset)


def split(text: str) -> tuple[str, ...]:
    """The parts of a list."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


_CONFIGURING = (
    Option("--select", "Report only these rules; a prefix names a block of them.", "codes", "CODES"),
    Option("--ignore", "Leave out these rules.", "codes", "CODES"),
    Option("--extend-select", "Report these rules too.", "codes", "CODES"),
    Option(
        "--min-confidence",
        "Report what follows from the data flow alone (proven), or what rests on a name as well (likely).",
        "choice",
        choices=tuple(level.value for level in Confidence),
        default=Confidence.LIKELY.value,
    ),
    Option("--exclude", "Leave out these files, as a .gitignore would, and nothing by default.", "list", "GLOBS"),
    Option("--extend-exclude", "Leave out these files too.", "list", "GLOBS"),
    Option("--force-exclude", "Leave out excluded files even where they are named."),
    Option("--stdin-filename", "What to call standard input, and whose settings it has.", "path", "FILE"),
    Option("--no-project", "Look at each file alone: follow no import into another."),
    Option(
        "--config",
        "A file to take in place of every pyproject.toml, or keys that win over it: \"select = ['KL2']\".",
        "path",
        "FILE|KEYS",
        repeated=True,
    ),
    Option("--isolated", "Read no pyproject.toml."),
)
_OUTPUT_FILE = Option("--output-file", "Write to this file, not to standard output.", "file", "FILE")

CHECK = (
    *_CONFIGURING,
    Option("--output-format", "How findings are written.", "choice", choices=tuple(FORMATS), default="full"),
    _OUTPUT_FILE,
    Option("--fix", "Fix what can be fixed without a change of value, and list the rest."),
    Option("--unsafe-fixes", "With --fix or --diff: fixes that change what is trained as well."),
    Option("--diff", "Show what --fix would change, and change nothing."),
    Option("--statistics", "Count the findings of each rule in place of listing them."),
    Option("--exit-zero", "Exit with 0 even where there are findings."),
    Option("--add-noqa", "Silence what is found by noqa comments, and list nothing."),
    Option(
        "--baseline",
        "List only what is new since this file was written; it is written if it is not there.",
        "file",
        "FILE",
    ),
    Option("--write-baseline", "Write the file of --baseline anew."),
    Option("-j --jobs", "How many processes may work at once (default: one a core).", "number", "N", least=1),
    Option("--no-cache", "Keep no results for the next run, and use none of the last."),
    Option("--cache-dir", "Where results are kept from run to run.", "directory", "DIR", default=".klint_cache"),
    Option("-q --quiet", "Findings and errors only."),
    Option("-v --verbose", "Say how many files were read."),
)
VERIFY = (
    *_CONFIGURING,
    Option("--device", "Where to replay.", "choice", choices=DEVICES, default="auto"),
    Option("--dtype", "Of the tensors that are made up, such as float32,bfloat16.", "list", "DTYPES"),
    Option("--classes", "Class counts of such tensors: 10, and 2,10,100,1000 for html.", "list", "COUNTS"),
    Option("--batch", "Rows of such tensors.", "number", default=7, least=1),
    Option("--seed", "For the tensors that are made up.", "number", default=0),
    Option("--timeout", "Seconds for one site.", "seconds", default=60.0),
    Option(
        "--output-format",
        "How verdicts are written; html is one page that stands alone.",
        "choice",
        choices=("full", "json", "html"),
        default="full",
    ),
    _OUTPUT_FILE,
    Option("--strict", "Exit with 1 for inconclusive findings as well."),
    Option("--all-sites", "Replay every loss site that can be decided, also those without a finding."),
)


def run_configured(command: Callable[..., int], said: Said, defaults: Callable[[Settings], Mapping[str, Any]]) -> int:
    """Call a command with the ``configuration`` that its options make, and with its own options.

    ``defaults``: what the configuration of the working directory says of the command's own options.
    """
    own = dict(said.values)
    configuring = {option.name: own.pop(option.name) for option in _CONFIGURING}
    config, isolated = configuring.pop("config"), configuring.pop("isolated")
    try:
        configuration = _configuration(
            {name: value for name, value in configuring.items() if name in said.given}, config, isolated
        )
        for name, value in defaults(configuration.here).items():
            if name not in said.given:
                own[name] = value
        return command(configuration=configuration, **own)
    except ConfigError as error:
        raise Failure(str(error)) from error


def _configuration(said: Mapping[str, Any], config: tuple[str, ...], isolated: bool) -> Configuration:
    """What the command line says, laid over the files; an error in it names the option."""
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
    return Configuration(options, config, isolated)
