"""Several findings at one call: each is judged with the mistakes that the others report already mended.

Otherwise one mistake hides another: with a target that gives NaN, no ratio can be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from klint.graph.nodes import Node, Operation
from klint.rules.claims import Claim, Effect

_MENDED_SLOTS = ("input", "target", "log_target")
"""The slots that say what the numbers mean. How they are reduced is left as it is: each claim names its own divisor."""


@dataclass(frozen=True)
class Mending:
    """Calls to be replaced, by the ``id`` of their node, and the codes of the findings that asked for it."""

    calls: Mapping[int, Operation] = field(default_factory=dict)
    codes: tuple[str, ...] = ()


Groups = Mapping[int, Sequence[tuple[str, Claim]]]
"""Claims, each with its code, by the ``id`` of the loss call that they are about."""


def mend_others(claim: Claim, groups: Groups) -> Mending:
    """What to replace in the graphs of ``claim``, given all claims of the run.

    A slot that the claim itself is about stays as it is written.
    """
    call, fixed = loss_call(claim, claim.as_written), loss_call(claim, claim.fixed)
    if call is None or fixed is None:
        return Mending()
    own = _changes(call, fixed)
    mended: dict[str, Node] = {}
    codes: list[str] = []
    for code, other in groups.get(id(call), ()):
        if other is claim or other.effect is Effect.UNDERFLOW:  # which hides nothing: the value is nearly right
            continue
        other_fixed = loss_call(other, other.fixed)
        changes = {} if other_fixed is None else _changes(call, other_fixed)
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
        call = loss_call(claim, claim.as_written)
        if call is not None:
            groups.setdefault(id(call), []).append((code, claim))
    return groups


def loss_call(claim: Claim, node: Node) -> Operation | None:
    """The call of the claim's loss that a value is a reduction or a multiple of."""
    found: Node | None = node
    while isinstance(found, Operation) and found.name != claim.expected.loss:
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
