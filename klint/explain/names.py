"""What the source calls its values, so that a formula reads ``softmax(logits)``."""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from klint.graph.nodes import Choice, Constant, Node, Operation, Parameter, Unknown
from klint.source.python import Anchor, SourceUnit, tree_nodes
from klint.torch_model.count import Count, Size
from klint.torch_model.facts import Space
from klint.torch_model.infer import Inference
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

LONGEST = 50
"""Source text above this length is not quoted in a formula."""

_NESTED = 4
_REACH = 1_000
_SAME_VALUE = (Transfer.KEEP, Transfer.VIEW, Transfer.NUMBER)
_WRITTEN_OUT = frozenset("softmax log_softmax softmin gumbel_softmax softmax2d sigmoid logsigmoid log exp".split())


@dataclass
class _Index:
    """The names that one module gives: to values by assignment, and to the functions of its parameters."""

    unit: SourceUnit
    values: dict[int, str] = field(default_factory=dict)
    functions: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    """The names of one file, and of those that its sites reach into; rows asked about are those of ``cell`` in a notebook."""

    filename: str
    cell: int | None = None
    _indexes: dict[int, _Index] = field(default_factory=dict)

    def seen_from(self, filename: str) -> Names:
        """The same names for what is said of another file."""
        return replace(self, filename=filename)

    def value(self, node: Node) -> str | None:
        """The variable that a value is assigned to where it is made, or the parameter that it is."""
        if isinstance(node, Parameter):
            return node.name
        tree = node.anchor.tree
        if isinstance(tree, (ast.Tuple, ast.List)) and isinstance(node, Operation) and node.name == "getitem":
            index = node.arguments.get("index")
            if isinstance(index, Constant) and isinstance(index.value, int) and index.value < len(tree.elts):
                return node.anchor.unit.segment(tree.elts[index.value])
        return self.bound(node.anchor)

    def bound(self, anchor: Anchor) -> str | None:
        """The variable that an expression is assigned to."""
        return self._index(anchor).values.get(id(anchor.tree))

    def function(self, parameter: Parameter) -> str:
        """The function that a parameter belongs to."""
        return self._index(parameter.anchor).functions.get(id(parameter.anchor.tree), "a lambda")

    def place(self, anchor: Anchor) -> str:
        """``row 7``, or ``model.py:7`` where it is another file."""
        place = anchor.location
        if place.filename != self.filename:
            return f"{place.source}:{place.row}"
        return f"row {place.row}" if place.cell is None else f"cell {place.cell}, row {place.row}"

    def exact_place(self, anchor: Anchor) -> str:
        """``row 7, column 12``."""
        return f"{self.place(anchor)}, column {anchor.location.column}"

    def covers(self, anchor: Anchor, row: int) -> bool:
        """Whether a row of the file is one that a place stands on."""
        place = anchor.location
        return place.filename == self.filename and self.cell in (None, place.cell) and place.row <= row <= place.end_row

    def rows(self, anchors: Iterable[Anchor]) -> tuple[int, ...]:
        """The rows of the file that places stand on."""
        return tuple(sorted({each.location.row for each in anchors if each.unit.filename == self.filename}))

    def _index(self, anchor: Anchor) -> _Index:
        unit = anchor.unit
        index = self._indexes.get(id(unit))
        if index is None:
            index = self._indexes[id(unit)] = _Index(unit)
            for tree in tree_nodes(unit.tree):
                _note(tree, index)
        return index


def _note(tree: ast.AST, index: _Index) -> None:
    """Note what one statement or expression names."""
    if isinstance(tree, ast.Assign):
        for target in tree.targets:
            for name, value in _bindings(target, tree.value):
                index.values.setdefault(id(value), index.unit.segment(name))
    elif isinstance(tree, (ast.AnnAssign, ast.NamedExpr)) and tree.value is not None:
        index.values.setdefault(id(tree.value), index.unit.segment(tree.target))
    elif isinstance(tree, ast.AugAssign):
        index.values[id(tree)] = index.unit.segment(tree.target)
    elif isinstance(tree, ast.ClassDef):
        for method in tree.body:
            _note_parameters(method, f"{tree.name}.", index)
    else:
        _note_parameters(tree, "", index)


