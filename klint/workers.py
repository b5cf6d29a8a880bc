"""Judging files, one at a time or in several processes at once.

A task holds all that judging a file depends on but the other files of its project, which each process reads for itself; an answer
holds all that comes of it. Answers come in the order of their tasks, so that a run's output does not depend on the number of processes.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from traceback import extract_tb

from klint.graph.project import Dependencies, Project, imports_any
from klint.rules import RULES
from klint.rules.base import Diagnosis
from klint.rules.engine import diagnose
from klint.source.files import parse_file
from klint.source.python import SourceError, SourceUnit, decode_source, digest, read_bytes
from klint.source.suppress import names_klint
from klint.torch_model.losses import names_loss

Part = tuple[str, int]
"""A module: the name of its file, and which of the file's modules it is."""

_WORTHWHILE = 12
"""Fewer files than these are judged sooner than other processes start."""


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

    def judge(self, task: Task) -> Answer:
        """The answer to a task. An error of klint's own costs the file's findings, and no others."""
        text, read = task.read_digest()
        if isinstance(text, SourceError):
            return Answer(errors=[text], is_read=False)
        answer = Answer(is_commented=names_klint(text), digest=read)
        wanted = frozenset(name for name in task.wanted if name in text)
        for unit in parse_file(text, task.filename, task.stdin) if wanted or not task.wanted else ():
            answer.units[unit.filename, unit.part] = unit
            called = imports_any(unit.tree, wanted) if wanted else frozenset()
            if not task.wanted:
                answer.errors += unit.errors
            if called or (not task.wanted and names_loss(unit.text)):
                self._judge(unit, task, called, answer)
        return answer

    def _judge(self, unit: SourceUnit, task: Task, wanted: frozenset[str], answer: Answer) -> None:
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
        return self._projects.setdefault(roots, Project(roots, self._unsaved))


def judge_all(tasks: Sequence[Task], projects: Projects, jobs: int) -> Iterator[Answer]:
    """The answers to tasks, in their order: in this process, or in ``jobs`` others where there is enough to do."""
    if jobs < 2 or len(tasks) < _WORTHWHILE:
        yield from map(projects.judge, tasks)
        return
    like_here = partial(gc.set_threshold, *gc.get_threshold())
    with ProcessPoolExecutor(min(jobs, len(tasks)), initializer=like_here) as pool:
        yield from pool.map(_judge_elsewhere, tasks, chunksize=max(1, min(16, len(tasks) // (8 * jobs))))


def default_jobs() -> int:
    """As many processes as this one may use cores."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_HERE = Projects()
"""What a worker process keeps from task to task."""


def _judge_elsewhere(task: Task) -> Answer:
    answer = _HERE.judge(task)
    answer.units = {}
    answer.diagnoses = [(replace(diagnosis, claim=None), part) for diagnosis, part in answer.diagnoses]
    return answer


def internal_error(error: BaseException, filename: str) -> SourceError:
    """The line for an error that is klint's own fault."""
    last = extract_tb(error.__traceback__)[-1:]
    place = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return SourceError(
        filename, 0, 0, f"internal error{place}: {reason}; please report this line and the file as a bug in klint"
    )
