"""Code that would leave a mark on the disk as soon as any of it runs, or take all that the machine has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from klint.linter import diagnose_paths
from klint.verify import Verdict, VerifyOptions, verify_diagnoses, verify_paths
from klint.verify.sandbox import Sandbox, worker_command

HOSTILE = Path(__file__).parents[2] / "fixtures" / "hostile"
GREEDY = ("allocates", "endless")
"""Files that leave no mark, but would take all memory or all time."""

MARKING = sorted(path.stem for path in HOSTILE.glob("*.py") if path.stem not in (*GREEDY, "sibling"))
RUN_EACH = """
import os, runpy, sys, torch
for path in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        sys.path.insert(0, os.path.dirname(path))
        try:
            runpy.run_path(path)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
"""


def place(name: str, directory: Path) -> tuple[Path, Path]:
    """A hostile file and its sibling in a directory, and the mark that they would leave."""
    directory.mkdir()
    mark = directory / "mark"
    for path in (HOSTILE / f"{name}.py", HOSTILE / "sibling.py"):
        (directory / path.name).write_text(path.read_text("utf-8").replace("the-mark", str(mark)), "utf-8")
    return directory / f"{name}.py", mark


@pytest.mark.skipif(not hasattr(os, "fork"), reason="one torch for all files takes a fork")
def test_python_would_leave_the_marks(tmp_path):
    files = [place(name, tmp_path / name) for name in MARKING]
    command = [sys.executable, "-c", RUN_EACH, *(str(file) for file, _ in files)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    assert [file.stem for file, mark in files if not mark.exists()] == []


@pytest.mark.parametrize("name", MARKING)
def test_verify_leaves_none(name, tmp_path, sandbox):
    file, mark = place(name, tmp_path / name)
    report = verify_diagnoses(diagnose_paths([file])[0], VerifyOptions(device="cpu"), sandbox)
    assert report.results
    assert all(result.runs for result in report.results)
    assert not mark.exists()


def test_what_lies_in_the_directory_is_not_taken_for_a_library(tmp_path, monkeypatch):
    file, mark = place("module_body", tmp_path / "project")
    for name in ("torch", "numpy", "sitecustomize", "usercustomize", "klint", "json"):
        (file.parent / f"{name}.py").write_text(f"open({str(mark)!r}, 'w')", "utf-8")
    monkeypatch.chdir(file.parent)
    monkeypatch.setenv("PYTHONPATH", str(file.parent))
    monkeypatch.setenv("PYTHONSTARTUP", str(file.parent / "json.py"))
    (result,) = verify_paths([file.name], VerifyOptions(device="cpu")).results
    assert result.verdict is Verdict.CONFIRMED, result.reason
    assert not mark.exists()


@pytest.mark.parametrize(("name", "reason"), [("allocates", "memory"), ("endless", "longer than")])
def test_a_greedy_site_costs_one_finding(name, reason, sandbox):
    diagnoses, _ = diagnose_paths([HOSTILE / f"{name}.py"])
    greedy, fine = verify_diagnoses(diagnoses, VerifyOptions(device="cpu", timeout=3), sandbox).results
    assert (greedy.verdict, reason in greedy.reason) == (Verdict.INCONCLUSIVE, True)
    assert fine.verdict is Verdict.CONFIRMED, fine.reason


def test_a_site_that_ends_the_worker_costs_one_finding(tmp_path):
    """No operation that klint replays is known to do so: here a number stands in for it."""
    kill = "import os, klint.verify.replay as r; run = r.run_step; "
    kill += "r.run_step = lambda step, values: os.kill(os.getpid(), 11) if step.value == 666 else run(step, values); "
    command = [part.replace("main()", f"{kill}main()") for part in worker_command()]
    file = tmp_path / "two.py"
    loss = "F.kl_div(F.softmax(x / {}, 1), F.softmax(y, 1), reduction='sum')\n"
    file.write_text(
        f"import torch.nn.functional as F\n\ndef f(x, y):\n    {loss.format(666)}    {loss.format(2)}", "utf-8"
    )
    with Sandbox(command=command) as sandbox:
        killed, fine = verify_diagnoses(diagnose_paths([file])[0], VerifyOptions(device="cpu"), sandbox).results
    assert (killed.verdict, killed.reason) == (Verdict.INCONCLUSIVE, "the worker process was killed by SIGSEGV")
    assert fine.verdict is Verdict.CONFIRMED, fine.reason
