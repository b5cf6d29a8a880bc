"""What was found stays found: answers are kept from one run to the next, in one file, as long as all that they rest on is the same.

The cache never matters for what is reported. Where it cannot be used (a directory that may not be written, a file that is broken or that
another run holds, a full disk), the run judges for itself.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from klint import __version__
from klint.answers import decode, encode
from klint.graph.project import kind
from klint.source.python import PROSE, digest, read_bytes
from klint.workers import Answer, Task

NAME = "klint.sqlite"

KEPT = 8
"""How many answers are kept of one file: for the settings, and the ways to run klint, that came last."""

PATIENCE = 1.0
"""How many seconds a run waits for another that holds the file."""

# The table's name holds its version: one with other columns needs another name.
_TABLE = "CREATE TABLE IF NOT EXISTS answers_1 (key TEXT PRIMARY KEY, file TEXT, answer TEXT, sum TEXT)"
_INDEX = "CREATE INDEX IF NOT EXISTS files_1 ON answers_1 (file)"
_GET = "SELECT answer, sum FROM answers_1 WHERE key = ?"
_PUT = "INSERT OR REPLACE INTO answers_1 VALUES (?, ?, ?, ?)"
_TRIM = (
    "DELETE FROM answers_1 WHERE file = :file"
    " AND rowid NOT IN (SELECT rowid FROM answers_1 WHERE file = :file ORDER BY rowid DESC LIMIT :kept)"
)


class Cache:
    """The answers in a directory. Those of a run are written when it ends, in one transaction: ``with Cache(...) as cache``."""

    def __init__(self, directory: str | Path) -> None:
        self._path = Path(directory) / NAME
        self._run = _sum(json.dumps([__version__, _own_files(), sys.version_info[:2], os.getcwd()]))
        self._new: list[tuple[str, str, str, str]] = []
        self._kinds: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self._connection: sqlite3.Connection | None = None
        self._is_opened = False

    def __enter__(self) -> Cache:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._connection is None:
            return
        try:
            if self._new:
                with self._connection:
                    self._connection.executemany(_PUT, self._new)
                    self._connection.executemany(_TRIM, [{"file": new[1], "kept": KEPT} for new in self._new])
        except sqlite3.Error as problem:
            self._give_up(problem)
        finally:
            if self._connection is not None:
                self._connection.close()

    def get(self, task: Task) -> Answer | None:
        """The answer to a task, if it was given before and all that it rests on is the same still."""
        if self._connection is None or not _is_kept(task):
            return None
        try:
            row = self._connection.execute(_GET, (self._key(task),)).fetchone()
        except sqlite3.Error as problem:
            self._give_up(problem)
            return None
        if row is None or row[1] != _sum(str(row[0])):
            return None
        try:
            answer = decode(row[0])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return answer if self._holds(task, answer) else None

    def put(self, task: Task, answer: Answer) -> None:
        """Keep the answer to a task, unless another run may have another."""
        if self._connection is not None and _is_kept(task) and answer.is_read and answer.is_sound:
            text = encode(answer)
            self._new.append((self._key(task), _sum(task.filename), text, _sum(text)))

    def answers(self, tasks: Sequence[Task], judge: Callable[[Sequence[Task]], Iterable[Answer]]) -> Iterator[Answer]:
        """The answers to tasks, in their order; only those that are not kept are judged."""
        if not self._is_opened and any(map(_is_kept, tasks)):
            self._open()
        known = [self.get(task) for task in tasks]
        fresh = iter(judge([task for task, answer in zip(tasks, known, strict=True) if answer is None]))
        for task, answer in zip(tasks, known, strict=True):
            if answer is None:
                answer = next(fresh)
                self.put(task, answer)
            yield answer

    def _open(self) -> None:
        """Open the file, which is made where there is none, with a ``.gitignore`` if the directory is klint's own."""
        self._is_opened = True
        try:
            if not self._path.parent.is_dir():
                self._path.parent.mkdir(parents=True)
                (self._path.parent / ".gitignore").write_text("*\n", encoding="utf-8")
            self._connection = _connected(self._path)
        except (sqlite3.Error, OSError) as problem:
            self._give_up(problem)

    def _give_up(self, problem: Exception) -> None:
        """Do without the file from here on; one that is broken makes room for the next run's."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if isinstance(problem, sqlite3.DatabaseError) and not isinstance(problem, sqlite3.OperationalError):
            with suppress(OSError):
                self._path.unlink()

    def _key(self, task: Task) -> str:
        """What tells a task from others: all that its answer depends on but files."""
        roots = None if task.roots is None else [*task.roots]
        parts = [self._run, task.filename, sorted(task.codes), roots, sorted(task.wanted)]
        return _sum(json.dumps(parts))

    def _holds(self, task: Task, answer: Answer) -> bool:
        rests = answer.dependencies
        return (
            self._digest(task.filename) == answer.digest
            and all(self._kind(path) == stood for path, stood in rests.kinds.items())
            and all(self._digest(path) == read for path, read in rests.digests.items())
        )

    def _kind(self, path: str) -> str:
        if path not in self._kinds:
            self._kinds[path] = kind(path)
        return self._kinds[path]

    def _digest(self, path: str) -> str:
        """The digest of a file; empty where it can be read once only, or not at all."""
        if path not in self._digests:
            self._digests[path] = digest(read_bytes(path, path)) if self._kind(path) == "file" else ""
        return self._digests[path]


def _is_kept(task: Task) -> bool:
    """Whether a task is all told by files and settings; how prose is cut into blocks is a matter of another library's version."""
    return task.text is None and not task.stdin and not task.filename.lower().endswith(PROSE)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE)
    try:
        with connection:
            connection.execute(_TABLE)
            connection.execute(_INDEX)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _sum(text: str) -> str:
    return digest(text.encode("utf-8", "surrogatepass"))


def _own_files() -> list[tuple[str, int, int]]:
    """Name, size and time of every file of klint's own: one who works on klint sees at once what a change does."""
    own = sorted(Path(__file__).parent.rglob("*.py"))
    return [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in own]
