"""The worlds in which a site is read: which conditions are behind it, and what each of them may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from klint.graph.nodes import Choice, Node
from klint.torch_model.evidence import Evidence, tested_rank
from klint.torch_model.infer import Inference
from klint.torch_model.worlds import Worlds

WORLDS = 4
"""How many free conditions are told apart at one site; further ones are joined."""

REACH = 3_000
"""How many nodes behind a site are searched for conditions."""

Path = tuple[tuple[Node, bool], ...]
"""Conditions that hold, or that do not, where a call is reached."""


@dataclass(frozen=True)
class Conditions:
    """The conditions of a site: ``fixed`` ones hold or not, by their identity; ``free`` ones may do either.

    ``composite`` are conditions on the path that are themselves chosen: a world in which they are otherwise than they must be is none.
    """

    fixed: Mapping[int, tuple[Node, bool]]
    free: tuple[Node, ...]
    composite: tuple[tuple[Node, bool], ...]


class Reader:
    """Reads the sites of one graph in all their worlds. Sites of equal worlds share their reading."""

    def __init__(self, evidence: Mapping[int, tuple[Evidence, ...]]) -> None:
        self.worlds = Worlds(evidence)
        self._inferences: dict[tuple[tuple[int, bool], ...], Inference] = {}

    def read(self, conditions: Conditions) -> Iterator[Inference]:
        """The readings of a site: in each world, one after the other."""
        for truths in product((True, False), repeat=len(conditions.free)):
            tried = zip(conditions.free, truths, strict=True)
            inference = self._inference({**conditions.fixed, **{node.identity: (node, holds) for node, holds in tried}})
            if all(inference.truth(condition) in (holds, None) for condition, holds in conditions.composite):
                yield inference

    def _inference(self, world: dict[int, tuple[Node, bool]]) -> Inference:
        key = tuple(sorted((identity, holds) for identity, (_, holds) in world.items()))
        inference = self._inferences.get(key)
        if inference is None:
            inference = self._inferences[key] = Inference(dict(key), self.worlds)
            inference.assume(world)
        return inference

    def conditions(self, nodes: Iterable[Node], path: Path) -> Conditions:
        """What is fixed at a site, as it is on its path, and what is free behind it."""
        conditions, identities = conditions_behind(nodes)
        fixed: dict[int, tuple[Node, bool]] = {}
        composite: list[tuple[Node, bool]] = []
        on_path = {condition.identity for condition, _ in path}
        evidence = self.worlds.evidence
        identities |= {
            condition.identity
            for identity in identities & evidence.keys()
            for said in evidence[identity]
            for condition, _ in said.path
        }
        for condition, holds in path:
            subjects = {operand.identity for operand in condition.operands()}
            subjects |= set((tested_rank(condition) or ())[:1])
            if isinstance(condition, Choice):
                behind, _ = conditions_behind((condition,))
                if behind.keys() & (conditions.keys() | on_path):
                    composite.append((condition, holds))
                    conditions |= behind
                    fixed |= {c.identity: (c, truth) for c, truth in path if c.identity in behind}
            elif condition.identity in conditions or condition.identity in identities or subjects & identities:
                fixed[condition.identity] = (condition, holds)
        free = [node for identity, node in conditions.items() if identity not in fixed]
        return Conditions(fixed, tuple(free[:WORLDS]), tuple(composite))


def conditions_behind(nodes: Iterable[Node]) -> tuple[dict[int, Node], set[int]]:
    """The conditions of all choices behind some nodes, and the identities of everything behind them."""
    conditions: dict[int, Node] = {}
    seen: set[int] = set()
    identities: set[int] = set()
    queue = list(nodes)
    while queue and len(seen) < REACH:
        node = queue.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        identities.add(node.identity)
        if isinstance(node, Choice):
            if isinstance(node.condition, Choice):  # a flag that is itself chosen: what it hangs on counts
                queue.append(node.condition)
            else:
                conditions.setdefault(node.condition.identity, node.condition)
            queue.extend((node.then, node.otherwise))
        else:
            queue.extend(node.operands())
    return conditions, identities
