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
_NARROW = ("bfloat16", "float16")
_ZERO = {"float64": 1e-12, "float32": 1e-6, "bfloat16": 1e-2, "float16": 1e-3}
"""How small a gradient is nothing but rounding, relative to the others."""
_LEAST_GRADIENT = 1e-2
"""What rounding is measured by where all gradients are smaller: those of a loss at its optimum are nothing but rounding."""
_GRADIENT = {"float64": 1e-5, "float32": 1e-3, "bfloat16": 1e-1, "float16": 3e-2}
"""By how much norm and direction of two equal gradients may differ: those of a reference in float64 flow back through the code."""
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


def departs(run: Run) -> str | None:
    """How a value as written departs from its definition, in words; None where value and gradient are the expected ones.

    Raises ``ValueError`` where the numbers do not say.
    """
    written, expected = _values(run)
    if not math.isfinite(expected):
        raise ValueError(f"the expected value is {expected:g} for these numbers")
    if not agree(written, expected, run.dtype):
        times = f", {_times(run.ratio)} it" if run.ratio is not None and math.isfinite(run.ratio) else ""
        return f"it gives {written:.6g}, where {expected:.6g} is expected{times}"
    if not _is_expected(run, run.gradient, run.grad_cosine):
        return (
            f"the value is the expected one, but the gradient's norm is {run.gradient or 0.0:.4g}, where "
            f"{run.expected_gradient or 0.0:.4g} is expected{_angle(run.grad_cosine)}"
        )
    return None


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
    if run.expected is None and effect not in _NEED_NO_REFERENCE:
        return Ruling(Verdict.INCONCLUSIVE, "there is neither fixed code nor a definition to hold it against")
    if run.expected is not None and not math.isfinite(run.expected):
        return Ruling(Verdict.INCONCLUSIVE, f"the expected value is {run.expected} for these numbers")
    ruling = _underflow(measurement.runs) if effect is Effect.UNDERFLOW else _EFFECTS[effect](run)
    is_gap = (
        run.expected is not None and run.as_written is not None and not agree(run.as_written, run.expected, run.dtype)
    )
    refuted_by_value = ruling.verdict is Verdict.REFUTED and is_gap
    return _with_reference(ruling, effect, run) if ruling.verdict is Verdict.CONFIRMED or refuted_by_value else ruling


def _with_reference(ruling: Ruling, effect: Effect, run: Run) -> Ruling:
    """A ruling on a gap, if the fixed code is right: it agrees with the definition, and with the other side of a comparison.

    Where it does not, something else is wrong with the site, or with what was made up for it.
    """
    if run.fixed is None or run.expected is None:
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
    if ruling.verdict is Verdict.REFUTED:
        return ruling
    if effect is not Effect.UNDERFLOW and not _same_gradient(run):
        return Ruling(
            Verdict.INCONCLUSIVE,
            f"{ruling.reason}; the fixed code has the value that is expected, but not the gradient: its norm is "
            f"{run.fixed_gradient:.4g}, expected {run.expected_gradient:.4g}{_angle(run.fixed_grad_cosine)}",
        )
    how = "agrees" if run.reference == "definition" else f"is the reference: {run.fixed:.6g}"
    return Ruling(Verdict.CONFIRMED, f"{ruling.reason}; the fixed code {how}")


def _same_gradient(run: Run) -> bool:
    """Whether the gradient of the fixed code is the expected one, where both are there."""
    return _is_expected(run, run.fixed_gradient, run.fixed_grad_cosine)


def _is_expected(run: Run, own: float | None, cosine: float | None) -> bool:
    expected = run.expected_gradient
    if own is None or expected is None or not math.isfinite(expected):
        return True
    near, scale = _GRADIENT.get(run.dtype, 1e-3), max(expected, _LEAST_GRADIENT)
    is_seen = expected > near * _LEAST_GRADIENT
    is_along = cosine is None or cosine >= 1 - near
    return abs(own - expected) <= near * scale and (is_along or not is_seen)


