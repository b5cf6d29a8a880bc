"""What the user asked for: which rules, which files, how sure. Wrong values are told apart from right ones here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from klint.codes import NAMES, OPT_IN
from klint.levels import Confidence
from klint.source.exclude import Excluded, Patterns

if TYPE_CHECKING:
    from klint.finding import Finding
    from klint.rules.base import Rule

DEVICES = ("auto", "cpu", "cuda", "all")
"""Where ``klint verify`` replays."""

DTYPES = ("float64", "float32", "bfloat16", "float16")
"""Of the tensors that ``klint verify`` makes up."""


class ConfigError(Exception):
    """A setting that cannot be meant: one line that names it and suggests the right one."""


@dataclass(frozen=True)
class Settings:
    """The options of a run. Codes may be prefixes: ``KL2`` is every rule of the block.

    ``select`` replaces the rules that are on by default, ``extend_select`` adds to them and ``ignore`` takes away;
    where several match a code, the longest decides. ``per_file_ignores`` takes codes away in the files that patterns
    match, or do not match where the pattern starts with ``!``. ``exclude`` replaces what is left out of directories
    by default, and ``extend_exclude`` adds to it. ``project`` lets imports be followed into other files, which are
    looked for in the directories ``src`` too. ``output_format``, ``cache_dir`` and the options ``verify`` are about a
    run as a whole.
    """

    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[Patterns, tuple[str, ...]], ...] = ()
    min_confidence: Confidence = Confidence.LIKELY
    exclude: Patterns | None = None
    extend_exclude: tuple[Patterns, ...] = ()
    force_exclude: bool = False
    stdin_filename: str | None = None
    project: bool = True
    src: tuple[str, ...] = ()
    output_format: str = "full"
    cache_dir: str = ".klint_cache"
    verify: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        require_known("select", self.select or ())
        require_known("extend-select", self.extend_select)
        require_known("ignore", self.ignore)

    def of(self, _filename: str) -> Settings:
        """The settings of one file: these; a ``Configuration`` looks for them in the directories above the file."""
        return self

    def at(self, _directory: str | Path) -> Settings:
        """The settings of the files in a directory: these."""
        return self

    @cached_property
    def excluded(self) -> Excluded:
        """What is left out of a directory that is walked."""
        if self.exclude is None:
            return Excluded(self.extend_exclude)
        return Excluded((self.exclude, *self.extend_exclude), frozenset())

    def admits(self, finding: Finding) -> bool:
        """Whether a finding is of a rule that is on where it stands, and sure enough to be shown."""
        sure = finding.confidence is Confidence.PROVEN or self.min_confidence is Confidence.LIKELY
        return sure and finding.code in self.codes and not self._is_ignored(finding.code, finding.location.filename)

    @property
    def rules(self) -> tuple[Rule[Any], ...]:
        """The rules that are switched on; ``codes`` says which without importing them."""
        from klint.rules import RULES

        return tuple(rule for rule in RULES if rule.code in self.codes)

    @cached_property
    def codes(self) -> frozenset[str]:
        """The codes of the rules that are switched on."""
        return frozenset(filter(self._is_on, NAMES))

    def _is_on(self, code: str) -> bool:
        chosen = _longest_match(code, (*(self.select or ()), *self.extend_select))
        if self.select is None and code not in OPT_IN:
            chosen = max(chosen, 0)
        return chosen > _longest_match(code, self.ignore)

    def _is_ignored(self, code: str, filename: str) -> bool:
        path = Path(os.path.abspath(filename))
        return any(code.startswith(codes) and files.match(path) for files, codes in self.per_file_ignores)


def find_rule(name: str) -> Rule[Any]:
    """The rule of a code or a name, however it is capitalised."""
    from klint.rules import RULES

    for rule in RULES:
        if name.lower() in (rule.code.lower(), rule.name.lower()):
            return rule
    raise ConfigError(f"there is no rule {name!r}{_suggested_rule(name)}")


def require_known(key: str, codes: Iterable[str]) -> None:
    """Raise ``ConfigError`` for a code that is not the start of any rule's."""
    for code in codes:
        if not code or not any(known.startswith(code) for known in NAMES):
            raise ConfigError(f"{key}: there is no rule {code!r}{_suggested_rule(code, 2, 3)}")


def suggestion(word: str, right: Mapping[str, str]) -> str:
    """``; did you mean 'select'?`` for what is nearest to a word, of spellings and what each of them stands for."""
    import difflib  # only errors pay for it

    nearest = difflib.get_close_matches(word, right, n=1)
    return f"; did you mean {right[nearest[0]]!r}?" if nearest else ""


def _longest_match(code: str, prefixes: Iterable[str]) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=-1)


def _suggested_rule(code: str, *blocks: int) -> str:
    """What is nearest to a code: a code, the start of one (these lengths), or a rule's name."""
    right = {name.upper(): code for code, name in NAMES.items()}
    right |= {known: known for code in NAMES for known in (code, *(code[:length] for length in blocks))}
    return suggestion(code.upper(), right)
