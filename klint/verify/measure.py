"""One measurement: find shapes with which the site runs, replay it, and ask the oracle what it should have given."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import torch

from klint.rules.claims import Divisor, Effect
from klint.torch_model.facts import Space
from klint.torch_model.losses import LOSSES
from klint.torch_model.operations import OPERATIONS
from klint.verify.gradients import cosine, gradient, norm, where_finite
from klint.verify.inputs import Attempt, Inputs
from klint.verify.judge import agree
from klint.verify.oracle import Operand, OracleError, class_dim, expected_value
from klint.verify.plan import PlannedReading
from klint.verify.protocol import Job, Measurement, Raised, Run
from klint.verify.replay import Replay, replay, spelled_out
from klint.verify.special import ReplayError
from klint.verify.uses import score_registers, uses_of

SCORE_GAPS = {"float64": 2000.0, "float32": 200.0, "bfloat16": 200.0, "float16": 40.0}
"""How far apart scores must lie for their softmax to underflow in each dtype, with room to spare."""

_LARGEST_SIZE = 4096
_OVER_CLASSES = ("kl_div", "cross_entropy", "nll_loss")
_NUMBER_BY_NUMBER = ("kl_div", "binary_cross_entropy", "binary_cross_entropy_with_logits")
_SIZES_MATTER = frozenset(Effect) - {Effect.RAISES, Effect.FLAT}
"""Effects that sizes may bring about by chance; what torch refuses, or is constant, may be just about sizes."""


class MeasureError(Exception):
    """The site cannot be measured; the message says why."""


def measure(job: Job) -> Measurement:
    """Replay a job's plan at the first sizes with which it runs. Raises ``MeasureError`` where there are none.

    Made-up tensors have the job's dtype; where the code spells all its tensors out, they keep the dtype that they have there.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, job.dtype) if job.plan.leaves else torch.float32)
    try:
        return _Site(job).measure()
    finally:
        torch.set_default_dtype(before)


