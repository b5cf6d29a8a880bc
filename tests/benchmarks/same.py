"""How many findings depend on how klint is run: with how many processes, with or without cache, all files at once or one by one."""

from __future__ import annotations

import tempfile
from pathlib import Path

from klint import lint_paths
from klint.config import Settings

PROGRAMS = sorted((Path(__file__).parents[2] / "fixtures").glob("kl*/*.py"))
"""Programs with findings of every rule: released packages have next to none."""


def differing() -> int:
    """The findings that not all ways to run klint agree on."""
    settings = Settings(select=("KL",))
    with tempfile.TemporaryDirectory() as place:
        ways = [
            lint_paths(PROGRAMS, settings, jobs=1).findings,
            lint_paths(PROGRAMS, settings, jobs=2).findings,
            lint_paths(PROGRAMS, settings, jobs=2, cache_dir=place).findings,
            lint_paths(PROGRAMS, settings, jobs=1, cache_dir=place).findings,
            [finding for program in PROGRAMS for finding in lint_paths([program], settings, jobs=1).findings],
        ]
    sets = [set(findings) for findings in ways]
    return len(set.union(*sets) - set.intersection(*sets))
