"""Expressions: from a tree of Python to nodes."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace

from klint.graph.containers import UNROLLED
from klint.graph.core import DEPTH, ENTRIES, OBJECTS, Core
from klint.graph.nodes import (
    Choice,
    Constant,
    Dictionary,
    Function,
    Items,
    ModuleObject,
    Node,
    Operation,
    Sequence,
)
from klint.graph.scope import Frame, Scope

_METHODS = {kind: f"_{kind.__name__}" for kind in ast.expr.__subclasses__()}
_BUILTINS = frozenset(dir(builtins))


class Expressions(Core):
    """Evaluates expressions. Every kind of expression has one method, named after its class in ``ast``."""

    def evaluate(self, tree: ast.expr, frame: Frame) -> Node:
        """The node of an expression; Unknown where it is of no known kind or the budget is spent."""
        self.steps += 1
        self.aside += self.is_aside
        if self.steps > self.limit or self.depth > DEPTH:
            return self.unknown(frame.anchor(tree), "the code is too large or too deeply nested to be followed")
        memo = frame.memo
        if memo is not None and (frame.loops or frame.in_place or self.statement[0] is tree):
            memo = None  # what is walked for what it does, or more than once, gives something else each time
        if memo is not None and id(tree) in memo.values:
            return memo.values[id(tree)]
        self.depth += 1
        try:
            method = getattr(self, _METHODS.get(tree.__class__, ""), None)
            if method is None:
                return self.unknown(frame.anchor(tree), "klint does not follow this kind of expression")
            node: Node = method(tree, frame)
        finally:
            self.depth -= 1
        if memo is not None and self.steps <= self.limit:
            memo.values[id(tree)] = node
        return node

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
        if len(elements) > ENTRIES:
            return self.unknown(frame.anchor(tree), "there are too many items")
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
        if len(tree.keys) > ENTRIES:
            return self.unknown(frame.anchor(tree), "there are too many entries")
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
        method = self.receiver_of(tree.func, frame)
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
            return self.method(method[1], callee, tuple(arguments), keywords, tree, frame, is_open)
        return self.call(callee, tuple(arguments), keywords, tree, frame, is_open)

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
        memo, frame.memo = frame.memo, None
        value = self._unrolled(parts, loops, tree, frame) or self._any_of(parts, loops, tree, frame)
        frame.memo = memo
        return value

    def _any_of(self, parts: list[ast.expr], loops: list[ast.comprehension], tree: ast.expr, frame: Frame) -> Node:
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
