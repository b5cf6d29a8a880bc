"""The page is read as a browser reads it: parsed, never searched for markup."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import fields, replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from klint.finding import Confidence, Finding, Location, Related, Severity
from klint.rules.claims import Divisor, Effect
from klint.torch_model.count import Count, Size
from klint.verify import Result, Run, Verdict, VerifyError, VerifyReport
from klint.verify.html import render_html
from klint.verify.html.mathematics import state
from klint.verify.html.plots import plots
from klint.verify.html.source import frame
from klint.verify.protocol import Raised
from klint.verify.results import SiteResult, SiteVerdict

HOSTILE = "</span></pre><script src=//evil.example>alert(1)</script><img src=x onerror=alert(1)>\"'{{ 7*7 }}&amp;\x1b[31m\u202e"
VOID = {"meta", "br", "img", "link", "path", "use", "rect", "mspace"}


class Page(HTMLParser):
    """What a browser would make of a page: elements, their attributes, and the text within them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements[tag] += 1
        self.attributes += [(name, value or "") for name, value in attributes]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements[tag] += 1
        self.attributes += [(name, value or "") for name, value in attributes]

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))

    def text(self, tag: str) -> str:
        return "".join(data for inside, data in self.texts if tag in inside)


@pytest.fixture
def finding() -> Finding:
    place = Location("site.py", 2, 9, 2, 14)
    related = (Related(Location("other.py", 5, 1, 5, 2), "the softmax"),)
    error, proven = Severity.ERROR, Confidence.PROVEN
    return Finding("KL201", "name", "message", error, proven, place, "value * C = KL", "https://k", 2, related)


@pytest.fixture
def report(finding, forum_thread) -> VerifyReport:
    runs = [Run("cpu", "float64", {"input": [7, n], "classes": n}, 1 / n, 1.0, 1.0) for n in (2, 10, 100)]
    runs += [replace(run, dtype="bfloat16", as_written=math.nan) for run in runs]
    return VerifyReport(
        (Result(finding, Verdict.CONFIRMED, "as claimed", ("x is a draw",), tuple(runs), forum_thread),),
        errors=("a.py: cannot be read",),
        environment={"torch": "2.13.0", "cuda": None, "devices": ["cpu"], "seed": 0},
        not_checked=("CUDA (no such device here)",),
        sources={"site.py": ["def f(x):\n", "\tloss = kl(x)\n", "\n"]},
    )


def hostile(value):
    """The same value with every text in it hostile, and all that is not text left as it is."""
    if type(value) is str:
        return HOSTILE
    if isinstance(value, tuple):
        return tuple(map(hostile, value))
    if isinstance(value, (Finding, Related, Location, Result, Run, Raised)):
        kept = {"row", "column", "end_row", "end_column", "runs", "claim"}
        changes = {part.name: getattr(value, part.name) for part in fields(value)}
        if isinstance(value, Result):
            changes["runs"] = tuple(hostile(run) for run in value.runs)
        return type(value)(**{name: old if name in kept else hostile(old) for name, old in changes.items()})
    return value


