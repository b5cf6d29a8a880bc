from __future__ import annotations

import math
from fractions import Fraction

import pytest

from klint.rules.claims import Effect
from klint.verify.judge import Ruling, agree, as_fraction, combine, judge
from klint.verify.protocol import Measurement, Raised, Run
from klint.verify.results import Verdict


def run(as_written, expected=2.0, fixed=2.0, dtype="float64", sizes=None, **more) -> Run:
    sizes = {"input": [7, 10], "target": [7, 10], "classes": 10, **(sizes or {})}
    return Run("cpu", dtype, sizes, as_written, expected, fixed, **more)


def ruling(effect: Effect, *runs: Run) -> Ruling:
    return judge(effect, [Measurement(runs, ())])


class TestRatio:
    def test_as_claimed(self):
        ruled = ruling(Effect.RATIO, run(0.5, claimed=0.25))
        assert ruled == Ruling(
            Verdict.CONFIRMED, "as written it is 1/4 of the expected value, as claimed; the fixed code agrees"
        )

    def test_not_as_claimed(self):
        ruled = ruling(Effect.RATIO, run(0.5, claimed=0.1))
        assert ruled.verdict is Verdict.REFUTED
        assert ruled.reason == "as written it is 1/4 of the expected value, not 1/10 of it as claimed"

    def test_no_gap(self):
        assert ruling(Effect.RATIO, run(2.0, claimed=0.25)).verdict is Verdict.REFUTED

    def test_nothing_to_see_where_the_expected_value_is_0(self):
        assert ruling(Effect.RATIO, run(0.0, 0.0, 0.0, claimed=0.25)).verdict is Verdict.INCONCLUSIVE

    def test_nothing_to_see_where_the_claimed_ratio_is_1(self):
        assert ruling(Effect.RATIO, run(2.0, claimed=1.0)).verdict is Verdict.INCONCLUSIVE

    def test_without_a_claimed_number_it_must_be_the_same_for_other_numbers(self):
        stable = [Measurement((run(0.5),), ()), Measurement((run(1.0, 4.0, 4.0),), ())]
        unstable = [Measurement((run(0.5),), ()), Measurement((run(1.1, 4.0, 4.0),), ())]
        assert judge(Effect.RATIO, stable).verdict is Verdict.CONFIRMED
        assert judge(Effect.RATIO, unstable).verdict is Verdict.INCONCLUSIVE

    def test_a_value_without_a_ratio(self):
        assert ruling(Effect.RATIO, run(math.nan, claimed=0.5)).verdict is Verdict.INCONCLUSIVE


class TestDiffers:
    def test_another_number(self):
        assert ruling(Effect.DIFFERS, run(-1.0)).verdict is Verdict.CONFIRMED

    def test_the_same_number(self):
        assert ruling(Effect.DIFFERS, run(2.0 + 1e-9)).verdict is Verdict.REFUTED

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
    def test_a_gap_may_be_lost_in_the_rounding_of_narrow_dtypes(self, dtype):
        ruled = ruling(Effect.DIFFERS, run(2.001, dtype=dtype))
        assert ruled == Ruling(Verdict.INCONCLUSIVE, f"no gap beyond the rounding of {dtype}")


class TestNan:
    def test_nan(self):
        assert ruling(Effect.NAN, run(math.nan)).verdict is Verdict.CONFIRMED

    def test_a_number(self):
        assert ruling(Effect.NAN, run(3.0)).reason == "as written it gives 3, not NaN"


class TestUnderflow:
    def far(self, as_written, fixed=50.0, **more):
        return run(as_written, math.inf, fixed, "float32", sizes={"score_gap": 200.0}, **more)

    @pytest.mark.parametrize(
        ("far", "reason"),
        [
            ({"as_written": math.inf}, "as written it gives inf at a score gap of 200"),
            ({"as_written": math.nan}, "as written it gives nan at a score gap of 200"),
            ({"as_written": 50.0, "gradient": math.nan}, "as written its gradient is nan at a score gap of 200"),
            ({"as_written": 18.0}, "as written it gives 18 at a score gap of 200, expected 50"),
        ],
        ids=["infinite", "nan", "gradient", "capped"],
    )
    def test_it_breaks_at_a_score_gap(self, far, reason):
        ruled = ruling(Effect.UNDERFLOW, run(2.0, dtype="float32"), self.far(**far))
        assert ruled == Ruling(Verdict.CONFIRMED, f"{reason}; the fixed code agrees")

    def test_an_epsilon_may_move_moderate_values_a_little(self):
        assert ruling(Effect.UNDERFLOW, run(2.001), self.far(math.inf)).verdict is Verdict.CONFIRMED

    def test_it_does_not_break(self):
        assert ruling(Effect.UNDERFLOW, run(2.0), self.far(50.0, gradient=1.0)).verdict is Verdict.REFUTED

    def test_it_differs_anyway(self):
        assert ruling(Effect.UNDERFLOW, run(3.0), self.far(math.inf)).verdict is Verdict.INCONCLUSIVE

    def test_the_fixed_code_breaks_too(self):
        assert ruling(Effect.UNDERFLOW, run(2.0), self.far(math.inf, math.inf)).verdict is Verdict.INCONCLUSIVE


