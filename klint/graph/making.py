"""Objects are made on demand: of ``__init__`` is walked what an attribute rests on, when it is first asked for.

Most of what a constructor does is behind no loss, and most objects are never looked into. What a loss is named in is walked at once.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from klint.graph.core import CALL_STEPS, STEPS, Core
from klint.graph.nodes import (
    Choice,
    Class,
    Dictionary,
    Function,
    Instance,
    Items,
    ModuleObject,
    Node,
    Partial,
    Reference,
    Sequence,
    Unknown,
)
from klint.graph.scope import Frame, Memo, Scope
from klint.graph.slices import Body, Effects, Slice, Slicer, Step

MODULE = "<module>"
"""The attribute under which an object of a class that derives from a library module holds that module."""


@dataclass(eq=False)
class Making:
    """An object whose constructor was called with the arguments that ``frame`` holds, and has been walked for the ``asked`` names."""

    instance: Instance
    function: Function
    frame: Frame
    memo: Memo = field(default_factory=Memo)
    asked: set[str] = field(default_factory=set)
    is_complete: bool = False
    running: int = 0


class Makings(Core):
    """Walks constructors part by part."""

    def postpone(self, instance: Instance, function: Function, frame: Frame) -> None:
        """Walk of a constructor, whose parameters are bound in ``frame``, what leads to a loss or changes what it was given."""
        making = Making(instance, function, frame)
        self.makings.setdefault(instance.identity, []).append(making)
        for value in frame.scope.names.values():
            if value is not instance:
                self.given.setdefault(value.identity, []).append(making)
        if not self._can_wait(function, frame):
            self._walk_part(making, None)
            return
        for name in self._effects_of(instance.cls, function).elsewhere:
            self.elsewhere.setdefault(name, []).append(making)
        self._walk_part(making, self.part_of(function, (), self.making_names))

    def leave_unknown(self, function: Function, result: Node) -> None:
        """Of what a constructor sets that was not followed nothing is known: least of all what its class says by default."""
        instance = function.bound
        if isinstance(instance, Instance) and isinstance(result, Unknown):
            for name in sorted(self._effects_of(instance.cls, function).sets):
                if self.heap.get((instance.identity, name)) is None:
                    self.heap.set((instance.identity, name), self.unknown(result.anchor, result.why))

    def make_elsewhere(self, name: str) -> None:
        """Walk the constructors that may set an attribute of another object than their own, before that attribute is looked at."""
        for making in self.elsewhere.get(name, ()):
            self.make(making.instance, name)

    def make(self, instance: Node, name: str) -> bool:
        """Walk what a constructor does to set an attribute, before that is looked at; whether the attribute is set."""
        makings = self.makings.get(instance.identity, ())
        for making in tuple(makings):
            self._ask(making, name)
        return bool(makings) and self.heap.get((instance.identity, name)) is not None

    def before_change(self, changed: Node, name: str = "") -> None:
        """Before an object, or an attribute of it, changes: walk the constructors that were given it and have yet to look at it."""
        for making in tuple(self.makings.get(changed.identity, ())):
            if not making.running:
                self._ask(making, name)
        for making in self.given.get(changed.identity, ()):
            if not making.is_complete and not making.running and (not name or name in _body(making.function).readers):
                self._walk_part(making, None)

    def can_postpone(self, function: Function) -> bool:
        """Whether a method that a constructor calls can wait: it sets nothing that is set already."""
        instance = function.bound
        return (
            isinstance(instance, Instance)
            and any(making.running for making in self.makings.get(instance.identity, ()))
            and not any(
                self.heap.get((instance.identity, name)) for name in self._effects_of(instance.cls, function).sets
            )
        )

    def _ask(self, making: Making, name: str) -> None:
        if not making.is_complete and name not in making.asked:
            self._walk_part(making, self.part_of(making.function, (name,)))

    def part_of(self, function: Function, asked: Iterable[str], seeds: frozenset[str] = frozenset()) -> Slice | None:
        """What of a function's body ``asked`` names rest on, and what leads to ``seeds``; None for all of it."""
        key = (function.definition, _class(function), frozenset(asked), seeds)
        if key not in self.parts:
            slicer = self._slicer(function)
            self.parts[key] = None if slicer is None else slicer.part(asked, seeds)
        return self.parts[key]

    def walk_of(self, function: Function, frame: Frame, returns: bool) -> Slice | None:
        """What of a body leads to a loss, or changes what others see, or is returned; None for all of it. ``frame`` holds its parameters."""
        given = self._given_leads(frame)
        key = (function.definition, _class(function), given, returns)
        if key not in self.parts:
            slicer = self._slicer(function)
            self.parts[key] = None if slicer is None else slicer.walk(self.seeds(function.unit) | given, returns)
        return self.parts[key]

    def leads(self, function: Function, frame: Frame) -> bool:
        """Whether a function that is called leads to a loss, or is given one; ``frame`` holds its parameters."""
        return self._mentions_loss(function) or bool(self._given_leads(frame))

    def _mentions_loss(self, function: Function) -> bool:
        """Whether a function leads to a loss: in the module that is built by whatever way, elsewhere by naming one."""
        if isinstance(function.definition, ast.Lambda):
            return True
        if function.unit is self.unit:
            return function.definition in self.relevant
        return function.name in self.wanted or not self.library.wanted.isdisjoint(_body(function).readers)

    def _given_leads(self, frame: Frame) -> frozenset[str]:
        return frozenset(name for name, value in frame.scope.names.items() if self._is_lead(value))

    def _is_lead(self, value: Node) -> bool:
        """Whether a value that is given to a function may be a loss, or compute one."""
        if isinstance(value, (ModuleObject, Reference)):
            return value.name.rpartition(".")[2] in self.library.wanted or any(map(self._is_lead, value.operands()))
        if isinstance(value, Function):
            return value.name in self.reached or isinstance(value.definition, ast.Lambda)
        if isinstance(value, Class):
            return value.definition.name in self.reached
        if isinstance(value, Instance):
            return self._is_lead(value.cls)
        if isinstance(value, (Choice, Sequence, Dictionary, Partial, Items)):
            return any(map(self._is_lead, value.operands()))
        return False

    def _slicer(self, function: Function) -> Slicer | None:
        if isinstance(function.definition, ast.Lambda) or _body(function).is_opaque:
            return None
        cls = function.bound.cls if isinstance(function.bound, Instance) else None

        def effects(step: Step) -> Effects:
            return Effects() if cls is None else self._effects(cls, step, function)

        return Slicer(_body(function), effects)

    def _can_wait(self, function: Function, frame: Frame) -> bool:
        """Whether a constructor does the same whenever it is walked.

        It changes nothing that it is given, and sees the names of a module that binds each of them once.
        """
        module = function.scope.parent
        stars = {star.arg for star in (function.definition.args.vararg, function.definition.args.kwarg) if star}
        given = frame.scope.names.keys() - stars
        return (
            given.isdisjoint(name for step in _body(function).steps for name in step.changes)
            and module is not None
            and function.scope.is_class
            and module.parent is None
            and self.rebound(module.unit).isdisjoint(_body(function).readers)
        )

    def _walk_part(self, making: Making, part: Slice | None) -> None:
        """Walk a part of a constructor, or all of it. What it sets was set before all that has happened since."""
        if part is None:
            making.is_complete = True
            part = self.walk_of(making.function, making.frame, returns=False)
        else:
            making.asked |= part.names
            if not part.statements:
                return
        template, function = making.frame, making.function
        scope = Scope(template.scope.unit, template.scope.parent, dict(template.scope.names))
        frame = replace(template, scope=scope, returns=[], yields=[], elsewhere={}, part=part, memo=making.memo)
        mark, limit, start = self.heap.mark(), self.limit, self.steps
        self.limit = own = min(STEPS, start + CALL_STEPS)
        making.running += 1
        self.walk(function, frame)
        making.running -= 1
        spent = self.steps > own
        self.limit = limit
        changes = self.heap.rewind(mark)
        if spent:
            self.steps = start if own < STEPS else self.steps
            why = f"{function.name} is too large to be followed"
            own_names = self._effects_of(making.instance.cls, function).sets & part.names if part is not None else ()
            unsaid = (*changes, *((making.instance.identity, name) for name in sorted(own_names)))
            changes = {key: self.unknown(frame.anchor(function.definition), why) for key in unsaid}
        for key, value in changes.items():
            self.heap.keep(key, value)

    # What methods do, by names.

    def _effects(self, cls: Class, step: Step, function: Function) -> Effects:
        """What the call of an own method does that a step of ``function`` is."""
        method = self.find(cls, step.method, function.owner if step.is_super else None)
        if isinstance(method, Function):
            return self._effects_of(cls, method)
        is_module = step.method == "__init__" and any(
            isinstance(base, Reference) and (self.library.module(base.name) or base.name in self.library.containers)
            for base in self.lineage(cls)
        )
        return Effects(frozenset({MODULE}), frozenset(), True) if is_module else Effects()

    def _effects_of(self, cls: Class, function: Function) -> Effects:
        """What a method may do to an object, itself or by the methods that it calls."""
        key = (cls.identity, function.definition)
        if key not in self.effects:
            self.effects[key] = Effects()  # of a method that calls itself
            if isinstance(function.definition, ast.Lambda):
                return Effects()
            body = _body(function)
            inner = [self._effects(cls, step, function) for step in body.own_calls]
            self.effects[key] = Effects(
                frozenset(body.sets).union(*(effects.sets for effects in inner)),
                frozenset(body.elsewhere).union(*(effects.elsewhere for effects in inner)),
                self._mentions_loss(function) or any(effects.leads for effects in inner),
            )
        return self.effects[key]


def _body(function: Function) -> Body:
    assert not isinstance(function.definition, ast.Lambda)
    return Body.of(function.definition)


def _class(function: Function) -> int:
    """The identity of the class of a method's receiver."""
    return function.bound.cls.identity if isinstance(function.bound, Instance) else 0
