"""What the graph builder must be told of a library: which names it has, and the slots of their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Signature:
    """How a callable binds its arguments: the name of the operation it performs, and its slots in positional order.

    A slot written ``*name`` takes all further positional arguments as one sequence. ``pure`` operations on equal operands
    give equal values; of a random one every call is a value of its own.
    """

    operation: str
    slots: tuple[str, ...]
    pure: bool = True


@dataclass(frozen=True)
class ModuleSignature:
    """A module class: the slots of its constructor, and the signature of the call (None: not known what it computes).

    ``has_weights`` says that two modules of the same options compute different values of the same input.
    """

    slots: tuple[str, ...]
    call: Signature | None
    has_weights: bool = False


class Library(Protocol):
    """The tables of a library, as the builder reads them."""

    @property
    def wanted(self) -> frozenset[str]:
        """The unqualified names of the calls that are looked for; code from which none is reached need not be walked."""

    @property
    def tensor(self) -> str:
        """The qualified name of the tensor class: its methods are functions under it."""

    @property
    def views(self) -> frozenset[str]:
        """The operations whose result may share the storage of their input."""

    @property
    def whole_views(self) -> frozenset[str]:
        """Those of them that show all numbers of their input."""

    @property
    def transparent(self) -> frozenset[str]:
        """Decorators of the library's after which a function still computes what its body says."""

    @property
    def properties(self) -> frozenset[str]:
        """Decorators of the library's that make a method a property."""

    @property
    def grad_modes(self) -> Mapping[str, bool]:
        """Contexts and decorators that say whether gradients are recorded; one that is told so may say no."""

    @property
    def containers(self) -> Mapping[str, str]:
        """Module classes that hold other modules, with the slot of their constructor for these."""

    def passes(self, name: str) -> bool:
        """Whether a function hands its first argument through, as far as what it computes goes (``torch.compile``)."""

    def function(self, name: str) -> Signature | None:
        """The signature of a qualified function name."""

    def method(self, name: str) -> Signature | None:
        """The signature of a tensor method; its first slot is the receiver."""

    def attribute(self, name: str) -> Signature | None:
        """The signature of a tensor property such as ``shape``; its only slot is the receiver."""

    def module(self, name: str) -> ModuleSignature | None:
        """The signatures of a module class by its qualified name."""

    def member(self, module: str, name: str) -> Signature | None:
        """The signature of an attribute or method of a module class's objects: an operation on the constructor's options."""

    def learnt(self, module: str, name: str) -> Signature | None:
        """The signature that wraps a tensor which a module class's objects learn and hold under this name."""

    def canonical(self, name: str) -> str:
        """The name under which the tables know a qualified name (``torch.nn.modules.loss.X`` is ``torch.nn.X``)."""

    def exports(self, module: str) -> Iterable[str]:
        """The names that ``from module import *`` brings, as far as the tables know them."""
