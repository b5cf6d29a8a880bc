"""Calls and attributes: following functions, classes, objects and modules to what they compute."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from klint.graph.core import Core
from klint.graph.nodes import (
    Choice,
    Class,
    Constant,
    Dictionary,
    Function,
    Instance,
    ModuleObject,
    Node,
    Partial,
    Reference,
    Sequence,
    Super,
    Unknown,
)
from klint.graph.scope import Frame
from klint.source.python import Anchor

_NAMESPACES = frozenset({"types.SimpleNamespace", "argparse.Namespace"})
"""Classes whose objects hold what they are made of under its name, as a dict does."""

_MATH: dict[str, Callable[..., float]] = {
    f"math.{function.__name__}": function for function in (math.exp, math.log, math.log2, math.log1p, math.sqrt)
}
"""Functions of numbers that are computed where the numbers are literal."""


class Calls(Core):
    """Calls by the kind of callee."""

    def call(
        self,
        callee: Node,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """The node of a call. A choice of callees is a choice of results; what cannot be called is no choice at all."""
        anchor = frame.anchor(tree)
        callee = self.resolve(callee)
        if isinstance(callee, Choice):
            return self._call_choice(callee, arguments, keywords, tree, frame, is_open)
        if isinstance(callee, Reference):
            return self._call_reference(callee, arguments, keywords, tree, frame, is_open)
        if isinstance(callee, ModuleObject):
            return self._call_module(callee, arguments, keywords, tree, frame, is_open)
        if isinstance(callee, Partial):
            merged = {**callee.keywords, **keywords}
            return self.call(callee.function, (*callee.arguments, *arguments), merged, tree, frame, is_open)
        if isinstance(callee, Function):
            return self.follow(callee, arguments, keywords, tree, frame, is_open)
        if isinstance(callee, Class):
            return self.instantiate(callee, arguments, keywords, tree, frame, is_open)
        if isinstance(callee, Instance):
            return self.call_instance(callee, arguments, keywords, tree, frame, is_open)
        why = callee.why if isinstance(callee, Unknown) else "what is called is not known"
        return self.unknown_call(callee, arguments, keywords, anchor, frame, why)

    def _call_choice(
        self,
        callee: Choice,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool,
    ) -> Node:
        path, results = frame.path, []
        for alternative, holds in ((callee.then, True), (callee.otherwise, False)):
            if isinstance(alternative, Constant):  # None or a number cannot be called: the other one is meant
                continue
            frame.path = (*path, (callee.condition, holds))
            results.append(self.call(alternative, arguments, keywords, tree, frame, is_open))
        frame.path = path
        if not results:
            return self.unknown(frame.anchor(tree), "what is called is not known")
        return results[0] if len(results) == 1 else self.choice(callee.condition, results[0], results[1])

    def _call_reference(
        self,
        callee: Reference,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool,
    ) -> Node:
        anchor = frame.anchor(tree)
        signature = self.library.function(callee.name)
        if signature is not None:
            if callee.name == "builtins.len" and arguments and isinstance(arguments[0], (Sequence, Dictionary)):
                return self.constant(len(tuple(arguments[0].operands())), anchor)
            return self.apply(signature, arguments, keywords, anchor, frame, is_open)
        module = self.library.module(callee.name)
        if module is not None:
            options = self.bind(module.slots, arguments, keywords, anchor)
            made = ModuleObject(
                anchor,
                self.identities.fresh(),
                callee.name,
                options,
                is_open,
                frame.path,
                frame.callers,
                frame.function,
            )
            self.objects.append(made)
            return made
        if callee.name in self.library.containers:
            return self._container(callee.name, arguments, keywords, tree, frame, is_open)
        if callee.name == "functools.partial" and arguments and not is_open:
            return Partial(anchor, self.identities.fresh(), arguments[0], arguments[1:], dict(keywords))
        if self.library.passes(callee.name) and arguments:
            return arguments[0]
        if callee.name in _NAMESPACES and not is_open and not arguments:
            return self.make_dict((), keywords, tree, frame)
        if callee.name == "builtins.super":
            return self._super(arguments, anchor, frame)
        if callee.name == "builtins.getattr" and len(arguments) > 1:
            name = arguments[1].value if isinstance(arguments[1], Constant) else None
            if isinstance(name, str):
                return self.attribute(arguments[0], name, tree, frame)
        module_name, _, name = callee.name.rpartition(".")
        if module_name in ("builtins", "collections") and not is_open:
            built = self.call_builtin("dict" if name == "OrderedDict" else name, arguments, keywords, tree, frame)
            if built is not None:
                return built
        number = None if keywords or is_open else _number(callee.name, arguments)
        if number is not None:
            return self.constant(number, anchor)
        why = f"klint does not know what {callee.name} computes"
        return self.unknown_call(callee, arguments, keywords, anchor, frame, why)

    def _super(self, arguments: tuple[Node, ...], anchor: Anchor, frame: Frame) -> Node:
        """``super()``, or ``super(cls, self)`` with both in sight."""
        cls = arguments[0] if arguments else frame.owner
        receiver = arguments[1] if len(arguments) > 1 else frame.receiver
        if isinstance(cls, Class) and receiver is not None:
            return Super(anchor, self.identities.fresh(), receiver, cls)
        return self.unknown(anchor, "what super() stands for is not known")

    def _container(
        self,
        name: str,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool,
    ) -> Node:
        """``nn.Sequential(...)`` holds its modules under ``args``; a ModuleList or ModuleDict is its list or dict."""
        anchor = frame.anchor(tree)
        if is_open:
            return self.unknown(anchor, "not all modules inside are known")
        if name != "torch.nn.Sequential":
            return arguments[0] if arguments else self.unknown(anchor, "it is filled later")
        if len(arguments) == 1 and isinstance(arguments[0], Dictionary):
            arguments = tuple(value for _, value in arguments[0].entries)
        items = self.sequence("tuple", arguments, anchor)
        return ModuleObject(anchor, self.identities.fresh(), name, {"args": items})

    def _call_module(
        self,
        callee: ModuleObject,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool,
    ) -> Node:
        anchor = frame.anchor(tree)
        callee = self._with_changed_options(callee)
        items = callee.options.get("args")
        if callee.name == "torch.nn.Sequential" and isinstance(items, Sequence):
            if len(arguments) != 1:
                return self.unknown(anchor, "what the Sequential is called with is not known")
            value = arguments[0]
            for item in items.items:
                value = self.call(item, (value,), {}, tree, frame)
            return value
        module = self.library.module(callee.name)
        if module is None or module.call is None:
            why = f"klint does not know what {callee.name} computes"
            return self.unknown_call(callee, arguments, keywords, anchor, frame, why)
        bound = self.bind(module.call.slots, arguments, keywords, anchor)
        return self.operation(
            module.call.operation,
            {**bound, **callee.options},
            anchor,
            frame,
            module.call.pure,
            is_open or callee.open,
            callee,
            callee.identity if module.has_weights else 0,
        )

    def _with_changed_options(self, callee: ModuleObject) -> ModuleObject:
        """A module with the options that were assigned after it was made (``criterion.reduction = 'sum'``)."""
        module = self.library.module(callee.name)
        slots = () if module is None else module.slots
        changed = {slot: self.heap.get((callee.identity, slot)) for slot in slots}
        options = {slot: value for slot, value in changed.items() if value is not None}
        return replace(callee, options={**callee.options, **options}) if options else callee


def _number(name: str, arguments: tuple[Node, ...]) -> float | None:
    """What a function of ``math`` computes of literal numbers; None where it is no such function, or refuses them."""
    values = [argument.value for argument in arguments if isinstance(argument, Constant)]
    numbers = [value for value in values if isinstance(value, (int, float))]
    if name not in _MATH or not numbers or len(numbers) != len(arguments):
        return None
    try:
        return _MATH[name](*numbers)
    except (ArithmeticError, TypeError, ValueError):
        return None
