from __future__ import annotations

import ast
import subprocess
import sys
from argparse import Namespace
from functools import partial

import pytest

from klint import __version__
from klint.hosts.flake8 import Plugin
from klint.linter import lint_source

SOURCE = """\
import torch.nn.functional as F


def loss(x, y):
    return "損失", F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""


def flake8(*args: str, cwd, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-X", "utf8", "-m", "flake8", "--isolated", "--jobs=1", *args]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, encoding="utf-8", check=False)


def run(source: str) -> list[tuple[int, int, str]]:
    plugin = Plugin(ast.parse(source), "a.py", source.splitlines(keepends=True))
    return [(row, column, message) for row, column, message, _ in plugin.run()]


def test_flake8_lists_it(tmp_path):
    assert f"klint: {__version__}" in flake8("--version", cwd=tmp_path).stdout


def test_shows_what_klint_shows(tmp_path):
    (tmp_path / "a.py").write_text(SOURCE, encoding="utf-8")
    (finding,) = lint_source(SOURCE, "a.py").findings
    result = flake8("--select=KL", "a.py", cwd=tmp_path)
    assert (result.stdout, result.stderr) == (f"a.py:5:18: KL101 {finding.message}\n", "")
    assert (finding.location.row, finding.location.column) == (5, 18)


def test_works_through_stdin(tmp_path):
    result = flake8("--select=KL", "--stdin-display-name=b.py", "-", cwd=tmp_path, stdin=SOURCE)
    assert result.stdout.startswith("b.py:5:18: KL101 ")


@pytest.mark.parametrize("options", [[], ["--stdin-display-name=n.ipynb"]], ids=["unnamed", "named"])
def test_a_cell_without_imports_from_stdin_takes_torch(tmp_path, options):
    cell = "loss = F.kl_div(torch.softmax(x, 1), nn.functional.softmax(y, 1), reduction='sum')\n"
    assert ":1:8: KL101 " in flake8("--select=KL", *options, "-", cwd=tmp_path, stdin=cell).stdout
    assert flake8("--select=KL", *options, "-", cwd=tmp_path, stdin=f"import os\n{cell}").stdout == ""
    (tmp_path / "a.py").write_text(cell, encoding="utf-8")
    assert flake8("--select=KL", "a.py", cwd=tmp_path).stdout == ""


@pytest.mark.parametrize(
    "option", ["--ignore=KL1", "--per-file-ignores=a.py:KL101", "--select=E"], ids=["ignore", "per file", "select"]
)
def test_flake8_selects(tmp_path, option):
    (tmp_path / "a.py").write_text(SOURCE, encoding="utf-8")
    assert "KL101" in flake8("a.py", cwd=tmp_path).stdout
    assert "KL101" not in flake8(option, "a.py", cwd=tmp_path).stdout


def test_a_byte_order_mark_moves_no_column(tmp_path):
    (tmp_path / "a.py").write_text(SOURCE, encoding="utf-8-sig")
    assert flake8("--select=KL", "a.py", cwd=tmp_path).stdout.startswith("a.py:5:18: ")


def test_rows_start_at_1_and_columns_at_0():
    assert [(row, column) for row, column, _ in run(SOURCE)] == [(5, 17)]


def test_noqa_is_left_to_flake8():
    assert len(run(SOURCE.replace('"sum")', '"sum")  # noqa'))) == 1


def test_files_without_a_loss_are_not_looked_at(monkeypatch):
    monkeypatch.setattr("klint.rules.engine.diagnose", lambda *_: pytest.fail("it looked"))
    assert run("import torch\n") == []


def test_imports_are_read_once_in_a_run_and_afresh_in_the_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = f"from helper import helper\n{SOURCE}".replace("F.softmax(x, dim=1)", "helper(x)")
    begin = partial(Plugin.parse_options, Namespace(filenames=["a.py"]))
    helper = "import torch.nn.functional as F\n\n\ndef helper(x):\n    return F.{}(x, dim=1)\n"
    rows = []
    for begins, function in ((True, "softmax"), (False, "log_softmax"), (True, "log_softmax")):
        (tmp_path / "helper.py").write_text(helper.format(function))
        if begins:
            begin()
        rows.append(len(run(source)))
    assert rows == [1, 1, 0]


@pytest.mark.parametrize("error", [KeyError("x"), RecursionError("too\ndeep")], ids=["bug", "recursion"])
def test_an_error_of_its_own_is_one_line_on_stderr(monkeypatch, capsys, error):
    def diagnose(*_):
        raise error

    monkeypatch.setattr("klint.rules.engine.diagnose", diagnose)
    assert run(SOURCE) == []
    err = capsys.readouterr().err
    assert err.startswith("a.py: internal error")
    assert err.count("\n") == 1


def imported(statement: str) -> set[str]:
    """The modules that a statement imports, in a process of its own."""
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_imports_nothing_heavy():
    modules = imported("import klint.hosts.flake8")
    assert not modules & {"torch", "libcst", "rich", "pathspec", "click"}


def test_what_judges_files_is_imported_for_the_first_that_names_a_loss():
    judging = {"klint.rules", "klint.graph.project", "klint.torch_model.operations", "klint.linter", "klint.finding"}
    plugin = "from klint.hosts.flake8 import Plugin; print([*Plugin(None, 'a.py', [{!r}]).run()])"
    assert not imported(plugin.format("import torch\n")) & judging
    assert imported(plugin.format("loss = kl_div\n").replace("None", "__import__('ast').parse('')")) >= judging


def test_opt_in_rules_are_off_by_default():
    ignored = []

    class Manager:
        extend_default_ignore = staticmethod(ignored.extend)

    Plugin.add_options(Manager())
    assert all(code.startswith("KL9") for code in ignored)
