"""The small changes that fixes are made of: each returns the edits that make it, or None where it cannot be made surely.

They change text at the places of tree nodes, so that all other code stays as it is, character by character.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from klint.finding import Edit
from klint.source.names import names_of
from klint.source.python import SourceUnit

Edits = tuple[Edit, ...]

_PRIMARY = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
"""Expressions that a ``.method()`` may follow as they stand."""

_NO_ARGUMENT = (ast.Starred, ast.GeneratorExp, ast.Yield, ast.YieldFrom)
"""Expressions that do not stand in an argument list without brackets of their own."""

_STRING = (ast.JoinedStr, *((ast.TemplateStr,) if hasattr(ast, "TemplateStr") else ()))


def is_editable(unit: SourceUnit, node: ast.AST) -> bool:
    """Whether the places of a node are sure: it stands in the tree, and in no string, where older Pythons misplace it."""
    if id(node) not in unit.parents or "\r" in unit.text:
        return False
    return not any(isinstance(above, _STRING) for above in unit.above(node))


def text_of(unit: SourceUnit, node: ast.AST) -> str:
    """The source of a node as it is written, its line breaks included."""
    start, end = unit.span(node)
    return unit.text[start:end]


def edit(unit: SourceUnit, start: int, end: int, content: str) -> Edit:
    """Put ``content`` in the place of a stretch of the text."""
    return Edit(unit.between(start, end), content)


def replaced(unit: SourceUnit, node: ast.AST, content: str) -> Edit:
    """Put ``content`` in the place of a node."""
    return edit(unit, *unit.span(node), content)


def rewritten(unit: SourceUnit, node: ast.AST, edits: Iterable[Edit]) -> str:
    """The source of a node after edits inside it."""
    first, last = unit.span(node)
    text = unit.text
    for change in sorted(edits, reverse=True):
        place = unit.inward(change.location)
        start, end = unit.offset(place.row, place.column), unit.offset(place.end_row, place.end_column)
        if not first <= start <= end <= last:
            raise ValueError(f"{change.location} is not inside the node")
        text = text[:start] + change.content + text[end:]
    return text[first : last + len(text) - len(unit.text)]


def kept(unit: SourceUnit, node: ast.AST, part: ast.AST) -> Edits | None:
    """Leave of an expression only a part of it, with the brackets that it needs; None where a comment would go."""
    if not is_editable(unit, node) or not is_editable(unit, part):
        return None
    (start, end), (first, last) = unit.span(node), unit.span(part)
    if "#" in unit.text[start:first] + unit.text[last:end]:
        return None
    is_broken = "\n" in (text_of(unit, part.func) if isinstance(part, ast.Call) else unit.text[first:last])
    opening, closing = ("", "") if isinstance(part, _PRIMARY) and not is_broken else ("(", ")")
    edits = edit(unit, start, first, opening), edit(unit, last, end, closing)
    return tuple(change for change, size in zip(edits, (first - start, end - last), strict=True) if size or opening)


def bracketed(unit: SourceUnit, node: ast.expr) -> str:
    """The source of an expression as a part of another one, with the brackets that it needs."""
    text = text_of(unit, node)
    return text if isinstance(node, (*_PRIMARY, ast.Constant)) and "\n" not in text else f"({text})"


def literal(unit: SourceUnit, value: object) -> str:
    """A value as Python writes it, with the quotes that the module prefers."""
    written = repr(value)
    if isinstance(value, str) and unit.text.count('"') >= unit.text.count("'"):
        written = '"' + written[1:-1] + '"' if '"' not in written else written
    return written


# Names and expressions.


def spelled(unit: SourceUnit, place: ast.AST, *names: str) -> str | None:
    """How one of some full names, of which the first are preferred, is written with the imports at hand: ``F.log_softmax``."""
    candidates = [
        (name + full[len(module) :], order)
        for name, module in names_of(unit).at_hand(place).items()
        for order, full in enumerate(names)
        if full == module or full.startswith(f"{module}.")
    ]
    return min(candidates, key=lambda found: (found[0].count("."), found[1], found), default=(None,))[0]


def renamed(unit: SourceUnit, call: ast.Call, name: str, *full_names: str) -> Edits | None:
    """Call ``name`` in place of the function or method that is called, from the same module or of the same object.

    A function with a bare name is written as one of ``full_names``, by an import that is at hand.
    """
    function = call.func
    if not is_editable(unit, call):
        return None
    if isinstance(function, ast.Attribute):
        end = unit.span(function)[1]
        start = end - len(function.attr)
        return (edit(unit, start, end, name),) if unit.text[start:end] == function.attr else None
    written = spelled(unit, call, *full_names) if isinstance(function, ast.Name) else None
    return None if written is None else (replaced(unit, function, written),)


def method_called(unit: SourceUnit, node: ast.expr, call: str) -> Edits | None:
    """Call a method of an expression, such as ``.log()``, with brackets around the expression if it needs them."""
    if not is_editable(unit, node) or isinstance(node, _NO_ARGUMENT):
        return None
    start, end = unit.span(node)
    if isinstance(node, _PRIMARY):
        return (edit(unit, end, end, call),)
    return edit(unit, start, start, "("), edit(unit, end, end, f"){call}")


def wrapped(unit: SourceUnit, node: ast.expr, function: str, rest: str = "") -> Edits | None:
    """Call a function with an expression as its first argument, and ``rest`` as the others."""
    if not is_editable(unit, node) or isinstance(node, _NO_ARGUMENT):
        return None
    start, end = unit.span(node)
    return edit(unit, start, start, f"{function}("), edit(unit, end, end, f"{', ' if rest else ''}{rest})")


# Arguments.


@dataclass(frozen=True)
class Argument:
    """One argument of a call: its value, its keyword if it has one, and its stretch of the text, brackets included."""

    value: ast.expr
    keyword: str | None
    start: int
    end: int


class Arguments:
    """The arguments of a call as they are laid out. ``slots`` are the names of the positional ones, in order."""

    def __init__(self, unit: SourceUnit, slots: Sequence[str], items: list[Argument], opening: int, close: int) -> None:
        self.unit, self.slots, self.items, self.opening, self.close = unit, slots, items, opening, close

    @classmethod
    def of(cls, unit: SourceUnit, call: ast.AST, slots: Sequence[str]) -> Arguments | None:
        """The arguments of a call; None where a ``*`` hides some, where there are too many, or where places are not sure."""
        if not isinstance(call, ast.Call) or not is_editable(unit, call) or len(call.args) > len(slots):
            return None
        hidden = (*call.args, *(keyword.value for keyword in call.keywords if keyword.arg is None))
        if any(isinstance(value, (ast.Starred, ast.GeneratorExp)) for value in call.args) or len(hidden) > len(
            call.args
        ):
            return None
        close = unit.span(call)[1] - 1
        opening = _next_code(unit.text, _end_with_brackets(unit, call.func, close))
        nodes: list[ast.expr | ast.keyword] = sorted((*call.args, *call.keywords), key=unit.span)
        items: list[Argument] = []
        position = opening + 1
        for node in nodes:
            value = node.value if isinstance(node, ast.keyword) else node
            start = _next_code(unit.text, position)
            end = _end_with_brackets(unit, node, close)
            items.append(Argument(value, node.arg if isinstance(node, ast.keyword) else None, start, end))
            comma = _next_code(unit.text, end)
            position = comma + 1 if unit.text[comma] == "," else comma
        is_sound = unit.text[opening] == "(" and unit.text[close] == ")" and _next_code(unit.text, position) == close
        return cls(unit, slots, items, opening, close) if is_sound else None

    def find(self, name: str) -> Argument | None:
        """The argument in a slot, by keyword or by position."""
        for index, item in enumerate(self.items):
            if item.keyword == name or (item.keyword is None and self.slots[index] == name):
                return item
        return None

    def set(self, name: str, content: str) -> Edits:
        """Give an argument this value: in its place, or as a new keyword at the end."""
        item = self.find(name)
        return self.added(f"{name}={content}") if item is None else (replaced(self.unit, item.value, content),)

    def as_keyword(self, item: Argument, content: str) -> Edits | None:
        """Write ``name=value`` in the place of an argument; None where positional ones come after it."""
        after = self.items[self.items.index(item) + 1 :]
        if item.keyword is None and any(other.keyword is None for other in after):
            return None
        return (edit(self.unit, item.start, item.end, content),)

    def added(self, content: str) -> Edits:
        """Add an argument at the end, laid out like those before it."""
        text = self.unit.text
        if not self.items:
            return (edit(self.unit, self.opening + 1, self.opening + 1, content),)
        last = self.items[-1]
        after = _next_code(text, last.end)
        has_comma = text[after] == ","
        line_start = text.rfind("\n", 0, last.start) + 1
        line_end = text.find("\n", after if has_comma else last.end, self.close)
        stands_alone = not text[line_start : last.start].strip() and line_end >= 0
        if not stands_alone:
            return (edit(self.unit, last.end, last.end, f", {content}"),)
        line = f"\n{text[line_start : last.start]}{content}{',' if has_comma else ''}"
        if has_comma:
            return (edit(self.unit, line_end, line_end, line),)
        comment = text[last.end : line_end]
        return (edit(self.unit, last.end, line_end, f",{comment}{line}"),)

    def dropped(self, item: Argument) -> Edits | None:
        """Leave out an argument with its comma; comments stay. None where positional ones come after it."""
        index = self.items.index(item)
        if item.keyword is None and any(other.keyword is None for other in self.items[index + 1 :]):
            return None
        text = self.unit.text
        start, end = item.start, item.end
        comma = _next_code(text, end)
        if index + 1 < len(self.items):
            following = self.items[index + 1].start
            end = following if not text[comma + 1 : following].strip() and comma < following else comma + 1
        elif index:
            previous = self.items[index - 1].end
            is_plain = text[previous:start].strip() == ","
            start = previous if is_plain else start
            end = comma + 1 if not is_plain and text[comma] == "," else end
        elif text[comma] == ",":
            end = comma + 1
        return (edit(self.unit, start, end, ""),)


def _next_code(text: str, position: int) -> int:
    """Where the next character stands that is neither space nor comment."""
    while position < len(text):
        if text[position] == "#":
            position = text.find("\n", position)
            if position < 0:
                return len(text) - 1
        elif not text[position].isspace() and text[position] != "\\":
            return position
        position += 1
    return len(text) - 1


def _end_with_brackets(unit: SourceUnit, node: ast.AST, close: int) -> int:
    """Where an expression ends with the brackets that are closed after it, short of the bracket at ``close``."""
    end = unit.span(node)[1]
    position = _next_code(unit.text, end)
    while position < close and unit.text[position] == ")":
        end = position + 1
        position = _next_code(unit.text, end)
    return end
