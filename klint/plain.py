"""Command lines that need no explanation, read without click: to import it takes longer than to lint most files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from klint.options import Option, Said, split

_EXPANDED = frozenset("*?[~$%" if os.name == "nt" else "")
"""Click expands words with these."""


def read_plain(words: Sequence[str], options: Sequence[Option]) -> Said | None:
    """What a command line of paths and options says, just as click reads it.

    None where there may be anything to complain of, or to explain: that is for click alone to say.
    """
    by_name = {name: option for option in options for name in option.names.split()}
    given: dict[str, Any] = {}
    paths: list[str] = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            paths.append(word)
            continue
        name, equals, value = word.partition("=")
        option = by_name.get(name)
        if option is None or (equals and (option.kind == "flag" or not name.startswith("--"))):
            return None
        if option.kind == "flag":
            given[option.name] = True
            continue
        value = value if equals else next(rest, "-")
        if value.startswith("-") or not _is_plain(value, option):
            return None
        if option.repeated:
            given[option.name] = given.get(option.name, ()) + (split(value) if option.is_list else (value,))
        else:
            given[option.name] = int(value) if option.kind == "number" else value
    if not all(_is_readable(path, "path") for path in paths) or any(_EXPANDED.intersection(word) for word in words):
        return None
    values = {option.name: option.default for option in options}
    return Said({"paths": tuple(paths), **values, **given}, frozenset(given))


def _is_plain(value: str, option: Option) -> bool:
    """Whether a value is sure to be one that the option takes."""
    if option.kind == "choice":
        return value in option.choices
    if option.kind == "number":
        return value.isascii() and value.isdigit() and int(value) >= (option.least or 0)
    if option.kind in ("path", "file", "directory"):
        return _is_readable(value, option.kind)
    return option.is_list


def _is_readable(path: str, kind: str) -> bool:
    """Whether what stands at a path can be read and is of the kind; nothing need stand there."""
    other = {"file": os.path.isdir, "directory": os.path.isfile}.get(kind)
    return not os.path.exists(path) or (os.access(path, os.R_OK) and not (other and other(path)))
