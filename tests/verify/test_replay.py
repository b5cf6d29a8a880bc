from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from klint.rules.claims import Claim, Divisor, Effect, Expected, Reading
from klint.torch_model.facts import Space
from klint.torch_model.layers import LAYERS as LAYER_ROWS
from klint.torch_model.losses import LOSSES
from klint.torch_model.operations import OPERATIONS
from klint.verify.program import build_plan
from klint.verify.replay import first_line, replay, replayable, spelled_out, spread
from klint.verify.special import ReplayError

LAYERS = {spec.name for spec in LAYER_ROWS if not spec.pure}
SHOWN = {"print", "format", "return", "assert_close"}


def run(graph, node, **leaves):
    """The value of one node; leaves by name."""
    reading = Reading(node, Space.UNKNOWN, None)
    plan = build_plan(Claim("", Effect.DIFFERS, node, node, Expected("kl_div", reading, reading, Divisor.ONE)))
    values = {leaf.register: leaves[leaf.name] for leaf in plan.leaves}
    return replay(plan, values, seed=0).value(plan.outputs["as_written"])


@pytest.mark.parametrize("name", sorted(set(OPERATIONS) - SHOWN))
def test_every_pure_operation_of_the_table_can_be_replayed(name):
    assert replayable(name) == OPERATIONS[name].pure


@pytest.mark.parametrize("name", ["print", "open", "exec", "__import__", "linear"])
def test_what_has_effects_cannot(name):
    assert not replayable(name)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("view", {"shape": (6, 1)}, (6, 1)),
        ("view", {"shape": ((6, 1),)}, (6, 1)),
        ("view", {"shape": 6}, (6,)),
        ("reshape", {"shape": (-1,)}, (6,)),
        ("reshape", {"shape": ((3, 2),)}, (3, 2)),
        ("permute", {"dims": (1, 0)}, (3, 2)),
        ("expand", {"shape": (4, 2, 3)}, (4, 2, 3)),
        ("flatten", {}, (6,)),
        ("unsqueeze", {"dim": 0}, (1, 2, 3)),
        ("squeeze", {"dim": None}, (2, 3)),
        ("transpose", {"dim0": 0, "dim1": 1}, (3, 2)),
        ("t", {}, (3, 2)),
        ("sum", {"dim": 1, "keepdim": True}, (2, 1)),
        ("sum", {"dim": (0, 1)}, ()),
        ("mean", {"dim": None}, ()),
        ("getitem", {"index": 0}, (3,)),
        ("getitem", {"index": (..., None)}, (2, 3, 1)),
        ("getitem", {"index": None}, (1, 2, 3)),
        ("one_hot", {"num_classes": 9}, (2, 3, 9)),
    ],
)
def test_shapes(graph, name, arguments, expected):
    x = torch.arange(6.0).reshape(2, 3)
    x = x.long() if name == "one_hot" else x
    node = graph.call(name, input=graph.parameter("x"), **arguments)
    assert tuple(run(graph, node, x=x).shape) == expected


class TestModules:
    def test_those_without_weights_are_made_and_called(self, graph):
        x = torch.tensor([[-1.0, 2.0]])
        leaky = graph.call("leaky_relu", input=graph.parameter("x"), negative_slope=0.5)
        flat = graph.call("nn_flatten", input=graph.parameter("x"), start_dim=0)
        assert run(graph, leaky, x=x).tolist() == [[-0.5, 2.0]]
        assert run(graph, flat, x=x).tolist() == [-1.0, 2.0]

    def test_distributions_say_what_they_hold(self, graph):
        x = torch.tensor([0.0, 0.0])
        probs = graph.call("categorical_probs", logits=graph.parameter("x"))
        entropy = graph.call("categorical_entropy", logits=graph.parameter("x"))
        assert run(graph, probs, x=x).tolist() == [0.5, 0.5]
        assert run(graph, entropy, x=x).item() == pytest.approx(0.6931, abs=1e-4)

    def test_pairs_are_taken_apart(self, graph):
        top = graph.call("topk", input=graph.parameter("x"), k=1)
        x = torch.tensor([1.0, 5.0, 2.0])
        assert run(graph, graph.call("values", input=top), x=x).tolist() == [5.0]
        assert run(graph, graph.call("indices", input=top), x=x).tolist() == [1]


