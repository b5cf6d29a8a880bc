"""The reading of a graph with a reader for every kind of operation: who makes an ``Inference`` takes it from here."""

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
from klint.torch_model.infer import Inference

__all__ = [
    "Inference",
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
