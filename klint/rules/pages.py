"""Everything that is written about rules, made from the rules: a page each, their index, the README's table, and ``codes.py``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from klint.rules.base import Rule

_BLOCKS = {
    "KL1": "What the arguments of kl_div hold",
    "KL2": "Reductions",
    "KL3": "KL against cross entropy minus entropy",
    "KL4": "Cross entropy and its kin",
    "KL9": "Opt-in",
}
_HEAD = """\
# Rules

A rule is *on*, or *opt-in*: reported only when it is selected (`--extend-select KL9`). An *error* is a value that is not the
loss, a *warning* a wrong scale or a trap, a *note* has no numeric effect. A fix is *safe* where the value stays the same, *unsafe*
where it changes what is trained.
"""
_CODES = '''\
"""What settings must know of the rules, apart from them: to import the rules takes longer than most runs. Made by ``python -m klint.rules``."""

from __future__ import annotations

NAMES: dict[str, str] = {{
{names}}}
"""The name of each code, in order."""

OPT_IN = frozenset("{opt_in}".split())
"""The codes of the rules that are reported only when they are selected."""
'''
_TABLE = re.compile(r"(?<=<!-- rules: made by python -m klint.rules -->\n).*?(?=<!-- end of rules -->)", re.DOTALL)


def page(rule: Rule[Any]) -> str:
    """One rule's page in Markdown: its docstring below its name, level and severity."""
    title, _, text = rule.page.partition("\n")
    return f"{title}\n\n*{rule.level}, {rule.severity.value}*\n{text}"


def index(rules: Iterable[Rule[Any]]) -> str:
    """The table of all rules, by block."""
    rules = list(rules)
    parts = [_HEAD]
    for block, heading in _BLOCKS.items():
        chosen = [rule for rule in rules if rule.code.startswith(block)]
        if chosen:
            rows = [
                f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.summary} | {rule.level} | {rule.severity.value} | {_fix(rule)} |\n"
                for rule in chosen
            ]
            head = "| code | name | what is wrong | level | severity | fix |\n|---|---|---|---|---|---|\n"
            parts.append(f"## {block}xx: {heading}\n\n{head}{''.join(rows)}")
    return "\n".join(parts)


def table(rules: Iterable[Rule[Any]]) -> str:
    """The short table for the README."""
    rows = [f"| [{rule.code}](docs/rules/{rule.code}.md) | {rule.name} | {rule.summary} |\n" for rule in rules]
    return f"\n| code | name | what is wrong |\n|---|---|---|\n{''.join(rows)}\n"


def codes(rules: Iterable[Rule[Any]]) -> str:
    """The module that holds codes and names."""
    rules = list(rules)
    names = "".join(f'    "{rule.code}": "{rule.name}",\n' for rule in rules)
    opt_in = " ".join(rule.code for rule in rules if not rule.default)
    return _CODES.format(names=names, opt_in=opt_in)


def files(rules: Iterable[Rule[Any]], root: Path) -> Iterator[tuple[Path, str]]:
    """Each generated file below ``root``, the project's directory, and what it should hold."""
    rules = list(rules)
    for rule in rules:
        yield root / "docs" / "rules" / f"{rule.code}.md", page(rule)
    yield root / "docs" / "rules" / "index.md", index(rules)
    yield root / "klint" / "codes.py", codes(rules)
    readme = root / "README.md"
    yield readme, _TABLE.sub(lambda _: table(rules), readme.read_text("utf-8"))


def _fix(rule: Rule[Any]) -> str:
    words = re.match(r"(?:safe|unsafe)\b", rule.section("Fix"), re.IGNORECASE)
    return words[0].lower() if words else ""
