from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from klint.rules.claims import Claim, Divisor, Effect
from klint.torch_model.count import Count, Size
from klint.torch_model.facts import Space
from klint.torch_model.infer import Inference
from klint.verify.plan import Plan
from klint.verify.program import PlanError, build_plan


def plan_of(graph, as_written, fixed=None, **more) -> Plan:
    return build_plan(graph.claim(as_written, as_written if fixed is None else fixed, **more))


def names(plan: Plan) -> list[str]:
    return [step.name for step in plan.steps if step.kind == "call"]


def kl_of_two_parameters(graph):
    x, y = graph.parameter("x"), graph.parameter("y")
    return graph.kl(graph.log_softmax(x), graph.softmax(y), "batchmean")


def test_a_plan_survives_json(graph):
    kl = kl_of_two_parameters(graph)
    x = kl.arguments["input"].arguments["input"]
    ratio = Count.number(1) / Count.of(Size(x.identity, -1, "C"))
    plan = plan_of(graph, kl, effect=Effect.RATIO, divisor=Divisor.ROWS, ratio=ratio)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_without_a_definition_survives_json(graph):
    kl = kl_of_two_parameters(graph)
    plan = build_plan(Claim("", Effect.LEAK, kl, subject=kl.arguments["target"]))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert (plan.divisor, plan.loss, set(plan.outputs)) == (None, "kl_div", {"as_written"})
    assert plan.steps[plan.subject.register].name == "softmax"


def test_without_a_definition_the_loss_behind_the_value_says_of_which_shapes_it_is(graph):
    kl = kl_of_two_parameters(graph)
    value = graph.call("sub", input=graph.call("exp", input=graph.parameter("z")), other=kl)
    plan = build_plan(Claim("", Effect.NAN, value))
    assert [plan.steps[reading.register].name for reading in plan.readings.values()] == ["log_softmax", "softmax"]
    assert build_plan(Claim("", Effect.NAN, graph.call("exp", input=graph.parameter("z")))).readings == {}


def test_each_node_is_computed_once_and_after_its_operands(graph):
    kl = kl_of_two_parameters(graph)
    fixed = graph.kl(kl.arguments["input"], kl.arguments["target"], "sum")
    plan = plan_of(graph, kl, fixed)
    assert names(plan) == ["log_softmax", "softmax", "kl_div", "kl_div"]
    assert all(at < register for register, step in enumerate(plan.steps) for _, at in step.arguments)


def test_leaves_of_one_identity_are_one_leaf(graph):
    x = graph.parameter("x")
    again = type(x)(x.anchor, x.identity, "x")
    plan = plan_of(graph, graph.kl(graph.log_softmax(x), graph.softmax(again), "sum"))
    assert [leaf.name for leaf in plan.leaves] == ["x"]


def test_a_fixed_call_may_keep_the_identity_of_the_call_as_written(graph):
    kl = kl_of_two_parameters(graph)
    fixed = type(kl)(kl.anchor, kl.identity, kl.name, {**kl.arguments, "reduction": graph.node("sum")})
    plan = plan_of(graph, kl, fixed)
    assert plan.outputs["as_written"] != plan.outputs["fixed"]


def test_random_draws_of_one_identity_are_drawn_once(graph):
    draw = graph.call("randn", size=(3, 4))
    again = type(draw)(draw.anchor, draw.identity, draw.name, draw.arguments)
    plan = plan_of(graph, graph.kl(graph.log_softmax(draw), graph.softmax(again), "sum"))
    assert names(plan).count("randn") == 1


def test_chains_are_followed_without_recursion(graph):
    node = graph.parameter("x")
    for _ in range(5 * sys.getrecursionlimit()):
        node = graph.call("neg", input=node)
    plan = plan_of(graph, graph.kl(graph.log_softmax(node), graph.softmax(node), "sum"))
    assert names(plan).count("neg") == 5 * sys.getrecursionlimit()


class TestChoices:
    def test_the_claim_says_which_alternative_is_meant(self, graph):
        flag, x = graph.parameter("flag"), graph.parameter("x")
        input = graph.choice(flag, graph.log_softmax(x), graph.softmax(x))
        kl = graph.kl(input, graph.softmax(x), "sum")
        plan = plan_of(graph, kl, choices={flag.identity: False})
        assert names(plan) == ["softmax", "softmax", "kl_div"]
        assert plan.notes == ("`flag` does not hold",)

    def test_the_first_alternative_is_taken_where_the_claim_says_nothing(self, graph):
        flag, x = graph.parameter("flag"), graph.parameter("x")
        input = graph.choice(flag, graph.log_softmax(x), graph.unknown("f(x)"))
        assert "log_softmax" in names(plan_of(graph, graph.kl(input, graph.softmax(x), "sum")))

    def test_what_the_world_knows_of_a_flag_is_heeded(self, graph):
        flag, x = graph.parameter("flag"), graph.parameter("x")
        world = Inference()
        world.assume({flag.identity: (flag, False)})
        input = graph.choice(flag, graph.softmax(x), graph.log_softmax(x))
        plan = plan_of(graph, graph.kl(input, graph.log_softmax(x), "sum", log_target=flag), world=world)
        assert names(plan) == ["log_softmax", "log_softmax", "kl_div"]
        assert plan.notes == ("`flag` does not hold", "flag is False")


