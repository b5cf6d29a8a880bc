"""The idioms that klint understands: pairs of programs that cannot be told apart without them."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from klint import lint_paths, lint_source
from tests.codes import PREAMBLE, codes
from tests.graph.idioms import Idiom
from tests.graph.idioms.operations import UNDERSTOOD
from tests.graph.idioms.topics import BARE, NOT_FOLLOWED, TOPICS, table
from tests.truth import Watch, watch

FILE = re.compile(r"^# file: (.+)\n", re.MULTILINE)
NOT_SEEN = {"KL110", "KL301"}
"""What the tensors of one call do not show."""


def pairs(files: bool) -> dict[str, tuple[str, Idiom]]:
    """The idioms whose programs are of several files, or of one, with their topics."""
    return {
        f"{topic}: {name}": (topic, idiom)
        for topic, idioms in TOPICS.items()
        for name, idiom in idioms.items()
        if (topic == "files") == files
    }


ONE_FILE, FILES = pairs(files=False), pairs(files=True)
one_file = pytest.mark.parametrize(("topic", "idiom"), ONE_FILE.values(), ids=ONE_FILE)
several_files = pytest.mark.parametrize("idiom", [idiom for _, idiom in FILES.values()], ids=FILES)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own, of programs that are wrong on purpose
understood = pytest.mark.parametrize("program", UNDERSTOOD.values(), ids=UNDERSTOOD)


def source(topic: str, program: str) -> str:
    """A program as it stands in a file."""
    return program if topic in BARE else PREAMBLE + program


@one_file
def test_wrong_program_is_found(topic, idiom, request):
    if request.node.callspec.id in NOT_FOLLOWED:
        request.applymarker(pytest.mark.xfail(strict=True, reason=NOT_FOLLOWED[request.node.callspec.id]))
    assert codes(source(topic, idiom.wrong)) == list(idiom.codes)


@one_file
def test_right_program_is_silent(topic, idiom):
    assert codes(source(topic, idiom.right)) == []


@understood
def test_program_is_understood(program):
    report = lint_source(PREAMBLE + program, "case.py")
    assert report.findings == []
    assert report.understood == report.sites > 0


@one_file
def test_torch_agrees(topic, idiom):
    if "einops" in idiom.wrong:
        pytest.importorskip("einops")
    wrong, right = (see(source(topic, program)) for program in (idiom.wrong, idiom.right))
    assert wrong[0] == set(idiom.codes) - NOT_SEEN
    assert right[0] <= ({"KL201"} if topic == "divisors" else set())
    if "KL301" in idiom.codes:
        assert not same_values(wrong[1])
        assert same_values(right[1])


@understood
def test_torch_agrees_with_what_is_understood(program):
    assert see(PREAMBLE + program)[0] == set()


def see(text: str) -> tuple[set[str], dict[str, Any]]:
    """The codes of the misuse that a program shows when it runs, and the names that it binds."""
    rows, target = torch.randn(8, 10), torch.randn(8, 10).softmax(1)
    seen, names = watch(
        text,
        x=rows,
        y=torch.randn(8, 10),
        rows=rows,
        flat=rows[0],
        p=target,
        log_q=rows.log_softmax(1),
        cube=torch.randn(4, 10, 6),
        image=torch.randn(2, 3, 5, 4),
        model=lambda x: SimpleNamespace(logits=x),
    )
    return set(seen.codes), names


def same_values(names: dict[str, Any]) -> bool:
    """Whether the KL and what stands beside it are the same number."""
    kl, other = (names["kl"], names["other"]) if "kl" in names else names["result"]
    return torch.allclose(torch.as_tensor(kl), torch.as_tensor(other), atol=1e-5)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory from which programs import."""
    known = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "src")
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


def write(project: Path, program: str) -> Path:
    """Write the files of a program; the last one is the one that is run."""
    _, *parts = FILE.split(program)
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


@several_files
def test_wrong_project_is_found(idiom, project):
    write(project, idiom.wrong)
    assert [finding.code for finding in lint_paths([project]).findings] == list(idiom.codes)


@several_files
def test_right_project_is_silent(idiom, project):
    write(project, idiom.right)
    assert lint_paths([project]).findings == []


@several_files
@pytest.mark.parametrize("is_wrong", [True, False])
def test_torch_agrees_with_a_project(idiom, is_wrong, project):
    path = write(project, idiom.wrong if is_wrong else idiom.right)
    with Watch() as seen:
        runpy.run_path(str(path))
    assert seen.calls == 1
    assert set(seen.codes) == (set(idiom.codes) if is_wrong else set())


def test_the_documentation_lists_the_idioms():
    text = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    assert table() in text
