"""Several findings at one call: each is judged with the mistakes that the others report already mended.

Otherwise one mistake hides another: with a target that gives NaN, no ratio can be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from klint.graph.nodes import Constant, Node, Operation
from klint.rules.claims import Claim, Effect
from klint.torch_model.losses import LOSSES

_TENSORS = ("input", "target")
_MENDED_SLOTS = (*_TENSORS, "log_target")
"""The slots that say what the numbers mean. How they are reduced is left as it is: each claim names its own divisor."""

_HIDES_NOTHING = (Effect.UNDERFLOW, Effect.SAME, Effect.LEAK)
"""Mistakes under which the value is right, or nearly so."""

_ABOUT_MORE = (Effect.RAISES, Effect.FLAT, Effect.LEAK)
"""Claims that depend on the shapes of all tensors, or on where they come from."""

_SEARCHED = 3_000
"""How many nodes behind a value are searched for its loss."""

Arguments = dict[str, Node]
Place = tuple[int, ...]
"""A loss call as it is written: a claim may stand on a copy of it that is reduced otherwise."""


@dataclass(frozen=True)
class Mending:
    """Calls to be replaced, by the ``id`` of their node, and the codes of the findings that asked for it.

    ``left`` are the codes of the mistakes at the call that stay as they are, since the claim itself is about what they would change.
    """

    calls: Mapping[int, Operation] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def accompanied(self) -> bool:
        """Whether the claim's is not the only mistake of the call."""
        return bool(self.codes or self.left)


Groups = Mapping[Place, Sequence[tuple[str, Claim]]]
"""Claims, each with its code, by the loss call that they are about."""


def mend_others(claim: Claim, groups: Groups) -> Mending:
    """What to replace in the graphs of ``claim``, given all claims of the run.

    A tensor that the claim itself is about stays as it is written, and so does everything where no fixed code says which that is.
    """
    call, fixed = _loss_call(claim.as_written), _loss_call(claim.fixed)
    if call is None or fixed is None or call.name != fixed.name:
        return Mending()
    mistakes = list(_mistakes(claim, groups))
    own = _changes(call, fixed)
    own_tensors = {id(call.arguments[slot]) for slot in own if slot in call.arguments and not _is_swap(call, own)}
    sides = (dict(call.arguments), dict(fixed.arguments))
    codes: list[str] = []
    left: list[str] = []
    seen: set[str] = set()
    for code, changes in sorted(mistakes, key=lambda mistake: not _is_swap(call, mistake[1])):
        if _is_swap(call, changes):
            free = not _is_swap(call, own) and "log_target" not in own
            applied = free and not seen
            for side in sides if applied else ():
                flags = {slot: node for slot, node in changes.items() if slot not in _TENSORS}
                side.update({"input": side["target"], "target": side["input"], **flags})
        else:
            about = {id(call.arguments[slot]) for slot in changes if slot in call.arguments}
            applied = not (about & own_tensors or changes.keys() - set(_TENSORS) & own.keys() or changes.keys() & seen)
            for side in sides if applied else ():
                _change(side, call, changes)
        seen |= changes.keys() if applied else set()
        (codes if applied else left).append(code)
    calls = {id(node): replace(node, arguments=side) for node, side in zip((call, fixed), sides, strict=True)}
    return Mending(calls if codes else {}, tuple(dict.fromkeys(codes)), tuple(dict.fromkeys(left)))


def _mistakes(claim: Claim, groups: Groups) -> Iterator[tuple[str, Arguments]]:
    """The other mistakes of a claim's call, by code: those found in its own world, whether or not they are reported, and all others."""
    place = _place_of(claim)
    seen = {id(claim.fixed)}
    for code, other in (*claim.beside, *groups.get(place or (), ())):
        if id(other.fixed) not in seen and _place_of(other) == place and other.effect not in _HIDES_NOTHING:
            changes = _changes_of(other)
            if changes:
                seen.add(id(other.fixed))
                yield code, changes


def take_as_right(claim: Claim) -> dict[str, Node]:
    """The tensors of the call, by slot, that the claim is not about: those that its fix leaves alone.

    None are where that is not known, or where the claim is about what happens behind the call.
    """
    call, fixed = _loss_call(claim.as_written), _loss_call(claim.fixed)
    if call is None or fixed is None or call.name != fixed.name or claim.effect in _ABOUT_MORE:
        return {}
    own = _changes(call, fixed).keys()
    about = own | ({"target"} if "log_target" in own else set())
    return {slot: call.arguments[slot] for slot in _TENSORS if slot in call.arguments and slot not in about}


def group_by_call(claims: Iterable[tuple[str, Claim]]) -> Groups:
    """Group claims by the loss call that they are about."""
    groups: dict[Place, list[tuple[str, Claim]]] = {}
    for code, claim in claims:
        place = _place_of(claim)
        if place is not None:
            groups.setdefault(place, []).append((code, claim))
    return groups


def find_loss(value: Node) -> Operation | None:
    """The loss call nearest behind a value, wherever it stands in it."""
    queue: list[Node] = [value]
    seen: set[int] = set()
    for node in queue:
        if isinstance(node, Operation) and node.name in LOSSES:
            return node
        if id(node) not in seen and len(seen) < _SEARCHED:
            seen.add(id(node))
            queue.extend(node.operands())
    return None


def _place_of(claim: Claim) -> Place | None:
    call = _loss_call(claim.as_written)
    return None if call is None else _place(call)


def _place(call: Operation) -> Place:
    return (id(call.anchor.tree), *(id(call.arguments.get(slot)) for slot in _TENSORS))


def _loss_call(value: Node | None) -> Operation | None:
    """The loss call that a value is a reduction or a multiple of."""
    found = value
    while isinstance(found, Operation) and found.name not in LOSSES:
        found = found.arguments.get("input")
    return found if isinstance(found, Operation) else None


def _changes_of(claim: Claim) -> Arguments:
    call, fixed = _loss_call(claim.as_written), _loss_call(claim.fixed)
    return {} if call is None or fixed is None or call.name != fixed.name else _changes(call, fixed)


def _changes(call: Operation, fixed: Operation) -> Arguments:
    """The slots that the fixed call fills otherwise; a flag that it leaves out is off there."""
    changes = {
        slot: node
        for slot, node in fixed.arguments.items()
        if slot in _MENDED_SLOTS and node is not call.arguments.get(slot)
    }
    if "log_target" in call.arguments and "log_target" not in fixed.arguments:
        changes["log_target"] = Constant(call.anchor, -1, False)
    return changes


def _is_swap(call: Operation, changes: Arguments) -> bool:
    """Whether the tensors change places."""
    given = [call.arguments.get(slot) for slot in _TENSORS]
    return [changes.get(slot) for slot in reversed(_TENSORS)] == given


def _change(side: Arguments, call: Operation, changes: Arguments) -> None:
    """Put what a fix makes of a tensor wherever that tensor stands by now."""
    before = dict(side)
    for slot, new in changes.items():
        old = call.arguments.get(slot) if slot in _TENSORS else None
        for other in _TENSORS if old is not None else ():
            if before.get(other) is old:
                side[other] = new
        if old is None:
            side[slot] = new
