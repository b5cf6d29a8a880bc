"""What the parts of the builder ask of each other: each method is brought by one of the classes that ``Builder`` joins."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from klint.graph.nodes import Class, Function, Instance, Node, Reference, Super
from klint.graph.scope import Frame, Scope
from klint.graph.slices import Slice
from klint.source.outline import OutlinedUnit
from klint.source.python import Anchor, SourceUnit


class Parts:
    """The methods that the parts call of each other."""

    def receiver_of(self, tree: ast.expr, frame: Frame) -> tuple[Node, str] | None:
        """The receiver and the name, where a call is written as a method's."""
        raise NotImplementedError

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
        """The node of a method call."""
        raise NotImplementedError

    def compare(self, name: str, left: Node, right: Node, tree: ast.AST, frame: Frame) -> Node:
        """``left == right`` and its kin."""
        raise NotImplementedError

    def resolve(self, node: Node) -> Node:
        """What a name from another file of the project stands for."""
        raise NotImplementedError

    def module_scope(self, unit: OutlinedUnit) -> Scope:
        """The names of another module."""
        raise NotImplementedError

    def evaluate(self, tree: ast.expr, frame: Frame) -> Node:
        """The node of an expression."""
        raise NotImplementedError

    def call(
        self,
        callee: Node,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """The node of a call."""
        raise NotImplementedError

    def run(self, body: list[ast.stmt], frame: Frame) -> bool:
        """Walk over statements; whether control reaches their end."""
        raise NotImplementedError

    def attribute(self, value: Node, name: str, tree: ast.AST, frame: Frame) -> Node:
        """The node of ``value.name``."""
        raise NotImplementedError

    def assign(self, target: ast.expr, value: Node, frame: Frame) -> None:
        """Bind a target: a name, an attribute, an item, or a tuple of them."""
        raise NotImplementedError

    def rebind(self, old: Node, new: Node, frame: Frame) -> None:
        """Let every name and attribute that holds ``old`` hold ``new``."""
        raise NotImplementedError

    def binary(self, op: ast.operator, left: Node, right: Node, tree: ast.AST, frame: Frame) -> Node:
        """``left op right``."""
        raise NotImplementedError

    def unpack(self, value: Node, count: int, star: int | None, tree: ast.AST, frame: Frame) -> list[Node]:
        """The values of ``count`` targets that a value is unpacked into; ``star`` is the index of a starred one."""
        raise NotImplementedError

    def call_builtin(
        self, name: str, arguments: tuple[Node, ...], keywords: Mapping[str, Node], tree: ast.AST, frame: Frame
    ) -> Node | None:
        """The value of a built-in function that makes or takes iterables."""
        raise NotImplementedError

    def make_dict(self, arguments: tuple[Node, ...], keywords: Mapping[str, Node], tree: ast.AST, frame: Frame) -> Node:
        """``dict(...)``."""
        raise NotImplementedError

    def container_method(
        self, receiver: Node, name: str, arguments: tuple[Node, ...], tree: ast.AST, frame: Frame
    ) -> Node | None:
        """The value of a container's method."""
        raise NotImplementedError

    def find(self, cls: Class, name: str, after: Class | None = None) -> Node | None:
        """An attribute of a class or of its bases."""
        raise NotImplementedError

    def instantiate(
        self,
        cls: Class,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """A new object of a class."""
        raise NotImplementedError

    def follow(
        self,
        function: Function,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """What a function returns for these arguments."""
        raise NotImplementedError

    def decorator_name(self, tree: ast.expr, scope: Scope) -> str:
        """The qualified name of a decorator."""
        raise NotImplementedError

    def call_super(
        self,
        value: Super,
        name: str,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """``super().name(...)``."""
        raise NotImplementedError

    def call_instance(
        self,
        callee: Instance,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        tree: ast.AST,
        frame: Frame,
        is_open: bool = False,
    ) -> Node:
        """The node of a call of an object."""
        raise NotImplementedError

    def any_item(self, item: Node, frame: Frame) -> Node:
        """A value like ``item`` of another turn of a loop."""
        raise NotImplementedError

    def element(self, iterable: Node, tree: ast.AST, frame: Frame) -> Node:
        """Any item of an iterable."""
        raise NotImplementedError

    def bind_late(self, statements: list[ast.stmt], frame: Frame) -> None:
        """Walk statements of another module for what they bind, and leave no other trace."""
        raise NotImplementedError

    def opened(
        self,
        function: Function,
        arguments: tuple[Node, ...],
        keywords: Mapping[str, Node],
        anchor: Anchor,
        frame: Frame,
        is_open: bool,
    ) -> Frame | Node:
        """The frame in which a function's body is walked, or what it returns where it cannot be followed."""
        raise NotImplementedError

    def walk(self, function: Function, frame: Frame) -> Node:
        """Walk a function's body in a frame whose parameters are bound; what it returns."""
        raise NotImplementedError

    def decorated(self, function: Function, frame: Frame) -> bool:
        """Whether a decorator may change what the function computes."""
        raise NotImplementedError

    def postpone(self, instance: Instance, function: Function, frame: Frame) -> None:
        """Call a constructor whose body is walked as far as it is asked for."""
        raise NotImplementedError

    def make_elsewhere(self, name: str) -> None:
        """Walk the constructors that may set an attribute of another object than their own."""
        raise NotImplementedError

    def can_postpone(self, function: Function) -> bool:
        """Whether a method that a constructor calls can wait until what it sets is asked for."""
        raise NotImplementedError

    def leave_unknown(self, function: Function, result: Node) -> None:
        """Of what a constructor sets that was not followed nothing is known."""
        raise NotImplementedError

    def make(self, instance: Node, name: str) -> bool:
        """Walk what a constructor does to set an attribute; whether it is set."""
        raise NotImplementedError

    def before_change(self, changed: Node, name: str = "") -> None:
        """What has to be walked before an object, or an attribute of it, changes."""
        raise NotImplementedError

    def part_of(self, function: Function, asked: Iterable[str], seeds: frozenset[str] = frozenset()) -> Slice | None:
        """What of a function's body ``asked`` names rest on, and what leads to ``seeds``; None for all of it."""
        raise NotImplementedError

    def walk_of(self, function: Function, frame: Frame, returns: bool) -> Slice | None:
        """What of a body leads to a loss, or changes what others see, or is returned; None for all of it. ``frame`` holds its parameters."""
        raise NotImplementedError

    def leads(self, function: Function, frame: Frame) -> bool:
        """Whether a function that is called leads to a loss, or is given one; ``frame`` holds its parameters."""
        raise NotImplementedError

    def seeds(self, unit: SourceUnit) -> frozenset[str]:
        """The names that lead to a loss, and those of functions of a module that set its globals."""
        raise NotImplementedError

    def rebound(self, unit: SourceUnit) -> frozenset[str]:
        """The names that a module binds more than once."""
        raise NotImplementedError

    def lineage(self, cls: Class) -> Iterator[Class | Reference]:
        """A class, then its bases as far as they are known."""
        raise NotImplementedError

    def define(self, cls: Class) -> None:
        """Note a class whose methods are to be walked."""
        raise NotImplementedError

    def defines(self, cls: Class, name: str) -> bool:
        """Whether a class or one of its bases in sight defines an attribute."""
        raise NotImplementedError

    def standalone(
        self,
        function: Function,
        depth: int = 0,
        asked: tuple[str, ...] | None = None,
        constructs: Instance | None = None,
    ) -> None:
        """Walk a function about whose callers nothing is known."""
        raise NotImplementedError