class TestPython:
    def test_slices(self, graph):
        rows = graph.call("slice", stop=graph.node(1))
        node = graph.call("getitem", input=graph.parameter("x"), index=(rows, 2))
        assert run(graph, node, x=torch.arange(6).reshape(2, 3)).tolist() == [2]

    def test_sizes_are_computed_from_tensors(self, graph):
        x = graph.parameter("x")
        rows = graph.call("getitem", input=graph.call("shape", input=x), index=0)
        node = graph.call("mul", input=rows, other=graph.call("shape", input=x, dim=-1))
        assert run(graph, node, x=torch.zeros(2, 3)) == 6

    def test_len_and_numel(self, graph):
        x = graph.parameter("x")
        node = graph.call("div", input=graph.call("numel", input=x), other=graph.call("length", input=x))
        assert run(graph, node, x=torch.zeros(2, 3)) == 3.0

    def test_operators_keep_their_sides(self, graph):
        node = graph.call("sub", other=graph.parameter("x"), input=10)
        assert run(graph, node, x=torch.tensor(3.0)).item() == 7.0

    def test_further_arguments_are_not_lost(self, graph):
        node = graph.call("add", input=graph.parameter("x"), other=graph.parameter("x"), alpha=2)
        assert run(graph, node, x=torch.tensor(1.0)).item() == 3.0

    def test_shapes_are_joined(self, graph):
        x = graph.parameter("x")
        node = graph.call("view", input=x, shape=graph.call("add", input=graph.call("shape", input=x), other=(1,)))
        assert run(graph, node, x=torch.zeros(2, 3)).shape == (2, 3, 1)


class TestTensors:
    def test_a_literal_keeps_its_own_dtype(self, graph):
        assert run(graph, graph.tensor([1, 2])).dtype == torch.int64
        assert run(graph, graph.tensor([1.0, 2.0])).dtype == torch.float32

    def test_randint_takes_its_arguments_as_torch_does(self, graph):
        assert run(graph, graph.call("randint", low=0, high=3, size=(7,))).shape == (7,)
        assert run(graph, graph.call("randint", low=3, high=(7,))).max() < 3

    def test_random_draws_are_the_same_for_a_seed(self, graph):
        node = graph.call("randn", size=((2, 3),))
        assert torch.equal(run(graph, node), run(graph, node))

    def test_literals_are_sources_of_gradients(self, graph):
        kl = graph.kl(graph.log_softmax(graph.tensor([0.0, 1.0])), graph.softmax(graph.tensor([1.0, 0.0])), "sum")
        result = replay(build_plan(graph.claim(kl, kl)), {}, seed=0)
        assert len(result.sources) == 2

    def test_a_number_taken_out_of_a_tensor_keeps_its_gradient(self, graph):
        x = torch.ones(1, requires_grad=True)
        assert run(graph, graph.call("number", input=graph.parameter("x")), x=x).requires_grad
        assert run(graph, graph.call("number", input=graph.parameter("x")), x=torch.tensor(3)) == 3

    def test_freezing_detaches(self, graph):
        node = graph.call("requires_grad_", input=graph.parameter("x"), requires_grad=False)
        assert not run(graph, node, x=torch.ones(2, requires_grad=True)).requires_grad

    def test_uninitialised_memory_is_refused(self, graph):
        with pytest.raises(ReplayError, match="uninitialised"):
            run(graph, graph.call("FloatTensor", input=3))

    def test_made_up_tensors_are_not_narrowed(self, graph):
        torch.set_default_dtype(torch.float64)
        try:
            for node in (
                graph.call("float", input=graph.parameter("x")),
                graph.call("to", input=graph.parameter("x"), dtype=graph.reference("torch.float32")),
                graph.call("FloatTensor", input=[1.0]),
            ):
                assert run(graph, node, x=torch.ones(1)).dtype is torch.float64
        finally:
            torch.set_default_dtype(torch.float32)


LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]], dtype=torch.float64)
LOG_P = LOGITS.log_softmax(1)
Q = torch.tensor([[0.5, 0.25, 0.25], [0.0, 0.1, 0.9]], dtype=torch.float64)
LABELS = torch.tensor([0, 2])
WEIGHT = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
LOSS_CALLS = [
    ("kl_div", LOG_P, Q, {"reduction": "batchmean"}),
    ("kl_div", LOG_P, LOG_P / 2, {"reduction": "sum", "log_target": True}),
    ("cross_entropy", LOGITS, LABELS, {"ignore_index": 2}),
    ("cross_entropy", LOGITS, LABELS, {"weight": WEIGHT, "label_smoothing": 0.1}),
    ("cross_entropy", LOGITS, Q, {"reduction": "none"}),
    ("nll_loss", LOG_P, LABELS, {"weight": WEIGHT, "reduction": "sum", "ignore_index": 0}),
    ("binary_cross_entropy", Q, 1 - Q, {"weight": WEIGHT}),
    ("binary_cross_entropy_with_logits", LOGITS, Q, {"pos_weight": WEIGHT, "reduction": "sum"}),
]


