"""Every loss site against its definition, with and without findings."""

from __future__ import annotations

import json

import pytest

from klint.verify import SiteVerdict, VerifyOptions, sites, verify_paths
from klint.verify.grid import Grid
from klint.verify.report import render_text, to_json
from klint.verify.results import VerifyReport

HEADER = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"


@pytest.fixture
def verify_sites(tmp_path, sandbox):
    """The verdicts on the sites of a text."""

    def run(text: str):
        file = tmp_path / "site.py"
        file.write_text(HEADER + text, encoding="utf-8")
        return sites.verify_sites([file], Grid(sandbox, VerifyOptions(device="cpu"), ("cpu",)))

    return run


LOG_P, P = "F.log_softmax(x, dim=1)", "F.softmax(y, dim=1)"


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(f"F.kl_div({LOG_P}, {P}, reduction='batchmean')", id="kl_div"),
        pytest.param(f"F.kl_div({LOG_P}, F.log_softmax(y, dim=1), reduction='sum', log_target=True)", id="log target"),
        pytest.param(f"F.cross_entropy(nn.Linear(3, 5)(x), {P})", id="cross_entropy of distributions"),
        pytest.param(f"F.nll_loss({LOG_P}, torch.argmax(y, dim=1))", id="nll_loss"),
        pytest.param("F.binary_cross_entropy(torch.sigmoid(x), torch.sigmoid(y))", id="binary_cross_entropy"),
    ],
)
def test_right_code_agrees_in_value_and_gradient(call, verify_sites):
    (site,) = verify_sites(f"def loss(x, y):\n    return {call}\n")
    assert (site.verdict, site.codes) == (SiteVerdict.AGREES, ()), site.reason
    (run,) = site.runs
    assert run.as_written == pytest.approx(run.expected)
    assert run.grad_ratio == pytest.approx(1.0)
    assert run.grad_cosine == pytest.approx(1.0)


WRONG = {
    "probabilities as input": ("KL101", f"F.kl_div({P}, {P}, reduction='batchmean')"),
    "averaged over the classes": ("KL201", f"F.kl_div({LOG_P}, {P})"),
    "softmax before cross_entropy": ("KL401", f"F.cross_entropy({P}, F.softmax(x, dim=1))"),
}


@pytest.mark.parametrize(("code", "call"), WRONG.values(), ids=WRONG)
def test_wrong_code_deviates_as_its_finding_says(code, call, verify_sites):
    (site,) = verify_sites(f"def loss(x, y):\n    x, y = torch.flatten(x, 1), torch.flatten(y, 1)\n    return {call}\n")
    assert site.verdict is SiteVerdict.DEVIATES
    assert code in site.codes
    assert not site.is_hole


@pytest.mark.parametrize(("code", "call"), WRONG.values(), ids=WRONG)
def test_without_the_rule_it_is_a_hole(code, call, verify_sites, monkeypatch):
    monkeypatch.setattr(sites, "RULES", ())
    (site,) = verify_sites(f"def loss(x, y):\n    x, y = torch.flatten(x, 1), torch.flatten(y, 1)\n    return {call}\n")
    assert site.is_hole
    assert "is expected" in site.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param("return F.kl_div(x, F.softmax(y, 1))", "what input holds is not known", id="unknown input"),
        pytest.param(
            "return F.cross_entropy(nn.Linear(3, 5)(x), y.argmax(1), label_smoothing=0.1)",
            "weights, an ignored class or label smoothing: there is no definition to hold it against yet",
            id="label smoothing",
        ),
        pytest.param(
            f"return F.kl_div({LOG_P}, {P}) * x.numel()",
            "what it is divided by",
            id="multiplied further on",
        ),
        pytest.param(
            "q = F.log_softmax(x, 1) if flag else F.softmax(x, 1)\n    return F.kl_div(q, F.softmax(y, 1), reduction='sum')",
            "it deviates under some conditions of the code, and agrees under others",
            id="branches that disagree",
        ),
    ],
)
def test_what_cannot_be_told_is_counted_with_its_reason(body, reason, verify_sites):
    (site,) = verify_sites(f"def loss(x, y, flag):\n    {body}\n")
    assert site.verdict is SiteVerdict.UNDECIDED
    assert site.reason.startswith(reason)


def test_the_report_lists_sites_and_counts_reasons(verify_sites, monkeypatch):
    monkeypatch.setattr(sites, "RULES", ())
    text = f"def loss(x, y, z):\n    right = F.kl_div({LOG_P}, {P}, reduction='sum')\n"
    found = verify_sites(
        f"{text}    wrong = F.kl_div({P}, {P}, reduction='sum')\n    return F.kl_div(z, {P}, reduction='sum')\n"
    )
    report = VerifyReport(sites=tuple(found))
    data = json.loads(json.dumps(to_json(report), allow_nan=False))
    assert [site["verdict"] for site in data["sites"]] == ["agrees", "deviates", "undecided"]
    assert data["summary"]["sites"] == {
        "agrees": 1,
        "deviates": 1,
        "undecided": 1,
        "holes": 1,
        "reasons": {"what input holds is not known": 1},
    }
    shown = render_text(report)
    assert "kl_div without a finding" in shown
    assert (
        "3 loss sites: 1 agree with the definition, 1 deviate, 1 of them without a finding, 1 undecided (1 times:"
        in shown
    )


def test_sites_come_with_the_findings_where_they_are_asked_for(tmp_path):
    file = tmp_path / "site.py"
    file.write_text(f"{HEADER}def loss(x, y):\n    return F.kl_div({P}, {P}, reduction='sum')\n", encoding="utf-8")
    report = verify_paths([file], VerifyOptions(device="cpu"), all_sites=True)
    assert [result.finding.code for result in report.confirmed] == ["KL101"]
    assert [site.verdict for site in report.sites or ()] == [SiteVerdict.DEVIATES]
    assert report.holes == ()
    assert verify_paths([file], VerifyOptions(device="cpu")).sites is None
