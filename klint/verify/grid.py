"""Replays one plan after another over the grid of devices, dtypes and class counts, in one worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from klint.rules.claims import Effect
from klint.verify.errors import VerifyError
from klint.verify.options import VerifyOptions
from klint.verify.plan import Plan
from klint.verify.protocol import Job, Measurement
from klint.verify.sandbox import Sandbox, WorkerLost


class Unmeasured(Exception):
    """A job gave no measurement; the message says why."""


@dataclass(frozen=True)
class Grid:
    """A running worker, and what the user has chosen about the run."""

    sandbox: Sandbox
    options: VerifyOptions
    devices: tuple[str, ...]

    def jobs(self, plan: Plan) -> Iterator[Job]:
        """The grid. A site that spells all its tensors out has but one dtype and one class count: its own."""
        options = self.options
        dtypes = options.dtypes or (("float32",) if plan.effect is Effect.UNDERFLOW else ("float64",))
        # On a GPU some refusals end the process instead of raising; what torch refuses it refuses on the CPU too.
        devices = ("cpu",) if plan.effect is Effect.RAISES else self.devices
        for device in devices:
            for dtype in dtypes if plan.leaves else dtypes[:1]:
                for classes in options.classes if plan.leaves else options.classes[:1]:
                    yield Job(plan, device, dtype, classes, options.batch, options.seed)

    def measure(self, job: Job, deadline: float) -> list[Measurement]:
        """One measurement; a second one with other numbers where a ratio is claimed without a value to hold it against."""
        first = self.ask(job, deadline)
        unclaimed = job.plan.effect is Effect.RATIO and first.runs[0].claimed is None
        if unclaimed and job.plan.leaves:
            return [first, self.ask(replace(job, seed=job.seed + 1), deadline)]
        return [first]

    def ask(self, job: Job, deadline: float) -> Measurement:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Unmeasured(f"it took longer than {self.options.timeout:g} s")
        try:
            answer = self.sandbox.ask({"job": job.to_json(), "timeout": left}, left)
        except WorkerLost as error:
            raise Unmeasured(str(error)) from error
        if "problem" in answer:
            raise Unmeasured(str(answer["problem"]))
        return Measurement.from_json(answer)


def devices_for(wanted: str, has_gpu: bool) -> tuple[str, ...]:
    """The devices to replay on. Raises ``VerifyError`` where the one that is wanted is not there."""
    if wanted == "cuda" and not has_gpu:
        raise VerifyError("no CUDA device is there (torch.cuda.is_available() is False): use --device auto or cpu")
    if wanted in ("cpu", "cuda"):
        return (wanted,)
    return ("cpu", "cuda") if has_gpu else ("cpu",)
