"""Reports that the tests of several formats render."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from klint.config import Settings
from klint.linter import Report, lint_source

FIXTURES = Path(__file__).parents[2] / "fixtures"

SOURCE = """\
import torch.nn.functional as F


def loss(x, y):
    p = F.softmax(x, dim=1)
    return "損失 🙂", F.kl_div(p, F.softmax(y, dim=1), reduction="sum")


def again(x, y):
    kl = F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1))
    return kl
"""
"""An error with a step that leads to it, and a warning; both with a fix."""


def report(source: str = SOURCE, filename: str = "a.py") -> Report:
    """What klint says of a source."""
    return lint_source(source, filename)


def with_first(**changes: Any) -> Report:
    """The report on ``SOURCE`` with its first finding alone, changed in this way."""
    result = report()
    result.findings = [replace(result.findings[0], **changes)]
    return result


def notebook() -> Report:
    """A notebook whose third cell has what ``SOURCE`` has, with the imports in the second."""
    imports, _, code = SOURCE.partition("\n\n\n")
    cells = [("markdown", "# Losses"), ("code", imports), ("code", code)]
    text = {
        "cells": [
            {"cell_type": kind, "metadata": {}, "source": source}
            | ({"outputs": [], "execution_count": None} if kind == "code" else {})
            for kind, source in cells
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return report(json.dumps(text), "a.ipynb")


def everything() -> Report:
    """All findings in the programs of all rules."""
    result = Report()
    for path in sorted(FIXTURES.glob("kl*/bad.py")):
        name = path.relative_to(FIXTURES.parent).as_posix()
        found = lint_source(path.read_text("utf-8"), name, Settings(extend_select=("KL9",)))
        result.findings += found.findings
        result.sources |= found.sources
    return result
