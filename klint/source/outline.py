"""Modules that are parsed statement by statement, as names of theirs are asked for: most of what is imported is never looked at."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator

from klint.source.python import SourceError, SourceUnit, children, parse_source, parse_tree, tree_nodes

_START = re.compile(r"\n(?=[^\s#)\]}])")
_HEAD = re.compile(r"(?:(?:async\s+)?def|class)\s+(\w+)|(\w+)\s*(?::[^=\n]*)?=(?!=)")
_CODE = re.compile(r"(?:@|def |class |async |import |from |\w+ = )")
_CONTINUES = re.compile(r"(?:else|elif|except|finally)\b")
_TRIPLE = re.compile("\"\"\"|'''")
_GLOBAL = re.compile(r"^([ \t]+)global[ \t]+([\w, \t]+)", re.MULTILINE)
_DEFINITION = re.compile(r"([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")

_TOKEN = re.compile(
    r"""(\"{3}(?:[^"\\]|\\.|"(?!""))*"{3}|'{3}(?:[^'\\]|\\.|'(?!''))*'{3})|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|\#[^\n]*""",
    re.DOTALL,
)


class OutlinedUnit(SourceUnit):
    """A module of which only the statements are parsed that bind what is asked for; its ``tree``, once it is asked for, holds the same nodes."""

    def __init__(self, filename: str, text: str) -> None:
        self.filename, self.text = filename, text
        self.errors, self.origin, self.part, self.seen = [], None, 0, {}
        self._outline = Outline(text)
        self._bindings: dict[str, list[ast.stmt]] = {}
        self._rebound: frozenset[str] | None = None

    def __getattr__(self, name: str) -> ast.Module:
        if name != "tree":
            raise AttributeError(name)
        whole = parse_source(self.text, self.filename)
        self.errors = whole.errors
        known = {(tree.lineno, tree.col_offset): tree for tree in self._outline.parsed}
        whole.tree.body = [known.get((tree.lineno, tree.col_offset), tree) for tree in whole.tree.body]
        self.tree: ast.Module = whole.tree
        return self.tree

    def binding(self, name: str) -> list[ast.stmt]:
        """The top-level statements that bind a name, in order."""
        if name not in self._bindings:
            found = None if "tree" in self.__dict__ else self._outline.binding(name)
            if found is None:
                found = [tree for tree in self.tree.body if name in bound(tree)]
            self._bindings[name] = found
        return self._bindings[name]

    def rebound(self) -> frozenset[str]:
        """The names that the module binds more than once, or that a function binds as its globals."""
        if self._rebound is None:
            self._rebound = frozenset(self._outline.rebound())
        return self._rebound

    def names(self) -> set[str]:
        """All that the module binds."""
        return set[str]().union(*map(bound, self.tree.body))


