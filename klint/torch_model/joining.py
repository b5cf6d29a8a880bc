"""Joining tensors, parting them, and the pairs that ``max`` and its kin return."""

from __future__ import annotations

from klint.graph.nodes import Choice, Constant, Items, Node, Operation, Sequence
from klint.torch_model.count import Count
from klint.torch_model.creation import like, new_size, reduced
from klint.torch_model.facts import Facts, Shape, Space, replace
from klint.torch_model.infer import Inference, join, reads, short, unread
from klint.torch_model.products import weakest
from klint.torch_model.table import Transfer

T = Transfer

_LOGS = {Space.ELEMENTWISE: Space.PROBABILITIES, Space.LOG_ELEMENTWISE: Space.LOG_PROBABILITIES}


@reads(T.JOIN)
def join_tensors(inference: Inference, node: Operation) -> Facts:
    """``cat`` and ``stack``: scores of scores; distributions stay whole unless they are joined along their own dim."""
    tensors = inference.value(node, "tensors")
    if isinstance(tensors, Choice):
        return _join_either(inference, node, tensors)
    nodes = tensors.items if isinstance(tensors, Sequence) else ()
    nodes = (tensors.item,) if isinstance(tensors, Items) else nodes  # of so many parts one stands for all
    parts = [inference.facts(part) for part in nodes]
    result = unread(inference, node)
    dim = inference.integer(node, "dim") if "dim" in node.arguments else 0
    if not parts or dim is None:
        return result
    shape = _joined_shape(node, dim, [part.shape for part in parts])
    if shape is not None and isinstance(tensors, Items):
        place = dim % shape.rank
        shape = Shape((*shape.sizes[:place], new_size(node, dim), *shape.sizes[place + 1 :]))
    result = replace(result, shape=shape, min_rank=min(part.min_rank for part in parts) + (node.name == "stack"))
    known = {part.space for part in parts} - {Space.UNKNOWN}
    if node.name == "stack" and len(known) == 1 and _are_complements(inference, nodes, next(iter(known))):
        return replace(result, space=_LOGS[known.pop()], dim=dim, made_by=node)
    if len({part.space for part in parts}) != 1:
        return result
    first = parts[0]
    if first.space in (Space.SCORES, Space.INDICES):
        confidence = weakest(parts)
        return replace(result, space=first.space, made_by=node, confidence=confidence, integer=first.integer)
    moved = _dim_after(node, dim, parts) if first.is_distribution else None
    if moved is None:
        return result
    return replace(result, space=first.space, dim=moved, made_by=first.made_by, confidence=weakest(parts))


def _join_either(inference: Inference, node: Operation, tensors: Choice) -> Facts:
    """What either of two lists is joined to; torch refuses an empty one."""
    sides = [inference.resolve(side) for side in (tensors.then, tensors.otherwise)]
    filled = [side for side in sides if not isinstance(side, Sequence) or side.items]
    read = [join_tensors(inference, replace(node, arguments={**node.arguments, "tensors": side})) for side in filled]
    return join(read[0], read[-1], node) if read else unread(inference, node)


def _joined_shape(node: Operation, dim: int, shapes: list[Shape | None]) -> Shape | None:
    """The shape of tensors that are joined along ``dim``, or stacked along a new one."""
    first = shapes[0]
    ranks = {None if shape is None else shape.rank for shape in shapes}
    if first is None or len(ranks) != 1:
        return None
    if node.name == "stack":
        if not -first.rank - 1 <= dim <= first.rank:
            return None
        sizes = list(first.sizes)
        sizes.insert(dim % (first.rank + 1), Count.number(len(shapes)))
        return Shape(tuple(sizes))
    place = first.dim(dim)
    if place is None or not first.sizes:
        return None
    along = [shape.sizes[place] for shape in shapes if shape is not None]
    total = new_size(node, place)
    if len(set(along)) == 1:
        total = along[0] * Count.number(len(along))
    elif all(size.is_number for size in along):
        total = Count(sum((size.factor for size in along), start=along[0].factor * 0))
    return Shape((*first.sizes[:place], total, *first.sizes[place + 1 :]))


def _are_complements(inference: Inference, nodes: tuple[Node, ...], space: Space) -> bool:
    """Whether two tensors are s and 1 - s, or logsigmoid(x) and logsigmoid(-x)."""
    if space not in _LOGS or len(nodes) != 2:
        return False
    left, right = (inference.resolve(node) for node in nodes)
    if space is Space.ELEMENTWISE:
        return _is_rest(inference, left, right) or _is_rest(inference, right, left)
    if not (isinstance(left, Operation) and isinstance(right, Operation) and left.name == right.name == "logsigmoid"):
        return False
    left, right = (inference.resolve(node.arguments["input"]) for node in (left, right))
    return _is_negative(inference, left, right) or _is_negative(inference, right, left)


def _is_rest(inference: Inference, one: Node, other: Node) -> bool:
    """Whether ``other`` is ``1 - one``."""
    if not isinstance(other, Operation) or other.name != "sub" or other.arguments.keys() != {"input", "other"}:
        return False
    start, taken = inference.value(other, "input"), inference.value(other, "other")
    is_one = isinstance(start, Constant) and start.value == 1
    return is_one and taken is not None and taken.identity == one.identity


