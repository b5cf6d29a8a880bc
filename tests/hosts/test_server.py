"""``klint server`` over its standard input and output, as an editor talks to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

pytest.importorskip("pygls", reason="the extra 'server' is not installed")

from lsprotocol import types

from klint.linter import lint_source
from tests.hosts.editor import Editor, applied, editing

SERVER = [sys.executable, "-m", "klint", "server"]

BAD = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""
GOOD = BAD.replace("F.softmax(x", "F.log_softmax(x")
SAFE = """\
import torch
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(torch.log(F.softmax(x, dim=1)), F.softmax(y, dim=1), reduction="sum")
"""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    with editing(SERVER, tmp_path_factory.mktemp("work")) as editor:
        yield editor


@pytest.fixture
def editor(session: Editor, tmp_path: Path) -> Iterator[Editor]:
    """An editor without open documents; names are those of files in an empty directory."""
    session.root = tmp_path
    session.messages.clear()
    yield session
    session.close_all()


def span(diagnostic: types.Diagnostic) -> tuple[int, int, int, int]:
    start, end = diagnostic.range.start, diagnostic.range.end
    return start.line, start.character, end.line, end.character


# What is shown.


def test_a_diagnostic_says_what_the_finding_says(editor):
    editor.open("a.py", BAD)
    (shown,) = editor.diagnostics("a.py")
    (finding,) = lint_source(BAD, "a.py").findings
    assert span(shown) == (4, 11, 4, 78)
    assert (shown.code, shown.message, shown.source) == (finding.code, finding.message, "klint")
    assert shown.severity is types.DiagnosticSeverity.Error
    assert shown.code_description.href == finding.url
    (related,) = shown.related_information
    assert (related.location.uri, related.message) == (editor.uri("a.py"), finding.related[0].message)
    assert related.location.range.start == types.Position(4, 20)


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("F.kl_div(x.softmax(1), x.softmax(1), reduction='sum')", types.DiagnosticSeverity.Error),
        ("F.kl_div(x.log_softmax(1), x.softmax(1))", types.DiagnosticSeverity.Warning),
    ],
    ids=["error", "warning"],
)
def test_severities(editor, code, severity):
    editor.open("a.py", f"import torch.nn.functional as F\n\ndef f(x):\n    return {code}\n")
    (shown,) = editor.diagnostics("a.py")
    assert shown.severity is severity


@pytest.mark.parametrize(
    ("encodings", "column"),
    [(None, 17), (["utf-32", "utf-16"], 16), (["utf-8"], 19)],
    ids=["utf-16", "utf-32", "utf-8"],
)
def test_columns_count_the_units_that_the_editor_counts(tmp_path, encodings, column):
    with editing(SERVER, tmp_path, encodings=encodings) as editor:
        editor.open("a.py", BAD.replace("return F", 'return "😀", F'))
        (shown,) = editor.diagnostics("a.py")
        assert span(shown) == (4, column, 4, column + 67)


@pytest.mark.parametrize(
    ("before", "line"),
    [("\r\n" * 3, 7), ("\r" * 3, 7), ("\f\n", 5), ("# \u2028\n", 5), ('"""\x0b\x1c"""\n', 5)],
    ids=["CRLF", "CR", "form feed", "line separator", "control characters"],
)
def test_rows_are_counted_as_editors_count_them(editor, before, line):
    editor.open("a.py", before + BAD)
    editor.type("a.py", before + BAD + "\n")
    assert [span(shown)[0] for shown in editor.diagnostics("a.py")] == [line]


def test_a_related_place_may_be_in_another_file(editor):
    (editor.root / "helper.py").write_text(BAD)
    editor.open("a.py", "from helper import loss\nimport torch\nloss(torch.randn(3, 4), torch.randn(3, 4))\n")
    assert editor.codes("a.py") == []  # the site is in the other file, and shown there
    editor.open(
        "b.py", BAD.replace("F.softmax(x, dim=1)", "soft(x)").replace("\n\n\n", "\nfrom c import soft\n\n\n", 1)
    )
    editor.diagnostics("b.py")
    (editor.root / "c.py").write_text('"😀"\nimport torch\ndef soft(x):\n    return torch.softmax(x, dim=1)\n')
    editor.save("b.py")
    (shown,) = editor.diagnostics("b.py")
    assert editor.uri("c.py") in {related.location.uri for related in shown.related_information}


# As you type.


def test_the_latest_version_counts(editor):
    editor.open("a.py", GOOD)
    for turn in range(20):
        editor.type("a.py", BAD + "\n" * turn)
    editor.type("a.py", GOOD + "# done\n")
    assert editor.codes("a.py") == []
    editor.type("a.py", BAD)
    assert editor.codes("a.py") == ["KL101"]


@pytest.mark.parametrize(
    "half",
    ["def f(:\n", "x = (1,\n", "F.kl_div(\n", 'text = """\n', "class\n", "if x\n    y\n", "\0\n", "\ud83d\n"],
    ids=["signature", "bracket", "call", "string", "class", "block", "NUL", "half a character"],
)
def test_half_typed_code_ends_nothing(editor, half):
    editor.open("a.py", BAD)
    editor.type("a.py", BAD + half)
    editor.diagnostics("a.py")
    editor.hover("a.py", 4, 15)
    editor.type("a.py", BAD + "\n")
    assert editor.codes("a.py") == ["KL101"]
    assert editor.messages == []


