"""Expressions: from a tree of Python to nodes."""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from klint.graph.containers import UNROLLED
from klint.graph.core import DEPTH, OBJECTS, Core
from klint.graph.library import Signature
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
    Operation,
    Partial,
    Reference,
    Sequence,
    Super,
)
from klint.graph.scope import Frame, Scope

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Is: "is",
    ast.IsNot: "is_not",
    ast.In: "in",
    ast.NotIn: "not_in",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}
_FOLD: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_BUILTINS = frozenset(dir(builtins))
_ALWAYS_TRUE = (Class, Function, Instance, ModuleObject, Partial, Reference)


class Expressions(Core):
    """Evaluates expressions. Every kind of expression has one method, named after its class in ``ast``."""

    def evaluate(self, tree: ast.expr, frame: Frame) -> Node:
        """The node of an expression; Unknown where it is of no known kind or the budget is spent."""
        self.steps += 1
        if self.steps > self.limit or self.depth > DEPTH:
            return self.unknown(frame.anchor(tree), "the code is too large or too deeply nested to be followed")
        self.depth += 1
        try:
            method = getattr(self, "_" + type(tree).__name__, None)
            if method is None:
                return self.unknown(frame.anchor(tree), "klint does not follow this kind of expression")
            node: Node = method(tree, frame)
            return node
        finally:
            self.depth -= 1

    # Leaves.

    def _Constant(self, tree: ast.Constant, frame: Frame) -> Node:
        return self.constant(tree.value, frame.anchor(tree))

    def _Name(self, tree: ast.Name, frame: Frame) -> Node:
        value = frame.elsewhere.get(tree.id, frame.scope).lookup(tree.id)
        if value is not None:
            value = self.resolve(value)
            if isinstance(value, Constant):  # it is known by the name under which it is used
                return replace(value, anchor=frame.anchor(tree))
            return value
        if tree.id in _BUILTINS:
            return self.reference(f"builtins.{tree.id}", frame.anchor(tree))
        identity = self.identities.of("name", tree.id)
        return self.unknown(frame.anchor(tree), "the name is not bound in what klint can see", identity=identity)

    # Containers.

    def _Tuple(self, tree: ast.Tuple, frame: Frame) -> Node:
        return self._items("tuple", tree.elts, tree, frame)

    def _List(self, tree: ast.List, frame: Frame) -> Node:
        return self._items("list", tree.elts, tree, frame)

    def _items(self, kind: str, elements: list[ast.expr], tree: ast.expr, frame: Frame) -> Node:
        items: list[Node] = []
        for element in elements:
            if isinstance(element, ast.Starred):
                inner = self.evaluate(element.value, frame)
                if not isinstance(inner, Sequence):
                    return self.unknown(frame.anchor(tree), "its length is not known")
                items.extend(inner.items)
            else:
                items.append(self.evaluate(element, frame))
        return self.sequence(kind, tuple(items), frame.anchor(tree))

    def _Dict(self, tree: ast.Dict, frame: Frame) -> Node:
        entries: list[tuple[Node, Node]] = []
        for key, value in zip(tree.keys, tree.values, strict=True):
            inner = self.evaluate(value, frame)
            if key is not None:
                entries.append((self.evaluate(key, frame), inner))
            elif isinstance(inner, Dictionary):
                entries.extend(inner.entries)
            else:
                return self.unknown(frame.anchor(tree), "not all entries of the dict are known")
        return self.dictionary(tuple(entries), frame.anchor(tree))

    # Operators.

    def _BinOp(self, tree: ast.BinOp, frame: Frame) -> Node:
        spine: list[ast.BinOp] = []
        left: ast.expr = tree
        while isinstance(left, ast.BinOp):  # a sum of 400 terms is 400 deep on its left
            spine.append(left)
            left = left.left
        value = self.evaluate(left, frame)
        for term in reversed(spine):
            value = self.binary(term.op, value, self.evaluate(term.right, frame), term, frame)
        return value

    def binary(self, op: ast.operator, left: Node, right: Node, tree: ast.AST, frame: Frame) -> Node:
        """``left op right``: numbers are folded, sequences joined, all else is an operation of the library."""
        name = _BINARY.get(type(op))
        anchor = frame.anchor(tree)
        if isinstance(op, ast.BitOr) and isinstance(left, Dictionary) and isinstance(right, Dictionary):
            return self.dictionary(left.entries + right.entries, anchor)
        if name is None:
            return self.unknown(anchor, "klint does not follow this operator")
        if name == "mod" and isinstance(left, Constant) and isinstance(left.value, str):
            values = right if isinstance(right, Sequence) else self.sequence("tuple", (right,), anchor)
            return self.operation("format", {"values": values}, anchor, frame)
        folded = self._fold(name, left, right, tree, frame)
        if folded is not None:
            return folded
        if name == "add" and isinstance(left, Sequence) and isinstance(right, Sequence):
            return self.sequence(left.kind, left.items + right.items, anchor)
        return self.operation(name, {"input": left, "other": right}, anchor, frame)

    def _fold(self, name: str, left: Node, right: Node, tree: ast.AST, frame: Frame) -> Node | None:
        if isinstance(left, Constant) and isinstance(right, Constant) and name in _FOLD:
            both = (left.value, right.value)
            numbers = all(isinstance(value, (int, float)) for value in both)
            if numbers or name in ("eq", "ne"):
                try:
                    return self.constant(_FOLD[name](*both), frame.anchor(tree))
                except (ArithmeticError, ValueError):
                    return None
        return None

    def _UnaryOp(self, tree: ast.UnaryOp, frame: Frame) -> Node:
        value, anchor = self.evaluate(tree.operand, frame), frame.anchor(tree)
        if isinstance(tree.op, ast.Not):
            if isinstance(value, Constant):
                return self.constant(not value.value, anchor)
            return self.operation("not", {"input": value}, anchor, frame)
        number = value.value if isinstance(value, Constant) else None
        if isinstance(number, (int, float)):
            return self.constant(-number if isinstance(tree.op, ast.USub) else number, anchor)
        if isinstance(tree.op, ast.USub):
            return self.operation("neg", {"input": value}, anchor, frame)
        return value if isinstance(tree.op, ast.UAdd) else self.unknown(anchor, "klint does not follow this operator")

    def _BoolOp(self, tree: ast.BoolOp, frame: Frame) -> Node:
        """``a and b`` is b where a holds, else a; ``a or b`` the other way round."""
        value = self.evaluate(tree.values[0], frame)
        for term in tree.values[1:]:
            other = self.evaluate(term, frame)
            if isinstance(value, _ALWAYS_TRUE):
                condition, positive = self.constant(True, value.anchor), True
            else:
                condition, positive = self.truth(value)  # type: ignore[assignment]
            both = (other, value) if isinstance(tree.op, ast.And) == positive else (value, other)
            value = self.choice(condition, *both, frame.anchor(tree))
        return value

    def _Compare(self, tree: ast.Compare, frame: Frame) -> Node:
        operands = [self.evaluate(operand, frame) for operand in (tree.left, *tree.comparators)]
        if len(tree.ops) > 1:
            return self.unknown(frame.anchor(tree), "klint does not follow chained comparisons")
        return self.compare(_COMPARE[type(tree.ops[0])], operands[0], operands[1], tree, frame)

    def compare(self, name: str, left: Node, right: Node, tree: ast.AST, frame: Frame) -> Node:
        """``left == right`` and its kin, decided where both sides are known."""
        anchor = frame.anchor(tree)
        if name in ("is", "is_not") and isinstance(right, Constant) and right.value is None:
            if isinstance(left, Constant):
                return self.constant((left.value is None) == (name == "is"), anchor)
            if isinstance(left, (*OBJECTS, Sequence, Dictionary, Operation)):
                return self.constant(name == "is_not", anchor)
        folded = self._fold(name, left, right, tree, frame)
        if folded is not None:
            return folded
        if name in ("in", "not_in") and isinstance(left, Constant) and isinstance(right, (Sequence, Dictionary)):
            known = right.items if isinstance(right, Sequence) else tuple(key for key, _ in right.entries)
            if all(isinstance(item, Constant) for item in known):
                found = any(isinstance(item, Constant) and item.value == left.value for item in known)
                return self.constant(found == (name == "in"), anchor)
        return self.operation(name, {"input": left, "other": right}, anchor, frame)

    def _IfExp(self, tree: ast.IfExp, frame: Frame) -> Node:
        condition, positive = self.truth(self.evaluate(tree.test, frame))
        if isinstance(condition, Constant):  # the other alternative is never computed
            return self.evaluate(tree.body if bool(condition.value) == positive else tree.orelse, frame)
        path = frame.path
        frame.path = (*path, (condition, positive))
        then = self.evaluate(tree.body, frame)
        frame.path = (*path, (condition, not positive))
        otherwise = self.evaluate(tree.orelse, frame)
        frame.path = path
        both = (then, otherwise) if positive else (otherwise, then)
        return self.choice(condition, *both, frame.anchor(tree))

    # Access.

    def _Attribute(self, tree: ast.Attribute, frame: Frame) -> Node:
        return self.attribute(self.evaluate(tree.value, frame), tree.attr, tree, frame)

    def _Subscript(self, tree: ast.Subscript, frame: Frame) -> Node:
        value = self.evaluate(tree.value, frame)
        index = self.evaluate(tree.slice, frame)
        if isinstance(index, Choice) and isinstance(value, (Sequence, Dictionary)):
            return self.each(index, lambda key: self.item(value, key, tree, frame))
        return self.each(value, lambda inner: self.item(inner, index, tree, frame))

    def _Slice(self, tree: ast.Slice, frame: Frame) -> Node:
        parts = {"start": tree.lower, "stop": tree.upper, "step": tree.step}
        arguments = {name: self.evaluate(part, frame) for name, part in parts.items() if part is not None}
        return self.operation("slice", arguments, frame.anchor(tree), frame)

    def item(self, value: Node, index: Node, tree: ast.AST, frame: Frame) -> Node:
        """``value[index]``."""
        key = index.value if isinstance(index, Constant) else None
        anchor = frame.anchor(tree)
        if isinstance(value, Sequence):
            if isinstance(key, int) and -len(value.items) <= key < len(value.items):
                return value.items[key]
            part = _literal_slice(index)
            if part is not None:
                return self.sequence(value.kind, value.items[part], anchor)
            return self.unknown(anchor, "which item it is is not known")
        if isinstance(value, Items):
            return self.any_item(value.item, frame) if not isinstance(index, Operation) else value
        if isinstance(value, Dictionary):
            found = value.get(key) if isinstance(index, Constant) else self._any_entry(value, index, frame)
            return found or self.unknown(anchor, "which entry of the dict it is is not known")
        if isinstance(value, ModuleObject):
            items = value.options.get("args")
            if isinstance(items, Sequence):
                picked = self.item(items, index, tree, frame)
                if isinstance(picked, Sequence):
                    return ModuleObject(anchor, self.identities.fresh(), value.name, {"args": picked})
                return picked
        if isinstance(value, OBJECTS):
            return self.unknown(anchor, "what the object holds is not known")
        return self.operation("getitem", {"input": value, "index": index}, anchor, frame)

    def _any_entry(self, value: Dictionary, key: Node, frame: Frame) -> Node | None:
        """The entry of a small dict under a key that is not known: the last one whose key it equals."""
        if not 0 < len(value.entries) <= UNROLLED or not self.is_tensor(key):
            return None
        result = value.entries[0][1]
        for name, entry in value.entries[1:]:
            condition = self.operation("eq", {"input": key, "other": name}, key.anchor, frame)
            result = self.choice(condition, entry, result)
        return result

    def unpack(self, value: Node, count: int, star: int | None, tree: ast.AST, frame: Frame) -> list[Node]:
        """The values of ``count`` targets that a value is unpacked into; ``star`` is the index of a starred one."""
        if isinstance(value, Choice):
            then = self.unpack(value.then, count, star, tree, frame)
            otherwise = self.unpack(value.otherwise, count, star, tree, frame)
            return [self.choice(value.condition, *pair) for pair in zip(then, otherwise, strict=True)]
        anchor = frame.anchor(tree)
        if isinstance(value, Sequence):
            items = value.items
            if star is None and len(items) == count:
                return list(items)
            if star is not None and len(items) >= count - 1:
                after = len(items) - (count - 1 - star)
                rest = self.sequence("list", items[star:after], anchor)
                return [*items[:star], rest, *items[after:]]
        elif isinstance(value, Items) and star is None:
            return [self.any_item(value.item, frame) for _ in range(count)]
        elif not isinstance(value, (*OBJECTS, Dictionary, Constant, Items)):
            if star is None:
                self.operation("unpack", {"input": value, "count": self.constant(count, anchor)}, anchor, frame)
            places = [index if star is None or index < star else index - count for index in range(count)]
            return [
                self.unknown(anchor, "how many items it takes is not known")
                if index == star
                else self.item(value, self.constant(place, anchor), tree, frame)
                for index, place in enumerate(places)
            ]
        return [self.unknown(anchor, "what is unpacked is not known") for _ in range(count)]

    # Calls and functions.

    def _Call(self, tree: ast.Call, frame: Frame) -> Node:
        arguments: list[Node] = []
        keywords: dict[str, Node] = {}
        is_open = False
        method = self._receiver(tree.func, frame)
        callee = method[0] if method else self.evaluate(tree.func, frame)
        for argument in tree.args:
            if not isinstance(argument, ast.Starred):
                arguments.append(self.evaluate(argument, frame))
                continue
            inner = self.evaluate(argument.value, frame)
            if isinstance(inner, Sequence):
                arguments.extend(inner.items)
            else:
                is_open = True
        for keyword in tree.keywords:
            value = self.evaluate(keyword.value, frame)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, Dictionary) and all(
                isinstance(key, Constant) and isinstance(key.value, str) for key, _ in value.entries
            ):
                keywords |= {str(key.value): inner for key, inner in value.entries if isinstance(key, Constant)}
            else:
                is_open = True
        if method:
            return self._method(method[1], callee, tuple(arguments), keywords, tree, frame, is_open)
        return self.call(callee, tuple(arguments), keywords, tree, frame, is_open)

    def _receiver(self, tree: ast.expr, frame: Frame) -> tuple[Node, str] | None:
        """The receiver and the name, where a call is written as a method's and the receiver may be a tensor."""
        if not isinstance(tree, ast.Attribute):
            return None
        return self.evaluate(tree.value, frame), tree.attr

    def _method(
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

    def _Lambda(self, tree: ast.Lambda, frame: Frame) -> Node:
        return Function(frame.anchor(tree), self.identities.fresh(), tree, frame.scope.unit, frame.scope)

    def _NamedExpr(self, tree: ast.NamedExpr, frame: Frame) -> Node:
        value = self.evaluate(tree.value, frame)
        frame.bind(tree.target.id, value)
        return value

    def _Starred(self, tree: ast.Starred, frame: Frame) -> Node:
        return self.evaluate(tree.value, frame)

    def _Await(self, tree: ast.Await, frame: Frame) -> Node:
        return self.evaluate(tree.value, frame)

    def _Yield(self, tree: ast.Yield, frame: Frame) -> Node:
        value = self.constant(None, frame.anchor(tree)) if tree.value is None else self.evaluate(tree.value, frame)
        frame.yields.append(value)
        return self.unknown(frame.anchor(tree), "what is sent to a generator is not known")

    def _YieldFrom(self, tree: ast.YieldFrom, frame: Frame) -> Node:
        frame.yields.append(self.element(self.evaluate(tree.value, frame), tree, frame))
        return self.unknown(frame.anchor(tree), "what a generator returns is not followed")

    def _JoinedStr(self, tree: ast.JoinedStr, frame: Frame) -> Node:
        """An f-string: its text is not followed, the values that it shows are."""
        shown = [part.value for part in tree.values if isinstance(part, ast.FormattedValue)]
        values = self._items("tuple", shown, tree, frame)
        return self.operation("format", {"values": values}, frame.anchor(tree), frame)

    # Comprehensions: the element once, with the loop's variable standing for any item.

    def _ListComp(self, tree: ast.ListComp, frame: Frame) -> Node:
        return self._comprehension([tree.elt], tree.generators, tree, frame)

    _SetComp = _GeneratorExp = _ListComp

    def _DictComp(self, tree: ast.DictComp, frame: Frame) -> Node:
        return self._comprehension([tree.key, tree.value], tree.generators, tree, frame)

    def _comprehension(
        self, parts: list[ast.expr], loops: list[ast.comprehension], tree: ast.expr, frame: Frame
    ) -> Node:
        unrolled = self._unrolled(parts, loops, tree, frame)
        if unrolled is not None:
            return unrolled
        outer = frame.scope
        frame.scope = Scope(outer.unit, outer)
        path = frame.path
        for loop in loops:
            self.assign(loop.target, self.element(self.evaluate(loop.iter, frame), loop.target, frame), frame)
            for test in loop.ifs:
                frame.path = (*frame.path, self.truth(self.evaluate(test, frame)))
        frame.loops += 1
        values = [self.evaluate(part, frame) for part in parts]
        frame.loops -= 1
        frame.scope, frame.path = outer, path
        anchor = frame.anchor(tree)
        if len(values) == 1:
            return Items(anchor, self.identities.fresh(), values[0])
        return self.unknown(anchor, "what entries the dict has is not known")

    def _unrolled(
        self, parts: list[ast.expr], loops: list[ast.comprehension], tree: ast.expr, frame: Frame
    ) -> Node | None:
        """A comprehension over a sequence of which every item is known, and which leaves none out."""
        if len(loops) != 1 or loops[0].ifs:
            return None
        iterable = self.evaluate(loops[0].iter, frame)
        if not isinstance(iterable, Sequence) or len(iterable.items) > UNROLLED:
            return None
        outer, rows = frame.scope, []
        for item in iterable.items:
            frame.scope = Scope(outer.unit, outer)
            self.assign(loops[0].target, item, frame)
            rows.append(tuple(self.evaluate(part, frame) for part in parts))
        frame.scope = outer
        anchor = frame.anchor(tree)
        if len(parts) == 2:
            return self.dictionary(tuple((row[0], row[1]) for row in rows), anchor)
        return self.sequence("list", tuple(row[0] for row in rows), anchor)


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


def _takes_all(item: Operation) -> bool:
    """Whether an item is ``x[:]`` or ``x[...]``."""
    index = item.arguments.get("index")
    keys = index.items if isinstance(index, Sequence) else (index,)
    return all(
        (isinstance(key, Operation) and key.name == "slice" and not key.arguments)
        or (isinstance(key, Constant) and key.value in (None, ...) and not isinstance(key.value, int))
        for key in keys
    )


def _literal_slice(index: Node) -> slice | None:
    if not isinstance(index, Operation) or index.name != "slice":
        return None
    parts = []
    for name in ("start", "stop", "step"):
        part = index.arguments.get(name)
        if part is not None and not (isinstance(part, Constant) and isinstance(part.value, int)):
            return None
        parts.append(None if part is None else part.value)
    return slice(*parts)
