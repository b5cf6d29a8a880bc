"""klint as a flake8 plugin. flake8 itself heeds ``noqa``, ``per-file-ignores`` and the selection of codes."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from klint import __version__
from klint.graph.project import Project
from klint.linter import arrange, internal_error, names_loss
from klint.output.concise import one_line
from klint.rules import RULES
from klint.rules.engine import diagnose
from klint.source.python import SourceUnit


class Plugin:
    """What flake8 makes for each file, and asks to ``run``."""

    name: ClassVar[str] = "klint"
    version: ClassVar[str] = __version__

    def __init__(self, tree: ast.Module, filename: str, lines: Sequence[str]) -> None:
        self._unit = SourceUnit(filename, "".join(lines), tree)

    @staticmethod
    def add_options(manager: Any) -> None:
        """Switch off the rules that are opt-in; ``extend-select`` brings them back."""
        manager.extend_default_ignore([rule.code for rule in RULES if not rule.default])

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Yield row (from 1), column (from 0), message, and what flake8 wants to know of the plugin.

        An exception would cost the findings of all files, so an error of klint's own is a line on standard error.
        """
        if not names_loss(self._unit.text):
            return
        try:
            analysis = diagnose(self._unit, RULES, Project())
            findings = [diagnosis.finding for diagnosis in arrange(analysis.diagnoses)]
        except Exception as error:
            sys.stderr.write(f"{one_line(str(internal_error(error, self._unit.filename)))}\n")
            return
        for finding in findings:
            place = finding.location
            if place.filename != self._unit.filename:  # a site in another file, which flake8 asks about in its turn
                continue
            yield place.row, place.column - 1, one_line(f"{finding.code} {finding.message}"), type(self)
