"""A list of objects with ruff's keys, and klint's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klint.linter import Report


def render(report: Report) -> str:
    """The findings as a JSON list, of which every run prints exactly one."""
    return json.dumps([finding.to_json() for finding in report.findings], indent=2) + "\n"
