from __future__ import annotations

import re
import shlex
from importlib.metadata import entry_points, requires, version
from pathlib import Path

import pytest

import klint

ROOT = Path(__file__).parents[1]


def test_the_installed_version_is_that_of_the_package():
    assert version("klint") == klint.__version__


@pytest.mark.parametrize(("group", "name"), [("console_scripts", "klint"), ("flake8.extension", "KL")])
def test_entry_points_lead_somewhere(group, name):
    (entry_point,) = entry_points(group=group, name=name)
    assert callable(entry_point.load())


def test_python_lsp_server_finds_the_plugin():
    pytest.importorskip("pylsp", reason="python-lsp-server is not installed")
    (entry_point,) = entry_points(group="pylsp", name="klint")
    assert callable(entry_point.load().pylsp_lint)


def test_no_dependency_is_capped():
    versions = [requirement.partition(";")[0] for requirement in requires("klint")]
    assert [version for version in versions if re.search(r"[<~]|==\s*\d", version)] == []


def test_torch_is_an_extra():
    torch = [requirement for requirement in requires("klint") if re.match(r"torch\b", requirement)]
    assert torch
    assert all("extra ==" in requirement for requirement in torch)


def test_the_public_names_are_there():
    assert {name for name in klint.__all__ if getattr(klint, name) is None} == set()
    with pytest.raises(AttributeError, match="no attribute 'lint'"):
        klint.lint  # noqa: B018


def test_the_pre_commit_hooks_are_commands_that_work(klint):
    hooks = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
    entries = re.findall(r"^  entry: klint (.*)$", hooks, re.MULTILINE)
    Path("a.py").write_text("x = 1\n")
    assert [klint(*shlex.split(entry), "a.py").status for entry in entries] == [0, 0]
