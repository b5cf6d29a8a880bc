"""``python -m tests.generator --count 5000``: composes programs, holds klint against torch, and says where they differ."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import torch

from tests.generator.programs import generate
from tests.generator.verdicts import NOT_CLAIMED, Disagreement, disagreements


def judge(seed: int) -> list[Disagreement]:
    """The disagreements about the program of a seed; the program itself where it does not even run."""
    torch.set_num_threads(1)
    program = generate(seed)
    try:
        return disagreements(program)
    except Exception as error:
        raise RuntimeError(f"seed {seed}: {error!r}\n{program.source}") from error


def main() -> int:
    """Judge programs and print a summary."""
    parser = argparse.ArgumentParser(prog="python -m tests.generator", description=__doc__)
    parser.add_argument("--count", type=int, default=600, help="how many programs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=None, help="how many processes")
    parser.add_argument("--source", action="store_true", help="print the programs that klint and torch differ about")
    options = parser.parse_args()
    say = partial(print, file=sys.stdout)
    seeds = range(options.first, options.first + options.count)
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
