"""What a rule is, and what it hands to the pipeline."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, TypeVar

from klint.finding import Confidence, Diagnosis, Finding, Fix, Related, Severity
from klint.rules.claims import Claim
from klint.source.python import Anchor

SECTIONS = ("What it does", "Why it is wrong", "Example", "Use instead", "Fix", "References")
DOCS_URL = "https://klint.readthedocs.io/rules/"

Site = TypeVar("Site")


@dataclass(frozen=True)
class Draft:
    """A finding as a rule words it: where it stands, its one line, what makes the case, and the claim that verify tests.

    ``elsewhere`` are further places at which the finding replaces those of the rule's ``replaces``.
    ``severity`` is set where it is another one than the rule's. ``fix`` is asked once the finding is reported; it says None
    where there is no fix that is sure.
    """

    anchor: Anchor
    message: str
    claim: Claim | None
    confidence: Confidence = Confidence.PROVEN
    related: tuple[tuple[Anchor, str], ...] = ()
    fix: Callable[[], Fix | None] | None = None
    severity: Severity | None = None
    elsewhere: tuple[Anchor, ...] = ()


class Rule(ABC, Generic[Site]):
    """One claim about one kind of site. The docstring of a subclass is its documentation page, in Markdown.

    ``losses`` are those that it is about, by the names of their functions; all of them where it names none. It is asked of no other.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    summary: ClassVar[str]
    severity: ClassVar[Severity]
    default: ClassVar[bool] = True
    replaces: ClassVar[tuple[str, ...]] = ()
    site: ClassVar[type] = object
    losses: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def check(self, site: Site) -> Iterator[Draft]:
        """Yield a draft for each misuse at ``site``, judged by facts alone."""

    def diagnosis(self, draft: Draft, callers: Iterable[Anchor] = ()) -> Diagnosis:
        """What becomes of a draft of this rule; ``callers`` are the calls that lead to its site."""
        location = draft.anchor.location
        fix = draft.fix() if draft.fix is not None else None
        if fix is not None and any(edit.location.filename != location.filename for edit in fix.edits):
            fix = None  # what another file's code becomes is for its own findings to say
        related = [Related(anchor.location, message) for anchor, message in draft.related]
        related.extend(Related(caller.location, "called from here") for caller in callers)
        finding = Finding(
            code=self.code,
            name=self.name,
            message=draft.message,
            severity=draft.severity or self.severity,
            confidence=draft.confidence,
            location=location,
            claim="" if draft.claim is None else draft.claim.text,
            url=self.url,
            noqa_row=location.row,
            related=tuple(dict.fromkeys(related)),
            fix=fix,
        )
        return Diagnosis(finding, draft.claim)

    @property
    def level(self) -> str:
        """``on``: reported unless it is ignored; ``opt-in``: only when it is selected."""
        return "on" if self.default else "opt-in"

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
