"""Functions: following a call into a body, what decorators make of it, and how parameters are bound."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from klint.graph.core import ASIDE_STEPS, CALL_STEPS, SMALL_STEPS, STEPS, Core
from klint.graph.nodes import Function, Instance, Items, Node, Reference
from klint.graph.scope import Frame, Path, Scope
from klint.source.python import Anchor

CALLS = 12
"""How many calls deep functions are followed."""

TRANSPARENT = frozenset(
    {
        "builtins.staticmethod",
        "builtins.classmethod",
        "builtins.property",
        "functools.wraps",
        "functools.lru_cache",
        "functools.cache",
        "functools.cached_property",
        "typing.no_type_check",
    }
)
"""Decorators of Python's own after which a function still computes what its body says."""


class Functions(Core):
    """Follows functions whose source is at hand."""

    def follow(
        self,
        function: Function,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """What a function returns for these arguments: its body is walked with them in place of the parameters."""
        anchor = frame.anchor(tree)
        if self.decorated(function, frame):
            wrapped = self._decorate(function, frame)
            if wrapped is None:
                return self.unknown(anchor, f"a decorator may change what {function.name} returns")
            receiver = () if function.bound is None else (function.bound,)
            return self.call(wrapped, (*receiver, *arguments), keywords, tree, frame, is_open)
        start = self.steps
        inner = self.opened(function, arguments, keywords, anchor, frame, is_open)
        if not isinstance(inner, Frame):
            if function.name == "__init__":
                self.leave_unknown(function, inner)
            return inner
        limit, is_aside = self.limit, self.is_aside
        self.limit = own = min(STEPS, start + CALL_STEPS)
        subject = function.bound or (arguments[0] if arguments else None)
        statement, part = self.statement
        on_itself = statement is tree and subject is not None and subject is frame.receiver
        if on_itself and part is not None and part.is_asked:
            inner.part = self.part_of(function, part.names, part.seeds)
            inner.memo = None if frame.memo is None else frame.memo.of_call(tree)
        elif on_itself and isinstance(function.bound, Instance) and self.can_postpone(function):
            self.limit = limit
            self.postpone(function.bound, function, inner)
            return self.constant(None, anchor)
        else:
            inner.part = self.walk_of(function, inner, returns=True)
            self.is_aside = is_aside or not self.leads(function, inner)
            if self.is_aside:
                if function.definition in self.left_aside:
                    self.limit, self.is_aside = limit, is_aside
                    return self.unknown(anchor, f"too much is called to follow {function.name}")
                self.limit = own = min(own, start + max(ASIDE_STEPS - self.aside, SMALL_STEPS))
        result = self.walk(function, inner)
        self.is_aside = is_aside
        spent = self.steps > self.limit
        self.limit = limit
        if spent:
            if own < STEPS:  # its caller does not pay for it
                self.steps = start
            large = self.too_large if own == start + CALL_STEPS else self.left_aside
            large.add(function.definition)  # it is not tried again
            return self.unknown(anchor, f"{function.name} is too large to be followed")
        self.followed.add(function.definition)
        return result

    def opened(
        self,
        function: Function,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        anchor: Anchor,
        frame: Frame,
        is_open: bool,
    ) -> Frame | Node:
        """The frame in which a function's body is walked, with its parameters bound; what it returns where it cannot be followed."""
        if function.definition in self.active or frame.depth >= CALLS:
            return self.unknown(anchor, f"{function.name} is recursive, or called too many calls deep")
        if function.definition in self.too_large:
            return self.unknown(anchor, f"{function.name} is too large to be followed")
        if is_open:
            return self.unknown(anchor, f"not all arguments of {function.name} are known")
        if isinstance(function.definition, ast.AsyncFunctionDef):
            return self.unknown(anchor, "klint does not follow asynchronous functions")
        inner = Frame(
            Scope(function.unit, function.scope),
            path=frame.path,
            base=len(frame.path),
            callers=(anchor, *frame.callers),
            owner=function.owner,
            receiver=function.bound,
            function=qualified_name(function),
            depth=frame.depth + 1,
            runs=frame.runs,
            grad_enabled=self.grad_enabled(function, frame.grad_enabled),
        )
        receiver = () if function.bound is None else (function.bound,)
        self.bind_parameters(function, (*receiver, *arguments), keywords, inner, anchor)
        return inner

    def walk(self, function: Function, frame: Frame) -> Node:
        """Walk a function's body in a frame whose parameters are bound; what it returns."""
        definition = function.definition
        anchor = frame.anchor(definition)
        if isinstance(definition, ast.Lambda):
            return self.evaluate(definition.body, frame)
        self.active.append(definition)
        try:
            falls_through = self.run(definition.body, frame)
        finally:
            self.active.pop()
        if frame.yields:
            item = frame.yields[0]
            for other in frame.yields[1:]:
                item = self.choice(self.unknown(anchor, "which item it is is not known"), item, other)
            return Items(anchor, self.identities.fresh(), item)
        returns = list(frame.returns)
        if falls_through:
            returns.append((frame.path[frame.base :], self.constant(None, anchor)))
        if not returns:
            return self.unknown(anchor, f"{function.name} only raises")
        return self._fold_returns(returns)

    def _fold_returns(self, returns: list[tuple[Path, Node]]) -> Node:
        """All returned values as one choice by the conditions that lead to them; the last needs none."""
        _, result = returns[-1]
        for path, value in reversed(returns[:-1]):
            inner = value
            for condition, holds in reversed(path):
                inner = self.choice(condition, *((inner, result) if holds else (result, inner)))
            result = inner
        return result

    def _decorate(self, function: Function, frame: Frame) -> Node | None:
        """What a function is after its one decorator, where that is a function in sight."""
        decorators: list[ast.expr] = getattr(function.definition, "decorator_list", [])
        if len(decorators) != 1 or frame.depth >= CALLS:
            return None
        decorator = self.resolve(self.evaluate(decorators[0], Frame(function.scope, depth=frame.depth + 1)))
        if not isinstance(decorator, Function):
            return None
        plain = replace(function, undecorated=True, bound=None)
        result = self.call(decorator, (plain,), {}, decorators[0], frame)
        return result if isinstance(result, Function) else None

    def decorated(self, function: Function, frame: Frame) -> bool:
        """Whether a decorator may change what the function computes."""
        if function.undecorated:
            return False
        for decorator in getattr(function.definition, "decorator_list", ()):
            name = self.decorator_name(decorator, function.scope)
            if name not in TRANSPARENT | self.library.transparent and not name.endswith((".setter", ".getter")):
                return True
        return False

    def grad_enabled(self, function: Function, outside: bool) -> bool:
        """Whether gradients are recorded in a function's body, where they are or are not ``outside``."""
        for decorator in getattr(function.definition, "decorator_list", ()):
            name = self.decorator_name(decorator, function.scope)
            if name in self.library.grad_modes:
                return self.library.grad_modes[name]
            outside = (
                outside and name in TRANSPARENT | self.library.transparent
            )  # any other decorator may turn them off
        return outside

    def decorator_name(self, tree: ast.expr, scope: Scope) -> str:
        """The qualified name of a decorator, as far as it is one."""
        if isinstance(tree, ast.Call):
            tree = tree.func
        attributes: list[str] = []
        while isinstance(tree, ast.Attribute):
            attributes.insert(0, tree.attr)
            tree = tree.value
        if not isinstance(tree, ast.Name):
            return ""
        value = scope.lookup(tree.id)
        root = value.name if isinstance(value, Reference) else f"builtins.{tree.id}" if value is None else tree.id
        return self.library.canonical(".".join((root, *attributes)))

    def bind_parameters(
        self,
        function: Function,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        frame: Frame,
        anchor: object,
    ) -> None:
        """Bind a function's parameters to the arguments of a call, to their defaults, or to nothing known."""
        given = dict(keywords)
        left = list(arguments)
        names = frame.scope.names
        parameters = function.definition.args
        for parameter in (*parameters.posonlyargs, *parameters.args):
            if left:
                names[parameter.arg] = left.pop(0)
            elif parameter.arg in given:
                names[parameter.arg] = given.pop(parameter.arg)
        for parameter in parameters.kwonlyargs:
            if parameter.arg in given:
                names[parameter.arg] = given.pop(parameter.arg)
        place = frame.anchor(function.definition)
        if parameters.vararg is not None:
            names[parameters.vararg.arg] = self.sequence("tuple", tuple(left), place)
        if parameters.kwarg is not None:
            entries = tuple((self.constant(name, place), value) for name, value in given.items())
            names[parameters.kwarg.arg] = self.dictionary(entries, place)
        for parameter, default in defaults(parameters):
            if parameter.arg not in names:
                names[parameter.arg] = (
                    self.unknown(frame.anchor(parameter), "the argument is missing")
                    if default is None
                    else self.evaluate(default, Frame(function.scope, depth=frame.depth))
                )


def qualified_name(function: Function) -> str:
    """``Class.method`` for a method, the plain name for a function."""
    return f"{function.owner.definition.name}.{function.name}" if function.owner else function.name


def defaults(parameters: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Every named parameter with its default."""
    positional = [*parameters.posonlyargs, *parameters.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(parameters.defaults))
    yield from zip(positional, [*missing, *parameters.defaults], strict=True)
    yield from zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)
