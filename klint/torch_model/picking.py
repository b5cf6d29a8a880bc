"""``x[...]`` and its kin: numbers picked out along a dim; what is left of a distribution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from klint.graph.nodes import Constant, Operation, Sequence
from klint.torch_model.count import ONE, Count
from klint.torch_model.creation import like, new_size
from klint.torch_model.facts import NOTHING, Facts, Shape, Space, replace
from klint.torch_model.infer import Inference, reads, short
from klint.torch_model.joining import part
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.products import item
from klint.torch_model.shapes import Moved, forget_dims
from klint.torch_model.table import Transfer

T = Transfer

_PARTS = [spec for spec in OPERATIONS.values() if spec.transfer is T.SPLIT]
_MASKS = frozenset("eq ne lt le gt ge".split())


@dataclass(frozen=True)
class Picked:
    """A key that is a list, a mask or a tensor of whole numbers: ``dims`` of the tensor give way to ``sizes``."""

    dims: int
    sizes: tuple[Count, ...]


Key = int | Operation | Picked | None


@reads(T.INDEX)
def index(inference: Inference, node: Operation) -> Facts:
    """``x[...]``: an item of a shape is a size, of a tuple what was put there; of a tensor it is a part."""
    source = inference.argument(node, "input")
    maker = inference.value(node, "input")
    place = inference.integer(node, "index")
    if source.items is not None:
        return NOTHING if place is None else item(source, place, node)
    if isinstance(maker, Operation) and OPERATIONS.get(maker.name) in _PARTS:
        key = inference.value(node, "index")
        is_slice = isinstance(key, Operation) and key.name == "slice"
        return forget_dims(NOTHING, node) if is_slice else part(inference, maker, source, node)
    if source.sizes is not None:
        return NOTHING if place is None else Facts(count=source.sizes.size(place))
    written = inference.value(node, "index")
    if isinstance(written, Constant) and written.value is ...:
        return source
    keys = _keys(inference, node, source)
    if keys is None:
        result = forget_dims(source, node)
        return replace(result, space=Space.UNKNOWN) if source.is_distribution else result
    return _taken(inference, node, source, keys)


def _taken(inference: Inference, node: Operation, source: Facts, keys: list[Key]) -> Facts:
    """The part of a tensor under keys that are all known: whole numbers drop dims, None adds one, slices keep them."""
    if all(isinstance(key, Operation) and not key.arguments for key in keys):  # x[:] is x, of whatever rank
        return replace(source, min_rank=max(source.min_rank, len(keys)))
    sizes: list[Count | None] = []
    old, moved, whole = 0, None, True
    own = None if source.dim is None else _from_left(source, source.dim)
    for key in keys:
        if key is None:
            sizes.append(ONE)
            continue
        if isinstance(key, Picked):
            sizes.extend(key.sizes)
        elif not isinstance(key, int):
            if old == own and not key.arguments:
                moved = len(sizes)
            sizes.append(_sliced(inference, key, source.size(old) if source.shape else None, node, old))
        whole = whole and isinstance(key, Operation) and not key.arguments
        old += key.dims if isinstance(key, Picked) else 1
    known = tuple(size for size in sizes if size is not None)
    result = replace(forget_dims(source, node), min_rank=len(sizes) + max(source.min_rank - old, 0))
    if source.shape is not None:
        dim = None if moved is None else moved - len(sizes)
        shape = Shape(known) if len(known) == len(sizes) else None
        result = replace(result, dim=dim, shape=shape)
    elif own is not None:
        result = replace(result, dim=moved if own < old else own - old + len(sizes))
    elif source.dim is not None and source.min_rank + source.dim >= old:
        result = replace(result, dim=source.dim)
    if source.is_distribution and result.dim is None:
        return replace(result, space=Space.UNKNOWN)
    return replace(result, values=source.values, distribution=source.distribution) if whole else result


def _keys(inference: Inference, node: Operation, source: Facts) -> list[Key] | None:
    """The index, one key a dim or more; None as a whole where it is not known."""
    written = inference.value(node, "index")
    is_tuple = isinstance(written, Sequence) and written.kind == "tuple"
    items = written.items if is_tuple and isinstance(written, Sequence) else () if written is None else (written,)
    keys: list[Key] = []
    full = Operation(node.anchor, -1, "slice", {})
    dots: int | None = None
    for value in map(inference.resolve, items):
        if isinstance(value, Operation) and value.name == "slice":
            keys.append(value)
        elif isinstance(value, Constant) and value.value is None:
            keys.append(None)
        elif isinstance(value, Constant) and value.value is ... and source.rank is not None and dots is None:
            dots = len(keys)
        elif isinstance(value, Constant) and isinstance(value.value, int) and not isinstance(value.value, bool):
            keys.append(value.value)
        else:
            picked = _picked(inference, value, node)
            if picked is None:
                return None
            keys.append(picked)
    if any(isinstance(key, Picked) for key in keys) and sum(isinstance(key, (int, Picked)) for key in keys) > 1:
        return None  # torch moves the dims of several such keys about
    taken = sum(key.dims if isinstance(key, Picked) else key is not None for key in keys)
    if source.rank is not None and taken > source.rank:
        return None
    at = len(keys) if dots is None else dots
    return [*keys[:at], *[full] * max((source.rank or 0) - taken, 0), *keys[at:]]


def _picked(inference: Inference, value: object, node: Operation) -> Picked | None:
    """A list of whole numbers, a mask or a tensor of whole numbers as a key; None where it is not known to be one."""
    if isinstance(value, Sequence) and value.kind == "list":
        known = [item.value for item in map(inference.resolve, value.items) if isinstance(item, Constant)]
        if all(type(number) is int for number in known) and len(known) == len(value.items):
            return Picked(1, (Count.number(len(known)),))
    if not isinstance(value, Operation):
        return None
    facts = inference.facts(value)
    if facts.rank and value.name in _MASKS:
        return Picked(facts.rank, (new_size(node, 0),))
    if facts.integer and facts.shape is not None:
        return Picked(1, facts.shape.sizes)
    return None


def _from_left(source: Facts, dim: int) -> int | None:
    if source.shape is not None:
        return source.shape.dim(dim)
    return dim if dim >= 0 else None


def _sliced(inference: Inference, key: Operation, size: Count | None, node: Operation, dim: int) -> Count | None:
    """The size of a sliced dim: that of a full slice is unchanged, that of another is a symbol unless all is known."""
    if not key.arguments or size is None:
        return size
    whole = None if size.value is None else range(size.value)
    ends = [inference.integer(key, name) for name in ("start", "stop", "step")]
    if whole is not None and all(
        end is not None or name not in key.arguments for end, name in zip(ends, ("start", "stop", "step"), strict=True)
    ):
        return Count.number(len(whole[slice(*ends)]))
    return new_size(node, dim)


_SAME_RANK = frozenset("index_select narrow flip roll repeat_interleave".split())


@reads(T.ROW)
def row(inference: Inference, node: Operation) -> Facts:
    """Any item along the first dim, as a loop over a tensor sees it; of a tensor that was split, any part."""
    source, maker = inference.argument(node, "input"), inference.value(node, "input")
    if isinstance(maker, Operation) and OPERATIONS.get(maker.name) in _PARTS:
        return part(inference, maker, source, node)
    full = Operation(node.anchor, -1, "slice", {})
    return _taken(inference, node, source, [0, *[full] * ((source.rank or 1) - 1)])


@reads(T.SELECT)
def select(inference: Inference, node: Operation) -> Facts:
    """Numbers picked out: scores stay scores, distributions stay whole where their own dim is left alone."""
    source = inference.argument(node, "input")
    if node.name == "values":
        return item(source, 0, node)
    result = replace(forget_dims(source, node), name=short(node))
    if node.name in ("gather", "masked_select", "diagonal"):
        result = _gathered(inference, node, source, result)
    elif source.shape is not None and node.name in _MOVES:
        moved = _MOVES[node.name](inference, node, source.shape)
        if moved is not None:
            place = source.shape.dim(source.dim) if source.dim is not None else None
            new = None if place is None or place >= len(moved[1]) else moved[1][place]
            dim = None if new is None else new - len(moved[0])
            result = replace(result, shape=Shape(tuple(moved[0])), dim=dim)
    elif node.name in _SAME_RANK and _leaves_alone(inference, node, source):
        result = replace(result, dim=source.dim, min_rank=source.min_rank)
    if source.is_distribution and result.dim is None:
        return replace(result, space=Space.UNKNOWN)
    return result


def _gathered(inference: Inference, node: Operation, source: Facts, result: Facts) -> Facts:
    """Numbers picked one by one: of a distribution nothing is left."""
    if node.name == "gather":
        return replace(result, shape=inference.argument(node, "index").shape)
    if node.name == "masked_select":
        return replace(result, shape=Shape((new_size(node, 0),)))
    plain = source.rank == 2 and not node.arguments.keys() - {"input"}
    return replace(result, shape=Shape((new_size(node, 0),))) if plain else result


def _leaves_alone(inference: Inference, node: Operation, source: Facts) -> bool:
    """Whether an operation along some dims leaves the one alone that a tensor of unknown rank is normalised over."""
    if node.name in ("flip", "roll"):
        return source.dim is not None and "dims" in node.arguments
    dim = inference.integer(node, "dim")
    return source.differs(dim)


def _along(inference: Inference, node: Operation, shape: Shape) -> Moved | None:
    """``index_select``, ``narrow``, ``repeat_interleave`` and ``select`` change one dim."""
    dim = inference.integer(node, "dim")
    place = None if dim is None else shape.dim(dim)
    if place is None or not shape.sizes:
        return None
    places: list[int | None] = list(range(shape.rank))
    if node.name == "select":
        after = [at if at < place else None if at == place else at - 1 for at in range(shape.rank)]
        return [*shape.sizes[:place], *shape.sizes[place + 1 :]], after
    places[place] = None
    size = new_size(node, place)
    if node.name == "index_select":
        size = inference.argument(node, "index").numel or size
    elif node.name == "narrow":
        size = inference.argument(node, "length").count or size
    elif (repeats := inference.integer(node, "repeats")) is not None:
        size = shape.sizes[place] * Count.number(repeats)
    return [*shape.sizes[:place], size, *shape.sizes[place + 1 :]], places


def _permuted(inference: Inference, node: Operation, shape: Shape) -> Moved | None:
    """``flip`` and ``roll`` leave every row a distribution, along whatever dims."""
    is_flat = node.name == "roll" and not inference.is_given(node, "dims")
    return None if is_flat else (list(shape.sizes), list(range(shape.rank)))


def _repeated(inference: Inference, node: Operation, shape: Shape) -> Moved | None:
    """``repeat`` adds dims in front, and leaves alone those that are repeated once."""
    times = inference.counts(node.arguments.get("sizes"))
    if times is None or None in times or node.open or len(times) < shape.rank:
        return None
    known = [count for count in times if count is not None]
    ahead = len(known) - shape.rank
    sizes = [*known[:ahead], *(size * count for size, count in zip(shape.sizes, known[ahead:], strict=True))]
    return sizes, [ahead + at if known[ahead + at] == ONE else None for at in range(shape.rank)]


_MOVES: dict[str, Callable[[Inference, Operation, Shape], Moved | None]] = {
    **dict.fromkeys(("index_select", "narrow", "repeat_interleave", "select"), _along),
    **dict.fromkeys(("flip", "roll"), _permuted),
    "repeat": _repeated,
}


@reads(T.DIAGONAL)
def diagonal(inference: Inference, node: Operation) -> Facts:
    """``diag`` of a vector is a matrix, of a matrix a vector."""
    source = inference.argument(node, "input")
    rank = {1: 2, 2: 1}.get(source.rank or 0)
    sizes = tuple(new_size(node, dim) for dim in range(rank or 0))
    return replace(like(NOTHING, node), root=node.identity, shape=Shape(sizes) if rank else None)
