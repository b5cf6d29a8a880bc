"""What a rule is, and what it hands to the pipeline."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

from klint.finding import Confidence, Finding, Fix, Severity
from klint.rules.claims import Claim
from klint.source.python import Anchor

SECTIONS = ("What it does", "Why it is wrong", "Example", "Use instead", "Fix", "References")
DOCS_URL = "https://klint.readthedocs.io/rules/"

Site = TypeVar("Site")


@dataclass(frozen=True)
class Draft:
    """A finding as a rule words it: where it stands, its one line, what makes the case, and the claim that verify tests."""

    anchor: Anchor
    message: str
    claim: Claim
    confidence: Confidence = Confidence.PROVEN
    related: tuple[tuple[Anchor, str], ...] = ()
    fix: Fix | None = None


@dataclass(frozen=True)
class Diagnosis:
    """A finding together with the claim, in the terms of the graph, that ``klint verify`` replays."""

    finding: Finding
    claim: Claim


class Rule(ABC, Generic[Site]):
    """One claim about one kind of site. The docstring of a subclass is its documentation page, in Markdown."""

    code: ClassVar[str]
    name: ClassVar[str]
    summary: ClassVar[str]
    severity: ClassVar[Severity]
    default: ClassVar[bool] = True
    replaces: ClassVar[tuple[str, ...]] = ()
    site: ClassVar[type] = object

    @abstractmethod
    def check(self, site: Site) -> Iterator[Draft]:
        """Yield a draft for each misuse at ``site``, judged by facts alone."""

    @cached_property
    def page(self) -> str:
        """The documentation in Markdown: title, summary, and the sections of the docstring."""
        return f"# {self.code} {self.name}\n\n{inspect.cleandoc(self.__doc__ or '')}\n"

    def section(self, title: str) -> str:
        """The text of one section of the page; empty if there is none."""
        match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", self.page, re.MULTILINE | re.DOTALL)
        return match.group(1).strip() if match else ""

    def code_block(self, title: str) -> str:
        """The Python block of one section, for instance *Example*; empty if there is none."""
        match = re.search(r"```python\n(.*?)```", self.section(title), re.DOTALL)
        return match.group(1) if match else ""

    @property
    def url(self) -> str:
        """The address of the documentation page."""
        return f"{DOCS_URL}{self.code}/"
