"""Every effect that a claim may name: when it is confirmed, when refuted, and when nothing is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from klint.rules.claims import Claim, Divisor, Effect
from klint.torch_model.facts import Space
from klint.verify import Verdict


@pytest.fixture
def scores(graph):
    return graph.parameter("x"), graph.parameter("y")


def cross_entropy(graph, input, target, **more):
    return graph.call("cross_entropy", input=input, target=target, **more)


class TestRaises:
    def test_what_torch_says_is_quoted(self, graph, verify, scores):
        log_p = graph.log_softmax(scores[0])
        one_hot = graph.call("one_hot", input=graph.parameter("labels"), num_classes=10)
        as_written = graph.kl(log_p, one_hot, "batchmean")
        fixed = graph.kl(log_p, graph.call("float", input=one_hot), "batchmean")
        claim = graph.claim(as_written, fixed, Divisor.ROWS, Effect.RAISES)
        result = verify(claim)
        assert result.verdict is Verdict.CONFIRMED
        assert result.reason == (
            "as written kl_div raises RuntimeError: kl_div: Integral inputs not supported; the fixed code agrees"
        )
        (run,) = result.runs
        assert (run.as_written, run.raised.type, run.reference) == (None, "RuntimeError", "definition")
        assert run.fixed == pytest.approx(run.expected)

    def test_it_must_raise_where_the_fixed_code_runs(self, graph, verify, scores):
        x, labels = scores[0], graph.parameter("labels")
        turned = graph.call("permute", input=x, dims=(0, 2, 1))
        claim = Claim("", Effect.RAISES, cross_entropy(graph, x, labels), cross_entropy(graph, turned, labels))
        result = verify(claim)
        assert result.verdict is Verdict.CONFIRMED
        assert result.runs[0].sizes["input"] == [7, 5, 10]  # with two dims neither of them runs
        assert "Expected target size" in result.reason

    def test_code_that_runs_refutes_it(self, graph, verify, scores):
        x, labels = scores[0], graph.parameter("labels")
        claim = Claim(
            "", Effect.RAISES, cross_entropy(graph, x, labels), cross_entropy(graph, x, labels, reduction="sum")
        )
        result = verify(claim)
        assert result.verdict is Verdict.REFUTED
        assert result.reason.startswith("nothing is raised: as written it gives ")

    def test_without_fixed_code_it_must_raise_at_all_sizes(self, graph, verify, scores):
        labels = graph.parameter("labels")
        unknown = cross_entropy(graph, scores[0], labels, reduction="batch_mean")
        turned = graph.call("permute", input=scores[0], dims=(0, 2, 1))
        assert verify(Claim("", Effect.RAISES, unknown)).verdict is Verdict.CONFIRMED
        assert verify(Claim("", Effect.RAISES, cross_entropy(graph, turned, labels))).verdict is Verdict.REFUTED

    def test_a_lack_of_memory_is_no_refusal(self, graph, verify, scores):
        huge = graph.kl(graph.call("zeros", size=(10**12,)), graph.softmax(scores[0]), "sum")
        fixed = graph.kl(graph.log_softmax(scores[1]), graph.softmax(scores[0]), "sum")
        assert verify(Claim("", Effect.RAISES, huge, fixed)).verdict is not Verdict.CONFIRMED

    def test_a_module_that_cannot_be_made(self, graph, verify):
        x, y = graph.call("randn", size=(3, 4)), graph.call("randn", size=(3, 4))
        made = graph.module("torch.nn.CrossEntropyLoss", weight=x, size_average=y)
        fixed = cross_entropy(graph, x, graph.softmax(y))
        result = verify(Claim("", Effect.RAISES, made, fixed))
        assert result.verdict is Verdict.CONFIRMED
        assert "Boolean value of Tensor" in result.reason


class TestSame:
    def claim(self, graph, scores, fixed, **more):
        labels = graph.parameter("labels")
        spaces = {"dim": 1, "spaces": (Space.LOG_PROBABILITIES, Space.INDICES)}
        as_written = cross_entropy(graph, graph.log_softmax(scores[0], 1), labels)
        return graph.claim(as_written, fixed(labels), Divisor.ROWS, Effect.SAME, **spaces, **more)

    def test_the_same_number(self, graph, verify, scores):
        result = verify(self.claim(graph, scores, lambda labels: cross_entropy(graph, scores[0], labels)))
        assert result.verdict is Verdict.CONFIRMED
        assert result.reason.startswith("no numeric effect: as written it gives ")

    def test_another_number(self, graph, verify, scores):
        p = graph.softmax(scores[0], 1)
        claim = self.claim(graph, scores, lambda labels: cross_entropy(graph, p, labels))
        assert verify(replace(claim, expected=None)).verdict is Verdict.REFUTED

    def test_another_gradient(self, graph, verify, scores):
        cut = graph.call("add", input=scores[0], other=graph.call("detach", input=graph.call("exp", input=scores[0])))
        own = graph.call("sub", input=cut, other=graph.call("exp", input=scores[0]))
        claim = self.claim(graph, scores, lambda labels: cross_entropy(graph, own, labels))
        result = verify(claim)
        assert result.verdict is Verdict.REFUTED
        assert result.reason.startswith("the value is the same, but the gradient's norm is ")

    def test_one_expression_proves_nothing(self, graph, verify, scores):
        claim = self.claim(graph, scores, lambda labels: cross_entropy(graph, scores[0], labels))
        assert verify(replace(claim, fixed=claim.as_written)).verdict is Verdict.INCONCLUSIVE


class TestFlat:
    def single(self, graph):
        """Cross entropy of one class."""
        x = graph.call("linear", in_features=8, out_features=1, input=graph.parameter("features"))
        return x, cross_entropy(graph, x, graph.call("zeros", size=(7,), dtype=graph.reference("torch.long")))

    def test_one_class(self, graph, verify):
        x, as_written = self.single(graph)
        binary = graph.call(
            "binary_cross_entropy_with_logits",
            input=graph.call("squeeze", input=x, dim=1),
            target=graph.call("zeros", size=(7,)),
        )
        result = verify(Claim("", Effect.FLAT, as_written, binary, subject=x))
        assert result.verdict is Verdict.CONFIRMED
        assert result.reason.startswith(
            "as written the gradient with respect to site is 0, with the fixed code its norm"
        )
        assert result.runs[0].subject_gradient == 0.0
        assert result.runs[0].fixed_subject_gradient > 0.1

    def test_no_fixed_code_is_needed(self, graph, verify):
        x, as_written = self.single(graph)
        assert verify(Claim("", Effect.FLAT, as_written, subject=x)).verdict is Verdict.CONFIRMED

    def test_the_fixed_code_must_not_be_flat(self, graph, verify):
        x, as_written = self.single(graph)
        again = self.single(graph)[1]
        assert verify(Claim("", Effect.FLAT, as_written, again, subject=x)).verdict is Verdict.INCONCLUSIVE

    def test_a_gradient_refutes_it(self, graph, verify, scores):
        as_written = cross_entropy(graph, scores[0], graph.parameter("labels"))
        result = verify(Claim("", Effect.FLAT, as_written, subject=scores[0]))
        assert result.verdict is Verdict.REFUTED
        assert result.reason.startswith("as written a gradient of norm ")

    @pytest.mark.parametrize("named", [True, False], ids=["a subject of integers", "no subject"])
    def test_something_must_take_a_gradient(self, graph, verify, scores, named):
        labels = graph.parameter("labels")
        claim = Claim("", Effect.FLAT, cross_entropy(graph, scores[0], labels), subject=labels if named else None)
        result = verify(claim)
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason == ("no tensor behind labels takes a gradient" if named else "the claim names no subject")


class TestLeak:
    def claim(self, graph, teacher, log_p):
        target = graph.softmax(teacher)
        detached = graph.call("detach", input=target)
        as_written, fixed = (graph.kl(log_p, each, "batchmean") for each in (target, detached))
        return Claim("", Effect.LEAK, as_written, fixed, subject=target)

    def test_a_gradient_that_detach_stops(self, graph, verify, scores):
        result = verify(self.claim(graph, scores[1], graph.log_softmax(scores[0])))
        assert result.verdict is Verdict.CONFIRMED
        assert "reaches site, with the fixed code none does; the fixed code is the reference" in result.reason

    def test_a_leaf_may_have_other_ways_to_the_value(self, graph, verify, scores):
        other = graph.log_softmax(graph.call("mul", input=scores[0], other=scores[1]))
        assert verify(self.claim(graph, scores[0], other)).verdict is Verdict.CONFIRMED

    def test_a_gradient_of_0_is_none(self, graph, verify, scores):
        assert verify(self.claim(graph, scores[0], graph.log_softmax(scores[0]))).verdict is Verdict.REFUTED

    def test_no_gradient_leaks_out_of_no_grad(self, graph, verify, scores):
        teacher = graph.call("mul", input=scores[1], other=2.0)
        log_p = graph.log_softmax(scores[0])
        assert verify(self.claim(graph, teacher, log_p)).verdict is Verdict.CONFIRMED
        quiet = self.claim(graph, replace(teacher, grad_enabled=False), log_p)
        result = verify(quiet)
        assert result.verdict is Verdict.REFUTED
        assert result.reason == "as written no gradient reaches site"

    def test_what_is_detached_already_refutes_it(self, graph, verify, scores):
        claim = self.claim(graph, graph.call("detach", input=scores[1]), graph.log_softmax(scores[0]))
        assert verify(claim).verdict is Verdict.REFUTED

    def test_fixed_code_that_leaks_too(self, graph, verify, scores):
        claim = self.claim(graph, scores[1], graph.log_softmax(scores[0]))
        again = graph.kl(graph.log_softmax(scores[0]), claim.subject, "sum")
        assert verify(replace(claim, fixed=again)).verdict is Verdict.INCONCLUSIVE


class TestReferences:
    def test_without_a_definition_the_fixed_code_is_the_reference(self, graph, verify, scores):
        log_p, q = graph.log_softmax(scores[0]), graph.softmax(scores[1])
        claim = Claim("", Effect.RATIO, graph.kl(log_p, q, "mean"), graph.kl(log_p, q, "batchmean"))
        result = verify(claim)
        assert result.verdict is Verdict.CONFIRMED
        assert "the fixed code is the reference" in result.reason
        assert {(run.reference, run.expected == run.fixed) for run in result.runs} == {("fixed code", True)}

    def test_a_definition_needs_no_fixed_code(self, graph, verify, scores):
        log_p, q = graph.log_softmax(scores[0]), graph.softmax(scores[1])
        claim = graph.claim(graph.kl(log_p, q, "mean"), graph.kl(log_p, q, "mean"), Divisor.ROWS, Effect.DIFFERS)
        result = verify(replace(claim, fixed=None))
        assert result.verdict is Verdict.CONFIRMED
        assert result.runs[0].fixed is None

    @pytest.mark.parametrize("effect", [Effect.RATIO, Effect.DIFFERS, Effect.SAME])
    def test_with_neither_most_effects_cannot_be_judged(self, graph, verify, scores, effect):
        result = verify(Claim("", effect, graph.kl(graph.log_softmax(scores[0]), graph.softmax(scores[1]), "mean")))
        assert result.verdict is Verdict.INCONCLUSIVE
        assert result.reason == "there is neither fixed code nor a definition to hold it against"

    def test_nan_needs_neither(self, graph, verify, scores):
        log_p, log_q = (graph.log_softmax(each) for each in scores)
        result = verify(Claim("", Effect.NAN, graph.kl(log_p, log_q, "mean")))
        assert (result.verdict, result.reason) == (Verdict.CONFIRMED, "as written it gives NaN")
