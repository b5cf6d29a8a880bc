"""The objects of the JSON format, one a line: for reports that are read as they grow, or line by line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klint.linter import Report


def render(report: Report) -> str:
    """One line for each finding."""
    return "".join(f"{json.dumps(finding.to_json())}\n" for finding in report.findings)
