"""Command lines that are read without click are read just as click reads them."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from klint.commands import cli
from klint.options import CHECK, Said
from klint.plain import read_plain


def read_by_click(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Said | None:
    """What click makes of a command line; None where it complains, or explains."""
    heard: list[Said] = []
    monkeypatch.setattr("klint.checking.run_check", lambda said: heard.append(said) or 0)
    try:
        cli.main(["check", *words], prog_name="klint", standalone_mode=False)
    except click.ClickException:
        return None
    return heard[0] if heard else None


def agree(words: list[str], monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the two read the same in a command line; one that is not plain is click's alone."""
    plain, said = read_plain(words, CHECK), read_by_click(words, monkeypatch)
    return plain is None or (said is not None and (plain.values, plain.given) == (said.values, said.given))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory with a file and a directory in it."""
    monkeypatch.chdir(tmp_path)
    Path("a.py").touch()
    Path("sub").mkdir()


PLAIN = [
    pytest.param([], id="nothing"),
    pytest.param(["a.py", "sub", "missing.py"], id="paths"),
    pytest.param(["-"], id="standard input"),
    pytest.param(["-q", "a.py", "-v"], id="flags around a path"),
    pytest.param(["--select", "KL1,KL2", "--select=KL301"], id="a list in parts"),
    pytest.param(["--select="], id="an empty list"),
    pytest.param(["--config", "select = ['KL2']", "--config=a.toml"], id="repeated"),
    pytest.param(["--output-format", "json", "--output-format=concise"], id="the last choice counts"),
    pytest.param(["-j", "2", "--jobs=07"], id="numbers"),
    pytest.param(["--cache-dir", "sub", "--output-file", "a.py", "--baseline", "missing"], id="files"),
    pytest.param(["--isolated", "-q", "--exit-zero", "--no-cache", "a.py"], id="a run of a benchmark"),
]
NOT_PLAIN = [
    pytest.param(["--help"], id="help"),
    pytest.param(["--no-such-option"], id="unknown option"),
    pytest.param(["--selec", "KL1"], id="part of an option"),
    pytest.param(["--select"], id="no value"),
    pytest.param(["--select", "-q"], id="a value like an option"),
    pytest.param(["--fix=yes"], id="a flag with a value"),
    pytest.param(["-j=2"], id="a short option with an equals sign"),
    pytest.param(["-qv"], id="short options in one"),
    pytest.param(["-j2"], id="a short option with its value"),
    pytest.param(["--jobs", "0"], id="too small"),
    pytest.param(["--jobs", "two"], id="no number"),
    pytest.param(["--output-format", "yaml"], id="no choice"),
    pytest.param(["--output-file", "sub"], id="a directory for a file"),
    pytest.param(["--cache-dir", "a.py"], id="a file for a directory"),
    pytest.param(["--", "-q"], id="end of options"),
]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("words", PLAIN)
def test_a_plain_command_line_is_read_as_click_reads_it(words, monkeypatch):
    assert read_plain(words, CHECK) is not None
    assert agree(words, monkeypatch)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("words", NOT_PLAIN)
def test_all_others_are_left_to_click(words):
    assert read_plain(words, CHECK) is None


@pytest.mark.usefixtures("place")
def test_a_path_that_cannot_be_read_is_left_to_click(monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert read_plain(["a.py"], CHECK) is None
    assert read_by_click(["a.py"], monkeypatch) is None


@pytest.mark.usefixtures("place")
def test_what_windows_expands_is_left_to_click(monkeypatch):
    monkeypatch.setattr("klint.plain._EXPANDED", frozenset("*"))
    assert read_plain(["*.py"], CHECK) is None


NAMES = [name for option in CHECK for name in option.names.split()]
VALUES = ["a.py", "sub", "missing", "KL1", "KL1, KL2", "", "-", "--", "json", "proven", "0", "3", "x = 1", "²", "-q"]
WORDS = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(VALUES),
    st.builds("{}={}".format, st.sampled_from(NAMES), st.sampled_from(VALUES)),
    st.text(max_size=4).filter(lambda text: "\0" not in text),
)


@given(words=st.lists(WORDS, max_size=5))
def test_whatever_is_typed_the_two_agree(words, tmp_path_factory):
    with pytest.MonkeyPatch.context() as monkeypatch:
        home = tmp_path_factory.getbasetemp()
        monkeypatch.chdir(home)
        (home / "a.py").touch()
        (home / "sub").mkdir(exist_ok=True)
        assert agree(words, monkeypatch)
