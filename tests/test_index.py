"""What is remembered of files is what would be seen of them: in every run, of whatever files, after any change."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from klint import index, workers
from klint.cache import Cache, _sum
from klint.workers import Projects, Workers

WRAPPER = """\
import torch.nn.functional as F


def distance(x, y):
    return F.kl_div(x, F.softmax(y, dim=1), reduction="sum")
"""
CALLER = """\
import torch
from helper import distance


def train(x, y):
    return distance(torch.softmax(x, dim=1), y)
"""
PLAIN = "def distance(x, y):\n    return x - y\n"
FOUND = ["helper.py:5:12: KL101"]

CACHE = Path(".klint_cache", "klint.sqlite")


@pytest.fixture
def check(klint):
    """The places of the findings of ``klint check``, with the cache and without."""

    def run(*args: str) -> list[str]:
        outcome = klint("check", "-q", "--output-format", "concise", *args)
        assert outcome.err == ""
        assert klint("check", "-q", "--output-format", "concise", "--no-cache", *args) == outcome
        return outcome.places

    return run


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as seen however recently they were changed: tests cannot wait until they have grown old."""
    monkeypatch.setattr(index, "RECENT", -(10**12))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were read by runs with a cache, and not remembered."""
    names: list[str] = []

    def recorded(path, filename):
        names.append(str(path))
        return real(path, filename)

    real = workers.read_bytes
    monkeypatch.setattr("klint.workers.read_bytes", recorded)
    monkeypatch.setattr("klint.index.read_bytes", recorded)
    return names


@pytest.fixture
def project(klint) -> None:
    Path("pyproject.toml").touch()
    Path("caller.py").write_text(CALLER)
    Path("helper.py").write_text(WRAPPER)
    Path("plain.py").write_text(PLAIN)


def rerun(klint, read: list[str]) -> list[str]:
    """The files that another run reads."""
    read.clear()
    klint("check", "-q")
    return sorted(set(read))


@pytest.mark.usefixtures("project", "trusting")
class TestFilesThatAreNotReadAgain:
    def test_none_is_where_nothing_has_changed(self, klint, read):
        klint("check")
        assert rerun(klint, read) == []

    def test_one_that_is_touched_is(self, klint, read):
        klint("check")
        os.utime("plain.py")
        os.utime("helper.py")
        assert rerun(klint, read) == ["helper.py", "plain.py"]
        assert rerun(klint, read) == []

    def test_one_by_one_and_all_at_once(self, klint, read):
        klint("check")
        klint("check", "plain.py")
        klint("check", "helper.py")
        assert rerun(klint, read) == []

    def test_comments_are_looked_for_where_they_were_not(self, klint, check, read):
        Path("plain.py").write_text("x = 1  # noqa: KL101\n")
        klint("check")
        assert check("--extend-select", "KL905") == [*FOUND, "plain.py:1:16: KL905"]
        assert rerun(klint, read) == []


@pytest.mark.usefixtures("project", "trusting")
class TestChangesThatAreNoticed:
    def test_of_the_same_size_and_time(self, check):
        before = os.stat("helper.py")
        assert check() == FOUND
        time.sleep(0.05)
        Path("helper.py").write_text(WRAPPER.replace("kl_div", "kl_dif"))
        os.utime("helper.py", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert os.stat("helper.py").st_size == before.st_size
        assert check() == []

    def test_of_one_file_for_another(self, check):
        Path("other").write_text(PLAIN)
        assert check() == FOUND
        os.replace("other", "helper.py")
        assert check() == []

    def test_a_function_that_becomes_one_whose_callers_decide(self, check):
        Path("helper.py").write_text(PLAIN)
        assert check() == []
        Path("helper.py").write_text(WRAPPER)
        assert check() == FOUND
        Path("helper.py").write_text(PLAIN)
        assert check() == []

    def test_a_caller_that_comes_and_goes(self, check):
        Path("caller.py").write_text(PLAIN)
        assert check() == []
        Path("caller.py").write_text(CALLER)
        assert check() == FOUND
        Path("caller.py").unlink()
        assert check() == []

    def test_a_caller_whose_import_led_nowhere(self, check):
        Path("helper.py").rename("elsewhere.py")
        assert check() == []
        Path("elsewhere.py").rename("helper.py")
        assert check() == FOUND


@pytest.mark.usefixtures("project")
class TestTrouble:
    @pytest.mark.usefixtures("trusting")
    def test_names_that_are_no_text(self, klint, read):
        place = os.fsdecode(b"pl\xe4ce")
        Path(place).mkdir()
        Path(place, os.fsdecode(b"h\xe4lper.py")).write_text(WRAPPER)
        klint("check")
        assert rerun(klint, read) == []

    def test_what_has_just_changed_is_read_again(self, klint, read):
        klint("check")
        assert rerun(klint, read) == ["caller.py", "helper.py", "plain.py"]

    @pytest.mark.usefixtures("trusting")
    @pytest.mark.parametrize("text", ["", "[]", "{}", "[0, 0]", '["", {"helper.py": []}]', "[" * 100_000])
    def test_nonsense_in_the_file(self, check, text):
        assert check() == FOUND
        own = Cache(CACHE.parent, Workers(Projects(), 1))._klint
        with sqlite3.connect(CACHE) as connection:
            connection.execute("UPDATE seen_2 SET seen = ?, sum = ?", (text, _sum(own + text)))
        assert check() == FOUND

    @pytest.mark.usefixtures("trusting")
    def test_another_version_of_klint_sees_for_itself_and_leaves_no_more(self, klint, check, read, monkeypatch):
        check()
        monkeypatch.setattr("klint.cache.__version__", "another")
        assert rerun(klint, read) == ["caller.py", "helper.py", "plain.py"]
        with sqlite3.connect(CACHE) as connection:
            assert connection.execute("SELECT count(*) FROM seen_2").fetchone() == (1,)

    @pytest.mark.usefixtures("trusting")
    def test_what_was_changed_by_hand(self, check):
        assert check() == FOUND
        with sqlite3.connect(CACHE) as connection:
            connection.execute("UPDATE seen_2 SET seen = replace(seen, 'helper', 'hidden')")
        assert check() == FOUND

    @pytest.mark.usefixtures("trusting")
    def test_files_that_are_gone_are_forgotten(self, check):
        check()
        Path("plain.py").unlink()
        Path("new.py").write_text(PLAIN)
        check()
        with sqlite3.connect(CACHE) as connection:
            (seen,) = connection.execute("SELECT seen FROM seen_2").fetchone()
        assert "new.py" in seen
        assert "plain.py" not in seen


@pytest.mark.usefixtures("project")
def test_any_number_of_processes_sees_the_same(klint, monkeypatch):
    for number in range(30):
        Path(f"wrapper_{number}.py").write_text(WRAPPER.replace("distance", f"distance_{number}"))
        Path(f"caller_{number}.py").write_text(
            CALLER.replace("distance", f"distance_{number}").replace("helper", f"wrapper_{number}")
        )
    alone = klint("check", "--no-cache", "--jobs", "1", "--output-format", "json")
    assert alone.out.count("KL101") >= 31
    monkeypatch.setattr(workers, "_MANY", 1)
    monkeypatch.setattr(workers, "_WORTHWHILE", 1)
    monkeypatch.setattr(workers, "_can_fork", lambda: True)
    assert klint("check", "--no-cache", "--jobs", "3", "--output-format", "json") == alone
    assert klint("check", "--jobs", "3", "--output-format", "json") == alone
    assert klint("check", "--jobs", "2", "--output-format", "json") == alone
