"""Statements: what they bind, and which of them are reached."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import cast

from klint.graph.containers import UNROLLED
from klint.graph.core import Branch, Core
from klint.graph.nodes import (
    Class,
    Constant,
    Dictionary,
    Function,
    ModuleObject,
    Node,
    Operation,
    Reference,
    Sequence,
    Unknown,
)
from klint.graph.scope import Frame, Scope
from klint.source.outline import members
from klint.source.python import tree_nodes


class Statements(Core):
    """Walks over statements. Every kind of statement has one method, named after its class in ``ast``."""

    def run(self, body: list[ast.stmt], frame: Frame) -> bool:
        """Walk over statements; whether control reaches their end."""
        for statement in body:
            if self.steps > self.limit:
                return True
            if frame.part is not None:
                if statement not in frame.part.statements:
                    continue
                frame.in_place = statement in frame.part.in_place
            method = getattr(self, "_" + type(statement).__name__, None)
            if method is not None and method(statement, frame) is False:
                return False
        return True

    def _happening(self, tree: ast.AST, why: str, frame: Frame) -> Node:
        """A condition of which nothing is known but where it is met."""
        memo = None if frame.memo is None or frame.loops else frame.memo.values
        if memo is None:
            return self.unknown(frame.anchor(tree), why)
        return memo.get(id(tree)) or memo.setdefault(id(tree), self.unknown(frame.anchor(tree), why))

    # Bindings.

    def _Expr(self, tree: ast.Expr, frame: Frame) -> None:
        outer, self.statement = self.statement, (tree.value, frame.part)
        self.evaluate(tree.value, frame)
        self.statement = outer

    def _Assign(self, tree: ast.Assign, frame: Frame) -> None:
        value = self.evaluate(tree.value, frame)
        for target in tree.targets:
            self.assign(target, value, frame)

    def _AnnAssign(self, tree: ast.AnnAssign, frame: Frame) -> None:
        if tree.value is not None:
            self.assign(tree.target, self.evaluate(tree.value, frame), frame)

    def _AugAssign(self, tree: ast.AugAssign, frame: Frame) -> None:
        target = cast(ast.expr, tree.target)
        value = self.binary(tree.op, self.evaluate(target, frame), self.evaluate(tree.value, frame), tree, frame)
        self.assign(target, value, frame)

    def assign(self, target: ast.expr, value: Node, frame: Frame) -> None:
        """Bind a target: a name, an attribute, an item, or a tuple of them."""
        if isinstance(target, ast.Name):
            frame.bind(target.id, value)
        elif isinstance(target, ast.Attribute):
            holder = self.evaluate(target.value, frame)
            key = (holder.identity, target.attr)
            self.before_change(holder, target.attr)
            self.heap.set(key, value)
            self.settled.add(key)
        elif isinstance(target, (ast.Tuple, ast.List)):
            stars = [index for index, element in enumerate(target.elts) if isinstance(element, ast.Starred)]
            star = stars[0] if stars else None
            values = self.unpack(value, len(target.elts), star, target, frame)
            for element, inner in zip(target.elts, values, strict=True):
                self.assign(element.value if isinstance(element, ast.Starred) else element, inner, frame)
        elif isinstance(target, ast.Subscript):
            self._assign_item(target, value, frame)

    def _assign_item(self, target: ast.Subscript, value: Node, frame: Frame) -> None:
        """``x[i] = value``: a dict of known entries gets one more, of a tensor a part is overwritten, anything else is no longer known."""
        container = self.evaluate(target.value, frame)
        index = self.evaluate(target.slice, frame)
        anchor = frame.anchor(target)
        if isinstance(index, Operation) and index.name == "slice" and not index.arguments and self.is_tensor(container):
            self.rebind(container, value, frame)
        elif isinstance(container, Dictionary) and isinstance(index, Constant):
            entries = (*container.entries, (index, value))
            self.rebind(container, self.dictionary(entries, anchor), frame)
        elif isinstance(container, Operation):  # its shape and type stay
            arguments = {"input": container, "value": value}
            self.rebind(container, self.operation("setitem", arguments, anchor, frame, pure=False), frame)
        else:
            self.rebind(container, self.unknown(anchor, "a part of it is overwritten"), frame)

    def _Delete(self, tree: ast.Delete, frame: Frame) -> None:
        for target in tree.targets:
            if isinstance(target, ast.Name):
                frame.scope.names.pop(target.id, None)

    def _Global(self, tree: ast.Global, frame: Frame) -> None:
        scope = frame.scope
        while scope.parent is not None:
            scope = scope.parent
        frame.elsewhere |= dict.fromkeys(tree.names, scope)

    def _Nonlocal(self, tree: ast.Nonlocal, frame: Frame) -> None:
        if frame.scope.parent is not None:
            for name in tree.names:
                frame.elsewhere[name] = frame.scope.parent.owner_of(name)

    # Imports.

    def _Import(self, tree: ast.Import, frame: Frame) -> None:
        for alias in tree.names:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            frame.bind(alias.asname or name, self.reference(name, frame.anchor(tree)))

    def _ImportFrom(self, tree: ast.ImportFrom, frame: Frame) -> None:
        module = "." * tree.level + (tree.module or "")
        if self.project is not None and tree.level:
            module = self.project.absolute(frame.scope.unit, tree.module or "", tree.level) or module
        for alias in tree.names:
            if alias.name != "*":
                full = f"{module}.{alias.name}" if module.strip(".") else module + alias.name
                frame.bind(alias.asname or alias.name, self.reference(full, frame.anchor(tree)))
                continue
            self._import_star(module, tree, frame)
            for name in self.library.exports(module):
                frame.bind(name, self.reference(f"{module}.{name}", frame.anchor(tree)))

    def _import_star(self, module: str, tree: ast.ImportFrom, frame: Frame) -> None:
        found = self.project.find(frame.scope.unit, module) if self.project is not None else None
        if found is not None and not found[1]:
            for name in sorted(found[0].names()):
                if not name.startswith("_"):
                    frame.bind(name, self.reference(f"{module}.{name}", frame.anchor(tree)))

    # Definitions.

    def _FunctionDef(self, tree: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        function = Function(
            frame.anchor(tree), self.identities.fresh(), tree, frame.scope.unit, frame.scope, owner=frame.owner
        )
        frame.bind(tree.name, function)
        if tree not in self.seen and not frame.scope.is_class and not self.importing:
            self.seen.add(tree)
            self.pending.append(function)

    _AsyncFunctionDef = _FunctionDef

    def _ClassDef(self, tree: ast.ClassDef, frame: Frame) -> None:
        scope = Scope(frame.scope.unit, frame.scope, is_class=True)
        bases = tuple(
            self.resolve(self.evaluate(base, frame)) for base in tree.bases if not isinstance(base, ast.Starred)
        )
        cls = Class(frame.anchor(tree), self.identities.fresh(), tree, frame.scope.unit, scope, bases)
        inner = Frame(scope, path=frame.path, base=len(frame.path), owner=cls, depth=frame.depth)
        if self.importing:
            scope.bind = lambda name: self.bind_late(members(tree).get(name, []), inner)
        else:
            self.run(tree.body, inner)
        frame.bind(tree.name, cls)
        if tree not in self.seen and not self.importing:
            self.seen.add(tree)
            self.define(cls)

    # Control.

    def _Return(self, tree: ast.Return, frame: Frame) -> bool:
        anchor = frame.anchor(tree)
        if frame.part is not None and tree in frame.part.bare:
            return False
        value = self.constant(None, anchor) if tree.value is None else self.evaluate(tree.value, frame)
        frame.returns.append((frame.path[frame.base :], value))
        if isinstance(value, (Sequence, Dictionary)):
            self.operation("return", {"values": value}, anchor, frame)
        return False

    def _Raise(self, tree: ast.Raise, frame: Frame) -> bool:
        return False

    def _Break(self, tree: ast.Break, frame: Frame) -> bool:
        return False

    _Continue = _Break

    def _Assert(self, tree: ast.Assert, frame: Frame) -> None:
        test = self.evaluate(tree.test, frame)
        self.operation("assert", {"input": test}, frame.anchor(tree), frame)

    def _If(self, tree: ast.If, frame: Frame) -> bool:
        if _is_type_checking(tree.test):
            return self.run(tree.body, frame)
        condition, positive = self.truth(self.evaluate(tree.test, frame))
        if isinstance(condition, Constant):
            return self.run(tree.body if bool(condition.value) == positive else tree.orelse, frame)
        path, before = frame.path, self.enter(frame.scope)
        frame.path = (*path, (condition, positive))
        first = self.run(tree.body, frame)
        then = self.leave(frame.scope, before)
        frame.path = (*path, (condition, not positive))
        second = self.run(tree.orelse, frame)
        otherwise = self.leave(frame.scope, before)
        frame.path = path
        if first and second:
            sides = (then, otherwise) if positive else (otherwise, then)
            self.adopt(frame.scope, self.join(condition, *sides))
        elif first:
            self.adopt(frame.scope, then)
            frame.path = (*path, (condition, positive))
        elif second:
            self.adopt(frame.scope, otherwise)
            frame.path = (*path, (condition, not positive))
        return first or second

    def _For(self, tree: ast.For | ast.AsyncFor, frame: Frame) -> bool | None:
        iterable = self.evaluate(tree.iter, frame)
        if isinstance(iterable, ModuleObject):
            iterable = iterable.options.get("args", iterable)
        if isinstance(iterable, Sequence) and len(iterable.items) <= UNROLLED and not _leaves_by_break(tree.body):
            memo, frame.memo = frame.memo, None
            falls_through = True
            for value in iterable.items:
                self.assign(tree.target, value, frame)
                falls_through = self.run(tree.body, frame)
                if not falls_through:
                    break
            frame.memo = memo
            return falls_through and self.run(tree.orelse, frame)
        item = self.element(iterable, tree.target, frame)
        self._loop(tree, frame, item)
        return None

    _AsyncFor = _For

    def _While(self, tree: ast.While, frame: Frame) -> None:
        self.evaluate(tree.test, frame)
        self._loop(tree, frame, None)

    def _loop(self, tree: ast.For | ast.AsyncFor | ast.While, frame: Frame, item: Node | None) -> None:
        """Walk a loop's body once, as any iteration: a name that an earlier iteration may have set is not known at its start."""
        ran = self._happening(tree, "how often the loop runs is not known", frame)
        path, before = frame.path, self.enter(frame.scope)
        carried = self._carried(tree, frame, item) if not frame.loops else {}
        for name in _stores(tree.body):
            value = frame.scope.names.get(name)
            if value is not None:
                again = carried.get(name) or self.unknown(value.anchor, "an earlier iteration may have set it", name)
                frame.scope.names[name] = self.choice(ran, again, value)
        falls_through = self._turn(tree, frame, item)
        frame.path = path
        after = self.leave(frame.scope, before)
        if falls_through or _leaves_by_break(tree.body):
            self.adopt(frame.scope, self.join(ran, after, Branch(before.names, {})))
        self.run(tree.orelse, frame)

    def _turn(self, tree: ast.For | ast.AsyncFor | ast.While, frame: Frame, item: Node | None) -> bool:
        """One walk over a loop's body."""
        frame.path = (*frame.path, (self.unknown(frame.anchor(tree), "how often the loop runs is not known"), True))
        frame.loops += 1
        if item is not None and not isinstance(tree, ast.While):
            self.assign(tree.target, item, frame)
        falls_through = self.run(tree.body, frame)
        frame.loops -= 1
        return falls_through

    def _carried(self, tree: ast.For | ast.AsyncFor | ast.While, frame: Frame, item: Node | None) -> dict[str, Node]:
        """What the names that a loop binds hold after a turn at whose start they were not known. Leaves no trace."""
        names = [name for name in _stores(tree.body) if name in frame.scope.names]
        if not names:
            return {}
        path, before = frame.path, self.enter(frame.scope)
        operations, objects, returns = len(self.trace), len(self.objects), len(frame.returns)
        for name in names:
            value = frame.scope.names[name]
            frame.scope.names[name] = self.unknown(value.anchor, "an earlier iteration may have set it", name)
        self._turn(tree, frame, item)
        frame.path = path
        after = self.leave(frame.scope, before)
        del self.trace[operations:], self.objects[objects:], frame.returns[returns:]
        return {
            name: self.any_item(after.names[name], frame)
            for name in names
            if name in after.names and self.is_tensor(after.names[name])
        }

    def _With(self, tree: ast.With | ast.AsyncWith, frame: Frame) -> bool:
        outside = frame.grad_enabled
        for item in tree.items:
            value = self.evaluate(item.context_expr, frame)
            frame.grad_enabled = _grad_enabled_in(value, frame.grad_enabled, self.library.grad_modes)
            if item.optional_vars is not None:
                entered = self.unknown(value.anchor, "klint does not know what the context manager returns")
                self.assign(item.optional_vars, entered, frame)
        falls_through = self.run(tree.body, frame)
        frame.grad_enabled = outside
        return falls_through

    _AsyncWith = _With

    def _Try(self, tree: ast.Try, frame: Frame) -> bool:
        before = self.enter(frame.scope)
        path = frame.path
        frame.path = (*path, (self._happening(tree, "whether it raises is not known", frame), False))
        reached = self.run(tree.body, frame) and self.run(tree.orelse, frame)
        ended = self.leave(frame.scope, before)
        result = ended if reached else None
        for handler in tree.handlers:
            failed = self._happening(handler, "whether it raises is not known", frame)
            frame.path = (*path, (failed, True))
            if handler.name:
                frame.bind(handler.name, self.unknown(frame.anchor(handler), "it is an exception"))
            falls_through = self.run(handler.body, frame)
            handled = self.leave(frame.scope, before)
            if falls_through:
                result = handled if result is None else self.join(failed, handled, result)
        frame.path = path
        if result is not None:
            self.adopt(frame.scope, result)
        return self.run(tree.finalbody, frame) and result is not None

    _TryStar = _Try

    def _Match(self, tree: ast.Match, frame: Frame) -> bool:
        self.evaluate(tree.subject, frame)
        path, before = frame.path, self.enter(frame.scope)
        result = Branch(before.names, {})
        for case in tree.cases:
            matched = self._happening(case.pattern, "which case matches is not known", frame)
            frame.path = (*path, (matched, True))
            for node in tree_nodes(case.pattern):
                name = getattr(node, "name", None)
                if isinstance(node, (ast.MatchAs, ast.MatchStar)) and name:
                    frame.bind(name, self.unknown(frame.anchor(node), "it is matched by a pattern"))
            falls_through = self.run(case.body, frame)
            branch = self.leave(frame.scope, before)
            if falls_through:
                result = self.join(matched, branch, result)
        frame.path = path
        self.adopt(frame.scope, result)
        return True


_PLAIN_CONTEXTS = ("torch.", "contextlib.", "builtins.")
"""Where contexts come from that leave it as it is whether gradients are recorded; any other may turn them off."""


def _grad_enabled_in(context: Node, outside: bool, modes: Mapping[str, bool]) -> bool:
    """Whether gradients are recorded inside a context."""
    callee = context.callee if isinstance(context, Unknown) else None
    if not isinstance(callee, Reference):
        return False
    told = context.sources[0] if isinstance(context, Unknown) and context.sources else None
    if callee.name == "torch.set_grad_enabled" and isinstance(told, Constant):
        return bool(told.value)
    return modes.get(callee.name, outside and callee.name.startswith(_PLAIN_CONTEXTS))


def _is_type_checking(tree: ast.expr) -> bool:
    return (tree.id if isinstance(tree, ast.Name) else getattr(tree, "attr", "")) == "TYPE_CHECKING"


def _stores(body: list[ast.stmt]) -> list[str]:
    """The names that statements bind, in order of their names."""
    names = {
        node.id
        for statement in body
        for node in tree_nodes(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    return sorted(names)


def _leaves_by_break(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, (ast.Break, ast.Continue)) for statement in body for node in tree_nodes(statement))
