"""What was found stays found: answers are kept from one run to the next, in one file, as long as all that they rest on is the same.

The cache never matters for what is reported. Where it cannot be used (a directory that may not be written, a file that is broken or that
another run holds, a full disk), the run judges for itself.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from klint import __version__
from klint.answers import decode, decode_facts, digest_of, encode, encode_facts, kind_of
from klint.index import Index
from klint.prefilter import Look
from klint.source.dependencies import Dependencies
from klint.source.places import Places
from klint.source.python import PROSE, SourceError, digest
from klint.workers import Answer, Task, Workers

NAME = "klint.sqlite"

KEPT = 8
"""How many answers are kept of one file: for the settings, and the ways to run klint, that came last."""

_FEW = 20
"""Of how many directories it is asked one by one what was seen in them; beyond these all are fetched at once."""

PATIENCE = 1.0
"""How many seconds a run waits for another that holds the file."""

# A table's name holds its version: one with other columns, or another meaning, needs another name.
_TABLES = (
    "CREATE TABLE IF NOT EXISTS answers_2 (key TEXT PRIMARY KEY, file TEXT, answer TEXT, facts TEXT, sum TEXT)",
    "CREATE INDEX IF NOT EXISTS files_2 ON answers_2 (file)",
    "CREATE TABLE IF NOT EXISTS seen_2 (directory TEXT PRIMARY KEY, seen TEXT, sum TEXT)",
)
_GET = "SELECT answer, facts, sum FROM answers_2 WHERE key = ?"
_PUT = "INSERT OR REPLACE INTO answers_2 VALUES (?, ?, ?, ?, ?)"
_TRIM = (
    "DELETE FROM answers_2 WHERE file = :file"
    " AND rowid NOT IN (SELECT rowid FROM answers_2 WHERE file = :file ORDER BY rowid DESC LIMIT :kept)"
)
_GET_SEEN = "SELECT directory, seen, sum FROM seen_2 WHERE directory = ?"
_GET_ALL_SEEN = "SELECT directory, seen, sum FROM seen_2"
_PUT_SEEN = "INSERT OR REPLACE INTO seen_2 VALUES (?, ?, ?)"


class Cache:
    """Does what ``workers`` do, but asks them only what is not kept in a directory.

    What is new is written when a run ends, in one transaction: ``with Cache(...) as cache``.
    """

    def __init__(self, directory: str | Path, workers: Workers) -> None:
        self._path = Path(directory) / NAME
        self._workers = workers
        self._klint = _sum(json.dumps([__version__, _own_files(), sys.version_info[:2]]))
        self._run = _sum(self._klint + os.getcwd())
        self._new: list[tuple[str, str, str, str, str]] = []
        self._places = Places()
        self._asked = 0
        self._seen: dict[str, tuple[str, ...]] | None = None
        self._facts: set[str] = set()
        self._known: dict[tuple[str, str], set[str]] = {}
        self._index = Index(self.seen)
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
            seen = [(_sum(path), text, _sum(self._klint + text)) for path, text in self._index.changed()]
            if self._new or seen:
                with self._connection:
                    self._connection.executemany(_PUT_SEEN, seen)
                    self._connection.executemany(_PUT, self._new)
                    self._connection.executemany(_TRIM, [{"file": new[1], "kept": KEPT} for new in self._new])
        except sqlite3.Error as problem:
            self._give_up(problem)
        finally:
            if self._connection is not None:
                self._connection.close()

    def look(self, filenames: Sequence[str], comments: bool) -> Iterator[Look | SourceError]:
        """How files look, in their order; only those that have changed are read."""
        self._open(filenames)
        known = [self._index.look(filename, comments) for filename in filenames]
        unknown = [filename for filename, look in zip(filenames, known, strict=True) if look is None]
        fresh = self._workers.look(unknown, comments)
        for filename, look in zip(filenames, known, strict=True):
            if look is None:
                found = next(fresh)
                if isinstance(found, Look):
                    self._index.put_look(filename, found, comments)
                yield found
            else:
                yield look

    def takes(self, filenames: Sequence[str], names: frozenset[str]) -> Iterator[frozenset[str]]:
        """Which of some names files take from others, in their order; only files of which that is not known are read."""
        which = _sum(json.dumps(sorted(names)))
        known = [self._index.taken(filename, which) for filename in filenames]
        unknown = [filename for filename, taken in zip(filenames, known, strict=True) if taken is None]
        fresh = self._workers.takes(unknown, names)
        for filename, taken in zip(filenames, known, strict=True):
            if taken is None:
                found = next(fresh)
                self._index.put_taken(filename, which, sorted(found))
                yield found
            else:
                yield frozenset(taken)

    def judge(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """The answers to tasks, in their order; only those that are not kept are judged."""
        known = [self.get(task) for task in tasks]
        fresh = self._workers.judge([task for task, answer in zip(tasks, known, strict=True) if answer is None])
        for task, answer in zip(tasks, known, strict=True):
            if answer is None:
                answer = next(fresh)
                self.put(task, answer)
            yield answer

    def get(self, task: Task) -> Answer | None:
        """The answer to a task, if it was given before and all that it rests on is the same still."""
        rows = self._fetch(_GET, self._key(task)) if _is_kept(task) else []
        if not rows or rows[0][2] != _sum(rows[0][0] + rows[0][1]):
            return None
        try:
            answer, facts = decode(rows[0][0]), decode_facts(rows[0][1])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        if self._index.digest(task.filename) != answer.digest or not self._hold(facts):
            return None
        answer.dependencies = Dependencies({}, dict(filter(None, map(digest_of, facts))))
        return answer

    def put(self, task: Task, answer: Answer) -> None:
        """Keep the answer to a task, unless another run may have another."""
        if self._connection is not None and _is_kept(task) and answer.is_read and answer.is_sound:
            text, facts = encode(answer), encode_facts(answer.dependencies)
            self._new.append((self._key(task), _sum(task.filename), text, facts, _sum(text + facts)))
            self._index.put_digest(task.filename, answer.digest)
            for path, read in answer.dependencies.digests.items():
                self._index.put_digest(path, read)

    def seen(self, directory: str) -> str | None:
        """What this version of klint has written of the files of a directory."""
        key = _sum(directory)
        self._asked += 1
        if self._asked <= _FEW:
            rows = self._fetch(_GET_SEEN, key)
        else:
            if self._seen is None:
                self._seen = {row[0]: row for row in self._fetch(_GET_ALL_SEEN)}
            rows = [self._seen[key]] if key in self._seen else []
        return rows[0][1] if rows and rows[0][2] == _sum(self._klint + rows[0][1]) else None

    def _fetch(self, query: str, *keys: str) -> list[tuple[str, ...]]:
        if self._connection is None:
            return []
        try:
            rows = self._connection.execute(query, keys).fetchall()
        except sqlite3.Error as problem:
            self._give_up(problem)
            return []
        return [row for row in rows if all(isinstance(value, str) for value in row)]

    def _open(self, filenames: Iterable[str]) -> None:
        """Open the file, which is made where there is none, with a ``.gitignore`` if the directory is klint's own."""
        if self._is_opened or not any(filenames):
            return
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

    def _hold(self, facts: list[str]) -> bool:
        """Whether all that an answer rests on is as it was. Most facts are those of other answers too."""
        for fact in set(facts) - self._facts:
            read = digest_of(fact)
            if read is None:
                directory, kind, names = kind_of(fact)
                known = self._known.setdefault((directory, kind), set())
                unknown = set(names) - known
                if any(self._places.kind(os.path.join(directory, name)) != kind for name in unknown):
                    return False
                known |= unknown
            elif self._index.digest(read[0]) != read[1]:
                return False
            self._facts.add(fact)
        return True


def _is_kept(task: Task) -> bool:
    """Whether a task is all told by files and settings; how prose is cut into blocks is a matter of another library's version."""
    return task.text is None and not task.stdin and not task.filename.lower().endswith(PROSE)


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE)
    try:
        with connection:
            for table in _TABLES:
                connection.execute(table)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _sum(text: str) -> str:
    return digest(text.encode("utf-8", "surrogatepass"))


def _own_files() -> list[tuple[str, int, int]]:
    """Name, size and time of every file of klint's own: one who works on klint sees at once what a change does."""
    found: list[tuple[str, int, int]] = []
    directories = [os.path.dirname(__file__)]
    while directories:
        with os.scandir(directories.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    directories.append(entry.path)
                elif entry.name.endswith(".py"):
                    state = entry.stat()
                    found.append((entry.path, state.st_size, state.st_mtime_ns))
    return sorted(found)
