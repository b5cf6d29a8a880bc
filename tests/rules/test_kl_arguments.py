"""What kl_div's arguments hold: KL101, KL102, KL103, KL110."""

from __future__ import annotations

import pytest

from tests.codes import codes, codes_after_preamble, findings

WRONG = {
    "functional softmax": ("F.kl_div(F.softmax(x, dim=1), p, reduction='sum')", "KL101"),
    "torch softmax": ("F.kl_div(torch.softmax(x, 1), p, reduction='sum')", "KL101"),
    "method softmax": ("F.kl_div(x.softmax(-1), p, reduction='sum')", "KL101"),
    "module softmax": ("F.kl_div(nn.Softmax(dim=1)(x), p, reduction='sum')", "KL101"),
    "softmax then view": ("F.kl_div(F.softmax(x, dim=1).view(-1, 10), p, reduction='sum')", "KL101"),
    "softmax then detach": ("F.kl_div(F.softmax(x, dim=1).detach().clone(), p, reduction='sum')", "KL101"),
    "exp of log-probabilities": ("F.kl_div(log_q.exp(), p, reduction='sum')", "KL101"),
    "module loss": ("nn.KLDivLoss(reduction='sum')(F.softmax(x, dim=1), p)", "KL101"),
    "input by keyword": ("F.kl_div(target=p, input=F.softmax(x, dim=1), reduction='sum')", "KL101"),
    "random scores": ("F.kl_div(x, p, reduction='sum')", "KL102"),
    "output of a layer": ("F.kl_div(nn.Linear(10, 10)(x), p, reduction='sum')", "KL102"),
    "scores over a temperature": ("F.kl_div(x / 2.0, p, reduction='sum')", "KL102"),
    "log-softmax target": ("F.kl_div(log_q, F.log_softmax(y, dim=1), reduction='sum')", "KL103"),
    "log of probabilities as target": ("F.kl_div(log_q, p.log(), reduction='sum', log_target=False)", "KL103 KL110"),
    "log of softmax": ("F.kl_div(torch.log(F.softmax(x, dim=1)), p, reduction='sum')", "KL110"),
    "method log of softmax": ("F.kl_div(F.softmax(x, dim=1).log(), p, reduction='sum')", "KL110"),
    "log of softmax plus epsilon": ("F.kl_div((F.softmax(x, dim=1) + 1e-8).log(), p, reduction='sum')", "KL110"),
    "log of clamped softmax": ("F.kl_div(F.softmax(x, 1).clamp(min=1e-8).log(), p, reduction='sum')", "KL110"),
    "log softmax by log_target": ("F.kl_div(log_q, p.log(), reduction='sum', log_target=True)", "KL110"),
}

RIGHT = {
    "log_softmax against softmax": "F.kl_div(log_q, p, reduction='sum')",
    "log_target with log_softmax": "F.kl_div(log_q, F.log_softmax(y, dim=1), reduction='sum', log_target=True)",
    "mixture of probabilities": "F.kl_div(torch.clamp((F.softmax(x, 1) + p) / 2, 1e-7, 1).log(), p, reduction='sum')",
    "unknown input": "F.kl_div(thing(), p, reduction='sum')",
    "unknown log_target": "F.kl_div(log_q, F.log_softmax(y, dim=1), reduction='sum', log_target=flag)",
    "unknown keywords": "F.kl_div(log_q, F.log_softmax(y, dim=1), reduction='sum', **options)",
    "a name that lies": "logits = F.log_softmax(x, dim=1)\nF.kl_div(logits, p, reduction='sum')",
    "rebound after the loss": "q = log_q\nF.kl_div(q, p, reduction='sum')\nq = F.softmax(x, dim=1)",
}


@pytest.mark.parametrize(("source", "expected"), WRONG.values(), ids=WRONG)
def test_wrong_argument_is_found(source, expected):
    assert set(codes_after_preamble(source)) >= set(expected.split()[:1])


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_right_argument_is_silent(source):
    assert codes_after_preamble(source) == []


def test_an_operation_in_place_changes_what_the_name_holds():
    assert codes_after_preamble("q = F.softmax(x, dim=1)\nq.log_()\nF.kl_div(q, p, reduction='sum')") == ["KL110"]


def test_a_parameter_called_logits_is_likely_and_the_message_says_so():
    (finding,) = findings(
        """
        import torch.nn.functional as F
        def loss(student_logits, teacher):
            return F.kl_div(student_logits, F.softmax(teacher, dim=-1), reduction="batchmean")
        """
    )
    assert (finding.code, finding.confidence.value) == ("KL102", "likely")
    assert "name" in finding.message


def test_a_likely_finding_falls_when_the_callers_pass_log_probabilities():
    assert (
        codes(
            """
            import torch.nn.functional as F
            def loss(logits, target):
                return F.kl_div(logits, target, reduction="batchmean")
            def step(x, y):
                return loss(F.log_softmax(x, dim=-1), F.softmax(y, dim=-1))
            """
        )
        == []
    )


def test_a_helper_is_judged_at_its_caller():
    (finding,) = findings(
        """
        import torch.nn.functional as F
        def loss(a, b):
            return F.kl_div(a, b, reduction="batchmean")
        def step(x, y):
            return loss(F.softmax(x, dim=-1), F.softmax(y, dim=-1))
        """
    )
    assert finding.code == "KL101"
    assert finding.location.row == 4
    assert 6 in [related.location.row for related in finding.related]
