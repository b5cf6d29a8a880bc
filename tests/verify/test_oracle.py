from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import special, stats

from klint.rules.claims import Divisor
from klint.torch_model.facts import Space
from klint.verify import oracle
from klint.verify.oracle import Operand, OracleError, cross_entropy, entropy, expected_value, kl

DIVISORS = {Divisor.ONE: 1, Divisor.ROWS: 3, Divisor.BATCH: 3, Divisor.NUMEL: 12}


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def scores(tensor: torch.Tensor, dim: int | None = -1) -> Operand:
    return Operand(tensor, Space.SCORES, dim)


X, Y = draw(3, 4), draw(3, 4, seed=1)
P, Q = special.softmax(X.numpy(), axis=1), special.softmax(Y.numpy(), axis=1)


class TestKl:
    @pytest.mark.parametrize("divisor", Divisor)
    def test_is_the_sum_of_scipys_rel_entr(self, divisor):
        expected = special.rel_entr(Q, P).sum() / DIVISORS[divisor]
        assert kl(scores(X), scores(Y), divisor) == pytest.approx(expected, rel=1e-14)

    def test_is_torchs_kl_of_two_categoricals(self):
        input, target = (torch.distributions.Categorical(logits=logits) for logits in (X, Y))
        expected = torch.distributions.kl_divergence(target, input).mean().item()
        assert kl(scores(X), scores(Y), Divisor.ROWS) == pytest.approx(expected, rel=1e-14)

    def test_computed_by_hand(self):
        # Q = (1/2, 1/2, 0) against P = (1/4, 1/4, 1/2): log 2 twice with weight 1/2, and 0 where Q is 0.
        input = Operand(torch.tensor([0.25, 0.25, 0.5]), Space.PROBABILITIES, 0)
        target = Operand(torch.tensor([0.5, 0.5, 0.0]), Space.PROBABILITIES, 0)
        assert kl(input, target, Divisor.ROWS) == pytest.approx(math.log(2))

    def test_the_forum_thread(self):
        input = scores(torch.tensor([0.1, 0.2, 0.4, 0.3], dtype=torch.float64))
        target = scores(torch.tensor([[0.7, 0.1, 0.1, 0.1]], dtype=torch.float64))
        assert kl(input, target, Divisor.ROWS) == pytest.approx(0.071616, abs=5e-7)
        assert kl(input, target, Divisor.BATCH) == pytest.approx(0.017904, abs=5e-7)

    @pytest.mark.parametrize(
        ("space", "convert"),
        [
            (Space.SCORES, lambda x: x),
            (Space.PROBABILITIES, lambda x: torch.from_numpy(special.softmax(x.numpy(), axis=1))),
            (Space.LOG_PROBABILITIES, lambda x: torch.from_numpy(special.log_softmax(x.numpy(), axis=1))),
        ],
        ids=["scores", "probabilities", "log-probabilities"],
    )
    def test_reads_every_space(self, space, convert):
        expected = special.rel_entr(Q, P).sum()
        assert kl(Operand(convert(X), space, 1), scores(Y), Divisor.ONE) == pytest.approx(expected)
        assert kl(scores(X), Operand(convert(Y), space, 1), Divisor.ONE) == pytest.approx(expected)

    def test_any_dim_may_run_over_classes(self):
        x, y = draw(2, 5, 3), draw(2, 5, 3, seed=1)
        p, q = (special.softmax(numbers.numpy(), axis=1) for numbers in (x, y))
        assert kl(scores(x, 1), scores(y, 1), Divisor.ROWS) == pytest.approx(special.rel_entr(q, p).sum() / 6)

    def test_a_prior_counts_once_for_every_row(self):
        prior = draw(4, seed=2)
        expected = special.rel_entr(special.softmax(prior.numpy()), P).sum() / 3
        assert kl(scores(X), scores(prior), Divisor.ROWS) == pytest.approx(expected)

    def test_mass_where_the_input_has_none_is_infinite(self):
        input = Operand(torch.tensor([1.0, 0.0]), Space.PROBABILITIES, 0)
        target = Operand(torch.tensor([0.5, 0.5]), Space.PROBABILITIES, 0)
        assert kl(input, target, Divisor.ONE) == math.inf

    def test_large_scores_do_not_overflow(self):
        x = torch.tensor([1e4, 0.0], dtype=torch.float64)
        assert kl(scores(x), scores(-x), Divisor.ONE) == pytest.approx(1e4)

    def test_narrow_dtypes_are_widened_first(self):
        x, y = X.bfloat16(), Y.bfloat16()
        assert kl(scores(x), scores(y), Divisor.ONE) == kl(scores(x.double()), scores(y.double()), Divisor.ONE)


