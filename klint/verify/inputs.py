"""Values for what the code leaves free: tensors made up from how they are used, of shapes with which the site runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Any

import torch

from klint.torch_model.facts import Space
from klint.verify.plan import Leaf, Plan
from klint.verify.uses import NUMBER, Use

Shape = tuple[int, ...]

RANKS = (2, 3, 4, 1)
"""The order in which ranks are tried: a batch of distributions first; code that means more dims fails at fewer."""

MAX_ATTEMPTS = 400
_MORE_SIZES = (5, 11, 13, 17)
_MAX_CODE_SIZES = 6
_MAX_SHAPES = 8
_MAX_CODE_SIZE = 4096
_SIZE_SLOTS = frozenset({"shape", "size"})
_MASK_SLOTS = frozenset({"mask", "condition", "no mask"})
_FIXED: Mapping[str, bool | float | str | None] = {
    "dim0": 0,
    "dim1": 1,
    "dtype": None,
    "end_dim": -1,
    "eps": 1e-8,
    "fill_value": 1.0,
    "ignore_index": -100,
    "index": 0,
    "keepdim": False,
    "label_smoothing": 0.1,
    "low": 0,
    "max": 1.0,
    "min": 1e-8,
    "reduce": None,
    "reduction": "mean",
    "requires_grad": False,
    "size_average": None,
    "start": None,
    "start_dim": 0,
    "step": None,
    "stop": None,
}
"""What an argument that is not a tensor is taken to be; any other is the number 2."""

_WORDS = {
    Space.PROBABILITIES: "probabilities",
    Space.LOG_PROBABILITIES: "log-probabilities",
    Space.ELEMENTWISE: "uniform numbers between 0 and 1",
    Space.LOG_ELEMENTWISE: "logs of uniform numbers between 0 and 1",
}


@dataclass(frozen=True)
class Sizes:
    """What stands for the batch size and the class count."""

    batch: int
    classes: int


@dataclass(frozen=True)
class Attempt:
    """A choice of sizes, and the shape of each leaf, or None where it is a Python value. ``alike``: all are of one rank."""

    sizes: Sizes
    shapes: tuple[Shape | None, ...]
    alike: bool = field(default=True, compare=False)


@dataclass(frozen=True)
class Inputs:
    """Makes up the leaves of a plan, given the use of every register. The same seed gives the same numbers everywhere.

    ``shapes`` are those of the tensors that the code spells out, with which the made-up ones must get along.
    """

    plan: Plan
    uses: Sequence[Use | None]
    batch: int
    classes: int
    seed: int
    dtype: str
    device: str
    shapes: Sequence[Shape] = ()

    def attempts(self) -> Iterator[Attempt]:
        """Sizes to try, the likeliest first: one rank for all leaves, then one and two leaves of other shapes."""
        seen: set[Attempt] = set()
        for attempt in self._attempts():
            if attempt not in seen:
                seen.add(attempt)
                yield attempt
            if len(seen) == MAX_ATTEMPTS:
                return

    def draw(self, attempt: Attempt) -> dict[int, Any]:
        """The leaves by register. Floating tensors require a gradient."""
        return {
            leaf.register: self._python_value(leaf, attempt.sizes)
            if shape is None
            else self._tensor(self._use(leaf), shape, attempt.sizes, (self.seed + 1) * 1_000_003 + index)
            for index, (leaf, shape) in enumerate(zip(self.plan.leaves, attempt.shapes, strict=True))
        }

    def describe(self, attempt: Attempt) -> list[str]:
        """The leaves in words: ``logits is a (7, 10) normal draw``."""
        return [
            f"{leaf.name} is {self._words(leaf, shape, attempt.sizes)}"
            for leaf, shape in zip(self.plan.leaves, attempt.shapes, strict=True)
        ]

    def class_dim(self, use: Use | None = None) -> int:
        """The dim that runs over classes, as the use or else the claim counts it; the last where neither says."""
        claimed = (reading.dim for reading in self.plan.readings.values())
        for dim in (None if use is None else use.dim, *claimed):
            if dim is not None:
                return dim
        return -1

    def _attempts(self) -> Iterator[Attempt]:
        own = Sizes(self.batch, self.classes)
        if not self.plan.leaves:
            yield Attempt(own, ())
            return
        for shape in self.shapes[:_MAX_SHAPES]:
            yield self._like(shape)
        in_code = self._code_sizes()
        choices = [own, Sizes(2 * self.batch, self.classes)]  # some code cuts the batch in two
        choices += [Sizes(self.batch, classes) for classes in in_code]
        choices += [Sizes(batch, self.classes) for batch in in_code]
        both = [Sizes(batch, classes) for batch in in_code for classes in in_code]
        ranks = tuple(dict.fromkeys((*(leaf.rank for leaf in self.plan.leaves if leaf.rank), *RANKS)))
        for sizes, rank in product([*choices, *both], ranks):
            yield Attempt(sizes, self._base(rank, sizes))
        for changes in (1, 2):
            for sizes, rank in product(choices, ranks):
                base = self._base(rank, sizes)
                for changed in combinations(range(len(base)), changes):
                    others = (self._others(self.plan.leaves[index], sizes) for index in changed)
                    for replacement in product(*others):
                        new = dict(zip(changed, replacement, strict=True))
                        shapes = tuple(new.get(index, shape) for index, shape in enumerate(base))
                        yield Attempt(sizes, shapes, alike=False)

    def _like(self, shape: Shape) -> Attempt:
        """All leaves of one shape, but for class indices and what is no tensor."""
        at = self.class_dim()
        at = at if -len(shape) <= at < len(shape) else -1
        sizes = Sizes(shape[0], shape[at])
        alike: list[Shape | None] = []
        for leaf in self.plan.leaves:
            use = self._use(leaf)
            if leaf.rank not in (None, len(shape)) or (use is not None and (use.slot or use.space is Space.INDICES)):
                alike.append(self._leaf_shape(leaf, len(shape), sizes))
            else:
                alike.append(_with_sizes(shape, leaf))
        return Attempt(sizes, tuple(alike))

    def _base(self, rank: int, sizes: Sizes) -> tuple[Shape | None, ...]:
        return tuple(self._leaf_shape(leaf, rank, sizes) for leaf in self.plan.leaves)

    def _others(self, leaf: Leaf, sizes: Sizes) -> list[Shape]:
        """Shapes that a single leaf may have beside its fellows: other ranks, a prior, a column, a square, one number."""
        use, classes = self._use(leaf), sizes.classes
        shapes = [self._shape(use, rank, sizes) for rank in RANKS]
        shapes += [(classes,), (classes, classes), (1, classes), (sizes.batch, 1), ()]
        return [_with_sizes(shape, leaf) for shape in shapes]

    def _leaf_shape(self, leaf: Leaf, rank: int, sizes: Sizes) -> Shape | None:
        use = self._use(leaf)
        if use is not None and use.slot:
            if use.slot in _MASK_SLOTS:
                return self._shape(use, rank, sizes)
            weighs = use.slot in ("weight", "pos_weight") and not leaf.optional
            return (sizes.classes,) if weighs else None
        return _with_sizes(self._shape(use, leaf.rank or max(rank, leaf.least_rank), sizes), leaf)

    def _shape(self, use: Use | None, rank: int, sizes: Sizes) -> Shape:
        """``classes`` at the class dim, the batch first of the rest; class indices lack the class dim."""
        dim = self.class_dim(use)
        at = dim % rank if -rank <= dim < rank else rank - 1
        more = (size for size in _MORE_SIZES if size not in (sizes.batch, sizes.classes))
        rest = [sizes.batch, *more][: rank - 1]
        if use is not None and use.space is Space.INDICES:
            return tuple(rest)
        return (*rest[:at], sizes.classes, *rest[at:])

    def _code_sizes(self) -> list[int]:
        """Sizes that the code spells out, which the class count may have to match."""
        steps = self.plan.steps
        named = {
            register
            for step in steps
            for slot, register in step.arguments
            if step.kind == "sequence" or slot in ("num_classes", "stop")
        }
        found = {value for at in named if isinstance(value := steps[at].value, int)}
        found |= {size for leaf in self.plan.leaves for _, size in leaf.sizes}
        found |= {len(step.arguments) for step in steps if step.kind == "sequence"}
        return sorted(size for size in found if 1 < size <= _MAX_CODE_SIZE and size != self.classes)[:_MAX_CODE_SIZES]

    def _use(self, leaf: Leaf) -> Use | None:
        return self.uses[leaf.register]

    def _python_value(self, leaf: Leaf, sizes: Sizes) -> Any:
        use = self._use(leaf)
        slot = "" if use is None else use.slot
        if leaf.optional and slot != NUMBER.slot:
            return None
        if slot in _SIZE_SLOTS:
            place = use.place if use is not None else None
            index, rank = place or (None, 2)
            shape = self._shape(None, rank, sizes)
            return shape if index is None else shape[index]
        if slot in ("num_classes", "high"):
            return sizes.classes
        if slot == "dim":
            return self.class_dim()
        if slot == "log_target":
            return self.plan.target is not None and self.plan.target.space is Space.LOG_PROBABILITIES
        return _FIXED.get(slot, 2.0)

    def _tensor(self, use: Use | None, shape: Shape, sizes: Sizes, seed: int) -> torch.Tensor:
        generator = torch.Generator("cpu").manual_seed(seed)  # the same numbers for every device
        space = Space.SCORES if use is None else use.space
        if space is Space.INDICES:
            return torch.randint(sizes.classes, shape, generator=generator, device="cpu").to(self.device)
        if space in (Space.ELEMENTWISE, Space.LOG_ELEMENTWISE) or (use is not None and use.slot):
            numbers = 0.05 + 0.9 * torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
            if use is not None and use.slot in _MASK_SLOTS:
                return (numbers < (0.0 if use.slot == "no mask" else 0.5)).to(self.device)
            numbers = numbers.log() if space is Space.LOG_ELEMENTWISE else numbers
        else:
            numbers = torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
        if space in (Space.PROBABILITIES, Space.LOG_PROBABILITIES):
            dim = self.class_dim(use)
            dim = dim if -numbers.dim() <= dim < numbers.dim() else -1
            weights = numbers.exp()
            numbers = weights / weights.sum(dim, keepdim=True)
            numbers = numbers.log() if space is Space.LOG_PROBABILITIES else numbers
        return numbers.to(self.device, getattr(torch, self.dtype)).requires_grad_()

    def _words(self, leaf: Leaf, shape: Shape | None, sizes: Sizes) -> str:
        use = self._use(leaf)
        if shape is None:
            return repr(self._python_value(leaf, sizes))
        space = Space.SCORES if use is None else use.space
        if space is Space.INDICES:
            return f"{shape} class indices below {sizes.classes}"
        if use is not None and use.slot:
            masks = {"mask": "a random {} mask", "condition": "a random {} mask", "no mask": "a {} mask of nothing"}
            return masks.get(use.slot, f"{{}} {_WORDS[Space.ELEMENTWISE]}").format(shape)
        return f"{shape} {_WORDS[space]}" if space in _WORDS else f"a {shape} normal draw"


def _with_sizes(shape: Shape, leaf: Leaf) -> Shape:
    """A shape with the sizes that the code fixes."""
    sizes = list(shape)
    for dim, size in leaf.sizes:
        if -len(sizes) <= dim < len(sizes):
            sizes[dim] = size
    return tuple(sizes)
