"""What the readings of one graph in different worlds have in common.

A world decides some conditions, and most of a graph hangs on none of them: what is known of a node is the same in all worlds that agree on the
conditions which something behind the node asks about. It is found once for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from klint.graph.nodes import Choice, Node
from klint.torch_model.evidence import Evidence
from klint.torch_model.facts import Facts

Key = int | tuple[int, int, int]
"""A node by its ``id``, with what a world decides of the conditions behind it: which of them, and which of those hold."""


@dataclass(eq=False)
class Worlds:
    """The worlds of one graph: ``evidence`` are the ranks that the code shows tensors to have, ``facts`` what any world found out.

    Each condition has a bit. ``_says`` holds, by identity, the bits of the conditions that say something of a value; ``_asks``, by
    ``id``, those of the conditions that may matter to what is known of a node, and so of all that say something of what is behind it.
    """

    evidence: Mapping[int, tuple[Evidence, ...]] = field(default_factory=dict)
    facts: dict[Key, Facts] = field(default_factory=dict)
    _bits: dict[int, int] = field(default_factory=dict)
    _says: dict[int, int] = field(default_factory=dict)
    _asks: dict[int, int] = field(default_factory=dict)
    _asked: set[int] = field(default_factory=set)
    _nodes: list[Node] = field(default_factory=list)

    def decided(self, choices: Mapping[int, bool]) -> tuple[int, int]:
        """The bits of the conditions that a world decides, given by identity, and of those that hold in it."""
        bits = {self._bit(identity): holds for identity, holds in choices.items()}
        return sum(bits), sum(bit for bit, holds in bits.items() if holds)

    def says(self, condition: int, value: int) -> None:
        """Note that a condition, once it is decided, says something of a value; both by their identity."""
        bit = self._bit(condition)
        if not self._says.get(value, 0) & bit:
            self._note(value, bit)

    def key(self, node: Node, decided: int, holding: int) -> Key:
        """Under which the facts of a node are kept for a world: equal in worlds that agree on all that matters to it."""
        asks = self._asks.get(id(node))
        if asks is None:
            asks = self._find(node)
        asks &= decided
        return (id(node), asks, asks & holding) if asks else id(node)

    def _bit(self, condition: int) -> int:
        bit = self._bits.get(condition)
        if bit is None:
            bit = self._bits[condition] = 1 << len(self._bits)
            self._note(condition, bit)
        return bit

    def _note(self, value: int, bit: int) -> None:
        self._says[value] = self._says.get(value, 0) | bit
        if value in self._asked:  # what was found before stays true of the worlds that do not decide the condition
            self._asks.clear()
            self._asked.clear()

    def _find(self, node: Node) -> int:
        """The bits of all conditions behind a node, operands first. The nodes are kept, so that no other one ever has their ``id``."""
        stack = [node]
        while stack:
            top = stack[-1]
            if isinstance(top, Choice):
                self._bit(top.condition.identity)
            for said in self.evidence.get(top.identity, ()):
                for condition, _ in said.path:
                    self.says(condition.identity, top.identity)
            missing = [operand for operand in top.operands() if id(operand) not in self._asks]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            if id(top) not in self._asks:
                asks = self._says.get(top.identity, 0)
                for operand in top.operands():
                    asks |= self._asks[id(operand)]
                self._asks[id(top)] = asks
                self._asked.add(top.identity)
                self._nodes.append(top)
        return self._asks[id(node)]
