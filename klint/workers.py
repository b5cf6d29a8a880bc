"""Looking at files and judging them, one at a time or in several processes at once.

A task holds all that judging a file depends on but the other files of its project, which each process reads for itself; an answer
holds all that comes of it. Answers come in the order of their tasks, so that a run's output does not depend on the number of processes.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from klint.prefilter import Look, excerpt, look, may_hold_loss, takes
from klint.source.dependencies import Dependencies
from klint.source.files import parse_file
from klint.source.python import SourceError, SourceUnit, decode_source, digest, is_python, read_bytes
from klint.source.suppress import names_klint
from klint.torch_model.losses import names_loss

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

    from klint.finding import Diagnosis
    from klint.graph.project import Project

Part = tuple[str, int]
"""A module: the name of its file, and which of the file's modules it is."""

_WORTHWHILE = 12
"""Fewer files than these are judged sooner than other processes start."""

_MANY = 3000
"""Fewer files than these are looked at sooner than other processes start."""

_CHUNK = 100
"""How many files a process looks at before it says what it has seen."""


@dataclass(frozen=True)
class Task:
    """One file to judge by the rules of ``codes``.

    ``text`` is what the file holds, where that is not on disk (None: it is read by who judges it). ``roots`` is where imports are
    looked for (None: they are not followed). Of a file that is judged for the functions of other files that it calls, ``wanted`` are
    their names.
    """

    filename: str
    codes: frozenset[str]
    text: str | None = None
    roots: tuple[str, ...] | None = None
    stdin: bool = False
    wanted: frozenset[str] = frozenset()

    def read(self) -> str | SourceError:
        """The text to judge, or why there is none."""
        return self.read_digest()[0]

    def read_digest(self) -> tuple[str | SourceError, str]:
        """The text to judge, or why there is none, and the digest of what was read from disk."""
        if self.text is not None:
            return self.text, ""
        data = read_bytes(self.filename, self.filename)
        return decode_source(data, self.filename) if isinstance(data, bytes) else data, digest(data)


@dataclass
class Answer:
    """What came of a task: the diagnoses, each with the module that it stands in, and what is told of the run.

    ``is_read`` says whether there was a text, ``is_commented`` whether it names codes of klint's in comments, ``is_sound`` that no error
    was klint's own. All of it rests on the bytes of the file, of which this is the ``digest``, and on the ``dependencies``. ``units`` are
    the modules at hand; they do not travel between processes, and neither do claims.
    """

    diagnoses: list[tuple[Diagnosis, Part]] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)
    is_read: bool = True
    is_commented: bool = False
    is_sound: bool = True
    sites: int = 0
    understood: int = 0
    wrappers: frozenset[str] = frozenset()
    digest: str = ""
    dependencies: Dependencies = field(default_factory=Dependencies)
    units: dict[Part, SourceUnit] = field(default_factory=dict)


Judge = Callable[[Task], Answer]


class Projects:
    """Judges tasks in this process; those with the same roots share what is parsed for their imports."""

    def __init__(self, unsaved: Mapping[str, str] | None = None) -> None:
        self._unsaved = unsaved or {}
        self._projects: dict[tuple[str, ...], Project] = {}

    def judge_all(self, tasks: Iterable[Task]) -> Iterator[Answer]:
        """The answers to tasks, in their order. Graphs go round in circles: those of one file are cleared away before the next."""
        for number, task in enumerate(tasks):
            if number:
                gc.collect(1)
            yield self.judge(task)

    def judge(self, task: Task) -> Answer:
        """The answer to a task. An error of klint's own costs the file's findings, and no others."""
        text, read = task.read_digest()
        if isinstance(text, SourceError):
            return Answer(errors=[text], is_read=False)
        if task.wanted:
            return self._judge_caller(task, text, read)
        answer = Answer(is_commented=names_klint(text), digest=read)
        for unit in parse_file(text, task.filename, task.stdin) if may_hold_loss(text, task.filename) else ():
            answer.units[unit.filename, unit.part] = unit
            answer.errors += unit.errors
            if names_loss(unit.text):
                self._judge(unit, task, frozenset(), answer)
        return answer

    def _judge_caller(self, task: Task, text: str, read: str) -> Answer:
        """The answer to a task about a file that may call functions of others; most turn out to take names from elsewhere."""
        answer = Answer(digest=read)
        tree = excerpt(text, task.wanted) if is_python(task.filename) else None
        if tree is not None and not self._taken(SourceUnit(task.filename, "", tree), task, answer):
            return answer
        for unit in parse_file(text, task.filename, task.stdin):
            answer.units[unit.filename, unit.part] = unit
            called = self._taken(unit, task, answer)
            if called:
                self._judge(unit, task, called, answer)
        return answer

    def _taken(self, unit: SourceUnit, task: Task, answer: Answer) -> frozenset[str]:
        project = self._project(task.roots or ())
        dependencies = project.record()
        taken = project.taken(unit, task.wanted)
        answer.dependencies.add(dependencies)
        return taken

    def _judge(self, unit: SourceUnit, task: Task, wanted: frozenset[str], answer: Answer) -> None:
        from klint.rules import RULES  # most files name no loss, and many runs have no other files
        from klint.rules.engine import diagnose

        project = None if task.roots is None else self._project(task.roots)
        rules = [rule for rule in RULES if rule.code in task.codes]
        dependencies = Dependencies() if project is None else project.record()
        try:
            analysis = diagnose(unit, rules, project, wanted)
        except Exception as error:  # one file must not cost the findings of the others
            answer.errors.append(internal_error(error, unit.filename))
            answer.is_sound = False
            return
        finally:
            answer.dependencies.add(dependencies)
        for diagnosis in analysis.diagnoses:
            place = analysis.units[diagnosis.finding.location.filename]
            answer.units[place.filename, place.part] = place
            answer.diagnoses.append((diagnosis, (place.filename, place.part)))
        answer.wrappers |= analysis.wrappers
        if not task.wanted:
            answer.sites += analysis.sites
            answer.understood += analysis.understood

    def _project(self, roots: tuple[str, ...]) -> Project:
        from klint.graph.project import Project

        return self._projects.setdefault(roots, Project(roots, self._unsaved))


