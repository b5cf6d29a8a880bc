"""``klint check --baseline``: what was there stays silent wherever it moves, what is new is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

HEAD = "import torch.nn.functional as F\n"
SWAPPED = f"""\
{HEAD}

def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""
MEAN = f"""\
{HEAD}

def mean(x, y):
    return F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="mean")
"""
RECORD = ("--baseline", "old.json")


def write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


@pytest.fixture
def check(klint):
    def run(*args: str):
        return klint("check", "--output-format", "concise", *RECORD, *args)

    return run


def test_it_is_written_if_it_is_not_there_and_then_honoured(check):
    write("a.py", SWAPPED + MEAN.removeprefix(HEAD))
    first, second = check(), check()
    assert (first.status, first.out, first.err.splitlines()[0]) == (0, "", "2 findings recorded in old.json")
    assert (second.status, second.out, second.err.splitlines()[0]) == (0, "", "2 old findings silenced by old.json")


def test_it_reads_as_text_that_a_reviewer_understands(check):
    write("sub/a.py", SWAPPED)
    check()
    assert json.loads(Path("old.json").read_text("utf-8")) == {
        "version": 1,
        "findings": [
            {
                "filename": "sub/a.py",
                "code": "KL101",
                "expression": 'F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")',
                "statement": 'return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")',
                "count": 1,
            }
        ],
    }


CALL = 'F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")'
LAID_OUT = """F.kl_div(
        F.softmax(x, dim=1),
        F.softmax(y, dim=1),
        reduction="sum",
    )"""
BODY = f"{HEAD}def loss(x, y):\n    "


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(SWAPPED, f"# a comment\n\n\n{SWAPPED}", id="lines above it"),
        pytest.param(
            SWAPPED, SWAPPED.replace("def loss", "def another(x):\n    return x\n\n\ndef loss"), id="code above it"
        ),
        pytest.param(SWAPPED, SWAPPED.replace("    return", "    if x is not None:\n        return"), id="deeper"),
        pytest.param(SWAPPED, SWAPPED.replace(CALL, LAID_OUT), id="laid out in another way"),
        pytest.param(SWAPPED, SWAPPED.replace('sum")', 'sum")  # why'), id="a comment beside it"),
        pytest.param(SWAPPED, SWAPPED.replace("loss", "divergence"), id="the function renamed"),
        pytest.param(
            f"{BODY}if {CALL} > 1:\n        print(1)\n",
            f"{BODY}if {CALL} > 1:\n        print(2)\n",
            id="what an if holds",
        ),
        pytest.param(
            f"{BODY}with f({CALL}):\n        print(1)\n",
            f"{BODY}with f({CALL}):\n        raise\n",
            id="what a with holds",
        ),
        pytest.param(f"{BODY}return {CALL}\n", f"{BODY}return {CALL}\n\nclass (\n", id="a mistake elsewhere"),
    ],
)
def test_old_findings_stay_silent_when_other_code_changes(check, before, after):
    write("a.py", before)
    assert check().err.startswith("1 finding recorded")
    write("a.py", after)
    outcome = check()
    assert outcome.out == ""
    assert "1 old finding silenced by old.json" in outcome.err


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(SWAPPED.replace("softmax(x, dim=1)", "softmax(x, dim=-1)"), id="in the expression"),
        pytest.param(SWAPPED.replace("return", "return -"), id="in the statement"),
    ],
)
def test_a_finding_whose_own_code_changes_is_new(check, after):
    write("a.py", SWAPPED)
    check()
    write("a.py", after)
    outcome = check()
    assert (outcome.status, len(outcome.places)) == (1, 1)
    assert outcome.err.splitlines()[:2] == [
        "0 old findings silenced by old.json",
        "no longer found: KL101 in a.py; --write-baseline takes this out of old.json",
    ]


def test_a_second_copy_is_new(check):
    write("a.py", SWAPPED)
    check()
    write("a.py", SWAPPED + SWAPPED.removeprefix(HEAD).replace("loss", "again"))
    assert check().places == ["a.py:9:12: KL101"]


def test_the_same_code_in_another_file_is_new(check):
    write("a.py", SWAPPED)
    check()
    write("b.py", SWAPPED)
    assert check().places == ["b.py:5:12: KL101"]


def test_what_is_mended_is_told_until_it_is_written_anew(check):
    write("a.py", SWAPPED)
    write("b.py", MEAN)
    check()
    write("a.py", HEAD)
    assert "no longer found: KL101 in a.py;" in check().err
    assert "no longer found: KL101 in a.py;" in check().err
    assert check("--write-baseline").err.startswith("1 finding recorded in old.json\n")
    assert "no longer found" not in check().err