class TestTheFixedCode:
    def test_must_agree_with_what_is_expected(self):
        ruled = ruling(Effect.DIFFERS, run(1.0, fixed=1.5))
        assert ruled.verdict is Verdict.INCONCLUSIVE
        assert "but the fixed code gives 1.5, where 2 is expected" in ruled.reason

    def test_must_agree_with_the_other_side_of_a_comparison(self):
        assert ruling(Effect.DIFFERS, run(1.0, counterpart=2.0 + 1e-6)).verdict is Verdict.CONFIRMED
        assert ruling(Effect.DIFFERS, run(1.0, counterpart=2.0001)).verdict is Verdict.INCONCLUSIVE


def test_an_infinite_expectation_proves_nothing():
    assert ruling(Effect.DIFFERS, run(1.0, math.inf, math.inf)).verdict is Verdict.INCONCLUSIVE


class TestRaises:
    RAISED = Raised("kl_div", "RuntimeError", "no")

    def test_it_does(self):
        ruled = ruling(Effect.RAISES, run(None, raised=self.RAISED))
        assert ruled.reason == "as written kl_div raises RuntimeError: no; the fixed code agrees"

    def test_it_does_not(self):
        assert ruling(Effect.RAISES, run(3.0)).verdict is Verdict.REFUTED

    def test_the_fixed_code_must_be_right(self):
        assert ruling(Effect.RAISES, run(None, fixed=1.5, raised=self.RAISED)).verdict is Verdict.INCONCLUSIVE


class TestReferences:
    def test_fixed_code_that_is_the_reference_is_named(self):
        ruled = ruling(Effect.DIFFERS, run(1.0, reference="fixed code"))
        assert ruled.reason == "as written it gives 1, expected 2; the fixed code is the reference: 2"

    @pytest.mark.parametrize("effect", Effect)
    def test_without_any_only_some_effects_can_be_seen(self, effect):
        blind = run(math.nan, None, None, reference=None, raised=None, subject_gradient=0.0, subject="x")
        confirmed = {Effect.NAN, Effect.FLAT}
        assert (ruling(effect, blind, blind).verdict is Verdict.CONFIRMED) == (effect in confirmed)


class TestGradients:
    @pytest.mark.parametrize(
        ("effect", "own", "fixed", "verdict"),
        [
            (Effect.FLAT, 0.0, 0.5, Verdict.CONFIRMED),
            (Effect.FLAT, 1e-16, 0.5, Verdict.CONFIRMED),
            (Effect.FLAT, 1e-6, 0.5, Verdict.REFUTED),
            (Effect.FLAT, 0.0, 0.0, Verdict.INCONCLUSIVE),
            (Effect.FLAT, None, None, Verdict.INCONCLUSIVE),
            (Effect.LEAK, 0.5, 0.0, Verdict.CONFIRMED),
            (Effect.LEAK, 0.5, None, Verdict.CONFIRMED),
            (Effect.LEAK, 0.5, 0.5, Verdict.INCONCLUSIVE),
            (Effect.LEAK, 0.0, 0.0, Verdict.REFUTED),
            (Effect.LEAK, None, None, Verdict.INCONCLUSIVE),
        ],
    )
    def test_they_are_0_or_not(self, effect, own, fixed, verdict):
        measured = run(2.0, subject="x", subject_gradient=own, fixed_subject_gradient=fixed)
        assert ruling(effect, measured).verdict is verdict


class TestCombine:
    confirmed, refuted, open = (Ruling(verdict, verdict.value) for verdict in Verdict)

    @pytest.mark.parametrize(
        ("rulings", "verdict", "reason"),
        [
            ([confirmed, confirmed], Verdict.CONFIRMED, "confirmed"),
            ([confirmed, refuted], Verdict.REFUTED, "refuted"),
            ([open, confirmed], Verdict.CONFIRMED, "confirmed (1 of 2 runs were inconclusive)"),
            ([open, open], Verdict.INCONCLUSIVE, "inconclusive"),
        ],
    )
    def test_one_refutation_refutes_and_silence_says_nothing(self, rulings, verdict, reason):
        assert combine(rulings) == Ruling(verdict, reason)


@pytest.mark.parametrize(
    ("value", "fraction"),
    [
        (0.25, Fraction(1, 4)),
        (0.25 + 1e-8, Fraction(1, 4)),
        (1.5, Fraction(3, 2)),
        (0.001, Fraction(1, 1000)),
        (8.0, None),
        (math.pi, None),
        (0.3127113, None),
        (math.nan, None),
    ],
)
def test_ratios_are_fractions_where_these_are_simple(value, fraction):
    assert as_fraction(value) == fraction


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-7), ("float32", 1e-6), ("bfloat16", 1e-2)])
def test_narrow_dtypes_round_more(dtype, error):
    assert agree(1.0, 1.0 + error, dtype)
    assert not agree(1.0, 1.0 + 100 * error, dtype)
