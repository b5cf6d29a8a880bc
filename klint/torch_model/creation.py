"""Tensors that the code makes itself: literals, draws, constants, whole numbers, and what is written into them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from klint.finding import Confidence
from klint.graph.nodes import Constant, Node, Operation, Reference, Sequence
from klint.torch_model.count import ONE, Count, Size
from klint.torch_model.facts import NOTHING, Facts, Shape, Space, replace
from klint.torch_model.infer import Inference, reads, short, unread
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

T = Transfer

INTEGER_TYPES = frozenset(f"torch.{name}" for name in "long int int64 int32 int16 int8 uint8 short LongTensor".split())
FLOATING_TYPES = frozenset(
    f"torch.{name}"
    for name in "float float64 float32 float16 bfloat16 double half FloatTensor DoubleTensor HalfTensor".split()
)


def like(source: Facts, node: Node, space: Space = Space.UNKNOWN) -> Facts:
    """New numbers in the shape of ``source``."""
    return replace(
        NOTHING,
        space=space,
        shape=source.shape,
        min_rank=source.min_rank,
        root=source.root,
        values=node.identity,
        name=source.name or short(node),
    )


def new_size(node: Node, dim: int) -> Count:
    """The size of a dim of which nothing is known."""
    return Count.of(Size(node.identity, dim, f"{short(node)}.size({dim})"))


def number_of(inference: Inference, node: Operation, slot: str) -> Count | None:
    """An argument that is a number: a literal, or one that is computed of sizes."""
    value = inference.value(node, slot)
    literal_value = value.value if isinstance(value, Constant) else None
    if isinstance(literal_value, float) and math.isfinite(literal_value):
        return Count(Fraction(literal_value))
    return None if value is None else inference.facts(value).count


def types_of(inference: Inference, node: Operation) -> Iterator[Node]:
    """The arguments of a conversion or a creation among which its dtype is."""
    for slot, argument in node.arguments.items():
        if slot in ("dtype", "args") or slot.startswith("*"):
            value = inference.resolve(argument)
            yield from map(inference.resolve, value.items) if isinstance(value, Sequence) else (value,)


def is_integer(inference: Inference, node: Operation) -> bool | None:
    """Whether the dtype that is asked for is one of whole numbers; None where none is, or it is not known."""
    for argument in types_of(inference, node):
        name = argument.name if isinstance(argument, Reference) else ""
        if name in INTEGER_TYPES or name in FLOATING_TYPES:
            return name in INTEGER_TYPES
    return None


def whole(facts: Facts, node: Node) -> Facts:
    """The same tensor as whole numbers that name classes."""
    numbers = replace(facts, space=Space.INDICES, dim=None, integer=True, made_by=node, distribution=None)
    return replace(numbers, terms=None, fill=None, mass=None)


def created(inference: Inference, node: Operation, slot: str) -> Facts:
    """A new tensor whose sizes are listed in ``slot``; how many they are is often known where they are not."""
    result = unread(inference, node)
    written = node.arguments.get(slot)
    sizes = inference.counts(written)
    if sizes is None or node.open or (None in sizes and not lists_sizes(inference, written)):
        return result
    known = (new_size(node, dim) if size is None else size for dim, size in enumerate(sizes))
    return replace(result, shape=Shape(tuple(known)))


def lists_sizes(inference: Inference, written: Node | None) -> bool:
    """Whether a shape argument is written out size by size, so that their number is the rank."""
    value = None if written is None else inference.resolve(written)
    if not isinstance(value, Sequence):
        return False
    return len(value.items) > 1 or (len(value.items) == 1 and isinstance(inference.resolve(value.items[0]), Sequence))


@reads(T.CREATE)
def create(inference: Inference, node: Operation) -> Facts:
    """``torch.randn`` makes scores, ``full`` the same number everywhere; of ``rand`` and ``empty`` only the shape is known."""
    space, _, source = OPERATIONS[node.name].detail.partition(" ")
    if node.name in ("eye", "linspace"):
        return _counted(inference, node)
    result = like(inference.argument(node, "input"), node) if source == "like" else created(inference, node, "size")
    if is_integer(inference, node) or (source == "new" and inference.argument(node, "input").integer):
        return whole(result, node)
    if space == "scores":
        return replace(result, space=Space.SCORES, made_by=node)
    if space not in ("zeros", "ones", "full"):
        return result
    fill = {"zeros": Count.number(0), "ones": ONE}.get(space) or number_of(inference, node, "fill_value")
    value = inference.value(node, "fill_value")
    if node.name == "full" and isinstance(value, Constant) and isinstance(value.value, int):
        return whole(result, node)
    return filled(result, fill, node)


def _counted(inference: Inference, node: Operation) -> Facts:
    """A square matrix of n rows, or n numbers in a row."""
    count = inference.argument(node, "n" if node.name == "eye" else "steps").count or new_size(node, 0)
    sizes = (count,) if node.name == "linspace" else (count, inference.argument(node, "m").count or count)
    return replace(unread(inference, node), shape=Shape(sizes))


def filled(facts: Facts, fill: Count | None, node: Node) -> Facts:
    """A tensor of one number: a uniform distribution over the one dim along which it sums to 1, if there is one."""
    if fill is None:
        return facts
    facts = replace(facts, space=Space.UNKNOWN, dim=None, distribution=None, fill=fill, made_by=node)
    dims = range(facts.rank) if facts.rank is not None else (-2, -1, 0, 1, 2)
    sums = [dim for dim in dims if (size := facts.size(dim)) is not None and _is_one(fill * size)]
    if len(sums) == 1 and fill != ONE:
        return replace(facts, space=Space.PROBABILITIES, dim=sums[0])
    return replace(facts, space=Space.ELEMENTWISE) if fill.value in (0, 1) else facts


def _is_one(count: Count) -> bool:
    return not count.powers and math.isclose(count.factor, 1, rel_tol=1e-6)


@reads(T.OVERWRITE)
def overwrite(inference: Inference, node: Operation) -> Facts:
    """Scores stay scores and indices indices; a distribution breaks, unless a number is scattered into a constant to build one."""
    source = inference.argument(node, "input")
    result = replace(like(source, node), integer=source.integer)
    if source.space in (Space.SCORES, Space.INDICES):
        return replace(result, space=source.space, made_by=node, confidence=source.confidence)
    dim = _smoothed_dim(inference, node, source) if node.name == "scatter" else None
    return result if dim is None else replace(result, space=Space.PROBABILITIES, dim=dim, made_by=node)


@reads(T.SETITEM)
def set_item(inference: Inference, node: Operation) -> Facts:
    """A tensor of which a part was overwritten: its shape stays, and whole numbers stay whole, whatever is written there.

    Scores stay scores where scores are written, or one number.
    """
    source, value = inference.argument(node, "input"), inference.argument(node, "value")
    result = replace(like(source, node), integer=source.integer)
    if source.space is Space.INDICES:
        return whole(result, node)
    if source.space is not Space.SCORES or not (value.space is Space.SCORES or _is_number(inference, node, "value")):
        return result
    likely = value.space is Space.SCORES and value.confidence is Confidence.LIKELY
    return replace(
        result, space=Space.SCORES, made_by=node, confidence=value.confidence if likely else source.confidence
    )


def _is_number(inference: Inference, node: Operation, slot: str) -> bool:
    """Whether an argument is one number: a literal, ``float("-inf")``, ``-torch.inf``."""
    value = inference.value(node, slot)
    while isinstance(value, Operation) and value.name in ("neg", "number"):
        value = inference.value(value, "input")
    return isinstance(value, (Constant, Reference))


def _smoothed_dim(inference: Inference, node: Operation, source: Facts) -> int | None:
    """The dim along which one number is written into each row of a constant so that it sums to 1: a smoothed one-hot row."""
    dim = inference.integer(node, "dim")
    value = number_of(inference, node, "src") or number_of(inference, node, "value")
    if dim is None or node.arguments.keys() & {"reduce"}:
        return None
    if not _has_one(inference, node.arguments.get("index"), dim, source):
        return None
    if _adds_up(inference, node, source.size(dim)):
        return dim
    if value is None or source.fill is None:
        return None
    size, rest = source.size(dim), source.fill
    if rest.factor:
        if size is None or not (size.is_number and rest.is_number and value.is_number):
            return None
        value = Count(value.factor + rest.factor * (size.factor - 1))
    return dim if _is_one(value) else None


def _adds_up(inference: Inference, node: Operation, size: Count | None) -> bool:
    """Whether ``1 - s`` is scattered into a constant of ``s / (n - 1)``, where n is the size of the dim."""
    base = inference.value(node, "input")
    if size is None or not isinstance(base, Operation) or "fill_value" not in base.arguments:
        return False
    fill, value = inference.value(base, "fill_value"), inference.value(node, "src") or inference.value(node, "value")
    share, others = _operands(inference, fill, "div")
    one, rest = _operands(inference, value, "sub")
    count, less = _operands(inference, others, "sub")
    if share is None or rest is None or count is None or share.identity != rest.identity:
        return False
    ones = [number.value for number in (one, less) if isinstance(number, Constant)]
    return ones == [1, 1] and inference.facts(count).count == size


def _operands(inference: Inference, node: Node | None, name: str) -> tuple[Node | None, Node | None]:
    """The two operands of an operation of this name."""
    if not isinstance(node, Operation) or node.name != name or node.arguments.keys() != {"input", "other"}:
        return None, None
    return inference.value(node, "input"), inference.value(node, "other")


def _has_one(inference: Inference, index: Node | None, dim: int, base: Facts) -> bool:
    """Whether an index names one place along ``dim`` of ``base``, which has as many dims."""
    if index is None:
        return False
    facts = replace(inference.facts(index), min_rank=0)
    if facts.shape is not None:
        return facts.size(dim) == ONE
    maker = inference.resolve(index)
    while isinstance(maker, Operation) and maker.name in ("long", "to", "type", "cuda", "cpu", "detach", "data"):
        maker = inference.resolve(maker.arguments["input"])
    if not isinstance(maker, Operation) or maker.name != "unsqueeze":
        return False
    return bool(base.same_dim(inference.integer(maker, "dim"), dim))


@reads(T.COPY)
def copy(inference: Inference, node: Operation) -> Facts:
    """``x.copy_(y)``: the numbers of y in the shape of x."""
    target, source = inference.argument(node, "input"), inference.argument(node, "src")
    if node.arguments.keys() - {"input", "src", "non_blocking"} or target.integer:
        return like(target, node)
    dim = source.dim_from_right(source.dim)
    if source.is_distribution and (dim is None or dim >= 0):
        return like(target, node)
    same = source.shape is not None and source.shape == target.shape
    distribution = source.distribution if same else None
    result = replace(like(target, node, source.space), dim=dim, made_by=source.made_by, distribution=distribution)
    return replace(result, confidence=source.confidence, values=source.values if same else node.identity)


@reads(T.BERNOULLI)
def bernoulli(inference: Inference, node: Operation) -> Facts:
    """Zeros and ones."""
    return replace(like(inference.argument(node, "input"), node, Space.ELEMENTWISE), made_by=node)


@reads(T.INDICES)
def indices(inference: Inference, node: Operation) -> Facts:
    """Whole numbers."""
    detail = OPERATIONS[node.name].detail
    source = inference.argument(node, "input")
    if detail == "size":
        slot = "size" if "size" in node.arguments else "high"  # randint(high, size)
        return whole(created(inference, node, slot), node)
    if node.name == "long":
        return whole(source, node)
    if node.name == "indices" and source.items is not None and len(source.items) > 1:
        return replace(source.items[1], values=node.identity)
    result = whole(unread(inference, node), node)
    shape = _whole_shape(inference, node, source)
    return result if shape is None else replace(result, shape=shape)


def _whole_shape(inference: Inference, node: Operation, source: Facts) -> Shape | None:
    """The shape of indices that are computed of a tensor, or counted up."""
    if node.name in ("arange", "randperm"):
        ends = inference.counts(node.arguments.get("range")) or ()
        return Shape((ends[0],)) if len(ends) == 1 and ends[0] is not None else Shape((new_size(node, 0),))
    if node.name == "argsort":
        return source.shape
    if node.name in ("argmax", "argmin"):
        return reduced(inference, node, source)
    if node.name == "multinomial" and source.shape is not None:
        count = inference.argument(node, "num_samples").count
        return None if count is None else Shape((*source.shape.sizes[:-1], count))
    return None


def reduced(inference: Inference, node: Operation, source: Facts) -> Shape | None:
    """The shape after one dim, or all, went into each result."""
    if not inference.is_given(node, "dim"):
        return None if node.open else Shape(())
    dims = inference.integers(node, "dim")
    if dims is None or source.shape is None:
        return None
    gone = {source.shape.dim(dim) for dim in dims}
    keep = inference.value(node, "keepdim")
    if keep is not None and not isinstance(keep, Constant):
        return None
    keeps = isinstance(keep, Constant) and bool(keep.value)
    sizes = enumerate(source.shape.sizes)
    return Shape(tuple(ONE if dim in gone else size for dim, size in sizes if keeps or dim not in gone))


@reads(T.ONE_HOT)
def one_hot(inference: Inference, node: Operation) -> Facts:
    """A distribution in whole numbers, over a new last dim."""
    source = inference.argument(node, "input")
    result = replace(unread(inference, node), space=Space.PROBABILITIES, dim=-1, integer=True, made_by=node)
    if source.shape is None:
        return replace(result, min_rank=source.min_rank + 1)
    given = inference.argument(node, "num_classes").count
    classes = given if given is not None and given.value != -1 else new_size(node, -1)
    return replace(result, shape=Shape((*source.shape.sizes, classes)))


@reads(T.LITERAL)
def literal(inference: Inference, node: Operation) -> Facts:
    """``torch.tensor([[0.2, 0.8]])``: its shape, and what its numbers show themselves to be over the last dim."""
    data = inference.value(node, "data" if node.name == "new_tensor" else "input")
    if data is None:
        return unread(inference, node)
    rows, sizes = _rows(inference, data)
    if rows is None or (not sizes and node.name in ("FloatTensor", "LongTensor")):
        return _copied(inference, node, data)
    result = replace(unread(inference, node), shape=Shape(tuple(map(Count.number, sizes))), made_by=node)
    numbers = [number for row in rows for number in row]
    counts = all(isinstance(number, int) for number in numbers)
    if is_integer(inference, node) or node.name == "LongTensor" or (counts and _takes_type(node)):
        return whole(result, node)
    if counts and node.name == "new_tensor":
        return result
    if not sizes or not numbers:
        return result
    if min(numbers) >= 0 and all(math.isclose(math.fsum(row), 1, rel_tol=1e-4) for row in rows):
        return replace(result, space=Space.PROBABILITIES, dim=-1)
    if max(numbers) <= 0 and all(math.isclose(math.fsum(map(math.exp, row)), 1, rel_tol=1e-3) for row in rows):
        return replace(result, space=Space.LOG_PROBABILITIES, dim=-1)
    return replace(result, space=Space.SCORES)


def _copied(inference: Inference, node: Operation, data: Node) -> Facts:
    """A tensor of numbers that are not written out: whole where that is asked for, and a tensor again where it is made of one."""
    result = unread(inference, node)
    source = inference.facts(data)
    if is_integer(inference, node) or node.name == "LongTensor":
        return whole(result, node)
    if node.name != "tensor" or not isinstance(data, Operation) or source.root is None:
        return result
    if source.integer and "dtype" in node.arguments:
        return like(source, node)
    return replace(source, loss=None, terms=None)


def _takes_type(node: Operation) -> bool:
    """Whether the dtype is that of the numbers."""
    return node.name == "tensor" and "dtype" not in node.arguments


def _rows(inference: Inference, data: Node) -> tuple[list[list[float]] | None, list[int]]:
    """The innermost rows of nested lists of numbers, and their sizes from the outside in."""
    data = inference.resolve(data)
    if isinstance(data, Constant):
        number = data.value
        known = isinstance(number, (int, float)) and not isinstance(number, bool)
        return ([[number]] if known and isinstance(number, (int, float)) else None), []
    if not isinstance(data, Sequence):
        return None, []
    rows: list[list[float]] = []
    inner: list[int] | None = None
    for item in data.items:
        part, sizes = _rows(inference, item)
        if part is None or (inner is not None and sizes != inner):
            return None, []
        inner = sizes
        rows.extend(part)
    if not inner:
        rows = [[number for row in rows for number in row]]
    return rows, [len(data.items), *(inner or [])]
