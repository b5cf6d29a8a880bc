"""One measurement: find shapes with which the site runs, replay it, and ask the oracle what it should have given."""

from __future__ import annotations

from typing import Any

import torch

from klint.rules.claims import Divisor, Effect
from klint.torch_model.facts import Space
from klint.torch_model.operations import OPERATIONS
from klint.verify.inputs import Inputs
from klint.verify.oracle import Operand, OracleError, expected_value
from klint.verify.plan import PlannedReading
from klint.verify.protocol import Job, Measurement, Run
from klint.verify.replay import Replay, ReplayError, replay
from klint.verify.uses import score_registers, uses_of

SCORE_GAPS = {"float64": 2000.0, "float32": 200.0, "bfloat16": 200.0, "float16": 40.0}
"""How far apart scores must lie for their softmax to underflow in each dtype, with room to spare."""


class MeasureError(Exception):
    """The site cannot be measured; the message says why."""


def measure(job: Job) -> Measurement:
    """Replay a job's plan at the first sizes with which it runs. Raises ``MeasureError`` where there are none.

    Made-up tensors have the job's dtype; where the code spells all its tensors out, they keep the dtype that they have there.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, job.dtype) if job.plan.leaves else torch.float32)
    try:
        with torch.device(job.device):
            return _Site(job).measure()
    finally:
        torch.set_default_dtype(before)


class _Site:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.plan = job.plan
        self.inputs = Inputs(job.plan, uses_of(job.plan), job.batch, job.classes, job.seed, job.dtype, job.device)

    @property
    def draws(self) -> bool:
        """Whether the code itself draws random numbers."""
        return any(step.name in OPERATIONS and OPERATIONS[step.name].random for step in self.plan.steps)

    def measure(self) -> Measurement:
        problem = ""
        for attempt in self.inputs.attempts():
            try:
                run = self.run(replay(self.plan, self.inputs.draw(attempt), self.job.seed))
            except (ReplayError, OracleError, MeasureError) as error:
                problem = problem or str(error)
                continue
            notes = [*self.plan.notes, *self.inputs.describe(attempt)]
            if self.draws:
                notes.append(f"random draws of the code itself start from seed {self.job.seed}")
            if self.plan.effect is not Effect.UNDERFLOW:
                return Measurement((run,), tuple(notes))
            gap = SCORE_GAPS.get(run.dtype, SCORE_GAPS["float32"])
            notes.append(f"in the second run the scores are spread until they lie {gap:g} apart")
            return Measurement((run, self.run_apart(self.inputs.draw(attempt), gap)), tuple(notes))
        raise MeasureError(problem or "no sizes were found with which it runs")

    def run_apart(self, leaves: dict[int, Any], gap: float) -> Run:
        """The replay with all scores spread apart."""
        stretch = dict.fromkeys(score_registers(self.plan), gap)
        if not stretch:
            raise MeasureError("no scores were found that could be spread apart")
        try:
            return self.run(replay(self.plan, leaves, self.job.seed, stretch), score_gap=gap)
        except (ReplayError, OracleError) as error:
            raise MeasureError(str(error)) from error

    def run(self, replayed: Replay, **sizes: float) -> Run:
        """The numbers of one replay, and what the oracle says to them."""
        outputs = {name: _scalar(replayed.values[register], name) for name, register in self.plan.outputs.items()}
        input, target = (self.operand(reading, replayed) for reading in (self.plan.input, self.plan.target))
        if self.plan.leaves:
            _require_classes(input, target)
        counterpart = outputs.get("counterpart")
        return Run(
            device=self.job.device,
            dtype=str(outputs["as_written"].dtype).removeprefix("torch."),
            sizes={
                "input": list(input.tensor.shape),
                "target": list(target.tensor.shape),
                "classes": input.classes,
                **sizes,
            },
            as_written=float(outputs["as_written"]),
            expected=expected_value(self.plan.loss, input, target, Divisor(self.plan.divisor)),
            fixed=float(outputs["fixed"]),
            counterpart=None if counterpart is None else float(counterpart),
            claimed=self.claimed_ratio(replayed),
            gradient=_gradient_norm(outputs["as_written"], replayed.sources),
            fixed_gradient=_gradient_norm(outputs["fixed"], replayed.sources),
        )

    def operand(self, reading: PlannedReading, replayed: Replay) -> Operand:
        tensor = replayed.values[reading.register]
        if not isinstance(tensor, torch.Tensor):
            raise MeasureError(f"a tensor of {reading.space.value} is needed, not {type(tensor).__name__}")
        return Operand(tensor, reading.space, reading.dim)

    def claimed_ratio(self, replayed: Replay) -> float | None:
        """The claim's ratio at these sizes."""
        if self.plan.ratio is None:
            return None
        result = self.plan.ratio.numerator / self.plan.ratio.denominator
        for register, dim, power in self.plan.ratio.powers:
            tensor = replayed.values[register]
            if not isinstance(tensor, torch.Tensor) or (dim is not None and not -tensor.dim() <= dim < tensor.dim()):
                return None
            result *= (tensor.numel() if dim is None else tensor.shape[dim]) ** power
        return float(result)


def _require_classes(input: Operand, target: Operand) -> None:
    """Refuse sizes that only run because torch broadcasts: made-up tensors have more than one class, and equally many."""
    distributions = [operand for operand in (input, target) if operand.space is not Space.INDICES]
    if min(operand.classes for operand in distributions) < 2:
        raise MeasureError("no sizes were found with which it has more than one class")
    if input.dim == target.dim and len({operand.classes for operand in distributions}) > 1:
        raise MeasureError("no sizes were found with which input and target have equally many classes")


def _scalar(value: Any, name: str) -> torch.Tensor:
    """One number: a loss that is not reduced is summed."""
    if isinstance(value, torch.Tensor) and not value.is_complex():
        return value.reshape(()) if value.numel() == 1 else value.sum()
    if isinstance(value, (bool, int, float)):
        return torch.tensor(float(value), dtype=torch.float64)
    raise MeasureError(f"the value {name.replace('_', ' ')} is no number but {type(value).__name__}")


def _gradient_norm(value: torch.Tensor, sources: list[torch.Tensor]) -> float | None:
    """The norm of the gradient over all sources; None if it reaches none of them."""
    if not value.requires_grad or not sources:
        return None
    gradients = torch.autograd.grad(value, sources, retain_graph=True, allow_unused=True)
    reached = [gradient.double().norm() for gradient in gradients if gradient is not None]
    return float(torch.stack(reached).norm()) if reached else None
