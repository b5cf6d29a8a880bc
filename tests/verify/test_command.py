"""``klint verify`` as it is called from a shell."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from klint.verify import VerifyOptions, verify_diagnoses
from klint.verify.progress import shown_progress

LOSS = """
import torch.nn.functional as F

def loss(student, teacher):
    return F.kl_div(F.log_softmax(student, dim=1), F.softmax(teacher, dim=1))
"""


@pytest.fixture(autouse=True)
def site(klint) -> None:
    """A program with one finding."""
    Path("site.py").write_text(LOSS, encoding="utf-8")


def test_a_page_has_the_class_counts_that_show_how_a_gap_grows(klint):
    outcome = klint("verify", "site.py", "--device", "cpu", "--output-format", "html", "--output-file", "page.html")
    assert (outcome.status, outcome.out) == (1, "")
    page = Path("page.html").read_text("utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert all(f"(7, {count})" in page for count in (2, 10, 100, 1000))


def test_the_grid_is_the_users(klint):
    options = ("--classes", "3,5", "--dtype", "float32,bfloat16", "--batch", "2")
    outcome = klint("verify", "site.py", "--device", "cpu", "--output-format", "json", *options)
    (finding,) = json.loads(outcome.out)["findings"]
    sizes = [(run["dtype"], run["sizes"]["input"]) for run in finding["runs"]]
    assert sizes == [(dtype, [2, count]) for dtype in ("float32", "bfloat16") for count in (3, 5)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(("--classes", "ten"), "--classes: 'ten' is no list of whole numbers", id="classes in words"),
        pytest.param(("--classes", "1"), "classes must be 2 or more", id="one class"),
        pytest.param(("--dtype", "int8"), "unknown dtype 'int8'", id="dtype"),
    ],
)
def test_what_cannot_be_meant_is_one_line(klint, options, message):
    outcome = klint("verify", "site.py", *options)
    assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert message in outcome.err


def test_a_gpu_that_is_not_there_is_one_line(klint, sandbox):
    if sandbox.environment()["cuda"]:
        pytest.skip("there is a GPU")
    outcome = klint("verify", "site.py", "--device", "cuda")
    assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith("klint: no CUDA device is there")


def test_a_page_without_the_extra_is_one_line_before_anything_is_replayed(klint, monkeypatch):
    monkeypatch.setattr("klint.verify.html.find_spec", lambda _: None)
    monkeypatch.setattr("klint.verify.verify_paths", lambda *_: pytest.fail("replayed for nothing"))
    outcome = klint("verify", "site.py", "--output-format", "html")
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "pip install 'klint[report]'" in outcome.err


class TestProgress:
    def terminal(self, monkeypatch, is_terminal: bool) -> io.StringIO:
        stream = io.StringIO()
        monkeypatch.setattr(stream, "isatty", lambda: is_terminal, raising=False)
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        return stream

    def test_a_terminal_is_told_how_far_it_is(self, monkeypatch):
        stream = self.terminal(monkeypatch, is_terminal=True)
        with shown_progress() as progress:
            assert progress is not None
            progress(3, 8)
        assert "3/8" in stream.getvalue()

    def test_a_file_is_not(self, monkeypatch):
        stream = self.terminal(monkeypatch, is_terminal=False)
        with shown_progress() as progress:
            assert progress is None
        assert stream.getvalue() == ""

    def test_every_finding_counts(self, graph, forum_thread, sandbox):
        told: list[tuple[int, int]] = []
        diagnoses = [graph.diagnosis(forum_thread)] * 3
        options = VerifyOptions(device="cpu")
        verify_diagnoses(diagnoses, options, sandbox, lambda done, total: told.append((done, total)))
        assert told == [(1, 3), (2, 3), (3, 3)]
