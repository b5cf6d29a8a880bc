"""Calls and attributes: following functions, classes, objects and modules to what they compute."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from klint.graph.core import CALL_STEPS, GRAD_MODES, STEPS, Core
from klint.graph.nodes import (
    Choice,
    Class,
    Constant,
    Dictionary,
    Function,
    Instance,
    Items,
    ModuleObject,
    Node,
    Partial,
    Reference,
    Sequence,
    Super,
    Unknown,
)
from klint.graph.scope import Frame, Path, Scope
from klint.source.python import Anchor

CALLS = 12
"""How many calls deep functions are followed."""

TRANSPARENT = frozenset(
    {
        "torch.no_grad",
        "torch.enable_grad",
        "torch.inference_mode",
        "torch.jit.script",
        "torch.jit.export",
        "torch.jit.ignore",
        "torch.compile",
        "builtins.staticmethod",
        "builtins.classmethod",
        "builtins.property",
        "functools.wraps",
        "functools.lru_cache",
        "functools.cache",
        "functools.cached_property",
        "torch.distributions.utils.lazy_property",
        "typing.no_type_check",
    }
)
"""Decorators after which a function still computes what its body says."""

_NAMESPACES = frozenset({"types.SimpleNamespace", "argparse.Namespace"})
"""Classes whose objects hold what they are made of under its name, as a dict does."""

_MATH: dict[str, Callable[..., float]] = {
    f"math.{function.__name__}": function for function in (math.exp, math.log, math.log2, math.log1p, math.sqrt)
}
"""Functions of numbers that are computed where the numbers are literal."""

_CONTAINERS = {"torch.nn.Sequential": "args", "torch.nn.ModuleList": "modules", "torch.nn.ModuleDict": "modules"}


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
        if callee.name in _CONTAINERS:
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

    # Functions.

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
        limit, start = self.limit, self.steps
        self.limit = own = min(STEPS, start + CALL_STEPS)
        self.bind_parameters(function, (*receiver, *arguments), keywords, inner, anchor)
        result = self.walk(function, inner)
        spent = self.steps > self.limit
        self.limit = limit
        if spent:
            if own < STEPS:  # it is too large by itself: it is not tried again, and its caller does not pay for it
                self.too_large.add(function.definition)
                self.steps = start
            return self.unknown(anchor, f"{function.name} is too large to be followed")
        self.followed.add(function.definition)
        return result

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
            if name not in TRANSPARENT and not name.endswith((".setter", ".getter")):
                return True
        return False

    def grad_enabled(self, function: Function, outside: bool) -> bool:
        """Whether gradients are recorded in a function's body, where they are or are not ``outside``."""
        for decorator in getattr(function.definition, "decorator_list", ()):
            name = self.decorator_name(decorator, function.scope)
            if name in GRAD_MODES:
                return GRAD_MODES[name]
            outside = outside and name in TRANSPARENT  # any other decorator may turn them off
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


def qualified_name(function: Function) -> str:
    """``Class.method`` for a method, the plain name for a function."""
    return f"{function.owner.definition.name}.{function.name}" if function.owner else function.name


def defaults(parameters: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Every named parameter with its default."""
    positional = [*parameters.posonlyargs, *parameters.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(parameters.defaults))
    yield from zip(positional, [*missing, *parameters.defaults], strict=True)
    yield from zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)
