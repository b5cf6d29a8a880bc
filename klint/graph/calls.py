"""Calls and attributes: following functions, classes, objects and modules to what they compute."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from klint.graph.core import OBJECTS, Core
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
    Unknown,
)
from klint.graph.scope import Frame, Path, Scope

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
        "typing.no_type_check",
    }
)
"""Decorators after which a function still computes what its body says."""

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
            for name in ("__call__", "forward"):
                if name == "forward" and not callee.cls.bases:
                    break
                method = self.attribute(callee, name, tree, frame)
                if isinstance(method, Function):
                    return self.call(method, arguments, keywords, tree, frame, is_open)
            return self.unknown(anchor, "what calling the object computes is not known")
        why = callee.why if isinstance(callee, Unknown) else "what is called is not known"
        return self.unknown(anchor, why)

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
                anchor, self.identities.fresh(), callee.name, options, is_open, frame.path, frame.callers
            )
            self.objects.append(made)
            return made
        if callee.name in _CONTAINERS:
            return self._container(callee.name, arguments, keywords, tree, frame, is_open)
        if callee.name == "functools.partial" and arguments and not is_open:
            return Partial(anchor, self.identities.fresh(), arguments[0], arguments[1:], dict(keywords))
        if callee.name in ("builtins.dict", "collections.OrderedDict") and not is_open:
            return self._make_dict(arguments, keywords, tree, frame)
        if callee.name in ("builtins.tuple", "builtins.list") and arguments and isinstance(arguments[0], Sequence):
            return self.sequence(callee.name.removeprefix("builtins."), arguments[0].items, anchor)
        if callee.name == "builtins.getattr" and len(arguments) > 1:
            name = arguments[1].value if isinstance(arguments[1], Constant) else None
            if isinstance(name, str):
                return self.attribute(arguments[0], name, tree, frame)
        return self.unknown(anchor, f"klint does not know what {callee.name} computes")

    def _make_dict(
        self, arguments: tuple[Node, ...], keywords: Mapping[str, Node], tree: ast.AST, frame: Frame
    ) -> Node:
        anchor = frame.anchor(tree)
        entries: list[tuple[Node, Node]] = []
        for argument in arguments:
            pairs = argument.items if isinstance(argument, Sequence) else None
            if isinstance(argument, Dictionary):
                entries.extend(argument.entries)
            elif pairs is not None and all(isinstance(pair, Sequence) and len(pair.items) == 2 for pair in pairs):
                entries.extend((pair.items[0], pair.items[1]) for pair in pairs if isinstance(pair, Sequence))
            else:
                return self.unknown(anchor, "not all entries of the dict are known")
        entries.extend((self.constant(name, anchor), value) for name, value in keywords.items())
        return self.dictionary(tuple(entries), anchor)

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
            return self.unknown(anchor, f"klint does not know what {callee.name} computes")
        bound = self.bind(module.call.slots, arguments, keywords, anchor)
        return self.operation(
            module.call.operation,
            {**bound, **callee.options},
            anchor,
            frame,
            module.call.pure,
            is_open or callee.open,
            callee,
        )

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
            return self.unknown(anchor, f"a decorator may change what {function.name} returns")
        if function.definition in self.active or frame.depth >= CALLS:
            return self.unknown(anchor, f"{function.name} is recursive, or called too many calls deep")
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
        )
        receiver = () if function.bound is None else (function.bound,)
        self.bind_parameters(function, (*receiver, *arguments), keywords, inner, anchor)
        return self.walk(function, inner)

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
        if frame.generator:
            return self.unknown(anchor, f"{function.name} is a generator")
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

    def decorated(self, function: Function, frame: Frame) -> bool:
        """Whether a decorator may change what the function computes."""
        for decorator in getattr(function.definition, "decorator_list", ()):
            name = self.decorator_name(decorator, function.scope)
            if name not in TRANSPARENT and not name.endswith((".setter", ".getter")):
                return True
        return False

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

    # Classes and objects.

    def instantiate(
        self,
        cls: Class,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """A new object: its attributes are what ``__init__`` makes of the arguments."""
        made = Instance(frame.anchor(tree), self.identities.fresh(), cls)
        method = self.find(cls, "__init__")
        if isinstance(method, Function):
            self.follow(replace(method, bound=made), arguments, keywords, tree, frame, is_open)
        return made

    def lineage(self, cls: Class) -> Iterator[Class | Reference]:
        """A class, then its bases depth first, as far as they are known; library classes stand as references."""
        seen: set[int] = set()
        stack: list[Node] = [cls]
        while stack:
            node = stack.pop(0)
            if id(node) in seen or len(seen) > 50:
                continue
            seen.add(id(node))
            if isinstance(node, Class):
                yield node
                stack[:0] = node.bases
            elif isinstance(node, Reference):
                yield node

    def find(self, cls: Class, name: str, after: Class | None = None) -> Node | None:
        """An attribute of a class or of its bases; ``after`` skips up to and including that class, as ``super`` does."""
        waiting = after is not None
        for base in self.lineage(cls):
            if waiting:
                waiting = base is not after
            elif isinstance(base, Class) and name in base.scope.names:
                found = base.scope.names[name]
                return replace(found, owner=base) if isinstance(found, Function) else found
        return None

    def defines(self, cls: Class, name: str) -> bool:
        """Whether a class or one of its bases in sight defines an attribute."""
        return self.find(cls, name) is not None

    def attribute(self, value: Node, name: str, tree: ast.AST, frame: Frame) -> Node:
        """The node of ``value.name``."""
        anchor = frame.anchor(tree)
        if isinstance(value, Choice) and not self.is_tensor(value):
            return self._attribute_of_choice(value, name, tree, frame)
        if isinstance(value, Instance):
            self.settle(value, name, frame)
        known = self.heap.get((value.identity, name))
        if known is not None:
            return known
        if isinstance(value, Reference):
            resolved = self.resolve(value)
            if resolved is not value:
                return self.attribute(resolved, name, tree, frame)
            return self.reference(f"{value.name}.{name}", anchor)
        if isinstance(value, (Instance, Class)):
            found = self.find(value if isinstance(value, Class) else value.cls, name)
            if found is not None:
                return self._bound(found, value, tree, frame)
        if isinstance(value, ModuleObject):
            member = self.library.member(value.name, name)
            if member is not None:
                return self.operation(member.operation, value.options, anchor, frame, member.pure, value.open)
            if self.library.function(f"{value.name}.{name}") is not None:
                method = self.reference(f"{value.name}.{name}", anchor)
                return Partial(anchor, self.identities.fresh(), method, (), value.options)
            if name in value.options:
                return value.options[name]
        if not isinstance(value, OBJECTS):
            signature = self.library.attribute(name)
            if signature is not None:
                return self.operation(signature.operation, {"input": value}, anchor, frame)
        identity = self.identities.of("attribute", value.identity, name)
        return self.unknown(anchor, "the attribute is not set in what klint can see", identity=identity)

    def _attribute_of_choice(self, value: Choice, name: str, tree: ast.AST, frame: Frame) -> Node:
        alternatives = [side for side in (value.then, value.otherwise) if not isinstance(side, Constant)]
        if len(alternatives) == 1:
            return self.attribute(alternatives[0], name, tree, frame)
        then, otherwise = (self.attribute(side, name, tree, frame) for side in (value.then, value.otherwise))
        return self.choice(value.condition, then, otherwise)

    def _bound(self, found: Node, value: Node, tree: ast.AST, frame: Frame) -> Node:
        """A class attribute as seen through an object: methods are bound, properties computed."""
        if not isinstance(found, Function) or isinstance(found.definition, ast.Lambda):
            return found
        names = {self.decorator_name(decorator, found.scope) for decorator in found.definition.decorator_list}
        if "builtins.staticmethod" in names:
            return found
        if "builtins.classmethod" in names:
            return replace(found, bound=value.cls if isinstance(value, Instance) else value)
        if isinstance(value, Class):
            return found
        method = replace(found, bound=value)
        if names & {"builtins.property", "functools.cached_property"}:
            return self.call(method, (), {}, tree, frame)
        return method

    def settle(self, value: Instance, name: str, frame: Frame) -> None:
        """Before an attribute is first read: join what other methods than ``__init__`` may have set it to."""
        key = (value.identity, name)
        if key in self.settled:
            return
        self.settled.add(key)
        for base in self.lineage(value.cls):
            if not isinstance(base, Class):
                continue
            for method in _setters(base.definition).get(name, ()):
                function = base.scope.names.get(method)
                if isinstance(function, Function) and function.definition not in self.active:
                    self._join_setter(key, replace(function, bound=value, owner=base), frame)

    def _join_setter(self, key: tuple[int, str], function: Function, frame: Frame) -> None:
        before, mark, steps = self.heap.get(key), self.heap.mark(), len(self.trace)
        objects = len(self.objects)
        self.standalone(function, depth=frame.depth + 1)
        after = self.heap.get(key)
        self.heap.rewind(mark)
        del self.trace[steps:]
        del self.objects[objects:]
        if after is None or after is before:
            return
        if before is None:
            self.heap.set(key, after)
        else:
            condition = self.unknown(after.anchor, "which method ran last is not known")
            self.heap.set(key, self.choice(condition, before, after))


def qualified_name(function: Function) -> str:
    """``Class.method`` for a method, the plain name for a function."""
    return f"{function.owner.definition.name}.{function.name}" if function.owner else function.name


def defaults(parameters: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Every named parameter with its default."""
    positional = [*parameters.posonlyargs, *parameters.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(parameters.defaults))
    yield from zip(positional, [*missing, *parameters.defaults], strict=True)
    yield from zip(parameters.kwonlyargs, parameters.kw_defaults, strict=True)


def _setters(definition: ast.ClassDef) -> dict[str, list[str]]:
    """The methods other than ``__init__`` that set each attribute of ``self``."""
    cached: dict[str, list[str]] | None = getattr(definition, "_klint_setters", None)
    if cached is None:
        cached = {}
        for method in definition.body:
            if isinstance(method, ast.FunctionDef) and method.name != "__init__" and method.args.args:
                receiver = method.args.args[0].arg
                for node in ast.walk(method):
                    if (
                        isinstance(node, ast.Attribute)
                        and isinstance(node.ctx, ast.Store)
                        and isinstance(node.value, ast.Name)
                        and node.value.id == receiver
                        and method.name not in cached.setdefault(node.attr, [])
                    ):
                        cached[node.attr].append(method.name)
        definition._klint_setters = cached  # type: ignore[attr-defined]
    return cached
