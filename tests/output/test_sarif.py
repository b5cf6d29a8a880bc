"""SARIF 2.1.0. The schema is the official one, as classes that a generator has made of it."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import url2pathname

import pytest
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as Schema

from klint.config import find_rule
from klint.finding import Severity
from klint.linter import Report
from klint.output import FORMATS
from tests.output.reports import SOURCE, everything, notebook, report, with_first


def run(report: Report) -> dict:
    """The one run of the log, which must be valid."""
    text = FORMATS["sarif"](report)
    Schema.model_validate_json(text)
    log = json.loads(text, object_hook=unique)
    (only,) = log["runs"]
    return only


def unique(value: dict) -> dict:
    """The official schema wants the items of most arrays to differ, which the classes do not say."""
    arrays = [[json.dumps(item, sort_keys=True) for item in array] for array in value.values() if type(array) is list]
    assert all(len(set(array)) == len(array) for array in arrays)
    return value


def results(report: Report) -> list[dict]:
    return run(report)["results"]


def text_at(source: str, region: dict) -> str:
    """What stands at a region, whose columns count code points."""
    lines = source.splitlines(keepends=True)[region["startLine"] - 1 : region["endLine"]]
    lines[-1] = lines[-1][: region["endColumn"] - 1]
    return "".join(lines)[region["startColumn"] - 1 :]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(everything, id="findings of all rules"),
        pytest.param(lambda: report("x = 1\n"), id="nothing found"),
        pytest.param(lambda: report("def kl_div(:\n"), id="a syntax error"),
        pytest.param(notebook, id="a notebook"),
    ],
)
def test_it_is_valid(make):
    assert run(make())["columnKind"] == "unicodeCodePoints"


@pytest.mark.parametrize(
    ("old", "new"),
    [('"level": "error"', '"level": "bad"'), ('"ruleId"', '"ruleID"'), ('"startLine": 6', '"startLine": 0')],
    ids=["wrong value", "wrong key", "wrong number"],
)
def test_the_schema_tells_right_from_wrong(old, new):
    text = FORMATS["sarif"](report())
    assert old in text
    with pytest.raises(ValidationError):
        Schema.model_validate_json(text.replace(old, new))


def test_regions_are_where_the_findings_are():
    found = results(report())
    regions = [result["locations"][0]["physicalLocation"]["region"] for result in found]
    assert [(result["ruleId"], text_at(SOURCE, region)) for result, region in zip(found, regions, strict=True)] == [
        ("KL101", 'F.kl_div(p, F.softmax(y, dim=1), reduction="sum")'),
        ("KL201", "F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1))"),
    ]


def test_rules_carry_their_page():
    only = run(report())
    rules = only["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in only["results"]] == ["KL101", "KL201"]
    rule = find_rule("KL101")
    assert rules[0]["name"] == rule.name
    assert rules[0]["shortDescription"]["text"] == rule.summary
    assert rules[0]["help"]["markdown"] == rule.page
    assert rules[0]["helpUri"] == rule.url


@pytest.mark.parametrize("severity", Severity, ids=lambda severity: severity.value)
def test_severities_are_sarifs_levels(severity):
    assert [result["level"] for result in results(with_first(severity=severity))] == [severity.value]


def test_the_steps_of_the_reasoning_are_related_locations_and_a_code_flow():
    result = results(report())[0]
    (related,) = result["relatedLocations"]
    assert text_at(SOURCE, related["physicalLocation"]["region"]) == "F.softmax(x, dim=1)"
    steps = [step["location"] for step in result["codeFlows"][0]["threadFlows"][0]["locations"]]
    assert [step["physicalLocation"] for step in steps] == [
        related["physicalLocation"],
        result["locations"][0]["physicalLocation"],
    ]
    assert [step["message"] for step in steps] == [related["message"], result["message"]]


@pytest.mark.parametrize("code", ["KL101", "KL110", "KL201", "KL205", "KL206", "KL413"])
def test_fixes_applied_to_the_example_give_what_to_use_instead(code):
    rule = find_rule(code)
    example = rule.code_block("Example")
    (result,) = [result for result in results(report(example)) if result["ruleId"] == code]
    (change,) = result["fixes"][0]["artifactChanges"]
    lines = example.splitlines(keepends=True)

    def offset(row: int, column: int) -> int:
        return sum(map(len, lines[: row - 1])) + column - 1

    fixed = example
    for edit in sorted(change["replacements"], key=lambda edit: list(edit["deletedRegion"].values()), reverse=True):
        region = edit["deletedRegion"]
        start, end = (offset(region[f"{side}Line"], region[f"{side}Column"]) for side in ("start", "end"))
        fixed = fixed[:start] + edit["insertedContent"]["text"] + fixed[end:]
    assert fixed == rule.code_block("Use instead")


def test_prose_has_no_fixes_since_its_lines_have_margins():
    (result, *_) = results(report(f"```python\n{SOURCE}```\n", "a.md"))
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 7
    assert "fixes" not in result


def fingerprints(source: str) -> list[str]:
    return [value for result in results(report(source)) for value in result["partialFingerprints"].values()]


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param("# a line\n\n" + SOURCE, id="lines before"),
        pytest.param(SOURCE.replace("    return kl", "    # a line\n    return kl"), id="lines after"),
        pytest.param(SOURCE.replace("(p, F", "(\n        p,\n        F"), id="call on more lines"),
        pytest.param(SOURCE.replace("kl = ", "kl =  "), id="moved to the right"),
    ],
)
def test_fingerprints_survive_when_lines_move(changed):
    assert fingerprints(changed) == fingerprints(SOURCE)


def test_fingerprints_tell_findings_apart():
    twice = SOURCE + SOURCE.replace("loss", "loss2").replace("again", "again2")
    known = fingerprints(twice)
    assert len(set(known)) == len(known) == 4
    assert fingerprints(SOURCE.replace('"sum"', '"none"'))[0] != known[0]


@pytest.mark.parametrize("name", ["a.py", "sub/a.py", "a b,c:%d#é?.py"], ids=["file", "directory", "odd characters"])
def test_files_are_relative_to_the_working_directory(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    only = run(report(filename=name))
    artifact = only["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert not urlsplit(artifact["uri"]).scheme
    address = urljoin(only["originalUriBaseIds"][artifact["uriBaseId"]]["uri"], artifact["uri"])
    assert Path(url2pathname(urlsplit(address).path)) == tmp_path / name


@pytest.mark.parametrize("name", ["../a b.py", "{above}/a b.py"], ids=["relative", "absolute"])
def test_files_elsewhere_have_their_full_address(tmp_path, monkeypatch, name):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    result = results(report(filename=name.format(above=tmp_path)))[0]
    expected = {"uri": (tmp_path / "a b.py").as_uri()}
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == expected


def test_what_cannot_be_linted_is_a_notification():
    (invocation,) = run(report("x = 1\ndef kl_div(:\n"))["invocations"]
    assert not invocation["executionSuccessful"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["locations"][0]["physicalLocation"]["region"]["startLine"] == 2
    assert run(report("x = 1\n"))["invocations"][0]["executionSuccessful"]


def test_in_a_notebook_places_are_cells_and_the_rest_is_in_the_message():
    result = results(notebook())[0]
    assert result["message"]["text"].startswith("a.ipynb:cell 3:3:20: input ")
    assert result["relatedLocations"][0]["message"]["text"].startswith("a.ipynb:cell 3:2:9: ")
    for place in (*result["locations"], *result["relatedLocations"]):
        assert "region" not in place["physicalLocation"]
        assert [logical["name"] for logical in place["logicalLocations"]] == ["cell 3"]
    assert "fixes" not in result


def test_in_a_notebook_fingerprints_are_those_of_the_same_code_elsewhere():
    known = [value for result in results(notebook()) for value in result["partialFingerprints"].values()]
    assert known == fingerprints(SOURCE)