class _Site:
    def __init__(self, job: Job) -> None:
        self.job = job
        self.plan = job.plan
        self.uses = uses_of(job.plan)
        self.shapes = self.spelled_shapes() if job.plan.leaves else ()

    def inputs(self, device: str) -> Inputs:
        job = self.job
        return Inputs(self.plan, self.uses, job.batch, job.classes, job.seed, job.dtype, device, self.shapes)

    def spelled_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes that the code spells out: of tensors, of distributions for class indices, and for views."""
        shapes = [tuple(dict(leaf.sizes).values()) for leaf in self.plan.leaves if len(leaf.sizes) == leaf.rank]
        for tensor in spelled_out(self.plan, self.job.seed):
            sizes = tuple(tensor.shape)
            if not tensor.is_floating_point() and sizes:
                shapes += [(*sizes[:1], self.job.classes, *sizes[1:]), (*sizes, self.job.classes)]
            elif sizes:
                shapes.append(sizes)
        for sizes in self.viewed_as():
            shapes += [sizes, (math.prod(sizes[:-1]), sizes[-1])]
        return tuple(dict.fromkeys(shapes))

    def viewed_as(self) -> Iterator[tuple[int, ...]]:
        """The sizes that stand together in the code: what is viewed so must have as many numbers."""
        steps = self.plan.steps
        for step in steps:
            sizes = [steps[register].value for _, register in step.arguments] if step.kind == "sequence" else []
            whole = tuple(size for size in sizes if isinstance(size, int) and 0 < size <= _LARGEST_SIZE)
            if 1 < len(whole) == len(sizes):
                yield whole

    @property
    def draws(self) -> bool:
        """Whether the code itself draws random numbers."""
        return any(step.name in OPERATIONS and OPERATIONS[step.name].random for step in self.plan.steps)

    def measure(self) -> Measurement:
        # Sizes are searched on the CPU: on a GPU one index out of bounds would be the last thing that the worker does.
        attempt, run = self.search()
        device = self.job.device
        if device != "cpu":
            run = self.run_on(device, attempt)
        notes = [*self.plan.notes, *self.inputs(device).describe(attempt)]
        if self.draws:
            notes.append(f"random draws of the code itself start from seed {self.job.seed}")
        if self.plan.effect is not Effect.UNDERFLOW:
            return Measurement((run,), tuple(notes))
        gap = SCORE_GAPS.get(run.dtype, SCORE_GAPS["float32"])
        notes.append(f"in the second run the scores are spread until they lie {gap:g} apart")
        return Measurement((run, self.run_apart(attempt, gap)), tuple(notes))

    def search(self) -> tuple[Attempt, Run]:
        """The sizes that decide, and the run with them: the first with which everything runs that should.

        Code that raises must do so where the fixed code runs; without fixed code, at all sizes that are alike for all tensors.
        Sizes with which the loss broadcasts are for code that runs with no others.
        """
        problem = ""
        other: tuple[Attempt, Run] | None = None
        for attempt in self.inputs("cpu").attempts():
            if other is not None and not attempt.alike:
                break
            try:
                run = self.run_on("cpu", attempt)
            except MeasureError as error:
                problem = problem or str(error)
                continue
            if self.raises_as_claimed(run) and not self.broadcasts(run):
                return attempt, run
            other = other or (attempt, run)
        if other is None:
            raise MeasureError(problem or "no sizes were found with which it runs")
        return other

    def raises_as_claimed(self, run: Run) -> bool:
        """Whether the code as written raises where that is the claim, and there is fixed code that does not."""
        return self.plan.effect is not Effect.RAISES or (run.raised is not None) == ("fixed" in self.plan.outputs)

    def broadcasts(self, run: Run) -> bool:
        """Whether input and target of a loss that goes number by number have different shapes."""
        both = [run.sizes[slot] for slot in ("input", "target") if slot in run.sizes]
        return self.plan.loss in _NUMBER_BY_NUMBER and len(both) == 2 and both[0] != both[1]

    def run_on(self, device: str, attempt: Attempt, gap: float | None = None) -> Run:
        """The replay with the leaves of an attempt, all scores spread apart by ``gap``. Raises ``MeasureError`` if it fails."""
        stretch = None if gap is None else dict.fromkeys(score_registers(self.plan), gap)
        if stretch == {}:
            raise MeasureError("no scores were found that could be spread apart")
        try:
            with torch.device(device):
                replayed = replay(self.plan, self.inputs(device).draw(attempt), self.job.seed, stretch)
                return self.run(device, replayed, **({} if gap is None else {"score_gap": gap}))
        except (ReplayError, OracleError) as error:
            raise MeasureError(str(error)) from error

    def run_apart(self, attempt: Attempt, gap: float) -> Run:
        return self.run_on(self.job.device, attempt, gap)

    def run(self, device: str, replayed: Replay, **sizes: float) -> Run:
        """The numbers of one replay, and what the oracle says to them."""
        raised = self.raised(replayed)
        outputs = {
            name: _scalar(replayed.value(register), name)
            for name, register in self.plan.outputs.items()
            if raised is None or name != "as_written"
        }
        as_written, fixed, counterpart = (outputs.get(name) for name in ("as_written", "fixed", "counterpart"))
        operands = self.operands(replayed)
        if self.plan.leaves and self.plan.loss in _OVER_CLASSES and self.plan.effect in _SIZES_MATTER:
            _require_classes(operands.values())
        shown = as_written if as_written is not None else fixed
        subject = self.plan.subject
        expected, reference = self.reference(operands, fixed)
        gradients = {
            name: gradient(value, replayed.sources.values())
            for name, value in (("as_written", as_written), ("expected", expected), ("fixed", fixed))
        }
        if not all(step.grad_enabled for step in self.plan.steps):  # the code itself says where none is to flow
            gradients["expected"] = None
        if self.plan.effect is not Effect.UNDERFLOW:
            gradients = where_finite(gradients, gradients["expected"])
        return Run(
            device=device,
            dtype=self.job.dtype if shown is None else str(shown.dtype).removeprefix("torch."),
            sizes={**_sizes(operands), **sizes},
            as_written=_number(as_written),
            expected=_number(expected),
            fixed=_number(fixed),
            counterpart=_number(counterpart),
            claimed=self.claimed_ratio(replayed),
            gradient=norm(gradients["as_written"]),
            expected_gradient=norm(gradients["expected"]),
            fixed_gradient=norm(gradients["fixed"]),
            grad_cosine=cosine(gradients["as_written"], gradients["expected"]),
            fixed_grad_cosine=cosine(gradients["fixed"], gradients["expected"]),
            reference=reference,
            raised=raised,
            subject=None if subject is None else subject.name,
            subject_gradient=self.subject_gradient(as_written, replayed),
            fixed_subject_gradient=self.subject_gradient(fixed, replayed),
            same_expression=self.plan.outputs["as_written"] == self.plan.outputs.get("fixed"),
        )

    def raised(self, replayed: Replay) -> Raised | None:
        """What torch raises at the code as written, where that is the claim.

        Without fixed code to hold it against only what the loss itself refuses counts: all else may be the fault of made-up values.
        """
        failure = replayed.failure(self.plan.outputs["as_written"])
        if failure is None or failure.raised is None or self.plan.effect is not Effect.RAISES:
            return None
        if "fixed" not in self.plan.outputs and failure.raised.operation not in LOSSES and self.plan.leaves:
            return None
        return failure.raised

    def operands(self, replayed: Replay) -> dict[str, Operand]:
        """The loss's tensors; all that there are where no definition asks for them."""
        operands = {}
        for slot, reading in self.plan.readings.items():
            if self.plan.divisor is not None or replayed.failure(reading.register) is None:
                value = replayed.value(reading.register)
                if isinstance(value, torch.Tensor):
                    operands[slot] = self.operand(reading, value)
                elif self.plan.divisor is not None:
                    raise MeasureError(f"a tensor of {reading.space.value} is needed, not {type(value).__name__}")
        return operands

    def operand(self, reading: PlannedReading, tensor: torch.Tensor) -> Operand:
        dim = class_dim(self.plan.loss, tensor.dim()) if reading.dim is None else reading.dim
        return Operand(tensor, reading.space, dim)

    def reference(
        self, operands: dict[str, Operand], fixed: torch.Tensor | None
    ) -> tuple[torch.Tensor | None, str | None]:
        """What is expected, and what says so.

        Where the call has other mistakes too, the tensors that the definition reads may be those of the mistakes.
        """
        by_fixed = (fixed, None if fixed is None else "fixed code")
        if self.plan.divisor is None:
            return by_fixed
        try:
            expected = expected_value(self.plan.loss, operands["input"], operands["target"], Divisor(self.plan.divisor))
        except OracleError:
            if self.plan.accompanied and fixed is not None:
                return by_fixed
            raise
        if (
            self.plan.accompanied
            and fixed is not None
            and not agree(float(fixed), float(expected), str(fixed.dtype)[6:])
        ):
            return by_fixed
        return expected, "definition"

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

    @cached_property
    def behind_subject(self) -> frozenset[int]:
        """The registers that the claim's subject is computed from, its own included."""
        queue = [] if self.plan.subject is None else [self.plan.subject.register]
        for register in queue:
            queue.extend(at for _, at in self.plan.steps[register].arguments if at not in queue)
        return frozenset(queue)

    def subject_gradient(self, value: torch.Tensor | None, replayed: Replay) -> float | None:
        """The norm of the gradient of ``value`` over the leaves behind the subject; None where no leaf takes one.

        A leak is what flows through the subject itself: a leaf behind it may well have other ways to the value.
        """
        leaves = [tensor for register, tensor in replayed.sources.items() if register in self.behind_subject]
        if self.plan.subject is None or value is None or not leaves:
            return None
        if self.plan.effect is not Effect.LEAK:
            return norm(gradient(value, leaves)) or 0.0
        subject = replayed.value(self.plan.subject.register)
        if not isinstance(subject, torch.Tensor):
            return None
        if not (value.requires_grad and subject.requires_grad):
            return 0.0
        (arriving,) = torch.autograd.grad(value, [subject], retain_graph=True, allow_unused=True)
        if arriving is None:
            return 0.0
        return norm(torch.autograd.grad(subject, leaves, arriving, retain_graph=True, allow_unused=True)) or 0.0


