from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from klint import lint_paths
from klint.answers import decode, decode_facts, digest_of, encode, encode_facts, kind_of
from klint.finding import Applicability, Confidence, Diagnosis, Edit, Finding, Fix, Location, Related, Severity
from klint.source.dependencies import Dependencies
from klint.source.python import SourceError
from klint.workers import Answer, Projects

SWAPPED = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""
CALLER = """\
import torch.nn.functional as F
from helper import normalise


def loss(x, y):
    return F.kl_div(normalise(x), F.softmax(y, dim=1), reduction="sum")
"""
HELPER = """\
import torch


def normalise(x):
    return torch.softmax(x, dim=1)
"""
RIGHT = HELPER.replace("torch.softmax", "torch.log_softmax")

CACHE = Path(".klint_cache", "klint.sqlite")


@pytest.fixture
def check(klint):
    """The places of the findings of ``klint check``, run over the working directory unless told otherwise."""

    def run(*args: str) -> list[str]:
        outcome = klint("check", "-q", "--output-format", "concise", *args)
        assert outcome.err == ""
        return outcome.places

    return run


@pytest.fixture
def project(klint):
    """A project of two files, of which one has a finding because of what the other holds."""
    Path("pyproject.toml").touch()
    Path("caller.py").write_text(CALLER)
    Path("helper.py").write_text(HELPER)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were judged, and not remembered, in the order of their judging."""
    names: list[str] = []
    judge = Projects.judge

    def recorded(self, task):
        names.append(task.filename)
        return judge(self, task)

    monkeypatch.setattr(Projects, "judge", recorded)
    return names


@pytest.mark.usefixtures("project")
class TestWhatIsKept:
    def test_what_is_known_is_not_judged_again(self, check, judged):
        assert check() == ["caller.py:6:12: KL101"]
        judged.clear()
        assert check() == ["caller.py:6:12: KL101"]
        assert judged == []

    def test_findings_are_the_same_in_every_way(self, klint):
        cold = klint("check", "--output-format", "json", "--no-cache")
        assert not CACHE.exists()
        assert klint("check", "--output-format", "json") == cold
        assert klint("check", "--output-format", "json") == cold

    def test_errors_are_told_again(self, klint):
        Path("broken.py").write_text("def kl_div(:\n")
        first = klint("check")
        assert first.status == 2
        assert klint("check") == first

    @pytest.mark.parametrize(
        ("comment", "found"),
        [
            pytest.param("noqa: KL101", [], id="used"),
            pytest.param("noqa: KL101, KL202", ["caller.py:6:89: KL905"], id="partly used"),
        ],
    )
    def test_comments_count_for_what_is_remembered(self, check, comment, found):
        Path("caller.py").write_text(CALLER.replace('"sum")', f'"sum")  # {comment}'))
        assert check("--extend-select", "KL905") == found
        assert check("--extend-select", "KL905") == found

    @pytest.mark.parametrize("jobs", ["1", "2"])
    def test_any_number_of_processes_fills_it_alike(self, check, judged, jobs):
        for number in range(15):
            Path(f"swapped_{number:02}.py").write_text(SWAPPED)
        found = check("--jobs", jobs)
        assert len(found) == 16
        judged.clear()
        assert check("--jobs", "1") == found
        assert judged == []

    def test_files_one_by_one_are_remembered_beside_all_at_once(self, check, judged):
        assert check("caller.py") == check()
        judged.clear()
        assert check("caller.py") == check() == ["caller.py:6:12: KL101"]
        assert judged == []


@pytest.mark.usefixtures("project")
class TestWhatIsJudgedAnew:
    @pytest.mark.parametrize(
        ("change", "found", "anew"),
        [
            pytest.param({"caller.py": "\n" + CALLER}, ["caller.py:7:12: KL101"], ["caller.py"], id="the file"),
            pytest.param({"helper.py": RIGHT}, [], ["caller.py"], id="a file that it imports"),
            pytest.param({"helper.py": None}, [], ["caller.py"], id="an import that vanishes"),
            pytest.param({"helper.py": ""}, [], ["caller.py"], id="an import that is emptied"),
            pytest.param({"src/helper.py": RIGHT}, ["caller.py:6:12: KL101"], ["caller.py"], id="a file behind it"),
            pytest.param({"helper/__init__.py": RIGHT}, ["caller.py:6:12: KL101"], None, id="a package beside it"),
            pytest.param({"other.py": SWAPPED}, ["caller.py:6:12: KL101", "other.py:5:12: KL101"], ["other.py"], id="another file"),
        ],
    )  # fmt: skip
    def test_after_a_change_of(self, check, judged, change, found, anew):
        assert check() == ["caller.py:6:12: KL101"]
        judged.clear()
        for name, text in change.items():
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).unlink(missing_ok=True) if text is None else Path(name).write_text(text)
        assert check() == found == check("--no-cache")
        if anew is not None:
            assert sorted(set(judged[: len(anew)])) == anew

    def test_a_file_that_was_missing_and_appears(self, check):
        Path("helper.py").rename("kept")
        assert check() == []
        Path("kept").rename("helper.py")
        assert check() == ["caller.py:6:12: KL101"]

    def test_a_directory_that_comes_first_and_appears(self, check):
        Path("lib").mkdir()
        Path("lib/helper.py").write_text(RIGHT)
        Path("helper.py").unlink()
        config = ("--config", "src = ['first', 'lib']")
        assert check(*config) == []
        Path("first").mkdir()
        Path("first/helper.py").write_text(HELPER)
        assert check(*config) == ["caller.py:6:12: KL101"]

    def test_a_package_that_a_file_becomes_part_of(self, check):
        Path("package").mkdir()
        Path("package/caller.py").write_text(CALLER)
        Path("package/helper.py").write_text(RIGHT)
        assert check("package/caller.py") == []
        Path("package/__init__.py").touch()
        assert check("package/caller.py") == check("package/caller.py", "--no-cache") != []

    @pytest.mark.parametrize(
        ("options", "found"),
        [
            pytest.param(("--ignore", "KL101"), [], id="codes"),
            pytest.param(("--no-project",), [], id="imports"),
            pytest.param(("--config", "src = ['lib']"), ["caller.py:6:12: KL101"], id="directories to look in"),
        ],
    )
    def test_other_settings(self, check, options, found):
        assert check() == ["caller.py:6:12: KL101"]
        assert check(*options) == found
        assert check() == ["caller.py:6:12: KL101"]

    def test_the_same_name_in_another_directory(self, check, monkeypatch):
        place = Path("cache").absolute()
        assert check("--cache-dir", str(place)) == ["caller.py:6:12: KL101"]
        Path("elsewhere").mkdir()
        Path("elsewhere/caller.py").write_text(CALLER)
        monkeypatch.chdir("elsewhere")
        assert check("--cache-dir", str(place)) == check("--no-cache")

    def test_standard_input_is_not_kept(self, klint):
        for text, status in ((SWAPPED, 1), ("x = 1\n", 0)):
            assert klint("check", "-", "--stdin-filename", "caller.py", stdin=text.encode()).status == status
        assert not CACHE.parent.exists()

    def test_a_pipe_is_read_once(self):
        os.mkfifo("pipe.py")
        command = [sys.executable, "-m", "klint", "check", "-q", "pipe.py"]
        for text, status in ((SWAPPED, 1), ("x = 1\n", 0)):
            run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            Path("pipe.py").write_text(text)
            assert run.wait(timeout=30) == status

    def test_klint_itself(self, check, judged, monkeypatch):
        assert check() == ["caller.py:6:12: KL101"]
        judged.clear()
        monkeypatch.setattr("klint.cache.__version__", "another")
        assert check() == ["caller.py:6:12: KL101"]
        assert judged[:1] == ["caller.py"]


@pytest.mark.usefixtures("project")
class TestTheDirectory:
    def test_it_is_ignored_by_git_and_by_discovery(self, check):
        check()
        Path(".klint_cache/left.py").write_text(SWAPPED)
        Path(".klint_cache/.gitignore").unlink()
        assert check() == ["caller.py:6:12: KL101"]

    def test_what_is_made_hides_itself(self, check):
        check("--cache-dir", "deep/cache")
        assert Path("deep/cache/.gitignore").read_text() == "*\n"

    def test_a_directory_of_the_users_is_not_hidden(self, check):
        Path("mine").mkdir()
        check("--cache-dir", "mine")
        assert [path.name for path in Path("mine").iterdir()] == ["klint.sqlite"]

    def test_the_configuration_may_name_it(self, check):
        Path("pyproject.toml").write_text('[tool.klint]\ncache-dir = "build/klint"\n')
        check()
        assert Path("build/klint/klint.sqlite").exists()
        assert not CACHE.exists()

    def test_python_callers_keep_nothing_unless_they_say_where(self):
        assert len(lint_paths(["."]).findings) == 1
        assert not CACHE.parent.exists()
        assert lint_paths(["."], cache_dir="kept").findings == lint_paths(["."], cache_dir="kept").findings
        assert Path("kept/klint.sqlite").exists()

    def test_it_does_not_grow_for_ever(self, check):
        for number in range(30):
            check("--config", f"src = ['{number}']")
        with sqlite3.connect(CACHE) as connection:
            assert connection.execute("SELECT count(*) FROM answers_2").fetchone()[0] <= 2 * 8


@pytest.mark.usefixtures("project")
class TestTrouble:
    @pytest.mark.parametrize("start", [0, 20, 100, 4096, 5000, 8192, 9000, 12288, 20000])
    def test_a_broken_file_is_made_anew(self, check, judged, start):
        check()
        data = CACHE.read_bytes()
        start = min(start, len(data) - 200)
        CACHE.write_bytes(data[:start] + b"\xa5" * 200 + data[start + 200 :])
        for _ in range(3):
            assert check() == ["caller.py:6:12: KL101"]
        judged.clear()
        assert check() == ["caller.py:6:12: KL101"]
        assert judged == []

    @pytest.mark.parametrize(
        "data", [pytest.param(b"", id="empty"), pytest.param(b"SQLite format 3\0", id="cut off"), pytest.param(b"no database\n" * 99, id="text")]
    )  # fmt: skip
    def test_a_file_that_is_no_database(self, check, judged, data):
        CACHE.parent.mkdir()
        CACHE.write_bytes(data)
        check()
        check()
        judged.clear()
        assert check() == ["caller.py:6:12: KL101"]
        assert judged == []

    def test_an_answer_that_was_changed_by_hand(self, check):
        check()
        with sqlite3.connect(CACHE) as connection:
            connection.execute("UPDATE answers_2 SET answer = replace(answer, 'KL101', 'KL102')")
        assert check() == ["caller.py:6:12: KL101"]

    @pytest.mark.parametrize(
        "place",
        [
            pytest.param("caller.py", id="a file"),
            pytest.param("caller.py/below", id="below a file"),
            pytest.param("/proc/klint", id="where no directory can be made"),
        ],
    )
    def test_a_directory_that_cannot_be(self, klint, place):
        Path("pyproject.toml").write_text(f'[tool.klint]\ncache-dir = "{place}"\n')
        outcome = klint("check", "-q", "--output-format", "concise")
        assert (outcome.places, outcome.err) == (["caller.py:6:12: KL101"], "")

    def test_a_database_that_may_only_be_read(self, check, monkeypatch):
        check()
        connect = sqlite3.connect
        monkeypatch.setattr(
            "sqlite3.connect", lambda path, **options: connect(f"file:{path}?mode=ro", uri=True, **options)
        )
        Path("other.py").write_text(SWAPPED)
        assert check() == ["caller.py:6:12: KL101", "other.py:5:12: KL101"]

    def test_a_database_that_another_run_holds(self, check, monkeypatch):
        check()
        monkeypatch.setattr("klint.cache.PATIENCE", 0.01)
        other = sqlite3.connect(CACHE)
        other.execute("BEGIN EXCLUSIVE")
        assert check() == ["caller.py:6:12: KL101"]
        other.close()
        assert check() == ["caller.py:6:12: KL101"]

    def test_a_full_disk(self, check, monkeypatch):
        connect = sqlite3.connect

        def connected(path, **options):
            connection = connect(path, **options)
            connection.execute("PRAGMA max_page_count = 1")
            return connection

        monkeypatch.setattr("sqlite3.connect", connected)
        assert check() == check() == ["caller.py:6:12: KL101"]

    def test_runs_at_once(self, check):
        for number in range(40):
            Path(f"swapped_{number}.py").write_text(SWAPPED)
        command = [sys.executable, "-m", "klint", "check", "--output-format", "concise", "-q", "--jobs", "1"]
        runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(3)]
        outputs = {run.communicate()[0] for run in runs}
        assert len(outputs) == 1
        assert outputs.pop().count(b"KL101") == 41 == len(check())


def test_answers_come_back_as_they_were():
    place = Location("a.ipynb", 1, 2, 3, 4, cell=5)
    fix = Fix(Applicability.UNSAFE, "write log_softmax", (Edit(place, "é\n"), Edit(Location("a.py", 1, 1, 1, 1), "")))
    related = (Related(place, "called from here"), Related(Location("b.py", 1, 1, 1, 1), "\udce9"))
    findings = [
        Finding(
            "KL101", "name", "message", Severity.ERROR, Confidence.LIKELY, place, "claim", "url", 7, related, fix
        ),
        Finding("KL205", "name", "", Severity.NOTE, Confidence.PROVEN, place, "", "url", 1),
    ]  # fmt: skip
    answer = Answer(
        diagnoses=[(Diagnosis(finding, None), ("a.ipynb", 1)) for finding in findings],
        errors=[SourceError("a.ipynb", 1, 2, "syntax error", 5), SourceError("b.py", 0, 0, "cannot be read")],
        is_commented=True,
        sites=3,
        understood=2,
        wrappers=frozenset({"loss", "Loss"}),
        digest="0" * 32,
    )
    assert decode(encode(answer)) == answer
    assert decode(encode(Answer())) == Answer()


def test_what_an_answer_rests_on_comes_back_as_it_was():
    kinds = {"a": "directory", "a.py": "", "/a/b/c.py": "file", "/a/b/d é\n.py": "file", "/a/b/e.py": "", "/x": ""}
    digests = {"b.py": "1" * 32, "a/c.py": "", "a/d=.py": "2" * 32}
    facts = decode_facts(encode_facts(Dependencies(kinds, digests)))
    assert dict(filter(None, map(digest_of, facts))) == digests
    found = [kind_of(fact) for fact in facts if digest_of(fact) is None]
    assert {os.path.join(directory, name): kind for directory, kind, names in found for name in names} == kinds
    assert decode_facts(encode_facts(Dependencies())) == []
