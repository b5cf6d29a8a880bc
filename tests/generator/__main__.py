"""``python -m tests.generator --count 5000``: composes programs, holds klint against torch, and says where they differ.

With ``--verify`` each finding is replayed as ``klint verify`` does it: none may be refuted, and all that are real must be confirmed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import torch

from klint.verify import Verdict
from klint.verify.sandbox import Sandbox
from tests.generator.programs import generate
from tests.generator.verdicts import NOT_CLAIMED, Disagreement, disagreements
from tests.generator.verified import Verified, verified

CHUNK = 100
"""How many programs share one worker."""


def judge(seed: int) -> list[Disagreement]:
    """The disagreements about the program of a seed; the program itself where it does not even run."""
    torch.set_num_threads(1)
    program = generate(seed)
    try:
        return disagreements(program)
    except Exception as error:
        raise RuntimeError(f"seed {seed}: {error!r}\n{program.source}") from error


def verify(seeds: Sequence[int]) -> list[Verified]:
    """The verdicts on all findings of some programs, replayed in one warm worker."""
    torch.set_num_threads(1)
    with Sandbox() as sandbox:
        return [each for seed in seeds for each in verified(generate(seed), sandbox)]


def say_verdicts(seeds: range, jobs: int | None, say: Callable[[str], None]) -> int:
    """Verify the findings of programs, and print those with a wrong verdict, those left open, and how many there are of each."""
    chunks = [seeds[start : start + CHUNK] for start in range(0, len(seeds), CHUNK)]
    with ProcessPoolExecutor(jobs) as pool:
        found = [each for part in pool.map(verify, chunks) for each in part]
    for each in found:
        if each.is_wrong or each.result.verdict is Verdict.INCONCLUSIVE:
            say(f"{'WRONG ' if each.is_wrong else ''}{each}")
    counts = Counter(each.result.verdict.value for each in found)
    wrong = sum(each.is_wrong for each in found)
    said = ", ".join(f"{counts[verdict.value]} {verdict.value}" for verdict in Verdict)
    say(f"{len(seeds)} programs, {len(found)} findings: {said}; {wrong} wrong verdicts")
    return 1 if wrong else 0


def main() -> int:
    """Judge programs and print a summary."""
    parser = argparse.ArgumentParser(prog="python -m tests.generator", description=__doc__)
    parser.add_argument("--count", type=int, default=600, help="how many programs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=None, help="how many processes")
    parser.add_argument("--source", action="store_true", help="print the programs that klint and torch differ about")
    parser.add_argument("--verify", action="store_true", help="replay each finding instead")
    options = parser.parse_args()
    say = partial(print, file=sys.stdout)
    seeds = range(options.first, options.first + options.count)
    if options.verify:
        return say_verdicts(seeds, options.jobs, say)
    with ProcessPoolExecutor(options.jobs) as pool:
        found = [item for items in pool.map(judge, seeds, chunksize=20) for item in items]
    open_ones = [item for item in found if item.excuse is None]
    for item in open_ones:
        say(f"{item}\n")
        if options.source:
            say(item.program.source)
    excused = Counter(item.excuse for item in found if item.excuse)
    say(f"{options.count} programs, {len(open_ones)} disagreements")
    for feature, (codes, why) in NOT_CLAIMED.items():
        say(f"  {excused[feature]:4} not claimed: {feature}, {codes}: {why}")
    return 1 if open_ones else 0


if __name__ == "__main__":
    sys.exit(main())
