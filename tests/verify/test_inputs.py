from __future__ import annotations

import pytest
import torch

from klint.torch_model.facts import Space
from klint.verify.inputs import MAX_ATTEMPTS, Inputs
from klint.verify.plan import build_plan
from klint.verify.uses import uses_of


def inputs_of(graph, as_written, seed=0, dtype="float64", **more) -> Inputs:
    plan = build_plan(graph.claim(as_written, as_written, **more))
    return Inputs(plan, uses_of(plan), batch=7, classes=10, seed=seed, dtype=dtype, device="cpu")


@pytest.fixture
def two(graph):
    return graph.kl(graph.parameter("x"), graph.parameter("y"), "sum")


class TestAttempts:
    def test_a_batch_comes_first_then_higher_ranks_then_one_row(self, graph, two):
        attempts = [attempt.shapes for attempt in inputs_of(graph, two).attempts()]
        assert attempts[:4] == [((7, 10),) * 2, ((7, 5, 10),) * 2, ((7, 5, 11, 10),) * 2, ((10,),) * 2]

    def test_classes_stand_where_the_claim_says(self, graph, two):
        attempts = [attempt.shapes[0] for attempt in inputs_of(graph, two, dim=1).attempts()]
        assert attempts[:4] == [(7, 10), (7, 10, 5), (7, 10, 5, 11), (10,)]

    def test_leaves_may_have_shapes_of_their_own(self, graph, two):
        assert ((7, 10), (10,)) in [attempt.shapes for attempt in inputs_of(graph, two).attempts()]

    def test_sizes_in_the_code_are_tried_as_class_counts(self, graph):
        view = graph.call("view", input=graph.parameter("x"), shape=(-1, 16))
        attempts = inputs_of(graph, graph.kl(view, graph.parameter("y"), "sum")).attempts()
        assert 16 in {attempt.sizes.classes for attempt in attempts}

    def test_an_even_batch_is_tried_for_code_that_halves_it(self, graph, two):
        attempts = [attempt.shapes for attempt in inputs_of(graph, two).attempts()]
        assert ((14, 10), (14, 10)) in attempts[:8]

    def test_they_are_distinct_and_bounded(self, graph):
        leaves = [graph.parameter(name) for name in "abcdef"]
        total = leaves[0]
        for leaf in leaves[1:]:
            total = graph.call("add", input=total, other=leaf)
        attempts = list(inputs_of(graph, graph.kl(total, total, "sum")).attempts())
        assert len(set(attempts)) == len(attempts) == MAX_ATTEMPTS

    def test_a_site_without_leaves_is_tried_once(self, graph):
        x = graph.log_softmax(graph.tensor([1.0, 2.0]))
        assert [attempt.shapes for attempt in inputs_of(graph, graph.kl(x, x, "sum")).attempts()] == [()]


class TestDraw:
    def draw(self, graph, two, **more):
        inputs = inputs_of(graph, two, **more)
        return list(inputs.draw(next(inputs.attempts())).values())

    def test_probabilities_sum_to_1(self, graph, two):
        log_p, q = self.draw(graph, two)
        assert torch.allclose(log_p.exp().sum(-1), torch.ones(7, dtype=torch.float64))
        assert torch.allclose(q.sum(-1), torch.ones(7, dtype=torch.float64))

    def test_probabilities_sum_to_1_over_the_dim_of_the_claim(self, graph, two):
        _, q = self.draw(graph, two, dim=0)
        assert q.shape == (10, 7)
        assert torch.allclose(q.sum(0), torch.ones(7, dtype=torch.float64))

    def test_scores_are_of_either_sign(self, graph, two):
        scores, _ = self.draw(graph, two, spaces=(Space.SCORES, Space.PROBABILITIES))
        assert scores.min() < 0 < scores.max()

    def test_indices_are_below_the_class_count(self, graph):
        ce = graph.call("cross_entropy", input=graph.parameter("x"), target=graph.parameter("labels"))
        two = graph.kl(graph.log_softmax(ce), graph.parameter("y"), "sum")
        _, labels, _ = self.draw(graph, two)
        assert labels.shape == (7,)
        assert labels.dtype == torch.int64
        assert 0 <= labels.min() <= labels.max() < 10

    def test_the_seed_decides(self, graph, two):
        first, again, other = (self.draw(graph, two, seed=seed)[0] for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)

    def test_dtypes_hold_the_same_numbers(self, graph, two):
        wide, narrow = (self.draw(graph, two, dtype=dtype)[0] for dtype in ("float64", "float32"))
        assert torch.equal(wide.float(), narrow)


def test_assumptions_are_told_in_words(graph):
    scaled = graph.call("div", input=graph.parameter("logits"), other=graph.parameter("T"))
    inputs = inputs_of(graph, graph.kl(graph.log_softmax(scaled), graph.parameter("target"), "sum"))
    assert inputs.describe(next(inputs.attempts())) == [
        "logits is a (7, 10) normal draw",
        "T is 2.0",
        "target is (7, 10) probabilities",
    ]
