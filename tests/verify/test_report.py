from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from klint.finding import Location
from klint.verify import Result, Run, Verdict, VerifyReport
from klint.verify.protocol import Raised
from klint.verify.report import render_text, to_json

SIZES = {"input": [4], "target": [1, 4], "classes": 4}
RUN = Run("cpu", "float32", SIZES, 0.0179039, 0.0716156, 0.0716156, 0.0716157, 0.25, 0.1, 0.4)
ENVIRONMENT = {"python": "3.11.7", "torch": "2.13.0", "cuda": None, "network": "none: so", "seed": 0}


@pytest.fixture
def report(graph, forum_thread) -> VerifyReport:
    finding = graph.diagnosis(forum_thread).finding
    return VerifyReport(
        results=(
            Result(finding, Verdict.CONFIRMED, "as claimed", ("x is [a] draw",), (RUN,)),
            Result(finding, Verdict.INCONCLUSIVE, "it took longer than 5 s"),
            Result(
                finding,
                Verdict.REFUTED,
                "no gap",
                runs=(Run("cpu", "float32", {**SIZES, "score_gap": 200.0}, math.nan, math.inf, 1.0),),
            ),
        ),
        errors=("a.py: cannot be read",),
        environment=ENVIRONMENT,
        not_checked=("CUDA", "other dtypes"),
    )


class TestJson:
    def test_a_finding_keeps_its_keys_and_gets_verifys(self, report):
        finding = to_json(report)["findings"][0]
        assert {"code", "message", "filename", "location", "claim"} < finding.keys()
        assert finding["verdict"] == "confirmed"
        assert finding["assumptions"] == ["x is [a] draw"]
        assert finding["runs"] == [
            {
                "device": "cpu",
                "dtype": "float32",
                "sizes": SIZES,
                "as_written": 0.0179039,
                "expected": 0.0716156,
                "reference": "definition",
                "fixed": 0.0716156,
                "raised": None,
                "counterpart": 0.0716157,
                "ratio": pytest.approx(0.25, abs=1e-6),
                "gap": pytest.approx(-0.0537117),
                "grad_ratio": 0.25,
                "grad_cosine": None,
                "subject": None,
                "subject_gradient": None,
                "fixed_subject_gradient": None,
            }
        ]

    def test_the_summary_counts(self, report):
        assert to_json(report)["summary"] == {
            "findings": 3,
            "confirmed": 1,
            "refuted": 1,
            "inconclusive": 1,
            "errors": 1,
            "not_checked": ["CUDA", "other dtypes"],
        }

    def test_the_environment_names_klint_and_torch(self, report):
        assert {"klint", "torch", "python", "network"} <= to_json(report)["environment"].keys()

    def test_numbers_that_json_lacks_are_spelled_out(self, report):
        run = to_json(report)["findings"][2]["runs"][0]
        assert (run["as_written"], run["expected"], run["counterpart"]) == ("NaN", "Infinity", None)
        json.dumps(to_json(report), allow_nan=False)


class TestText:
    def test_the_numbers_stand_in_a_table(self, report):
        lines = render_text(report).splitlines()
        assert lines[:4] == [
            "site.py:1:1: KL000 message",
            "  device  dtype    sizes            as written  expected     fixed  other side       ratio  gradient ratio",
            "  cpu     float32  (4,) and (1, 4)    0.017904  0.071616  0.071616    0.071616  0.25 = 1/4      0.25 = 1/4",
            "  confirmed: as claimed",
        ]
        assert lines[4] == "  assuming that x is [a] draw"

    def test_what_remains_open_is_said(self, report):
        lines = render_text(report).splitlines()
        assert "3 findings: 1 confirmed, 1 refuted, 1 inconclusive" in lines
        assert lines[-1] == "Not checked: CUDA; other dtypes."

    def test_an_exception_stands_where_the_number_would(self, report):
        raised = Raised("kl_div", "RuntimeError", "no")
        run = Run("cpu", "float64", {}, None, 2.0, 2.0, reference="fixed code", raised=raised)
        result = Result(report.results[0].finding, Verdict.CONFIRMED, "so", (), (run,))
        _, head, row, *_ = render_text(VerifyReport((result,))).splitlines()
        assert head.split() == ["device", "dtype", "as", "written", "fixed"]
        assert row.split() == ["cpu", "float64", "RuntimeError", "2"]
        (json_run,) = to_json(VerifyReport((result,)))["findings"][0]["runs"]
        assert json_run["raised"] == "kl_div raises RuntimeError: no"
        assert (json_run["as_written"], json_run["reference"], json_run["gap"]) == (None, "fixed code", None)

    def test_gradients_of_the_subject_have_their_columns(self, report):
        run = Run("cpu", "float64", {}, 2.0, 2.0, subject="y", subject_gradient=0.5, fixed_subject_gradient=0.0)
        result = Result(report.results[0].finding, Verdict.CONFIRMED, "so", (), (run,))
        _, head, row, *_ = render_text(VerifyReport((result,))).splitlines()
        assert head.split("  ")[-2:] == ["subject's gradient", "when fixed"]
        assert row.split()[-2:] == ["0.5", "0"]

    def test_a_finding_without_runs_has_its_reason(self, report):
        assert "  inconclusive: it took longer than 5 s" in render_text(report).splitlines()

    def test_plain_unless_asked_for_colour(self, report):
        assert "\x1b" not in render_text(report)
        assert "\x1b" in render_text(report, colour=True)

    def test_no_text_commands_the_terminal(self, report):
        spoiled = replace(report.results[0].finding, message="\x1b[2J", location=Location("\x1b]0;a.py", 1, 1, 1, 2))
        result = Result(spoiled, Verdict.CONFIRMED, "\x1b[31m", ("\x1b[m is drawn",))
        assert "\x1b" not in render_text(VerifyReport((result,), not_checked=("\x1b[m",)))

    def test_equal_rows_are_shown_once(self, report):
        result = replace(report.results[0], runs=(RUN, RUN))
        assert render_text(VerifyReport((result,))).count("float32") == 1

    def test_nothing_to_verify(self):
        assert render_text(VerifyReport()) == "No findings to verify.\n"
