"""Which files a run is about: directories walked for Python files, files as named, and standard input.

Paths are strings here, and the disk is asked as little as it can be: a run over many files that have not changed is little else than this.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from klint.source.exclude import Excluded, inside, is_below, relative, spec
from klint.source.python import NOTEBOOK, SourceError, decode_source, read_source

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

STDIN = "-"
SUFFIXES = (".py", ".pyi", NOTEBOOK)
"""Files that are found in directories; others are taken where they are named."""


class SourceFile(NamedTuple):
    """A file to lint: its name as output spells it, and where it is (None: standard input).

    One that ``flows``, as a pipe does, can be read once only.
    """

    filename: str
    path: str | None
    flows: bool = False

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


class _Place(NamedTuple):
    """Where a file was found: its path, the path behind all links, and whether it can be read once only."""

    path: str
    real: str
    flows: bool = False


def discover(
    paths: Iterable[str | Path],
    excluded_in: Callable[[str], Excluded] = lambda _: Excluded(),
    force_exclude: bool = False,
    stdin_filename: str | None = None,
) -> Discovery:
    """Find the Python files at ``paths``.

    Directories are walked, but for what ``excluded_in`` says of each and for what ``.gitignore`` files name. What is
    named is taken, unless ``force_exclude`` holds it to the same exclusions.
    """
    found = Discovery()
    places: list[_Place] = []
    for given in map(str, paths):
        if given == STDIN:
            if not (force_exclude and stdin_filename and _is_excluded(os.path.abspath(stdin_filename), excluded_in)):
                found.files.append(SourceFile(display_name(stdin_filename) if stdin_filename else STDIN, None, True))
            continue
        path = os.path.abspath(
            given
        )  # without . and ..; links are left alone, since they are names that the user knows
        try:
            if not (force_exclude and _is_excluded(path, excluded_in)):
                places += _at(path, excluded_in, found.errors)
        except (OSError, ValueError) as error:  # a name that is too long, a directory on the way that is closed, a NUL
            found.errors.append(_unreadable(path, error))
    here = os.getcwd()
    found.files = [*dict.fromkeys(found.files)]
    found.files += [SourceFile(_spelled(place.path, here), place.path, place.flows) for place in _distinct(places)]
    found.files.sort(key=lambda file: file.filename)
    found.errors = sorted(set(found.errors), key=str)
    return found


def roots_of(paths: Iterable[str | Path]) -> tuple[str, ...]:
    """Where a run over some paths looks for imports: each directory that is named is a root."""
    return tuple(os.path.normpath(path) for path in paths if os.path.isdir(path))


def display_name(path: str | Path) -> str:
    """A path as output spells it, however it was given: from the working directory, where it is inside."""
    return _spelled(os.path.abspath(path), os.getcwd())


def _spelled(path: str, here: str) -> str:
    return inside(path, here) if is_below(path, here) else path


def _at(path: str, excluded_in: Callable[[str], Excluded], errors: list[SourceError]) -> Iterable[_Place]:
    """The files at a path that was named."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise
        errors.append(SourceError(display_name(path), 0, 0, "no such file or directory"))
        return ()
    if stat.S_ISDIR(mode):
        return _walk(path, excluded_in, errors)
    return (_Place(path, os.path.realpath(path), not stat.S_ISREG(mode)),)


def _distinct(places: Iterable[_Place]) -> Iterable[_Place]:
    """Each file once; where links lead to it too, under its own name."""
    by_file: dict[str, _Place] = {}
    for place in places:
        known = by_file.setdefault(place.real, place)
        if known is not place:
            by_file[place.real] = min(known, place, key=lambda each: (each.path != each.real, each.path))
    return by_file.values()


def _is_excluded(path: str, excluded_in: Callable[[str], Excluded]) -> bool:
    """Whether a path that the user named is excluded, by itself or with a directory above it."""
    here = os.getcwd()
    home = here if is_below(path, here) else os.path.dirname(path)
    while path != home:
        above = os.path.dirname(path)
        if excluded_in(above).excludes(path, os.path.isdir(path), home):
            return True
        path = above
    return False


def _walk(root: str, excluded_in: Callable[[str], Excluded], errors: list[SourceError]) -> Iterator[_Place]:
    """The Python files below a directory. Links to directories are not followed, so that loops cannot arise."""
    stack = [(root, os.path.realpath(root), _ignores_above(root))]
    while stack:
        directory, real, ignores = stack.pop()
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
            name = entry.name
            is_directory = entry.is_dir(follow_symlinks=False)
            if not is_directory and not (name.endswith(SUFFIXES) and name not in SUFFIXES and _is_file(entry)):
                continue
            path = entry.path
            if (is_directory or excluded.patterns) and excluded.excludes(path, is_directory, root):
                continue
            if ignores and _is_ignored(path, is_directory, ignores):
                continue
            if entry.is_symlink():
                behind = os.path.realpath(path)
            else:
                behind = path if real == directory else os.path.join(real, name)
            if is_directory:
                stack.append((path, behind, ignores))
            else:
                yield _Place(path, behind)


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file: sockets and broken links are not; where that cannot be told, reading will say why."""
    try:
        return entry.is_file()
    except OSError:
        return True


def _unreadable(path: str, error: Exception) -> SourceError:
    return SourceError(display_name(path), 0, 0, f"cannot be read: {getattr(error, 'strerror', None) or error}")


@dataclass(frozen=True)
class _Ignore:
    """One ``.gitignore`` file."""

    directory: str
    spec: GitIgnoreSpec

    @classmethod
    def read(cls, directory: str) -> _Ignore:
        try:
            lines = Path(directory, ".gitignore").read_text("utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return cls(directory, spec(lines))

    def decides(self, path: str, is_directory: bool) -> bool | None:
        """True: ignore it; False: do not, whatever the files above say; None: no opinion."""
        return self.spec.check_file(relative(path, self.directory, is_directory)).include


def _is_ignored(path: str, is_directory: bool, ignores: Sequence[_Ignore]) -> bool:
    """The nearest ``.gitignore`` that has an opinion decides."""
    for ignore in ignores:
        opinion = ignore.decides(path, is_directory)
        if opinion is not None:
            return opinion
    return False


def _ignores_above(root: str) -> tuple[_Ignore, ...]:
    """The ``.gitignore`` files above ``root`` in its repository; none if they ignore ``root``: the user names it."""
    directories: list[str] = []
    for directory in () if os.path.exists(os.path.join(root, ".git")) else map(str, Path(root).parents):
        directories.append(directory)
        if os.path.exists(os.path.join(directory, ".git")):
            ignores = tuple(_Ignore.read(above) for above in directories)
            inside = (root, *directories[:-1])
            return () if any(_is_ignored(path, True, _above(path, ignores)) for path in inside) else ignores
    return ()


def _above(path: str, ignores: Sequence[_Ignore]) -> list[_Ignore]:
    return [ignore for ignore in ignores if ignore.directory != path and is_below(path, ignore.directory)]
