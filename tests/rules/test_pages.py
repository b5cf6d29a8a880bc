"""Each code has a file, a page, a bad and a near-miss good fixture and a line in the changelog, and all of it is up to date."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from klint.rules import RULES
from klint.rules.base import SECTIONS
from klint.rules.pages import files, page
from klint.rules.scaffold import new_rule
from tests.rules.catalogue import catalogue

ROOT = Path(__file__).parents[2]
EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])


def test_every_rule_is_as_the_catalogue_says():
    known = catalogue()
    assert {rule.code: (rule.name, rule.level, rule.severity.value) for rule in RULES} == {
        rule.code: known[rule.code] for rule in RULES
    }


def test_rule_all_lists_every_code_of_the_catalogue(klint):
    listed = json.loads(klint("rule", "--all", "--output-format", "json").out)
    assert {rule["code"]: (rule["name"], rule["level"], rule["severity"]) for rule in listed} == catalogue()


@pytest.mark.parametrize(("path", "text"), list(files(RULES, ROOT)), ids=lambda value: getattr(value, "stem", ""))
def test_generated_text_is_up_to_date(path, text):
    assert path.read_text("utf-8") == text, "run: python -m klint.rules"


def test_there_is_no_page_without_a_rule():
    assert {path.stem for path in (ROOT / "docs" / "rules").glob("KL*.md")} == {rule.code for rule in RULES}


@EACH_RULE
def test_every_rule_has_fixtures_and_a_changelog_line(rule):
    folder = ROOT / "fixtures" / rule.code.lower()
    assert (folder / "bad.py").exists()
    assert (folder / "good.py").exists()
    assert f"{rule.code} {rule.name}" in " ".join((ROOT / "CHANGELOG.md").read_text("utf-8").split())


@EACH_RULE
def test_a_page_has_its_sections_in_order(rule):
    titles = re.findall(r"^## (.*)", page(rule), re.MULTILINE)
    assert titles == [title for title in SECTIONS if title in titles]
    assert set(SECTIONS) - {"Fix"} <= set(titles)


@pytest.fixture
def project(tmp_path):
    (tmp_path / "klint" / "rules").mkdir(parents=True)
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path)
    return tmp_path


def test_a_new_rule_gets_its_file_its_fixtures_and_its_changelog_line(project):
    written = {path.relative_to(project).as_posix() for path in new_rule("KL199", "kl-new-mistake", project)}
    assert written == {
        "klint/rules/kl199_kl_new_mistake.py",
        "fixtures/kl199/bad.py",
        "fixtures/kl199/good.py",
        "CHANGELOG.md",
    }
    compile((project / "klint/rules/kl199_kl_new_mistake.py").read_text(), "rule", "exec")
    assert "KL199 kl-new-mistake" in (project / "CHANGELOG.md").read_text()


@pytest.mark.parametrize(
    ("code", "name", "problem"),
    [
        pytest.param("KL1", "kl-new-mistake", "three digits", id="no code"),
        pytest.param("KL199", "NewMistake", "lower-case words", id="no name"),
        pytest.param("KL101", "kl-new-mistake", "taken", id="taken"),
    ],
)
def test_a_code_or_name_that_cannot_be_is_refused(project, code, name, problem):
    (project / "klint/rules/kl101_kl_input_probabilities.py").touch()
    with pytest.raises(ValueError, match=problem):
        list(new_rule(code, name, project))
