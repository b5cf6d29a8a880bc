"""``klint check --add-noqa``; flake8 and ruff themselves say whether its comments count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from klint import noqa
from klint.linter import lint_source
from klint.noqa import add_noqa

HEAD = "import torch.nn.functional as F\np, q = F.softmax(x, dim=1), F.softmax(y, dim=1)\n"
CALL = 'loss = F.kl_div(p, q, reduction="sum")'
FOREIGN = "E702"
"""A code of flake8's and ruff's: two statements on a line."""

LINES = {
    "no comment": (CALL, f"{CALL}  # noqa: KL101"),
    "white space at the end": (f"{CALL}  \t", f"{CALL}  # noqa: KL101"),
    "another comment": (f"{CALL}  # type: ignore", f"{CALL}  # type: ignore  # noqa: KL101"),
    "another code": (f"{CALL}; x = 1  # noqa: E702", f"{CALL}; x = 1  # noqa: E702, KL101"),
    "a code as ruff writes it": (f"{CALL}; x = 1  #noqa:E702", f"{CALL}; x = 1  # noqa: E702, KL101"),
    "codes without a comma": (f"{CALL}; x = 1  # NOQA: E702 E501", f"{CALL}; x = 1  # noqa: E702, E501, KL101"),
    "words after the codes": (f"{CALL}; x = 1  # noqa: E702 since", f"{CALL}; x = 1  # noqa: E702, KL101 since"),
    "a comment before it": (f"{CALL}; x = 1  # why # noqa: E702", f"{CALL}; x = 1  # why # noqa: E702, KL101"),
    "a hash in a string": (f"{CALL}, '# no'", f"{CALL}, '# no'  # noqa: KL101"),
    "wide characters": (f"{CALL}  # 損失", f"{CALL}  # 損失  # noqa: KL101"),
    "brackets over several lines": (
        'loss = F.kl_div(\n    p, q, reduction="sum"\n)',
        'loss = F.kl_div(  # noqa: KL101\n    p, q, reduction="sum"\n)',
    ),
    "a continuation": (f"{CALL} + \\\n    1", f"{CALL} + \\\n    1  # noqa: KL101"),
    "a string over several lines": (f'{CALL}, """\n\n"""', f'{CALL}, """\n\n"""  # noqa: KL101'),
    "two findings on a line": (
        f"{CALL}; mean = F.kl_div(F.log_softmax(x, dim=1), q)",
        f"{CALL}; mean = F.kl_div(F.log_softmax(x, dim=1), q)  # noqa: KL101, KL201",
    ),
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*command: str) -> str:
    """What a linter prints."""
    result = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


@pytest.mark.parametrize(("before", "after"), LINES.values(), ids=LINES)
def test_comments_stand_where_they_count(klint, before, after):
    Path("a.py").write_text(f"{HEAD}{before}\n", "utf-8")
    outcome = klint("check", "--add-noqa")
    assert (outcome.status, outcome.out) == (0, "")
    assert Path("a.py").read_text("utf-8") == f"{HEAD}{after}\n"
    assert klint("check").out == ""


def test_flake8_and_ruff_read_them_as_klint_does(klint):
    for name, (before, _) in LINES.items():
        Path(f"{name}.py").write_text(f"{HEAD}{before}\n", "utf-8")
    klint("check", "--add-noqa")
    others = [f"{name}.py" for name, (before, _) in LINES.items() if "; " in before and "noqa" not in before.lower()]
    flake8 = run("flake8", "--select", f"KL1,KL2,{FOREIGN}")
    assert [Path(line.partition(":")[0]).name for line in flake8.splitlines()] == others
    ruff = run("ruff", "check", "--isolated", "--no-cache", "--output-format", "concise", "--select", FOREIGN)
    assert [line.partition(":")[0] for line in ruff.splitlines() if FOREIGN in line] == others
    assert "warning" not in ruff


def test_it_says_how_many_findings_are_silenced(klint):
    Path("a.py").write_text(f"{HEAD}{CALL}\n{CALL}\n", "utf-8")
    Path("b.py").write_text(f"{HEAD}{CALL}\n", "utf-8")
    assert klint("check", "--add-noqa").err == "3 findings silenced in 2 files\n"
    assert klint("check", "--add-noqa").err == "0 findings silenced in 0 files\n"
    assert klint("check", "--add-noqa", "-q").err == ""


def test_only_what_is_selected_is_silenced(klint):
    Path("a.py").write_text(f"{HEAD}{LINES['two findings on a line'][0]}\n", "utf-8")
    klint("check", "--add-noqa", "--select", "KL2")
    assert Path("a.py").read_text("utf-8").endswith("# noqa: KL201\n")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(f"{HEAD}{CALL}\n".replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + f"{HEAD}{CALL}\n".encode(), id="byte order mark"),
        pytest.param(f"# coding: latin-1\n# \xe9\n{HEAD}{CALL}\n".encode("latin-1"), id="encoding"),
        pytest.param(f"{HEAD}\x0c\n{CALL}".encode(), id="form feed, and no newline at the end"),
    ],
)
def test_all_other_bytes_stay(klint, data):
    Path("a.py").write_bytes(data)
    os.chmod("a.py", 0o640)
    klint("check", "--add-noqa")
    call = CALL.encode()
    assert Path("a.py").read_bytes() == data.replace(call, call + b"  # noqa: KL101")
    assert os.stat("a.py").st_mode & 0o777 == 0o640


def test_a_file_that_changed_since_it_was_read_is_not_touched(monkeypatch):
    Path("a.py").write_text(f"{HEAD}{CALL}\n", "utf-8")
    original = noqa.parse_file

    def changes_meanwhile(*arguments):
        Path("a.py").write_text("# mine\n", "utf-8")
        return original(*arguments)

    monkeypatch.setattr(noqa, "parse_file", changes_meanwhile)
    report = add_noqa(["a.py"])
    assert [str(error) for error in report.errors] == ["a.py: cannot be changed: it has changed since it was read"]
    assert (report.silenced, os.listdir(), Path("a.py").read_text("utf-8")) == (0, ["a.py"], "# mine\n")


def test_a_finding_that_no_comment_reaches_is_an_error_and_its_line_stays(klint):
    line = f"{CALL}, '''\n# noqa: E501\n'''"  # to flake8 the text of the string is the comment of the line
    Path("a.py").write_text(f"{HEAD}{line}\n{CALL}\n", "utf-8")
    outcome = klint("check", "--add-noqa")
    assert outcome.status == 2
    assert outcome.err.splitlines()[0].startswith("a.py:3:8: KL101 cannot be silenced: ")
    assert Path("a.py").read_text("utf-8") == f"{HEAD}{line}\n{CALL}  # noqa: KL101\n"


def test_files_that_do_not_parse_are_left_alone(klint):
    text = f"{HEAD}{CALL}\n\ndef f(:\n"
    Path("a.py").write_text(text, "utf-8")
    assert klint("check", "--add-noqa").status == 2
    assert Path("a.py").read_text("utf-8") == text


def test_notebooks_keep_their_form(klint):
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# KL\n"]},
        {"cell_type": "code", "metadata": {}, "source": HEAD.splitlines(keepends=True), "outputs": [{"a": 1.50}]},
        {"cell_type": "code", "metadata": {}, "source": ["%time x = 1\n", CALL], "outputs": []},
    ]
    text = json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}, indent=3)
    Path("a.ipynb").write_text(text, "utf-8")
    assert klint("check", "--add-noqa").err == "1 finding silenced in 1 file\n"
    call = json.dumps(CALL)
    assert Path("a.ipynb").read_text("utf-8") == text.replace(call, f'{call[:-1]}  # noqa: KL101"')


def test_code_in_prose_is_silenced_in_its_block(klint):
    text = f"Say:\n\n```python\n{HEAD}{CALL}\n```\n"
    Path("a.md").write_text(text, "utf-8")
    klint("check", "--add-noqa", "a.md")
    assert Path("a.md").read_text("utf-8") == text.replace(CALL, f"{CALL}  # noqa: KL101")


def test_links_stay_links(klint):
    Path("b.txt").write_text(f"{HEAD}{CALL}\n", "utf-8")
    Path("a.py").symlink_to("b.txt")
    klint("check", "--add-noqa", "a.py")
    assert Path("a.py").is_symlink()
    assert lint_source(Path("b.txt").read_text("utf-8")).findings == []


@pytest.mark.parametrize(
    ("options", "error"),
    [
        pytest.param(("-",), "comments can be added to files, not to standard input", id="standard input"),
        pytest.param(("--fix",), "silence or fix, one at a time", id="with --fix"),
        pytest.param(("--diff",), "silence or fix, one at a time", id="with --diff"),
    ],
)
def test_what_cannot_be_meant(klint, options, error):
    outcome = klint("check", "--add-noqa", *options)
    assert (outcome.status, outcome.err) == (2, f"klint: --add-noqa: {error}\n")
