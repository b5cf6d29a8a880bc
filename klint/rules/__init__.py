"""The rules, one file each, and their registry: an explicit tuple, checked when imported."""

from __future__ import annotations

from typing import Any

from klint.rules.base import SECTIONS, Rule
from klint.rules.kl101_kl_input_probabilities import KlInputProbabilities
from klint.rules.kl102_kl_input_scores import KlInputScores
from klint.rules.kl103_kl_target_log_probabilities import KlTargetLogProbabilities
from klint.rules.kl110_log_of_softmax import LogOfSoftmax
from klint.rules.kl201_kl_mean_reduction import KlMeanReduction
from klint.rules.kl202_kl_batchmean_unbatched import KlBatchmeanUnbatched
from klint.rules.kl301_kl_vs_ce_divisors import KlVsCeDivisors

RULES: tuple[Rule[Any], ...] = (
    KlInputProbabilities(),
    KlInputScores(),
    KlTargetLogProbabilities(),
    LogOfSoftmax(),
    KlMeanReduction(),
    KlBatchmeanUnbatched(),
    KlVsCeDivisors(),
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
