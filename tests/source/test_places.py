from __future__ import annotations

import os
from pathlib import Path

import pytest

from klint.source import places
from klint.source.places import Places


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("file.py").touch()
    Path("directory/inside").mkdir(parents=True)
    Path("link.py").symlink_to("file.py")
    Path("to_directory").symlink_to("directory")
    Path("broken.py").symlink_to("nowhere.py")
    os.mkfifo("pipe.py")


KINDS = {
    "file.py": "file",
    "directory": "directory",
    "directory/inside": "directory",
    "directory/missing": "",
    "link.py": "file",
    "to_directory": "directory",
    "to_directory/inside": "directory",
    "broken.py": "",
    "pipe.py": "",
    "missing.py": "",
    "missing/inside": "",
    "file.py/inside": "",
    ".": "directory",
    "..": "directory",
    "directory/..": "directory",
    "directory/../file.py": "file",
    "": "",
    "/": "directory",
    "a\0b": "",
    "a" * 5000: "",
}


@pytest.mark.parametrize("often", [0, 1, 1000], ids=["listed at once", "listed soon", "never listed"])
def test_what_stands_at_a_path_does_not_depend_on_how_it_is_found_out(monkeypatch, often):
    monkeypatch.setattr(places, "_OFTEN", often)
    known = Places()
    assert {path: known.kind(path) for path in KINDS} == KINDS
    assert {path: known.kind(str(Path.cwd() / path)) for path in KINDS if path} == {p: k for p, k in KINDS.items() if p}


def test_a_directory_that_cannot_be_listed_is_asked_name_by_name(monkeypatch):
    def scandir(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(places, "_OFTEN", 0)
    monkeypatch.setattr(os, "scandir", scandir)
    assert Places().kind("file.py") == "file"
    assert Places().kind("missing.py") == ""
