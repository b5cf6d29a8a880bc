"""The keys of ``[tool.klint]``: what each may hold, as a table, and errors that name file, key and the nearest right one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from klint.config import DEVICES, DTYPES, ConfigError, require_known, suggestion
from klint.finding import Confidence
from klint.output import FORMATS
from klint.source.discover import display_name
from klint.source.exclude import Patterns

Options = Mapping[str, Any]
"""Some fields of ``Settings`` by name: what one file, or the command line, says."""


class _Wrong(ValueError):
    """A value that a key cannot have, and what it must be."""


_Reader = Callable[[Any, Path], Any]
"""What makes of a value of TOML the one that ``Settings`` holds; paths and patterns start from a directory."""


def _strings(value: Any, _home: Path) -> tuple[str, ...]:
    if isinstance(value, str):
        raise _Wrong(f"must be a list of strings, not a string; write [{json.dumps(value)}]")
    if not isinstance(value, list):
        raise _Wrong(f"must be a list of strings, not {_kind(value)}")
    for item in value:
        if not isinstance(item, str):
            raise _Wrong(f"must be a list of strings, and holds {_kind(item)}")
    return tuple(value)


def _codes(value: Any, home: Path) -> tuple[str, ...]:
    codes = _strings(value, home)
    try:
        require_known("", codes)
    except ConfigError as error:
        raise _Wrong(str(error).removeprefix(": ")) from error
    return codes


def _codes_of_files(value: Any, home: Path) -> tuple[tuple[Patterns, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        raise _Wrong(f"must be a table of patterns and codes, not {_kind(value)}")
    return tuple((_files(pattern, home), _entry(pattern, codes, home)) for pattern, codes in value.items())


def _entry(pattern: str, codes: Any, home: Path) -> tuple[str, ...]:
    try:
        return _codes(codes, home)
    except _Wrong as error:
        raise _Wrong(f"{json.dumps(pattern)}: {error}") from error


def _files(pattern: str, home: Path) -> Patterns:
    """What a pattern matches; all else where it starts with ``!``."""
    return Patterns((pattern.removeprefix("!"),), home, inverted=pattern.startswith("!"))


def _patterns(value: Any, home: Path) -> Patterns:
    return Patterns(_strings(value, home), home)


def _more_patterns(value: Any, home: Path) -> tuple[Patterns, ...]:
    return (_patterns(value, home),)


def _string(value: Any, _home: Path) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"must be a string, not {_kind(value)}")
    return value


def _path(value: Any, home: Path) -> str:
    return display_name(home / _string(value, home))


def _paths(value: Any, home: Path) -> tuple[str, ...]:
    return tuple(display_name(home / path) for path in _strings(value, home))


def _choice(*choices: str) -> _Reader:
    def read(value: Any, home: Path) -> str:
        return _one_of(choices, _string(value, home))

    return read


def _choices(*choices: str) -> _Reader:
    def read(value: Any, home: Path) -> tuple[str, ...]:
        return tuple(_one_of(choices, item) for item in _strings(value, home))

    return read


def _one_of(choices: tuple[str, ...], value: str) -> str:
    if value not in choices:
        nearest = suggestion(value, {choice: choice for choice in choices})
        raise _Wrong(f"{value!r} is none of {', '.join(choices)}{nearest}")
    return value


def _confidence(value: Any, home: Path) -> Confidence:
    return Confidence(_choice(*(level.value for level in Confidence))(value, home))


def _whole(least: int | None = None) -> _Reader:
    def read(value: Any, _home: Path) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _Wrong(f"must be a whole number, not {_kind(value)}")
        if least is not None and value < least:
            raise _Wrong(f"must be {least} or more, not {value}")
        return value

    return read


def _wholes(least: int) -> _Reader:
    def read(value: Any, home: Path) -> tuple[int, ...]:
        if not isinstance(value, list) or not value:
            raise _Wrong(f"must be a list of whole numbers, not {_kind(value)}")
        return tuple(_whole(least)(item, home) for item in value)

    return read


def _seconds(value: Any, _home: Path) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _Wrong(f"must be a number of seconds, not {_kind(value)}")
    if not value > 0:
        raise _Wrong(f"must be more than 0, not {value}")
    return float(value)


KEYS: dict[str, _Reader | dict[str, _Reader]] = {
    "select": _codes,
    "extend-select": _codes,
    "ignore": _codes,
    "per-file-ignores": _codes_of_files,
    "exclude": _patterns,
    "extend-exclude": _more_patterns,
    "min-confidence": _confidence,
    "output-format": _choice(*FORMATS),
    "cache-dir": _path,
    "src": _paths,
    "verify": {
        "device": _choice(*DEVICES),
        "dtype": _choices(*DTYPES),
        "classes": _wholes(least=2),
        "batch": _whole(least=1),
        "seed": _whole(),
        "timeout": _seconds,
    },
}
"""By key, what reads its value; a table has keys of its own."""


def read_table(table: Any, filename: str, name: str, home: Path) -> Options:
    """The settings that a table of a file says; ``name`` is how its keys are called from the top of the file.

    Raises ``ConfigError`` for what cannot be meant.
    """
    return _read(table, KEYS, filename, name, home)


def _read(table: Any, keys: Mapping[str, Any], filename: str, name: str, home: Path) -> Options:
    if not isinstance(table, dict):
        raise ConfigError(f"{filename}: {name}: must be a table, not {_kind(table)}")
    options: dict[str, Any] = {}
    for key, value in table.items():
        place = f"{name}.{key}" if name else key
        if key not in keys:
            known = suggestion(key, {known: known for known in keys}) or f"; the keys are {', '.join(keys)}"
            raise ConfigError(f"{filename}: {place}: there is no such key{known}")
        reader = keys[key]
        try:
            read = _read(value, reader, filename, place, home) if isinstance(reader, dict) else reader(value, home)
        except _Wrong as error:
            raise ConfigError(f"{filename}: {place}: {error}") from error
        options[key.replace("-", "_")] = read
    return options


def _kind(value: Any) -> str:
    """What a value of TOML is, in words."""
    if isinstance(value, bool):
        return "a boolean"
    kinds = {str: "a string", int: "a whole number", float: "a number", list: "a list", dict: "a table"}
    if value == []:
        return "an empty list"
    return next((words for kind, words in kinds.items() if isinstance(value, kind)), "a date or time")