class TestThePage:
    def test_all_that_was_found_is_there(self, report):
        page = Page(render_html(report))
        for words in ("site.py:2:9", "KL201", "message", "as claimed", "x is a draw", "other.py:5:1", "the softmax"):
            assert words in page.text("article"), words
        assert page.text("mark") == "kl(x)"
        assert "CUDA (no such device here)" in page.text("footer")
        assert "a.py: cannot be read" in page.text("footer")
        assert page.text("dl").split()[1:] == ["torch2.13.0", "cudanone", "devicescpu", "seed0"]

    def test_the_table_has_a_row_for_each_run(self, report):
        page = Page(render_html(report))
        assert page.elements["tr"] == 1 + len(report.results[0].runs)
        assert "1/10" in page.text("table")

    def test_nothing_is_loaded_and_nothing_run(self, report):
        page = Page(render_html(report))
        assert not {"script", "link", "img", "iframe", "object"} & page.elements.keys()
        loads = [
            value for name, value in page.attributes if name in ("src", "xlink:href") and not value.startswith("#")
        ]
        assert loads == []
        policy = [value for name, value in page.attributes if name == "content"]
        assert "default-src 'none'; style-src 'unsafe-inline'" in policy

    def test_every_id_is_there_once(self, report):
        page = Page(render_html(replace(report, results=report.results * 3)))
        ids = [value for name, value in page.attributes if name == "id"]
        assert len(ids) == len(set(ids))
        used = {
            value.removeprefix("#")
            for name, value in page.attributes
            if name in ("href", "xlink:href") and value[0] == "#"
        }
        assert used <= set(ids)

    def test_text_of_the_source_is_text_on_the_page(self, report, graph):
        (result,) = report.results
        claim = replace(result.claim, text=HOSTILE, subject=graph.unknown(HOSTILE))
        bad = hostile(replace(result, runs=(*result.runs, replace(result.runs[0], raised=Raised("kl_div", "E", "x")))))
        spoiled = VerifyReport(
            (replace(bad, claim=claim),),
            (HOSTILE,),
            {HOSTILE: HOSTILE},
            (HOSTILE,),
            {HOSTILE: [f"{HOSTILE}\n"] * 5},
        )
        page, clean = Page(render_html(spoiled)), Page(render_html(report))
        assert not {"script", "img"} & page.elements.keys()
        assert page.elements.keys() <= clean.elements.keys()
        assert not [name for name, _ in page.attributes if name.startswith("on")]
        everything = "".join(text for _, text in page.texts)
        assert "<script src=//evil.example>" in everything
        assert "{{ 7*7 }}" in everything
        assert not {"\x1b", "\u202e"} & set(everything)

    def test_all_sites_are_listed_where_they_were_asked_for(self, report, finding):
        hole = SiteResult(finding.location, "kl_div", SiteVerdict.DEVIATES, f"it gives 1 {HOSTILE}")
        found = SiteResult(finding.location, "nll_loss", SiteVerdict.DEVIATES, "it gives 2", ("KL405",))
        footer = " ".join(Page(render_html(replace(report, sites=(hole, found)))).text("footer").split())
        assert "site.py:2:9 kl_div deviates without a finding: it gives 1 </span>" in footer
        assert "site.py:2:9 nll_loss deviates (KL405): it gives 2" in footer
        assert "All loss sites" not in Page(render_html(report)).text("footer")

    def test_one_report_makes_one_page(self, report):
        assert render_html(report) == render_html(report)

    def test_nothing_to_verify(self):
        assert "No findings to verify" in Page(render_html(VerifyReport())).text("h1")

    def test_without_the_extra_it_says_what_to_install(self, monkeypatch):
        monkeypatch.setattr("klint.verify.html.find_spec", lambda name: None if name == "matplotlib" else object())
        with pytest.raises(VerifyError, match=r"matplotlib, missing here: pip install 'klint\[report\]'"):
            render_html(VerifyReport())


class TestTheFrame:
    def marked(self, lines, place):
        return [
            (line.row, "".join(piece.text for piece in line.pieces if piece.marked)) for line in frame(lines, place)
        ]

    def test_the_expression_is_marked_amid_its_lines(self):
        lines = ["a = 1\n", "b = f(a)\n", "c = 2\n"]
        assert self.marked(lines, Location("f", 2, 5, 2, 9)) == [(1, ""), (2, "f(a)"), (3, "")]

    def test_over_several_lines_the_indentation_is_not(self):
        lines = ["x = f(\n", "    a,\n", ")\n"]
        assert self.marked(lines, Location("f", 1, 5, 3, 2)) == [(1, "f("), (2, "a,"), (3, ")")]

    def test_blank_lines_at_the_edges_are_left_out(self):
        assert self.marked(["\n", "f()\n", "\n", " \n"], Location("f", 2, 1, 2, 4)) == [(2, "f()")]

    @pytest.mark.parametrize("place", [(1, 1, 1, 9), (7, 1, 7, 2), (0, 0, 0, 0)], ids=["no source", "below", "nowhere"])
    def test_a_place_that_is_not_there_has_no_frame(self, place):
        lines = [] if place[0] == 1 else ["f()"]
        assert frame(lines, Location("f", *place)) == []

    def test_text_is_kept_whatever_it_is(self):
        lines = ["'''open\x00\n", "\t\x0cé = \U0001f600 $ ?\r\n"]
        shown = frame(lines, Location("f", 1, 1, 1, 2))
        assert ["".join(piece.text for piece in line.pieces) for line in shown] == [line.rstrip() for line in lines]


def plain(markup: str) -> str:
    """Mathematics as one line of text."""

    def text(node: ElementTree.Element) -> str:
        parts = [*map(text, node)]
        if node.tag == "mfrac":
            return f"({parts[0]})/({parts[1]})"
        if node.tag == "msub":
            return f"{parts[0]}_{parts[1]}"
        return "".join(parts) or (node.text or "")

    return text(ElementTree.fromstring(markup)).replace("\N{NO-BREAK SPACE}", " ")