def test_the_rest_of_a_half_typed_file_is_still_linted(editor):
    editor.open("a.py", BAD + "\n\ndef g(:\n")
    assert editor.codes("a.py") == ["KL101"]


def test_what_is_not_saved_wins_over_the_file(editor):
    (editor.root / "a.py").write_text(GOOD)
    editor.open("a.py", BAD)
    assert editor.codes("a.py") == ["KL101"]


def test_what_is_not_saved_in_an_imported_file_wins_over_the_file(editor):
    normalise = "import torch\n\ndef normalise(x):\n    return torch.{}(x, dim=1)\n"
    (editor.root / "helper.py").write_text(normalise.format("log_softmax"))
    editor.open("a.py", "from helper import normalise\n" + BAD.replace("F.softmax(x, dim=1)", "normalise(x)"))
    assert editor.codes("a.py") == []
    editor.open("helper.py", normalise.format("softmax"))
    assert editor.becomes("a.py", ["KL101"])
    editor.close("helper.py")
    assert editor.becomes("a.py", [])


def test_a_closed_document_shows_nothing(editor):
    editor.open("a.py", BAD)
    assert editor.codes("a.py") == ["KL101"]
    editor.close("a.py")
    assert editor.becomes("a.py", [])


def test_a_document_without_a_file_is_linted(editor):
    editor.open("untitled:Untitled-1", BAD)
    assert editor.codes("untitled:Untitled-1") == ["KL101"]


def test_a_cell_of_a_notebook_may_take_its_imports_from_another(editor):
    cell = "vscode-notebook-cell:/work/a.ipynb#W0"
    editor.open(cell, "%time\nF.kl_div(x.softmax(1), y.softmax(1), reduction='sum')\n")
    assert [(shown.code, span(shown)[:2]) for shown in editor.diagnostics(cell)] == [("KL101", (1, 0))]


# Settings.


def test_settings_come_from_the_project(editor):
    (editor.root / "pyproject.toml").write_text('[tool.klint]\nignore = ["KL101"]\n')
    editor.open("a.py", BAD)
    assert editor.codes("a.py") == []


def test_settings_that_change_are_heeded_when_a_file_is_saved(editor):
    editor.open("a.py", BAD)
    assert editor.codes("a.py") == ["KL101"]
    (editor.root / "pyproject.toml").write_text('[tool.klint]\nignore = ["KL101"]\n')
    editor.save("a.py")
    assert editor.becomes("a.py", [])


def test_excluded_files_are_left_alone(editor):
    (editor.root / "pyproject.toml").write_text('[tool.klint]\nextend-exclude = ["a.py"]\n')
    (editor.root / "a.py").write_text(BAD)
    editor.open("a.py")
    assert editor.codes("a.py") == []


def test_a_mistake_in_the_settings_is_told_once(editor):
    (editor.root / "pyproject.toml").write_text('[tool.klint]\nignroe = ["KL101"]\n')
    editor.open("a.py", BAD)
    assert editor.codes("a.py") == []
    editor.type("a.py", GOOD)
    assert editor.codes("a.py") == []
    (message,) = editor.messages
    assert "pyproject.toml" in message
    assert "ignroe" in message
    assert "\n" not in message


# What can be done about it.


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_an_unsafe_fix_says_so_and_is_not_preferred(editor, newline):
    text = BAD.replace("return F", 'return "😀", F').replace("\n", newline)
    editor.open("a.py", text)
    (shown,) = editor.diagnostics("a.py")
    fix, _ = editor.actions("a.py", shown)
    assert fix.title == "KL101: Use log_softmax (unsafe: changes what is trained)"
    assert (fix.kind, fix.is_preferred) == ("quickfix", None)
    assert [each.code for each in fix.diagnostics] == ["KL101"]
    edits = fix.edit.changes[editor.uri("a.py")]
    assert applied(text, edits) == text.replace("F.softmax(x", "F.log_softmax(x")


