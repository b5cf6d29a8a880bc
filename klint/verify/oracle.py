"""What the losses are, from their definitions, in float64.

Written with logarithms, exponentials and sums alone, through which autograd finds the gradients that are right: neither torch's losses nor its softmax take part, so that they cannot
hide a mistake that they share with the code under test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

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
    def numbers(self) -> torch.Tensor:
        """The tensor in float64 on the CPU; gradients flow through it."""
        return self.tensor.to("cpu", torch.float64)

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


def class_dim(loss: str, rank: int) -> int:
    """Where ``loss`` itself looks for the classes: dim 1 for cross entropy and its kin, the last dim for all others."""
    return min(1, max(rank - 1, 0)) if loss in ("cross_entropy", "nll_loss") else -1


def log_sum_exp(scores: torch.Tensor, dim: int) -> torch.Tensor:
    """log(sum(exp(scores))) over ``dim``, which is kept with size 1; stable for scores of any size."""
    largest = scores.detach().amax(dim, keepdim=True)
    return (scores - largest).exp().sum(dim, keepdim=True).log() + largest


def log_probabilities(operand: Operand) -> torch.Tensor:
    """The logarithms of an operand's probabilities, of its shape, in float64 on the CPU."""
    numbers = operand.numbers
    if operand.space is Space.PROBABILITIES:
        return numbers.log()
    if operand.space is Space.LOG_PROBABILITIES:
        return numbers
    if operand.space is Space.SCORES:
        return numbers - log_sum_exp(numbers, -1 if operand.dim is None else operand.dim)
    raise OracleError(f"{operand.space.value} are no distribution")


def probabilities(operand: Operand) -> torch.Tensor:
    """An operand's probabilities, of its shape, in float64 on the CPU; those given as such are taken as they are."""
    return operand.numbers if operand.space is Space.PROBABILITIES else log_probabilities(operand).exp()


def kl(input: Operand, target: Operand, divisor: Divisor) -> torch.Tensor:
    """KL(target || input): the sum over all numbers of Q (log Q - log P), with 0 where Q = 0, over ``divisor``."""
    if target.space is Space.INDICES:  # a distribution without entropy
        return cross_entropy(input, target, divisor)
    q, log_q, log_p = torch.broadcast_tensors(
        probabilities(target), log_probabilities(target), log_probabilities(input)
    )
    pointwise = _where_positive(q, q * (log_q - log_p))
    return pointwise.sum() / _count(pointwise, input, divisor)


def cross_entropy(input: Operand, target: Operand, divisor: Divisor) -> torch.Tensor:
    """-sum Q log P over ``divisor``. A target of class indices is the distribution that is 1 at the index.

    Indices have the shape of ``input`` without its class dim. Of an input of elementwise probabilities the scores are taken that
    they are the sigmoids of.
    """
    if input.space in (Space.ELEMENTWISE, Space.LOG_ELEMENTWISE):
        log_p, log_rest = elementwise_logs(input)
        input = Operand(log_p - log_rest, Space.SCORES, input.dim)
    log_p = log_probabilities(input)
    if target.space is Space.INDICES:
        dim = -1 if input.dim is None else input.dim
        picked = log_p.gather(dim, target.tensor.detach().cpu().long().unsqueeze(dim))
        return -picked.sum() / _count(log_p, input, divisor)
    q, log_p = torch.broadcast_tensors(probabilities(target), log_p)
    return -_where_positive(q, q * log_p).sum() / _count(q, input, divisor)


def elementwise_logs(operand: Operand) -> tuple[torch.Tensor, torch.Tensor]:
    """The logs of p and of 1 - p, number by number; scores are those of which p is the sigmoid. Stable for scores of any size."""
    numbers = operand.numbers
    if operand.space in (Space.ELEMENTWISE, Space.PROBABILITIES):
        return numbers.log(), torch.log1p(-numbers)
    if operand.space in (Space.LOG_ELEMENTWISE, Space.LOG_PROBABILITIES):
        return numbers, torch.log(-torch.expm1(numbers))
    if operand.space is Space.SCORES:
        rest = torch.log1p(torch.exp(-numbers.abs()))  # log(1 + exp(-|x|)), which both share
        return numbers.clamp(max=0) - rest, (-numbers).clamp(max=0) - rest
    raise OracleError(f"{operand.space.value} are no elementwise probabilities")


def binary_cross_entropy(input: Operand, target: Operand, divisor: Divisor) -> torch.Tensor:
    """-sum Q log P + (1 - Q) log(1 - P), number by number, over ``divisor``; 0 or 1 as the target's class indices is Q itself."""
    given = target.space in (Space.ELEMENTWISE, Space.PROBABILITIES, Space.INDICES)
    q = target.numbers if given else elementwise_logs(target)[0].exp()
    q, log_p, log_rest = torch.broadcast_tensors(q, *elementwise_logs(input))
    total = _where_positive(q, q * log_p).sum() + _where_positive(1 - q, (1 - q) * log_rest).sum()
    return -total / _count(q, input, divisor)


def entropy(distribution: Operand, divisor: Divisor) -> torch.Tensor:
    """-sum P log P over ``divisor``, with 0 where P = 0."""
    p, log_p = probabilities(distribution), log_probabilities(distribution)
    return -_where_positive(p, p * log_p).sum() / _count(p, distribution, divisor)


ORACLES: Mapping[str, Callable[[Operand, Operand, Divisor], torch.Tensor]] = {
    "kl_div": kl,
    "cross_entropy": cross_entropy,
    "nll_loss": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "binary_cross_entropy_with_logits": binary_cross_entropy,
}
"""By loss. Losses that differ in what they are given, and not in what they compute of it, share a definition: the
readings say what is given."""


def expected_value(loss: str, input: Operand, target: Operand, divisor: Divisor) -> torch.Tensor:
    """What ``loss`` of these operands is, as one number with its gradient. Raises ``OracleError`` where the definition does not apply."""
    if loss not in ORACLES:
        raise OracleError(f"klint has no definition of {loss} to compare with yet")
    if input.dim is None:
        input = replace(input, dim=class_dim(loss, input.tensor.dim()))
    if target.dim is None:
        target = replace(target, dim=class_dim(loss, target.tensor.dim()))
    try:
        return ORACLES[loss](input, target, divisor)
    except (RuntimeError, IndexError) as error:
        raise OracleError(" ".join(str(error).split())[:200]) from error


def _where_positive(q: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """``values``, but 0 where ``q`` is 0 and its logarithm, or that of what it weighs, infinite: the limit of q log q."""
    is_limit = (q == 0) & ~values.isfinite()
    return torch.where(is_limit, torch.zeros((), dtype=q.dtype, device=q.device), values)


def _count(pointwise: torch.Tensor, input: Operand, divisor: Divisor) -> torch.Tensor:
    if divisor is Divisor.ROWS:
        return int(pointwise.numel()) / input.classes
    if divisor is Divisor.BATCH:
        return int(input.tensor.shape[0]) if input.tensor.dim() else 1
    return int(pointwise.numel()) if divisor is Divisor.NUMEL else 1
