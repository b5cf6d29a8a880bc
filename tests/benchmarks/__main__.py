"""klint's speed beside its goals: ``python -m tests.benchmarks [DIRECTORY]``.

Runs are measured against ruff and Python on the same machine, each as a user starts it. DIRECTORY is linted in place of the
corpus, which pip downloads. The exit status is 1 where a goal is not met.
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.benchmarks.corpus import NoCorpus, corpus
from tests.benchmarks.files import COUNTS, growth_with_files, peak_memory
from tests.benchmarks.growth import HEAD, LOSS, PROGRAMS, SIZES, growth, lines, seconds
from tests.benchmarks.same import differing

COMPILED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As packages that are installed are."""

PYTHON = [sys.executable, "-c", "pass"]
KLINT = [sys.executable, "-m", "klint", "check", "--isolated", "-q", "--exit-zero"]
PLUGIN = [sys.executable, "-m", "tests.benchmarks.plugin"]
RUFF = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", "--no-cache", "-q", "--exit-zero"]
SAMPLE = 300
"""How many files flake8 is given of a directory: it is slow."""


@dataclass(frozen=True)
class Figure:
    """One measure, beside the most that it may be."""

    name: str
    value: float
    goal: float
    unit: str = ""

    @property
    def is_met(self) -> bool:
        return self.value <= self.goal

    def __str__(self) -> str:
        return f"{self.name:<48} {self.value:9.2f} {self.unit:<8} goal {self.goal:5.2f}  {'met' if self.is_met else 'MISSED'}"


def main() -> int:
    """Print every figure as soon as it is known."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="klint's speed beside its goals")
    parser.add_argument("directory", nargs="?", type=Path, help="what to lint in place of the corpus")
    parser.add_argument("--rounds", type=int, default=5, help="how often each run is measured (default: 5)")
    options = parser.parse_args()
    gc.set_threshold(100_000, 50, 50)  # as klint's own processes have it
    missed = 0
    for figure in (_same(), *_starts(options.rounds), *_growths(), *_many_files()):
        print(figure, flush=True)
        missed += not figure.is_met
    try:
        directory = options.directory or corpus()
    except NoCorpus as reason:
        print(f"skipped: the runs on a corpus: {reason}")
    else:
        for figure in (*_runs(directory.resolve(), options.rounds), *_memory(directory.resolve())):
            print(figure, flush=True)
            missed += not figure.is_met
    return int(missed > 0)


def _same() -> Figure:
    return Figure("findings that depend on jobs, cache, or order", differing(), 0)


def _starts(rounds: int) -> Iterator[Figure]:
    """What a run costs before there is anything to judge, and with one loss."""
    with tempfile.TemporaryDirectory() as place:
        plain, loss = Path(place, "plain.py"), Path(place, "loss.py")
        plain.write_text("def plain(a, b):\n    return a * b\n" * 50)
        loss.write_text(lines(1))
        kept = _run([*KLINT, "--cache-dir", place, str(plain)])
        many = 4 * rounds  # they are short
        yield Figure("start: a file without losses / python -c pass", _ratio(_check(plain), many), 6, "x")
        yield Figure("start: the same with a warm cache", _ratio(kept, many), 6, "x")
        yield Figure("start: 100 lines with one loss", seconds(_check(loss), rounds), 0.5, "s")


def _ratio(work: Callable[[], None], rounds: int) -> float:
    """How many times as long something takes as Python alone, the two in turns: what else the machine does hits both."""
    python = _run(PYTHON)
    work()  # what is imported for the first time is compiled
    pairs = [(seconds(work, 1), seconds(python, 1)) for _ in range(rounds)]
    ours, pythons = zip(*pairs, strict=True)
    return median(ours) / median(pythons)


def _growths() -> Iterator[Figure]:
    for program in PROGRAMS:
        name = program.__name__.replace("_", " ")
        exponent, longest = growth(program)
        yield Figure(f"growth: {name}, 1x to {SIZES[-1]}x, exponent", exponent, 1.1)
        yield Figure(f"growth: {name}, longest", longest, 5, "s")


def _many_files() -> Iterator[Figure]:
    exponent, longest = growth_with_files()
    yield Figure(f"growth: files, {COUNTS[0]} to {COUNTS[-1]}, exponent", exponent, 1.1)
    yield Figure("growth: files, longest", longest, 5, "s")


def _memory(directory: Path) -> Iterator[Figure]:
    yield Figure("peak memory, largest process", peak_memory([*KLINT, "--no-cache", str(directory)]), 300, "MB")


def _runs(directory: Path, rounds: int) -> Iterator[Figure]:
    """Whole runs over a directory, against ruff's."""
    yield Figure("flake8: time for klint / time without klint", _share_of_flake8(directory), 0.03, "x")
    ruff = seconds(_run([*RUFF, str(directory)]), rounds)
    print(f"ruff check --select F --no-cache: {ruff:.2f} s")
    yield Figure("check --no-cache / ruff", seconds(_check(directory), min(rounds, 3)) / ruff, 1, "x")
    with tempfile.TemporaryDirectory() as place:
        kept = _run([*KLINT, "--cache-dir", place, str(directory)])
        kept()
        yield Figure("check with a warm cache / ruff", seconds(kept, rounds) / ruff, 0.4, "x")
        touched = Path(place, "touched.py")  # a file of its own: the directory may be the user's
        with_one_more = _run([*KLINT, "--cache-dir", place, str(directory), str(touched)])

        def after_an_edit() -> None:
            touched.write_text(f"# {os.urandom(8).hex()}\n{HEAD}def loss(x, y):\n    return {LOSS}\n")
            with_one_more()

        after_an_edit()
        yield Figure("check after one file has changed / ruff", seconds(after_an_edit, rounds) / ruff, 0.4, "x")


def _share_of_flake8(directory: Path) -> float:
    """What the plugin adds to flake8's own time, over files from all parts of a directory."""
    files = sorted(directory.rglob("*.py"))
    command = [*PLUGIN, *map(str, files[:: len(files) // SAMPLE + 1])]
    run = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=COMPILED
    )
    return float(run.stdout)


def _check(path: Path) -> Callable[[], None]:
    return _run([*KLINT, "--no-cache", str(path)])


def _run(command: list[str]) -> Callable[[], None]:
    def run() -> None:
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=COMPILED)

    return run


if __name__ == "__main__":
    sys.exit(main())
