from __future__ import annotations

import os
from pathlib import Path

import pytest

from klint.source.discover import discover
from klint.source.exclude import Excluded, Patterns


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths: str, text: str = "") -> None:
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(*paths: str, exclude: tuple[str, ...] = (), **options) -> list[str]:
    found = discover(paths, lambda _: Excluded((Patterns(tuple(exclude)),)), **options)
    return [Path(file.filename).as_posix() for file in found.files]


def test_a_directory_is_walked_for_python_files_in_order():
    make("b.py", "a.py", "c.pyi", "sub/d.py", "notes.txt", "script", "data.json")
    assert names(".") == ["a.py", "b.py", "c.pyi", "sub/d.py"]


def test_notebooks_are_found_in_directories_and_prose_where_it_is_named():
    make("a.ipynb", "b.md", "c.rst", "d.txt")
    assert names(".") == ["a.ipynb"]
    assert names(".", "b.md", "c.rst", "d.txt") == ["a.ipynb", "b.md", "c.rst", "d.txt"]


def test_each_file_comes_once():
    make("a.py", "sub/b.py")
    assert names(".", "a.py", "sub", "./sub/../a.py", str(Path("a.py").absolute())) == ["a.py", "sub/b.py"]


def test_a_file_that_is_named_is_taken_whatever_it_is_called():
    make("script", "build/a.py")
    assert names("script", "build/a.py") == ["build/a.py", "script"]


@pytest.mark.parametrize(
    "directory", [".git", ".venv", "venv", "node_modules", "__pycache__", "build", "dist", ".tox", "deep/.venv"]
)
def test_directories_that_hold_no_code_of_the_project_are_skipped(directory):
    make("a.py", f"{directory}/b.py")
    assert names(".") == ["a.py"]


def test_such_a_directory_is_walked_when_it_is_named():
    make("build/a.py")
    assert names("build") == ["build/a.py"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        pytest.param("sub", ["a.py", "b_test.py", "other/c.py"], id="directory"),
        pytest.param("./sub/", ["a.py", "b_test.py", "other/c.py"], id="directory with a slash"),
        pytest.param("*_test.py", ["a.py", "other/c.py", "sub/a.py"], id="name"),
        pytest.param("/a.py", ["b_test.py", "other/c.py", "sub/a.py"], id="only at the top"),
        pytest.param("*/a.py", ["a.py", "b_test.py", "other/c.py"], id="only below"),
        pytest.param("**/c.py", ["a.py", "b_test.py", "sub/a.py"], id="at any depth"),
        pytest.param("!", ["a.py", "b_test.py", "other/c.py", "sub/a.py"], id="no pattern at all"),
    ],
)
def test_exclude(pattern, left):
    make("a.py", "b_test.py", "sub/a.py", "other/c.py")
    assert names(".", exclude=[pattern]) == left


def test_exclude_takes_an_absolute_path(here):
    make("a.py", "sub/a.py")
    assert names(".", exclude=[str(here / "sub")]) == ["a.py"]


@pytest.mark.parametrize("path", ["sub/a.py", "sub", "build/a.py", "build"])
def test_force_exclude_holds_for_what_is_named(path):
    make("sub/a.py", "build/a.py")
    assert names(path, exclude=["sub"], force_exclude=True) == []
    assert names(path, exclude=["nothing"]) == [path if path.endswith(".py") else f"{path}/a.py"]


def test_force_exclude_does_not_look_above_the_working_directory(tmp_path, monkeypatch):
    make("build/project/a.py")
    monkeypatch.chdir("build/project")
    assert names("a.py", force_exclude=True) == ["a.py"]


class TestGitignore:
    def test_is_heeded(self):
        make("a.py", "skipped.py", "deep/down/skipped.py", "generated/b.py")
        make(".gitignore", text="# comment\nskipped.py\ngenerated/\n")
        assert names(".") == ["a.py"]

    def test_of_a_subdirectory_overrides_the_one_above(self):
        make("sub/a.py", "a.py")
        make(".gitignore", text="a.py\n")
        make("sub/.gitignore", text="!a.py\n")
        assert names(".") == ["sub/a.py"]

    def test_of_the_repository_holds_in_its_subdirectories(self):
        make(".git/HEAD", "sub/a.py", "sub/skipped.py")
        make(".gitignore", text="/sub/skipped.py\n")
        assert names("sub") == ["sub/a.py"]

    def test_outside_of_the_repository_does_not_hold(self):
        make("repository/.git/HEAD", "repository/sub/a.py")
        make(".gitignore", text="a.py\n")
        assert names("repository/sub") == ["repository/sub/a.py"]

    def test_does_not_hide_a_directory_that_is_named(self):
        make(".git/HEAD", "generated/sub/a.py")
        make(".gitignore", text="generated/\n")
        assert names("generated/sub") == ["generated/sub/a.py"]
        assert names(".") == []

    def test_does_not_hide_a_file_that_is_named(self):
        make("a.py")
        make(".gitignore", text="*.py\n")
        assert names("a.py") == ["a.py"]

    def test_with_patterns_that_mean_nothing(self):
        make("a.py", "b.py")
        Path(".gitignore").write_bytes(b"!\n\\\n\xff\nb.py\n")
        assert names(".") == ["a.py"]


class TestLinks:
    def test_to_directories_are_not_followed(self):
        make("sub/a.py")
        Path("sub/loop").symlink_to("..")
        assert names(".") == ["sub/a.py"]

    def test_to_files_yield_the_file_once_under_its_own_name(self):
        make("z.py")
        Path("a.py").symlink_to("z.py")
        assert names(".") == ["z.py"]

    def test_to_a_file_elsewhere_are_taken(self):
        make("elsewhere/real.py")
        Path("sub").mkdir()
        Path("sub/link.py").symlink_to("../elsewhere/real.py")
        assert names("sub") == ["sub/link.py"]

    def test_that_are_broken_are_passed_over(self):
        Path(".#a.py").symlink_to("someone@somewhere")
        assert names(".") == []


class TestErrors:
    def errors(self, *paths: str) -> list[str]:
        return [str(error) for error in discover(paths).errors]

    def test_a_path_that_does_not_exist(self):
        assert self.errors("a.py", "./a.py") == ["a.py: no such file or directory"]

    def test_a_name_that_is_too_long(self):
        for options in ({}, {"force_exclude": True}):
            (error,) = discover(["a" * 5000], **options).errors
            assert error.message in ("cannot be read: File name too long", "no such file or directory")

    def test_a_directory_that_is_closed_costs_only_itself(self, monkeypatch):
        make("a.py", "closed/b.py")
        real = os.scandir

        def scandir(path):
            if Path(path).name == "closed":
                raise PermissionError(13, "Permission denied")
            return real(path)

        monkeypatch.setattr(os, "scandir", scandir)
        assert self.errors(".") == ["closed: cannot be read: Permission denied"]
        assert names(".") == ["a.py"]

    def test_sockets_and_the_like_are_passed_over(self):
        os.mkfifo("pipe.py")
        assert names(".") == []


def test_standard_input_may_have_the_name_of_a_file_that_is_named_too():
    make("a.py")
    assert names("-", "a.py", stdin_filename="a.py") == ["a.py", "a.py"]
    assert names("-", "-") == ["-"]