def _is_negative(inference: Inference, one: Node, other: Node) -> bool:
    """Whether ``other`` is ``-one``."""
    if not isinstance(other, Operation) or other.name != "neg":
        return False
    taken = inference.value(other, "input")
    return taken is not None and taken.identity == one.identity


def _dim_after(node: Operation, dim: int, parts: list[Facts]) -> int | None:
    """The dim, from the right where that is known, that joined distributions are still over; None where it is not known, or they broke."""
    rights = {part.dim_from_right(part.dim) for part in parts}
    ranks = {part.rank for part in parts}
    right = rights.pop() if len(rights) == 1 else None
    rank = ranks.pop() if len(ranks) == 1 else None
    if right is not None and right >= 0 and node.name == "stack" and dim == 0:
        return right + 1  # a new first dim pushes the others right
    if right is None or right >= 0:
        return None
    if node.name == "stack":
        if dim == 0:
            return right
        if dim == -1:
            return right - 1  # a new last dim pushes the others left
        if rank is None:
            return None
        return right if dim % (rank + 1) <= rank + right else right - 1
    along = dim if dim < 0 else None if rank is None else dim - rank
    if along is None and dim == 0 and min(part.min_rank for part in parts) > -right:
        return right  # the first dim is not the one that is normalised over
    return None if along is None or along == right else right


@reads(T.SPLIT)
def split(inference: Inference, node: Operation) -> Facts:
    """A tuple of parts: the facts of any of them, which ``part`` hands out."""
    source = inference.argument(node, "input")
    dim = inference.integer(node, "dim") if "dim" in node.arguments else 0
    result = replace(unread(inference, node), integer=source.integer)
    if not source.is_distribution:
        confidence = source.confidence
        return replace(result, space=source.space, made_by=source.made_by, confidence=confidence)
    if dim is None or not source.differs(dim):
        return result
    own = source.dim_from_right(source.dim)
    kept = own if own is not None and own < 0 else source.dim
    if node.name == "unbind" and kept is not None:
        if (kept < 0) != (dim < 0) and not (kept < 0 and dim == 0):
            return result
        kept += int(kept < dim < 0) - int(0 <= dim < kept)
    return replace(result, space=source.space, dim=kept, made_by=source.made_by, confidence=source.confidence)


def part(inference: Inference, maker: Operation, parts: Facts, node: Operation) -> Facts:
    """One part of a split tensor, with its shape."""
    source = inference.argument(maker, "input")
    result = replace(parts, values=node.identity, root=node.identity, name=short(node))
    dim = inference.integer(maker, "dim") if "dim" in maker.arguments else 0
    place = None if dim is None or source.shape is None else source.shape.dim(dim)
    if source.shape is None or place is None or not source.shape.sizes:
        return result
    before, size, after = source.shape.sizes[:place], source.shape.sizes[place], source.shape.sizes[place + 1 :]
    if maker.name == "unbind":
        return replace(result, shape=Shape((*before, *after)))
    return replace(result, shape=Shape((*before, _part_size(inference, maker, size, node, place), *after)))


def _part_size(inference: Inference, maker: Operation, size: Count, node: Operation, place: int) -> Count:
    """The size of a part along the dim that was split: known where all parts are equal."""
    given = inference.integer(maker, "chunks" if maker.name == "chunk" else "split_size")
    if given is None or size.value is None or given < 1 or size.value % given:
        return new_size(node, place)
    return Count.number(size.value // given if maker.name == "chunk" else given)


@reads(T.EXTREME)
def extreme(inference: Inference, node: Operation) -> Facts:
    """``max`` and its kin. Over a dim it is a pair: of scores, scores; and the places that they stood at."""
    source = inference.argument(node, "input")
    space = source.space if source.space in (Space.SCORES, Space.INDICES) else Space.UNKNOWN
    values = replace(unread(inference, node), space=space, made_by=node, confidence=source.confidence)
    if node.name in ("sort", "topk"):
        if node.name == "sort":
            values = replace(like(source, node, space), made_by=node, confidence=source.confidence)
            if source.is_distribution:
                values = replace(values, space=source.space, dim=source.dim, made_by=source.made_by)
        else:
            values = replace(values, shape=_top_shape(inference, node, source))
    elif inference.integer(node, "dim") is None:
        return replace(values, shape=None if node.arguments.keys() - {"input"} else Shape(()))
    else:
        values = replace(values, shape=reduced(inference, node, source))
    places = Facts(space=Space.INDICES, integer=True, made_by=node, shape=values.shape, root=node.identity)
    return replace(values, items=(replace(values, items=None), replace(places, values=node.identity)))


def _top_shape(inference: Inference, node: Operation, source: Facts) -> Shape | None:
    count = inference.argument(node, "k").count
    dim = inference.integer(node, "dim") if "dim" in node.arguments else -1
    place = None if source.shape is None or dim is None else source.shape.dim(dim)
    if source.shape is None or place is None or not source.shape.sizes:
        return None
    sizes = list(source.shape.sizes)
    sizes[place] = count or new_size(node, place)
    return Shape(tuple(sizes))
