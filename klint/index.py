"""What was seen of files, beside the state that they were in: as git does, a file in the same state is not read again.

The state is what the system says of a file: its size, when its content and its entry were changed, and which entry it is. It tells of every
change but one that follows so soon on another that the clock cannot tell them apart; what was changed just before it was seen is not
trusted, therefore.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from klint.prefilter import Look
from klint.source.python import digest, read_bytes

RECENT = 2_000_000_000
"""Nanoseconds before a run within which clocks and file systems may not tell two changes apart."""

_STATE = 4
_UNSEEN: list[Any] = [None, None, None, None]
"""Of a file that was not seen in its state: how it looked, whether that was with its comments, its digest, and the names that it takes from others."""


@dataclass
class _Directory:
    """What was seen of the files of a directory. The names that they take from others are some of ``names``, given by their digest."""

    names: str = ""
    files: dict[str, list[Any]] = field(default_factory=dict)
    is_changed: bool = False


class Index:
    """What was seen of files; ``kept`` gives what an earlier run has written of a directory."""

    def __init__(self, kept: Callable[[str], str | None]) -> None:
        self._kept = kept
        self._directories: dict[str, _Directory] = {}
        self._homes: dict[str, _Directory] = {}
        self._now: dict[str, list[Any] | None] = {}
        self._oldest = time.time_ns() - RECENT

    def look(self, path: str, comments: bool) -> Look | None:
        """How a file looked, maybe without its comments; None where that is not known of its state."""
        entry = self._entry(path)
        if entry is None or entry[4] is None or (comments and not entry[5]):
            return None
        return Look(bool(entry[4] & 1), comments and bool(entry[4] & 2))

    def put_look(self, path: str, look: Look, comments: bool) -> None:
        """Remember how a file looks."""
        entry = self._entry(path)
        if entry is not None:
            entry[4:6] = look.names_loss | look.names_klint << 1, comments
            self._home(path).is_changed = True

    def digest(self, path: str) -> str:
        """The digest of a file, which is read if it is not known of its state; empty where it cannot be read."""
        entry = self._entry(path)
        if entry is not None and entry[6] is not None:
            return str(entry[6])
        found = digest(read_bytes(path, path))
        self.put_digest(path, found)
        return found

    def put_digest(self, path: str, found: str) -> None:
        """Remember the digest of a file that was read in this run."""
        entry = self._entry(path) if found else None
        if entry is not None and entry[6] != found:
            entry[6] = found
            self._home(path).is_changed = True

    def taken(self, path: str, names: str) -> list[str] | None:
        """Which of some names, given by their digest, a file takes from others; None where that is not known of its state."""
        entry = self._entry(path)
        if entry is None or entry[7] is None or self._home(path).names != names:
            return None
        return list(entry[7])

    def put_taken(self, path: str, names: str, taken: list[str]) -> None:
        """Remember which of some names a file takes from others."""
        entry, home = self._entry(path), self._home(path)
        if home.names != names:
            home.names = names
            for other in home.files.values():
                other[7] = None
        if entry is not None:
            entry[7] = taken
            home.is_changed = True

    def changed(self) -> Iterator[tuple[str, str]]:
        """Every directory of which there is something new, and what to write of it."""
        for path, directory in self._directories.items():
            if directory.is_changed:
                files = {
                    name: entry for name, entry in directory.files.items() if os.path.exists(os.path.join(path, name))
                }
                yield path, json.dumps([directory.names, files], separators=(",", ":"))

    def _entry(self, path: str) -> list[Any] | None:
        """What was seen of a file in the state that it is in, to be added to; None where its state is not to be trusted."""
        if path not in self._now:
            self._now[path] = self._find(path)
        return self._now[path]

    def _find(self, path: str) -> list[Any] | None:
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            return None
        state = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
        if found.st_mtime_ns > self._oldest or found.st_ctime_ns > self._oldest:
            return None
        files, name = self._home(path).files, path.rpartition(os.sep)[2]
        entry = files.get(name)
        if entry is None or entry[:_STATE] != state:
            entry = files[name] = [*state, *_UNSEEN]
        return entry

    def _home(self, path: str) -> _Directory:
        name = path.rpartition(os.sep)[0]
        home = self._homes.get(name)
        if home is None:
            absolute = os.path.abspath(os.path.dirname(path))
            home = self._directories.get(absolute)
            if home is None:
                home = self._directories[absolute] = _read(self._kept(absolute))
            self._homes[name] = home
        return home


def _read(text: str | None) -> _Directory:
    """What was written of a directory; nothing if it was not written by this module."""
    if text is not None:
        try:
            names, files = json.loads(text)
            if all(len(entry) == _STATE + len(_UNSEEN) for entry in files.values()):
                return _Directory(names, files)
        except (ValueError, TypeError, AttributeError, RecursionError):
            pass
    return _Directory()
