"""The run: each finding is planned, replayed over the grid of devices, dtypes and class counts, and judged."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from klint.finding import Diagnosis, Finding
from klint.rules.claims import Claim
from klint.verify.companions import Groups, group_by_call, mend_others, take_as_right
from klint.verify.grid import Grid, Unmeasured, devices_for
from klint.verify.judge import Ruling, combine, judge
from klint.verify.options import VerifyOptions
from klint.verify.plan import Plan
from klint.verify.program import PlanError, build_plan
from klint.verify.protocol import Measurement
from klint.verify.results import Result, Verdict, VerifyReport
from klint.verify.sandbox import Sandbox
from klint.verify.sites import verify_sites

if TYPE_CHECKING:
    from pathlib import Path

    from klint.config import Settings
    from klint.pyproject import Configuration


Progress = Callable[[int, int], None]
"""Told how many findings are settled, and of how many."""


def verify_paths(
    paths: Iterable[str | Path],
    options: VerifyOptions | None = None,
    settings: Settings | Configuration | None = None,
    progress: Progress | None = None,
    all_sites: bool = False,
) -> VerifyReport:
    """Lint files and folders, and put every finding to the test; with ``all_sites`` also every loss site that can be decided.

    Raises ``VerifyError`` where nothing can be verified: torch is missing, or the device is not there.
    """
    from klint.linter import diagnose_paths

    paths, options = list(paths), options or VerifyOptions()
    diagnoses, linted = diagnose_paths(paths, settings)
    if not all_sites:
        report = verify_diagnoses(diagnoses, options, progress=progress)
    else:
        with Sandbox(options.memory) as sandbox:
            environment = sandbox.environment()
            grid = Grid(sandbox, options, devices_for(options.device, has_gpu=bool(environment["cuda"])))
            sites = verify_sites(paths, grid, settings)
            report = verify_diagnoses(diagnoses, options, sandbox, progress)
        report = replace(
            report, sites=tuple(sites), environment={**_environment(grid, environment), **report.environment}
        )
    unknown = linted.sites - linted.understood
    silent = f"loss sites without a finding (of {linted.sites} sites, {unknown} were not understood)"
    if all_sites:
        silent = "what the code makes of a loss behind its call, unless a finding is about it"
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
        devices = devices_for(options.device, has_gpu=bool(environment["cuda"]))
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
        environment=_environment(verifier, environment),
        not_checked=(*_nothing_to_replay(diagnoses), *_not_checked(devices, options)),
    )


def _environment(grid: Grid, said: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker said of itself, and what the user has chosen."""
    options = grid.options
    return {**said, "devices": list(grid.devices), "seed": options.seed, "timeout": options.timeout}


class _Verifier(Grid):
    """Puts one finding after another to the test."""

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
            except Unmeasured as error:
                rulings.append(Ruling(Verdict.INCONCLUSIVE, str(error)))
        ruling = combine(rulings)
        return Result(
            finding,
            ruling.verdict,
            ruling.reason,
            tuple(dict.fromkeys(words for measurement in measurements for words in measurement.assumptions)),
            tuple(run for measurement in measurements for run in measurement.runs),
        )


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
