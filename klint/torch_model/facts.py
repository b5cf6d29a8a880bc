"""The abstract values: what is known of a node when it is read as a tensor, a size or a loss."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TypeVar

from klint.finding import Confidence
from klint.graph.nodes import Node, Operation
from klint.torch_model.count import ONE, Count, Size

Value = TypeVar("Value")


def replace(value: Value, **changes: object) -> Value:
    """A copy of one of these values with some fields changed; ``dataclasses.replace`` takes five times as long."""
    copy = object.__new__(type(value))
    copy.__dict__.update(value.__dict__, **changes)
    return copy


class Space(Enum):
    """What a tensor's numbers mean (RULES.md). The value is the words that messages use."""

    UNKNOWN = "unknown values"
    SCORES = "scores"
    PROBABILITIES = "probabilities"
    LOG_PROBABILITIES = "log-probabilities"
    ELEMENTWISE = "elementwise probabilities"
    LOG_ELEMENTWISE = "elementwise log-probabilities"
    INDICES = "class indices"


@dataclass(frozen=True)
class Shape:
    """The sizes of a tensor from the left, all dims known to exist; each size a number or a product of unknown sizes."""

    sizes: tuple[Count, ...]

    @property
    def rank(self) -> int:
        """The number of dims."""
        return len(self.sizes)

    @property
    def numel(self) -> Count:
        """How many numbers the tensor holds."""
        return Count.product(self.sizes)

    def dim(self, dim: int) -> int | None:
        """``dim`` counted from the left, or None where the tensor has no such dim."""
        rank = max(self.rank, 1)
        return dim % rank if -rank <= dim < rank else None

    def size(self, dim: int) -> Count | None:
        """The size at ``dim``; a tensor without dims counts as one number."""
        index = self.dim(dim)
        if index is None:
            return None
        return self.sizes[index] if self.sizes else ONE


@dataclass(frozen=True)
class Distribution:
    """Which distribution a tensor holds, so that two tensors can be known to hold the same one.

    ``values`` is the identity of the scores that were normalised (``normalised``), or of the tensor itself where it is taken as
    a distribution. ``dim`` counts from the right where the rank is known, so that it survives dims added in front.
    """

    values: int
    dim: int | None
    normalised: bool = True


@dataclass(frozen=True)
class Term:
    """``weight * sum(target * log input)`` over all classes and positions; ``weight`` is a sign over a divisor.

    KL, cross entropy and entropy are sums of such terms: KL(P || Q) = sum P log P - sum P log Q.
    """

    target: Distribution
    input: Distribution
    weight: Count


@dataclass(frozen=True)
class Part:
    """``weight * target * log input``, number by number; either of the two may be missing."""

    target: Distribution | None
    input: Distribution | None
    weight: Count


@dataclass(frozen=True)
class Parts:
    """What the numbers of a tensor are the sum of. It holds for the tensor whose ``values`` these are, not for what is made of it."""

    values: int
    items: tuple[Part, ...]


@dataclass(frozen=True)
class Loss:
    """A value that comes from one loss call and has been reduced since.

    ``call`` is the loss call; ``divisor`` what the pointwise sum has been divided by so far (None: not known);
    ``class_dim`` the dim of the value that still runs over classes, counted from the left (None: no longer, or not known);
    ``reduced`` are the operations since the call, first to last.
    """

    call: Operation
    divisor: Count | None
    class_dim: int | None = None
    reduced: tuple[Operation, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All that is known of one node.

    ``dim`` is the dim that the space is normalised over, as the code counts it, and ``made_by`` the operation that
    established the space. ``shape`` holds the sizes (None: rank unknown), of which at least ``min_rank`` exist; ``root`` is the
    identity of the tensor whose shape this one has, ``values`` of the one whose numbers it has, in the same order. ``count`` is the
    number, for Python numbers that are sizes; ``sizes`` the tensor whose shape this is, for shapes. ``terms`` is the sum of
    all numbers of the tensor in terms of its distributions, ``parts`` what each number is in terms of them. ``mass`` is what the numbers sum to over
    ``dim``, for a mixture of distributions that is not yet one itself; ``fill`` what every one of them is, where they are all the same.
    ``items`` are the facts of each item, for a tuple of tensors. ``confidence`` is LIKELY where the space rests on a name.
    """

    space: Space = Space.UNKNOWN
    dim: int | None = None
    made_by: Node | None = None
    shape: Shape | None = None
    min_rank: int = 0
    root: int | None = None
    values: int | None = None
    distribution: Distribution | None = None
    integer: bool | None = None
    count: Count | None = None
    sizes: Facts | None = None
    loss: Loss | None = None
    terms: tuple[Term, ...] | None = None
    parts: Parts | None = None
    mass: Fraction | None = None
    fill: Count | None = None
    items: tuple[Facts, ...] | None = None
    name: str = ""
    confidence: Confidence = Confidence.PROVEN

    @property
    def rank(self) -> int | None:
        """The number of dims, where known."""
        return None if self.shape is None else self.shape.rank

    @property
    def is_distribution(self) -> bool:
        """Whether the space is one that sums to 1 over a dim, as probabilities or logs of them."""
        return self.space in (Space.PROBABILITIES, Space.LOG_PROBABILITIES)

    def size(self, dim: int) -> Count | None:
        """The size at ``dim``: a number, or a symbol that belongs to the tensor whose shape this one has."""
        if self.shape is not None:
            return self.shape.size(dim)
        return None if self.root is None else Count.of(Size(self.root, dim, f"{self.name}.size({dim})"))

    @property
    def numel(self) -> Count | None:
        """How many numbers the tensor holds, as a number, a product of sizes, or a symbol."""
        if self.shape is not None:
            return self.shape.numel
        return None if self.root is None else Count.of(Size(self.root, None, f"{self.name}.numel()"))

    def dim_from_right(self, dim: int | None) -> int | None:
        """``dim`` counted from the right where the rank is known; otherwise as it is."""
        if dim is None or dim < 0 or self.rank is None:
            return dim
        return dim - max(self.rank, 1)

    def same_dim(self, dim: int | None, other: int | None) -> bool | None:
        """Whether two dims of this tensor are the same one; None where that cannot be known."""
        if dim is None or other is None:
            return None
        left, right = self.dim_from_right(dim), self.dim_from_right(other)
        if left is not None and right is not None and (left < 0) == (right < 0):
            return left == right
        return None

    def differs(self, dim: int | None) -> bool:
        """Whether ``dim`` is known to be another dim than the one that the space is normalised over."""
        own = self.dim
        if own is None or dim is None:
            return False
        same = self.same_dim(dim, own)
        if same is not None:
            return not same
        left, right = (dim, own) if dim >= 0 else (own, dim)
        return self.min_rank + right > left


NOTHING = Facts()
