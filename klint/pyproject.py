"""``[tool.klint]`` of pyproject.toml: found above each file, and laid under what the command line says."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from klint.config import ConfigError, Settings
from klint.source.discover import STDIN, display_name

NAME = "pyproject.toml"

_POSITION = r"(.*?) \(at line (\d+), column (\d+)\)"

if TYPE_CHECKING:
    from klint.keys import Options


class Configuration:
    """The settings of every file of a run.

    Those of a file come from the nearest pyproject.toml above it that has a table ``[tool.klint]``: that file alone,
    nothing is merged. ``config`` holds what ``--config`` was given: the path of a file that takes the place of all of
    them, or keys in TOML, which win over files. ``options``, the fields of ``Settings`` that the command line names,
    win over both. ``isolated``: no file is looked for.
    """

    def __init__(self, options: Options | None = None, config: Sequence[str] = (), isolated: bool = False) -> None:
        files = [text for text in config if _is_path(text)]
        if len(files) > 1:
            raise ConfigError(f"--config: one file at most, not {' and '.join(files)}")
        if files and isolated:
            raise ConfigError(f"--config: {files[0]} is a file, and --isolated reads none")
        inline = [_inline(text) for text in config if not _is_path(text)]
        self._above = [*inline, options or {}]
        self._searches = not files and not isolated
        self._root = self._settings(_named(files[0]) if files else {})
        self._found: dict[str, Settings] = {}

    @property
    def here(self) -> Settings:
        """The settings of the working directory, which hold for a run as a whole."""
        return self.at(os.getcwd())

    def of(self, filename: str) -> Settings:
        """The settings of one file; those of standard input without a name are those of the working directory."""
        return self.here if filename == STDIN else self.at(os.path.dirname(os.path.abspath(filename)))

    def at(self, directory: str | Path) -> Settings:
        """The settings of the files in a directory, given as an absolute path."""
        if not self._searches:
            return self._root
        below: list[str] = []
        place = os.fspath(directory)
        while place not in self._found:
            options = _found(Path(place, NAME)) if os.path.isfile(os.path.join(place, NAME)) else None
            if options is not None:
                self._found[place] = self._settings(options)
                break
            below.append(place)
            above = os.path.dirname(place)
            if above == place:
                self._found[place] = self._root
            place = above
        settings = self._found[place]
        self._found.update(dict.fromkeys(below, settings))
        return settings

    def _settings(self, options: Options) -> Settings:
        for above in self._above:
            options = _over(options, above)
        return Settings(**options)


def _over(below: Options, above: Options) -> Options:
    """What two sources say together: key by key the upper one wins, and what it extends it adds to the lower one.

    A code that the upper one names is no longer what the lower one says of it.
    """
    lower = {**below, "extend_select": (), "ignore": ()} if "select" in above else below
    on, off = above.get("extend_select", ()), above.get("ignore", ())
    both = {
        **below,
        **above,
        "extend_select": (*_without(lower.get("extend_select", ()), off), *on),
        "ignore": (*_without(lower.get("ignore", ()), on), *off),
        "extend_exclude": (*below.get("extend_exclude", ()), *above.get("extend_exclude", ())),
        "verify": {**below.get("verify", {}), **above.get("verify", {})},
    }
    if "select" in below and "select" not in above:
        both["select"] = _without(below["select"], off)
    return both


def _without(codes: Sequence[str], prefixes: Sequence[str]) -> tuple[str, ...]:
    return tuple(code for code in codes if not code.startswith(tuple(prefixes)))


def _is_path(text: str) -> bool:
    """Whether ``--config`` was given the path of a file: of one that is there, or what cannot be TOML."""
    return "=" not in text or os.path.isfile(text)


def _inline(text: str) -> Options:
    return _read(_parsed(text, "--config"), "--config", "", Path.cwd())


def _named(name: str) -> Options:
    """What a file says that the user named: a pyproject.toml, or one of klint's own, which needs no ``[tool.klint]``."""
    try:
        data = Path(name).read_bytes()
    except (OSError, ValueError) as error:
        raise ConfigError(f"--config: {name}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    document = _parsed(_decoded(data, name), name)
    if Path(name).name != NAME and "tool" not in document:
        return _read(document, name, "", Path.cwd())
    options = _klint_table(document, name, Path.cwd())
    if options is None:
        raise ConfigError(f"{name}: has no table [tool.klint]")
    return options


def _found(path: Path) -> Options | None:
    """What a pyproject.toml says to klint; None where its bytes show that it says nothing."""
    name = display_name(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror or error}") from error
    if b"klint" not in data:
        return None
    return _klint_table(_parsed(_decoded(data, name), name), name, path.parent)


def _klint_table(document: Mapping[str, Any], name: str, home: Path) -> Options | None:
    tool = document.get("tool")
    if not isinstance(tool, dict) or "klint" not in tool:
        return None
    return _read(tool["klint"], name, "tool.klint", home)


def _read(table: Any, filename: str, name: str, home: Path) -> Options:
    from klint.keys import read_table  # most runs have no such table

    return read_table(table, filename, name, home)


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{name}:{row}: is not UTF-8, as TOML must be") from error


def _parsed(text: str, name: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        import re

        match = re.fullmatch(_POSITION, str(error), re.DOTALL)
        place, reason = (f":{match[2]}:{match[3]}", match[1]) if match else ("", str(error))
        raise ConfigError(f"{name}{place}: is not TOML: {reason}") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: is nested too deeply to be parsed") from error
