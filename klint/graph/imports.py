"""Imports across the files of a project: what a name from another module stands for."""

from __future__ import annotations

import ast
from functools import partial

from klint.graph.core import Core
from klint.graph.nodes import Node, Reference
from klint.graph.scope import Frame, Scope
from klint.source.outline import OutlinedUnit

_REEXPORTS = 8
"""How often a name may be handed on from module to module."""

_MODULES = 40
"""How many other files one file's analysis may read."""


class Imports(Core):
    """Follows names into other modules, of which a statement is walked when a name that it binds is first asked for."""

    def resolve(self, node: Node) -> Node:
        """What a name from another file of the project stands for; the node itself where that is not known."""
        for _ in range(_REEXPORTS):
            if not isinstance(node, Reference) or self.project is None or self._is_library(node.name):
                return node
            found = self._imported(node)
            if found is None:
                return node
            node = found
        return node

    def _is_library(self, name: str) -> bool:
        if name.startswith(("builtins.", "torch.")):
            return True
        return self.library.function(name) is not None or self.library.module(name) is not None

    def _imported(self, node: Reference) -> Node | None:
        key = (node.anchor.unit.filename, node.name)
        if key not in self.imports:
            self.imports[key] = None  # against imports that go round in a circle
            self.imports[key] = self._import(node)
        return self.imports[key]

    def _import(self, node: Reference) -> Node | None:
        found = self.project.find(node.anchor.unit, node.name) if self.project is not None else None
        if found is None:
            return None
        unit, names = found
        if not names:
            return None
        value = self.module_scope(unit).lookup(names[0])
        if value is None:
            return None
        if isinstance(value, Reference):
            return self.reference(".".join((value.name, *names[1:])), value.anchor)
        for name in names[1:]:
            value = self.attribute(value, name, value.anchor.tree, Frame(Scope(unit)))
        return value

    def module_scope(self, unit: OutlinedUnit) -> Scope:
        """The names of another module; a statement of it is walked when a name that it binds is first asked for."""
        scope = self.modules.get(unit.filename)
        if scope is None:
            scope = self.modules[unit.filename] = Scope(unit)
            if len(self.modules) <= _MODULES:
                scope.bind = partial(self._bind_imported, unit, scope)
        return scope

    def _bind_imported(self, unit: OutlinedUnit, scope: Scope, name: str) -> None:
        self.bind_late(unit.binding(name), Frame(scope))

    def bind_late(self, statements: list[ast.stmt], frame: Frame) -> None:
        """Walk statements of another module for what they bind, and leave no other trace."""
        if not statements:
            return
        operations, objects, steps, depth = len(self.trace), len(self.objects), self.steps, self.depth
        self.importing += 1
        self.run(statements, frame)
        self.importing -= 1
        del self.trace[operations:]
        del self.objects[objects:]
        self.steps, self.depth = steps, depth
