"""Method calls: those of tensors, with what an operation in place changes besides, and those of objects."""

from __future__ import annotations

import ast

from klint.graph.core import OBJECTS, Core
from klint.graph.library import Signature
from klint.graph.nodes import (
    Choice,
    Constant,
    Dictionary,
    Instance,
    ModuleObject,
    Node,
    Operation,
    Sequence,
    Super,
)
from klint.graph.scope import Frame, Scope

_SELF_RETURNING = frozenset(
    "to cuda cpu eval train half float double bfloat16 requires_grad_ apply compile type".split()
)
_REGISTERS = {
    "register_buffer": "tensor",
    "register_parameter": "param",
    "register_module": "module",
    "add_module": "module",
}
"""Methods of a module that set an attribute whose name is given, with the slot of its value."""


class Methods(Core):
    """Calls that are written as a method's."""

    def receiver_of(self, tree: ast.expr, frame: Frame) -> tuple[Node, str] | None:
        """The receiver and the name, where a call is written as a method's and the receiver may be a tensor."""
        if not isinstance(tree, ast.Attribute):
            return None
        return self.evaluate(tree.value, frame), tree.attr

    def method(
        self,
        name: str,
        receiver: Node,
        arguments: tuple[Node, ...],
        keywords: dict[str, Node],
        tree: ast.Call,
        frame: Frame,
        is_open: bool,
    ) -> Node:
        def on(value: Node) -> Node:
            signature = self.library.method(name)
            if signature is None or isinstance(value, (*OBJECTS, Sequence, Dictionary, Constant)):
                return self.call_method(value, name, arguments, keywords, tree, frame, is_open)
            return self.apply(signature, (value, *arguments), keywords, frame.anchor(tree), frame, is_open)

        signature = self.library.method(name)
        receiver = self.resolve(self.feasible(receiver))
        if isinstance(receiver, Super):
            return self.call_super(receiver, name, arguments, keywords, tree, frame, is_open)
        result = self.each(receiver, on)
        if name.endswith("_") and not name.endswith("__") and self.is_tensor(receiver):
            changed = self.unknown(frame.anchor(tree), "it is changed in place")
            self.rebind(receiver, changed if signature is None else result, frame)
            self._change_views(receiver, result, signature, tree, frame)
        return result

    def _change_views(
        self, receiver: Node, result: Node, signature: Signature | None, tree: ast.Call, frame: Frame
    ) -> None:
        """After an operation in place: what becomes of other tensors that share the receiver's storage.

        An operation on each number (``log_``) that goes through a view of all numbers changes the others alike; of any
        other nothing is known afterwards.
        """
        storage, whole = self._storage(receiver)
        for name, value in frame.scope.names.items():
            if value is result or not self.is_tensor(value):
                continue
            shared, all_of_it = self._storage(value)
            if shared.isdisjoint(storage):
                continue
            if whole and all_of_it and shared == storage and signature is not None and signature.slots == ("input",):
                changed = self.each(value, lambda one: self.apply(signature, (one,), {}, frame.anchor(tree), frame))
            else:
                changed = self.unknown(frame.anchor(tree), "it is changed in place")
            frame.scope.names[name] = changed

    def _storage(self, value: Node) -> tuple[set[int], bool]:
        """The tensors, by ``id``, whose numbers a view shows, one for each alternative, and whether it shows all of them."""
        tensors, whole = set[int](), True
        seen, queue = set[int](), [value]
        for node in queue:
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, Choice):
                queue.extend((node.then, node.otherwise))
            elif isinstance(node, Operation) and node.name in self.library.views and "input" in node.arguments:
                whole = whole and (node.name in self.library.whole_views or _takes_all(node))
                queue.append(node.arguments["input"])
            else:
                tensors.add(id(node))
        return tensors, whole

    def rebind(self, old: Node, new: Node, frame: Frame) -> None:
        """After an operation in place every name and attribute that holds the object holds its new value."""
        self.before_change(old)
        scope: Scope | None = frame.scope
        while scope is not None:
            for name, value in scope.names.items():
                if value is old:
                    scope.names[name] = new
            scope = scope.parent
        self.heap.replace(old, new)

    def call_method(
        self,
        receiver: Node,
        name: str,
        arguments: tuple[Node, ...],
        keywords: dict[str, Node],
        tree: ast.Call,
        frame: Frame,
        is_open: bool,
    ) -> Node:
        """A call of an attribute that is no tensor method."""
        if isinstance(receiver, (ModuleObject, Instance)) and name in _SELF_RETURNING:
            self.make(receiver, name)
            found = self.heap.get((receiver.identity, name))
            if found is None and not (isinstance(receiver, Instance) and self.defines(receiver.cls, name)):
                return receiver
        if isinstance(receiver, Constant) and isinstance(receiver.value, str) and name == "format":
            values = self.sequence("tuple", (*arguments, *keywords.values()), frame.anchor(tree))
            return self.operation("format", {"values": values}, frame.anchor(tree), frame)
        if isinstance(receiver, Instance) and name in _REGISTERS and not self.defines(receiver.cls, name):
            self._register(receiver, name, arguments, keywords, tree, frame)
        known = self.container_method(receiver, name, arguments, tree, frame)
        if known is not None:
            return known
        callee = self.attribute(receiver, name, tree.func, frame)
        return self.call(callee, arguments, keywords, tree, frame, is_open)

    def _register(
        self,
        receiver: Instance,
        method: str,
        arguments: tuple[Node, ...],
        keywords: dict[str, Node],
        tree: ast.Call,
        frame: Frame,
    ) -> None:
        """``self.register_buffer("name", value)`` sets an attribute; a buffer may be filled anew."""
        slots = ("name", _REGISTERS[method])
        given = {**dict(zip(slots, arguments, strict=False)), **keywords}
        name, value = (given.get(slot) for slot in slots)
        if value is None or not isinstance(name, Constant) or not isinstance(name.value, str):
            return
        if method == "register_buffer":
            buffer = self.reference("torch.nn.Buffer", frame.anchor(tree))
            value = self.each(
                value, lambda one: self.call(buffer, (one,), {}, tree, frame) if self.is_tensor(one) else one
            )
        self.heap.set((receiver.identity, name.value), value)
        self.settled.add((receiver.identity, name.value))


def _takes_all(item: Operation) -> bool:
    """Whether an item is ``x[:]`` or ``x[...]``."""
    index = item.arguments.get("index")
    keys = index.items if isinstance(index, Sequence) else (index,)
    return all(
        (isinstance(key, Operation) and key.name == "slice" and not key.arguments)
        or (isinstance(key, Constant) and key.value in (None, ...) and not isinstance(key.value, int))
        for key in keys
    )
