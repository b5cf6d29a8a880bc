"""What an answer rests on beside the file that it is about."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Dependencies:
    """What a result rests on: what stands at paths (``file``, ``directory``, or nothing), and the digests of the files that were read."""

    kinds: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, others: Dependencies) -> None:
        """Rest on what others rest on as well."""
        self.kinds |= others.kinds
        self.digests |= others.digests
