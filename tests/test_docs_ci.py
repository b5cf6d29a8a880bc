"""What docs/ci.md says is tried: its snippets parse, and their commands write the files that the server is told of."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from klint.output import FORMATS

PAGE = (Path(__file__).parents[1] / "docs" / "ci.md").read_text("utf-8")
SNIPPETS = {
    "GitHub code scanning": "upload-sarif",
    "GitHub annotations": "--output-format github",
    "GitLab": "codequality",
}
BAD = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def leaves(value: Any) -> Iterator[tuple[str, str]]:
    """Each text in a document, with the key it stands under."""
    for key, item in value.items() if isinstance(value, dict) else ():
        for entry in item if isinstance(item, list) else [item]:
            if isinstance(entry, str):
                yield key, entry
            else:
                yield from leaves(entry)


@pytest.mark.parametrize("mark", SNIPPETS.values(), ids=SNIPPETS)
def test_a_snippet_fails_for_bad_code_and_writes_what_it_uploads(klint, mark):
    (snippet,) = [block for block in blocks("yaml") if mark in block]
    found = list(leaves(yaml.safe_load(snippet)))
    (command,) = [text for key, text in found if key in ("run", "script") and text.startswith("klint ")]
    Path("a.py").write_text(BAD)
    outcome = klint(*shlex.split(command)[1:])
    assert outcome.status == 1
    uploaded = [text for key, text in found if key in ("sarif_file", "codequality")]
    assert all("KL101" in Path(name).read_text("utf-8") for name in uploaded)
    assert ("KL101" in outcome.out) is not bool(uploaded)


def test_the_hooks_are_those_that_there_are():
    hooks = yaml.safe_load((Path(__file__).parents[1] / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert {hook["id"] for hook in hooks} == set(re.findall(r"^\| `(klint[\w-]*)` \|", PAGE, re.MULTILINE))


def test_every_format_is_named():
    rows = PAGE[PAGE.index("| format |") : PAGE.index("`--statistics`")].splitlines()[2:]
    named = [name for row in rows for name in re.findall(r"`([\w-]+)`", row.rpartition(" | ")[0])]
    assert sorted(named) == sorted(FORMATS)


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_ruff_leaves_the_codes_alone_once_it_is_told(tmp_path, told):
    (toml,) = blocks("toml")
    (tmp_path / "pyproject.toml").write_text(toml if told else "[tool.ruff]\n")
    source = "x = 1  # noqa: KL101\n"
    (tmp_path / "a.py").write_text(source)
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--quiet", "--preview", "--fix", "--unsafe-fixes"]
    subprocess.run([*ruff, "--select=RUF100,RUF102", "a.py"], cwd=tmp_path, check=False, capture_output=True)
    assert ((tmp_path / "a.py").read_text() == source) is told
