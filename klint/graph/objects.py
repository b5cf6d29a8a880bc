"""Classes and objects: making them, their attributes, inheritance and ``super``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import replace

from klint.graph.core import OBJECTS, Core
from klint.graph.library import Signature
from klint.graph.making import MODULE
from klint.graph.nodes import (
    Choice,
    Class,
    Constant,
    Dictionary,
    Function,
    Instance,
    ModuleObject,
    Node,
    Operation,
    Parameter,
    Partial,
    Reference,
    Sequence,
    Super,
    Unknown,
)
from klint.graph.scope import Frame
from klint.source.python import Anchor, tree_nodes

_RECORDS = frozenset(
    {"dataclasses.dataclass", "dataclass", "attr.s", "attrs.define", "attrs.frozen", "typing.NamedTuple"}
)
"""Decorators and bases that make ``__init__`` from the annotated attributes of the class."""


_PROPERTIES = frozenset({"builtins.property", "functools.cached_property"})
"""Decorators of methods that are read as attributes."""


class Objects(Core):
    """Classes, their objects and their attributes."""

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
            self._construct(made, replace(method, bound=made), arguments, keywords, tree, frame, is_open)
        elif self._is_record(cls):
            self._fill(made, arguments, keywords, is_open, frame)
        else:
            self._make_module(made, cls, arguments, keywords, tree, frame, is_open)
        return made

    def _construct(
        self,
        made: Instance,
        function: Function,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool,
    ) -> None:
        """Call ``__init__``; its body is walked as far as it is asked for."""
        if self.decorated(function, frame):
            self.leave_unknown(function, self.follow(function, arguments, keywords, tree, frame, is_open))
            return
        inner = self.opened(function, arguments, keywords, frame.anchor(tree), frame, is_open)
        if isinstance(inner, Frame):
            self.postpone(made, function, inner)
        else:
            self.leave_unknown(function, inner)

    def _is_record(self, cls: Class) -> bool:
        names = [self.decorator_name(decorator, cls.scope) for decorator in cls.definition.decorator_list]
        names += [base.name for base in cls.bases if isinstance(base, Reference)]
        return any(name in _RECORDS for name in names)

    def _fill(
        self,
        made: Instance,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        is_open: bool,
        frame: Frame,
    ) -> None:
        """The attributes of a dataclass or named tuple: its annotated fields, in order."""
        for cls in reversed([base for base in self.lineage(made.cls) if isinstance(base, Class)]):
            for field in cls.definition.body:
                if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
                    continue
                name = field.target.id
                value = arguments[0] if arguments else keywords.get(name)
                arguments = arguments[1:]
                if value is None and not is_open and field.value is not None:
                    value = self._default(field.value, cls, frame)
                value = value or self.unknown(frame.anchor(field), "the field is not passed")
                self.heap.set((made.identity, name), value)
                self.settled.add((made.identity, name))
        after = self.find(made.cls, "__post_init__")
        if isinstance(after, Function):
            self.follow(replace(after, bound=made), (), {}, after.definition, frame)

    def _default(self, tree: ast.expr, cls: Class, frame: Frame) -> Node:
        """The default of a field: a value, or what its ``field(default_factory=...)`` makes."""
        inner = Frame(cls.scope, depth=frame.depth + 1)
        if isinstance(tree, ast.Call) and self.decorator_name(tree, cls.scope).endswith("field"):
            for keyword in tree.keywords:
                if keyword.arg == "default":
                    return self.evaluate(keyword.value, inner)
                if keyword.arg == "default_factory":
                    return self.call(self.evaluate(keyword.value, inner), (), {}, tree, inner)
        return self.evaluate(tree, inner)

    def _make_module(
        self,
        made: Instance,
        cls: Class,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
        after: Class | None = None,
    ) -> None:
        """An object of a class that derives from a library module is that module, with these options."""
        waiting = after is not None
        for base in self.lineage(cls):
            if waiting:
                waiting = base is not after
            elif isinstance(base, Reference):
                module = self.call(base, arguments, keywords, tree, frame, is_open)
                if isinstance(module, ModuleObject):
                    self.heap.set((made.identity, MODULE), module)
                return

    def call_instance(
        self,
        callee: Instance,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """A call of an object: its ``__call__``, its ``forward``, or that of the library module that it derives from."""
        for name in ("__call__", "forward"):
            if name == "forward" and not callee.cls.bases:
                break
            method = self.find(callee.cls, name)
            if isinstance(method, Function):
                return self.call(replace(method, bound=callee), arguments, keywords, tree, frame, is_open)
        module = self._module(callee)
        if module is not None:
            return self.call(module, arguments, keywords, tree, frame, is_open)
        why = "what calling the object computes is not known"
        return self.unknown_call(callee, arguments, keywords, frame.anchor(tree), frame, why)

    def call_super(
        self,
        value: Super,
        name: str,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """``super().name(...)``: the next class's method, or the library module's."""
        instance = value.instance
        if not isinstance(instance, Instance):
            return self.unknown(frame.anchor(tree), "what super() stands for is not known")
        found = self.find(instance.cls, name, value.cls)
        if found is not None:
            return self.call(self._bound(found, instance, tree, frame), arguments, keywords, tree, frame, is_open)
        if name == "__init__":
            self._make_module(instance, instance.cls, arguments, keywords, tree, frame, is_open, value.cls)
            return self.constant(None, frame.anchor(tree))
        module = self._module(instance)
        if module is not None and name in ("forward", "__call__"):
            return self.call(module, arguments, keywords, tree, frame, is_open)
        return self.unknown(frame.anchor(tree), "the method is not in what klint can see")

    def _module(self, instance: Instance) -> Node | None:
        """The library module that an object is."""
        self.make(instance, MODULE)
        return self.heap.get((instance.identity, MODULE))

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
            elif isinstance(base, Class):
                found = base.scope.own(name)
                if found is not None:
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
        value = self.feasible(value)
        if isinstance(value, Instance):
            self.settle(value, name, frame)
        elif name in self.elsewhere:
            self.make_elsewhere(name)
        known = self.heap.get((value.identity, name))
        if known is not None:
            return known
        if isinstance(value, Super) and isinstance(value.instance, Instance):
            found = self.find(value.instance.cls, name, value.cls)
            if found is not None:
                return self._bound(found, value.instance, tree, frame)
        if isinstance(value, Dictionary) and value.get(name) is not None:
            return value.get(name) or value
        if isinstance(value, Constant) and name in ("value", "name"):
            return value  # a member of an enumeration stands for its value
        if isinstance(value, Reference):
            resolved = self.resolve(value)
            if resolved is not value:
                return self._attribute_of_import(value, resolved, name, tree, frame)
            return self.resolve(self.reference(f"{value.name}.{name}", anchor))
        if isinstance(value, (Instance, Class)):
            found = self.find(value if isinstance(value, Class) else value.cls, name)
            if found is not None:
                return self._bound(found, value, tree, frame)
            for base in self.lineage(value if isinstance(value, Class) else value.cls):
                if isinstance(base, Reference) and self.library.function(f"{base.name}.{name}") is not None:
                    return self.reference(f"{base.name}.{name}", anchor)
        if isinstance(value, ModuleObject):
            member = self.library.member(value.name, name)
            if member is not None:
                return self.operation(member.operation, value.options, anchor, frame, member.pure, value.open)
            if self.library.function(f"{value.name}.{name}") is not None:
                method = self.reference(f"{value.name}.{name}", anchor)
                return Partial(anchor, self.identities.fresh(), method, (), value.options)
            learnt = self.library.learnt(value.name, name)
            if learnt is not None:
                return self._learnt(value, name, learnt, anchor, frame)
            if name in value.options:
                return value.options[name]
        module = self._module(value) if isinstance(value, Instance) else None
        if module is not None:
            return self.attribute(module, name, tree, frame)
        if not isinstance(value, (*OBJECTS, Sequence, Dictionary, Constant)):
            signature = self.library.attribute(name)
            if signature is not None:
                return self.operation(signature.operation, {"input": value}, anchor, frame)
            if self.library.method(name) is not None and isinstance(value, (Operation, Parameter)):
                method = self.reference(f"{self.library.tensor}.{name}", anchor)
                return Partial(anchor, self.identities.fresh(), method, (value,), {})
        identity = self.identities.of("attribute", value.identity, name)
        why = "the attribute is not set in what klint can see"
        return Unknown(anchor, identity, why, sources=(value,), grad_enabled=frame.grad_enabled)

    def _learnt(self, value: ModuleObject, name: str, signature: Signature, anchor: Anchor, frame: Frame) -> Node:
        """``layer.bias``: a tensor of the layer's own, or None where the constructor was told that there is none."""
        identity = self.identities.of("attribute", value.identity, name)
        told = value.options.get(name)
        if isinstance(told, Constant) and told.value is False:
            return self.constant(None, anchor)
        held = self.unknown(anchor, "it is learnt", identity=identity)
        if value.open or not (told is None or (isinstance(told, Constant) and told.value is True)):
            return held
        return self.operation(signature.operation, {"input": held}, anchor, frame)

    def _attribute_of_import(self, value: Reference, resolved: Node, name: str, tree: ast.AST, frame: Frame) -> Node:
        """An attribute of what a name from another file stands for, which may be a choice that leads back to that name."""
        key = (value.identity, name)
        if key in self.asking:
            return self.unknown(frame.anchor(tree), "imports go round in a circle")
        self.asking.add(key)
        found = self.attribute(resolved, name, tree, frame)
        self.asking.remove(key)
        return found

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
        if names & (_PROPERTIES | self.library.properties):
            return self.call(method, (), {}, tree, frame)
        return method

    def settle(self, value: Instance, name: str, frame: Frame) -> None:
        """Before an attribute is first read: join what other methods than ``__init__`` may have set it to."""
        key = (value.identity, name)
        if key in self.settled:
            return
        self.settled.add(key)
        is_set = self.make(value, name)
        if name in self.elsewhere:
            self.make_elsewhere(name)
        if is_set or self.heap.get(key) is not None:
            return
        for base in self.lineage(value.cls):
            if not isinstance(base, Class):
                continue
            for method in _setters(base.definition).get(name, ()):
                function = base.scope.own(method)
                if isinstance(function, Function) and function.definition not in self.active:
                    self._join_setter(key, replace(function, bound=value, owner=base), frame)

    def _join_setter(self, key: tuple[int, str], function: Function, frame: Frame) -> None:
        before, mark, steps = self.heap.get(key), self.heap.mark(), len(self.trace)
        objects = len(self.objects)
        self.standalone(function, depth=frame.depth + 1, asked=(key[1],))
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


def _setters(definition: ast.ClassDef) -> dict[str, list[str]]:
    """The methods other than ``__init__`` that set each attribute of ``self``."""
    cached: dict[str, list[str]] | None = getattr(definition, "_klint_setters", None)
    if cached is None:
        cached = {}
        for method in definition.body:
            if isinstance(method, ast.FunctionDef) and method.name != "__init__" and method.args.args:
                receiver = method.args.args[0].arg
                for node in tree_nodes(method):
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
