"""Patterns as in a ``.gitignore``, and what of a directory they leave out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

EXCLUDED_DIRECTORIES = frozenset(
    ".bzr .direnv .eggs .git .git-rewrite .hg .hypothesis .ipynb_checkpoints .klint_cache .mypy_cache .nox .pants.d .pyenv"
    " .pytest_cache .pytype .ruff_cache .svn .tox .venv .vscode __pycache__ __pypackages__ _build buck-out build dist"
    " node_modules site-packages venv".split()
)
"""Directories that never hold a project's own code."""


@dataclass(frozen=True)
class Patterns:
    """Patterns, and the directory that they are read in: the working directory unless another is given.

    ``inverted`` ones match what they would not.
    """

    lines: tuple[str, ...]
    home: Path = field(default_factory=Path.cwd)
    inverted: bool = False

    def match(self, path: str | Path, is_directory: bool = False, root: str | Path | None = None) -> bool:
        """Whether they match a path, or a directory above it; one that is not below their home is seen from ``root``."""
        path = os.fspath(path)
        home = self._home if is_below(path, self._home) else os.fspath(root or os.path.dirname(path))
        return bool(self._spec.match_file(relative(path, home, is_directory))) is not self.inverted

    @cached_property
    def _home(self) -> str:
        return str(self.home)

    @cached_property
    def _spec(self) -> GitIgnoreSpec:
        return spec(self._from_home(line) for line in self.lines)

    def _from_home(self, line: str) -> str:
        if Path(line).is_absolute() and Path(line).is_relative_to(self.home):
            return f"/{Path(line).relative_to(self.home).as_posix()}"
        return line.removeprefix("./")


@dataclass(frozen=True)
class Excluded:
    """What is left out of a directory: what any of the patterns match, and directories of these names."""

    patterns: tuple[Patterns, ...] = ()
    directories: frozenset[str] = EXCLUDED_DIRECTORIES

    def excludes(self, path: str, is_directory: bool, root: str) -> bool:
        """Whether a path found below ``root`` is left out."""
        if is_directory and os.path.basename(path) in self.directories:
            return True
        return bool(self.patterns) and any(patterns.match(path, is_directory, root) for patterns in self.patterns)


def spec(lines: Iterable[str]) -> GitIgnoreSpec:
    """The lines of a ``.gitignore``, but for those that mean nothing: git passes over them."""
    from pathspec import GitIgnoreSpec  # only runs that have patterns pay for it

    valid = []
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        valid.append(line)
    return GitIgnoreSpec.from_lines(valid)


def is_below(path: str, directory: str) -> bool:
    """Whether a path is a directory or below it, both absolute and without ``.`` and ``..``."""
    return path == directory or path.startswith(directory if directory.endswith(os.sep) else directory + os.sep)


def inside(path: str, directory: str) -> str:
    """The way from a directory to what is below it."""
    return path[len(directory) :].lstrip(os.sep) or os.curdir


def relative(path: str, home: str, is_directory: bool) -> str:
    """A path as patterns see it: from their home, above which it is not, with a slash after a directory."""
    return inside(path, home).replace(os.sep, "/") + "/" * is_directory
