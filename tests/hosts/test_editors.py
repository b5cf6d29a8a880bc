"""Editors with the configuration of docs/editors.md, word for word: each opens a file, and says what it shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pygls", reason="the extra 'server' is not installed")

DOCS = Path(__file__).parents[2] / "docs" / "editors.md"
ALE = Path("/usr/share/vim/vimfiles/pack/dist-bundle/opt/ale")

BAD = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""


def documented(heading: str, language: str) -> str:
    """The last piece of configuration under a heading of the docs."""
    section = DOCS.read_text("utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[-1]


def run(home: Path, *command: str) -> None:
    """Run an editor in a directory of its own, with the klint of this environment."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "HOME": str(home), "TERM": "dumb"}
    result = subprocess.run(
        command, cwd=home, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
    )
    assert (home / "shown").exists(), result.stdout + result.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "a.py").write_text(BAD)
    return tmp_path


def test_neovim_shows_findings(home: Path):
    (home / "init.lua").write_text(documented("Neovim", "lua"))
    (home / "show.lua").write_text("""\
vim.wait(60000, function() return #vim.diagnostic.get(0) > 0 end)
vim.fn.writefile({ vim.json.encode(vim.diagnostic.get(0)) }, "shown")
vim.cmd("qa!")
""")
    run(home, "nvim", "--headless", "--clean", "-c", "luafile init.lua", "-c", "edit a.py", "-c", "luafile show.lua")
    (shown,) = json.loads((home / "shown").read_text())
    assert (shown["code"], shown["source"], shown["severity"]) == ("KL101", "klint", 1)
    assert [shown[key] for key in ("lnum", "col", "end_lnum", "end_col")] == [4, 11, 4, 78]


def test_vim_shows_findings_through_ale(home: Path):
    if not ALE.exists():
        pytest.skip("ALE is not installed")
    (home / "vimrc").write_text(f"set nocompatible\nfiletype plugin on\npackadd ale\n{documented('Vim', 'vim')}")
    (home / "show.vim").write_text("""\
let s:turns = 0
while empty(getloclist(0)) && s:turns < 600
  sleep 100m
  let s:turns += 1
endwhile
call writefile([json_encode(getloclist(0))], 'shown')
qall!
""")
    run(home, "vim", "--not-a-term", "-n", "-u", "vimrc", "-c", "edit a.py", "-S", "show.vim")
    (shown,) = json.loads((home / "shown").read_text())
    assert (shown["type"], shown["text"][:6]) == ("E", "KL101:")
    assert [shown[key] for key in ("lnum", "col", "end_lnum", "end_col")] == [5, 12, 5, 78]


def test_emacs_shows_findings_through_eglot(home: Path):
    if shutil.which("emacs"):
        command = ["emacs", "--batch", "--eval", "(progn (package-initialize) (require 'eglot))"]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("Eglot is not installed")
    (home / "init.el").write_text(documented("Emacs", "elisp"))
    (home / "show.el").write_text("""\
(find-file "a.py")
(run-hooks 'post-command-hook)
(with-timeout (60 nil)
  (while (not (flymake-diagnostics))
    (accept-process-output nil 0.1)
    (flymake-start)))
(let ((shown (mapcar (lambda (each) (vector (flymake-diagnostic-beg each) (flymake-diagnostic-end each)
                                          (flymake-diagnostic-text each)))
                     (flymake-diagnostics))))
  (with-temp-file "shown" (insert (json-encode (vconcat shown)))))
(kill-emacs)
""")
    run(home, "emacs", "--batch", "--eval", "(package-initialize)", "-l", "init.el", "-l", "show.el")
    ((begin, end, text),) = json.loads((home / "shown").read_text())
    assert text.startswith("klint [KL101]: ")
    assert BAD[begin - 1 : end - 1] == BAD.splitlines()[4].strip().removeprefix("return ")