def _angle(cosine: float | None) -> str:
    return "" if cosine is None else f", cosine {cosine:.4g}"


def _ratio(run: Run) -> Ruling:
    written, expected = _values(run)
    if run.ratio is None or agree(expected, 0.0, run.dtype):
        return Ruling(Verdict.INCONCLUSIVE, "the expected value is 0 for these numbers, which leaves no ratio to see")
    if run.claimed is not None and abs(run.claimed - 1.0) <= _STABLE:
        return Ruling(Verdict.INCONCLUSIVE, "the claimed ratio is 1 for these sizes")
    if agree(written, expected, run.dtype):
        return _no_gap(run)
    if not math.isfinite(run.ratio):
        return Ruling(Verdict.INCONCLUSIVE, f"as written it gives {written:.6g}, expected {expected:.6g}: no ratio")
    measured = f"as written it is {_times(run.ratio)} the expected value"
    if run.claimed is None:
        return Ruling(Verdict.CONFIRMED, measured)
    if abs(run.ratio - run.claimed) <= _STABLE * abs(run.claimed) or agree(written, run.claimed * expected, run.dtype):
        return Ruling(Verdict.CONFIRMED, f"{measured}, as claimed")
    return Ruling(Verdict.REFUTED, f"{measured}, not {_times(run.claimed)} it as claimed")


def _differs(run: Run) -> Ruling:
    written, expected = _values(run)
    if agree(written, expected, run.dtype):
        return _no_gap(run)
    return Ruling(Verdict.CONFIRMED, f"as written it gives {written:.6g}, expected {expected:.6g}")


def _same(run: Run) -> Ruling:
    if run.same_expression:
        return Ruling(Verdict.INCONCLUSIVE, "the fixed code is the code as written, which leaves nothing to compare")
    written, expected = _values(run)
    near = _GRADIENT.get(run.dtype, 1e-3)
    if not agree(written, expected, run.dtype):
        return Ruling(Verdict.REFUTED, f"as written it gives {written:.6g}, expected {expected:.6g}: another number")
    own, fixed = run.gradient, run.fixed_gradient
    is_judged = own is not None and fixed is not None and run.expected_gradient is not None
    differs = is_judged and not agree(own or 0.0, fixed or 0.0, run.dtype)
    if differs or (run.grad_cosine is not None and not _vanishes(run, own or 0.0) and run.grad_cosine < 1 - near):
        return Ruling(
            Verdict.REFUTED,
            f"the value is the same, but the gradient's norm is {own or 0.0:.6g}, where that of the fixed code is "
            f"{fixed or 0.0:.6g}{_angle(run.grad_cosine)}",
        )
    return Ruling(Verdict.CONFIRMED, f"no numeric effect: as written it gives {written:.6g}, as expected")


def _nan(run: Run) -> Ruling:
    written = _known(run.as_written)
    if math.isnan(written):
        return Ruling(Verdict.CONFIRMED, "as written it gives NaN")
    return Ruling(Verdict.REFUTED, f"as written it gives {written:.6g}, not NaN")


def _raises(run: Run) -> Ruling:
    if run.raised is None:
        return Ruling(Verdict.REFUTED, f"nothing is raised: as written it gives {_known(run.as_written):.6g}")
    return Ruling(Verdict.CONFIRMED, f"as written {run.raised}")


def _flat(run: Run) -> Ruling:
    if run.subject_gradient is None:
        return _nothing_behind(run)
    if not _vanishes(run, run.subject_gradient):
        return Ruling(
            Verdict.REFUTED, f"as written a gradient of norm {run.subject_gradient:.4g} reaches {run.subject}"
        )
    without = f"as written the gradient with respect to {run.subject} is 0"
    if run.fixed is None:
        return Ruling(Verdict.CONFIRMED, without)
    if run.fixed_subject_gradient is None or _vanishes(run, run.fixed_subject_gradient):
        return Ruling(Verdict.INCONCLUSIVE, f"{without}, but so it is with the fixed code")
    return Ruling(Verdict.CONFIRMED, f"{without}, with the fixed code its norm is {run.fixed_subject_gradient:.4g}")


