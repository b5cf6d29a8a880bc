"""How much work judging takes, counted and not timed: it grows as the code does."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from klint.finding import Severity
from klint.rules import RULES
from klint.rules.base import Draft, Rule
from klint.rules.engine import diagnose
from klint.rules.reach import Consumers
from klint.source.python import SourceUnit
from klint.torch_model.infer import Inference
from klint.torch_model.losses import LOSSES
from klint.torch_model.sites import LossSite

HEAD = "import torch.nn.functional as F\n\ndef loss(x, y, flags):\n    total = 0\n"
LOSS = "    total = total + F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction='sum')\n"
ON = [rule for rule in RULES if rule.default]
FLAGS = "".join(f"    if flags[{n}]:\n        x = x * {n + 2}\n" for n in range(4))


def unit(text: str) -> SourceUnit:
    return SourceUnit("a.py", text, ast.parse(text))


def calls_of(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, work: Callable[[], object]) -> int:
    """How often a method is called."""
    count, method = 0, getattr(owner, name)

    def counted(*arguments: Any) -> Any:
        nonlocal count
        count += 1
        return method(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, counted)
        work()
    return count


class Probe(Rule[LossSite]):
    """A rule that finds nothing, and notes of what it was asked."""

    code, name, summary, severity, site = "KL999", "probe", "nothing", Severity.NOTE, LossSite

    def __init__(self, losses: tuple[str, ...] = ()) -> None:
        self.losses = losses  # type: ignore[misc]
        self.asked: list[LossSite] = []

    def check(self, site: LossSite) -> Iterator[Draft]:
        self.asked.append(site)
        return iter(())


PROGRAMS: dict[str, Callable[[int], str]] = {
    "losses that are added up": lambda size: HEAD + LOSS * size,
    "losses between branches": lambda size: HEAD + f"{FLAGS}{LOSS}" * size,
    "losses of values that change": lambda size: HEAD + f"    x = x * 2\n{LOSS}" * size,
}


@pytest.mark.parametrize(("owner", "name"), [(Inference, "_read"), (Consumers, "__call__")], ids=["facts", "uses"])
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=list(PROGRAMS))
def test_grows_with_the_losses_of_a_function(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, program: Callable[[int], str]
) -> None:
    def work(size: int) -> int:
        return calls_of(monkeypatch, owner, name, lambda: diagnose(unit(program(size)), ON))

    assert work(32) <= 5 * work(8)


def test_facts_are_found_once_for_worlds_that_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = "    z = F.relu(z)\n" * 50
    text = f"{HEAD}    z = x\n{steps}{FLAGS}    return F.nll_loss(F.log_softmax(x, dim=1), F.softmax(z, dim=1))\n"
    reads = calls_of(monkeypatch, Inference, "_read", lambda: diagnose(unit(text), ON))
    assert reads < 50 * 3  # in 16 worlds


def test_a_rule_that_finds_nothing_in_one_world_is_asked_of_no_other() -> None:
    probe = Probe()
    diagnose(unit(f"{HEAD}{FLAGS}{LOSS}"), [probe])
    assert len(probe.asked) == 1


def test_a_rule_is_asked_of_the_losses_it_is_about() -> None:
    probe = Probe(("nll_loss",))
    diagnose(unit(f"{HEAD}{LOSS}    return F.nll_loss(x, y)\n"), [probe])
    assert [site.loss for site in probe.asked] == ["nll_loss"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_is_about_losses_that_there_are(rule: Rule[Any]) -> None:
    assert set(rule.losses) <= LOSSES.keys()
