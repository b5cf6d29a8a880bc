"""Slices: the statements of a body on which rests what is asked of it, judged by names alone.

Most of what a body computes is behind no loss. A walk that leaves it out costs what matters, not what there is. A name stands for a variable and for an
attribute alike, so that a slice may hold more than is needed, and never less.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from klint.source.python import tree_nodes

Definition = ast.FunctionDef | ast.AsyncFunctionDef

_SETTERS = frozenset({"register_buffer", "register_parameter", "register_module", "add_module", "setattr"})
"""Calls that set an attribute whose name is given as text."""

CHANGES = frozenset("append extend insert remove pop clear sort reverse update setdefault popitem add_module".split())
"""Methods that change the container that they are called on."""

_COMPOUND = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
OPAQUE = frozenset({"locals", "globals", "vars", "exec", "eval"})
"""Functions that see or bind names of which nothing else tells."""

_BODIES = ("body", "orelse", "handlers", "finalbody", "cases")


@dataclass(eq=False)
class Step:
    """A statement, or the head of a compound one: which names it reads, and which it binds or changes.

    ``above`` are the statements that hold it, the nearest first. ``sets`` are the attributes among what it binds, ``elsewhere`` those that are not set on the receiver, and ``changes``
    the variables whose objects it changes in place.
    ``hands_on`` says that the receiver is given to a function that may set anything of it.
    ``method`` is the name where it is a call of a method of the receiver's own, of which the names do not say what it sets;
    ``is_super`` that it is asked of ``super()``.
    """

    tree: ast.stmt
    above: tuple[Step, ...]
    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    hands_on: bool = False
    method: str = ""
    is_super: bool = False
    yields: bool = False
    in_place: bool = False
    is_opaque: bool = False

    @property
    def loop(self) -> Step | None:
        """The nearest loop around it."""
        return next((step for step in self.above if isinstance(step.tree, _LOOPS)), None)


@dataclass(eq=False)
class Body:
    """The steps of a function's body, by name those that bind and that read it, and the attributes that they set.

    An opaque one binds names of other bodies, or names that cannot be told.
    """

    steps: list[Step] = field(default_factory=list)
    binders: dict[str, list[Step]] = field(default_factory=dict)
    readers: dict[str, list[Step]] = field(default_factory=dict)
    sets: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)
    is_opaque: bool = False

    @classmethod
    def of(cls, definition: Definition) -> Body:
        """The body of a definition, read once."""
        known: Body | None = getattr(definition, "_klint_body", None)
        if known is None:
            arguments = definition.args
            first = [*arguments.posonlyargs, *arguments.args][:1]
            known = cls.of_statements(definition.body, first[0].arg if first else "")
            definition._klint_body = known  # type: ignore[union-attr]
        return known

    @classmethod
    def of_statements(cls, statements: list[ast.stmt], receiver: str = "") -> Body:
        """The body that some statements make up; ``receiver`` is what a method calls its own object."""
        body = cls()
        body._read(statements, (), receiver)
        for step in body.steps:
            body.sets |= step.sets
            body.elsewhere |= step.elsewhere
            body.is_opaque = body.is_opaque or not step.reads.isdisjoint(OPAQUE) or step.is_opaque
            for name in step.binds:
                body.binders.setdefault(name, []).append(step)
            for name in step.reads:
                body.readers.setdefault(name, []).append(step)
        return body

    def _read(self, body: list[ast.stmt], above: tuple[Step, ...], receiver: str) -> None:
        for tree in body:
            step = Step(tree, above)
            self.steps.append(step)
            if isinstance(tree, _COMPOUND):
                for part in _head(tree):
                    _take(part, step, receiver)
                for inner in _inner(tree):
                    self._read(inner, (step, *above), receiver)
            else:
                _take(tree, step, receiver)
                if isinstance(tree, ast.Expr):
                    _take_effect(tree.value, step, receiver)

    @property
    def own_calls(self) -> Iterator[Step]:
        """The calls of the receiver's own methods that stand for themselves."""
        return (step for step in self.steps if step.method)


@dataclass(frozen=True, eq=False)
class Effects:
    """What a method may do: which attributes it sets, of its receiver and ``elsewhere``, and whether it leads to a seed."""

    sets: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    leads: bool = False


