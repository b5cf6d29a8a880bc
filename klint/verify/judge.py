"""From measured numbers to a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from klint.rules.claims import Effect
from klint.verify.protocol import Measurement, Run
from klint.verify.results import Verdict

_RELATIVE = {"float64": 1e-7, "float32": 1e-5, "bfloat16": 5e-2, "float16": 5e-3}
_ABSOLUTE = {"float64": 1e-6, "float32": 1e-6, "bfloat16": 5e-2, "float16": 5e-3}
_STABLE = 1e-3
"""By how much a ratio may differ between draws and still count as one."""
_MODERATE = 1e-2
"""By how much log(softmax(x) + eps) may differ for moderate scores, where nothing underflows."""


@dataclass(frozen=True)
class Ruling:
    """A verdict and what it rests on, in words."""

    verdict: Verdict
    reason: str


def judge(effect: Effect, measurements: Sequence[Measurement]) -> Ruling:
    """Judge one claim by measurements of it at the same sizes; more than one tells whether a ratio is stable."""
    rulings = [_judge_one(effect, measurement) for measurement in measurements]
    ruling = combine(rulings)
    ratios = [measurement.runs[0].ratio for measurement in measurements]
    if effect is Effect.RATIO and ruling.verdict is Verdict.CONFIRMED and len(ratios) > 1:
        first = ratios[0] or 0.0
        if any(abs((ratio or 0.0) - first) > _STABLE * abs(first) for ratio in ratios):
            return Ruling(Verdict.INCONCLUSIVE, "the ratio is another one for other numbers")
    return ruling


def combine(rulings: Sequence[Ruling]) -> Ruling:
    """One ruling from many: one refutation refutes; a confirmation stands if nothing speaks against it."""
    for verdict in (Verdict.REFUTED, Verdict.CONFIRMED):
        for ruling in rulings:
            if ruling.verdict is verdict:
                missing = sum(other.verdict is Verdict.INCONCLUSIVE for other in rulings)
                more = f" ({missing} of {len(rulings)} runs were inconclusive)" if missing else ""
                return Ruling(verdict, ruling.reason + more)
    return rulings[0]


def agree(left: float, right: float, dtype: str) -> bool:
    """Whether two values are equal but for rounding in ``dtype``; infinite ones never are."""
    if not (math.isfinite(left) and math.isfinite(right)):
        return False
    return abs(left - right) <= _ABSOLUTE.get(dtype, 1e-6) + _RELATIVE.get(dtype, 1e-5) * abs(right)


def _judge_one(effect: Effect, measurement: Measurement) -> Ruling:
    run = measurement.runs[0]
    if not math.isfinite(run.expected):
        return Ruling(Verdict.INCONCLUSIVE, f"the expected value is {run.expected} for these numbers")
    ruling = _underflow(measurement.runs) if effect is Effect.UNDERFLOW else _EFFECTS[effect](run)
    if ruling.verdict is not Verdict.CONFIRMED:
        return ruling
    agrees = agree(run.fixed, run.expected, run.dtype)
    if not agrees and not (effect is Effect.UNDERFLOW and _nearly(run.fixed, run.expected)):
        return Ruling(
            Verdict.INCONCLUSIVE,
            f"{ruling.reason}, but the fixed code gives {run.fixed:.6g}, where {run.expected:.6g} is expected",
        )
    # A cross entropy is of the order of ln C, and so is its rounding error.
    if run.counterpart is not None and not _matches(run.counterpart, run.fixed, run.dtype, math.log(run.classes)):
        return Ruling(
            Verdict.INCONCLUSIVE,
            f"{ruling.reason}, but the fixed code gives {run.fixed:.6g} and the other side {run.counterpart:.6g}",
        )
    return Ruling(Verdict.CONFIRMED, f"{ruling.reason}; the fixed code agrees")


def _ratio(run: Run) -> Ruling:
    if run.ratio is None or agree(run.expected, 0.0, run.dtype):
        return Ruling(Verdict.INCONCLUSIVE, "the expected value is 0 for these numbers, which leaves no ratio to see")
    if run.claimed is not None and abs(run.claimed - 1.0) <= _STABLE:
        return Ruling(Verdict.INCONCLUSIVE, "the claimed ratio is 1 for these sizes")
    if agree(run.as_written, run.expected, run.dtype):
        return _no_gap(run)
    if not math.isfinite(run.ratio):
        return Ruling(
            Verdict.INCONCLUSIVE, f"as written it gives {run.as_written:.6g}, expected {run.expected:.6g}: no ratio"
        )
    measured = f"as written it is {_times(run.ratio)} the expected value"
    if run.claimed is None:
        return Ruling(Verdict.CONFIRMED, measured)
    if abs(run.ratio - run.claimed) <= _STABLE * abs(run.claimed) or agree(
        run.as_written, run.claimed * run.expected, run.dtype
    ):
        return Ruling(Verdict.CONFIRMED, f"{measured}, as claimed")
    return Ruling(Verdict.REFUTED, f"{measured}, not {_times(run.claimed)} it as claimed")


def _differs(run: Run) -> Ruling:
    if agree(run.as_written, run.expected, run.dtype):
        return _no_gap(run)
    return Ruling(Verdict.CONFIRMED, f"as written it gives {run.as_written:.6g}, expected {run.expected:.6g}")


def _nan(run: Run) -> Ruling:
    if math.isnan(run.as_written):
        return Ruling(Verdict.CONFIRMED, "as written it gives NaN")
    return Ruling(Verdict.REFUTED, f"as written it gives {run.as_written:.6g}, not NaN")


def _underflow(runs: Sequence[Run]) -> Ruling:
    near, far = runs
    if not _nearly(near.as_written, near.expected):
        return Ruling(
            Verdict.INCONCLUSIVE,
            f"it differs for moderate scores already: as written {near.as_written:.6g}, expected {near.expected:.6g}",
        )
    where = f"at a score gap of {far.sizes['score_gap']:g}"
    if not math.isfinite(far.fixed):
        return Ruling(Verdict.INCONCLUSIVE, f"the fixed code gives {far.fixed} {where}")
    if not math.isfinite(far.as_written):
        return Ruling(Verdict.CONFIRMED, f"as written it gives {far.as_written} {where}")
    if far.gradient is not None and not math.isfinite(far.gradient):
        return Ruling(Verdict.CONFIRMED, f"as written its gradient is {far.gradient} {where}")
    if not agree(far.as_written, far.fixed, far.dtype):
        return Ruling(Verdict.CONFIRMED, f"as written it gives {far.as_written:.6g} {where}, expected {far.fixed:.6g}")
    if agree(far.fixed, 0.0, far.dtype):
        return Ruling(Verdict.INCONCLUSIVE, f"the value is 0 {where} as well, which leaves nothing to see")
    return Ruling(Verdict.REFUTED, f"no gap: value and gradient are finite and right {where}")


def _nearly(value: float, expected: float) -> bool:
    return abs(value - expected) <= _MODERATE * max(1e-3, abs(expected))


def _no_gap(run: Run) -> Ruling:
    return Ruling(Verdict.REFUTED, f"no gap: as written it gives {run.as_written:.6g}, as expected")


def _matches(left: float, right: float, dtype: str, scale: float) -> bool:
    return math.isfinite(left) and abs(left - right) <= _ABSOLUTE.get(dtype, 1e-6) * max(1.0, abs(right), scale)


_EFFECTS = {Effect.RATIO: _ratio, Effect.DIFFERS: _differs, Effect.NAN: _nan}


def as_fraction(value: float) -> Fraction | None:
    """The fraction that a measured number is, if its terms are small: 0.25000001 is 1/4. None for whole numbers and others."""
    if not math.isfinite(value):
        return None
    fraction = Fraction(value).limit_denominator(10_000)
    simple = fraction.denominator <= 100 or abs(fraction.numerator) == 1
    near = abs(float(fraction) - value) <= 2e-6 * abs(value)
    return fraction if simple and near and fraction.denominator > 1 else None


def _times(ratio: float) -> str:
    """A ratio in words: ``1/4 of``, ``8 times``, ``0.3127 times``."""
    fraction = as_fraction(ratio)
    if fraction is not None and 0 < fraction < 1:
        return f"{fraction} of"
    return f"{ratio:.4g} times" if fraction is None else f"{fraction} times"
