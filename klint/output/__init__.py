"""What a report looks like: one file a format, each with a function ``render`` from the report to the text of it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from klint.linter import Report

_Format = Callable[["Report"], str]


def _format(module: str) -> _Format:
    """The format of a module here, which is imported when it is used: a run needs one of them, flake8 none."""

    def render(report: Report) -> str:
        return cast(str, import_module(f"klint.output.{module}").render(report))

    return render


FORMATS: dict[str, _Format] = {
    "full": _format("text"),
    "concise": _format("concise"),
    "json": _format("json"),
    "json-lines": _format("json_lines"),
    "sarif": _format("sarif"),
    "github": _format("github"),
    "gitlab": _format("gitlab"),
    "junit": _format("junit"),
}
TEXT_FORMATS = ("full", "concise")
COUNTED_FORMATS = ("full", "concise", "json")
"""Those in which ``--statistics`` come; to the others counts mean nothing."""
