"""Every rule's page keeps its word: its Example yields exactly its code, its Use instead nothing."""

from __future__ import annotations

import pytest

from klint.finding import Severity
from klint.rules import RULES
from tests.codes import codes, findings

EACH_RULE = pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])


@EACH_RULE
def test_example_yields_exactly_its_code(rule):
    assert codes(rule.code_block("Example"), rule.code) == [rule.code]


@EACH_RULE
def test_use_instead_yields_nothing(rule):
    assert codes(rule.code_block("Use instead"), rule.code) == []


@EACH_RULE
def test_message_is_one_line_that_says_what_to_write(rule):
    (finding,) = findings(rule.code_block("Example"), rule.code)
    assert "\n" not in finding.message
    assert "; use " in finding.message
    assert finding.claim or rule.severity is Severity.NOTE


@EACH_RULE
def test_code_and_name_agree_with_the_file(rule):
    module = type(rule).__module__.rpartition(".")[2]
    assert module.split("_")[0] == rule.code.lower()
    assert rule.name.replace("-", "_").split("_")[-1] in module
