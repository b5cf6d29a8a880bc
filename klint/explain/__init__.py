"""What each loss site computes, in words: the formula, what its slots hold and by which steps, and what is not known.

This room reads the same sites as the rules and judges nothing; it stands beside ``linter.py``, below the command line.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from klint.config import Settings
from klint.explain.compare import side_by_side
from klint.explain.model import Explanation
from klint.explain.names import Names
from klint.explain.sites import explain_sites
from klint.graph.project import Project
from klint.linter import find_files
from klint.rules.engine import sites
from klint.source.discover import STDIN, roots_of
from klint.source.files import parse_file
from klint.source.python import SourceError
from klint.torch_model.losses import names_loss
from klint.workers import internal_error

if TYPE_CHECKING:
    from klint.pyproject import Configuration

__all__ = ["Explanation", "explain_paths", "explain_source", "split_place", "unanswered"]

NEAREST = 3
"""How many loss sites are named to a user who asks about a line without one."""

_PLACE = re.compile(r"(?P<path>.+?)(:cell (?P<cell>[0-9]{1,9}))?:(?P<row>[0-9]{1,9})(:[0-9]+)?", re.DOTALL)


def split_place(text: str) -> tuple[str, int | None, int | None]:
    """``model.py:17`` as a path, a row and a notebook's cell; also ``model.py:17:6``, as ``klint check`` writes it."""
    match = _PLACE.fullmatch(text)
    if match is None or os.path.exists(text):
        return text, None, None
    return match["path"], int(match["row"]), int(match["cell"]) if match["cell"] else None


def explain_paths(
    paths: Iterable[str | Path],
    row: int | None = None,
    cell: int | None = None,
    settings: Settings | Configuration | None = None,
) -> list[Explanation]:
    """One explanation for each file; ``row``, in a notebook with ``cell``, narrows them to the loss sites on that line."""
    settings, paths = settings or Settings(), list(paths)
    discovery, roots = find_files(paths, settings), roots_of(paths)
    projects: dict[tuple[str, ...], Project] = {}
    explanations = [Explanation(error.filename, errors=[error]) for error in discovery.errors]
    for file in discovery.files:
        text = file.read()
        if isinstance(text, SourceError):
            explanations.append(Explanation(file.filename, errors=[text]))
        else:
            searched = (*roots, *settings.of(file.filename).src)
            project = projects.setdefault(searched, Project(searched))
            explanations.append(explain_source(text, file.filename, row, project, cell, stdin=file.path is None))
    return explanations


def explain_source(
    text: str,
    filename: str = STDIN,
    row: int | None = None,
    project: Project | None = None,
    cell: int | None = None,
    stdin: bool = False,
) -> Explanation:
    """Explain the loss sites in the text of one file, or those on one line of it; the name says of what kind the text is."""
    explanation = Explanation(filename)
    names = Names(filename, cell)
    for unit in parse_file(text, filename, stdin):
        explanation.errors += unit.errors
        if not names_loss(unit.text):
            continue
        try:
            losses, comparisons = sites(unit, project)
            explanation.rows += names.rows(site.anchor for site in losses)
            told, chosen = explain_sites(losses, names, row)
            explanation.sites += told
            explanation.comparisons += side_by_side(comparisons, names, chosen)
        except Exception as error:  # one file must not cost the explanations of the others
            explanation.errors.append(internal_error(error, filename))
    return explanation


def unanswered(explanations: Sequence[Explanation], row: int | None = None) -> str | None:
    """One line for the user where there is no loss site to explain; None where there is, or where an error says why not."""
    if any(explanation.sites or explanation.errors for explanation in explanations):
        return None
    if len(explanations) != 1:
        return f"no loss site in {len(explanations)} files"
    (explanation,) = explanations
    if row is None or not explanation.rows:
        return f"{explanation.filename}: no loss site in this file"
    nearest = sorted(sorted(explanation.rows, key=lambda each: abs(each - row))[:NEAREST])
    rows = f"rows {', '.join(map(str, nearest))}" if len(nearest) > 1 else f"row {nearest[0]}"
    return f"{explanation.filename}:{row}: no loss site on this line; the nearest: {rows}"
