"""What kl_div's arguments hold, continued: KL104 to KL107."""

from __future__ import annotations

import pytest

from tests.codes import codes, codes_after_preamble, findings

SCORES = {
    "scores as target": "F.kl_div(log_q, y, reduction='sum')",
    "output of a layer as target": "F.kl_div(log_q, nn.Linear(10, 10)(y), reduction='sum')",
    "scores over a temperature as target": "F.kl_div(log_q, y / 4.0, reduction='sum')",
    "scores as target of a module": "nn.KLDivLoss(reduction='sum')(log_q, y)",
    "scores as target by keyword": "F.kl_div(target=y, input=log_q, reduction='sum')",
    "scores as target by an alias": "from torch.nn.functional import kl_div as kl\nkl(log_q, y, reduction='sum')",
    "scores as target with log_target": "F.kl_div(log_q, y, reduction='sum', log_target=True)",
    "scores as target, log_target unknown": "F.kl_div(log_q, y, reduction='sum', log_target=flag)",
    "detached scores as target": "t = y.detach().clone()\nF.kl_div(log_q, t, reduction='sum')",
    "teacher without a softmax": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)
            def forward(self, x):
                return self.fc(x)
        F.kl_div(log_q, Net()(y), reduction='sum')
        """,
    "scores behind a ReLU": "F.kl_div(log_q, F.relu(y), reduction='sum')",
    "helper that is given scores": """
        def loss(student, teacher):
            return F.kl_div(F.log_softmax(student, dim=1), teacher, reduction='sum')
        loss(x, y)
        """,
}
NO_SCORES = {
    "softmax of scores": "F.kl_div(log_q, F.softmax(y / 4.0, dim=1), reduction='sum')",
    "unknown target": "F.kl_div(log_q, teacher(y), reduction='sum')",
    "exp of scores, which nothing normalises as far as is known": "F.kl_div(log_q, thing(y.exp()), reduction='sum')",
    "scores over their sum of exponentials": (
        "e = y.exp()\nF.kl_div(log_q, e / e.sum(1, keepdim=True), reduction='sum')"
    ),
    "scores that a branch normalises": "t = F.softmax(y, 1) if flag else thing(y)\nF.kl_div(log_q, t, reduction='sum')",
    "a name that lies": "teacher_logits = F.softmax(y, dim=1)\nF.kl_div(log_q, teacher_logits, reduction='sum')",
    "rebound after the loss": "t = p\nF.kl_div(log_q, t, reduction='sum')\nt = y",
    "renormalised top-k": """
        top = F.softmax(y, dim=1).topk(3, dim=1).values
        F.kl_div(log_q[:, :3], top / top.sum(dim=1, keepdim=True), reduction='sum')
        """,
    "smoothed one-hot by hand": """
        t = torch.full((8, 10), 0.1 / 9)
        t.scatter_(1, torch.randint(0, 10, (8, 1)), 0.9)
        F.kl_div(log_q, t, reduction='sum')
        """,
    "normalised by its own class": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.Linear(10, 10), nn.Softmax(dim=-1))
            def forward(self, x):
                return self.body(x)
        F.kl_div(log_q, Net()(y), reduction='sum')
        """,
}

LOG_TARGET = {
    "softmax with log_target": "F.kl_div(log_q, p, reduction='sum', log_target=True)",
    "softmax with log_target by position": "F.kl_div(log_q, p, None, None, 'sum', True)",
    "softmax with log_target of a module": "nn.KLDivLoss(reduction='sum', log_target=True)(log_q, p)",
    "exp of log-probabilities with log_target": "F.kl_div(log_q, log_q.exp(), reduction='sum', log_target=True)",
    "mixture with log_target": "F.kl_div(log_q, 0.5 * (p + log_q.exp()), reduction='sum', log_target=True)",
    "probabilities of a Categorical with log_target": (
        "t = torch.distributions.Categorical(logits=y).probs\nF.kl_div(log_q, t, reduction='sum', log_target=True)"
    ),
    "softmax with log_target by a constant": "LOGS = True\nF.kl_div(log_q, p, reduction='sum', log_target=LOGS)",
    "criterion of another method": """
        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.kl = nn.KLDivLoss(reduction='batchmean', log_target=True)
            def forward(self, student, teacher):
                return self.kl(student.log_softmax(-1), teacher.softmax(-1))
        """,
}
NO_LOG_TARGET = {
    "logs with log_target": "F.kl_div(log_q, F.log_softmax(y, 1), reduction='sum', log_target=True)",
    "log_target False": "F.kl_div(log_q, p, reduction='sum', log_target=False)",
    "log_target unknown": "F.kl_div(log_q, p, reduction='sum', log_target=flag)",
    "keywords unknown": "F.kl_div(log_q, p, reduction='sum', **options)",
    "flag that goes with the target": """
        def loss(log_target):
            t = F.log_softmax(y, 1) if log_target else F.softmax(y, 1)
            return F.kl_div(log_q, t, reduction='sum', log_target=log_target)
        """,
    "logs under a name that lies": "probs = F.log_softmax(y, 1)\nF.kl_div(log_q, probs, reduction='sum', log_target=True)",
    "logs in place": "t = F.log_softmax(y, 1)\nF.kl_div(log_q, t, reduction='sum', log_target=True)\nt.exp_()",
}

