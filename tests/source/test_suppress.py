"""noqa must mean what it means to flake8, so flake8 itself is the reference."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from klint.linter import lint_paths

HEAD = "import torch.nn.functional as F\np, q = F.softmax(x, dim=1), F.softmax(y, dim=1)\n"
CALL = 'loss = F.kl_div(p, q, reduction="sum")'

COMMENTS = {
    "no comment": "",
    "bare": "  # noqa",
    "capitals": "  # NOQA",
    "mixed case": "  # NoQA: KL101",
    "code": "  # noqa: KL101",
    "no space": "  # noqa:KL101",
    "two spaces after the colon": "  # noqa:  KL101",
    "space before the colon": "  # noqa : KL201",
    "no space after the hash": "  #noqa",
    "two spaces after the hash": "  #  noqa",
    "prefix": "  # noqa: KL1",
    "shorter prefix": "  # noqa: K1",
    "letters only": "  # noqa: KL",
    "another code": "  # noqa: KL201",
    "longer code": "  # noqa: KL1011",
    "lower case code": "  # noqa: kl101",
    "foreign code": "  # noqa: E501",
    "comma": "  # noqa: E501,KL101",
    "comma and space": "  # noqa: E501, KL101",
    "space": "  # noqa: E501 KL101",
    "many separators": "  # noqa: E501 , ,KL101",
    "trailing comma": "  # noqa: KL101,",
    "codes run together": "  # noqa: E501KL101",
    "words after a code": "  # noqa: KL201 because KL101",
    "words in place of codes": "  # noqa: because",
    "dash": "  # noqa - KL201",
    "tab": "  # noqa:\tKL101",
    "word that starts with noqa": "  # noqabene",
    "after another comment": "  # type: ignore # noqa: KL101",
    "two comments, the first counts": "  # noqa: KL201 # noqa: KL101",
    "code right after a bracket": "  # noqa(KL201)",
    "wide characters": "  # 損失 # noqa: KL101",
    "no-break space": "  # noqa:\u00a0KL101",
    "long s": "  # noqa: \u017f1 KL101",
}
SOURCES = {
    **{f"comment: {name}": f"{CALL}{comment}\n" for name, comment in COMMENTS.items()},
    "in a string": f"{CALL}; text = '# noqa'\n",
    "in a string of many lines": f"{CALL}; text = '''\n# noqa\n'''\n",
    "after a string of many lines": f"{CALL}; text = '''\n'''  # noqa: KL101\n",
    "after an f-string of many lines": f"{CALL}; text = f'''\n{{1}}\n'''  # noqa: KL101\n",
    "before a string of many lines": f"text = '''\n'''; {CALL}  # noqa: KL101\n",
    "after a continuation": f"{CALL} \\\n    + 1  # noqa: KL101\n",
    "before a continuation": "x = 1 + \\\n    F.kl_div(p, q, reduction='sum')  # noqa: KL101\n",
    "first line of brackets": CALL.replace("(p", "(  # noqa: KL101\n    p") + "\n",
    "last line of brackets": CALL.replace("(p", "(\n    p") + "  # noqa: KL101\n",
    "line before": f"# noqa\n{CALL}\n",
    "no newline at the end": f"{CALL}  # noqa: KL101",
    "carriage returns": f"{CALL}  # noqa: KL101\r\n",
    "form feed": f"\f{CALL}  # noqa: KL101\n",
    "file": f"# flake8: noqa\n{CALL}\n",
    "file with equals": f"# flake8=noqa\n{CALL}\n",
    "file in capitals": f"# FLAKE8: NOQA\n{CALL}\n",
    "file at the end": f"{CALL}\n    # flake8: noqa\n",
    "file with a code": f"# flake8: noqa: KL101\n{CALL}\n",
    "file with a foreign code": f"# flake8: noqa: E501\n{CALL}\n",
    "file after code": f"x = 1  # flake8: noqa\n{CALL}\n",
    "file on the line of the finding": f"{CALL}  # flake8: noqa\n",
    "file in a string": f"text = '''\n# flake8: noqa\n'''\n{CALL}\n",
    "another linter's": f"# ruff: noqa\n{CALL}\n",
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> tuple[set[Path], set[Path]]:
    """The files in which flake8 reports a finding, and those in which klint does."""
    folder = tmp_path_factory.mktemp("noqa")
    for index, source in enumerate(SOURCES.values()):
        (folder / f"{index}.py").write_text(HEAD + source, encoding="utf-8", newline="")
    flake8 = [sys.executable, "-m", "flake8", "--isolated", "--select=KL", "--jobs=1", "--format=%(path)s", str(folder)]
    result = subprocess.run(flake8, capture_output=True, text=True, check=False)
    assert result.stderr == ""
    report = lint_paths([folder])
    assert report.errors == []
    return (
        {Path(line) for line in result.stdout.splitlines()},
        {Path(finding.location.filename) for finding in report.findings},
    )


@pytest.mark.parametrize("name", SOURCES)
def test_silences_as_flake8_does(judged, name):
    with_flake8, with_klint = ({int(path.stem) for path in paths} for paths in judged)
    index = [*SOURCES].index(name)
    assert (index in with_klint) is (index in with_flake8)


def test_the_reference_tells_silenced_from_reported(judged):
    with_flake8, _ = judged
    assert 10 < len(with_flake8) < len(SOURCES) - 10