def test_a_safe_fix_is_preferred(editor):
    editor.open("a.py", SAFE)
    (shown,) = editor.diagnostics("a.py")
    fix, _ = editor.actions("a.py", shown)
    assert (fix.title, fix.is_preferred) == ("KL110: Use log_softmax", True)
    editor.type("a.py", applied(SAFE, fix.edit.changes[editor.uri("a.py")]))
    assert editor.codes("a.py") == []


@pytest.mark.parametrize(
    "ending", ["", "  # noqa: E501", "  # the call"], ids=["no comment", "another code", "another comment"]
)
def test_a_comment_can_be_added(editor, ending):
    text = BAD.replace('"sum")', f'"sum"){ending}')
    editor.open("a.py", text)
    (shown,) = editor.diagnostics("a.py")
    *_, comment = editor.actions("a.py", shown)
    assert comment.title == "KL101: Silence it with # noqa: KL101"
    after = applied(text, comment.edit.changes[editor.uri("a.py")])
    assert "KL101" in after
    editor.type("a.py", after)
    assert editor.codes("a.py") == []


def test_a_fix_that_cannot_keep_its_promise_is_not_offered(editor):
    editor.open("a.py", BAD + "\n\ndef g(:\n")
    (shown,) = editor.diagnostics("a.py")
    assert [action.title for action in editor.actions("a.py", shown)] == ["KL101: Silence it with # noqa: KL101"]


def test_nothing_is_offered_elsewhere_or_of_other_kinds(editor):
    editor.open("a.py", BAD)
    (shown,) = editor.diagnostics("a.py")
    start = types.Position(0, 0)
    elsewhere = types.Diagnostic(types.Range(start, start), "")
    assert editor.actions("a.py", elsewhere) == []
    assert editor.actions("a.py", shown, only=["source.organizeImports"]) == []
    assert len(editor.actions("a.py", shown, only=["quickfix"])) == 2


# What is known.


@pytest.mark.parametrize("character", [11, 40, 77], ids=["start", "an argument", "end"])
def test_hovering_over_a_loss_call_tells_its_slots_and_divisor(editor, character):
    editor.open("a.py", GOOD.replace("sum", "mean"))
    told = editor.hover("a.py", 4, character)
    assert "input: log-probabilities over dim 1" in told.contents.value
    assert "target: probabilities over dim 1" in told.contents.value
    assert "divisor: numel" in told.contents.value
    assert told.range.start == types.Position(4, 11)


@pytest.mark.parametrize("line", [0, 3, 99], ids=["import", "signature", "behind the end"])
def test_there_is_nothing_to_tell_elsewhere(editor, line):
    editor.open("a.py", BAD)
    assert editor.hover("a.py", line, 5) is None


def test_of_several_calls_on_a_line_the_one_at_hand_is_told(editor):
    editor.open(
        "a.py",
        dedent("""\
            import torch.nn.functional as F
            def f(x, y):
                return F.cross_entropy(x, y), F.mse_loss(x, y), F.nll_loss(x, y)
            """),
    )
    assert "nll_loss" in editor.hover("a.py", 2, 60).contents.value
    assert "cross_entropy" in editor.hover("a.py", 2, 15).contents.value


# Around it.


def test_a_large_document_is_served(editor):
    text = BAD + "".join(f"\n\ndef g{number}(a, b):\n    return a + b * {number}\n" for number in range(1250))
    editor.open("a.py", text)
    assert editor.codes("a.py") == ["KL101"]
    assert editor.hover("a.py", 4, 15) is not None
    assert len(editor.actions("a.py", editor.diagnostics("a.py")[0])) == 2


def test_it_ends_when_the_editor_is_gone(tmp_path):
    assert subprocess.run(SERVER, input=b"", cwd=tmp_path, capture_output=True, timeout=60).returncode == 0


def test_without_the_extra_one_line_says_what_to_install(klint, monkeypatch):
    monkeypatch.setitem(sys.modules, "klint.hosts.server", None)
    monkeypatch.delitem(sys.modules, "klint.hosts.server")
    monkeypatch.setitem(sys.modules, "pygls", None)
    monkeypatch.setitem(sys.modules, "pygls.lsp.server", None)
    outcome = klint("server")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "klint: server: needs pygls.lsp.server, missing here: pip install 'klint[server]'\n"


@pytest.mark.parametrize("module", ["klint.cli", "klint.linter", "klint.hosts.flake8"])
def test_nothing_else_needs_it(module):
    code = f"import sys, {module}; print(*{{'pygls', 'pylsp', 'lsprotocol', 'asyncio'}} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
