from __future__ import annotations

import pytest

from klint.torch_model.facts import Space
from klint.verify.program import build_plan
from klint.verify.uses import score_registers, uses_of


def uses(graph, as_written, **more):
    plan = build_plan(graph.claim(as_written, as_written, **more))
    known = uses_of(plan)
    return {leaf.name: known[leaf.register] for leaf in plan.leaves}


def test_what_softmax_takes_are_scores(graph):
    x, y = graph.parameter("x"), graph.parameter("y")
    found = uses(graph, graph.kl(graph.log_softmax(x, dim=1), graph.softmax(y, dim=1), "sum"))
    assert {name: (use.space, use.dim) for name, use in found.items()} == {
        "x": (Space.SCORES, 1),
        "y": (Space.SCORES, 1),
    }


@pytest.mark.parametrize(
    ("more", "expected"),
    [({}, Space.PROBABILITIES), ({"log_target": True}, Space.LOG_PROBABILITIES)],
    ids=["probabilities", "log-probabilities"],
)
def test_what_kl_div_takes(graph, more, expected):
    kl = graph.kl(graph.parameter("x"), graph.parameter("y"), "sum", **more)
    found = uses(graph, kl, spaces=(Space.LOG_PROBABILITIES, expected))
    assert (found["x"].space, found["y"].space) == (Space.LOG_PROBABILITIES, expected)


def test_the_claim_knows_better_than_the_slot(graph):
    kl = graph.kl(graph.parameter("x"), graph.parameter("y"), "sum")
    found = uses(graph, kl, spaces=(Space.SCORES, Space.SCORES))
    assert (found["x"].space, found["y"].space) == (Space.SCORES, Space.SCORES)


def test_uses_pass_through_views_and_logs(graph):
    x, y = graph.parameter("x"), graph.parameter("y")
    input = graph.call("log", input=graph.call("view", input=x, shape=(-1, 10)))
    found = uses(graph, graph.kl(input, graph.call("clamp", input=y, min=1e-6), "sum"))
    assert found["x"].space is Space.PROBABILITIES
    assert found["y"].space is Space.PROBABILITIES


class TestNumbers:
    def test_a_divisor_is_a_number(self, graph):
        scaled = graph.call("div", input=graph.parameter("x"), other=graph.parameter("T"))
        found = uses(graph, graph.kl(graph.log_softmax(scaled), graph.softmax(scaled), "sum"))
        assert found["x"].space is Space.SCORES
        assert found["T"].slot == "number"

    @pytest.mark.parametrize("sides", [("w", "x"), ("x", "w")], ids=["weight first", "weight last"])
    def test_a_factor_of_what_is_computed_is_a_number(self, graph, sides):
        values = {"w": graph.parameter("w"), "x": graph.log_softmax(graph.parameter("x"))}
        product = graph.call("mul", input=values[sides[0]], other=values[sides[1]])
        found = uses(graph, graph.kl(product, graph.softmax(graph.parameter("y")), "sum"))
        assert found["w"].slot == "number"

    def test_a_use_as_a_tensor_weighs_more(self, graph):
        x = graph.parameter("x")
        product = graph.call("mul", input=graph.log_softmax(x), other=x)
        found = uses(graph, graph.kl(product, graph.softmax(graph.parameter("y")), "sum"))
        assert found["x"].space is Space.SCORES

    def test_beside_a_literal_it_is_what_the_product_is_used_as(self, graph):
        halved = graph.call("div", input=graph.parameter("x"), other=2.0)
        scaled = graph.call("mul", input=graph.call("mul", input=graph.parameter("w"), other=2.0), other=halved)
        found = uses(graph, graph.kl(graph.log_softmax(halved), graph.softmax(scaled), "sum"))
        assert found["x"].space is Space.SCORES

    def test_options_are_known_by_their_slot(self, graph):
        x = graph.parameter("x")
        kl = graph.kl(graph.call("log_softmax", input=x, dim=graph.parameter("axis")), graph.softmax(x), "sum")
        assert uses(graph, kl)["axis"].slot == "dim"

    def test_sizes_are_known_by_their_place(self, graph):
        x = graph.parameter("x")
        view = graph.call("view", input=x, shape=(-1, graph.parameter("n")))
        use = uses(graph, graph.kl(graph.log_softmax(view), graph.softmax(view), "sum"))["n"]
        assert (use.slot, use.place) == ("shape", (1, 2))


def test_scores_under_a_logarithm_are_found(graph):
    x, y = graph.parameter("x"), graph.parameter("y")
    log = graph.call("log", input=graph.call("clamp", input=graph.softmax(x), min=1e-6))
    plan = build_plan(graph.claim(graph.kl(log, graph.softmax(y), "sum"), graph.kl(log, graph.softmax(y), "sum")))
    assert {plan.steps[register].name for register in score_registers(plan)} == {"x"}
