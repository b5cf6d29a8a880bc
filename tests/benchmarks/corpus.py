"""The packages that klint is measured on: downloaded by pip once, and unpacked without being installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = Path(__file__).with_name("corpus.txt")


class NoCorpus(Exception):
    """Why there is nothing to measure on."""


def corpus() -> Path:
    """The directory with the unpacked packages."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "klint-benchmarks"
    unpacked = home / "unpacked"
    if unpacked.is_dir():
        return unpacked
    archives = home / "archives"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", archives, "-r", PACKAGES]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        reason = (run.stderr.strip().splitlines() or ["pip gives no reason"])[-1]
        raise NoCorpus(f"the corpus cannot be downloaded: {reason}")
    unfinished = home / "unfinished"
    for archive in sorted(archives.iterdir()):
        wheel = archive.suffix == ".whl"
        place = unfinished / archive.name
        place.mkdir(parents=True, exist_ok=True)
        shutil.unpack_archive(archive, place, format="zip" if wheel else None, **({} if wheel else {"filter": "data"}))
    unfinished.rename(unpacked)
    return unpacked
