"""Every loss site of some files against the definition of its loss, whether or not a rule has a finding about it.

A site that deviates without a finding is a hole in the static side; one whose tensors are not known is not decided.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from klint.finding import Diagnosis, Location
from klint.graph.nodes import Operation
from klint.graph.project import Project
from klint.linter import find_files
from klint.rules import RULES
from klint.rules.claims import Claim, Divisor, Effect
from klint.rules.engine import diagnose, sites
from klint.rules.rewrite import kl_claim, loss_claim
from klint.source.discover import roots_of
from klint.source.files import parse_file
from klint.source.python import SourceError, SourceUnit
from klint.torch_model.facts import Space
from klint.torch_model.losses import LOSSES, names_loss
from klint.torch_model.sites import LossSite
from klint.verify.grid import Grid, Unmeasured
from klint.verify.judge import departs
from klint.verify.program import PlanError, build_plan
from klint.verify.protocol import Measurement
from klint.verify.results import SiteResult, SiteVerdict

if TYPE_CHECKING:
    from klint.config import Settings
    from klint.pyproject import Configuration

READINGS = 8
"""How many ways to reach one site are replayed."""

_SEARCHED = 1_000
"""How many nodes behind a claim are searched for losses."""

_SCALING = ("mul", "div")


@dataclass(frozen=True)
class _Reading:
    """What one reading of a site came to."""

    verdict: SiteVerdict
    reason: str
    measurements: tuple[Measurement, ...] = ()


class _Undecided(Exception):
    """A site cannot be held against a definition; the message says why."""


def verify_sites(
    paths: Iterable[str | Path], grid: Grid, settings: Settings | Configuration | None = None
) -> list[SiteResult]:
    """The verdict on every loss site of some files, in order. Files that cannot be read are left to the linter to name."""
    from klint.config import Settings

    paths, found = list(paths), list[SiteResult]()
    project = Project(roots_of(paths))
    for file in find_files(paths, settings or Settings()).files:
        text = file.read()
        if not isinstance(text, SourceError):
            for unit in parse_file(text, file.filename, file.path is None):
                if names_loss(unit.text):
                    found += _verify_unit(unit, project, grid)
    return sorted(found, key=lambda site: site.location.sort_key)


def _verify_unit(unit: SourceUnit, project: Project, grid: Grid) -> Iterator[SiteResult]:
    try:
        losses, _ = sites(unit, project)
        diagnoses = diagnose(unit, RULES, project).diagnoses
    except Exception:  # the linter has named it as an internal error
        return
    places: dict[Location, list[LossSite]] = {}
    for site in losses:
        if site.anchor.unit is unit:
            places.setdefault(site.anchor.location, []).append(site)
    for location, readings in places.items():
        yield _verify_site(location, readings, tuple(_codes(readings, diagnoses)), grid)


def _codes(readings: Sequence[LossSite], diagnoses: Iterable[Diagnosis]) -> Iterator[str]:
    """The codes of the findings about a call: they stand there, or where its options do, or claim something of its value."""
    places = {anchor.location for site in readings for anchor in (site.anchor, site.options.anchor)}
    seen: set[str] = set()
    for diagnosis in diagnoses:
        about = {diagnosis.finding.location, *_calls_behind(diagnosis.claim)}
        if about & places and diagnosis.finding.code not in seen:
            seen.add(diagnosis.finding.code)
            yield diagnosis.finding.code


def _calls_behind(claim: Claim | None) -> Iterator[Location]:
    """Where the losses stand that a claim is about: those behind the value as written, and behind the other side of a comparison."""
    queue = [] if claim is None else [node for node in (claim.as_written, claim.counterpart) if node is not None]
    seen: set[int] = set()
    for node in queue:
        if id(node) not in seen and len(seen) < _SEARCHED:
            seen.add(id(node))
            queue.extend(node.operands())
            if isinstance(node, Operation) and node.name in LOSSES:
                yield node.anchor.location


def _verify_site(location: Location, sites: Sequence[LossSite], codes: tuple[str, ...], grid: Grid) -> SiteResult:
    """The verdict on one call from all its readings: each way that leads there in each world."""
    deadline = time.monotonic() + grid.options.timeout
    by_call: dict[int, list[_Reading]] = {}
    for site in sites[:READINGS]:
        by_call.setdefault(id(site.call), []).append(_verify_reading(site, grid, deadline))
    readings = [_of_worlds(worlds) for worlds in by_call.values()]
    for verdict in (SiteVerdict.DEVIATES, SiteVerdict.AGREES, SiteVerdict.UNDECIDED):
        chosen = next((reading for reading in readings if reading.verdict is verdict), None)
        if chosen is not None:
            break
    assert chosen is not None  # a site has readings
    return SiteResult(
        location,
        sites[0].loss,
        chosen.verdict,
        chosen.reason,
        codes,
        tuple(dict.fromkeys(words for each in chosen.measurements for words in each.assumptions)),
        tuple(run for each in chosen.measurements for run in each.runs),
    )


def _of_worlds(worlds: Sequence[_Reading]) -> _Reading:
    """One reading from those of all worlds: where they disagree, the code does not say which one is real."""
    decided = [world for world in worlds if world.verdict is not SiteVerdict.UNDECIDED]
    if len({world.verdict for world in decided}) > 1:
        return _Reading(SiteVerdict.UNDECIDED, "it deviates under some conditions of the code, and agrees under others")
    return next(iter(decided), worlds[0])


def _verify_reading(site: LossSite, grid: Grid, deadline: float) -> _Reading:
    try:
        rows = _deviation(_claim(site, Divisor.ROWS), grid, deadline)
        own = _claim(site, None)
        if rows[0] is None or site.loss != "kl_div" or site.reduction not in ("mean", "batchmean"):
            return _reading(*rows)
        scaled = _deviation(own, grid, deadline)
        if scaled[0] is None and site.input.facts.rank is None:
            return _Reading(SiteVerdict.UNDECIDED, "what it is divided by hangs on a rank that is not known", scaled[1])
        if scaled[0] is None and any(use.name in _SCALING for use in site.uses()):
            return _Reading(SiteVerdict.UNDECIDED, "what it is divided by is settled further on", scaled[1])
        return _reading(*rows)
    except (_Undecided, PlanError, Unmeasured, ValueError) as error:
        return _Reading(SiteVerdict.UNDECIDED, str(error))


def _reading(deviation: str | None, measurements: tuple[Measurement, ...]) -> _Reading:
    if deviation is None:
        return _Reading(SiteVerdict.AGREES, "value and gradient are those of the definition", measurements)
    return _Reading(SiteVerdict.DEVIATES, deviation, measurements)


def _claim(site: LossSite, divisor: Divisor | None) -> Claim:
    """What a site should compute of what its tensors hold. A KL divergence counts every row once, or as the call says (None)."""
    for slot in (site.input, site.target):
        if slot.facts.space is Space.UNKNOWN:
            raise _Undecided(f"what {slot.name} holds is not known")
    if site.loss == "nll_loss" and site.reduction == "none" and site.input.facts.space is Space.PROBABILITIES:
        raise _Undecided("it picks probabilities, which need not be meant as a loss")
    if site.loss == "kl_div":
        averaged = site.reduction in ("mean", "batchmean")
        claim = kl_claim(site, "", Effect.DIFFERS, site.call, divisor if averaged else None)
    else:
        claim = loss_claim(site, "", Effect.DIFFERS, None)
    if claim.expected is None:
        raise _Undecided("weights, an ignored class or label smoothing: there is no definition to hold it against yet")
    return replace(claim, fixed=None, world=site.inference)


def _deviation(claim: Claim, grid: Grid, deadline: float) -> tuple[str | None, tuple[Measurement, ...]]:
    """How a site departs from its definition in the first run where it does; None where it does in none."""
    plan = build_plan(claim)
    measurements = [each for job in grid.jobs(plan) for each in grid.measure(job, deadline)]
    said = (departs(run) for measurement in measurements for run in measurement.runs)
    return next((words for words in said if words is not None), None), tuple(measurements)
