"""klint finds misuse of PyTorch's probabilistic losses without running the code, and proves each finding in torch."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from klint.finding import Finding
    from klint.linter import Report, lint_paths, lint_source
    from klint.verify import verify_paths

__version__ = "0.1.0"
__all__ = ["Finding", "Report", "__version__", "lint_paths", "lint_source", "verify_paths"]

_HOMES = {
    "Finding": "klint.finding",
    "Report": "klint.linter",
    "lint_paths": "klint.linter",
    "lint_source": "klint.linter",
    "verify_paths": "klint.verify",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that ``import klint`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
