"""What most tests ask: which codes are found in this source, and on which rows."""

from __future__ import annotations

from textwrap import dedent

from klint import Finding, lint_source
from klint.config import Settings

PREAMBLE = """\
import torch
import torch.nn as nn
import torch.nn.functional as F

x, y = torch.randn(8, 10), torch.randn(8, 10)
p = F.softmax(y, dim=1)
log_q = F.log_softmax(x, dim=1)
"""
"""Scores x and y, the distribution p made of y, and the log-probabilities log_q made of x."""


def findings(source: str, *opted_in: str) -> list[Finding]:
    """The findings in a source, which must be free of errors; rules that are opt-in are on if they are named."""
    report = lint_source(dedent(source), "case.py", Settings(extend_select=opted_in))
    assert [str(error) for error in report.errors] == []
    return list(report.findings)


def codes(source: str, *opted_in: str) -> list[str]:
    """The codes found in a source; rules that are opt-in are on if they are named."""
    return [finding.code for finding in findings(source, *opted_in)]


def codes_after_preamble(source: str) -> list[str]:
    """The codes found in a source that may use what the preamble binds."""
    return codes(PREAMBLE + dedent(source))
