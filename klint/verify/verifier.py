"""The run: each finding is planned, replayed over the grid of devices, dtypes and class counts, and judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from klint.finding import Finding
from klint.rules.base import Diagnosis
from klint.rules.claims import Claim, Effect
from klint.verify.companions import Groups, group_by_call, mend_others, take_as_right
from klint.verify.errors import VerifyError
from klint.verify.judge import Ruling, combine, judge
from klint.verify.options import VerifyOptions
from klint.verify.plan import Plan
from klint.verify.program import PlanError, build_plan
from klint.verify.protocol import Job, Measurement
from klint.verify.results import Result, Verdict, VerifyReport
from klint.verify.sandbox import Sandbox, WorkerLost

if TYPE_CHECKING:
    from pathlib import Path

    from klint.config import Settings
    from klint.pyproject import Configuration


Progress = Callable[[int, int], None]
"""Told how many findings are settled, and of how many."""


class _Unmeasured(Exception):
    """A job gave no measurement; the message says why."""


def verify_paths(
    paths: Iterable[str | Path],
    options: VerifyOptions | None = None,
    settings: Settings | Configuration | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Lint files and folders, and put every finding to the test.

    Raises ``VerifyError`` where nothing can be verified: torch is missing, or the device is not there.
    """
    from klint.linter import diagnose_paths

    diagnoses, linted = diagnose_paths(paths, settings)
    report = verify_diagnoses(diagnoses, options, progress=progress)
    unknown = linted.sites - linted.understood
    silent = f"loss sites without a finding (of {linted.sites} sites, {unknown} were not understood)"
    return replace(
        report,
        errors=tuple(str(error) for error in linted.errors),
        not_checked=(silent, *report.not_checked),
        sources=linted.sources,
    )


def verify_diagnoses(
    diagnoses: Iterable[Diagnosis],
    options: VerifyOptions | None = None,
    sandbox: Sandbox | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """Put findings to the test, in their order. Raises ``VerifyError`` where nothing can be verified.

    torch is imported by the worker alone, and only if there is something to verify. A ``sandbox`` that is warm already is
    used as it is, and left running.
    """
    options = options or VerifyOptions()
    diagnoses = list(diagnoses)
    if all(diagnosis.claim is None for diagnosis in diagnoses) and options.device != "cuda":
        return VerifyReport(not_checked=tuple(_nothing_to_replay(diagnoses)))
    with nullcontext(sandbox) if sandbox is not None else Sandbox(options.memory) as running:
        environment = running.environment()
        devices = _devices(options.device, has_gpu=bool(environment["cuda"]))
        verifier = _Verifier(running, options, devices)
        claims = [(diagnosis.finding, diagnosis.claim) for diagnosis in diagnoses if diagnosis.claim is not None]
        groups = group_by_call([(finding.code, claim) for finding, claim in claims])
        results: list[Result] = []
        for finding, claim in claims:
            results.append(replace(verifier.result(finding, claim, groups), claim=claim))
            if progress is not None:
                progress(len(results), len(claims))
    return VerifyReport(
        tuple(results),
        environment={**environment, "devices": list(devices), "seed": options.seed, "timeout": options.timeout},
        not_checked=(*_nothing_to_replay(diagnoses), *_not_checked(devices, options)),
    )


@dataclass(frozen=True)
class _Verifier:
    sandbox: Sandbox
    options: VerifyOptions
    devices: tuple[str, ...]

    def result(self, finding: Finding, claim: Claim, groups: Groups) -> Result:
        """The verdict on one finding. ``timeout`` holds for all its runs together.

        Where nothing is shown with the tensors that the code computes, those that the claim is not about are taken to be right.
        """
        deadline = time.monotonic() + self.options.timeout
        try:
            result = self.judged(finding, build_plan(claim, mend_others(claim, groups)), deadline)
        except PlanError as error:
            result = Result(finding, Verdict.INCONCLUSIVE, str(error))
        right = take_as_right(claim)
        if result.verdict is not Verdict.INCONCLUSIVE or not right:
            return result
        try:
            other = self.judged(finding, build_plan(claim, right=right), deadline)
        except PlanError:
            return result
        return other if other.verdict is Verdict.CONFIRMED else result

    def judged(self, finding: Finding, plan: Plan, deadline: float) -> Result:
        """The verdict on one plan, from all its runs."""
        rulings: list[Ruling] = []
        measurements: list[Measurement] = []
        for job in self.jobs(plan):
            try:
                again = self.measure(job, deadline)
                measurements.extend(again)
                rulings.append(judge(plan.effect, again))
            except _Unmeasured as error:
                rulings.append(Ruling(Verdict.INCONCLUSIVE, str(error)))
        ruling = combine(rulings)
        return Result(
            finding,
            ruling.verdict,
            ruling.reason,
            tuple(dict.fromkeys(words for measurement in measurements for words in measurement.assumptions)),
            tuple(run for measurement in measurements for run in measurement.runs),
        )

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
            raise _Unmeasured(f"it took longer than {self.options.timeout:g} s")
        try:
            answer = self.sandbox.ask({"job": job.to_json(), "timeout": left}, left)
        except WorkerLost as error:
            raise _Unmeasured(str(error)) from error
        if "problem" in answer:
            raise _Unmeasured(str(answer["problem"]))
        return Measurement.from_json(answer)


def _devices(wanted: str, has_gpu: bool) -> tuple[str, ...]:
    if wanted == "cuda" and not has_gpu:
        raise VerifyError("no CUDA device is there (torch.cuda.is_available() is False): use --device auto or cpu")
    if wanted in ("cpu", "cuda"):
        return (wanted,)
    return ("cpu", "cuda") if has_gpu else ("cpu",)


def _nothing_to_replay(diagnoses: Iterable[Diagnosis]) -> Iterator[str]:
    """The findings that claim nothing about torch, one line each."""
    for diagnosis in diagnoses:
        if diagnosis.claim is None:
            place = diagnosis.finding.location
            yield f"{diagnosis.finding.code} at {place.source}:{place.row}:{place.column} (nothing to replay)"


def _not_checked(devices: tuple[str, ...], options: VerifyOptions) -> tuple[str, ...]:
    """What a reader might take for settled by these verdicts, and is not."""
    open_ends = []
    if "cuda" not in devices:
        open_ends.append("CUDA" if options.device == "cpu" else "CUDA (no such device here)")
    dtypes = options.dtypes or ("float64 (float32 where the claim is about underflow)",)
    open_ends.append(f"dtypes other than {', '.join(dtypes)} and those that the code spells out")
    open_ends.append(
        f"class counts other than {', '.join(map(str, options.classes))} and those that the code spells out"
    )
    return tuple(open_ends)
