"""200 findings replay in less time than torch takes to import twice: ``python -m tests.benchmarks.verify``.

The findings are those of the fixtures, each as often as it takes. The worker is warm: it has imported torch, which a run
does once. The exit status is 1 where the bound does not hold.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from klint.linter import diagnose_paths
from klint.verify import VerifyOptions, verify_diagnoses
from klint.verify.sandbox import Sandbox

PROGRAMS = sorted((Path(__file__).parents[2] / "fixtures").glob("kl*/bad.py"))
FINDINGS = 200
ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    """How long it takes: the median of a few rounds."""

    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return median(once() for _ in range(ROUNDS))


def import_torch() -> None:
    """A Python that imports torch and ends."""
    subprocess.run([sys.executable, "-I", "-c", "import torch"], check=True)


def main() -> int:
    """Print both times and their ratio."""
    found = [diagnosis for diagnosis in diagnose_paths(PROGRAMS)[0] if diagnosis.claim is not None]
    diagnoses = list(islice(cycle(found), FINDINGS))
    twice = 2 * seconds(import_torch)
    options = VerifyOptions(device="cpu")
    with Sandbox(options.memory) as sandbox:
        verdicts = Counter(result.verdict.value for result in verify_diagnoses(diagnoses, options, sandbox).results)
        replay = seconds(lambda: verify_diagnoses(diagnoses, options, sandbox))
    print(f"{FINDINGS} findings: {', '.join(f'{count} {verdict}' for verdict, count in sorted(verdicts.items()))}")
    print(f"replayed in {replay:.2f} s, {1000 * replay / FINDINGS:.1f} ms each; torch imports twice in {twice:.2f} s")
    print(f"ratio {replay / twice:.2f} (must stay below 1)")
    return int(replay >= twice)


if __name__ == "__main__":
    sys.exit(main())
