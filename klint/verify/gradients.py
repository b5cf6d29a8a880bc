"""Gradients of a value over the tensors that it comes from, and how two of them compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch

Gradient = Sequence[torch.Tensor | None]
"""One tensor for each source; None where none arrives there."""


def gradient(value: torch.Tensor | None, sources: Iterable[torch.Tensor]) -> Gradient | None:
    """The gradient of a value over some tensors; None if it has none."""
    tensors = list(sources)
    if value is None or not value.requires_grad or not tensors:
        return None
    found: Gradient = torch.autograd.grad(value, tensors, retain_graph=True, allow_unused=True)
    return found


def where_finite(gradients: Mapping[str, Gradient | None], reference: Gradient | None) -> dict[str, Gradient | None]:
    """Gradients over those sources alone where the reference is finite: at a probability of 0 even the right one is not."""
    if reference is None:
        return dict(gradients)
    kept = [part is None or bool(part.isfinite().all()) for part in reference]
    return {
        name: None if parts is None else [part if keep else None for part, keep in zip(parts, kept, strict=True)]
        for name, parts in gradients.items()
    }


def norm(parts: Gradient | None) -> float | None:
    """The norm over all sources; None if it reaches none of them."""
    reached = [part.double().norm() for part in parts or () if part is not None]
    return float(torch.stack(reached).norm()) if reached else None


def cosine(one: Gradient | None, other: Gradient | None) -> float | None:
    """The cosine of the angle between two gradients; None where either is missing, 0 or not finite."""
    lengths = (norm(one), norm(other))
    if one is None or other is None or not all(lengths):
        return None
    pairs = ((a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None)
    product = sum((float((a.double() * b.double()).sum()) for a, b in pairs), 0.0)
    length = (lengths[0] or 0.0) * (lengths[1] or 0.0)
    return max(-1.0, min(1.0, product / length)) if product - product == 0 and length < float("inf") else None
