"""What the user asked for: which rules, which files, how sure. Wrong values are told apart from right ones here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from klint.finding import Confidence, Finding
from klint.rules import RULES
from klint.rules.base import Rule


class ConfigError(ValueError):
    """A setting that cannot be meant: one line that names it and suggests the right one."""


@dataclass(frozen=True)
class Settings:
    """The options of a run. Codes may be prefixes: ``KL2`` is every rule of the block.

    ``select`` replaces the rules that are on by default, ``extend_select`` adds to them and ``ignore`` takes away;
    where several match a code, the longest decides. ``exclude`` holds patterns as in a ``.gitignore``;
    ``project`` lets imports be followed into other files.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    min_confidence: Confidence = Confidence.LIKELY
    exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    stdin_filename: str | None = None
    project: bool = True

    def __post_init__(self) -> None:
        _require_known("select", self.select or ())
        _require_known("extend-select", self.extend_select)
        _require_known("ignore", self.ignore)

    @cached_property
    def rules(self) -> tuple[Rule[Any], ...]:
        """The rules that are switched on."""
        return tuple(rule for rule in RULES if self._is_on(rule))

    def admits(self, finding: Finding) -> bool:
        """Whether a finding is sure enough to be shown."""
        return finding.confidence is Confidence.PROVEN or self.min_confidence is Confidence.LIKELY

    def _is_on(self, rule: Rule[Any]) -> bool:
        chosen = _longest_match(rule.code, (*(self.select or ()), *self.extend_select))
        if self.select is None and rule.default:
            chosen = max(chosen, 0)
        return chosen > _longest_match(rule.code, self.ignore)


def find_rule(name: str) -> Rule[Any]:
    """The rule of a code or a name, however it is capitalised."""
    for rule in RULES:
        if name.lower() in (rule.code.lower(), rule.name.lower()):
            return rule
    raise ConfigError(f"there is no rule {name!r}{_suggestion(name)}")


def _longest_match(code: str, prefixes: Iterable[str]) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)


def _require_known(key: str, codes: Iterable[str]) -> None:
    for code in codes:
        if not code or not any(rule.code.startswith(code) for rule in RULES):
            raise ConfigError(f"{key}: there is no rule {code!r}{_suggestion(code, 2, 3)}")


def _suggestion(code: str, *blocks: int) -> str:
    """``; did you mean 'KL201'?`` for what is nearest: a code, the start of one (these lengths), or a rule's name."""
    right = {rule.name.upper(): rule.code for rule in RULES}
    right |= {known: known for rule in RULES for known in (rule.code, *(rule.code[:length] for length in blocks))}
    nearest = difflib.get_close_matches(code.upper(), right, n=1)
    return f"; did you mean {right[nearest[0]]!r}?" if nearest else ""
