"""Which functions can matter: those from which a call of a wanted name can be reached, judged by names alone.

A walk over a body costs far more than a look at the names that it mentions, and most bodies mention none that lead anywhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from klint.source.python import tree_nodes

Definition = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)
class Relevance:
    """The functions of a module that can matter, and the names through which they are reached."""

    definitions: frozenset[ast.AST] = frozenset()
    names: frozenset[str] = frozenset()


def relevance(tree: ast.Module, wanted: frozenset[str]) -> Relevance:
    """The functions of a module that mention a wanted name, or a name through which one is reached.

    Such names are those of functions that matter, of classes with a method that matters and of those that derive from them, and
    of attributes and module globals that are assigned from an expression that mentions one.
    """
    functions: list[tuple[Definition, frozenset[str], str | None]] = []
    assignments: list[tuple[frozenset[str], frozenset[str]]] = []
    for definition, owner in _definitions(tree):
        functions.append((definition, names_in(definition), owner))
        assignments.extend(_assignments(definition, attributes_only=True))
    for statement in tree.body:
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            assignments.extend(_assignments(statement, attributes_only=False))
    for node in tree_nodes(tree):
        if isinstance(node, ast.ClassDef):
            assignments.append((frozenset((node.name,)), frozenset().union(*map(names_in, node.bases))))
            for statement in node.body:
                if isinstance(statement, (ast.Assign, ast.AnnAssign)):
                    assignments.extend(_assignments(statement, attributes_only=False))
    reached: set[str] = set(wanted)
    found: set[ast.AST] = set()
    before = -1
    while before != len(reached) + len(found):
        before = len(reached) + len(found)
        for definition, names, owner in functions:
            if definition not in found and names & reached:
                found.add(definition)
                reached.add(definition.name)
                if owner is not None and definition.name in ("__init__", "__call__", "forward"):
                    reached.add(owner)
        for targets, names in assignments:
            if names & reached:
                reached |= targets
    return Relevance(frozenset(found), frozenset(reached))


def _definitions(tree: ast.AST, owner: str | None = None) -> Iterator[tuple[Definition, str | None]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield from _definitions(node, node.name)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node, owner
            yield from _definitions(node)
        elif isinstance(node, ast.stmt):
            yield from _definitions(node, owner)


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


def _assignments(tree: ast.AST, attributes_only: bool) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """Targets of assignments with the names that their values mention; aliases of imports count as assignments."""
    for node in tree_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                if alias.asname:
                    yield frozenset((alias.asname,)), frozenset((alias.name.rpartition(".")[2],))
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {
                part.attr if isinstance(part, ast.Attribute) else part.id
                for target in targets
                for part in tree_nodes(target)
                if isinstance(part, ast.Attribute) or (isinstance(part, ast.Name) and not attributes_only)
            }
            if names:
                yield frozenset(names), names_in(node.value)


def global_setters(tree: ast.Module) -> frozenset[str]:
    """The functions that bind a global of their module."""
    definitions = (definition for definition, _ in _definitions(tree))
    return frozenset(
        definition.name
        for definition in definitions
        if any(isinstance(node, ast.Global) for node in tree_nodes(definition))
    )


def bound_names(tree: ast.Module) -> Iterator[str]:
    """Each name that a module's body binds, as often as it does; names that a function binds as globals count too."""
    queue: list[ast.AST] = list(tree.body)
    while queue:
        node = queue.pop()
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            queue.extend(inner for inner in tree_nodes(node) if isinstance(inner, ast.Global))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif not isinstance(node, (ast.ClassDef, ast.Lambda)):
            queue.extend(ast.iter_child_nodes(node))