SWAPPED = {
    "swapped": "F.kl_div(p, log_q, reduction='sum')",
    "swapped with log_target": "F.kl_div(p, log_q, reduction='sum', log_target=True)",
    "swapped, log_target unknown": "F.kl_div(p, log_q, reduction='sum', log_target=flag)",
    "swapped for a module": "nn.KLDivLoss(reduction='sum')(F.softmax(y, 1), F.log_softmax(x, 1))",
    "swapped by keywords": "F.kl_div(input=p, target=log_q, reduction='sum')",
    "swapped by methods": "F.kl_div(y.softmax(-1), x.log_softmax(-1), reduction='sum')",
    "swapped in a helper": """
        def kl(a, b):
            return F.kl_div(a, b, reduction='batchmean')
        kl(F.softmax(y, 1), F.log_softmax(x, 1))
        """,
}
NOT_SWAPPED = {
    "the right way round": "F.kl_div(log_q, p, reduction='sum')",
    "reverse divergence": "F.kl_div(F.log_softmax(y, 1), F.softmax(x, 1), reduction='sum')",
    "both in logs": "F.kl_div(F.log_softmax(y, 1), log_q, reduction='sum', log_target=True)",
    "helper that takes probabilities first": """
        def kl(p, log_q):
            return F.kl_div(log_q, p, reduction='batchmean')
        kl(F.softmax(y, 1), F.log_softmax(x, 1))
        """,
    "function of the same name": """
        def kl_div(p, log_q):
            return (p * (p.log() - log_q)).sum()
        kl_div(F.softmax(y, 1), F.log_softmax(x, 1))
        """,
}

WHOLE = {
    "one-hot": "F.kl_div(log_q, F.one_hot(torch.randint(0, 10, (8,)), 10), reduction='sum')",
    "one-hot of an argmax": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10), reduction='sum')",
    "one-hot on a device": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10).to('cpu'), reduction='sum')",
    "one-hot with log_target": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10), reduction='sum', log_target=True)",
    "one-hot of a module": "nn.KLDivLoss(reduction='sum')(log_q, F.one_hot(y.argmax(1), 10))",
    "one-hot flattened": (
        "hot = F.one_hot(torch.randint(0, 10, (2, 4)), 10).view(-1, 10)\nF.kl_div(log_q, hot, reduction='sum')"
    ),
    "argmax": "F.kl_div(log_q, y.argmax(1), reduction='sum')",
    "indices that are drawn": "F.kl_div(log_q, torch.randint(0, 10, (8,)), reduction='sum')",
    "labels as a literal": "F.kl_div(log_q, torch.tensor([1, 2, 0, 3, 4, 5, 6, 7]), reduction='sum')",
    "one-hot rows as a literal": "F.kl_div(log_q[:2, :2], torch.tensor([[0, 1], [1, 0]]), reduction='sum')",
    "labels made long": "F.kl_div(log_q, batch['labels'].long(), reduction='sum')",
    "zeros of whole numbers": "F.kl_div(log_q, torch.zeros(8, 10, dtype=torch.long), reduction='sum')",
}
NOT_WHOLE = {
    "one-hot as floats": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10).float(), reduction='sum')",
    "one-hot to a dtype": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10).to(torch.float32), reduction='sum')",
    "one-hot to the dtype of another": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10).to(log_q.dtype), reduction='sum')",
    "one-hot like another": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10).to(log_q), reduction='sum')",
    "one-hot as the type of another": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10).type_as(log_q), reduction='sum')",
    "one-hot to a device and a dtype": (
        "F.kl_div(log_q, F.one_hot(y.argmax(1), 10).to('cpu', torch.float32), reduction='sum')"
    ),
    "smoothed one-hot": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10) * 0.9 + 0.01, reduction='sum')",
    "one-hot times one": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10) * 1.0, reduction='sum')",
    "clamped to decimal fractions": "F.kl_div(log_q, F.one_hot(y.argmax(1), 10).clamp(1e-3, 0.99), reduction='sum')",
    "labels of a loader": "F.kl_div(log_q, labels, reduction='sum')",
    "floats scattered": (
        "t = torch.zeros(8, 10).scatter_(1, y.argmax(1, keepdim=True), 1.0)\nF.kl_div(log_q, t, reduction='sum')"
    ),
}

