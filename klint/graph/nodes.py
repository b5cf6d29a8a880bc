"""The nodes of the expression graph.

Every node is immutable and anchored to the source that wrote it. Nodes of equal ``identity`` hold the same value: leaves
get a fresh identity each, deterministic operations on operands of equal identity share one.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from types import EllipsisType
from typing import TYPE_CHECKING

from klint.source.python import Anchor, SourceUnit

if TYPE_CHECKING:
    from klint.graph.scope import Scope

Literal = bool | int | float | complex | str | bytes | EllipsisType | None


@dataclass(frozen=True, eq=False)
class Node:
    """Any value. ``identity`` is equal for nodes that are known to hold the same value."""

    anchor: Anchor
    identity: int

    def operands(self) -> Iterator[Node]:
        """The nodes that this one is computed from."""
        return iter(())


@dataclass(frozen=True, eq=False)
class Constant(Node):
    """A literal of the source: a number, a string, None, a truth value."""

    value: Literal


@dataclass(frozen=True, eq=False)
class Parameter(Node):
    """A function's parameter about which no caller is known. ``default`` is what it holds when it is not passed."""

    name: str
    default: Node | None = None


@dataclass(frozen=True, eq=False)
class Unknown(Node):
    """A value that could not be followed, and ``why`` in words for people; ``name`` where it has one but stands elsewhere.

    ``callee`` is what was called, where it is the value of a call; ``sources`` is what that was called with, or the value whose attribute
    it is: no operands, since nothing says what is made of them. ``grad_enabled`` is as for an operation.
    """

    why: str
    name: str = ""
    callee: Node | None = None
    sources: tuple[Node, ...] = ()
    grad_enabled: bool = True

    @property
    def text(self) -> str:
        """What the value is called: its name, or its source text."""
        return self.name or self.anchor.text


@dataclass(frozen=True, eq=False)
class Reference(Node):
    """A name that is imported from elsewhere, fully qualified: ``torch.nn.functional.kl_div``, ``builtins.len``."""

    name: str


@dataclass(frozen=True, eq=False)
class Operation(Node):
    """A call of an operation of the library, of a method of its tensors, or a Python operator.

    ``arguments`` are bound to the operation's slots. ``open`` says that more arguments may have been passed than could be
    read (``**options``), so that an absent slot does not prove its default. ``constructor`` is where the module was made
    whose call this is (``nn.KLDivLoss(...)``); ``path`` holds the conditions under which the call is reached and ``callers`` the
    calls that lead here from outside the function, the nearest first. ``runs`` says that the module's body itself leads here, so that these callers are all there is to know.
    ``grad_enabled`` says that gradients are recorded where the call stands (``torch.is_grad_enabled()``), so far as the code shows.
    """

    name: str
    arguments: Mapping[str, Node]
    open: bool = False
    constructor: ModuleObject | None = None
    path: tuple[tuple[Node, bool], ...] = ()
    callers: tuple[Anchor, ...] = ()
    function: str = ""
    runs: bool = False
    grad_enabled: bool = True

    def operands(self) -> Iterator[Node]:
        return iter(self.arguments.values())


@dataclass(frozen=True, eq=False)
class Choice(Node):
    """One of two values, by the truth of ``condition``. Choices on conditions of one identity go together.

    ``width`` is how many values there are to choose from in all.
    """

    condition: Node
    then: Node
    otherwise: Node
    width: int = 2

    def operands(self) -> Iterator[Node]:
        return iter((self.condition, self.then, self.otherwise))


@dataclass(frozen=True, eq=False)
class Sequence(Node):
    """A tuple or a list (``kind``) of known length."""

    kind: str
    items: tuple[Node, ...]

    def operands(self) -> Iterator[Node]:
        return iter(self.items)


@dataclass(frozen=True, eq=False)
class Dictionary(Node):
    """A dict of which every entry is known."""

    entries: tuple[tuple[Node, Node], ...]

    def operands(self) -> Iterator[Node]:
        return (node for entry in self.entries for node in entry)

    def get(self, key: Literal) -> Node | None:
        """The value under a literal key; the last entry wins."""
        for name, value in reversed(self.entries):
            if isinstance(name, Constant) and type(name.value) is type(key) and name.value == key:
                return value
        return None


@dataclass(frozen=True, eq=False)
class ModuleObject(Node):
    """An object of a library module class (``nn.KLDivLoss``, ``nn.Softmax``, ``nn.Sequential``) with its options by slot."""

    name: str
    options: Mapping[str, Node]
    open: bool = False
    path: tuple[tuple[Node, bool], ...] = ()
    callers: tuple[Anchor, ...] = ()
    function: str = ""

    def operands(self) -> Iterator[Node]:
        return iter(self.options.values())


@dataclass(frozen=True, eq=False)
class Function(Node):
    """A function whose source is at hand; ``bound`` is the receiver, where it is a bound method."""

    definition: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    unit: SourceUnit
    scope: Scope
    bound: Node | None = None
    owner: Class | None = None
    undecorated: bool = False

    @property
    def name(self) -> str:
        """The function's name; ``<lambda>`` for a lambda."""
        return getattr(self.definition, "name", "<lambda>")


@dataclass(frozen=True, eq=False)
class Class(Node):
    """A class whose source is at hand, with its bases as far as they are known."""

    definition: ast.ClassDef
    unit: SourceUnit
    scope: Scope
    bases: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Instance(Node):
    """An object of a class whose source is at hand. Its attributes live in the builder's heap, since they change."""

    cls: Class


@dataclass(frozen=True, eq=False)
class Items(Node):
    """An iterable of unknown length of which every item is like ``item``: a comprehension, a list that a loop fills."""

    item: Node

    def operands(self) -> Iterator[Node]:
        return iter((self.item,))


@dataclass(frozen=True, eq=False)
class Super(Node):
    """``super()``: an object as the classes after ``cls`` in its lineage see it."""

    instance: Node
    cls: Class


@dataclass(frozen=True, eq=False)
class Partial(Node):
    """``functools.partial(function, *arguments, **keywords)``."""

    function: Node
    arguments: tuple[Node, ...]
    keywords: Mapping[str, Node]

    def operands(self) -> Iterator[Node]:
        return iter((self.function, *self.arguments, *self.keywords.values()))


@dataclass
class Identities:
    """Hands out identities: a fresh one for a leaf, the same one for the same operation on the same operands."""

    _known: dict[Hashable, int] = field(default_factory=dict)
    _last: int = 0

    def fresh(self) -> int:
        """An identity that no other node has."""
        self._last += 1
        return self._last

    def of(self, *key: Hashable) -> int:
        """The identity of whatever ``key`` describes: equal keys, equal identity."""
        identity = self._known.get(key)
        if identity is None:
            identity = self._known[key] = self.fresh()
        return identity
