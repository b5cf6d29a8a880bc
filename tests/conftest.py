"""What tests of the command line share."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from klint.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a run of klint printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def places(self) -> list[str]:
        """``file:row:col: CODE`` of each line of concise output."""
        return [line[: line.index(" ", line.index(": ") + 2)] for line in self.out.splitlines()]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the diffs of the fixtures' fixes anew")


Klint = Callable[..., Outcome]


@pytest.fixture
def klint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Klint:
    """Run klint in an empty directory, with the bytes of standard input if there is any."""
    monkeypatch.chdir(tmp_path)

    def run(*args: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        status = main([*args])
        return Outcome(status, *capsys.readouterr())

    return run