@dataclass(frozen=True, eq=False)
class Slice:
    """The statements that are walked, and the names on which they rest.

    Of ``bare`` ones it matters only that they are reached; those ``in_place`` change what names hold.
    ``is_asked`` says that nothing but these names, and what mentions ``seeds``, is wanted of it.
    """

    statements: frozenset[ast.stmt]
    bare: frozenset[ast.stmt]
    in_place: frozenset[ast.stmt]
    names: frozenset[str]
    seeds: frozenset[str] = frozenset()
    is_asked: bool = False


@dataclass(eq=False)
class Slicer:
    """Finds what of a body matters; ``effects`` says what a call of one of the receiver's own methods does."""

    body: Body
    effects: Callable[[Step], Effects]
    _kept: set[Step] = field(default_factory=set)
    _bare: set[Step] = field(default_factory=set)
    _known: set[str] = field(default_factory=set)
    _queue: list[str] = field(default_factory=list)
    _setters: dict[str, list[Step]] = field(default_factory=dict)

    def part(self, asked: Iterable[str], seeds: frozenset[str]) -> Slice:
        """What ``asked`` names rest on, and the steps that mention ``seeds`` with all that is made of them."""
        self._queue += asked
        for step in self.body.own_calls:
            for name in self.effects(step).sets:
                self._setters.setdefault(name, []).append(step)
        if self._queue:
            for step in self.body.steps:
                if step.hands_on:
                    self._keep(step)
        self._seed(seeds)
        return replace(self._closed(returns=False), seeds=seeds, is_asked=True)

    def walk(self, seeds: frozenset[str], returns: bool) -> Slice:
        """The steps that mention ``seeds``, what is changed for others to see, and, if they are asked for, what is returned."""
        self._seed(seeds)
        for step in self.body.steps:
            if step.sets or step.changes or _shows(step.tree) or (step.method and self.effects(step).sets):
                self._keep(step)
        return self._closed(returns)

    def _seed(self, seeds: frozenset[str]) -> None:
        """Keep the steps that mention a seed, and those that use what they bind."""
        queue = [
            step
            for step in self.body.steps
            if not (step.reads.isdisjoint(seeds) and step.binds.isdisjoint(seeds))
            or (step.method and self.effects(step).leads)
        ]
        seen = set(queue)
        for step in queue:
            self._keep(step)
            self._queue += step.binds
            for name in step.binds:
                for reader in self.body.readers.get(name, ()):
                    if reader not in seen:
                        seen.add(reader)
                        queue.append(reader)

    def _closed(self, returns: bool) -> Slice:
        """All that rests on what is kept, and what ends a walk, or a turn of a loop, on the way."""
        self._close()
        before = -1
        while (self._kept or returns) and before != len(self._kept):
            before = len(self._kept)
            for step in self.body.steps:
                tree = step.tree
                if isinstance(tree, (ast.Return, ast.Raise)):
                    self._keep(step, is_bare=isinstance(tree, ast.Raise) or not returns)
                elif step.yields or (isinstance(tree, (ast.Break, ast.Continue)) and step.loop in self._kept):
                    self._keep(step)
            self._close()
        kept, bare = (frozenset(step.tree for step in steps) for steps in (self._kept, self._bare))
        in_place = frozenset(step.tree for step in self._kept if step.in_place)
        return Slice(kept, bare, in_place, frozenset(self._known))

    def _close(self) -> None:
        while self._queue:
            name = self._queue.pop()
            if name not in self._known:
                self._known.add(name)
                for step in (*self.body.binders.get(name, ()), *self._setters.get(name, ())):
                    self._keep(step)

    def _keep(self, step: Step, is_bare: bool = False) -> None:
        if step in self._kept:
            return
        if is_bare:
            self._kept.add(step)
            self._bare.add(step)
        for one in (step, *step.above):
            if one not in self._kept:
                self._kept.add(one)
                self._queue += one.reads


def _shows(tree: ast.stmt) -> bool:
    """Whether a statement may show how many dims a tensor has: an assertion, or ``b, c = x.shape``."""
    if isinstance(tree, ast.Assign) and isinstance(tree.targets[0], (ast.Tuple, ast.List)):
        return isinstance(tree.value, ast.Attribute) or (isinstance(tree.value, ast.Call) and not tree.value.args)
    return isinstance(tree, ast.Assert)


def _head(tree: ast.stmt) -> Iterator[ast.AST]:
    """The parts of a compound statement that are no statements."""
    for name, value in ast.iter_fields(tree):
        if name not in _BODIES:
            yield from (value if isinstance(value, list) else [value] if isinstance(value, ast.AST) else [])
    for handler in getattr(tree, "handlers", ()):
        yield ast.Name(handler.name or "", ast.Store())
    for case in getattr(tree, "cases", ()):
        yield case.pattern
        if case.guard is not None:
            yield case.guard