def _require_classes(operands: Iterable[Operand]) -> None:
    """Refuse sizes that only run because torch broadcasts: made-up tensors have more than one class, and equally many."""
    distributions = [
        operand for operand in operands if operand.space is not Space.INDICES and operand.tensor.is_floating_point()
    ]
    if distributions and min(operand.classes for operand in distributions) < 2:
        raise MeasureError("no sizes were found with which it has more than one class")
    same_dim = len({operand.dim for operand in distributions}) == 1
    if same_dim and len({operand.classes for operand in distributions}) > 1:
        raise MeasureError("no sizes were found with which input and target have equally many classes")


def _sizes(operands: dict[str, Operand]) -> dict[str, Any]:
    """The shapes of the loss's tensors, and how many classes they tell apart."""
    shapes: dict[str, Any] = {slot: list(operand.tensor.shape) for slot, operand in operands.items()}
    return {**shapes, "classes": operands["input"].classes} if "input" in operands else shapes


def _scalar(value: Any, name: str) -> torch.Tensor:
    """One number: a loss that is not reduced is summed."""
    if isinstance(value, torch.Tensor) and not value.is_complex():
        return value.reshape(()) if value.numel() == 1 else value.sum()
    if isinstance(value, (bool, int, float)):
        return torch.tensor(float(value), dtype=torch.float64)
    raise MeasureError(f"the value {name.replace('_', ' ')} is no number but {type(value).__name__}")


def _number(value: torch.Tensor | None) -> float | None:
    return None if value is None else float(value)
