"""Imports across the files of a project: where a module's file is, and its parsed text, once.

Nothing is executed, and nothing outside the project's roots is read.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from klint.source.dependencies import Dependencies
from klint.source.outline import OutlinedUnit
from klint.source.places import Places
from klint.source.python import (
    SourceError,
    SourceUnit,
    decode_source,
    digest,
    read_bytes,
    tree_nodes,
)

Found = TypeVar("Found")

KEPT = 8_000_000
"""Of how many characters modules are kept at hand."""

LARGEST = 1_000_000
"""Files of more characters are not followed into."""


@dataclass(eq=False)
class Project:
    """The modules that imports may lead to.

    A module is looked for under the directory that holds the importing file's top package (or the file itself, for a
    script), under ``src`` there, and under the ``roots`` that the user names. What an editor holds ``unsaved``, by the
    names of files, wins over what is on disk.
    """

    roots: tuple[str, ...] = ()
    unsaved: Mapping[str, str] = field(default_factory=dict)
    _units: dict[str, tuple[OutlinedUnit | None, str]] = field(default_factory=dict)
    _places: Places = field(default_factory=Places)
    _size: int = 0
    _paths: dict[str, tuple[tuple[str, list[str]], Dependencies]] = field(default_factory=dict)
    _homes: dict[str, tuple[tuple[str, tuple[str, ...]], Dependencies]] = field(default_factory=dict)
    _tops: dict[str, tuple[str, Dependencies]] = field(default_factory=dict)
    _asked: Dependencies = field(default_factory=Dependencies)

    def record(self) -> Dependencies:
        """What is asked of the project from here on, until the next record."""
        self._asked = Dependencies()
        return self._asked

    def absolute(self, unit: SourceUnit, module: str, level: int) -> str:
        """The full name of a module that a file imports relatively; empty if it leads out of the package."""
        if level == 0:
            return module
        _, package = self._home(unit.filename)
        if len(package) < level:
            return ""
        parts = package[: len(package) - level + 1]
        return ".".join((*parts, *filter(None, module.split("."))))

    def find(self, unit: SourceUnit, name: str) -> tuple[OutlinedUnit, list[str]] | None:
        """The module that a full name leads to, seen from a file, and the names inside it that are left."""
        path, names = self._locate(unit, name)
        module = self._unit(path) if path else None
        return None if module is None else (module, names)

    def taken(self, unit: SourceUnit, names: frozenset[str]) -> frozenset[str]:
        """Those of some names that a module imports from other files, or takes as attributes of what it imports from them."""
        imported: dict[str, set[str]] = {}
        found: set[str] = set()
        nodes = tree_nodes(unit.tree)
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    name = alias.asname or alias.name.partition(".")[0]
                    imported.setdefault(name, set()).add(alias.name if alias.asname else name)
            elif isinstance(node, ast.ImportFrom):
                module = self.absolute(unit, node.module or "", node.level)
                for alias in node.names if module else ():
                    imported.setdefault(alias.asname or alias.name, set()).add(f"{module}.{alias.name}")
                    if alias.name in names and self._has(unit, module):
                        found.add(alias.name)
        for node in nodes:
            if isinstance(node, ast.Attribute) and node.attr in names and node.attr not in found:
                root, _, chain = dotted(node).partition(".")
                if any(self._has(unit, f"{module}.{chain}") for module in imported.get(root, ())):
                    found.add(node.attr)
        return frozenset(found)

    def _has(self, unit: SourceUnit, name: str) -> bool:
        """Whether a full name leads into a file of the project."""
        return bool(self._locate(unit, name)[0])

    def _locate(self, unit: SourceUnit, name: str) -> tuple[str, list[str]]:
        """The file that a full name leads to, seen from a file, and the names inside it that are left; no file if it leads elsewhere."""
        place = f"{os.path.dirname(unit.filename)}\0{name}"
        return self._remembered(self._paths, place, lambda _: self._find_path(unit, name.split(".")))

    def _find_path(self, unit: SourceUnit, parts: list[str]) -> tuple[str, list[str]]:
        for root in self._roots(unit):
            first = os.path.join(root, parts[0])
            if self._kind(first) != "directory" and self._kind(first + ".py") != "file":
                continue
            for length in range(len(parts), 0, -1):
                stem = os.path.join(root, *parts[:length])
                for path in (stem + ".py", os.path.join(stem, "__init__.py")):
                    if self._kind(path) == "file":
                        return os.path.normpath(path), parts[length:]
        return "", []

    def _roots(self, unit: SourceUnit) -> Iterator[str]:
        home, _ = self._home(unit.filename)
        seen: set[str] = set()
        for top in (home, *self.roots, self._top(home)):
            if top not in seen:
                seen.add(top)
                yield top
            source = os.path.join(top, "src")
            if source not in seen and self._kind(source) == "directory":
                seen.add(source)
                yield source

    def _unit(self, path: str) -> OutlinedUnit | None:
        if path not in self._units:
            data = read_bytes(path, path)
            text = self.unsaved.get(path, data)
            if isinstance(text, bytes):
                text = decode_source(text, path)
            module = None if isinstance(text, SourceError) or len(text) > LARGEST else OutlinedUnit(path, text)
            self._keep(path, module, digest(data))
        unit, self._asked.digests[path] = self._units[path]
        return unit

    def _keep(self, path: str, module: OutlinedUnit | None, read: str) -> None:
        size = 0 if module is None else len(module.text)
        if self._size + size > KEPT:
            self._units.clear()
            self._size = 0
        self._units[path] = module, read
        self._size += size

    def _home(self, filename: str) -> tuple[str, tuple[str, ...]]:
        """The directory above a file's top package, and the package that the file is in."""
        return self._remembered(self._homes, os.path.dirname(filename), self._find_home)

    def _find_home(self, directory: str) -> tuple[str, tuple[str, ...]]:
        package: list[str] = []
        while self._kind(os.path.join(directory, "__init__.py")) == "file" and len(package) < 20:
            name = os.path.basename(directory)
            if not name.isidentifier():
                break
            package.insert(0, name)
            directory = os.path.dirname(directory)
        return directory, tuple(package)

    def _top(self, directory: str) -> str:
        """The directory of the project's own files above a directory; the directory itself where there are none."""
        return self._remembered(self._tops, directory, self._find_top)

    def _find_top(self, directory: str) -> str:
        current, steps = os.path.abspath(directory), ""
        for _ in range(10):
            if any(self._kind(os.path.join(current, mark)) for mark in ("pyproject.toml", "setup.py", ".git")):
                return os.path.normpath(os.path.join(directory, steps)) if steps else directory
            current, steps = os.path.dirname(current), os.path.join(steps, os.pardir)
        return directory

    def _remembered(
        self, known: dict[str, tuple[Found, Dependencies]], place: str, find: Callable[[str], Found]
    ) -> Found:
        """What ``find`` says of a place; it is asked once, and each time counts as asking what it has asked."""
        if place not in known:
            outer, self._asked = self._asked, Dependencies()
            known[place] = find(place), self._asked
            self._asked = outer
        found, asked = known[place]
        self._asked.add(asked)
        return found

    def _kind(self, path: str) -> str:
        """What stands at a path: a file, a directory, or nothing; the disk is asked once."""
        found = self._asked.kinds[path] = self._places.kind(path)
        return found


def dotted(tree: ast.expr) -> str:
    """A name and the attributes that are taken of it, as they are written; empty if it is another expression."""
    names: list[str] = []
    while isinstance(tree, ast.Attribute):
        names.append(tree.attr)
        tree = tree.value
    return ".".join((tree.id, *reversed(names))) if isinstance(tree, ast.Name) else ""