class Outline:
    """Where the top-level statements of a text start, and which names they bind as far as their first line tells."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._known: dict[int, list[ast.stmt] | None] = {}
        self._starts: list[int] = []
        self._heads: dict[str, list[int]] = {}
        self._others: list[int] = []
        self._assigned: list[str] = []
        for start, first_line in _statements(text):
            head = _HEAD.match(text, first_line)
            if head is None or (head[2] and "=" in text[head.end() : text.find("\n", head.end())]):
                self._others.append(len(self._starts))  # what it binds is seen once it is parsed
            else:
                self._heads.setdefault(head[1] or head[2], []).append(len(self._starts))
                if head[2]:
                    self._assigned.append(head[2])
            self._starts.append(start)

    def rebound(self) -> set[str]:
        """The names that are assigned more than once, or by a function as a global."""
        times = Counter(self._assigned)
        for index in self._others:
            if not self._text.startswith(("import ", "from ", '"', "'"), self._starts[index]):
                times.update(name for tree in self._parse(index) or () for name in assigned(tree))
        return {name for name, count in times.items() if count > 1} | globals_of(self._text)

    @property
    def parsed(self) -> list[ast.stmt]:
        """The statements that have been parsed."""
        return [tree for trees in self._known.values() for tree in trees or ()]

    def binding(self, name: str) -> list[ast.stmt] | None:
        """The statements that bind a name, in order; None where that cannot be told from them alone."""
        indices = {*self._heads.get(name, ()), *(index for index in self._others if self._mentions(index, name))}
        found: list[ast.stmt] = []
        for index in sorted(indices):
            trees = self._parse(index)
            if trees is None:
                return None
            found += [tree for tree in trees if name in bound(tree)]
        return found

    def _span(self, index: int) -> tuple[int, int]:
        end = self._starts[index + 1] if index + 1 < len(self._starts) else len(self._text)
        return self._starts[index], end

    def _mentions(self, index: int, name: str) -> bool:
        return self._text.find(name, *self._span(index)) >= 0

    def _parse(self, index: int) -> list[ast.stmt] | None:
        if index not in self._known:
            start, end = self._span(index)
            tree = parse_tree("\n" * self._text.count("\n", 0, start) + self._text[start:end], "")
            self._known[index] = None if isinstance(tree, SourceError) else tree.body
        return self._known[index]


def members(tree: ast.ClassDef) -> dict[str, list[ast.stmt]]:
    """By name, the statements of a class that bind its attributes and methods, in order."""
    known: dict[str, list[ast.stmt]] | None = getattr(tree, "_klint_members", None)
    if known is None:
        known = tree._klint_members = {}  # type: ignore[attr-defined]
        for statement in tree.body:
            for name in bound(statement):
                known.setdefault(name, []).append(statement)
    return known


def rebound_names(unit: SourceUnit) -> frozenset[str]:
    """The names that a module assigns more than once, or that a function assigns as its globals."""
    if isinstance(unit, OutlinedUnit):
        return unit.rebound()
    times = Counter(name for statement in unit.tree.body for name in assigned(statement))
    return frozenset(name for name, count in times.items() if count > 1) | globals_of(unit.text)


def globals_of(text: str) -> set[str]:
    """The names of a module that its functions bind."""
    return {name.strip() for match in _GLOBAL.finditer(text) for name in match[2].split(",")}


def global_setters(text: str) -> frozenset[str]:
    """The functions of a module that bind its names, and those that enclose them."""
    found = set[str]()
    for match in _GLOBAL.finditer(text):
        indent, end = len(match[1]), match.start()
        while indent and end > 0:
            start = text.rfind("\n", 0, end - 1) + 1
            above = _DEFINITION.match(text, start, end)
            if above is not None and len(above[1]) < indent:
                indent = len(above[1])
                found.add(above[2])
            end = start
    return frozenset(found)


def bound(tree: ast.stmt) -> set[str]:
    """The names that a top-level statement binds."""
    if isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {tree.name}
    names: set[str] = set()
    for node in tree_nodes(tree):
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
    return names


def assigned(tree: ast.AST) -> Iterator[str]:
    """Each name that a statement assigns outside of functions and classes, as often as it does."""
    queue = [tree]
    for node in queue:
        if isinstance(node, ast.Name):
            if isinstance(node.ctx, ast.Store):
                yield node.id
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            queue += children(node)


def _statements(text: str) -> Iterator[tuple[int, int]]:
    """Where top-level statements start, and where their first line does, which in a definition is below the decorators.

    They start at the lines that start at column 1, but in brackets, strings and the middle of a statement.
    """
    starts = [0, *(match.end() for match in _START.finditer(text))]
    inside = _within(starts, _pairs(text))
    if any(
        _CODE.match(text, start) for start in inside
    ):  # code in a string, or a quote that is none: look more closely
        inside = _within(starts, [match.span(1) for match in _TOKEN.finditer(text) if match[1]])
    decorated: int | None = None
    for start in starts:
        if start and (start in inside or text[start - 2] in "([{\\" or _CONTINUES.match(text, start)):
            continue
        if text.startswith("@", start):
            decorated = start if decorated is None else decorated
            continue
        yield start if decorated is None else decorated, start
        decorated = None


def _pairs(text: str) -> list[tuple[int, int]]:
    """The stretches between triple quotes."""
    pairs = []
    at, opened = 0, ""
    for match in _TRIPLE.finditer(text):
        if not opened:
            at, opened = match.start(), match[0]
        elif match[0] == opened:
            pairs.append((at, match.end()))
            opened = ""
    return pairs


def _within(starts: list[int], stretches: list[tuple[int, int]]) -> set[int]:
    """Which of some places, in order, lie in stretches, in order."""
    found = set[int]()
    index = 0
    for start, end in stretches:
        while index < len(starts) and starts[index] <= start:
            index += 1
        while index < len(starts) and starts[index] < end:
            found.add(starts[index])
            index += 1
    return found