def test_of_many_that_are_mended_some_are_named(check):
    for name in "abcde":
        write(f"{name}.py", SWAPPED)
    check()
    for name in "abcde":
        Path(f"{name}.py").unlink()
    assert "no longer found: KL101 in a.py, KL101 in b.py, KL101 in c.py and 2 more;" in check().err


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("b.py",), id="other files"),
        pytest.param(("--select", "KL2"), id="other rules"),
        pytest.param(("--exclude", "a.py"), id="files that are excluded"),
    ],
)
def test_a_run_that_is_not_about_an_entry_leaves_it_alone(check, options):
    write("a.py", SWAPPED)
    write("b.py", MEAN)
    check()
    assert "no longer found" not in check(*options).err
    check(*options, "--write-baseline")
    assert check().out == ""


def test_files_with_errors_are_not_taken_for_mended(check):
    write("a.py", SWAPPED)
    check()
    write("a.py", SWAPPED.replace("return F", "return return F"))
    outcome = check()
    assert outcome.status == 2
    assert "no longer found" not in outcome.err


def test_names_are_seen_from_the_file_so_that_klint_may_run_anywhere(klint, monkeypatch):
    write("project/a.py", SWAPPED)
    klint("check", "project", "--baseline", "project/old.json")
    monkeypatch.chdir("project")
    assert klint("check", "--baseline", "old.json").status == 0


def test_findings_of_notebook_cells_are_told_by_their_code_too(check):
    def notebook(*cells: str) -> str:
        code = [
            {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": c} for c in cells
        ]
        return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": code})

    write("a.ipynb", notebook(HEAD, f"loss = {CALL}"))
    assert check().err.startswith("1 finding recorded")
    write("a.ipynb", notebook(HEAD, "x = 1", f"# moved\nloss = {CALL}"))
    assert check().out == ""


def test_quiet_says_nothing_of_it(check):
    write("a.py", SWAPPED)
    assert check("-q").err == ""
    assert check("-q").err == ""


def test_json_holds_only_what_is_new(klint):
    write("a.py", SWAPPED)
    klint("check", *RECORD)
    write("b.py", MEAN)
    outcome = klint("check", *RECORD, "--output-format", "json")
    assert [finding["code"] for finding in json.loads(outcome.out)] == ["KL201"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"version": 1, "findings": [{"code": "KL101"}]}',
        '{"version": 1, "findings": [3]}',
        '{"version": 1, "findings": [{"filename": 1, "code": "", "expression": "", "statement": "", "count": 1}]}',
        "[" * 100_000,
    ],
    ids=["empty", "list", "no version", "null", "missing keys", "no objects", "wrong types", "nesting without end"],
)
def test_a_file_that_is_no_baseline_is_one_line_and_stays_as_it_is(check, text):
    write("a.py", SWAPPED)
    write("old.json", text)
    for options in ((), ("--write-baseline",)):
        outcome = check(*options)
        assert outcome.status == 2
        assert (
            outcome.err == "klint: --baseline: old.json: is no baseline of klint's; give another name, or delete it\n"
        )
        assert Path("old.json").read_text("utf-8") == text


def test_one_of_another_version_is_one_line(check):
    write("old.json", '{"version": 2, "findings": []}')
    assert check().err == "klint: --baseline: old.json: is of version 2, and this klint reads 1\n"


def test_one_that_cannot_be_written_is_one_line(klint):
    write("a.py", SWAPPED)
    write("file", "")
    outcome = klint("check", "--baseline", "file/old.json")
    assert outcome.status == 2
    assert outcome.err.startswith("klint: --baseline: file/old.json: cannot be ")
    assert outcome.err.count("\n") == 1


def test_to_write_one_it_must_be_named(klint):
    outcome = klint("check", "--write-baseline")
    assert (outcome.status, outcome.err) == (2, "klint: --write-baseline: say with --baseline which file to write\n")


def test_with_fix_old_findings_are_mended_too(check):
    write("a.py", SWAPPED.replace("F.softmax(x, dim=1)", "F.softmax(x, dim=1).log()"))
    write("b.py", SWAPPED)
    check()
    outcome = check("--fix")
    assert (outcome.status, outcome.out) == (0, "")
    assert outcome.err.splitlines()[:2] == ["Fixed 1 error", "1 old finding silenced by old.json"]
    assert "F.log_softmax(x, dim=1)" in Path("a.py").read_text("utf-8")
