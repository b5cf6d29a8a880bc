"""How often each rule found something, with ruff's columns and ruff's JSON keys."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from klint.finding import Applicability, Finding

if TYPE_CHECKING:
    from klint.linter import Report


@dataclass
class _Count:
    code: str
    name: str
    count: int = 0
    fixable: int = 0

    @property
    def mark(self) -> str:
        """Whether all of the findings, some or none can be fixed."""
        return {self.count: "[*]", 0: "[ ]"}.get(self.fixable, "[-]")


def render(report: Report, output_format: str, unsafe: bool = False) -> str:
    """The rules by number of findings, the most frequent first; ``unsafe`` fixes count where they are asked for."""
    counts = _counts(report, unsafe)
    if output_format == "json":
        rows = [
            {
                "code": count.code,
                "name": count.name,
                "count": count.count,
                "fixable": count.count == count.fixable,
                "fixable_count": count.fixable,
            }
            for count in counts
        ]
        return json.dumps(rows, indent=2) + "\n"
    digits = max((len(str(count.count)) for count in counts), default=0)
    marked = any(count.fixable for count in counts)
    return "".join(
        f"{count.count:>{digits}}\t{count.code}\t{f'{count.mark} ' if marked else ''}{count.name}\n" for count in counts
    )


def _counts(report: Report, unsafe: bool) -> list[_Count]:
    counts: dict[str, _Count] = {}
    for finding in report.findings:
        count = counts.setdefault(finding.code, _Count(finding.code, finding.name))
        count.count += 1
        count.fixable += _is_fixable(finding, unsafe)
    return sorted(counts.values(), key=lambda count: (-count.count, count.code))


def _is_fixable(finding: Finding, unsafe: bool) -> bool:
    return finding.fix is not None and (unsafe or finding.fix.applicability is Applicability.SAFE)
