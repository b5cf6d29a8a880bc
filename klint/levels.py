"""How bad, how sure, how safe to mend: the levels of findings, apart from them, since settings name levels in runs that find nothing."""

from __future__ import annotations

from enum import Enum


class Severity(str, Enum):
    """How bad the consequence is: ``error`` (the value is not the loss), ``warning`` (wrong scale, or a trap), ``note``."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Confidence(str, Enum):
    """What a finding rests on: the data flow (``proven``), or a name such as a parameter called ``logits`` (``likely``)."""

    PROVEN = "proven"
    LIKELY = "likely"


class Applicability(str, Enum):
    """Whether a fix keeps the value (``safe``) or changes the training signal (``unsafe``)."""

    SAFE = "safe"
    UNSAFE = "unsafe"
