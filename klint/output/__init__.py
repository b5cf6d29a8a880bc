"""What a report looks like: one file a format, each a function from the report to the text of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from klint.output import concise, json, text

if TYPE_CHECKING:
    from klint.linter import Report

FORMATS: dict[str, Callable[[Report], str]] = {
    "full": text.render,
    "concise": concise.render,
    "json": json.render,
}
TEXT_FORMATS = ("full", "concise")
