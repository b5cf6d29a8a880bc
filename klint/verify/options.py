"""What the user may choose about a run of ``klint verify``."""

from __future__ import annotations

from dataclasses import dataclass

from klint.config import DEVICES, DTYPES
from klint.verify.errors import VerifyError


@dataclass(frozen=True)
class VerifyOptions:
    """How findings are replayed.

    ``device``: ``auto`` and ``all`` use every device that is there, ``cuda`` insists on a GPU. ``dtypes``: of the tensors that are
    made up; none means float64, and float32 for claims about underflow. Tensors that the code spells out keep the
    dtype they have there. ``classes`` and ``batch`` are the sizes of made-up tensors, ``timeout`` the seconds that one
    finding may take, ``memory`` the bytes that the worker may allocate.
    """

    device: str = "auto"
    seed: int = 0
    timeout: float = 60.0
    classes: tuple[int, ...] = (10,)
    batch: int = 7
    dtypes: tuple[str, ...] = ()
    memory: int = 4 * 2**30

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.device not in DEVICES:
            raise VerifyError(f"unknown device {self.device!r}: choose one of {', '.join(DEVICES)}")
        for dtype in self.dtypes:
            if dtype not in DTYPES:
                raise VerifyError(f"unknown dtype {dtype!r}: choose from {', '.join(DTYPES)}")
        if not self.classes or min(self.classes) < 2:
            raise VerifyError("classes must be 2 or more: a distribution over one class says nothing")
        if self.batch < 1:
            raise VerifyError("batch must be 1 or more")
        if not self.timeout > 0:
            raise VerifyError("timeout must be more than 0 seconds")
