"""What stands at paths: a file, a directory, or nothing."""

from __future__ import annotations

import os
import stat
import sys
from collections import Counter

_OFTEN = 8
"""A directory that is asked about more often is listed: one call of the system settles all that is missing from it."""

_TELLS_CASE = sys.platform.startswith("linux")
"""Whether a name that a listing lacks is sure to be missing: elsewhere files may be found by other spellings."""


class Places:
    """Says what stands at paths, and asks the disk for each once."""

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}
        self._asked: Counter[str] = Counter()
        self._listed: dict[str, dict[str, os.DirEntry[str]] | None] = {}

    def kind(self, path: str) -> str:
        """``file``, ``directory``, or nothing."""
        known = self._kinds.get(path)
        if known is None:
            known = self._kinds[path] = self._find(path)
        return known

    def _find(self, path: str) -> str:
        directory, separator, name = path.rpartition(os.sep)
        entries = self._entries(directory or separator) if name not in ("", os.curdir, os.pardir) else None
        if entries is None:
            try:
                mode = os.stat(path).st_mode
            except (OSError, ValueError):
                return ""
            return "file" if stat.S_ISREG(mode) else "directory" if stat.S_ISDIR(mode) else ""
        if name not in entries:
            return ""
        try:
            return "file" if entries[name].is_file() else "directory" if entries[name].is_dir() else ""
        except OSError:  # a link that leads nowhere
            return ""

    def _entries(self, directory: str) -> dict[str, os.DirEntry[str]] | None:
        """What a directory holds; None where that has not been asked for often, or cannot be told."""
        if directory not in self._listed:
            self._asked[directory] += 1
            if self._asked[directory] <= _OFTEN or not _TELLS_CASE:
                return None
            self._listed[directory] = _list(directory)
        return self._listed[directory]


def _list(directory: str) -> dict[str, os.DirEntry[str]] | None:
    try:
        with os.scandir(directory or os.curdir) as scan:
            return {entry.name: entry for entry in scan}
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError):
        return None