class TestTheClaim:
    @pytest.mark.parametrize(
        ("effect", "words"),
        [
            (Effect.DIFFERS, "W≠L"),
            (Effect.SAME, "W=L"),
            (Effect.NAN, "W=NaN"),
            (Effect.UNDERFLOW, "W=L until lnsoftmax(x_c)→\N{MINUS SIGN}∞"),
            (Effect.RAISES, "W does not come about: torch raises an exception"),
            (Effect.FLAT, "(∂W)/(∂x)=0"),
            (Effect.LEAK, "(∂W)/(∂x)≠0"),
            (Effect.RATIO, "W=k·L,k≠1"),
        ],
        ids=lambda value: value.value if isinstance(value, Effect) else "",
    )
    def test_each_effect_is_a_formula(self, forum_thread, effect, words):
        claimed = state(replace(forum_thread, effect=effect, ratio=None)).formulas[-1]
        assert (claimed.title, plain(claimed.markup)) == ("as claimed", words)

    @pytest.mark.parametrize(
        ("ratio", "words"),
        [
            (Count.number(1) / Count.number(4), "W=(1)/(4)·L"),
            (Count.number(8), "W=8·L"),
            (Count.number(1) / Count.of(Size(1, -1, "C")), "W=(1)/(C)·L"),
            (Count.of(Size(1, 0, "B")) * Count.of(Size(1, 1, "T")) / Count.number(2), "W=(B·T)/(2)·L"),
        ],
        ids=["quarter", "eightfold", "over the classes", "sizes"],
    )
    def test_a_ratio_is_a_fraction(self, forum_thread, ratio, words):
        assert plain(state(replace(forum_thread, ratio=ratio)).formulas[-1].markup) == words

    @pytest.mark.parametrize(
        ("loss", "divisor", "words"),
        [
            ("kl_div", Divisor.ONE, "L=∑_n,cQ_nc(lnQ_nc\N{MINUS SIGN}lnP_nc)"),
            ("kl_div", Divisor.BATCH, "L=(1)/(B)∑_n,cQ_nc(lnQ_nc\N{MINUS SIGN}lnP_nc)"),
            ("cross_entropy", Divisor.ROWS, "L=\N{MINUS SIGN}(1)/(N)∑_n,cQ_nclnP_nc"),
            (
                "binary_cross_entropy",
                Divisor.NUMEL,
                "L=\N{MINUS SIGN}(1)/(M)∑_i(Q_ilnP_i+(1\N{MINUS SIGN}Q_i)ln(1\N{MINUS SIGN}P_i))",
            ),
        ],
        ids=["KL", "KL by the batch", "cross entropy by rows", "binary cross entropy"],
    )
    def test_the_definition_is_a_formula(self, forum_thread, loss, divisor, words):
        expected = replace(forum_thread.expected, loss=loss, divisor=divisor)
        definition = state(replace(forum_thread, expected=expected)).formulas[0]
        assert (definition.title, plain(definition.markup)) == ("by definition", words)

    def test_without_a_definition_the_fixed_code_stands_for_it(self, forum_thread):
        statement = state(replace(forum_thread, expected=None))
        assert [formula.title for formula in statement.formulas] == ["as claimed"]
        assert "the value of the fixed code" in [symbol.before for symbol in statement.symbols]


class TestThePlots:
    RUNS = tuple(Run("cpu", "float64", {"classes": n}, 1 / n, 1.0, 1.0) for n in (2, 10, 100))

    def test_as_written_expected_and_fixed_over_the_classes(self):
        (plot,) = plots(self.RUNS, "a")
        assert plot.labels == ("as written", "fixed", "expected")
        assert "as written: 0.5 at 2 classes, 0.1 at 10 classes, 0.01 at 100 classes" in plot.description
        texts = [node.text for node in ElementTree.fromstring(plot.svg).iter() if node.tag.endswith("}text")]
        assert {"2", "10", "100", "classes"} <= set(texts)

    @pytest.mark.parametrize(
        ("change", "count"),
        [
            pytest.param({"dtype": "bfloat16"}, 1, id="same numbers in another dtype"),
            pytest.param({"dtype": "bfloat16", "as_written": math.inf}, 2, id="infinite in another dtype"),
            pytest.param({"device": "cuda", "as_written": 7.0}, 2, id="another number on another device"),
            pytest.param({"device": "cuda", "as_written": None}, 1, id="nothing on another device"),
        ],
    )
    def test_another_dtype_or_device_is_drawn_where_it_differs(self, change, count):
        assert len(plots([*self.RUNS, *(replace(run, **change) for run in self.RUNS)], "a")) == count

    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -3.0, 0.0], ids=str)
    @pytest.mark.parametrize("count", [1, 3], ids=["one class count", "several"])
    def test_any_number_can_be_drawn(self, value, count):
        (plot,) = plots([replace(run, as_written=value) for run in self.RUNS[:count]], "a")
        assert f"{value:.4g}" in plot.description

    def test_a_claim_about_a_gradient_shows_gradients(self):
        run = replace(self.RUNS[0], subject="teacher", subject_gradient=0.5, fixed_subject_gradient=0.0)
        (plot,) = plots([run], "a")
        assert plot.title == "gradient norm at teacher, float64 on the CPU"
        assert "as written: 0.5" in plot.description

    def test_what_raises_has_no_gap_to_draw(self):
        raised = Raised("kl_div", "RuntimeError", "no")
        assert plots([replace(run, as_written=None, raised=raised) for run in self.RUNS], "a") == []
