"""Operators: arithmetic, comparisons, ``and`` and ``or``, and what of them is known beforehand."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

from klint.graph.core import OBJECTS, Core
from klint.graph.nodes import (
    Class,
    Constant,
    Dictionary,
    Function,
    Instance,
    ModuleObject,
    Node,
    Operation,
    Partial,
    Reference,
    Sequence,
)
from klint.graph.scope import Frame

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
_ALWAYS_TRUE = (Class, Function, Instance, ModuleObject, Partial, Reference)


class Operators(Core):
    """Evaluates operators. Every kind has one method, named after its class in ``ast``."""

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
