"""Which functions can matter: those from which a call of a wanted name can be reached, judged by names alone.

A walk over a body costs far more than a look at the names that it mentions, and most bodies mention none that lead anywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from klint.source.python import children, tree_nodes

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)
class Relevance:
    """The functions of a module that can matter, and the names through which they are reached.

    ``making`` are those names that matter where objects are made: of a class it is the constructor that counts, not what its objects compute. ``statements`` are those
    of the module, each with the names that it mentions.
    """

    definitions: frozenset[ast.AST] = frozenset()
    names: frozenset[str] = frozenset()
    making: frozenset[str] = frozenset()
    statements: list[tuple[ast.stmt, set[str]]] = field(default_factory=list)


def relevance(tree: ast.Module, wanted: frozenset[str]) -> Relevance:
    """The functions of a module that mention a wanted name, or a name through which one is reached.

    Such names are those of functions that matter, of classes with a method that matters and of those that derive from them, and
    of attributes and module globals that are assigned from an expression that mentions one.
    """
    mentions: _Mentions | None = getattr(tree, "_klint_mentions", None)
    if mentions is None:
        mentions = _Mentions()
        for statement in tree.body:
            mentions.statements.append((statement, mentions.read(statement, "", is_local=False)))
        tree._klint_mentions = mentions  # type: ignore[attr-defined]
    found, reached = mentions.closure(wanted, ("__init__", "__call__", "forward"))
    _, making = mentions.closure(wanted, ("__init__",))
    return Relevance(found, reached, making, mentions.statements)


class _Mentions:
    """The names that each function of a module mentions, and those that each assignment does, with its targets: found in one walk."""

    def __init__(self) -> None:
        self.statements: list[tuple[ast.stmt, set[str]]] = []
        self.functions: list[tuple[Definition, set[str], str]] = []
        self.assignments: list[tuple[set[str], set[str]]] = []

    def closure(self, wanted: frozenset[str], methods: tuple[str, ...]) -> tuple[frozenset[ast.AST], frozenset[str]]:
        """The functions that mention a name through which a wanted one is reached, and these names; a class stands for these ``methods``."""
        reached, found = set[str](), set[ast.AST]()
        queue = list(wanted)
        for name in queue:
            if name in reached:
                continue
            reached.add(name)
            for definition, owner in self._functions_by_name.get(name, ()):
                if definition not in found:
                    found.add(definition)
                    if not definition.name.startswith("__"):  # such methods are called by others than their names
                        queue.append(definition.name)
                    if owner and definition.name in methods:
                        queue.append(owner)
            for targets in self._targets_by_name.get(name, ()):
                queue += targets
        return frozenset(found), frozenset(reached)

    @cached_property
    def _functions_by_name(self) -> dict[str, list[tuple[Definition, str]]]:
        found: dict[str, list[tuple[Definition, str]]] = {}
        for definition, names, owner in self.functions:
            for name in names:
                found.setdefault(name, []).append((definition, owner))
        return found

    @cached_property
    def _targets_by_name(self) -> dict[str, list[set[str]]]:
        found: dict[str, list[set[str]]] = {}
        for targets, names in self.assignments:
            for name in names:
                found.setdefault(name, []).append(targets)
        return found

    def read(self, tree: ast.AST, owner: str, is_local: bool) -> set[str]:
        """The names that a tree mentions. Variables of functions (``is_local``) are no targets, attributes always are."""
        names: set[str] = set()
        stack = [tree]
        while stack:
            node = stack.pop()
            kind = node.__class__
            if kind is ast.Name:
                names.add(node.id)  # type: ignore[attr-defined]
            elif kind is ast.Constant:
                if isinstance(node.value, str) and node.value.isidentifier():  # type: ignore[attr-defined]
                    names.add(node.value)  # type: ignore[attr-defined]
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                names |= self._read_function(node, owner, is_local)
            elif isinstance(node, ast.ClassDef):
                names |= self._read_class(node, is_local)
            elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
                names |= self._read_assignment(node, owner, is_local)
            elif isinstance(node, ast.alias):
                name = node.name.rpartition(".")[2]
                names.add(name)
                if node.asname:
                    self.assignments.append(({node.asname}, {name}))
            else:
                if kind is ast.Attribute:
                    names.add(node.attr)  # type: ignore[attr-defined]
                stack += children(node)
        return names

    def _read_function(self, tree: Definition, owner: str, is_local: bool) -> set[str]:
        place = len(self.functions)
        names = set[str]()
        for child in children(tree):
            names |= self.read(child, "", is_local=True)
        self.functions.insert(place, (tree, names, owner))
        return names

    def _read_class(self, tree: ast.ClassDef, is_local: bool) -> set[str]:
        bases = set[str]()
        for base in tree.bases:
            bases |= self.read(base, "", is_local)
        self.assignments.append(({tree.name}, bases))
        names = set(bases)
        for child in children(tree):
            if child not in tree.bases:
                place = len(self.functions)
                names |= self.read(child, tree.name, is_local=False)
                for _, mentioned, owner in self.functions[place:]:
                    if owner == tree.name and "super" in mentioned:
                        mentioned |= bases
        return names

    def _read_assignment(
        self, tree: ast.Assign | ast.AnnAssign | ast.AugAssign, owner: str, is_local: bool
    ) -> set[str]:
        names, targets = set[str](), set[str]()
        for target in tree.targets if isinstance(tree, ast.Assign) else [tree.target]:
            names |= self.read(target, owner, is_local)
            targets.update(_assigned(target, is_local))
        if isinstance(tree, ast.AnnAssign):
            names |= self.read(tree.annotation, owner, is_local)
        if tree.value is not None:
            read = self.read(tree.value, owner, is_local)
            names |= read
            if targets:
                self.assignments.append((targets, read))
        return names


def _assigned(target: ast.expr, is_local: bool) -> Iterator[str]:
    """The names under which what is assigned to a target is held."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from _assigned(part, is_local)
    elif isinstance(target, ast.Attribute):
        yield target.attr
    elif isinstance(target, (ast.Subscript, ast.Starred)):
        yield from _assigned(target.value, is_local)
    elif isinstance(target, ast.Name) and not is_local and target.id != "__all__":
        yield target.id


def names_in(tree: ast.AST) -> frozenset[str]:
    """Every identifier that a tree mentions, in strings too (``getattr(F, "kl_div")``)."""
    names: set[str] = set()
    for node in tree_nodes(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
        elif isinstance(node, ast.alias):
            names.add(node.name.rpartition(".")[2])
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
            names.add(node.value)
    return frozenset(names)
