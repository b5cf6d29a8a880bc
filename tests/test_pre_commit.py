"""pre-commit builds klint from this checkout, and runs its hooks in a repository of someone's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILT_FROM = ("klint", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml")

GOOD = """\
import torch.nn.functional as F


def loss(x, y):
    return F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
"""
BAD = GOOD.replace("log_softmax", "softmax")
FIXABLE = GOOD.replace("F.log_softmax(x, dim=1)", "F.softmax(x, dim=1).log()")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which neither git nor pre-commit knows what the user has set up."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PRE_COMMIT", "SKIP"))}
    names = [f"GIT_{who}_{what}" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
    return {
        **clean,
        **dict.fromkeys(names, "someone@example.com"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "PRE_COMMIT_HOME": str(tmp_path_factory.mktemp("cache")),
    }


@pytest.fixture(scope="module")
def git(environment):
    """Run git in a directory."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def run(directory: Path, *args: str) -> str:
        command = ["git", "-C", str(directory), *args]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    return run


@pytest.fixture(scope="module")
def hooks(git, tmp_path_factory) -> Path:
    """A repository with what this checkout holds, committed or not."""
    probe = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--quiet",
        "--dest",
        tmp_path_factory.mktemp("probe"),
    ]
    if subprocess.run([*probe, "hatchling"], capture_output=True, check=False).returncode:
        pytest.skip("no package index is in reach, so pre-commit cannot build the environment of a hook")
    repository = tmp_path_factory.mktemp("hooks")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, repository / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, repository / name)
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=klint")
    return repository


@pytest.fixture(scope="module")
def project(git, hooks, tmp_path_factory) -> Path:
    """Someone's repository, which asks for the hooks."""
    project = tmp_path_factory.mktemp("project")
    config = f"repos: [{{repo: '{hooks.as_posix()}', rev: {git(hooks, 'rev-parse', 'HEAD')}, hooks: [{{id: klint}}, {{id: klint-fix}}]}}]"
    (project / ".pre-commit-config.yaml").write_text(config, encoding="utf-8")
    git(project, "init", "--quiet")
    return project


@pytest.fixture
def pre_commit(git, project, environment):
    """Run a command of pre-commit's on these files of the project."""

    def run(*command: str, **files: str) -> tuple[int, str]:
        for name, text in files.items():
            (project / f"{name}.py").write_text(text, encoding="utf-8")
        git(project, "add", "--all")
        arguments = [*command, "--color=never", "--verbose", "--files", *(f"{name}.py" for name in files)]
        result = subprocess.run(
            [sys.executable, "-m", "pre_commit", *arguments],
            cwd=project,
            env=environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        return result.returncode, result.stdout + result.stderr

    return run


def test_try_repo_finds_what_is_wrong(pre_commit, hooks):
    status, said = pre_commit("try-repo", str(hooks), "klint", bad=BAD, good=GOOD)
    assert status == 1
    assert "bad.py:5:12: KL101 " in said
    assert "good.py" not in said


@pytest.mark.parametrize("hook", ["klint", "klint-fix"])
def test_the_hooks_pass_good_code(pre_commit, hook):
    status, said = pre_commit("run", hook, good=GOOD)
    assert (status, "Passed" in said) == (0, True)


@pytest.mark.parametrize("hook", ["klint", "klint-fix"])
def test_the_hooks_fail_for_bad_code(pre_commit, hook):
    status, said = pre_commit("run", hook, bad=BAD, good=GOOD)
    assert (status, "bad.py:5:12: KL101 " in said) == (1, True)


def test_the_hook_that_fixes_fixes(pre_commit, project):
    status, said = pre_commit("run", "klint-fix", fixable=FIXABLE)
    assert (status, "files were modified by this hook" in said) == (1, True)
    assert (project / "fixable.py").read_text("utf-8") == GOOD
    status, _ = pre_commit("run", "klint-fix", fixable=GOOD)
    assert status == 0


def test_the_hook_that_checks_changes_nothing(pre_commit, project):
    status, _ = pre_commit("run", "klint", fixable=FIXABLE)
    assert status == 1
    assert (project / "fixable.py").read_text("utf-8") == FIXABLE
