"""What a run over many files costs: by which power of their number its time grows, and how much memory it takes."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from klint import lint_paths
from tests.benchmarks.growth import HEAD, LOSS, NOISE, seconds, slope

COUNTS = (100, 200, 400, 800, 1600, 3200, 6400)
PER_DIRECTORY = 50

_PLAIN = "import os\n\n\ndef plain(a, b):\n    return os.path.join(a, b)\n" * 20
_MEGABYTE = 1024 if sys.platform == "linux" else 1024 * 1024
"""In the unit in which the system counts memory."""


def write_files(directory: Path, count: int) -> None:
    """A project of small files: of fifty one holds a loss, one calls it from another file, and the others are about other things."""
    for number in range(count):
        package = directory / f"part_{number // PER_DIRECTORY}"
        package.mkdir(exist_ok=True)
        (package / f"file_{number}.py").write_text(_text(number))


def _text(number: int) -> str:
    if number % PER_DIRECTORY == 0:
        return f"{HEAD}def loss_{number}(x, y):\n    return {LOSS}\n\n\n{_PLAIN}"
    if number % PER_DIRECTORY == 1:
        return f"from file_{number - 1} import loss_{number - 1}\n\n\ndef call(x, y):\n    return loss_{number - 1}(x, y)\n"
    return _PLAIN


def growth_with_files() -> tuple[float, float]:
    """The exponent of the time over the number of files, and the longest time."""
    times = []
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as place:
            write_files(Path(place), count)
            times.append(seconds(partial(lint_paths, [place], jobs=1), 1))
    points = [(math.log(count), math.log(time)) for count, time in zip(COUNTS, times, strict=True) if time >= NOISE]
    return slope(points) if len(points) > 2 else 0.0, max(times)


def peak_memory(command: Sequence[str]) -> float:
    """The megabytes that the largest process of a run takes at once, its workers included."""
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    run = subprocess.run([sys.executable, "-c", measure, *command], check=True, capture_output=True, text=True)
    return int(run.stdout) / _MEGABYTE
