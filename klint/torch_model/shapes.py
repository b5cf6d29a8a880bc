"""How operations move dims: views, transposes, indexing, and the sizes that shapes give out."""

from __future__ import annotations

from dataclasses import replace

from klint.graph.nodes import Constant, Node, Operation, Sequence
from klint.torch_model.count import ONE, Count, Size
from klint.torch_model.facts import NOTHING, Facts, Shape, Space
from klint.torch_model.infer import Inference, reads, short
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

T = Transfer

Moved = tuple[list[Count], list["int | None"]]
"""The new sizes, and for each old dim where it went (None: gone, or merged with others)."""


_PARTS = [spec for spec in OPERATIONS.values() if spec.transfer is T.SPLIT]
_PAIRS = [spec for spec in OPERATIONS.values() if spec.transfer is T.EXTREME]


@reads(T.VIEW)
def view(inference: Inference, node: Operation) -> Facts:
    """The same numbers under other dims; the meaning stays, and the dim that it is over moves along."""
    source = inference.argument(node, "input")
    if source.shape is None:
        return _unranked(inference, node, source)
    moved = _moved(inference, node, source.shape)
    if moved is None:
        return forget_dims(source, node)
    sizes, places = moved
    dim = None
    if source.dim is not None:
        old = source.shape.dim(source.dim)
        new = places[old] if old is not None and old < len(places) else None
        dim = None if new is None else new - len(sizes)
    shuffled = node.name in ("transpose", "t", "permute", "movedim", "expand", "expand_as")
    distribution = source.distribution
    if distribution is not None and dim is not None:
        distribution = replace(distribution, dim=dim)
    return replace(
        source,
        dim=dim,
        shape=Shape(tuple(sizes)),
        min_rank=0,
        root=node.identity,
        values=node.identity if shuffled else source.values,
        distribution=None if dim is None and source.space is not Space.UNKNOWN else distribution,
        loss=None,
        terms=None,
    )


def forget_dims(source: Facts, node: Node) -> Facts:
    """The same meaning over a dim that is no longer known."""
    return replace(
        source,
        dim=None,
        shape=None,
        min_rank=0,
        root=node.identity,
        values=node.identity,
        distribution=None,
        loss=None,
        terms=None,
    )


def _unranked(inference: Inference, node: Operation, source: Facts) -> Facts:
    """A view of a tensor of unknown rank: a new shape that is spelled out is known, and a dim in front moves the others."""
    result = forget_dims(source, node)
    if node.name == "unsqueeze" and inference.integer(node, "dim") == 0 and source.dim is not None:
        moved = source.dim if source.dim < 0 else source.dim + 1
        kept = source.distribution if moved < 0 else None
        return replace(result, dim=moved, values=source.values, distribution=kept)
    if node.name in ("view", "reshape"):
        sizes = inference.counts(node.arguments.get("shape"))
        if sizes is None:
            return result
        last = source.size(-1)
        dim = -1 if source.dim == -1 and last is not None and sizes[-1] == last else None
        rank = len(sizes)
        result = replace(result, dim=dim, min_rank=rank)
        known = [size for size in sizes if size is not None and size.value != -1]
        if len(known) == rank:
            return replace(result, shape=Shape(tuple(known)))
        if source.numel is not None and len(known) == rank - 1:
            rest = source.numel / Count.product(known)
            return replace(result, shape=Shape(tuple(rest if s is None or s.value == -1 else s for s in sizes)))
    return result


def _moved(inference: Inference, node: Operation, shape: Shape) -> Moved | None:
    """Where the dims of a known shape go."""
    rank, sizes = shape.rank, list(shape.sizes)
    if node.name == "unsqueeze":
        return _unsqueeze(inference.integer(node, "dim"), sizes)
    if node.name == "squeeze":
        return _squeeze(
            inference.integers(node, "dim") if "dim" in node.arguments else None, shape, "dim" in node.arguments
        )
    if node.name in ("transpose", "t", "permute", "movedim"):
        order = _order(inference, node, shape)
        return None if order is None else ([sizes[old] for old in order], [order.index(old) for old in range(rank)])
    if node.name in ("flatten", "nn_flatten", "ravel"):
        start = (
            inference.integer(node, "start_dim") if "start_dim" in node.arguments else int(node.name == "nn_flatten")
        )
        end = inference.integer(node, "end_dim") if "end_dim" in node.arguments else -1
        return _flatten(start, end, shape)
    if node.name in ("view", "reshape"):
        return _reshape(inference.counts(node.arguments.get("shape")), shape)
    if node.name == "expand":
        return _expand(inference.counts(node.arguments.get("shape")), sizes)
    return None