class TestWhatDoesNotChangeTheValue:
    @pytest.mark.parametrize("name", ["cuda", "cpu", "contiguous"])
    def test_moves_are_left_out(self, graph, name):
        x = graph.call(name, input=graph.parameter("x"), device=graph.parameter("device"))
        plan = plan_of(graph, graph.kl(graph.log_softmax(x), graph.softmax(x), "sum"))
        assert [leaf.name for leaf in plan.leaves] == ["x"]
        assert name not in names(plan)

    def test_to_keeps_its_dtype_and_forgets_the_device(self, graph):
        x = graph.parameter("x")
        moved = graph.call("to", input=x, args=(graph.unknown("device"), graph.reference("torch.float64")))
        only_moved = graph.call("to", input=x, args=(graph.unknown("device"),))
        plan = plan_of(graph, graph.kl(graph.log_softmax(moved), graph.softmax(only_moved), "sum"))
        assert names(plan).count("to") == 1
        assert [leaf.name for leaf in plan.leaves] == ["x"]

    def test_an_output_argument_is_not_written_to(self, graph):
        x = graph.parameter("x")
        log = graph.call("log", input=graph.softmax(x), out=graph.parameter("buffer"))
        assert [leaf.name for leaf in plan_of(graph, graph.kl(log, graph.softmax(x), "sum")).leaves] == ["x"]


class TestLeaves:
    def test_a_default_is_used(self, graph):
        scaled = graph.call("div", input=graph.parameter("x"), other=graph.parameter("T", default=4.0))
        plan = plan_of(graph, graph.kl(graph.log_softmax(scaled), graph.softmax(scaled), "sum"))
        assert [leaf.name for leaf in plan.leaves] == ["x"]
        assert plan.notes == ("T has its default 4.0",)

    def test_a_default_that_is_spelled_out_is_used(self, graph):
        sizes = graph.node((-1, 10))
        moved = graph.call("view", input=graph.parameter("x"), shape=graph.parameter("shape", default=sizes))
        plan = plan_of(graph, graph.kl(graph.log_softmax(moved), graph.softmax(moved), "sum"))
        assert [leaf.name for leaf in plan.leaves] == ["x"]
        assert plan.notes == ("shape has its default site",)

    def test_a_default_of_something_free_is_not(self, graph):
        scaled = graph.call(
            "div", input=graph.parameter("x"), other=graph.parameter("T", default=graph.unknown("cfg.T"))
        )
        plan = plan_of(graph, graph.kl(graph.log_softmax(scaled), graph.softmax(scaled), "sum"))
        assert [leaf.name for leaf in plan.leaves] == ["x", "T"]

    def test_a_default_of_none_makes_it_optional(self, graph):
        weight = type(graph.parameter("w"))(graph.node(0).anchor, -9, "weight", graph.node(None))
        ce = graph.call("cross_entropy", input=graph.parameter("x"), target=graph.parameter("y"), weight=weight)
        leaves = build_plan(Claim("", Effect.NAN, ce)).leaves
        assert {leaf.name: leaf.optional for leaf in leaves} == {"x": False, "y": False, "weight": True}

    def test_what_a_recurrent_layer_returns_is_free(self, graph):
        lstm = graph.call("lstm", input=graph.parameter("x"), input_size=5, hidden_size=12)
        out = graph.call("getitem", input=lstm, index=0)
        cell = graph.call("getitem", input=graph.call("getitem", input=lstm, index=1), index=1)
        plan = plan_of(graph, graph.kl(graph.log_softmax(out), graph.softmax(cell), "sum"))
        assert [(leaf.space, leaf.sizes) for leaf in plan.leaves] == [(Space.SCORES, ((-1, 12),))] * 2

    def test_what_an_attention_layer_returns_is_free(self, graph):
        attention = graph.call("multiheadattention", input=graph.parameter("x"), embed_dim=8, num_heads=2)
        parts = [graph.call("getitem", input=attention, index=index) for index in (0, 1)]
        plan = plan_of(graph, graph.kl(graph.log_softmax(parts[0]), parts[1], "sum"))
        assert [leaf.space for leaf in plan.leaves] == [Space.SCORES, Space.PROBABILITIES]

    def test_an_entry_of_something_unknown_is_free(self, graph):
        labels = graph.call("getitem", input=graph.parameter("batch"), index="labels")
        plan = plan_of(graph, graph.kl(graph.log_softmax(graph.parameter("x")), labels, "sum"))
        assert len(plan.leaves) == 2
        assert names(plan) == ["log_softmax", "kl_div"]

    def test_what_the_world_knows_of_a_shape_holds_for_a_leaf(self, graph):
        x = graph.parameter("x")
        world = Inference()
        world.assume({0: (graph.call("eq", input=graph.call("dim", input=x), other=3), True)})
        kl = graph.kl(graph.log_softmax(x), graph.softmax(x), "sum")
        assert [leaf.rank for leaf in plan_of(graph, kl, world=world).leaves] == [3]

    def test_a_layer_is_free_but_for_the_sizes_it_names(self, graph):
        logits = graph.call("linear", in_features=64, out_features=12, input=graph.parameter("x"))
        image = graph.call("conv2d", in_channels=3, out_channels=5, kernel_size=1, input=graph.parameter("y"))
        plan = plan_of(graph, graph.kl(graph.log_softmax(logits), graph.softmax(image), "sum"))
        assert [(leaf.rank, leaf.sizes) for leaf in plan.leaves] == [(None, ((-1, 12),)), (4, ((1, 5),))]

    def test_a_normalisation_layer_is_passed_through(self, graph):
        x = graph.call("layernorm", input=graph.parameter("x"), normalized_shape=10)
        plan = plan_of(graph, graph.kl(graph.log_softmax(x), graph.softmax(x), "sum"))
        assert [leaf.name for leaf in plan.leaves] == ["x"]
        assert plan.notes == ("site is taken to change nothing",)

    def test_a_site_of_literals_has_none(self, graph, forum_thread):
        assert build_plan(forum_thread).leaves == ()


