from __future__ import annotations

from dataclasses import replace

import pytest

from klint.rules.claims import Divisor, Effect
from klint.torch_model.facts import Space
from klint.verify import VerifyOptions, verify_diagnoses
from klint.verify.companions import Mending, find_loss, group_by_call, mend_others

SPACES = (Space.PROBABILITIES, Space.LOG_PROBABILITIES)


@pytest.fixture
def claims(graph):
    """Three mistakes in one call: the input is no log, the target is one, and the mean runs over the classes too."""
    p, log_q = graph.softmax(graph.parameter("x")), graph.log_softmax(graph.parameter("y"))
    log_p = graph.log_softmax(p.arguments["input"])
    call = graph.kl(p, log_q, "mean")
    return {
        "KL101": graph.claim(call, graph.kl(log_p, log_q, "mean"), Divisor.NUMEL, Effect.DIFFERS, SPACES),
        "KL103": graph.claim(call, graph.kl(p, log_q, "mean", log_target=True), Divisor.NUMEL, Effect.NAN, SPACES),
        "KL201": graph.claim(call, graph.kl(p, log_q, "batchmean"), Divisor.ROWS, Effect.RATIO, SPACES),
    }


def test_each_mistake_is_shown_with_the_others_mended(graph, sandbox, claims):
    diagnoses = [graph.diagnosis(claim) for claim in claims.values()]
    results = verify_diagnoses(diagnoses, VerifyOptions(device="cpu"), sandbox).results
    assert [(result.verdict.value, result.reason) for result in results] == [
        ("confirmed", results[0].reason),
        ("confirmed", "as written it gives NaN; the fixed code agrees"),
        ("confirmed", "as written it is 1/10 of the expected value; the fixed code agrees"),
    ]
    assert all("is mended" in result.assumptions[0] for result in results)


def test_a_definition_of_what_is_mended_gives_way_to_the_fixed_code(graph, sandbox):
    """The classes are averaged over too, and the two tensors are the wrong way round."""
    p, log_q = graph.softmax(graph.parameter("x")), graph.log_softmax(graph.parameter("y"))
    call = graph.kl(p, log_q, "mean")
    swapped = graph.kl(log_q, p, "mean")
    claims = {
        "KL106": graph.claim(call, swapped, Divisor.NUMEL, Effect.NAN, SPACES),
        "KL201": graph.claim(call, graph.kl(p, log_q, "batchmean"), Divisor.ROWS, Effect.RATIO, SPACES),
    }
    results = verify_diagnoses(
        [graph.diagnosis(claims["KL201"]), graph.diagnosis(claims["KL106"])], VerifyOptions(device="cpu"), sandbox
    ).results
    assert [result.verdict.value for result in results][:1] == ["confirmed"]
    assert {run.reference for run in results[0].runs} == {"fixed code"}
    assert "is 1/10 of the expected value; the fixed code is the reference" in results[0].reason


def test_a_mistake_alone_is_left_alone(graph, claims):
    alone = {"KL103": claims["KL103"]}
    assert mend_others(claims["KL103"], group_by_call(alone.items())).calls == {}


def test_what_the_claim_is_about_is_left_as_written(claims):
    mending = mend_others(claims["KL101"], group_by_call(claims.items()))
    call = claims["KL101"].as_written
    replaced = mending.calls[id(call)]
    assert replaced.arguments["input"] is call.arguments["input"]
    assert "log_target" in replaced.arguments


def test_findings_at_other_calls_do_not_matter(graph, claims):
    elsewhere = graph.kl(graph.softmax(graph.parameter("z")), graph.softmax(graph.parameter("w")), "sum")
    other = graph.claim(elsewhere, graph.kl(graph.log_softmax(graph.parameter("z")), elsewhere, "sum"))
    pairs = [("KL103", claims["KL103"]), ("KL101", other)]
    assert mend_others(claims["KL103"], group_by_call(pairs)).codes == ()


