"""What all parts of the builder share: making nodes, the heap of attributes, joins and the step budget."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from klint.graph.heap import Heap, Key
from klint.graph.library import Library, Signature
from klint.graph.nodes import (
    Choice,
    Class,
    Constant,
    Dictionary,
    Function,
    Identities,
    Instance,
    Items,
    Literal,
    ModuleObject,
    Node,
    Operation,
    Partial,
    Reference,
    Sequence,
    Super,
    Unknown,
)
from klint.graph.parts import Parts
from klint.graph.project import Project
from klint.graph.scope import Frame, Scope
from klint.graph.slices import Effects, Slice
from klint.source.python import Anchor, SourceUnit

if TYPE_CHECKING:
    from klint.graph.making import Making

STEPS = 30_000
"""how many expressions the walk over one function may cost; code that is built to be slow yields Unknown, never a hang."""

CALL_STEPS = 1_000
"""How many expressions following one call may cost; a larger body is no helper, and what it returns is not known."""

ASIDE_STEPS = 500
"""How many expressions of called functions one function may cost in all, but for those functions that lead to a loss: most are models."""

SMALL_STEPS = 100
"""How many expressions following a call may cost even then: what comes last is nearest to the loss."""

ENTRIES = 200
"""How many entries a list or dict may have that is written out."""

WIDTH = 24
"""How many alternatives one value may have."""

DEPTH = 300
"""How deep expressions and followed calls may nest."""

OBJECTS = (Class, Function, Instance, Items, ModuleObject, Partial, Reference, Super)
"""Nodes whose attributes and calls are looked up in themselves; all others are taken for tensors or numbers."""


def _is_none(value: Node) -> bool:
    return isinstance(value, Constant) and value.value is None


def _is_empty(value: Node) -> bool:
    return isinstance(value, Sequence) and not value.items


@dataclass(eq=False)
class Before:
    """The state before a branch: the names of the running scope, and a mark of the heap."""

    names: dict[str, Node]
    mark: int


@dataclass(eq=False)
class Branch:
    """What a branch made of the state: the names of the running scope, and the attributes that it set."""

    names: dict[str, Node]
    attributes: dict[Key, Node]


@dataclass(eq=False)
class Core(Parts):
    """The builder's memory. Subclasses add expressions, calls and statements; ``Builder`` joins them."""

    unit: SourceUnit
    library: Library
    identities: Identities = field(default_factory=Identities)
    heap: Heap = field(default_factory=Heap)
    trace: list[Operation] = field(default_factory=list)
    objects: list[ModuleObject] = field(default_factory=list)
    pending: list[Function] = field(default_factory=list)
    seen: set[ast.AST] = field(default_factory=set)
    active: list[ast.AST] = field(default_factory=list)
    settled: set[tuple[int, str]] = field(default_factory=set)
    steps: int = 0
    limit: int = STEPS
    aside: int = 0
    is_aside: bool = False
    left_aside: set[ast.AST] = field(default_factory=set)
    depth: int = 0
    project: Project | None = None
    modules: dict[str, Scope] = field(default_factory=dict)
    importing: int = 0
    asking: set[tuple[int, str]] = field(default_factory=set)
    imports: dict[tuple[str, str], Node | None] = field(default_factory=dict)
    followed: set[ast.AST] = field(default_factory=set)
    too_large: set[ast.AST] = field(default_factory=set)
    merged: list[tuple[Node, Node]] = field(default_factory=list)
    makings: dict[int, list[Making]] = field(default_factory=dict)
    given: dict[int, list[Making]] = field(default_factory=dict)
    elsewhere: dict[str, list[Making]] = field(default_factory=dict)
    reached: frozenset[str] = frozenset()
    making_names: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()
    relevant: frozenset[ast.AST] = frozenset()
    statement: tuple[ast.AST | None, Slice | None] = (None, None)
    parts: dict[tuple[object, ...], Slice | None] = field(default_factory=dict)
    effects: dict[tuple[int, ast.AST], Effects] = field(default_factory=dict)

    def dictionary(self, entries: tuple[tuple[Node, Node], ...], anchor: Anchor) -> Dictionary:
        """A dict of which every entry is known."""
        identity = self.identities.of("dict", *((key.identity, value.identity) for key, value in entries))
        return Dictionary(anchor, identity, entries)

    # Nodes.

    def constant(self, value: Literal, anchor: Anchor) -> Constant:
        """A literal."""
        return Constant(anchor, self.identities.of("constant", type(value).__name__, repr(value)), value)

    def unknown(self, anchor: Anchor, why: str, text: str = "", identity: int | None = None) -> Unknown:
        """A value that is not followed, and why."""
        return Unknown(anchor, identity or self.identities.fresh(), why, text)

    def unknown_call(
        self,
        callee: Node,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        anchor: Anchor,
        frame: Frame,
        why: str,
    ) -> Unknown:
        """The value of a call that is not followed."""
        sources = (*arguments, *keywords.values())
        return Unknown(anchor, self.identities.fresh(), why, "", callee, sources, frame.grad_enabled)

    def reference(self, name: str, anchor: Anchor) -> Reference:
        """A name from elsewhere, under the name by which the library's tables know it."""
        name = self.library.canonical(name)
        return Reference(anchor, self.identities.of("reference", name), name)

    def sequence(self, kind: str, items: tuple[Node, ...], anchor: Anchor) -> Sequence:
        """A tuple or list."""
        return Sequence(anchor, self.identities.of(kind, *(item.identity for item in items)), kind, items)

    def choice(self, condition: Node, then: Node, otherwise: Node, anchor: Anchor | None = None) -> Node:
        """One of two values; a condition that is known, or values that are the same, leave no choice."""
        if isinstance(condition, Constant):
            return then if condition.value else otherwise
        if then.identity == otherwise.identity:
            if then is not otherwise and not isinstance(then, Constant):
                self.merged.append((then, otherwise))
            return then
        width = sum(side.width if isinstance(side, Choice) else 1 for side in (then, otherwise))
        if width > WIDTH:
            return self.unknown(anchor or then.anchor, "there are too many alternatives")
        identity = self.identities.of("choice", condition.identity, then.identity, otherwise.identity)
        return Choice(anchor or then.anchor, identity, condition, then, otherwise, width)

    def operation(
        self,
        name: str,
        arguments: Mapping[str, Node],
        anchor: Anchor,
        frame: Frame,
        pure: bool = True,
        is_open: bool = False,
        constructor: ModuleObject | None = None,
        owner: int = 0,
    ) -> Operation:
        """A call of an operation; equal pure operations on equal operands share their identity.

        ``owner`` is the identity of the module whose weights are behind the value.
        """
        if pure and not is_open:
            operands = ((slot, node.identity) for slot, node in arguments.items())
            identity = self.identities.of("operation", name, *operands, *((owner,) if owner else ()))
        else:
            identity = self.identities.fresh()
        node = Operation(
            anchor,
            identity,
            name,
            arguments,
            is_open,
            constructor,
            frame.path,
            frame.callers,
            frame.function,
            frame.runs,
            frame.grad_enabled,
        )
        self.trace.append(node)
        return node

    # Signatures.

    def bind(
        self, slots: tuple[str, ...], arguments: tuple[Node, ...], keywords: Mapping[str, Node], anchor: Anchor
    ) -> dict[str, Node]:
        """Arguments by slot, as Python would bind them; a surplus positional argument gets its number as slot."""
        bound: dict[str, Node] = {}
        for index, argument in enumerate(arguments):
            slot = slots[index] if index < len(slots) else f"*{index}"
            if slot.startswith("*") and not slot[1:].isdigit():
                bound[slot[1:]] = self.sequence("tuple", arguments[index:], anchor)
                break
            bound[slot] = argument
        return bound | dict(keywords)

    def apply(
        self,
        signature: Signature,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        anchor: Anchor,
        frame: Frame,
        is_open: bool = False,
    ) -> Operation:
        """The operation that a call of a library function performs."""
        bound = self.bind(signature.slots, arguments, keywords, anchor)
        for slot in ("input", "target"):
            if slot in bound:
                bound[slot] = self.feasible(bound[slot])
        if "tensors" in bound:
            bound["tensors"] = self.feasible(bound["tensors"], _is_empty)
        return self.operation(signature.operation, bound, anchor, frame, signature.pure, is_open)

    # Choices and joins.

    def feasible(self, value: Node, is_refused: Callable[[Node], bool] = _is_none) -> Node:
        """A value without the alternatives that its use refuses: None, where it is used as an object or tensor."""
        while isinstance(value, Choice):
            kept = [side for side in (value.then, value.otherwise) if not is_refused(side)]
            if len(kept) != 1:
                break
            value = kept[0]
        return value

    def each(self, value: Node, function: Callable[[Node], Node]) -> Node:
        """``function`` of every alternative of a choice, or of the value itself."""
        if isinstance(value, Choice):
            return self.choice(value.condition, self.each(value.then, function), self.each(value.otherwise, function))
        return function(value)

    def enter(self, scope: Scope) -> Before:
        """The state before a branch."""
        return Before(dict(scope.names), self.heap.mark())

    def leave(self, scope: Scope, before: Before) -> Branch:
        """What a branch made of the state, which is put back to what it was before."""
        branch = Branch(scope.names, self.heap.rewind(before.mark))
        scope.names = dict(before.names)
        return branch

    def adopt(self, scope: Scope, branch: Branch) -> None:
        """Go on from the end of a branch."""
        scope.names = dict(branch.names)
        for key, value in branch.attributes.items():
            self.heap.set(key, value)

    def join(self, condition: Node, then: Branch, otherwise: Branch) -> Branch:
        """Both branches as one: what they bind differently is a choice; what one side lacks holds the other's value."""
        names = dict(then.names)
        for name, value in otherwise.names.items():
            other = then.names.get(name)
            if other is not value:
                names[name] = value if other is None else self.choice(condition, other, value)
        attributes: dict[Key, Node] = {}
        for key in {**then.attributes, **otherwise.attributes}:
            first = then.attributes.get(key) or self.heap.get(key)
            second = otherwise.attributes.get(key) or self.heap.get(key)
            if first is not None and second is not None:
                attributes[key] = first if first is second else self.choice(condition, first, second)
            elif first is not None or second is not None:
                attributes[key] = first or second  # type: ignore[assignment]
        return Branch(names, attributes)

    def is_tensor(self, value: Node) -> bool:
        """Whether a value may be a tensor, as opposed to an object, a container or a literal."""
        if isinstance(value, Choice):
            return self.is_tensor(value.then) and self.is_tensor(value.otherwise)
        return not isinstance(value, (*OBJECTS, Constant, Sequence, Dictionary))

    def truth(self, value: Node) -> tuple[Node, bool]:
        """A condition without its negations, and whether it counts as it stands (``not x`` is x, False)."""
        positive = True
        while isinstance(value, Operation) and value.name in ("not", "ne", "is_not"):
            positive = not positive
            if value.name == "not":
                value = value.arguments["input"]
                continue
            name = {"ne": "eq", "is_not": "is"}[value.name]
            operands = ((slot, node.identity) for slot, node in value.arguments.items())
            identity = self.identities.of("operation", name, *operands)
            value = Operation(value.anchor, identity, name, value.arguments)
        return value, positive
