from __future__ import annotations

import io

import pytest

from klint.finding import Applicability, Confidence, Finding, Fix, Location, Related, Severity
from klint.linter import Report
from klint.output import concise, text
from tests.output.reports import notebook


def finding(
    row: int,
    start: int,
    end: int,
    *,
    end_row: int = 0,
    message: str = "a message",
    fix: Fix | None = None,
    **related: str,
) -> Finding:
    def place(row: int, start: int, end: int) -> Location:
        return Location("a.py", row, start, end_row or row, end)

    return Finding(
        code="KL201",
        name="kl-mean-reduction",
        message=message,
        severity=Severity.WARNING,
        confidence=Confidence.PROVEN,
        location=place(row, start, end),
        claim="",
        url="",
        noqa_row=row,
        related=tuple(Related(place(*map(int, at[1:].split("_"))), said) for at, said in related.items()),
        fix=fix,
    )


def rendered(source: str, *findings: Finding) -> list[str]:
    report = Report(findings=list(findings), sources={"a.py": io.StringIO(source).readlines()})
    return [line.rstrip() for line in text.render(report).splitlines()]


def test_shows_the_line_with_the_place_underlined():
    assert rendered("x = 1\nloss = kl_div(p, q)\n", finding(2, 8, 20)) == [
        "a.py:2:8: KL201 a message",
        "2 | loss = kl_div(p, q)",
        "  |        ^^^^^^^^^^^^",
        "  = help: klint rule KL201",
        "",
    ]


def test_shows_related_places_in_order_with_what_they_say():
    source = "p = softmax(x)\n" + "\n" * 8 + "loss = kl_div(p, q)\n"
    assert rendered(source, finding(10, 8, 20, _1_5_15="made here", _10_15_16="used here"))[1:-2] == [
        " 1 | p = softmax(x)",
        "   |     ---------- made here",
        ".. |",
        "10 | loss = kl_div(p, q)",
        "   |        ^^^^^^^^^^^^",
        "   |               - used here",
    ]


@pytest.mark.parametrize(
    ("line", "start", "end", "shown", "underline"),
    [
        pytest.param("\tkl(p)", 2, 7, "    kl(p)", "    ^^^^^", id="tab"),
        pytest.param("損失 = kl(p)", 6, 11, "損失 = kl(p)", "       ^^^^^", id="wide characters before"),
        pytest.param("kl('損失')", 4, 8, "kl('損失')", "   ^^^^^^", id="wide characters within"),
        pytest.param("e\u0301 = kl(p)", 6, 11, "e\u0301 = kl(p)", "    ^^^^^", id="combining character"),
        pytest.param("\f\x1b = kl(p)", 6, 11, "?? = kl(p)", "     ^^^^^", id="control characters"),
        pytest.param("kl(p)", 1, 1, "kl(p)", "^", id="empty place"),
        pytest.param("kl(p)", 90, 99, "kl(p)", "     ^", id="place outside of the line"),
        pytest.param(
            "x" * 200 + "kl(p)" + "y" * 200,
            201,
            206,
            "..." + "x" * 60 + "kl(p)" + "y" * 95 + "...",
            " " * 63 + "^^^^^",
            id="long line",
        ),
    ],
)
def test_underlines_what_is_meant(line, start, end, shown, underline):
    assert rendered(f"{line}\n", finding(1, start, end))[1:3] == [f"1 | {shown}", f"  | {underline}"]


def test_underlines_the_first_of_many_lines():
    assert rendered("loss = kl_div(\n    p,\n)\n", finding(1, 8, 2, end_row=3))[1:3] == [
        "1 | loss = kl_div(",
        "  |        ^^^^^^^",
    ]


def test_names_the_fix():
    fix = Fix(Applicability.UNSAFE, "write reduction='batchmean'", ())
    assert rendered("loss\n", finding(1, 1, 5, fix=fix))[3] == "  = fix: write reduction='batchmean'"


def test_works_without_the_source():
    assert rendered("", finding(3, 1, 5)) == ["a.py:3:1: KL201 a message", "  = help: klint rule KL201", ""]


def test_colours_change_nothing_but_colour():
    report = Report(findings=[finding(1, 1, 5)], sources={"a.py": ["loss\n"]})
    coloured = text.render(report, colour=True)
    assert "\x1b[" in coloured
    assert "a.py:1:1:" in coloured


def test_concise_is_one_line_whatever_the_names_hold():
    report = Report(findings=[finding(1, 1, 5, message="reduction='\n\x1b[31m'")])
    assert concise.render(report) == "a.py:1:1: KL201 reduction='\\n\\x1b[31m'\n"


def test_in_a_notebook_the_cell_is_named():
    assert concise.render(notebook()).startswith("a.ipynb:cell 3:3:20: KL101 ")
    assert text.render(notebook()).splitlines()[1] == "2 |     p = F.softmax(x, dim=1)"
