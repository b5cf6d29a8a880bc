"""The gradient is judged beside the value: against autograd through the closed form, in float64."""

from __future__ import annotations

import pytest
import torch
from scipy import special

from klint.rules.claims import Claim, Divisor, Effect
from klint.torch_model.facts import Space
from klint.verify import Verdict
from klint.verify.oracle import Operand, expected_value


def test_the_gradient_of_cross_entropy_is_softmax_minus_target():
    x = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    target = torch.tensor([1, 3, 0])
    value = expected_value(
        "cross_entropy", Operand(x, Space.SCORES, 1), Operand(target, Space.INDICES, 1), Divisor.ROWS
    )
    value.backward()
    by_hand = (special.softmax(x.detach().numpy(), axis=1) - torch.eye(4).numpy()[target]) / 3
    assert x.grad.numpy() == pytest.approx(by_hand)


@pytest.fixture
def free(graph):
    return graph.log_softmax(graph.parameter("x")), graph.softmax(graph.parameter("y"))


def test_a_ratio_holds_for_the_gradient_too(graph, verify, free):
    claim = graph.claim(graph.kl(*free, "mean"), graph.kl(*free, "batchmean"), Divisor.ROWS, Effect.RATIO)
    for run in verify(claim).runs:
        assert run.grad_ratio == pytest.approx(1 / 10)
        assert run.grad_cosine == pytest.approx(1.0)
        assert run.fixed_grad_cosine == pytest.approx(1.0)


def test_a_wrong_loss_may_pull_another_way(graph, verify, free):
    p = graph.softmax(free[0].arguments["input"])
    spaces = (Space.PROBABILITIES, Space.PROBABILITIES)
    as_written, fixed = graph.kl(p, free[1], "batchmean"), graph.kl(free[0], free[1], "batchmean")
    (run,) = verify(graph.claim(as_written, fixed, Divisor.ROWS, spaces=spaces)).runs
    assert run.grad_cosine < 0.9


def test_fixed_code_with_the_value_alone_proves_nothing(graph, verify, free):
    """The value is right, but nothing is learnt from it."""
    as_written = graph.kl(*free, "mean")
    right, detached = graph.kl(*free, "batchmean"), graph.call("detach", input=graph.kl(*free, "batchmean"))
    half = graph.call("div", input=graph.call("add", input=right, other=detached), other=2)
    claim = graph.claim(as_written, half, Divisor.ROWS, Effect.RATIO)
    result = verify(claim)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "has the value that is expected, but not the gradient" in result.reason


def test_the_same_value_with_another_gradient_is_refuted(graph, verify, free):
    right, detached = graph.kl(*free, "sum"), graph.call("detach", input=graph.kl(*free, "sum"))
    half = graph.call("div", input=graph.call("add", input=right, other=detached), other=2)
    result = verify(Claim("", Effect.SAME, half, right))
    assert result.verdict is Verdict.REFUTED
    assert result.reason.startswith("the value is the same, but the gradient's norm is ")
