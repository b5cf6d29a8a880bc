"""From the text of a file, of whatever kind, to the modules of Python in it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import TYPE_CHECKING

from klint.source.python import NOTEBOOK, SourceUnit, is_python, parse_source, tree_nodes

if TYPE_CHECKING:
    from klint.finding import Finding

_ASSUMED = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"
"""What editors hide when they pass on one cell of a notebook by itself."""


def parse_file(text: str, filename: str, stdin: bool = False) -> list[SourceUnit]:
    """The modules in a file: that of a Python file or notebook, and of prose those that its blocks make up, maybe none.

    Text from standard input may be a cell of a notebook, without the imports of the cells before it.
    """
    units = _parse(text, filename, stdin)
    for unit in units if stdin else ():
        assume_imports(unit)
    return units


def assume_imports(unit: SourceUnit) -> None:
    """Take ``torch``, ``nn`` and ``F`` for torch in a module without any import."""
    if not any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in tree_nodes(unit.tree)):
        assumed = ast.parse(_ASSUMED).body
        for node in (node for statement in assumed for node in ast.walk(statement)):
            if isinstance(node, (ast.stmt, ast.alias)):
                node.lineno = node.end_lineno = node.col_offset = node.end_col_offset = 0  # before the first row
        unit.tree.body[:0] = assumed


def in_text(text: str, filename: str, findings: Iterable[Finding]) -> list[Finding]:
    """Findings of a file with places of its text, in which fixes are written."""
    if is_python(filename):
        return list(findings)
    if filename.lower().endswith(NOTEBOOK):
        from klint.source import notebook

        return list(notebook.in_text(text, findings))
    from klint.source import markdown

    return list(markdown.in_text(text, filename, findings))


def _parse(text: str, filename: str, stdin: bool) -> list[SourceUnit]:
    if is_python(filename):
        return [parse_source(text, filename)]
    if not filename.lower().endswith(NOTEBOOK):
        from klint.source.markdown import parse_prose

        return parse_prose(text, filename)
    from klint.source.notebook import parse_cell, parse_notebook

    is_cell = stdin and not text.lstrip().startswith("{")
    return [(parse_cell if is_cell else parse_notebook)(text, filename)]
