"""Notebooks: cells as one module, magics, places by cell, fixes that leave all else alone, and files that are no notebook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from klint import lint_source
from klint.config import Settings
from klint.fix import fix_source
from klint.source.notebook import parse_notebook

IMPORTS = "import torch\nimport torch.nn.functional as F\n"
TARGET = "target = torch.softmax(torch.randn(8, 10), dim=1)\n"
WRONG = "F.kl_div(torch.softmax(torch.randn(8, 10), dim=1), target, reduction='sum')"
SAFE = "F.kl_div(torch.log(torch.softmax(torch.randn(8, 10), dim=1)), target, reduction='sum')"
MENDED = "F.kl_div(torch.log_softmax(torch.randn(8, 10), dim=1), target, reduction='sum')"


def code(source, **more):
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [], "source": source} | more


def notebook(*cells, **metadata):
    cells = [cell if isinstance(cell, dict) else code(cell.splitlines(keepends=True)) for cell in cells]
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def places(text, filename="n.ipynb"):
    report = lint_source(text, filename)
    assert report.errors == []
    return [f"{f.location.source}:{f.location.row}:{f.location.column}: {f.code}" for f in report.findings]


MARKDOWN = {"cell_type": "markdown", "metadata": {}, "source": ["# Loss\n", "F.kl_div(...)"]}


class TestCells:
    def test_code_cells_are_one_module_and_findings_count_cells_of_all_kinds(self):
        assert places(notebook(IMPORTS, MARKDOWN, TARGET, f"\nloss = {WRONG}")) == ["n.ipynb:cell 4:2:8: KL101"]

    def test_the_source_of_a_cell_may_be_one_string(self):
        assert places(notebook(code(IMPORTS + TARGET), code(WRONG))) == ["n.ipynb:cell 2:1:1: KL101"]

    def test_a_related_place_has_its_own_cell(self):
        values = "log_p = torch.log_softmax(torch.randn(10), dim=0)\ntarget = torch.softmax(torch.randn(10), dim=0)\n"
        module = "kl = torch.nn.KLDivLoss(reduction='batchmean')\n"
        (finding,) = lint_source(notebook(IMPORTS, module, values + "kl(log_p, target)"), "n.ipynb").findings
        assert (finding.code, finding.cell) == ("KL202", 3)
        assert [related.location.cell for related in finding.related] == [2]

    def test_the_value_that_a_cell_ends_in_is_shown(self):
        setup = (
            "log_p = torch.log_softmax(torch.randn(1, 4), dim=1)\np = torch.softmax(torch.randn(1, 4), dim=1)\n"
            "kl = F.kl_div(log_p, p, reduction='mean')\nce = F.cross_entropy(log_p, p) - F.cross_entropy(p.log(), p)\n"
        )
        shown = lint_source(notebook(IMPORTS, setup, "kl", "ce"), "n.ipynb")
        silent = lint_source(notebook(IMPORTS, setup, "kl;", "ce;"), "n.ipynb")
        assert "KL301" in [finding.code for finding in shown.findings]
        assert "KL301" not in [finding.code for finding in silent.findings]

    def test_findings_are_in_the_order_of_cells(self):
        late_row, early_row = f"\n\n\n{WRONG}", WRONG
        assert places(notebook(IMPORTS, TARGET, late_row, early_row)) == [
            "n.ipynb:cell 3:4:1: KL101",
            "n.ipynb:cell 4:1:1: KL101",
        ]

    @pytest.mark.parametrize(
        "comment",
        [
            pytest.param("  # noqa", id="all codes"),
            pytest.param("  # noqa: KL101", id="its code"),
        ],
    )
    def test_noqa_in_a_cell(self, comment):
        assert places(notebook(IMPORTS, TARGET, WRONG + comment)) == []

    def test_noqa_that_silences_nothing(self):
        text = notebook(IMPORTS, "x = 1  # noqa: KL101\n")
        (finding,) = lint_source(text, "n.ipynb", Settings(extend_select=("KL905",))).findings
        place = finding.location
        assert (place.cell, place.row, place.column, place.end_column) == (2, 1, 16, 21)
        assert fix_source(text, "n.ipynb", Settings(extend_select=("KL905",))).after == text.replace(
            "  # noqa: KL101", ""
        )

    def test_the_row_of_noqa_is_counted_in_the_cell(self):
        (finding,) = lint_source(notebook(IMPORTS, TARGET, "x = 1\n" + WRONG), "n.ipynb").findings
        assert (finding.location.row, finding.noqa_row) == (2, 2)

    @pytest.mark.parametrize(
        "metadata",
        [
            pytest.param({"language_info": {"name": "R"}}, id="language"),
            pytest.param({"kernelspec": {"name": "ir", "language": "R"}}, id="kernel"),
        ],
    )
    def test_notebooks_of_other_languages_are_passed_over(self, metadata):
        assert places(notebook("x <- c(1, 2)\n", WRONG, **metadata)) == []

    def test_cells_of_other_languages_are_passed_over(self):
        other = code(WRONG, metadata={"vscode": {"languageId": "julia"}})
        assert places(notebook(IMPORTS, TARGET, other)) == []


class TestMagics:
    @pytest.mark.parametrize(
        "cell",
        [
            pytest.param("%matplotlib inline\n{}", id="line magic"),
            pytest.param("!pip install torch\n{}", id="shell"),
            pytest.param("!pip install \\\n  torch\n{}", id="shell over two lines"),
            pytest.param("?torch.softmax\n{}", id="help before"),
            pytest.param("torch.softmax??\n{}", id="help after"),
            pytest.param("files = !ls *.py\n{}", id="assigned shell command"),
            pytest.param("here = %pwd\n{}", id="assigned magic"),
            pytest.param("if True:\n    !ls\n{}", id="shell in a block"),
            pytest.param("x = '''\n%d\n''' % 3\n!ls\n{}", id="percent in a string"),
            pytest.param("x = (7\n% 3)\n!ls\n{}", id="percent in brackets"),
            pytest.param("x = 7 \\\n% 3\n!ls\n{}", id="percent after a backslash"),
        ],
    )
    def test_lines_that_are_not_python_change_nothing_about_others(self, cell):
        cell = cell.format(WRONG)
        row = len(cell.splitlines())
        assert places(notebook(IMPORTS, TARGET, cell)) == [f"n.ipynb:cell 3:{row}:1: KL101"]

    @pytest.mark.parametrize(
        ("cell", "place"),
        [
            pytest.param("%%time\n{}", "2:1", id="cell timed"),
            pytest.param("%%capture out\n%%time\n{}", "3:1", id="two cell magics"),
            pytest.param("%time loss = {}", "1:14", id="statement timed"),
            pytest.param("%timeit -n 10 -r3 {}", "1:19", id="statement timed with options"),
        ],
    )
    def test_timed_code_is_linted(self, cell, place):
        assert places(notebook(IMPORTS, TARGET, cell.format(WRONG))) == [f"n.ipynb:cell 3:{place}: KL101"]

    @pytest.mark.parametrize("magic", ["%%bash", "%%html", "%%writefile model.py", "%%javascript"])
    def test_cells_of_other_magics_are_blank(self, magic):
        assert places(notebook(IMPORTS, TARGET, f"{magic}\n{WRONG}")) == []

    def test_what_a_magic_gives_is_unknown(self):
        unit = parse_notebook(notebook("x = !ls"), "n.ipynb")
        assert unit.text == "x = get_ipython()\n"


class TestBrokenNotebooks:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            pytest.param("", "n.ipynb:1:1: is not a notebook: expecting value", id="empty"),
            pytest.param('{"cells": [', "n.ipynb:1:12: is not a notebook: expecting value", id="cut off"),
            pytest.param("import torch\n", "n.ipynb:1:1: is not a notebook: expecting value", id="Python"),
            pytest.param("[1]", "n.ipynb: is not a notebook: it holds no JSON object", id="a list"),
            pytest.param("{}", "n.ipynb: is not a notebook: it has no list of cells", id="no cells"),
            pytest.param(
                '{"worksheets": []}',
                "n.ipynb: is not a notebook: format 3 and older are not read; jupyter nbconvert --to notebook writes"
                " the present one",
                id="format 3",
            ),
            pytest.param(
                '{"cells": [{"cell_type": "code", "source": 3}]}',
                "n.ipynb: is not a notebook: the source of cell 1 is no text",
                id="source is a number",
            ),
            pytest.param(
                '{"cells": [{"cell_type": "code"}]}',
                "n.ipynb: is not a notebook: the source of cell 1 is no text",
                id="no source",
            ),
            pytest.param("[" * 100_000, "n.ipynb:1:1: is not a notebook: it is nested too deeply", id="deep"),
        ],
    )
    def test_one_clear_error(self, text, message):
        assert [str(error) for error in parse_notebook(text, "n.ipynb").errors] == [message]

    def test_it_is_told_where_the_notebook_names_a_loss(self):
        report = lint_source('{"cells": ["kl_div"', "n.ipynb")
        assert [str(error) for error in report.errors] == ["n.ipynb:1:20: is not a notebook: expecting ',' delimiter"]
        assert lint_source('{"cells": [', "n.ipynb").errors == []

    @pytest.mark.parametrize("cell", [pytest.param("x = (", id="bracket"), pytest.param("x = '''", id="string")])
    def test_a_cell_that_does_not_parse_costs_itself_alone(self, cell):
        report = lint_source(notebook(IMPORTS, TARGET, "y = 1\n" + cell, WRONG), "n.ipynb")
        assert [str(error).partition(": syntax error")[0] for error in report.errors] == ["n.ipynb:cell 3:2:5"]
        assert [(finding.cell, finding.code) for finding in report.findings] == [(4, "KL101")]

    @pytest.mark.parametrize("cells", [pytest.param([], id="no cells"), pytest.param(["", "\n"], id="empty cells")])
    def test_an_empty_notebook_is_fine(self, cells):
        assert places(notebook(*cells)) == []


class TestFixes:
    def fixed(self, text, unsafe=False):
        return fix_source(text, "n.ipynb", unsafe=unsafe).after

    def test_only_the_code_changes(self):
        output = {"output_type": "stream", "name": "stdout", "text": ["torch.log(torch.softmax(x))\n"]}
        cells = [IMPORTS, MARKDOWN, TARGET, code([f"# {SAFE}\n", f"loss = {SAFE}  # é\n", "loss"], outputs=[output])]
        text = notebook(*cells)
        spaced = text.replace('": ', '":   ').replace("\n ", "\n\t ")
        for before in (text, spaced, json.dumps(json.loads(text)), text.replace("\n", "\r\n")):
            after = self.fixed(before)
            assert after == before.replace(f"loss = {SAFE}", f"loss = {MENDED}")
            assert after != before

    @pytest.mark.parametrize(
        "source",
        [
            pytest.param([f"s = '\\\\n\\t\"é'; loss = {SAFE}"], id="escapes before it"),
            pytest.param([f"s = '\U0001f600'; loss = {SAFE}"], id="a pair of surrogates before it"),
            pytest.param(f"x = 1\r\nloss = {SAFE}", id="one string with carriage returns"),
            pytest.param(["x = 1\n", "loss = ", f"{SAFE}"], id="a line in two strings"),
        ],
    )
    def test_places_inside_json_strings(self, source):
        for ascii_only in (True, False):
            text = json.dumps({"cells": [code(IMPORTS + TARGET), code(source)]}, ensure_ascii=ascii_only)
            after = json.loads(self.fixed(text))["cells"][1]["source"]
            assert "".join(after) == "".join(source).replace(SAFE, MENDED)

    def test_new_lines_are_laid_out_like_the_others(self):
        call = "F.kl_div(\n    torch.log_softmax(torch.randn(8, 10), dim=1),\n    target,\n)"
        before = notebook(IMPORTS, TARGET, call)
        added = '    reduction="batchmean",\n'
        after = before.replace('    ")"', f'    {json.dumps(added)},\n    ")"')
        assert self.fixed(before, unsafe=True) == after
        assert json.loads(after)["cells"][2]["source"] == [*call.splitlines(keepends=True)[:-1], added, ")"]


class TestCommandLine:
    def test_notebooks_are_found_in_directories(self, klint):
        Path("sub").mkdir()
        Path("sub/n.ipynb").write_text(notebook(IMPORTS, TARGET, WRONG), encoding="utf-8")
        outcome = klint("check", ".", "--output-format", "concise", "-q")
        assert [line.partition(" input")[0] for line in outcome.out.splitlines()] == ["sub/n.ipynb:cell 3:1:1: KL101"]

    def test_json_names_the_cell(self, klint):
        Path("n.ipynb").write_text(notebook(IMPORTS, TARGET, WRONG), encoding="utf-8")
        (finding,) = json.loads(klint("check", "n.ipynb", "--output-format", "json").out)
        assert (finding["filename"], finding["cell"], finding["location"]) == ("n.ipynb", 3, {"row": 1, "column": 1})

    def test_full_output_shows_the_lines_of_the_cell(self, klint):
        Path("n.ipynb").write_text(notebook(IMPORTS, TARGET, WRONG), encoding="utf-8")
        assert f"\n1 | {WRONG}\n" in klint("check", "n.ipynb").out

    def test_fix_writes_the_notebook(self, klint):
        before = notebook(IMPORTS, TARGET, SAFE)
        Path("n.ipynb").write_bytes(before.encode())
        assert klint("check", "--fix", "n.ipynb").status == 0
        assert Path("n.ipynb").read_bytes().decode() == before.replace(SAFE, MENDED)

    def test_a_broken_notebook_is_one_line_and_others_are_linted(self, klint):
        Path("a.ipynb").write_text("{ kl_div", encoding="utf-8")
        Path("b.ipynb").write_text(notebook(IMPORTS, TARGET, WRONG), encoding="utf-8")
        outcome = klint("check", ".", "--output-format", "concise", "-q")
        assert outcome.status == 2
        assert outcome.err.count("\n") == 1
        assert outcome.err.startswith("a.ipynb:1:3: is not a notebook: ")
        assert outcome.out.startswith("b.ipynb:cell 3:1:1: KL101 ")

    def test_explain_names_cells_and_takes_the_place_of_a_line(self, klint):
        Path("n.ipynb").write_text(notebook(IMPORTS, TARGET, WRONG, f"1\n{WRONG}"), encoding="utf-8")
        outcome = klint("explain", "n.ipynb:cell 4:2")
        assert outcome.status == 0
        assert outcome.out.startswith("n.ipynb:cell 4:2:1: kl_div")
        assert "cell 2, row 1" in outcome.out
        assert outcome.out.count("kl_div\n") == 1


class TestCellsFromStandardInput:
    CELL = "loss = F.kl_div(torch.softmax(x, dim=1), nn.functional.softmax(y, dim=1), reduction='sum')\n"

    def check(self, klint, text, *options):
        return klint("check", "-", "--output-format", "concise", "-q", *options, stdin=text.encode()).out

    @pytest.mark.parametrize("options", [(), ("--stdin-filename", "a.py"), ("--stdin-filename", "n.ipynb")])
    def test_a_cell_without_imports_takes_torch_nn_and_f(self, klint, options):
        assert ":1:8: KL101 " in self.check(klint, self.CELL, *options)

    @pytest.mark.parametrize(
        "cell",
        [
            pytest.param("import os\n" + CELL, id="it imports something"),
            pytest.param("def f():\n    import os\n" + CELL, id="a function in it imports something"),
            pytest.param("F = torch = 3\n" + CELL, id="it binds the names"),
            pytest.param(CELL.replace("F.", "functional."), id="another name"),
        ],
    )
    def test_nothing_else_is_taken_for_torch(self, klint, cell):
        assert self.check(klint, cell) == ""

    def test_a_file_without_imports_takes_nothing(self, klint):
        Path("a.py").write_text(self.CELL, encoding="utf-8")
        assert klint("check", "a.py", "-q").out == ""

    def test_a_cell_of_a_notebook_may_have_magics(self, klint):
        assert ":2:8: KL101 " in self.check(klint, "%matplotlib inline\n" + self.CELL, "--stdin-filename", "n.ipynb")

    def test_fixes_reach_it(self, klint):
        cell = "loss = F.kl_div(torch.log(F.softmax(x, dim=1)), F.softmax(y, dim=1), reduction='sum')\n"
        fixed = cell.replace("torch.log(F.softmax(x, dim=1))", "F.log_softmax(x, dim=1)")
        assert klint("check", "--fix", "-", stdin=cell.encode()).out == fixed

    def test_explain_reads_it(self, klint):
        assert klint("explain", "-", stdin=self.CELL.encode()).out.startswith("-:1:8: kl_div\n")

    def test_a_whole_notebook_is_read_too(self, klint):
        text = notebook(IMPORTS, TARGET, WRONG)
        assert self.check(klint, text, "--stdin-filename", "n.ipynb").startswith("n.ipynb:cell 3:1:1: KL101 ")
