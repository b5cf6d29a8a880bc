"""The attributes of all objects, with a journal: a branch costs what it writes, not what there is."""

from __future__ import annotations

from dataclasses import dataclass, field

from klint.graph.nodes import Node

Key = tuple[int, str]
"""The identity of an object, and the name of one of its attributes."""


@dataclass(eq=False)
class Heap:
    """What attributes hold. ``mark`` and ``rewind`` bracket a branch."""

    _values: dict[Key, Node] = field(default_factory=dict)
    _journal: list[tuple[Key, Node | None]] = field(default_factory=list)
    _held: set[int] = field(default_factory=set)

    def get(self, key: Key) -> Node | None:
        """What an attribute holds, if it was set."""
        return self._values.get(key)

    def set(self, key: Key, value: Node) -> None:
        """Set an attribute."""
        self._journal.append((key, self._values.get(key)))
        self._values[key] = value
        self._held.add(id(value))

    def keep(self, key: Key, value: Node) -> None:
        """Let an attribute hold what it has held all the time, unless it was set since: no branch takes that back."""
        if key not in self._values:
            self._values[key] = value
            self._held.add(id(value))

    def replace(self, old: Node, new: Node) -> None:
        """Let every attribute that holds ``old`` hold ``new``."""
        if id(old) in self._held:
            for key in [key for key, value in self._values.items() if value is old]:
                self.set(key, new)

    def mark(self) -> int:
        """The present, to come back to."""
        return len(self._journal)

    def rewind(self, mark: int) -> dict[Key, Node]:
        """Undo all that was set since a mark; returns what it was set to."""
        changes = {key: self._values[key] for key, _ in self._journal[mark:]}
        while len(self._journal) > mark:
            key, old = self._journal.pop()
            if old is None:
                del self._values[key]
            else:
                self._values[key] = old
        return changes