WRONG = [
    *(
        (code, name, source)
        for code, cases in (("KL104", SCORES), ("KL105", LOG_TARGET))
        for name, source in cases.items()
    ),
    *((code, name, source) for code, cases in (("KL106", SWAPPED), ("KL107", WHOLE)) for name, source in cases.items()),
]
RIGHT = NO_SCORES | NO_LOG_TARGET | NOT_SWAPPED | NOT_WHOLE


def test_no_two_cases_share_a_name():
    assert len(RIGHT) == sum(map(len, (NO_SCORES, NO_LOG_TARGET, NOT_SWAPPED, NOT_WHOLE)))


@pytest.mark.parametrize(("code", "source"), [case[::2] for case in WRONG], ids=[f"{c} {n}" for c, n, _ in WRONG])
def test_wrong_argument_is_found_and_nothing_else(code, source):
    assert codes_after_preamble(source) == [code]


@pytest.mark.parametrize("source", RIGHT.values(), ids=RIGHT)
def test_right_argument_is_silent(source):
    assert codes_after_preamble(source) == []


def test_input_and_target_that_are_both_scores_are_two_findings():
    assert codes_after_preamble("F.kl_div(x, y, reduction='sum')") == ["KL102", "KL104"]


def test_input_probabilities_beside_log_target_are_two_findings():
    assert codes_after_preamble("F.kl_div(F.softmax(x, 1), p, reduction='sum', log_target=True)") == ["KL101", "KL105"]


@pytest.mark.parametrize(
    ("target", "option", "code"),
    [
        pytest.param("teacher_logits", "", "KL104", id="scores"),
        pytest.param("teacher_probs", ", log_target=True", "KL105", id="probabilities"),
    ],
)
def test_what_rests_on_a_name_is_likely_and_says_so(target, option, code):
    (finding,) = findings(
        f"""
        import torch.nn.functional as F
        def loss(student, {target}):
            return F.kl_div(F.log_softmax(student, dim=-1), {target}, reduction="batchmean"{option})
        """
    )
    assert (finding.code, finding.confidence.value) == (code, "likely")
    assert "to go by its name" in finding.message


def test_swapped_names_are_likely_and_replace_what_each_of_them_says():
    (finding,) = findings(
        """
        import torch.nn.functional as F
        def loss(probs, log_probs):
            return F.kl_div(probs, log_probs, reduction="batchmean")
        """
    )
    assert (finding.code, finding.confidence.value) == ("KL106", "likely")
    assert "by their names" in finding.message


def test_a_name_falls_when_every_caller_normalises():
    assert (
        codes(
            """
            import torch.nn.functional as F
            def loss(log_q, teacher_logits):
                return F.kl_div(log_q, teacher_logits, reduction="batchmean")
            def step(x, y):
                return loss(F.log_softmax(x, dim=-1), F.softmax(y, dim=-1))
            """
        )
        == []
    )


def test_the_message_says_what_to_write():
    source = "import torch\nimport torch.nn.functional as F\nx, y = torch.randn(8, 10), torch.randn(8, 10)\n"
    (finding,) = findings(source + "F.kl_div(x.log_softmax(1), y, reduction='sum', log_target=True)")
    assert "use F.log_softmax(" in finding.message
    (finding,) = findings(source + "F.kl_div(y.softmax(1), x.log_softmax(1), reduction='sum', log_target=True)")
    assert finding.message.endswith("use kl_div(x.log_softmax(1), y.softmax(1)) without log_target")


def test_log_target_in_a_constructor_is_a_related_place():
    (finding,) = findings(
        """
        import torch.nn as nn
        kl = nn.KLDivLoss(reduction="batchmean", log_target=True)
        def loss(x, y):
            return kl(x.log_softmax(-1), y.softmax(-1))
        """
    )
    assert finding.location.row == 5
    assert (3, "log_target is set here") in [(r.location.row, r.message) for r in finding.related]