class Workers:
    """Looks at files and judges them: in this process, or in ``jobs`` others where there is enough to do.

    Those that judge are started once, and stay until the end: ``with Workers(...) as workers``.
    """

    def __init__(self, projects: Projects, jobs: int) -> None:
        self._projects = projects
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def look(self, filenames: Sequence[str], comments: bool) -> Iterator[Look | SourceError]:
        """How files look, in their order, or why they cannot be read."""
        work = partial(_look, comments=comments)
        if self._jobs < 2 or len(filenames) < _MANY or not _can_fork():
            yield from map(work, filenames)
            return
        # These are not those that judge, which find all that they need at hand when they are started later.
        with _started(self._jobs) as pool:
            for found in pool.map(work, filenames, chunksize=_CHUNK):
                if isinstance(found, Look) and found.names_loss:
                    _prepare()
                yield found

    def takes(self, filenames: Sequence[str], names: frozenset[str]) -> Iterator[frozenset[str]]:
        """Which of some names files may take from others, in their order."""
        work = partial(_takes, names=frozenset(name.encode() for name in names))
        if self._pool is None and (self._jobs < 2 or len(filenames) < _MANY):
            yield from map(work, filenames)
        else:
            yield from self._others(self._jobs).map(work, filenames, chunksize=_CHUNK)

    def judge(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """The answers to tasks, in their order; the largest files come first, so that none is waited for at the end."""
        if self._jobs < 2 or len(tasks) < _WORTHWHILE:
            yield from self._projects.judge_all(tasks)
            return
        pool = self._others(len(tasks))
        order = sorted(range(len(tasks)), key=lambda number: _size(tasks[number]), reverse=True)
        batches = min(len(tasks), 64 * self._jobs)
        futures = [
            pool.submit(_judge_elsewhere, [tasks[number] for number in order[batch::batches]])
            for batch in range(batches)
        ]
        where = {number: divmod(place, batches) for place, number in enumerate(order)}
        for number in range(len(tasks)):
            row, batch = where[number]
            yield futures[batch].result()[row]

    def _others(self, count: int) -> ProcessPoolExecutor:
        """The processes that judge; there are not more than there is to do for those that start them."""
        if self._pool is None:
            _prepare()
            self._pool = _started(min(self._jobs, count))
        return self._pool


def _can_fork() -> bool:
    """Whether another process may start as a copy of this one, with all that is at hand here."""
    return sys.platform.startswith("linux") and threading.active_count() == 1


def _started(jobs: int) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor  # only runs with enough to do pay for it
    from multiprocessing import get_context

    like_here = partial(_settle_in, gc.get_threshold())
    return ProcessPoolExecutor(jobs, get_context("fork") if _can_fork() else None, like_here)


def _settle_in(thresholds: tuple[int, int, int]) -> None:
    gc.set_threshold(*thresholds)
    gc.freeze()  # what was here before is no garbage, and is not to be looked through


def _prepare() -> None:
    """Load what judging needs, once: processes that are started later have it."""
    import klint.rules.engine  # noqa: F401


def _look(filename: str, comments: bool) -> Look | SourceError:
    data = read_bytes(filename, filename)
    return look(data, filename, comments) if isinstance(data, bytes) else data


def _takes(filename: str, names: frozenset[bytes]) -> frozenset[str]:
    data = read_bytes(filename, filename)
    return frozenset(name.decode() for name in takes(data, filename, names)) if isinstance(data, bytes) else frozenset()


def _size(task: Task) -> int:
    try:
        return os.stat(task.filename).st_size if task.text is None else len(task.text)
    except OSError:
        return 0


def default_jobs() -> int:
    """As many processes as this one may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_HERE = Projects()
"""What a worker process keeps from task to task."""


def _judge_elsewhere(tasks: Iterable[Task]) -> list[Answer]:
    answers = []
    for answer in _HERE.judge_all(tasks):
        answer.units = {}
        answer.diagnoses = [(replace(diagnosis, claim=None), part) for diagnosis, part in answer.diagnoses]
        answers.append(answer)
    return answers


def internal_error(error: BaseException, filename: str) -> SourceError:
    """The line for an error that is klint's own fault."""
    from traceback import extract_tb

    last = extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return SourceError(
        filename, 0, 0, f"internal error{place}: {reason}; please report this line and the file as a bug in klint"
    )