class TestLoops:
    def test_a_row_is_the_first_one(self, graph):
        row = graph.call("row", input=graph.parameter("x"), index=graph.unknown("which"))
        plan = plan_of(graph, graph.kl(graph.log_softmax(row), graph.softmax(row), "sum"))
        assert names(plan) == ["getitem", "log_softmax", "softmax", "kl_div"]
        assert [leaf.name for leaf in plan.leaves] == ["x"]

    def test_any_item_is_like_the_one_that_is_known(self, graph):
        item = graph.call("any_item", input=graph.parameter("x"))
        plan = plan_of(graph, graph.kl(graph.log_softmax(item), graph.softmax(item), "sum"))
        assert plan.notes == ("every site is alike",)

    def test_a_list_of_unknown_length_holds_two(self, graph):
        stacked = graph.call("stack", tensors=graph.items(graph.parameter("x")))
        plan = plan_of(graph, graph.kl(graph.log_softmax(stacked), graph.softmax(stacked), "sum"))
        (sequence,) = [step for step in plan.steps if step.kind == "sequence"]
        assert sequence.arguments == (("0", 0), ("1", 0))


class TestModules:
    def test_a_call_of_a_module_is_replayed_as_one(self, graph):
        kl = kl_of_two_parameters(graph)
        made = replace(kl, constructor=graph.module("torch.nn.KLDivLoss", reduction="batchmean"))
        plan = plan_of(graph, made, kl)
        assert [step.kind for step in plan.steps if step.name == "kl_div"] == ["module", "call"]

    def test_a_module_of_a_loss_is_made(self, graph):
        made = graph.module("torch.nn.BCELoss", weight=graph.parameter("x"))
        plan = build_plan(Claim("", Effect.RAISES, made))
        assert [(step.kind, step.name) for step in plan.steps] == [("leaf", "x"), ("module", "binary_cross_entropy")]

    def test_no_other_module_is(self, graph):
        plan = build_plan(Claim("", Effect.RAISES, graph.module("torch.nn.Linear", in_features=3)))
        assert [step.kind for step in plan.steps] == ["leaf"]


class TestRatio:
    def test_sizes_are_those_of_registers(self, graph):
        kl = kl_of_two_parameters(graph)
        x = kl.arguments["input"].arguments["input"]
        ratio = Count.of(Size(x.identity, 0, "B")) / Count.number(3)
        planned = plan_of(graph, kl, ratio=ratio).ratio
        assert planned is not None
        assert (planned.numerator, planned.denominator) == (1, 3)
        assert planned.powers == ((0, 0, 1),)

    def test_sizes_of_tensors_that_are_not_there_leave_it_open(self, graph):
        ratio = Count.of(Size(-5, 0, "B"))
        assert plan_of(graph, kl_of_two_parameters(graph), ratio=ratio).ratio is None


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda graph: graph.call("open", input="/etc/passwd"), "open is not an operation that klint replays"),
        (lambda graph: graph.node(b"bytes"), "a constant of type bytes is not replayed"),
        (lambda graph: graph.node(1j), "a constant of type complex is not replayed"),
    ],
    ids=["an unknown operation", "bytes", "a complex number"],
)
def test_what_cannot_be_replayed_is_refused(graph, make, why):
    with pytest.raises(PlanError, match=why):
        plan_of(graph, graph.kl(graph.log_softmax(make(graph)), graph.softmax(graph.parameter("y")), "sum"))
