"""``noqa`` comments side by side: what flake8 reports and what ``klint check`` reports, over every way to write one.

Places where a comment may stand (strings, continuations, whole files) are in ``tests/source/test_suppress.py``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from itertools import product
from pathlib import Path

import pytest
from flake8.main.cli import main as flake8

HEAD = "import torch.nn.functional as F\n\np, q = F.softmax(x, dim=1), F.softmax(y, dim=1)\n"
CALL = "F.kl_div(p, q)"
FOUND = frozenset({"KL101", "KL201"})
"""What is found in ``CALL``: two codes, so that a comment may silence one, both or none."""

MARKERS = ["# noqa", "#noqa", "#  noqa", "#\tnoqa", "# NOQA", "# NoQA", "# nosec # noqa", "# no qa", "# noqa noqa"]
SEPARATORS = ["", ":", ": ", ":  ", ":\t", " : ", " ", "=", "::", "(", "-"]
CODES = [
    "",
    "KL101",
    "KL201",
    "KL1",
    "KL",
    "K",
    "K1",
    "kl101",
    "Kl101",
    "KL1011",
    "101",
    "E501",
    "E501,KL101",
    "E501, KL101",
    "E501 KL101",
    "E501;KL101",
    "E501/KL101",
    "E501KL101",
    "KL101,KL201",
    "KL101 KL201",
    "KL101,,KL201",
    "KL101 , KL201",
    "KL101,\tKL201",
    "KL101\u3000KL201",
    "KL101KL201",
    "KL101,",
    ",KL101",
    "KL101)",
    "KL101: KL201",
    "KL101 because of KL201",
    "KL101 -- KL201",
    "KL101 # KL201",
    "KL101 # noqa: KL201",
    "KL-101",
    "KL_101",
    "\u017fKL101",
    "kl-input-probabilities",
    "損失 KL101",
]
COMMENTS = [
    "",
    *map("".join, product(MARKERS, SEPARATORS, ["", "KL101", "E501,KL101"])),
    *map("".join, product(["# noqa"], [":", ": ", " : "], CODES)),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a line for each comment."""
    path = tmp_path_factory.mktemp("noqa") / "a.py"
    path.write_text(HEAD + "".join(f"{CALL}  {comment}\n" for comment in COMMENTS), encoding="utf-8")
    return path


def by_comment(found: list[tuple[int, str]]) -> dict[str, set[str]]:
    """The codes that are reported in spite of each comment."""
    reported = defaultdict(set)
    for row, code in found:
        reported[COMMENTS[row - HEAD.count("\n") - 1]].add(code)
    return reported


def test_every_comment_silences_what_flake8_says_it_does(klint, source, capsys):
    flake8(["--isolated", "--select=KL", "--jobs=1", "--format=%(row)d\t%(code)s\t", str(source)])
    theirs = by_comment([(int(row), code) for row, code in map(str.split, capsys.readouterr().out.splitlines())])
    outcome = klint("check", str(source), "--select=KL", "--output-format=json")
    ours = by_comment([(entry["location"]["row"], entry["code"]) for entry in json.loads(outcome.out)])
    assert ours == theirs
    outcomes = {FOUND & theirs[comment] for comment in COMMENTS}
    assert outcomes == {FOUND, frozenset({"KL101"}), frozenset({"KL201"}), frozenset()}
