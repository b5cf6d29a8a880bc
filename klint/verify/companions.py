"""Several findings at one call: each is judged with the mistakes that the others report already mended.

Otherwise one mistake hides another: with a target that gives NaN, no ratio can be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from klint.graph.nodes import Node, Operation
from klint.rules.claims import Claim, Effect
from klint.torch_model.losses import LOSSES

_MENDED_SLOTS = ("input", "target", "log_target")
"""The slots that say what the numbers mean. How they are reduced is left as it is: each claim names its own divisor."""

_HIDES_NOTHING = (Effect.UNDERFLOW, Effect.SAME, Effect.LEAK)
"""Mistakes under which the value is right, or nearly so."""

_SEARCHED = 3_000
"""How many nodes behind a value are searched for its loss."""


@dataclass(frozen=True)
class Mending:
    """Calls to be replaced, by the ``id`` of their node, and the codes of the findings that asked for it."""

    calls: Mapping[int, Operation] = field(default_factory=dict)
    codes: tuple[str, ...] = ()


Groups = Mapping[int, Sequence[tuple[str, Claim]]]
"""Claims, each with its code, by the ``id`` of the loss call that they are about."""


def mend_others(claim: Claim, groups: Groups) -> Mending:
    """What to replace in the graphs of ``claim``, given all claims of the run.

    A slot that the claim itself is about stays as it is written, and so does everything where no fixed code says which that is.
    """
    call, fixed = _loss_call(claim.as_written), _loss_call(claim.fixed)
    if call is None or fixed is None or call.name != fixed.name:
        return Mending()
    own = _changes(call, fixed)
    mended: dict[str, Node] = {}
    codes: list[str] = []
    for code, other in groups.get(id(call), ()):
        if other is claim or other.effect in _HIDES_NOTHING:
            continue
        other_fixed = _loss_call(other.fixed)
        changes = {} if other_fixed is None or other_fixed.name != call.name else _changes(call, other_fixed)
        new = {slot: node for slot, node in changes.items() if slot not in own and slot not in mended}
        if new:
            mended.update(new)
            codes.append(code)
    if not mended:
        return Mending()
    return Mending({id(node): _with(node, mended) for node in (call, fixed)}, tuple(codes))


def group_by_call(claims: Iterable[tuple[str, Claim]]) -> Groups:
    """Group claims by the loss call that they are about."""
    groups: dict[int, list[tuple[str, Claim]]] = {}
    for code, claim in claims:
        call = _loss_call(claim.as_written)
        if call is not None:
            groups.setdefault(id(call), []).append((code, claim))
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


def _loss_call(value: Node | None) -> Operation | None:
    """The loss call that a value is a reduction or a multiple of."""
    found = value
    while isinstance(found, Operation) and found.name not in LOSSES:
        found = found.arguments.get("input")
    return found if isinstance(found, Operation) else None


def _changes(call: Operation, fixed: Operation) -> dict[str, Node]:
    return {
        slot: node
        for slot, node in fixed.arguments.items()
        if slot in _MENDED_SLOTS and node is not call.arguments.get(slot)
    }


def _with(call: Operation, changes: Mapping[str, Node]) -> Operation:
    return replace(call, arguments={**call.arguments, **changes})
