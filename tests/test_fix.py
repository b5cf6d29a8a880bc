"""What is written back, what is left alone, and what is refused."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from klint import fix as fixing
from klint.finding import Applicability, Confidence, Edit, Finding, Fix, Location, Severity
from klint.fix import FixError, apply_edits, fix_paths, fix_source, fix_text

SAFE = """\
import torch
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(torch.log(F.softmax(x, dim=1)), F.softmax(y, dim=1), reduction="sum")
"""
SAFE_FIXED = SAFE.replace("torch.log(F.softmax(x, dim=1))", "F.log_softmax(x, dim=1)")
UNSAFE = SAFE_FIXED.replace("F.log_softmax", "F.softmax")
BOTH = SAFE + UNSAFE.partition("\n\n\n")[2]


@pytest.fixture(autouse=True)
def directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def place(row, column, end_row, end_column):
    return Location("a.py", row, column, end_row, end_column)


def word(name, text, content, row=1, column=1):
    """A finding that a toy linter makes of a word, with a fix that replaces it."""
    location = place(row, column, row, column + len(text))
    fix = Fix(Applicability.UNSAFE, f"Use {content}", (Edit(location, content),))
    return Finding(name, name, "", Severity.NOTE, Confidence.PROVEN, location, "", "", row, fix=fix)


def words(**replacements):
    """A linter of texts that finds each of some words and has a replacement for it."""

    def lint(text):
        return [
            word(name, name, content, row, line.index(name) + 1)
            for row, line in enumerate(text.splitlines(), 1)
            for name, content in replacements.items()
            if name in line
        ]

    return lint


class TestTexts:
    def test_edits_are_applied_by_the_places_before(self):
        edits = [Edit(place(1, 1, 1, 2), "xyz"), Edit(place(1, 3, 2, 2), ""), Edit(place(2, 3, 2, 3), "!")]
        assert apply_edits("abc\ndef\n", edits) == "xyzbe!f\n"

    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_new_lines_end_as_the_line_that_they_stand_in(self, newline):
        assert apply_edits(f"a{newline}b\n", [Edit(place(1, 2, 1, 2), ",\nc")]) == f"a,{newline}c{newline}b\n"

    def test_safe_fixes_are_the_default(self):
        assert fix_source(BOTH, "a.py").after == SAFE_FIXED + UNSAFE.partition("\n\n\n")[2]
        assert [finding.code for finding in fix_source(BOTH, "a.py").fixed] == ["KL110"]

    def test_unsafe_fixes_on_request(self):
        assert fix_source(UNSAFE, "a.py").after == UNSAFE
        assert fix_source(UNSAFE, "a.py", unsafe=True).after == SAFE_FIXED

    def test_fixes_run_to_a_fixed_point(self):
        fixed = fix_text("one = 1\n", words(one="two", two="three"), unsafe=True)
        assert fixed.text == "three = 1\n"
        assert [finding.code for finding in fixed.fixed] == ["one", "two"]

    def test_fixes_that_undo_each_other_end(self):
        fixed = fix_text("one = 1\n", words(one="two", two="one"), unsafe=True)
        assert fixed.text in ("one = 1\n", "two = 1\n")

    def test_a_fix_after_which_the_code_does_not_parse_is_dropped(self):
        fixed = fix_text("one = 1\ntwo = 2\n", words(one="(", two="four"), unsafe=True)
        assert fixed.text == "one = 1\nfour = 2\n"

    def test_a_fix_after_which_the_finding_stays_is_dropped(self):
        assert fix_text("one = 1\n", words(one="[one][0]"), unsafe=True).text == "one = 1\n"

    def test_a_fix_that_makes_a_finding_elsewhere_is_dropped(self):
        def lint(text):
            found = words(one="two")(text)
            return [*found, word("new", "x", "y", 2)] if "two" in text else found

        assert fix_text("one = 1\nx = 1\n", lint, unsafe=True).text == "one = 1\nx = 1\n"

    def test_of_fixes_that_overlap_one_comes_first_and_the_other_is_looked_at_again(self):
        def lint(text):
            if text != "one_two = 1\n":
                return []
            return [word("a", "one_two", "three"), word("b", "two", "four", column=5)]

        assert fix_text("one_two = 1\n", lint, unsafe=True).text == "three = 1\n"

    def test_a_fix_is_applied_whole_or_not_at_all(self):
        edits = (Edit(place(1, 1, 1, 4), "ten"), Edit(place(2, 1, 2, 4), "("))
        whole = replace(word("a", "one", ""), fix=Fix(Applicability.SAFE, "", edits))
        assert (
            fix_text("one = 1\ntwo = 2\n", lambda text: [whole] if "one" in text else []).text == "one = 1\ntwo = 2\n"
        )

    def test_code_that_does_not_parse_is_left_alone(self):
        assert fix_source(SAFE + "def f(:\n", "a.py").fixed == ()


class TestFiles:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(SAFE.encode("utf-8-sig"), id="byte order mark"),
            pytest.param(SAFE.replace("\n", "\r\n").encode(), id="CRLF"),
            pytest.param(SAFE.replace("\n", "\r\n", 3).encode(), id="mixed newlines"),
            pytest.param(f"# coding: latin-1\n# \xe4\xf6\n{SAFE}# \xff".encode("latin-1"), id="latin-1"),
            pytest.param(f"# coding: gbk\n# \u4f60\n{SAFE}".encode("gbk"), id="GBK"),
            pytest.param(SAFE.rstrip().encode(), id="no newline at the end"),
            pytest.param(f"x = '\u2028\x0c\x85'\n{SAFE}".encode(), id="separators that end no line"),
        ],
    )
    def test_all_other_bytes_stay(self, data):
        Path("a.py").write_bytes(data)
        report = fix_paths(["a.py"])
        assert report.fixed == 1
        assert report.remaining.findings == report.remaining.errors == []
        assert Path("a.py").read_bytes() == data.replace(b"torch.log(F.softmax(x, dim=1))", b"F.log_softmax(x, dim=1)")

    def test_the_mode_stays(self):
        Path("a.py").write_text(SAFE, "utf-8")
        Path("a.py").chmod(0o751)
        fix_paths(["a.py"])
        assert stat.S_IMODE(Path("a.py").stat().st_mode) == 0o751
        assert os.listdir() == ["a.py"]

    def test_a_link_stays_a_link(self):
        Path("b.txt").write_text(SAFE, "utf-8")
        Path("a.py").symlink_to("b.txt")
        fix_paths(["a.py"])
        assert Path("a.py").is_symlink()
        assert Path("b.txt").read_text("utf-8") == SAFE_FIXED

    def test_a_file_that_changed_since_it_was_read_is_not_touched(self, monkeypatch):
        Path("a.py").write_text(SAFE, "utf-8")
        original = fixing.fix_source

        def changes_meanwhile(*arguments):
            Path("a.py").write_text("# mine\n", "utf-8")
            return original(*arguments)

        monkeypatch.setattr(fixing, "fix_source", changes_meanwhile)
        report = fix_paths(["a.py"])
        assert [str(error) for error in report.remaining.errors] == [
            "a.py: cannot be fixed: it has changed since it was read"
        ]
        assert report.fixed == 0
        assert os.listdir() == ["a.py"]
        assert Path("a.py").read_text("utf-8") == "# mine\n"

    def test_a_file_without_fixes_is_not_written(self):
        Path("a.py").write_text(UNSAFE, "utf-8")
        os.utime("a.py", (1, 1))
        assert fix_paths(["a.py"]).fixed == 0
        assert Path("a.py").stat().st_mtime == 1

    def test_nothing_is_written_on_request(self):
        Path("a.py").write_text(SAFE, "utf-8")
        report = fix_paths(["."], write=False)
        assert Path("a.py").read_text("utf-8") == SAFE
        assert [file.filename for file in report.files] == ["a.py"]
        assert "+    return F.kl_div(F.log_softmax(x, dim=1)" in report.files[0].diff()

    def test_a_diff_marks_the_end_of_a_file_without_a_newline(self):
        assert fix_source(SAFE.rstrip(), "a.py").diff().count("\\ No newline at end of file\n") == 2

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")
    def test_a_file_that_may_not_be_written_is_one_error(self):
        Path("a.py").write_text(SAFE, "utf-8")
        Path("a.py").chmod(0o444)
        report = fix_paths(["a.py"])
        assert [str(error) for error in report.remaining.errors] == ["a.py: cannot be fixed: it may not be written"]

    def test_standard_input_is_fixed_alone(self):
        with pytest.raises(FixError, match="alone"):
            fix_paths(["-", "a.py"])

    def test_fixes_see_what_other_files_of_the_project_define(self):
        Path("pyproject.toml").touch()
        Path("helper.py").write_text(
            f"{SAFE.partition('def')[0]}def soft(x):\n    return F.softmax(x, dim=1)\n", "utf-8"
        )
        Path("a.py").write_text(UNSAFE.replace("F.softmax(x, dim=1)", "soft(x)").replace("import torch\n", "from helper import soft\n"), "utf-8")  # fmt: skip
        before = Path("helper.py").read_text("utf-8")
        assert fix_paths(["."], unsafe=True).fixed == 1
        assert "F.kl_div(soft(x).log()," in Path("a.py").read_text("utf-8")
        assert Path("helper.py").read_text("utf-8") == before
