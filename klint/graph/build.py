"""From a parsed module to its graph: the module's body first, then every function that it defines."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from klint.graph.calls import Calls
from klint.graph.containers import Containers
from klint.graph.core import STEPS
from klint.graph.expressions import Expressions
from klint.graph.functions import Functions, defaults, qualified_name
from klint.graph.imports import Imports
from klint.graph.library import Library
from klint.graph.making import Makings
from klint.graph.methods import Methods
from klint.graph.nodes import Class, Function, Identities, Instance, ModuleObject, Node, Operation, Parameter
from klint.graph.objects import Objects
from klint.graph.operators import Operators
from klint.graph.project import Project
from klint.graph.relevance import names_in, relevance
from klint.graph.scope import Frame, Scope
from klint.graph.slices import OPAQUE
from klint.graph.statements import Statements
from klint.graph.toplevel import top_level
from klint.source.outline import global_setters, rebound_names
from klint.source.python import SourceUnit


@dataclass(frozen=True)
class Graph:
    """What a module computes: every operation of the library in the order in which the walk met it, and the module objects.

    ``merged`` are the values that branches hold alike, each with the equal one that it stands for from there on.
    """

    operations: tuple[Operation, ...]
    objects: tuple[ModuleObject, ...]
    identities: Identities
    merged: tuple[tuple[Node, Node], ...] = ()


@dataclass(eq=False)
class Builder(Expressions, Operators, Methods, Statements, Calls, Functions, Objects, Makings, Containers, Imports):
    """Walks over one module."""

    rebounds: dict[SourceUnit, frozenset[str]] = field(default_factory=dict)
    seeds_of: dict[SourceUnit, frozenset[str]] = field(default_factory=dict)
    classes: list[Class] = field(default_factory=list)

    def module(self) -> Graph:
        """Walk over the module's body, then over each function and method as if nothing were known of its callers."""
        scope = Scope(self.unit)
        found = relevance(self.unit.tree, self.wanted or self.library.wanted)
        self.reached = self.library.wanted | found.names
        self.making_names = self.library.wanted | found.making
        self.relevant = found.definitions
        frame = Frame(scope, runs=True)
        for statement in self._in_order(found.statements, scope, frame):
            self._start()
            self.run([statement], frame)
        while self.pending or self.classes:
            if not self.pending:
                self._methods(self.classes.pop(0))
                continue
            function = self.pending.pop(0)
            if function.definition in self.relevant and not self._is_settled_by_its_calls(function):
                self.budgeted(function)
        return Graph(tuple(self.trace), tuple(self.objects), self.identities, tuple(dict.fromkeys(self.merged)))

    def _in_order(self, statements: list[tuple[ast.stmt, set[str]]], scope: Scope, frame: Frame) -> list[ast.stmt]:
        """The statements of the module that are walked now; the others are when a name that they bind is asked for."""
        if not all(names.isdisjoint(OPAQUE) for _, names in statements):
            return self.unit.tree.body
        parts = top_level(statements, self.seeds(self.unit), self.rebound(self.unit))
        scope.bind = partial(self._bind_waiting, parts.waiting, frame)
        return parts.walked

    def _bind_waiting(self, waiting: Mapping[str, list[ast.stmt]], frame: Frame, name: str) -> None:
        if name not in waiting:
            return
        steps, limit, depth = self.steps, self.limit, self.depth
        self.steps, self.limit = 0, STEPS
        self.run(waiting[name], replace(frame))
        self.steps, self.limit, self.depth = steps, limit, depth

    def _is_settled_by_its_calls(self, function: Function) -> bool:
        """Whether a function was followed where it is called, and would now be seen with names that were bound anew since."""
        if function.definition not in self.followed:
            return False
        nested = function.scope.parent is not None and not function.scope.is_class
        return nested or not self.rebound(function.unit).isdisjoint(names_in(function.definition))

    def rebound(self, unit: SourceUnit) -> frozenset[str]:
        """The names that a module binds more than once, outside of functions or as their globals."""
        if unit not in self.rebounds:
            self.rebounds[unit] = rebound_names(unit)
        return self.rebounds[unit]

    def seeds(self, unit: SourceUnit) -> frozenset[str]:
        """The names that lead to a loss, and those of functions of a module that set its globals."""
        if unit not in self.seeds_of:
            self.seeds_of[unit] = self.reached | global_setters(unit.text)
        return self.seeds_of[unit]

    def budgeted(self, function: Function) -> None:
        """Walk a function with a step budget of its own."""
        self._start()
        self.standalone(function)

    def _start(self) -> None:
        """Begin with full budgets."""
        self.steps = self.aside = 0
        self.left_aside.clear()

    def define(self, cls: Class) -> None:
        """Note a class whose methods are to be walked."""
        self.classes.append(cls)

    def _methods(self, cls: Class) -> None:
        """Walk over each method that matters, on an object about whose construction nothing is known."""
        methods = [
            (name, method)
            for name, method in cls.scope.names.items()
            if isinstance(method, Function) and method.definition in self.relevant
        ]
        if not methods:
            return
        self.steps = 0
        receiver = Instance(cls.anchor, self.identities.fresh(), cls)
        initialise = self.find(cls, "__init__")
        if isinstance(initialise, Function):
            self.standalone(replace(initialise, bound=receiver), constructs=receiver)
        mark, settled = self.heap.mark(), set(self.settled)
        for name, method in methods:
            if name != "__init__":
                self.settled = set(settled)
                self.budgeted(replace(method, bound=receiver, owner=cls))
                self.heap.rewind(mark)
        self.settled = settled

    def standalone(
        self,
        function: Function,
        depth: int = 0,
        asked: tuple[str, ...] | None = None,
        constructs: Instance | None = None,
    ) -> None:
        """Walk a function about whose callers nothing is known: its parameters stand for themselves.

        ``asked`` are the names for which it is walked, if not for all; ``constructs`` the object whose constructor it is.
        """
        definition = function.definition
        if definition in self.active or isinstance(definition, ast.Lambda):
            return
        frame = Frame(
            Scope(function.unit, function.scope),
            owner=function.owner,
            receiver=function.bound,
            function=qualified_name(function),
            depth=depth,
            grad_enabled=self.grad_enabled(function, True),
        )
        names = frame.scope.names
        parameters = definition.args
        positional = [*parameters.posonlyargs, *parameters.args]
        decorators = {self.decorator_name(decorator, function.scope) for decorator in definition.decorator_list}
        if function.bound is not None and positional and "builtins.staticmethod" not in decorators:
            receiver = function.bound
            if "builtins.classmethod" in decorators and isinstance(receiver, Instance):
                receiver = receiver.cls
            names[positional.pop(0).arg] = receiver
        for parameter, default in defaults(parameters):
            if parameter in positional or parameter in parameters.kwonlyargs:
                value = None if default is None else self.evaluate(default, Frame(function.scope))
                anchor = frame.anchor(parameter)
                names[parameter.arg] = Parameter(anchor, self.identities.fresh(), parameter.arg, value)
        for star in (parameters.vararg, parameters.kwarg):
            if star is not None:
                names[star.arg] = self.unknown(frame.anchor(star), "what callers pass is not known")
        if constructs is not None:
            self.postpone(constructs, function, frame)
            return
        frame.part = self.walk_of(function, frame, returns=False) if asked is None else self.part_of(function, asked)
        self.walk(function, frame)


def build(
    unit: SourceUnit, library: Library, project: Project | None = None, wanted: frozenset[str] = frozenset()
) -> Graph:
    """The graph of a module in terms of a library's operations.

    Imports are followed into ``project``. The functions that lead to an operation that the library looks for are walked, or those that
    lead to the names in ``wanted``.
    """
    return Builder(unit, library, project=project, wanted=wanted).module()