def _bindings(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Names with what they are bound to, also through ``a, b = x, y``."""
    if isinstance(target, (ast.Name, ast.Attribute)):
        yield target, value
    elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for inner, part in zip(target.elts, value.elts, strict=True):
            yield from _bindings(inner, part)


def _note_parameters(tree: ast.AST, prefix: str, index: _Index) -> None:
    if isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)):
        for parameter in tree_nodes(tree.args):
            index.functions.setdefault(id(parameter), prefix + tree.name)


@dataclass(frozen=True)
class Voice:
    """How the values of one world are put into words; ``ends`` are the values that all others of interest lie behind."""

    names: Names
    inference: Inference
    ends: tuple[Node, ...] = ()

    def expression(self, node: Node, nested: int = _NESTED) -> str:
        """A value as a formula shows it: normalisations and logarithms written out, all else by name or by its text."""
        node = self.same_value(node)
        if isinstance(node, Operation) and node.name in _WRITTEN_OUT and nested:
            return f"{node.name}({self.expression(self.operand(node), nested - 1)})"
        if isinstance(node, Choice) and nested and self.names.value(node) is None:
            return self.either(node, nested - 1)
        return self.name(node)

    def either(self, choice: Choice, nested: int = _NESTED) -> str:
        """The two values that a choice is between; of a long pair, the first."""
        first, second = (self.expression(side, nested) for side in (choice.then, choice.otherwise))
        if first == second:
            return first
        return f"{first} or {second if len(first + second) <= LONGEST else '...'}"

    def name(self, node: Node) -> str:
        """A value by its name, or by its text where that is short."""
        name = self.names.value(node)
        if name is not None:
            return name
        return node.text if isinstance(node, Unknown) and len(node.text) <= LONGEST else written(node.anchor)

    def distribution(self, node: Node) -> str:
        """The probabilities that a tensor holds, or holds the logarithms of."""
        made = self.same_value(node)
        space = self.inference.facts(node).space
        if space not in (Space.LOG_PROBABILITIES, Space.LOG_ELEMENTWISE):
            return self.expression(made)
        if isinstance(made, Operation) and made.name == "log_softmax":
            return f"softmax({self.expression(self.operand(made))})"
        if isinstance(made, Operation) and made.name == "log":
            return self.distribution(self.operand(made))
        return f"exp({self.expression(made)})"

    def times(self, body: str, weight: Count) -> str:
        """A formula times a count, as people write it: ``KL / 4``."""
        above, below = self._factors(weight, 1), self._factors(weight, -1)
        text = ("-" if weight.factor < 0 else "") + " * ".join((*above, body))
        return text if not below else f"{text} / {joined(below)}"

    def count(self, count: Count) -> str:
        """A count that stands beside ``/``: ``4``, ``x.size(0)``, ``(x.size(0) * x.size(1))``."""
        above, below = self._factors(count, 1) or ("1",), self._factors(count, -1)
        return joined(above) if not below else f"({joined(above)} / {joined(below)})"

    def same_value(self, node: Node) -> Node:
        """The value before steps that change neither its numbers nor their meaning: detach, float, unsqueeze, item."""
        node = self.inference.resolve(node)
        while isinstance(node, Operation) and "input" in node.arguments:
            spec = OPERATIONS.get(node.name)
            if spec is None or spec.transfer not in _SAME_VALUE:
                break
            node = self.inference.resolve(node.arguments["input"])
        return node

    def operand(self, operation: Operation) -> Node:
        """The main operand of an operation."""
        for slot in ("input", "logits"):
            if slot in operation.arguments:
                return operation.arguments[slot]
        return next(operation.operands(), operation)

    def _factors(self, count: Count, sign: int) -> tuple[str, ...]:
        """The factors of a count above the line (``sign`` 1) or below it (-1), of which a 1 is none."""
        number = abs(count.factor.numerator if sign > 0 else count.factor.denominator)
        sizes = [self._size(size) for size, power in count.powers for _ in range(power * sign)]
        return (*([str(number)] if number != 1 else []), *sizes)

    def _size(self, size: Size) -> str:
        node = self._roots.get(size.tensor)
        if node is None:
            return size.text or "?"
        return f"{bracketed(self.name(node))}.{'numel()' if size.dim is None else f'size({size.dim})'}"

    @cached_property
    def _roots(self) -> dict[int, Node]:
        """The values behind the ends by identity, as sizes name them."""
        return {node.identity: node for node in behind(*self.ends)}


def behind(*nodes: Node) -> Iterator[Node]:
    """Values and all that they are computed from, the nearest first."""
    seen: set[int] = set()
    queue = deque(nodes)
    while queue and len(seen) < _REACH:
        node = queue.popleft()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            queue.extend(node.operands())


def written(anchor: Anchor) -> str:
    """The text of a value; of a call that is too long to quote, the function."""
    text = anchor.text
    if len(text) <= LONGEST:
        return text
    function = anchor.unit.segment(anchor.tree.func) if isinstance(anchor.tree, ast.Call) else ""
    return f"{function if len(function) <= LONGEST else ''}(...)"


def bracketed(text: str) -> str:
    """A text as it stands beside an operator: in brackets, where it holds one itself."""
    depth = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 and char in " +-*/%@<>=":
            return f"({text})"
    return text


def joined(factors: tuple[str, ...]) -> str:
    """A product below a line."""
    return factors[0] if len(factors) == 1 else f"({' * '.join(factors)})"
