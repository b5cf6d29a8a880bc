"""What the losses are, from their definitions, in float64.

Written with logarithms, exponentials and sums alone: neither torch's losses nor its softmax take part, so that they cannot
hide a mistake that they share with the code under test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from klint.rules.claims import Divisor
from klint.torch_model.facts import Space


class OracleError(Exception):
    """The definition does not apply to these tensors; the message says why."""


@dataclass(frozen=True)
class Operand:
    """A tensor of any shape and dtype, the space it is in, and the dim that runs over classes (None: the last)."""

    tensor: torch.Tensor
    space: Space
    dim: int | None

    @property
    def classes(self) -> int:
        """The size of the class dim; 1 for a tensor without dims."""
        rank = self.tensor.dim()
        dim = -1 if self.dim is None else self.dim
        if rank == 0:
            return 1
        if not -rank <= dim < rank:
            raise OracleError(f"a tensor of shape {tuple(self.tensor.shape)} has no dim {dim}")
        return int(self.tensor.shape[dim])


def log_sum_exp(scores: torch.Tensor, dim: int) -> torch.Tensor:
    """log(sum(exp(scores))) over ``dim``, which is kept with size 1; stable for scores of any size."""
    largest = scores.amax(dim, keepdim=True)
    return (scores - largest).exp().sum(dim, keepdim=True).log() + largest


def log_probabilities(operand: Operand) -> torch.Tensor:
    """The logarithms of an operand's probabilities, of its shape, in float64 on the CPU."""
    numbers = operand.tensor.detach().to("cpu", torch.float64)
    if operand.space is Space.PROBABILITIES:
        return numbers.log()
    if operand.space is Space.LOG_PROBABILITIES:
        return numbers
    if operand.space is Space.SCORES:
        return numbers - log_sum_exp(numbers, -1 if operand.dim is None else operand.dim)
    raise OracleError(f"{operand.space.value} are no distribution")


def probabilities(operand: Operand) -> torch.Tensor:
    """An operand's probabilities, of its shape, in float64 on the CPU; those given as such are taken as they are."""
    if operand.space is Space.PROBABILITIES:
        return operand.tensor.detach().to("cpu", torch.float64)
    return log_probabilities(operand).exp()


def kl(input: Operand, target: Operand, divisor: Divisor) -> float:
    """KL(target || input): the sum over all numbers of Q (log Q - log P), with 0 where Q = 0, over ``divisor``."""
    q, log_q, log_p = torch.broadcast_tensors(
        probabilities(target), log_probabilities(target), log_probabilities(input)
    )
    pointwise = _where_positive(q, q * (log_q - log_p))
    return float(pointwise.sum()) / _count(pointwise, input, divisor)


def cross_entropy(input: Operand, target: Operand, divisor: Divisor) -> float:
    """-sum Q log P over ``divisor``. A target of class indices is the distribution that is 1 at the index.

    Indices have the shape of ``input`` without its class dim.
    """
    log_p = log_probabilities(input)
    if target.space is Space.INDICES:
        dim = -1 if input.dim is None else input.dim
        picked = log_p.gather(dim, target.tensor.detach().cpu().long().unsqueeze(dim))
        return -float(picked.sum()) / _count(log_p, input, divisor)
    q, log_p = torch.broadcast_tensors(probabilities(target), log_p)
    return -float(_where_positive(q, q * log_p).sum()) / _count(q, input, divisor)


def entropy(distribution: Operand, divisor: Divisor) -> float:
    """-sum P log P over ``divisor``, with 0 where P = 0."""
    p, log_p = probabilities(distribution), log_probabilities(distribution)
    return -float(_where_positive(p, p * log_p).sum()) / _count(p, distribution, divisor)


ORACLES: Mapping[str, Callable[[Operand, Operand, Divisor], float]] = {"kl_div": kl, "cross_entropy": cross_entropy}


def expected_value(loss: str, input: Operand, target: Operand, divisor: Divisor) -> float:
    """What ``loss`` of these operands is. Raises ``OracleError`` where the definition does not apply."""
    if loss not in ORACLES:
        raise OracleError(f"klint has no definition of {loss} to compare with yet")
    try:
        return ORACLES[loss](input, target, divisor)
    except (RuntimeError, IndexError) as error:
        raise OracleError(" ".join(str(error).split())[:200]) from error


def _where_positive(q: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """``values``, but 0 where ``q`` is 0: the limit of q log q."""
    return torch.where(q == 0, torch.zeros((), dtype=q.dtype, device=q.device), values)


def _count(pointwise: torch.Tensor, input: Operand, divisor: Divisor) -> float:
    if divisor is Divisor.ROWS:
        return int(pointwise.numel()) / input.classes
    if divisor is Divisor.BATCH:
        return int(input.tensor.shape[0]) if input.tensor.dim() else 1
    return int(pointwise.numel()) if divisor is Divisor.NUMEL else 1
