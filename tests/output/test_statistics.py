"""Counts are written as ruff writes them, so ruff itself is the reference."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from klint.output import COUNTED_FORMATS, FORMATS

LOSS = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div({input}, F.softmax(y, dim=1), reduction="{reduction}")
"""
UNSAFE = LOSS.format(input="F.softmax(x, dim=1)", reduction="sum")
SAFE = LOSS.format(input="F.softmax(x, dim=1).log()", reduction="sum")


@pytest.fixture
def ruff(tmp_path):
    """What ruff counts in two files, of which one has more to report than the other."""
    Path("unused.py").write_text("import os\nimport os.path\n")
    Path("bare.py").write_text("try:\n    pass\nexcept:\n    pass\n")

    def run(*options: str) -> str:
        command = [Path(sys.executable).with_name("ruff"), "check", "--isolated", "--no-cache", "--select=F,E"]
        return subprocess.run(
            [*command, "--statistics", "-q", *options], cwd=tmp_path, capture_output=True, text=True, check=False
        ).stdout

    return run


def shape(line: str) -> str:
    """A line of counts with the rule and the number left out."""
    return re.sub(r"[\w-]{4,}", "word", re.sub(r"\d+", "1", line))


def test_text_has_ruffs_columns(klint, ruff):
    Path("a.py").write_text(SAFE)
    Path("b.py").write_text(SAFE)
    Path("c.py").write_text(UNSAFE)
    out = klint("check", "--statistics", "a.py", "b.py", "c.py").out
    assert out == "2\tKL110\t[*] log-of-softmax\n1\tKL101\t[ ] kl-input-probabilities\n"
    theirs = ruff().splitlines()
    assert {shape(line) for line in out.splitlines()} <= {shape(re.sub(r"\b[FE]\d", "KL1", line)) for line in theirs}


def test_json_has_ruffs_keys(klint, ruff):
    Path("a.py").write_text(UNSAFE)
    (counts,) = json.loads(klint("check", "a.py", "--statistics", "--output-format", "json").out)
    assert set(counts) == set(json.loads(ruff("--output-format=json"))[0])
    assert counts == {
        "code": "KL101",
        "name": "kl-input-probabilities",
        "count": 1,
        "fixable": False,
        "fixable_count": 0,
    }


def test_unsafe_fixes_count_where_they_are_asked_for(klint):
    Path("a.py").write_text(UNSAFE)
    assert klint("check", "--statistics", "--unsafe-fixes").out == "1\tKL101\t[*] kl-input-probabilities\n"


@pytest.mark.parametrize("output_format", sorted(set(FORMATS) - set(COUNTED_FORMATS)))
def test_other_formats_have_no_counts(klint, output_format):
    outcome = klint("check", "--statistics", "--output-format", output_format)
    assert outcome.status == 2
    assert outcome.err.startswith(f"klint: --statistics: {output_format} has no counts")