class TestLosses:
    @pytest.mark.parametrize("as_module", [False, True], ids=["function", "module"])
    @pytest.mark.parametrize(("name", "input", "target", "options"), LOSS_CALLS)
    def test_each_takes_its_options(self, graph, name, input, target, options, as_module):
        tensors = {slot: graph.parameter(slot) for slot in ("input", "target")}
        free = {slot: graph.parameter(slot) for slot, value in options.items() if isinstance(value, torch.Tensor)}
        node = graph.call(name, **tensors, **{**options, **free})
        if as_module:
            node = replace(node, constructor=graph.module("nn.Loss"))
        values = {"input": input, "target": target, **{slot: options[slot] for slot in free}}
        expected = getattr(torch.nn.functional, name)(input, target, **options)
        assert torch.equal(run(graph, node, **values), expected)

    def test_they_are_all_there(self):
        assert {name for name, *_ in LOSS_CALLS} == set(LOSSES)

    @pytest.mark.filterwarnings("ignore:size_average")
    def test_module_and_function_differ_in_legacy_options(self, graph):
        kl = graph.kl(graph.parameter("input"), graph.parameter("target"), "batchmean", size_average=False)
        as_module = replace(kl, constructor=graph.module("nn.KLDivLoss"))
        function, module = (run(graph, node, input=LOG_P, target=Q).item() for node in (kl, as_module))
        assert module == pytest.approx(2 * function)

    def test_weights_take_no_gradient(self, graph):
        weight = graph.tensor([1.0, 2.0, 4.0])
        tensors = {"input": graph.tensor(LOGITS.tolist()), "target": graph.tensor(Q.tolist())}
        node = graph.call("binary_cross_entropy_with_logits", **tensors, pos_weight=weight)
        assert run(graph, node).requires_grad

    def test_none_is_no_reduction(self, graph):
        ce = graph.call("cross_entropy", input=graph.parameter("x"), target=graph.parameter("y"), reduction=None)
        with pytest.raises(ReplayError, match="ValueError: None is not a valid value for reduction"):
            run(graph, ce, x=LOGITS, y=LABELS)


class TestErrors:
    def test_a_step_that_fails_takes_its_dependents_along_and_no_others(self, graph):
        x = graph.parameter("x")
        wrong = graph.call("exp", input=graph.call("softmax", input=x, dim=5))
        plan = build_plan(Claim("", Effect.RAISES, wrong, graph.call("exp", input=x)))
        replayed = replay(plan, {plan.leaves[0].register: torch.zeros(2)}, seed=0)
        assert replayed.value(plan.outputs["fixed"]).tolist() == [1.0, 1.0]
        failure = replayed.failure(plan.outputs["as_written"])
        assert (failure.raised.operation, failure.raised.type) == ("softmax", "IndexError")

    def test_what_klint_itself_refuses_is_not_what_torch_raises(self, graph):
        plan = build_plan(Claim("", Effect.RAISES, graph.call("view", input="text", shape=(1,))))
        failure = replay(plan, {}, seed=0).failure(plan.outputs["as_written"])
        assert (failure.message, failure.raised) == ("a tensor is needed, not str", None)

    def test_the_first_line_is_quoted(self):
        assert first_line(RuntimeError("\n the first.\nthe second")) == "the first"

    def test_further_positional_arguments_keep_their_place(self, graph):
        node = graph.call("leaky_relu", input=graph.parameter("x"), **{"*1": 0.5})
        assert run(graph, node, x=torch.tensor([-2.0])).tolist() == [-1.0]

    def test_what_torch_says_is_kept_on_one_line(self, graph):
        node = graph.call("softmax", input=graph.parameter("x"), dim=5)
        with pytest.raises(ReplayError, match=r"^softmax raises IndexError: .*out of range.*$") as error:
            run(graph, node, x=torch.zeros(2, 3))
        assert "\n" not in str(error.value)

    def test_methods_are_looked_up_on_tensors_alone(self, graph):
        with pytest.raises(ReplayError, match="a tensor is needed, not str"):
            run(graph, graph.call("view", input="text", shape=(1,)))


def test_spread_scores_lie_as_far_apart_as_asked():
    scores = spread(torch.tensor([1.0, 2.0, 5.0]), 200.0)
    assert scores.tolist() == [50.0, 100.0, 250.0]
    with pytest.raises(ReplayError, match="all equal"):
        spread(torch.ones(3), 200.0)


def test_tensors_that_the_code_spells_out_are_told_from_free_ones(graph):
    q = graph.softmax(graph.tensor([[1.0, 2.0, 3.0]]))
    kl = graph.kl(graph.log_softmax(graph.parameter("x")), q, "sum")
    plan = build_plan(graph.claim(kl, kl))
    assert [tuple(tensor.shape) for tensor in spelled_out(plan, seed=0)] == [(1, 3), (1, 3)]
