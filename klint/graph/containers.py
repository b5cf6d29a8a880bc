"""Lists, dicts and iterables: their methods, what a loop over them sees, and the built-in functions that make them."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from klint.graph.core import Core
from klint.graph.nodes import (
    Choice,
    Constant,
    Dictionary,
    Items,
    ModuleObject,
    Node,
    Operation,
    Sequence,
)
from klint.graph.scope import Frame
from klint.graph.slices import CHANGES
from klint.source.python import Anchor

UNROLLED = 4
"""Of so many items at most a loop sees each; of longer sequences it sees some item."""


class Containers(Core):
    """What is done with things that hold other things."""

    def element(self, iterable: Node, tree: ast.AST, frame: Frame) -> Node:
        """Any item of an iterable."""
        anchor = frame.anchor(tree)
        if isinstance(iterable, Choice):
            then, otherwise = (self.element(side, tree, frame) for side in (iterable.then, iterable.otherwise))
            return self.choice(iterable.condition, then, otherwise)
        if isinstance(iterable, ModuleObject) and isinstance(iterable.options.get("args"), Sequence):
            iterable = iterable.options["args"]
        if isinstance(iterable, Items):
            return self.any_item(iterable.item, frame)
        if isinstance(iterable, Dictionary):
            iterable = self.sequence("list", tuple(key for key, _ in iterable.entries), anchor)
        if isinstance(iterable, Sequence) and 0 < len(iterable.items) <= UNROLLED:
            value = iterable.items[0]
            for item in iterable.items[1:]:
                value = self.choice(self.unknown(anchor, "which item it is is not known"), value, item)
            return value
        if self.is_tensor(iterable) and isinstance(iterable, Operation):
            which = self.unknown(anchor, "it counts the turns of a loop")
            return self.operation("row", {"input": iterable, "index": which}, anchor, frame)
        if isinstance(tree, (ast.Tuple, ast.List)):
            return self.sequence("tuple", tuple(self._item_named(part, frame) for part in tree.elts), anchor)
        return self._item_named(tree, frame)

    def _item_named(self, tree: ast.AST, frame: Frame) -> Node:
        if isinstance(tree, (ast.Tuple, ast.List)):
            items = tuple(self._item_named(part, frame) for part in tree.elts)
            return self.sequence("tuple", items, frame.anchor(tree))
        return self.unknown(frame.anchor(tree), "it is an item of a loop")

    def any_item(self, item: Node, frame: Frame) -> Node:
        """A value like ``item`` of another turn: what it means is the same, its numbers are others."""
        if isinstance(item, Sequence):
            parts = tuple(self.any_item(part, frame) for part in item.items)
            return self.sequence(item.kind, parts, item.anchor)
        if not self.is_tensor(item):
            return item
        return self.operation("any_item", {"input": item}, item.anchor, frame, pure=False)

    # Built-in functions.

    def call_builtin(
        self, name: str, arguments: tuple[Node, ...], keywords: Mapping[str, Node], tree: ast.AST, frame: Frame
    ) -> Node | None:
        """The value of a built-in function that makes or takes iterables; None if it is none of those."""
        anchor = frame.anchor(tree)
        if name == "zip" and arguments:
            known = [argument.items for argument in arguments if isinstance(argument, Sequence)]
            if len(known) == len(arguments):
                rows = tuple(self.sequence("tuple", row, anchor) for row in zip(*known, strict=False))
                return self.sequence("list", rows, anchor)
            parts = tuple(self.element(argument, tree, frame) for argument in arguments)
            return Items(anchor, self.identities.fresh(), self.sequence("tuple", parts, anchor))
        if name == "range":
            return self._range(arguments, anchor)
        if name == "enumerate" and arguments:
            return self._enumerate(arguments[0], tree, frame)
        if name == "map" and len(arguments) > 1:
            function, iterables = arguments[0], arguments[1:]
            if len(iterables) == 1 and isinstance(iterables[0], Sequence):
                called = tuple(self.call(function, (item,), {}, tree, frame) for item in iterables[0].items)
                return self.sequence("list", called, anchor)
            item = self.call(function, tuple(self.element(each, tree, frame) for each in iterables), {}, tree, frame)
            return Items(anchor, self.identities.fresh(), item)
        if name in ("tuple", "list", "iter", "reversed", "sorted") and arguments:
            value = arguments[0]
            if isinstance(value, Sequence) and name in ("tuple", "list"):
                return self.sequence(name, value.items, anchor)
            if isinstance(value, (Items, Sequence)):
                return Items(anchor, self.identities.fresh(), self.element(value, tree, frame))
        if name in ("tuple", "list") and not arguments:
            return self.sequence(name, (), anchor)
        if name == "next" and arguments and isinstance(arguments[0], (Items, Sequence)):
            return self.element(arguments[0], tree, frame)
        if name == "dict":
            return self.make_dict(arguments, keywords, tree, frame)
        return None

    def _range(self, arguments: tuple[Node, ...], anchor: Anchor) -> Node:
        bounds = [argument.value for argument in arguments if isinstance(argument, Constant)]
        whole = [bound for bound in bounds if isinstance(bound, int)]
        if whole and len(whole) == len(arguments) <= 3 and 0 not in whole[2:]:
            counted = range(*whole)
            if len(counted) <= UNROLLED:
                return self.sequence("list", tuple(self.constant(index, anchor) for index in counted), anchor)
        return self.unknown(anchor, "it counts the turns of a loop")

    def _enumerate(self, value: Node, tree: ast.AST, frame: Frame) -> Node:
        anchor = frame.anchor(tree)
        if isinstance(value, Sequence):
            rows = tuple(
                self.sequence("tuple", (self.constant(index, anchor), item), anchor)
                for index, item in enumerate(value.items)
            )
            return self.sequence("list", rows, anchor)
        pair = (self.unknown(anchor, "it counts the turns of a loop"), self.element(value, tree, frame))
        return Items(anchor, self.identities.fresh(), self.sequence("tuple", pair, anchor))

    def make_dict(self, arguments: tuple[Node, ...], keywords: Mapping[str, Node], tree: ast.AST, frame: Frame) -> Node:
        """``dict(pairs, name=value)``."""
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

    # Methods.

    def container_method(
        self, receiver: Node, name: str, arguments: tuple[Node, ...], tree: ast.AST, frame: Frame
    ) -> Node | None:
        """The value of a list's, dict's or Sequential's method; None if it is not one that is known."""
        anchor = frame.anchor(tree)
        if isinstance(receiver, Dictionary):
            if name == "get" and arguments and isinstance(arguments[0], Constant):
                default = arguments[1] if len(arguments) > 1 else self.constant(None, anchor)
                return receiver.get(arguments[0].value) or default
            if name == "items":
                rows = tuple(self.sequence("tuple", entry, anchor) for entry in receiver.entries)
                return self.sequence("list", rows, anchor)
            if name in ("keys", "values"):
                column = 0 if name == "keys" else 1
                return self.sequence("list", tuple(entry[column] for entry in receiver.entries), anchor)
        holds = isinstance(receiver, ModuleObject) and isinstance(receiver.options.get("args"), Sequence)
        if name in CHANGES and (holds or isinstance(receiver, (Sequence, Dictionary, Items))):
            self.rebind(receiver, self._changed(receiver, name, arguments, tree, frame), frame)
            return receiver if holds else self.unknown(anchor, "what the method returns is not followed")
        return None

    def _changed(self, receiver: Node, name: str, arguments: tuple[Node, ...], tree: ast.AST, frame: Frame) -> Node:
        """What a container is after one of its methods changed it."""
        anchor = frame.anchor(tree)
        grown = arguments[-1] if arguments and name in ("append", "add_module") else None
        if frame.loops:
            if isinstance(receiver, Sequence) and not receiver.items and grown is not None:
                return Items(anchor, self.identities.fresh(), grown)
            return self.unknown(anchor, "it is changed in a loop")
        if isinstance(receiver, Sequence) and grown is not None:
            return self.sequence(receiver.kind, (*receiver.items, grown), anchor)
        if isinstance(receiver, Sequence) and name == "extend" and isinstance(arguments[0], Sequence):
            return self.sequence(receiver.kind, receiver.items + arguments[0].items, anchor)
        if isinstance(receiver, ModuleObject) and grown is not None:
            inside = receiver.options["args"]
            items = inside.items if isinstance(inside, Sequence) else ()
            options = {"args": self.sequence("tuple", (*items, grown), anchor)}
            return ModuleObject(receiver.anchor, self.identities.fresh(), receiver.name, options)
        if isinstance(receiver, Dictionary) and name == "update" and len(arguments) == 1:
            other = arguments[0]
            if isinstance(other, Dictionary):
                return self.dictionary(receiver.entries + other.entries, anchor)
        return self.unknown(anchor, "it is changed in place")
