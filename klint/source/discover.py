"""Which files a run is about: directories walked for Python files, files as named, and standard input."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from klint.source.exclude import Excluded, relative, spec
from klint.source.python import NOTEBOOK, SourceError, decode_source, read_source

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

STDIN = "-"
SUFFIXES = (".py", ".pyi", NOTEBOOK)
"""Files that are found in directories; others are taken where they are named."""


@dataclass(frozen=True)
class SourceFile:
    """A file to lint: its name as output spells it, and where it is (None: standard input)."""

    filename: str
    path: Path | None

    def read(self) -> str | SourceError:
        """The text of the file, or why there is none."""
        if self.path is None:
            return decode_source(sys.stdin.buffer.read(), self.filename)
        return read_source(self.path, self.filename)


@dataclass
class Discovery:
    """The files of a run, sorted and each once, and the paths that could not be followed."""

    files: list[SourceFile] = field(default_factory=list)
    errors: list[SourceError] = field(default_factory=list)


def discover(
    paths: Iterable[str | Path],
    excluded_in: Callable[[Path], Excluded] = lambda _: Excluded(),
    force_exclude: bool = False,
    stdin_filename: str | None = None,
) -> Discovery:
    """Find the Python files at ``paths``.

    Directories are walked, but for what ``excluded_in`` says of each and for what ``.gitignore`` files name. What is
    named is taken, unless ``force_exclude`` holds it to the same exclusions.
    """
    found = Discovery()
    named: list[Path] = []
    for path in map(Path, paths):
        if str(path) == STDIN:
            if not (force_exclude and stdin_filename and _is_excluded(_absolute(stdin_filename), excluded_in)):
                found.files.append(SourceFile(display_name(stdin_filename) if stdin_filename else STDIN, None))
            continue
        path = _absolute(path)
        try:
            if force_exclude and _is_excluded(path, excluded_in):
                continue
            if not path.exists():
                found.errors.append(SourceError(display_name(path), 0, 0, "no such file or directory"))
            elif path.is_dir():
                named.extend(_walk(path, excluded_in, found.errors))
            else:
                named.append(path)
        except (OSError, ValueError) as error:  # a name that is too long, a directory on the way that is closed, a NUL
            found.errors.append(_unreadable(path, error))
    found.files.extend(SourceFile(display_name(path), path) for path in _distinct(named))
    found.files = sorted(set(found.files), key=lambda file: file.filename)
    found.errors = sorted(set(found.errors), key=str)
    return found


def roots_of(paths: Iterable[str | Path]) -> tuple[str, ...]:
    """Where a run over some paths looks for imports: each directory that is named is a root."""
    return tuple(os.path.normpath(path) for path in paths if os.path.isdir(path))


def display_name(path: str | Path) -> str:
    """A path as output spells it, however it was given: from the working directory, where it is inside."""
    absolute = _absolute(path)
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def _absolute(path: str | Path) -> Path:
    """The path without ``.`` and ``..``; links are left alone, since they are names that the user knows."""
    return Path(os.path.abspath(path))


def _distinct(paths: Iterable[Path]) -> Iterator[Path]:
    """Each file once; where links lead to it too, under its own name."""
    by_file: dict[str, tuple[bool, Path]] = {}
    for path in paths:
        real = os.path.realpath(path)
        candidate = (real != str(path), path)
        by_file[real] = min(by_file.get(real, candidate), candidate)
    return (path for _, path in by_file.values())


def _is_excluded(path: Path, excluded_in: Callable[[Path], Excluded]) -> bool:
    """Whether a path that the user named is excluded, by itself or with a directory above it."""
    home = Path.cwd() if path.is_relative_to(Path.cwd()) else path.parent
    above = (parent for parent in path.parents if parent != home and parent.is_relative_to(home))
    return any(excluded_in(each.parent).excludes(each, each.is_dir(), home) for each in (path, *above) if each != home)


def _walk(root: Path, excluded_in: Callable[[Path], Excluded], errors: list[SourceError]) -> Iterator[Path]:
    """The Python files below a directory. Links to directories are not followed, so that loops cannot arise."""
    stack = [(root, _ignores_above(root))]
    while stack:
        directory, ignores = stack.pop()
        try:
            with os.scandir(directory) as scan:
                entries = list(scan)
        except OSError as error:
            errors.append(_unreadable(directory, error))
            continue
        if any(entry.name == ".gitignore" for entry in entries):
            ignores = (_Ignore.read(directory), *ignores)
        excluded = excluded_in(directory)
        for entry in entries:
            path = directory / entry.name
            is_directory = entry.is_dir(follow_symlinks=False)
            if not is_directory and not (path.suffix in SUFFIXES and _is_file(entry)):
                continue
            if excluded.excludes(path, is_directory, root) or _is_ignored(path, is_directory, ignores):
                continue
            if is_directory:
                stack.append((path, ignores))
            else:
                yield path


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file: sockets and broken links are not; where that cannot be told, reading will say why."""
    try:
        return entry.is_file()
    except OSError:
        return True


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError(display_name(path), 0, 0, f"cannot be read: {getattr(error, 'strerror', None) or error}")


@dataclass(frozen=True)
class _Ignore:
    """One ``.gitignore`` file."""

    directory: Path
    spec: GitIgnoreSpec

    @classmethod
    def read(cls, directory: Path) -> _Ignore:
        try:
            lines = (directory / ".gitignore").read_text("utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return cls(directory, spec(lines))

    def decides(self, path: Path, is_directory: bool) -> bool | None:
        """True: ignore it; False: do not, whatever the files above say; None: no opinion."""
        return self.spec.check_file(relative(path, self.directory, is_directory)).include


def _is_ignored(path: Path, is_directory: bool, ignores: Sequence[_Ignore]) -> bool:
    """The nearest ``.gitignore`` that has an opinion decides."""
    opinions = (ignore.decides(path, is_directory) for ignore in ignores)
    return next((opinion for opinion in opinions if opinion is not None), False)


def _ignores_above(root: Path) -> tuple[_Ignore, ...]:
    """The ``.gitignore`` files above ``root`` in its repository; none if they ignore ``root``: the user names it."""
    directories: list[Path] = []
    for directory in () if (root / ".git").exists() else root.parents:
        directories.append(directory)
        if (directory / ".git").exists():
            ignores = tuple(_Ignore.read(above) for above in directories)
            inside = (root, *directories[:-1])
            return () if any(_is_ignored(path, True, _above(path, ignores)) for path in inside) else ignores
    return ()


def _above(path: Path, ignores: Sequence[_Ignore]) -> list[_Ignore]:
    return [ignore for ignore in ignores if ignore.directory != path and path.is_relative_to(ignore.directory)]
