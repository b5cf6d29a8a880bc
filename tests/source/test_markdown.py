"""Python in prose: fenced blocks, directives, transcripts, and what only looks like code."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent, indent

import pytest

from klint import lint_source
from klint.fix import fix_source

SETUP = "import torch\nimport torch.nn.functional as F\ntarget = torch.softmax(torch.randn(8, 10), dim=1)\n"
CALL = 'F.kl_div(torch.softmax(torch.randn(8, 10), dim=1), target, reduction="sum")'
CODE = f"{SETUP}loss = {CALL}\n"
FORUM = Path(__file__).parents[2] / "fixtures" / "forum_thread.md"


def places(text, filename="a.md"):
    report = lint_source(text, filename)
    assert report.errors == []
    return [f"{f.location.row}:{f.location.column}" for f in report.findings if f.code == "KL101"]


def place(text, code="F.kl_div"):
    """Where a piece of code stands in a text, as people count."""
    (row,) = (number for number, line in enumerate(text.splitlines(), 1) if code in line)
    return f"{row}:{text.splitlines()[row - 1].index(code) + 1}"


def prompt(code):
    return "".join(f"{'...' if line[:1].isspace() else '>>>'} {line}\n" for line in code.splitlines())


class TestFences:
    @pytest.mark.parametrize("fence", ["```", "~~~", "`````"])
    @pytest.mark.parametrize(
        "info",
        [
            "python",
            "py",
            " Python3 ",
            "python title='x'",
            "{python}",
            "{.python .numberLines}",
            "{code-cell} ipython3",
            "pycon",
            "",
        ],
    )
    def test_a_fence(self, fence, info):
        text = f"Prose.\n\n{fence}{info}\n{CODE}{fence}\n\nProse.\n"
        assert places(text) == [place(text)]

    @pytest.mark.parametrize(
        ("before", "first"),
        [
            pytest.param("  ", "", id="indented"),
            pytest.param("   ", "1. Item\n\n", id="in a list"),
            pytest.param("> ", "", id="in a quotation"),
            pytest.param("> > ", "", id="in a quotation of a quotation"),
        ],
    )
    def test_columns_behind_what_stands_before_the_code(self, before, first):
        text = first + indent(f"```python\n{CODE}```\n", before, lambda _: True)
        assert places(text) == [place(text)]

    def test_code_that_is_indented_inside_its_fence(self):
        text = f"```python\n{indent(CODE, '      ')}```\n"
        assert places(text) == [place(text)]

    @pytest.mark.parametrize("info", ["js", "console", "json", "text"])
    def test_other_languages_are_passed_over(self, info):
        assert places(f"```{info}\n{CODE}```\n") == []

    def test_a_fence_inside_a_longer_fence_is_text(self):
        assert places(f"````markdown\n```python\n{CODE}```\n````\n") == []

    def test_an_indented_block(self):
        text = f"Prose:\n\n{indent(CODE, '    ')}\nProse.\n"
        assert places(text) == [place(text)]

    @pytest.mark.parametrize("newline", ["\r\n", "\r"])
    def test_newlines_of_other_kinds(self, newline):
        text = f"Prose.\n\n```python\n{CODE}```\n"
        assert places(text.replace("\n", newline)) == [place(text)]

    def test_magics(self):
        text = f"```python\n!pip install torch\n%matplotlib inline\n{CODE}```\n"
        assert places(text) == [place(text)]

    def test_a_heading_declares_no_encoding(self, klint):
        Path("a.md").write_text(f"# Python coding: tips\n\n```python\n{CODE}```\n", encoding="utf-8")
        assert klint("check", "a.md", "--output-format", "concise", "-q").places == ["a.md:7:8: KL101"]

    @pytest.mark.parametrize("comment", ["# noqa", "# noqa: KL101"])
    def test_noqa(self, comment):
        assert places(f"# flake8: noqa is a heading\n```python\n{CODE.rstrip()}  {comment}\n```\n") == []

    def test_prose_skips_no_file(self):
        text = f"# flake8: noqa\n\n```python\n{CODE}```\n"
        assert places(text) == [place(text)]


class TestBlocksTogether:
    def test_a_later_block_sees_what_an_earlier_one_binds(self):
        text = f"```python\n{SETUP}```\n\nThen:\n\n```python\n{CALL}\n```\n"
        assert places(text) == [place(text)]

    def test_a_block_that_imports_again_stands_by_itself(self):
        first = f"```python\n{SETUP}```\n\n```python\n{CALL}\n```\n"
        other = "\n```python\nimport torch.nn.functional as F\nloss = F.kl_div(target, target, reduction='sum')\n```\n"
        report = lint_source(first + other, "a.md")
        assert [finding.location.row for finding in report.findings] == [8]
        joined = lint_source((first + other).replace("import torch.nn.functional as F\nloss", "loss"), "a.md")
        assert [finding.location.row for finding in joined.findings] != [8]

    def test_a_marked_block_that_does_not_parse_is_an_error_and_costs_itself_alone(self):
        text = f"```python\n{SETUP}```\n\n> ```python\n> x = = 3\n> ```\n\n```python\n{CALL}\n```\n"
        report = lint_source(text, "a.md")
        assert [str(error) for error in report.errors] == ["a.md:8:7: syntax error: invalid syntax"]
        assert [f.location.row for f in report.findings] == [12]

    @pytest.mark.parametrize(
        "prose",
        [
            pytest.param("```\nKL(P || Q) = kl_div\n```\n", id="a fence without a language"),
            pytest.param("Then\n\n    KL(P || Q) = kl_div\n\n", id="an indented formula"),
            pytest.param(">>> as he wrote about kl_div:\n", id="a quotation of a quotation"),
            pytest.param("    >>> def kl_div(:\n", id="a prompt"),
            pytest.param(">>>\n", id="a prompt alone"),
            pytest.param("... and so on with kl_div\n", id="an ellipsis"),
            pytest.param("```diff\n- x = kl_div(\n+ y\n```\n", id="a difference"),
        ],
    )
    def test_prose_that_looks_like_code_is_silent(self, prose):
        text = f"{prose}\n```python\n{CODE}```\n"
        assert places(text) == [place(text)]


class TestDirectives:
    @pytest.mark.parametrize("filename", ["a.rst", "a.txt"])
    @pytest.mark.parametrize(
        "opening",
        [
            pytest.param(".. code-block:: python\n\n", id="code-block"),
            pytest.param(".. code:: python3\n\n", id="code"),
            pytest.param(".. sourcecode:: py\n\n", id="sourcecode"),
            pytest.param(".. code-block::\n\n", id="no language"),
            pytest.param(".. code-block:: python\n   :linenos:\n   :caption: a.py\n\n", id="options"),
            pytest.param(".. testcode::\n\n", id="testcode"),
            pytest.param("As follows::\n\n", id="literal block"),
            pytest.param("::\n\n", id="literal block of its own"),
        ],
    )
    def test_a_block_of_code(self, opening, filename):
        text = f"Title\n=====\n\n{opening}{indent(CODE, '   ')}\nProse.\n"
        assert places(text, filename) == [place(text)]

    def test_a_directive_inside_another(self):
        inner = f".. code-block:: python\n\n{indent(CODE, '   ')}\n"
        text = f".. note::\n\n{indent(inner, '   ')}\nProse.\n"
        assert places(text, "a.rst") == [place(text)]

    def test_other_languages_are_passed_over(self):
        assert places(f".. code-block:: c\n\n{indent(CODE, '   ')}\n", "a.rst") == []

    def test_a_literal_block_that_is_no_python_is_silent(self):
        assert places("As follows::\n\n   $ klint check kl_div\n", "a.rst") == []

    def test_a_marked_block_that_does_not_parse_is_an_error(self):
        report = lint_source(".. code-block:: python\n\n   x = = 3  # kl_div\n", "a.rst")
        assert [str(error) for error in report.errors] == ["a.rst:3:8: syntax error: invalid syntax"]

    def test_fences_are_found_in_text_files(self):
        text = f"```python\n{CODE}```\n"
        assert places(text, "a.txt") == [place(text)]


class TestTranscripts:
    LOOP = "for _ in range(3):\n    loss = " + CALL + "\n"

    @pytest.mark.parametrize("filename", ["a.md", "a.rst", "a.txt"])
    @pytest.mark.parametrize(
        "frame",
        [
            pytest.param("{}", id="bare"),
            pytest.param("Prose\n\n{}\nProse", id="in prose"),
            pytest.param("::\n\n    {}", id="indented"),
            pytest.param("```pycon\n{}```\n", id="fenced"),
            pytest.param("```\n{}```\n", id="fenced without a language"),
        ],
    )
    def test_statements_and_continuation_lines(self, frame, filename):
        before = frame.partition("{")[0].rpartition("\n")[2]
        text = frame.replace("{}", indent(prompt(SETUP + self.LOOP), before).lstrip())
        assert places(text, filename) == [place(text)]

    def test_printed_output_is_no_code(self):
        text = f"{prompt(SETUP)}>>> target.shape\ntorch.Size([8, 10])\n>>> {CALL}\ntensor(-3.0)\ntarget = 3\n>>> {CALL} + 1\n"
        rows = [number for number, line in enumerate(text.splitlines(), 1) if "F.kl_div" in line]
        assert places(text) == [f"{row}:5" for row in rows]

    def test_values_at_the_prompt_are_shown(self):
        text = dedent("""\
            >>> import torch
            >>> import torch.nn.functional as F
            >>> x = torch.randn(1, 4)
            >>> p = torch.softmax(torch.randn(1, 4), dim=1)
            >>> F.kl_div(torch.log_softmax(x, dim=1), p, reduction='mean')
            tensor(0.1)
            >>> F.cross_entropy(x, p) - F.cross_entropy(p.log(), p)
            tensor(0.4)
            """)
        assert "KL301" in [finding.code for finding in lint_source(text, "a.md").findings]

    @pytest.mark.parametrize(
        ("opening", "closing"),
        [
            pytest.param("\u201c", "\u201d", id="curly"),
            pytest.param("\u2018", "\u2019", id="curly single"),
            pytest.param("\u201e", "\u201c", id="German"),
            pytest.param("\u2033", "\u2033", id="primes"),
            pytest.param("\u201c".encode().decode("cp1252"), "â€\x9d", id="UTF-8 read as cp1252 by a browser"),
            pytest.param("\u201c".encode().decode("cp1252"), "â€", id="UTF-8 read as cp1252, a byte lost"),
            pytest.param(
                "\u2018".encode().decode("cp1252"),
                "\u2019".encode().decode("cp1252"),
                id="single, UTF-8 read as cp1252",
            ),
            pytest.param(
                "\u201c".encode().decode("latin-1"), "\u201d".encode().decode("latin-1"), id="UTF-8 read as latin-1"
            ),
            pytest.param(
                "\u201c".encode().decode("mac_roman"),
                "\u201d".encode().decode("mac_roman"),
                id="UTF-8 read as Mac Roman",
            ),
            pytest.param("\x93", "\x94", id="cp1252 read as latin-1"),
            pytest.param("\ufffd", "\ufffd", id="replaced by the decoder"),
        ],
    )
    def test_quotes_as_they_come_out_of_forums(self, opening, closing):
        call = f"F.kl_div(reduction={opening}sum{closing}, input=target, target=target) + {CALL}"
        text = prompt(SETUP + call)
        assert places(text)[-1] == place(text, CALL)

    def test_spaces_as_they_come_out_of_forums(self):
        text = prompt(CODE).replace("loss = ", "loss\u00a0=\u00a0")
        assert places(text) == [place(text)]

    def test_good_strings_keep_their_quotes(self):
        text = f"```python\n{SETUP}print('it\u2019s \u201cgood\u201d')\n{CALL}\n```\n"
        assert places(text) == [place(text)]


class TestFixes:
    @pytest.mark.parametrize(
        "frame",
        [
            pytest.param(lambda code: f"```python\n{code}```\n", id="fence"),
            pytest.param(lambda code: indent(f"```python\n{code}```\n", "> "), id="quotation"),
            pytest.param(prompt, id="transcript"),
        ],
    )
    def test_a_fix_is_written_at_its_place(self, frame):
        code = SETUP + "F.kl_div(torch.log(torch.softmax(torch.randn(8, 10), dim=1)), target, reduction='sum')\n"
        mended = SETUP + "F.kl_div(torch.log_softmax(torch.randn(8, 10), dim=1), target, reduction='sum')\n"
        assert fix_source(frame(code), "a.md").after == frame(mended)

    def test_new_lines_begin_like_those_around_them(self):
        call = "loss = F.kl_div(\n    torch.log_softmax(torch.randn(8, 10), dim=1),\n    target,\n)\n"
        text = indent(f"```python\n{SETUP}{call}```\n", "> ")
        after = fix_source(text, "a.md", unsafe=True).after
        (added,) = (line for line in after.splitlines() if "batchmean" in line)
        assert added.startswith(">     reduction=")


class TestCommandLine:
    def test_prose_is_read_where_it_is_named_alone(self, klint):
        Path("a.md").write_text(f"```python\n{CODE}```\n", encoding="utf-8")
        assert klint("check", ".", "-q").out == ""
        assert klint("check", "a.md", "--output-format", "concise", "-q").places == ["a.md:5:8: KL101"]

    def test_full_output_shows_the_line_as_it_stands(self, klint):
        Path("a.md").write_text(prompt(CODE), encoding="utf-8")
        assert f"\n4 | >>> loss = {CALL}\n" in klint("check", "a.md").out

    def test_the_forum_thread(self, klint):
        report = lint_source(FORUM.read_text(encoding="utf-8"), "thread.md")
        found = [(f.location.row, f.code) for f in report.findings]
        assert report.errors == []
        assert {(21, "KL202"), (21, "KL301")} <= set(found)
        assert (report.sites, report.understood) == (4, 4)

    def test_explain(self, klint):
        Path("thread.md").write_bytes(FORUM.read_bytes())
        outcome = klint("explain", "thread.md:21")
        assert outcome.out.startswith("thread.md:21:6: kl_div\n")
        assert outcome.status == 0

    def test_verify_reproduces_the_forum_thread(self, klint):
        pytest.importorskip("torch")
        Path("thread.md").write_bytes(FORUM.read_bytes())
        outcome = klint("verify", "thread.md", "--select", "KL202")
        assert outcome.status == 1
        assert "thread.md:21:6: KL202" in outcome.out
        assert "0.0179" in outcome.out
        assert "0.0716" in outcome.out
