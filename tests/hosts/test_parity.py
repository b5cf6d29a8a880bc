"""The hosts agree: on every program among the fixtures they give the same codes at the same places."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("fixtures/kl*/*.py"))]

Place = tuple[int, int, str]
"""Row, column and code of a finding."""


def output(module: str, *options: str) -> str:
    """What a host prints on all programs."""
    command = [sys.executable, "-X", "utf8", "-m", module, *options, *PROGRAMS]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert (result.returncode, result.stderr) == (1, "")
    return result.stdout


def by_program(found: Iterable[tuple[str, Place]]) -> dict[str, set[Place]]:
    """The places of each program."""
    places = defaultdict(set)
    for path, place in found:
        places[Path(path).as_posix()].add(place)
    return places


@pytest.fixture(scope="module")
def command_line() -> dict[str, set[Place]]:
    """What ``klint check`` reports, every rule being on."""
    found = json.loads(output("klint", "check", "-q", "--extend-select=KL9", "--output-format=json"))
    return by_program(
        (entry["filename"], (entry["location"]["row"], entry["location"]["column"], entry["code"])) for entry in found
    )


@pytest.fixture(scope="module")
def flake8() -> dict[str, set[Place]]:
    """What flake8 reports, every rule being on."""
    text = output("flake8", "--isolated", "--select=KL", "--jobs=1", "--format=%(path)s\t%(row)d\t%(col)d\t%(code)s")
    rows = (line.split("\t") for line in text.splitlines())
    return by_program((path, (int(row), int(column), code)) for path, row, column, code in rows)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs in a project that has every rule on."""
    root = tmp_path_factory.mktemp("project")
    copytree(ROOT / "fixtures", root / "fixtures")
    (root / "pyproject.toml").write_text('[tool.klint]\nextend-select = ["KL9"]\n')
    return root


def in_editor(project: Path, module: str, *args: str, options: Any = None) -> dict[str, set[Place]]:
    """What a language server reports for all programs, with columns in characters."""
    editor = pytest.importorskip("tests.hosts.editor", reason="the extra 'server' is not installed")
    pytest.importorskip(module, reason=f"{module} is not installed")
    with editor.editing([sys.executable, "-m", module, *args], project, options) as session:
        for program in PROGRAMS:
            session.open(program)
        shown = {program: session.diagnostics(program) for program in PROGRAMS}
    places = {}
    for program, diagnostics in shown.items():
        lines = (project / program).read_text("utf-8").split("\n")
        starts = [(diagnostic.range.start, diagnostic.code) for diagnostic in diagnostics]
        places[program] = {
            (start.line + 1, characters(lines[start.line], start.character) + 1, code) for start, code in starts
        }
    return places


def characters(line: str, units: int) -> int:
    """How many characters some UTF-16 code units of a line are."""
    return len(line.encode("utf-16-le")[: 2 * units].decode("utf-16-le"))


@pytest.fixture(scope="module")
def language_server(project: Path) -> dict[str, set[Place]]:
    """What klint's own language server reports."""
    return in_editor(project, "klint", "server")


@pytest.fixture(scope="module")
def pylsp(project: Path) -> dict[str, set[Place]]:
    """What python-lsp-server reports, with klint as its only linter."""
    others = {name: {"enabled": False} for name in ("pycodestyle", "pyflakes", "mccabe")}
    return in_editor(project, "pylsp", options={"pylsp": {"plugins": others}})


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_language_server_reports_what_the_command_line_reports(command_line, language_server, program):
    assert language_server[program] == command_line[program]


@pytest.mark.parametrize("program", PROGRAMS)
def test_pylsp_reports_what_the_command_line_reports(command_line, pylsp, program):
    assert pylsp[program] == command_line[program]


@pytest.mark.parametrize("program", PROGRAMS)
def test_flake8_reports_what_the_command_line_reports(command_line, flake8, program):
    assert flake8[program] == command_line[program]


def test_there_is_something_to_agree_on(command_line):
    assert len({code for places in command_line.values() for _, _, code in places}) > 40