class TestCrossEntropy:
    def test_with_a_distribution_as_target(self):
        expected = -(Q * np.log(P)).sum() / 3
        assert cross_entropy(scores(X, 1), scores(Y, 1), Divisor.ROWS) == pytest.approx(expected)

    def test_with_indices_as_target(self):
        expected = -np.log(P)[[0, 1, 2], [3, 0, 2]].mean()
        indices = Operand(torch.tensor([3, 0, 2]), Space.INDICES, None)
        assert cross_entropy(scores(X, 1), indices, Divisor.ROWS) == pytest.approx(expected)

    def test_less_the_entropy_is_kl(self):
        difference = cross_entropy(scores(X, 1), scores(Y, 1), Divisor.ROWS) - entropy(scores(Y, 1), Divisor.ROWS)
        assert difference == pytest.approx(kl(scores(X), scores(Y), Divisor.ROWS))


class TestNegativeLogLikelihood:
    INDICES = Operand(torch.tensor([3, 0, 2]), Space.INDICES, None)
    EXPECTED = -np.log(P)[[0, 1, 2], [3, 0, 2]].mean()

    @pytest.mark.parametrize(
        ("space", "numbers"),
        [(Space.LOG_PROBABILITIES, np.log(P)), (Space.PROBABILITIES, P), (Space.SCORES, X.numpy())],
        ids=["log-probabilities", "probabilities", "scores"],
    )
    def test_is_minus_the_log_of_the_probability_at_the_index(self, space, numbers):
        input = Operand(torch.from_numpy(numbers), space, 1)
        assert expected_value("nll_loss", input, self.INDICES, Divisor.ROWS) == pytest.approx(self.EXPECTED)

    def test_classes_are_in_dim_1_where_nobody_says_otherwise(self):
        x, labels = draw(2, 5, 3), torch.tensor([[4, 0, 1], [2, 2, 3]])
        log_p = special.log_softmax(x.numpy(), axis=1)
        expected = -sum(log_p[row, labels[row, at], at] for row in range(2) for at in range(3)) / 6
        indices = Operand(labels, Space.INDICES, None)
        assert expected_value("nll_loss", scores(x, None), indices, Divisor.ROWS) == pytest.approx(expected)

    def test_computed_by_hand(self):
        input = Operand(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]), Space.PROBABILITIES, 1)
        indices = Operand(torch.tensor([1, 2]), Space.INDICES, 1)
        value = expected_value("nll_loss", input, indices, Divisor.ONE)
        assert value == pytest.approx(math.log(4) + math.log(1.25), rel=1e-6)

    def test_an_index_that_is_no_class(self):
        with pytest.raises(OracleError):
            expected_value("nll_loss", scores(X, 1), Operand(torch.tensor([3, 0, 9]), Space.INDICES, 1), Divisor.ROWS)


