"""klint as a flake8 plugin. flake8 itself heeds ``noqa``, ``per-file-ignores`` and the selection of codes.

flake8 makes a plugin for every file, and most files concern klint in nothing: what judges a file is imported for the first that does.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from klint import __version__
from klint.codes import OPT_IN
from klint.source.suppress import Suppressions, names_klint
from klint.torch_model.losses import names_loss

if TYPE_CHECKING:
    from klint.finding import Diagnosis, Finding
    from klint.graph.project import Project
    from klint.source.python import SourceUnit


class Plugin:
    """What flake8 makes for each file, and asks to ``run``."""

    name: ClassVar[str] = "klint"
    version: ClassVar[str] = __version__
    reads_stdin: ClassVar[bool] = False

    def __init__(self, tree: ast.Module, filename: str, lines: Sequence[str]) -> None:
        self._tree = tree
        self._filename = filename
        self._text = "".join(lines)

    @staticmethod
    def add_options(manager: Any) -> None:
        """Switch off the rules that are opt-in; ``extend-select`` brings them back."""
        manager.extend_default_ignore(sorted(OPT_IN))

    @classmethod
    def parse_options(cls, options: Any) -> None:
        """Note whether flake8 reads standard input, by which editors pass on one cell of a notebook at a time; a run begins."""
        _project.cache_clear()
        cls.reads_stdin = list(options.filenames) == ["-"]

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Yield row (from 1), column (from 0), message, and what flake8 wants to know of the plugin.

        An exception would cost the findings of all files, so an error of klint's own is a line on standard error.
        """
        if not names_loss(self._text) and not names_klint(self._text):
            return
        from klint.output.concise import one_line

        try:
            findings = self._findings()
        except Exception as error:
            from klint.workers import internal_error

            sys.stderr.write(f"{one_line(str(internal_error(error, self._filename)))}\n")
            return
        for finding in findings:
            place = finding.location
            yield place.row, place.column - 1, one_line(f"{finding.code} {finding.message}"), type(self)

    def _findings(self) -> list[Finding]:
        """What there is to say of this file; a site in another one is for flake8 to ask about in its turn."""
        from klint.linter import arrange
        from klint.rules import RULES
        from klint.rules.engine import diagnose
        from klint.source.files import assume_imports
        from klint.source.python import SourceUnit

        unit = SourceUnit(self._filename, self._text, self._tree)
        if self.reads_stdin:
            assume_imports(unit)
        diagnoses = [*diagnose(unit, RULES, _project()).diagnoses] if names_loss(unit.text) else []
        if names_klint(unit.text):
            diagnoses += _unused_codes(unit, diagnoses)
        return [
            diagnosis.finding
            for diagnosis in arrange(diagnoses)
            if diagnosis.finding.location.filename == unit.filename
        ]


@cache
def _project() -> Project:
    """What imports lead to, which is parsed once a run."""
    from klint.graph.project import Project

    return Project()


def _unused_codes(unit: SourceUnit, diagnoses: Sequence[Diagnosis]) -> Iterator[Diagnosis]:
    """The codes in ``noqa`` comments that silence none of these, whichever of them flake8 is going to show."""
    from klint.rules.kl905_unused_noqa import UnusedCode, UnusedNoqa

    suppressions = Suppressions(unit.lines)
    for diagnosis in diagnoses:
        suppressions.silences(diagnosis.finding.code, diagnosis.finding.location.row)
    rule = UnusedNoqa()
    for place in suppressions.unused():
        if place.code.startswith("KL"):
            yield from map(rule.diagnosis, rule.check(UnusedCode(unit, place)))
