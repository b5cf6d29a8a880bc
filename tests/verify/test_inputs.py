from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from klint.graph.nodes import Parameter
from klint.rules.claims import Claim, Effect
from klint.torch_model.facts import Space
from klint.verify.inputs import MAX_ATTEMPTS, Inputs
from klint.verify.program import build_plan
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


def loss_inputs(graph, name, **options) -> Inputs:
    """For a call of a loss whose tensors are free, held against no definition."""
    call = graph.call(name, input=graph.parameter("x"), target=graph.parameter("y"), **options)
    plan = build_plan(Claim("", Effect.NAN, call))
    return Inputs(plan, uses_of(plan), batch=7, classes=10, seed=0, dtype="float64", device="cpu")


class TestLosses:
    @pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
    def test_classes_are_in_dim_1(self, graph, name):
        attempts = [attempt.shapes for attempt in loss_inputs(graph, name).attempts()]
        assert attempts[:4] == [((7, 10), (7,)), ((7, 10, 5), (7, 5)), ((7, 10, 5, 11), (7, 5, 11)), ((10,), ())]

    def test_targets_are_class_indices(self, graph):
        inputs = loss_inputs(graph, "nll_loss")
        log_p, labels = inputs.draw(next(inputs.attempts())).values()
        assert torch.allclose(log_p.exp().sum(1), torch.ones(7, dtype=torch.float64))
        assert labels.dtype is torch.int64
        assert labels.max() < 10

    @pytest.mark.parametrize("name", ["binary_cross_entropy", "binary_cross_entropy_with_logits"])
    def test_binary_targets_lie_between_0_and_1(self, graph, name):
        inputs = loss_inputs(graph, name)
        x, target = inputs.draw(next(inputs.attempts())).values()
        assert x.shape == target.shape == (7, 10)
        assert 0 < target.min() < target.max() < 1
        assert (x.min() < 0) == (name == "binary_cross_entropy_with_logits")

    @pytest.mark.parametrize(
        ("name", "option", "value"),
        [
            ("cross_entropy", "ignore_index", -100),
            ("cross_entropy", "label_smoothing", 0.1),
            ("binary_cross_entropy_with_logits", "pos_weight", (10,)),
            ("nll_loss", "weight", (10,)),
        ],
    )
    def test_options_that_are_free(self, graph, name, option, value):
        inputs = loss_inputs(graph, name, **{option: graph.parameter("option")})
        drawn = list(inputs.draw(next(inputs.attempts())).values())[-1]
        assert (tuple(drawn.shape) if isinstance(drawn, torch.Tensor) else drawn) == value

    def test_an_option_that_nobody_passes_is_none(self, graph):
        option = Parameter(graph.node(0).anchor, -9, "weight", graph.node(None))
        inputs = loss_inputs(graph, "cross_entropy", weight=option)
        attempt = next(inputs.attempts())
        assert list(inputs.draw(attempt).values())[-1] is None
        assert inputs.describe(attempt)[-1] == "weight is None"


class TestShapesOfTheCode:
    def test_those_of_tensors_that_it_spells_out_come_first(self, graph, two):
        inputs = replace(inputs_of(graph, two), shapes=((4, 3), (6,)))
        assert [attempt.shapes for attempt in inputs.attempts()][:3] == [((4, 3),) * 2, ((6,),) * 2, ((7, 10),) * 2]

    def test_a_size_in_the_code_may_be_that_of_the_batch(self, graph):
        view = graph.call("view", input=graph.parameter("x"), shape=(16, -1))
        attempts = inputs_of(graph, graph.kl(view, graph.parameter("y"), "sum")).attempts()
        assert ((16, 10), (16, 10)) in [attempt.shapes for attempt in attempts]

    def test_what_a_layer_names_holds_whatever_the_shape(self, graph):
        x = graph.call("linear", in_features=3, out_features=12, input=graph.parameter("x"))
        attempts = inputs_of(graph, graph.kl(x, graph.parameter("y"), "sum")).attempts()
        assert {shapes[0][-1] for shapes in (attempt.shapes for attempt in attempts) if shapes[0]} == {12}

    def test_the_rank_of_one_leaf_is_that_of_the_others(self, graph, two):
        inputs = inputs_of(graph, two)
        first, second = inputs.plan.leaves
        plan = replace(inputs.plan, leaves=(replace(first, rank=1), second))
        assert next(replace(inputs, plan=plan).attempts()).shapes == ((10,), (10,))

    def test_dims_that_must_be_there_are(self, graph, two):
        inputs = inputs_of(graph, two)
        leaves = tuple(replace(leaf, least_rank=3) for leaf in inputs.plan.leaves)
        inputs = replace(inputs, plan=replace(inputs.plan, leaves=leaves))
        alike = [attempt for attempt in inputs.attempts() if attempt.alike]
        assert {len(shape) for attempt in alike for shape in attempt.shapes} == {3, 4}


def test_numbers_are_others_than_those_that_the_code_draws(graph, two):
    x, _ = (
        inputs_of(graph, two, spaces=(Space.SCORES, Space.SCORES)).draw(next(inputs_of(graph, two).attempts())).values()
    )
    assert not torch.equal(x, torch.randn(7, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64))


def test_assumptions_are_told_in_words(graph):
    scaled = graph.call("div", input=graph.parameter("logits"), other=graph.parameter("T"))
    inputs = inputs_of(graph, graph.kl(graph.log_softmax(scaled), graph.parameter("target"), "sum"))
    assert inputs.describe(next(inputs.attempts())) == [
        "logits is a (7, 10) normal draw",
        "T is 2.0",
        "target is (7, 10) probabilities",
    ]