def _inner(tree: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The bodies inside a compound statement."""
    for name in ("body", "orelse", "finalbody"):
        yield getattr(tree, name, [])
    for part in (*getattr(tree, "handlers", ()), *getattr(tree, "cases", ())):
        yield part.body


def _take(tree: ast.AST, step: Step, receiver: str) -> None:
    """Take up the names of a tree."""
    reads, binds = step.reads, step.binds
    for node in tree_nodes(tree):
        kind = node.__class__
        if kind is ast.Name:
            (reads if isinstance(node.ctx, ast.Load) else binds).add(node.id)  # type: ignore[attr-defined]
        elif isinstance(node, ast.Attribute):
            reads.add(node.attr)
            if not isinstance(node.ctx, ast.Load):
                _set(node, step, receiver)
        elif isinstance(node, ast.Constant):
            if isinstance(node.value, str) and node.value.isidentifier():
                reads.add(node.value)
        elif isinstance(node, ast.Subscript):
            if not isinstance(node.ctx, ast.Load):
                _change(node.value, step, receiver)
        elif isinstance(node, ast.Call):
            _take_call(node, step, receiver)
        elif isinstance(node, ast.alias):
            binds.add(node.asname or node.name.partition(".")[0])
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.MatchAs, ast.MatchStar)):
            binds.add(node.name or "")
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            step.is_opaque = True
        elif isinstance(node, (ast.Yield, ast.YieldFrom)):
            step.yields = True
    if isinstance(tree, ast.AugAssign):
        reads |= binds


def _take_call(call: ast.Call, step: Step, receiver: str) -> None:
    """What a call changes, as its name tells: ``x.log_()``, ``x.append(y)``, ``setattr(x, "y", z)``."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if isinstance(call.func, ast.Attribute) and (name in CHANGES or (name.endswith("_") and not name.endswith("__"))):
        _change(call.func.value, step, receiver)
        step.in_place = True
    if name in _SETTERS:
        values = (*call.args, *(keyword.value for keyword in call.keywords))
        names = (value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str))
        step.sets.update(names)
        step.binds |= step.sets


def _take_effect(value: ast.expr, step: Step, receiver: str) -> None:
    """A call that stands for itself may change whatever it is given."""
    if isinstance(value, ast.Await):
        value = value.value
    if not isinstance(value, ast.Call):
        return
    if isinstance(value.func, ast.Attribute):
        holder = value.func.value
        is_super = isinstance(holder, ast.Call) and isinstance(holder.func, ast.Name) and holder.func.id == "super"
        if is_super or (isinstance(holder, ast.Name) and holder.id == receiver):
            step.method, step.is_super = value.func.attr, is_super
            return
        step.binds.update(_held(holder, receiver)[0])
    for argument in (*value.args, *(keyword.value for keyword in value.keywords)):
        step.hands_on = step.hands_on or (isinstance(argument, ast.Name) and argument.id == receiver)
        step.binds.update(_held(argument, receiver)[0])


def _set(target: ast.Attribute, step: Step, receiver: str) -> None:
    step.binds.add(target.attr)
    step.sets.add(target.attr)
    names, variable = _held(target, receiver)
    if variable:
        step.changes.add(variable)
    if len(names) > 1:
        step.elsewhere.add(target.attr)


def _change(tree: ast.expr, step: Step, receiver: str) -> None:
    names, variable = _held(tree, receiver)
    step.binds.update(names)
    if variable:
        step.changes.add(names.pop())
    step.sets.update(names)


def _held(tree: ast.expr, receiver: str) -> tuple[list[str], str]:
    """The names by which the object is held that an expression shows, or of which it shows a part or a view, and the variable among them.

    Of the receiver's attributes it is their own names alone: what is one's own is changed all the time.
    """
    names: list[str] = []
    while True:
        if isinstance(tree, ast.Name):
            if names and tree.id == receiver:
                return names, ""
            return [*names, tree.id], tree.id
        if isinstance(tree, ast.Attribute):
            names.append(tree.attr)
            tree = tree.value
        elif isinstance(tree, (ast.Subscript, ast.Starred, ast.Await)):
            tree = tree.value
        elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute):
            tree = tree.func.value
        else:
            return names, ""
