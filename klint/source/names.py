"""Who binds a name, who reads it, and what the imports at a place call things: what a fix must know before it changes code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from klint.source.python import SourceUnit

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_OWN_SCOPE = (*_FUNCTIONS, ast.ClassDef)


@dataclass(frozen=True)
class Uses:
    """What binds a name inside its scope, and what reads it there or in a function inside; a string that equals it reads it too."""

    binders: tuple[ast.AST, ...]
    reads: tuple[ast.AST, ...]


@dataclass(frozen=True)
class Definition:
    """The only value that a name ever holds: the expression, the name as it is bound, and what reads it."""

    value: ast.expr
    binder: ast.Name
    reads: tuple[ast.AST, ...]


class Names:
    """The names of one module. Where a question has no sure answer, names are taken to be used in more ways than they are."""

    def __init__(self, unit: SourceUnit) -> None:
        self.unit = unit
        self._attributes: dict[str, Uses] = {}

    def uses(self, name: str, place: ast.AST) -> Uses | None:
        """How a name is used in the function that binds it as it is seen at ``place``, or in the module.

        None where ``global``, ``nonlocal`` or the body of a class interferes.
        """
        scope = self._scope(name, place)
        if scope is None:
            return None
        key = id(scope), name
        found = Uses(tuple(self._index.binders.get(key, ())), tuple(self._index.reads.get(key, ())))
        return None if any(isinstance(binder, (ast.Global, ast.Nonlocal)) for binder in found.binders) else found

    def definition(self, name: ast.Name) -> Definition | None:
        """The one expression that is assigned to a name; None where there is another, or where something else binds it."""
        uses = self.uses(name.id, name)
        if uses is None or len(uses.binders) != 1 or not isinstance(uses.binders[0], ast.Name):
            return None
        value = self._assigned(uses.binders[0])
        return None if value is None else Definition(value, uses.binders[0], uses.reads)

    def only_binder(self, name: ast.Name) -> ast.AST | None:
        """What binds a name, where one thing does and nothing that is visible changes in place what it holds."""
        uses = self.uses(name.id, name)
        if uses is None or len(uses.binders) != 1:
            return None
        is_import = isinstance(uses.binders[0], (ast.Import, ast.ImportFrom))
        return None if not is_import and any(map(self._changes, uses.reads)) else uses.binders[0]

    def attribute(self, attribute: str) -> Uses:
        """What binds and what reads an attribute of this name, on anything in the file."""
        known = self._attributes.get(attribute)
        if known is None:
            module = id(self.unit.tree), attribute
            binders = [*self._index.set_attributes.get(attribute, ())]
            binders += [node for node in self._index.binders.get(module, ()) if isinstance(node, _OWN_SCOPE)]
            reads = [node for node in self._index.attributes.get(attribute, ()) if self.qualified(node) is None]
            reads += [node for node in self._index.reads.get(module, ()) if isinstance(node, ast.Constant)]
            known = self._attributes[attribute] = Uses(tuple(binders), tuple(reads))
        return known

    def qualified(self, expression: ast.AST) -> str | None:
        """The full name of what an expression such as ``F.softmax`` names through an import; None where it does not."""
        parts: list[str] = []
        while isinstance(expression, ast.Attribute):
            parts.append(expression.attr)
            expression = expression.value
        root = self._imported(expression.id, expression) if isinstance(expression, ast.Name) else None
        return None if root is None else ".".join([root, *reversed(parts)])

    def at_hand(self, place: ast.AST) -> dict[str, str]:
        """The imports that surely hold at a place, as full name by name: those that no condition stands before."""
        found: dict[str, str] = {}
        nearest = next(self._scopes(place), self.unit.tree)
        for statement in self._index.imports:
            holder = self.unit.parents.get(id(statement))
            row = getattr(place, "lineno", 0)
            if not isinstance(holder, (*_FUNCTIONS, ast.Module)) or not self._is_in(place, holder):
                continue
            if holder is nearest and statement.lineno >= row:
                continue
            for alias in statement.names:
                name = (alias.asname or alias.name).partition(".")[0]
                full = self._imported(name, place)
                if full is not None:
                    found[name] = full
        return found

    def _imported(self, name: str, place: ast.AST) -> str | None:
        """The full name of what a name stands for at a place, where nothing binds it but imports, and None where they fail."""
        uses = self.uses(name, place)
        binders = uses.binders if uses is not None else ()
        names = {_import_of(binder, name) for binder in binders if not self._holds_none(binder)}
        return names.pop() if len(names) == 1 else None

    def _scope(self, name: str, place: ast.AST) -> ast.AST | None:
        for scope in self._scopes(place, _OWN_SCOPE):
            if (id(scope), name) in self._index.owned:
                return None if isinstance(scope, ast.ClassDef) else scope
        return self.unit.tree

    def _scopes(self, place: ast.AST, kinds: tuple[type[ast.AST], ...] = _FUNCTIONS) -> Iterator[ast.AST]:
        return (node for node in self.unit.above(place) if isinstance(node, kinds))

    def _is_in(self, node: ast.AST, scope: ast.AST) -> bool:
        return scope is self.unit.tree or any(above is scope for above in self.unit.above(node))

    def _assigned(self, target: ast.Name) -> ast.expr | None:
        """The expression that an assignment gives to a name of its own, or at its place in a tuple."""
        parent = self.unit.parents.get(id(target))
        if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            return parent.value
        if isinstance(parent, (ast.AnnAssign, ast.NamedExpr)):
            return parent.value
        if isinstance(parent, (ast.Tuple, ast.List)):
            whole = self.unit.parents.get(id(parent))
            values = whole.value if isinstance(whole, ast.Assign) and len(whole.targets) == 1 else None
            if isinstance(values, (ast.Tuple, ast.List)) and len(values.elts) == len(parent.elts):
                starred = any(isinstance(element, ast.Starred) for element in (*parent.elts, *values.elts))
                return None if starred else values.elts[parent.elts.index(target)]
        return None

    def _holds_none(self, binder: ast.AST) -> bool:
        value = self._assigned(binder) if isinstance(binder, ast.Name) else None
        return isinstance(value, ast.Constant) and value.value is None

    def _changes(self, read: ast.AST) -> bool:
        """Whether a read of a name is there to change in place what it holds: ``x.mul_(2)``, ``x[0] = 1``, ``x.data = y``."""
        parent = self.unit.parents.get(id(read))
        if isinstance(parent, ast.Subscript):
            return parent.value is read and not isinstance(parent.ctx, ast.Load)
        if isinstance(parent, ast.Attribute):
            in_place = parent.attr.endswith("_") and not parent.attr.startswith("_")
            return in_place or not isinstance(parent.ctx, ast.Load)
        return False

    @cached_property
    def _index(self) -> _Index:
        index = _Index()
        queue: list[tuple[ast.AST, tuple[int, ...]]] = [(self.unit.tree, ())]
        for node, scopes in queue:
            index.add(node, scopes)
            inside = (*scopes, id(node)) if isinstance(node, (*_OWN_SCOPE, ast.Module)) else scopes
            queue.extend((child, inside) for child in ast.iter_child_nodes(node))
        return index


@lru_cache(maxsize=4)
def names_of(unit: SourceUnit) -> Names:
    """The names of a module; kept for the modules that were asked for last."""
    return Names(unit)


@dataclass(frozen=True)
class _Index:
    """Every mention of a name in a module, by the scopes (as ``id``) that it stands in; a scope ``owned`` by a name binds it itself."""

    binders: dict[tuple[int, str], list[ast.AST]] = field(default_factory=dict)
    reads: dict[tuple[int, str], list[ast.AST]] = field(default_factory=dict)
    owned: set[tuple[int, str]] = field(default_factory=set)
    attributes: dict[str, list[ast.AST]] = field(default_factory=dict)
    set_attributes: dict[str, list[ast.AST]] = field(default_factory=dict)
    imports: list[ast.Import | ast.ImportFrom] = field(default_factory=list)

    def add(self, node: ast.AST, scopes: tuple[int, ...]) -> None:
        """Enter a node, with the scopes that it stands in, the outermost first."""
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self._enter(self.reads, node, node.id, scopes)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # __all__, getattr, globals()
            self._enter(self.reads, node, node.value, scopes)
        elif isinstance(node, ast.Attribute):
            known = self.attributes if isinstance(node.ctx, ast.Load) else self.set_attributes
            known.setdefault(node.attr, []).append(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self.imports.append(node)
        for name in _bound(node):
            self._enter(self.binders, node, name, scopes)
            self.owned.add((scopes[-1], name))

    def _enter(
        self, known: dict[tuple[int, str], list[ast.AST]], node: ast.AST, name: str, scopes: tuple[int, ...]
    ) -> None:
        for scope in scopes:
            known.setdefault((scope, name), []).append(node)


def _bound(node: ast.AST) -> list[str]:
    """The names that a node itself binds or declares."""
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        return node.names
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        return [node.name]
    return [node.rest] if isinstance(node, ast.MatchMapping) and node.rest else []


def _import_of(binder: ast.AST, name: str) -> str | None:
    """The full name of what an import binds to a name."""
    if isinstance(binder, ast.Import):
        for alias in binder.names:
            if (alias.asname or alias.name.partition(".")[0]) == name:
                return alias.name if alias.asname else name
    if isinstance(binder, ast.ImportFrom) and not binder.level:
        for alias in binder.names:
            if (alias.asname or alias.name) == name:
                return f"{binder.module}.{alias.name}"
    return None