def _unsqueeze(dim: int | None, sizes: list[Count]) -> Moved | None:
    if dim is None or not -len(sizes) - 1 <= dim <= len(sizes):
        return None
    index = dim % (len(sizes) + 1)
    return [*sizes[:index], ONE, *sizes[index:]], [old + (old >= index) for old in range(len(sizes))]


def _squeeze(dims: tuple[int, ...] | None, shape: Shape, given: bool) -> Moved | None:
    if given and dims is None:
        return None
    if not given and any(size.value is None for size in shape.sizes):
        return None
    wanted = range(shape.rank) if dims is None else [shape.dim(dim) for dim in dims]
    if any(index is not None and shape.sizes[index].value is None for index in wanted):
        return None
    gone = {index for index in wanted if index is not None and shape.sizes[index].value == 1}
    kept = [index for index in range(shape.rank) if index not in gone]
    return [shape.sizes[index] for index in kept], [kept.index(i) if i in kept else None for i in range(shape.rank)]


def _order(inference: Inference, node: Operation, shape: Shape) -> list[int] | None:
    """For each new dim the old one that it was."""
    order = list(range(shape.rank))
    if node.name == "permute":
        dims = inference.integers(node, "dims")
        places = None if dims is None else [shape.dim(dim) for dim in dims]
        known = [] if places is None else [place for place in places if place is not None]
        return known if sorted(known) == order else None
    if node.name == "t":
        return order[::-1] if shape.rank <= 2 else None
    names = ("dim0", "dim1") if node.name == "transpose" else ("source", "destination")
    raw = [inference.integer(node, name) for name in names]
    first, second = (None if dim is None else shape.dim(dim) for dim in raw)
    if first is None or second is None:
        return None
    if node.name == "transpose":
        order[first], order[second] = order[second], order[first]
    else:
        order.insert(second, order.pop(first))
    return order


def _flatten(start: int | None, end: int | None, shape: Shape) -> Moved | None:
    if start is None or end is None:
        return None
    first, last = shape.dim(start), shape.dim(end)
    if first is None or last is None or first > last or not shape.sizes:
        return None
    merged = Count.product(shape.sizes[first : last + 1])
    sizes = [*shape.sizes[:first], merged, *shape.sizes[last + 1 :]]
    alone = first == last
    places = [
        i if i < first else (first if alone else None) if i <= last else i - (last - first) for i in range(shape.rank)
    ]
    return sizes, places


def _reshape(sizes: tuple[Count | None, ...] | None, shape: Shape) -> Moved | None:
    """A dim stays what it is where the sizes from the left, or from the right, agree up to it."""
    if sizes is None or any(size is None for size in sizes):
        return None
    known = [size for size in sizes if size is not None]
    wild = [index for index, size in enumerate(known) if size.value == -1]
    if len(wild) == 1:
        others = Count.product(size for size in known if size.value != -1)
        if others.factor == 0:
            return None
        known[wild[0]] = shape.numel / others
    elif wild:
        return None
    places: list[int | None] = [None] * shape.rank
    for index in range(min(shape.rank, len(known))):
        if known[index] != shape.sizes[index]:
            break
        places[index] = index
    for index in range(1, min(shape.rank, len(known)) + 1):
        if known[-index] != shape.sizes[-index]:
            break
        places[-index] = len(known) - index
    return known, places


def _expand(sizes: tuple[Count | None, ...] | None, old: list[Count]) -> Moved | None:
    if sizes is None or any(size is None for size in sizes) or len(sizes) < len(old):
        return None
    ahead = len(sizes) - len(old)
    new = [size for size in sizes if size is not None]
    for index, size in enumerate(old):
        if new[ahead + index].value == -1:
            new[ahead + index] = size
    return new, [ahead + index for index in range(len(old))]


