"""What torch means, as tables; and the reading of a graph in these terms."""

from klint.torch_model import (
    arithmetic,
    creation,
    joining,
    loss_calls,
    mixtures,
    picking,
    products,
    shapes,
    spaces,
    terms,
)

__all__ = [
    "arithmetic",
    "creation",
    "joining",
    "loss_calls",
    "mixtures",
    "picking",
    "products",
    "shapes",
    "spaces",
    "terms",
]
