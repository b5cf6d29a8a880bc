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
