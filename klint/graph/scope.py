"""Names: where they are bound, and what the walk over a function's body carries along."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from klint.graph.nodes import Class, Node
from klint.graph.slices import Slice
from klint.source.python import Anchor, SourceUnit

Path = tuple[tuple[Node, bool], ...]
"""The conditions under which a place is reached, each with the truth that it must have."""


@dataclass(eq=False)
class Scope:
    """The names of one module, class or function call; ``parent`` is the scope that encloses it in the source.

    ``bind`` is called with a name when that is first asked for, and may bind it: a module is not walked as a whole.
    """

    unit: SourceUnit
    parent: Scope | None = None
    names: dict[str, Node] = field(default_factory=dict)
    is_class: bool = False
    bind: Callable[[str], None] | None = None
    asked: set[str] = field(default_factory=set)

    def lookup(self, name: str) -> Node | None:
        """What a name means here. As in Python, the names of a class body are not seen from its methods."""
        scope: Scope | None = self
        while scope is not None:
            if scope is self or not scope.is_class:
                value = scope.own(name)
                if value is not None:
                    return value
            scope = scope.parent
        return None

    def own(self, name: str) -> Node | None:
        """What this scope itself binds a name to."""
        if self.bind is not None and name not in self.asked:
            self.asked.add(name)
            self.bind(name)
        return self.names.get(name)

    def owner_of(self, name: str) -> Scope:
        """The nearest enclosing scope that binds ``name``; the outermost if none does."""
        scope = self
        while scope.parent is not None and name not in scope.names:
            scope = scope.parent
        return scope


@dataclass(eq=False)
class Memo:
    """What the expressions of a body have given, by the ``id`` of their trees: a body that is walked part by part is one run of it."""

    values: dict[int, Node] = field(default_factory=dict)
    calls: dict[int, Memo] = field(default_factory=dict)

    def of_call(self, tree: ast.AST) -> Memo:
        """That of the body that a call of this one leads to."""
        return self.calls.setdefault(id(tree), Memo())


@dataclass(eq=False)
class Frame:
    """One walk over one body: its scope, how it was reached, and what it returned so far.

    ``returns`` holds each returned value with the conditions that lead to it inside this body; ``base`` is the length of
    ``path`` at which the body began; ``callers`` the calls that led here, the nearest first. ``grad_enabled`` says whether gradients
    are recorded here, so far as contexts and decorators show. ``part`` is what of the body is walked, if not all of it, and ``memo`` what
    other parts of it have given.
    """

    scope: Scope
    path: Path = ()
    base: int = 0
    callers: tuple[Anchor, ...] = ()
    owner: Class | None = None
    receiver: Node | None = None
    function: str = ""
    depth: int = 0
    returns: list[tuple[Path, Node]] = field(default_factory=list)
    elsewhere: dict[str, Scope] = field(default_factory=dict)
    yields: list[Node] = field(default_factory=list)
    loops: int = 0
    runs: bool = False
    grad_enabled: bool = True
    part: Slice | None = None
    memo: Memo | None = None
    in_place: bool = False

    def anchor(self, tree: ast.AST) -> Anchor:
        """The place of a tree node of this body."""
        return Anchor(self.scope.unit, tree)

    def bind(self, name: str, value: Node) -> None:
        """Assign a name, in this scope or where ``global`` or ``nonlocal`` says."""
        self.elsewhere.get(name, self.scope).names[name] = value
