"""How operations move dims: views, transposes, and the sizes that shapes give out."""

from __future__ import annotations

from klint.graph.nodes import Node, Operation
from klint.torch_model.count import ONE, Count
from klint.torch_model.creation import lists_sizes, new_size
from klint.torch_model.facts import NOTHING, Facts, Shape, Space, replace
from klint.torch_model.infer import Inference, reads
from klint.torch_model.table import Transfer

T = Transfer

Moved = tuple[list[Count], list["int | None"]]
"""The new sizes, and for each old dim where it went (None: gone, or merged with others)."""


_SHUFFLES = ("transpose", "t", "permute", "movedim", "expand", "expand_as", "broadcast_to")


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
    shuffled = node.name in _SHUFFLES
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
    if node.name in ("view", "reshape", "view_as"):
        return _viewed(source, result, wanted_sizes(inference, node), node)
    if node.name in ("flatten", "nn_flatten", "ravel"):
        return replace(result, shape=_flat(inference, node, source))
    if node.name in ("expand", "expand_as", "broadcast_to"):
        return _expanded(source, result, wanted_sizes(inference, node), node)
    return result


def wanted_sizes(inference: Inference, node: Operation) -> tuple[Count | None, ...] | None:
    """The sizes that a view asks for, each None where it is not known; None where even their number is not."""
    if node.name.endswith("_as"):
        shape = inference.argument(node, "other").shape
        return None if shape is None else shape.sizes
    written = node.arguments.get("shape")
    sizes = inference.counts(written)
    is_known = sizes is not None and (None not in sizes or lists_sizes(inference, written))
    return sizes if is_known and not node.open else None


def _viewed(source: Facts, result: Facts, sizes: tuple[Count | None, ...] | None, node: Operation) -> Facts:
    """A view of a tensor of unknown rank under sizes that are spelled out, at least in number."""
    if not sizes:
        return result
    last = source.size(-1)
    dim = -1 if source.dim == -1 and last is not None and sizes[-1] == last else None
    known = [size for size in sizes if size is not None and size.value != -1]
    rest = None
    if source.numel is not None and len(known) == len(sizes) - 1 and None not in sizes:
        rest = source.numel / Count.product(known)
    filled = (
        (rest or new_size(node, place)) if size is None or size.value == -1 else size
        for place, size in enumerate(sizes)
    )
    return replace(result, dim=dim, shape=Shape(tuple(filled)))


def _flat(inference: Inference, node: Operation, source: Facts) -> Shape | None:
    """The shape after the dims from ``start_dim`` on became one."""
    start, end = _ends(inference, node)
    if start is None or start < 0 or end != -1:
        return None
    ahead = [source.size(dim) for dim in range(start)]
    kept = [new_size(node, dim) if size is None else size for dim, size in enumerate(ahead)]
    rest = new_size(node, start) if source.numel is None or None in ahead else source.numel / Count.product(kept)
    return Shape((*kept, rest))


def _expanded(source: Facts, result: Facts, sizes: tuple[Count | None, ...] | None, node: Operation) -> Facts:
    """An expansion keeps dims that are counted from the right."""
    if sizes is None:
        return result
    filled = (new_size(node, place) if size is None or size.value == -1 else size for place, size in enumerate(sizes))
    dim = source.dim if source.dim is not None and source.dim < 0 else None
    return replace(result, shape=Shape(tuple(filled)), dim=dim)


def _ends(inference: Inference, node: Operation) -> tuple[int | None, int | None]:
    """The dims from which and up to which ``flatten`` makes one."""
    start = inference.integer(node, "start_dim") if "start_dim" in node.arguments else int(node.name == "nn_flatten")
    return start, inference.integer(node, "end_dim") if "end_dim" in node.arguments else -1


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
        return _flatten(*_ends(inference, node), shape)
    if node.name in ("view", "reshape", "view_as"):
        return _reshape(wanted_sizes(inference, node), shape, node)
    if node.name in ("expand", "expand_as", "broadcast_to"):
        return _expand(wanted_sizes(inference, node), sizes)
    if node.name in ("unflatten", "nn_unflatten"):
        return _unflatten(inference, node, shape)
    return None


def _unflatten(inference: Inference, node: Operation, shape: Shape) -> Moved | None:
    """One dim becomes several."""
    dim = inference.integer(node, "dim")
    place = None if dim is None else shape.dim(dim)
    sizes = inference.counts(node.arguments.get("sizes"))
    if place is None or sizes is None:
        return None
    old = shape.sizes[place]
    rest = old / Count.product(size for size in sizes if size is not None and size.value != -1)
    new = [rest if size is None or size.value == -1 else size for size in sizes]
    if None in sizes:
        new = [new_size(node, place + at) for at in range(len(sizes))]
    places = [at if at < place else None if at == place else at + len(new) - 1 for at in range(shape.rank)]
    return [*shape.sizes[:place], *new, *shape.sizes[place + 1 :]], places


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


def _reshape(sizes: tuple[Count | None, ...] | None, shape: Shape, node: Operation) -> Moved | None:
    """A dim stays what it is where the sizes from the left, or from the right, agree up to it."""
    if sizes is None:
        return None
    known = [new_size(node, place) if size is None else size for place, size in enumerate(sizes)]
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
