"""klint inside python-lsp-server, which a client drives over its standard input and output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pylsp", reason="python-lsp-server is not installed")
pytest.importorskip("pygls", reason="the extra 'server' is not installed")

from lsprotocol import types

from tests.hosts.editor import Editor, applied, editing

PYLSP = [sys.executable, "-m", "pylsp"]
QUIET = ["pycodestyle", "pyflakes", "mccabe", "preload", "rope_autoimport", "jedi_completion"]

BAD = """\
import torch.nn.functional as F


def loss(x, y):
    return "😀", F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""
SAFE = BAD.replace("F.softmax(x, dim=1)", "F.softmax(x, dim=1).log()")


def options(**plugins: Any) -> dict[str, Any]:
    """Settings for pylsp in which other plugins are off."""
    return {"pylsp": {"plugins": {**{name: {"enabled": False} for name in QUIET}, **plugins}}}


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """pylsp runs the flake8 that is found first: that of this environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", os.path.dirname(sys.executable), prepend=os.pathsep)
        yield


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    with editing(PYLSP, tmp_path_factory.mktemp("work"), options()) as editor:
        yield editor


def test_a_diagnostic_has_its_range_severity_and_link(editor):
    editor.open("a.py", BAD)
    (shown,) = editor.diagnostics("a.py")
    assert (shown.range.start, shown.range.end) == (types.Position(4, 17), types.Position(4, 84))
    assert (shown.code, shown.source, shown.severity) == ("KL101", "klint", types.DiagnosticSeverity.Error)
    assert shown.code_description.href.endswith("/KL101/")
    assert [related.location.range.start.character for related in shown.related_information] == [26]


def test_quick_fixes_follow_the_text(editor):
    editor.open("b.py", BAD)
    (shown,) = editor.diagnostics("b.py")
    fix, comment = editor.actions("b.py", shown)
    assert (fix.title, fix.is_preferred) == ("KL101: Use log_softmax (unsafe: changes what is trained)", None)
    silenced = applied(BAD, comment.edit.changes[editor.uri("b.py")])
    assert silenced == BAD.replace('"sum")', '"sum")  # noqa: KL101')
    editor.type("b.py", SAFE)
    (shown,) = editor.diagnostics("b.py")
    fix, _ = editor.actions("b.py", shown)
    assert (fix.title, fix.is_preferred) == ("KL110: Use log_softmax", True)
    editor.type("b.py", applied(SAFE, fix.edit.changes[editor.uri("b.py")]))
    assert editor.codes("b.py") == []


def test_half_typed_code_ends_nothing(editor):
    editor.open("c.py", BAD + "\n\ndef g(:\n")
    assert editor.codes("c.py") == ["KL101"]


def test_settings_come_from_the_project(editor):
    home = editor.root / "sub"
    home.mkdir()
    (home / "pyproject.toml").write_text('[tool.klint]\nignore = ["KL101"]\n')
    editor.open("sub/a.py", BAD)
    assert editor.codes("sub/a.py") == []


def test_a_mistake_in_the_settings_costs_nobody_else_a_finding(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text('[tool.klint]\nignroe = ["KL101"]\n')
    with editing(PYLSP, tmp_path, options(pyflakes={"enabled": True})) as editor:
        editor.open("a.py", "import os\n" + BAD)
        assert [shown.source for shown in editor.diagnostics("a.py")] == ["pyflakes"]


@pytest.mark.parametrize(
    ("flake8", "source"),
    [
        ({"enabled": True, "select": ["KL"]}, "flake8"),
        ({"enabled": True, "select": ["E9"]}, "klint"),
        ({"enabled": False}, "klint"),
    ],
    ids=["flake8 shows them", "flake8 is on and does not show them", "flake8 is off"],
)
def test_a_finding_is_shown_once(tmp_path: Path, flake8, source):
    with editing(PYLSP, tmp_path, options(flake8=flake8)) as editor:
        editor.open("a.py", BAD.replace("😀", ""))  # pylsp's flake8 plugin does not count UTF-16
        (shown,) = editor.diagnostics("a.py")
        assert (shown.code, shown.source) == ("KL101", source)
        assert len(editor.actions("a.py", shown)) == 2


def test_it_can_be_switched_off(tmp_path: Path):
    with editing(PYLSP, tmp_path, options(klint={"enabled": False}, pyflakes={"enabled": True})) as editor:
        editor.open("a.py", "import os\n" + BAD)
        assert [shown.source for shown in editor.diagnostics("a.py")] == ["pyflakes"]