def test_without_fixed_code_nothing_is_known_to_be_mended(graph, claims):
    unfixed = replace(claims["KL103"], fixed=None, expected=None)
    groups = group_by_call([("KL103", unfixed), ("KL101", claims["KL101"])])
    assert mend_others(unfixed, groups) == Mending()
    assert mend_others(claims["KL101"], groups) == Mending()


def test_what_hides_nothing_is_left_alone(claims):
    groups = group_by_call([("KL904", replace(claims["KL103"], effect=Effect.LEAK)), ("KL101", claims["KL101"])])
    assert mend_others(claims["KL101"], groups) == Mending()


def test_the_nearest_loss_is_found_wherever_it_stands(graph, claims):
    call = claims["KL101"].as_written
    value = graph.call("sub", input=graph.parameter("z"), other=graph.call("sum", input=call))
    assert find_loss(value) is call
    assert find_loss(graph.parameter("z")) is None


def test_swapped_tensors_are_mended_with_what_is_wrong_in_them(graph, sandbox):
    """The log of the softmax moves to the slot of the target, and is to be judged there."""
    p = graph.softmax(graph.parameter("x"))
    log_q = graph.call("log", input=graph.softmax(graph.parameter("y")))
    call = graph.kl(p, log_q, "batchmean")
    meant = graph.log_softmax(log_q.arguments["input"].arguments["input"])
    swap = graph.claim(call, graph.kl(log_q, p, "batchmean"), Divisor.ROWS, Effect.NAN, SPACES)
    underflow = graph.claim(call, graph.kl(p, meant, "batchmean"), Divisor.ROWS, Effect.UNDERFLOW, SPACES)
    diagnoses = [graph.diagnosis(claim) for claim in (underflow, swap)]
    result = verify_diagnoses(diagnoses, VerifyOptions(device="cpu"), sandbox).results[0]
    assert result.verdict.value == "confirmed", result.reason
    assert result.assumptions[0] == "the mistake of KL000 is mended"


def test_a_copy_that_is_reduced_otherwise_is_the_same_call(graph):
    """A claim about what is made of the elements stands on a copy of the call, without a reduction."""
    p, q = graph.softmax(graph.parameter("x")), graph.softmax(graph.parameter("y"))
    call, copy = graph.kl(p, q, "sum"), graph.kl(p, q, "none")
    fixed = graph.kl(graph.log_softmax(p.arguments["input"]), q, "sum")
    mistake = graph.claim(call, fixed, spaces=(Space.PROBABILITIES, Space.PROBABILITIES))
    mean = graph.claim(graph.call("mean", input=copy), graph.call("sum", input=graph.kl(p, q, "none")))
    assert mend_others(mean, group_by_call([("KL101", mistake), ("KL204", mean)])).codes == ("KL101",)


def test_what_is_wrong_in_the_same_world_is_mended_though_not_reported(claims):
    alone = replace(claims["KL201"], beside=tuple(claims.items()))
    assert mend_others(alone, {}).codes == ("KL101", "KL103")


def test_tensors_that_the_claim_is_not_about_are_taken_to_be_right(graph, sandbox):
    """Nothing is known of the target, which holds log-probabilities in fact: the loss is NaN, whatever the input."""
    p, target = graph.softmax(graph.parameter("x")), graph.log_softmax(graph.parameter("y"))
    call = graph.kl(p, target, "batchmean")
    fixed = graph.kl(graph.log_softmax(p.arguments["input"]), target, "batchmean")
    claim = graph.claim(call, fixed, Divisor.ROWS, Effect.DIFFERS, (Space.PROBABILITIES, Space.UNKNOWN))
    result = verify_diagnoses([graph.diagnosis(claim)], VerifyOptions(device="cpu"), sandbox).results[0]
    assert result.verdict.value == "confirmed", result.reason
    assert result.assumptions[0] == "target `site` is taken to be right"
