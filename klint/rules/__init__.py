"""The rules, one file each, and their registry: an explicit tuple, checked when imported."""

from __future__ import annotations

from typing import Any

from klint.rules.base import SECTIONS, Rule
from klint.rules.kl101_kl_input_probabilities import KlInputProbabilities
from klint.rules.kl102_kl_input_scores import KlInputScores
from klint.rules.kl103_kl_target_log_probabilities import KlTargetLogProbabilities
from klint.rules.kl104_kl_target_scores import KlTargetScores
from klint.rules.kl105_kl_log_target_probabilities import KlLogTargetProbabilities
from klint.rules.kl106_kl_swapped_arguments import KlSwappedArguments
from klint.rules.kl107_kl_class_indices import KlClassIndices
from klint.rules.kl108_kl_dim_mismatch import KlDimMismatch
from klint.rules.kl109_kl_broadcast import KlBroadcast
from klint.rules.kl110_log_of_softmax import LogOfSoftmax
from klint.rules.kl111_normalised_twice import NormalisedTwice
from klint.rules.kl112_kl_elementwise_probabilities import KlElementwiseProbabilities
from klint.rules.kl113_scaled_after_normalising import ScaledAfterNormalising
from klint.rules.kl201_kl_mean_reduction import KlMeanReduction
from klint.rules.kl202_kl_batchmean_unbatched import KlBatchmeanUnbatched
from klint.rules.kl203_kl_batchmean_positions import KlBatchmeanPositions
from klint.rules.kl204_kl_elementwise_mean import KlElementwiseMean
from klint.rules.kl205_legacy_reduction import LegacyReduction
from klint.rules.kl206_reduction_in_wrong_slot import ReductionInWrongSlot
from klint.rules.kl208_unknown_reduction import UnknownReduction
from klint.rules.kl209_reduced_twice import ReducedTwice
from klint.rules.kl210_divided_twice import DividedTwice
from klint.rules.kl301_kl_vs_ce_divisors import KlVsCeDivisors
from klint.rules.kl302_kl_vs_ce_options import KlVsCeOptions
from klint.rules.kl303_kl_vs_ce_entropy import KlVsCeEntropy
from klint.rules.kl304_kl_vs_ce_exact import KlVsCeExact
from klint.rules.kl305_kl_vs_ce_direction import KlVsCeDirection
from klint.rules.kl401_ce_input_probabilities import CeInputProbabilities
from klint.rules.kl403_ce_input_elementwise import CeInputElementwise
from klint.rules.kl404_ce_target_not_distribution import CeTargetNotDistribution
from klint.rules.kl405_nll_input import NllInput
from klint.rules.kl406_bce_input_scores import BceInputScores
from klint.rules.kl407_bce_logits_input_probabilities import BceLogitsInputProbabilities
from klint.rules.kl408_loss_constructor_call import LossConstructorCall
from klint.rules.kl409_ce_class_dim import CeClassDim
from klint.rules.kl410_single_class import SingleClass
from klint.rules.kl411_implicit_softmax_dim import ImplicitSoftmaxDim
from klint.rules.kl412_softmax_batch_dim import SoftmaxBatchDim
from klint.rules.kl413_ce_swapped_arguments import CeSwappedArguments
from klint.rules.kl414_integer_one_hot import IntegerOneHot
from klint.rules.kl901_mixed_divisors import MixedDivisors
from klint.rules.kl902_ce_input_log_probabilities import CeInputLogProbabilities
from klint.rules.kl903_kd_temperature_scale import KdTemperatureScale
from klint.rules.kl904_kd_target_gradient import KdTargetGradient
from klint.rules.kl905_unused_noqa import UnusedNoqa
from klint.rules.kl906_one_sided_temperature import OneSidedTemperature

RULES: tuple[Rule[Any], ...] = (
    KlInputProbabilities(),
    KlInputScores(),
    KlTargetLogProbabilities(),
    KlTargetScores(),
    KlLogTargetProbabilities(),
    KlSwappedArguments(),
    KlClassIndices(),
    KlDimMismatch(),
    KlBroadcast(),
    LogOfSoftmax(),
    NormalisedTwice(),
    KlElementwiseProbabilities(),
    ScaledAfterNormalising(),
    KlMeanReduction(),
    KlBatchmeanUnbatched(),
    KlBatchmeanPositions(),
    KlElementwiseMean(),
    LegacyReduction(),
    ReductionInWrongSlot(),
    UnknownReduction(),
    ReducedTwice(),
    DividedTwice(),
    KlVsCeDivisors(),
    KlVsCeOptions(),
    KlVsCeEntropy(),
    KlVsCeExact(),
    KlVsCeDirection(),
    CeInputProbabilities(),
    CeInputElementwise(),
    CeTargetNotDistribution(),
    NllInput(),
    BceInputScores(),
    BceLogitsInputProbabilities(),
    LossConstructorCall(),
    CeClassDim(),
    SingleClass(),
    ImplicitSoftmaxDim(),
    SoftmaxBatchDim(),
    CeSwappedArguments(),
    IntegerOneHot(),
    MixedDivisors(),
    CeInputLogProbabilities(),
    KdTemperatureScale(),
    KdTargetGradient(),
    UnusedNoqa(),
    OneSidedTemperature(),
)


def _check_registry() -> None:
    """Codes and names are unique, codes are in order, and every page has the sections that it must have."""
    codes = [rule.code for rule in RULES]
    if codes != sorted(set(codes)) or len({rule.name for rule in RULES}) != len(codes):
        raise AssertionError("rule codes must be unique and in order, rule names unique")
    for rule in RULES:
        for title in SECTIONS:
            if title not in ("Fix",) and not rule.section(title):
                raise AssertionError(f"the page of {rule.code} lacks the section {title!r}")


_check_registry()
