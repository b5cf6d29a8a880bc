"""All idioms, in the order in which docs/architecture.md lists them."""

from __future__ import annotations

from tests.graph.idioms import Idiom
from tests.graph.idioms.classes import CLASSES
from tests.graph.idioms.divisors import DIVISORS
from tests.graph.idioms.flow import FLOW
from tests.graph.idioms.functions import FILES, FUNCTIONS
from tests.graph.idioms.imports import IMPORTS
from tests.graph.idioms.names import NAMES
from tests.graph.idioms.operations import (
    ACTIVATIONS,
    BUILT,
    IN_PLACE,
    KEEPING,
    LAYERS,
    MIXING,
    NORMALISING,
    OPTIONS,
    SHAPING,
)
from tests.graph.idioms.shapes import SHAPES

TOPICS: dict[str, dict[str, Idiom]] = {
    "imports": IMPORTS,
    "names": NAMES,
    "flow": FLOW,
    "classes": CLASSES,
    "functions": FUNCTIONS,
    "files": FILES,
    "options of the loss": OPTIONS,
    "normalising": NORMALISING,
    "same numbers": KEEPING,
    "shaping": SHAPING,
    "arithmetic": MIXING,
    "built tensors": BUILT,
    "in place": IN_PLACE,
    "layers": LAYERS,
    "activations": ACTIVATIONS,
    "ranks": SHAPES,
    "divisors": DIVISORS,
}
BARE = ("imports", "files")
"""The topics whose programs bring their own imports."""


NOT_FOLLOWED: dict[str, str] = {
    "classes: namedtuple": "a class that is made by a call",
    "functions: helper that calls itself": "a function inside itself is not walked again",
    "functions: two helpers that call each other": "the same",
    "normalising: division by a sum that is unsqueezed": "the sum and what it divides are not matched through a view",
    "normalising: division by a sum at [:, None]": "the same",
    "normalising: minus the log of the sum of exp": "the normaliser written out",
    "arithmetic: sum of distributions over their count": "a sum over a stack of distributions",
    "arithmetic: label smoothing by arithmetic": "the smoothing adds a number that depends on the class count",
    "built tensors: F.one_hot smoothed": "the same",
    "built tensors: ones over the class count": "a constant over a size",
    "ranks: made batched if it is not": "the rank of a choice",
    "ranks: unsqueeze of rows": "the rank of a row of a tensor of unknown rank",
    "ranks: stack of rows": "the same",
    "divisors: sum over the rows in a loop": "a sum over a generator",
}
"""Idioms that klint does not follow yet, and why: their wrong program is missed. The list may only shrink."""


def table() -> str:
    """The idioms as a Markdown table: a row a topic."""
    rows = ["| topic | idioms |", "|---|---|"]
    for topic, idioms in TOPICS.items():
        followed = [name.replace("|", "\\|") for name in idioms if f"{topic}: {name}" not in NOT_FOLLOWED]
        rows.append(f"| {topic} | {'; '.join(followed)} |")
    return "\n".join(rows) + "\n"