@reads(T.INDEX)
def index(inference: Inference, node: Operation) -> Facts:
    """``x[...]``: an item of a shape is a size; of a tensor, whole numbers drop dims, None adds one, slices keep them."""
    source = inference.argument(node, "input")
    maker = inference.value(node, "input")
    if isinstance(maker, Operation) and OPERATIONS.get(maker.name) in _PAIRS and maker.arguments.keys() & {"dim", "k"}:
        if inference.integer(node, "index") == 1:
            return Facts(space=Space.INDICES, integer=True, root=node.identity, values=node.identity)
        return replace(source, values=node.identity, root=node.identity, name=short(node))
    if isinstance(maker, Operation) and OPERATIONS.get(maker.name) in _PARTS:
        return replace(source, values=node.identity, root=node.identity, name=short(node))
    if source.sizes is not None:
        place = inference.integer(node, "index")
        return NOTHING if place is None else Facts(count=source.sizes.size(place))
    keys = _keys(inference, node, source)
    if keys is None:
        result = forget_dims(source, node)
        return replace(result, space=Space.UNKNOWN) if source.is_distribution else result
    sizes: list[Count | None] = []
    moved: int | None = None
    whole = True
    old = 0
    own = None if source.dim is None else _from_left(source, source.dim)
    for key in keys:
        if key is None:
            sizes.append(ONE)
            continue
        if isinstance(key, int):
            whole = False
        else:
            if old == own and not key.arguments:
                moved = len(sizes)
            whole = whole and not key.arguments
            sizes.append(_sliced(inference, key, source.size(old) if source.shape else None, node, old))
        old += 1
    known = tuple(size for size in sizes if size is not None)
    dim = None if moved is None else moved - len(sizes)
    result = replace(forget_dims(source, node), dim=dim, min_rank=len(sizes))
    if source.shape is not None and len(known) == len(sizes):
        result = replace(result, shape=Shape(known))
    elif source.shape is None and source.dim == -1 and source.min_rank > len(keys) - keys.count(None):
        result = replace(result, dim=-1)
    if source.is_distribution and result.dim is None:
        return replace(result, space=Space.UNKNOWN)
    return replace(result, values=source.values, distribution=source.distribution) if whole else result


def _keys(inference: Inference, node: Operation, source: Facts) -> list[int | Operation | None] | None:
    """The index, one key a dim: a whole number, a slice, or None for a new dim; None as a whole where it is anything else."""
    written = inference.value(node, "index")
    items = written.items if isinstance(written, Sequence) else () if written is None else (written,)
    keys: list[int | Operation | None] = []
    full = Operation(node.anchor, -1, "slice", {})
    taken = sum(
        not (isinstance(item, Constant) and item.value in (None, ...)) for item in map(inference.resolve, items)
    )
    missing = max((source.rank or 0) - taken, 0)
    dots = False
    for item in map(inference.resolve, items):
        if isinstance(item, Operation) and item.name == "slice":
            keys.append(item)
        elif isinstance(item, Constant) and item.value is None:
            keys.append(None)
        elif isinstance(item, Constant) and item.value is ... and source.rank is not None and not dots:
            keys.extend([full] * missing)
            dots = True
        elif isinstance(item, Constant) and isinstance(item.value, int) and not isinstance(item.value, bool):
            keys.append(item.value)
        else:
            return None
    if source.rank is not None and taken > source.rank:
        return None
    return keys if dots else keys + [full] * missing


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
    return Count.of(Size(node.identity, dim, f"{short(node)}.size({dim})"))


@reads(T.SHAPE)
def shape(inference: Inference, node: Operation) -> Facts:
    """``x.shape``, ``x.size()`` and ``x.size(0)``."""
    source = inference.argument(node, "input")
    if "dim" not in node.arguments:
        return Facts(sizes=source)
    dim = inference.integer(node, "dim")
    return NOTHING if dim is None else Facts(count=source.size(dim))


@reads(T.LENGTH)
def length(inference: Inference, node: Operation) -> Facts:
    """``len(x)`` is ``x.size(0)``."""
    return Facts(count=inference.argument(node, "input").size(0))


@reads(T.NUMEL)
def numel(inference: Inference, node: Operation) -> Facts:
    """``x.numel()``."""
    return Facts(count=inference.argument(node, "input").numel)