def _leak(run: Run) -> Ruling:
    if run.subject_gradient is None:
        return _nothing_behind(run)
    if _vanishes(run, run.subject_gradient):
        return Ruling(Verdict.REFUTED, f"as written no gradient reaches {run.subject}")
    leak = f"as written a gradient of norm {run.subject_gradient:.4g} reaches {run.subject}"
    if run.fixed is None:
        return Ruling(Verdict.CONFIRMED, leak)
    if run.fixed_subject_gradient is not None and not _vanishes(run, run.fixed_subject_gradient):
        return Ruling(Verdict.INCONCLUSIVE, f"{leak}, but so does one with the fixed code")
    return Ruling(Verdict.CONFIRMED, f"{leak}, with the fixed code none does")


def _nothing_behind(run: Run) -> Ruling:
    what = f"no tensor behind {run.subject} takes a gradient" if run.subject else "the claim names no subject"
    return Ruling(Verdict.INCONCLUSIVE, what)


def _vanishes(run: Run, gradient: float) -> bool:
    """Whether a gradient's norm is 0 but for rounding, measured by that of all gradients there are."""
    scales = [norm for norm in (run.gradient, run.fixed_gradient) if norm is not None and norm < math.inf]
    return gradient <= _ZERO.get(run.dtype, 1e-6) * max(_LEAST_GRADIENT, *scales, 0.0)


def _underflow(runs: Sequence[Run]) -> Ruling:
    near, far = runs
    written, expected = _values(near)
    if not _nearly(written, expected):
        return Ruling(
            Verdict.INCONCLUSIVE,
            f"it differs for moderate scores already: as written {written:.6g}, expected {expected:.6g}",
        )
    where = f"at a score gap of {far.sizes['score_gap']:g}"
    written, fixed = _known(far.as_written), _known(far.fixed)
    if not math.isfinite(fixed):
        return Ruling(Verdict.INCONCLUSIVE, f"the fixed code gives {far.fixed} {where}")
    if not math.isfinite(written):
        return Ruling(Verdict.CONFIRMED, f"as written it gives {written} {where}")
    if far.gradient is not None and not math.isfinite(far.gradient):
        return Ruling(Verdict.CONFIRMED, f"as written its gradient is {far.gradient} {where}")
    if not agree(written, fixed, far.dtype):
        return Ruling(Verdict.CONFIRMED, f"as written it gives {written:.6g} {where}, expected {fixed:.6g}")
    if agree(fixed, 0.0, far.dtype):
        return Ruling(Verdict.INCONCLUSIVE, f"the value is 0 {where} as well, which leaves nothing to see")
    return Ruling(Verdict.REFUTED, f"no gap: value and gradient are finite and right {where}")


def _values(run: Run) -> tuple[float, float]:
    """As written and as expected."""
    return _known(run.as_written), _known(run.expected)


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _nearly(value: float, expected: float) -> bool:
    return abs(value - expected) <= _MODERATE * max(1e-3, abs(expected))


def _no_gap(run: Run) -> Ruling:
    if run.dtype in _NARROW:
        return Ruling(Verdict.INCONCLUSIVE, f"no gap beyond the rounding of {run.dtype}")
    return Ruling(Verdict.REFUTED, f"no gap: as written it gives {_known(run.as_written):.6g}, as expected")


def _matches(left: float, right: float, dtype: str, scale: float) -> bool:
    return math.isfinite(left) and abs(left - right) <= _ABSOLUTE.get(dtype, 1e-6) * max(1.0, abs(right), scale)


_EFFECTS = {
    Effect.RATIO: _ratio,
    Effect.DIFFERS: _differs,
    Effect.NAN: _nan,
    Effect.RAISES: _raises,
    Effect.SAME: _same,
    Effect.FLAT: _flat,
    Effect.LEAK: _leak,
}
_NEED_NO_REFERENCE = (Effect.NAN, Effect.RAISES, Effect.FLAT, Effect.LEAK)


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