class TestBinaryCrossEntropy:
    S, T = special.expit(X.numpy()), special.expit(Y.numpy())
    EXPECTED = -(special.xlogy(T, S) + special.xlog1py(1 - T, -S)).mean()

    @pytest.mark.parametrize("loss", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
    @pytest.mark.parametrize(
        ("space", "numbers"),
        [
            (Space.SCORES, X.numpy()),
            (Space.ELEMENTWISE, S),
            (Space.PROBABILITIES, S),
            (Space.LOG_ELEMENTWISE, special.log_expit(X.numpy())),
        ],
        ids=["scores", "elementwise probabilities", "probabilities", "their logs"],
    )
    def test_reads_every_space(self, loss, space, numbers):
        target = Operand(torch.from_numpy(self.T), Space.ELEMENTWISE, None)
        value = expected_value(loss, Operand(torch.from_numpy(numbers), space, None), target, Divisor.NUMEL)
        assert value == pytest.approx(self.EXPECTED, rel=1e-12)

    def test_is_torchs_cross_entropy_of_two_bernoullis(self):
        input, target = (torch.distributions.Bernoulli(logits=logits) for logits in (X, Y))
        expected = (torch.distributions.kl_divergence(target, input) + target.entropy()).sum().item()
        value = expected_value("binary_cross_entropy_with_logits", scores(X), scores(Y), Divisor.ONE)
        assert value == pytest.approx(expected, rel=1e-12)

    def test_labels_of_0_and_1_computed_by_hand(self):
        input = Operand(torch.tensor([0.25, 0.25]), Space.ELEMENTWISE, None)
        target = Operand(torch.tensor([0, 1]), Space.INDICES, None)
        value = expected_value("binary_cross_entropy", input, target, Divisor.ONE)
        assert value == pytest.approx(math.log(4 / 3) + math.log(4))

    def test_certainty_costs_nothing_where_it_is_right(self):
        sure = Operand(torch.tensor([0.0, 1.0]), Space.ELEMENTWISE, None)
        assert expected_value("binary_cross_entropy", sure, sure, Divisor.ONE) == 0.0

    def test_large_scores_do_not_overflow(self):
        x = scores(torch.tensor([1e4, -1e4], dtype=torch.float64))
        wrong = Operand(torch.tensor([0.0, 1.0]), Space.ELEMENTWISE, None)
        assert expected_value("binary_cross_entropy_with_logits", x, wrong, Divisor.ONE) == 2e4

    def test_class_indices_are_no_elementwise_probabilities(self):
        with pytest.raises(OracleError, match="class indices are no elementwise probabilities"):
            expected_value("binary_cross_entropy", Operand(X, Space.INDICES, None), scores(Y), Divisor.ONE)


def test_kl_of_class_indices_is_cross_entropy():
    indices = Operand(torch.tensor([3, 0, 2]), Space.INDICES, None)
    value = expected_value("kl_div", scores(X), indices, Divisor.ROWS)
    assert value == pytest.approx(-np.log(P)[[0, 1, 2], [3, 0, 2]].mean())


def test_cross_entropy_of_sigmoids_takes_the_scores_behind_them():
    sigmoids = Operand(torch.from_numpy(special.expit(X.numpy())), Space.ELEMENTWISE, 1)
    value = expected_value("cross_entropy", sigmoids, scores(Y, 1), Divisor.ROWS)
    assert value == pytest.approx(cross_entropy(scores(X, 1), scores(Y, 1), Divisor.ROWS))


def test_entropy_is_scipys():
    assert entropy(scores(X), Divisor.ROWS) == pytest.approx(stats.entropy(P, axis=1).mean())


class TestErrors:
    def test_shapes_that_do_not_broadcast(self):
        with pytest.raises(OracleError, match="must match"):
            expected_value("kl_div", scores(draw(3, 4)), scores(draw(3, 5)), Divisor.ONE)

    def test_a_dim_that_is_not_there(self):
        with pytest.raises(OracleError):
            expected_value("kl_div", scores(draw(4), 2), scores(draw(4)), Divisor.ROWS)

    def test_a_space_that_is_no_distribution(self):
        with pytest.raises(OracleError, match="elementwise probabilities are no distribution"):
            expected_value("kl_div", Operand(X, Space.ELEMENTWISE, 1), scores(Y), Divisor.ONE)

    def test_a_loss_without_a_definition(self):
        with pytest.raises(OracleError, match="no definition of ctc_loss"):
            expected_value("ctc_loss", scores(X), scores(Y), Divisor.ONE)


def test_no_loss_and_no_softmax_of_torch_takes_part():
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & {"nn", "functional", "distributions", "softmax", "log_softmax", "logsumexp", "kl_div"}
