"""How the distributions were made: KL111 normalised-twice, KL112 kl-elementwise-probabilities, KL113 scaled-after-normalising."""

from __future__ import annotations

import pytest

from tests.codes import codes_after_preamble, findings

TWICE = {
    "log_softmax of a softmax": "F.kl_div(F.log_softmax(F.softmax(x, 1), 1), p, reduction='sum')",
    "softmax of a softmax as target": "F.kl_div(log_q, F.softmax(p, dim=1), reduction='sum')",
    "by methods": "F.kl_div(x.softmax(-1).log_softmax(-1), p, reduction='sum')",
    "by modules": "F.kl_div(nn.LogSoftmax(dim=1)(nn.Softmax(dim=1)(x)), p, reduction='sum')",
    "log_softmax of an exp of log-probabilities": "F.kl_div(F.log_softmax(log_q.exp(), 1), p, reduction='sum')",
    "log_softmax of a mixture": "F.kl_div(F.log_softmax((p + log_q.exp()) / 2, 1), p, reduction='sum')",
    "log_softmax of a softmax over a temperature": "F.kl_div(F.log_softmax(F.softmax(x, 1) / 4, 1), p, reduction='sum')",
    "with a view in between": "F.kl_div(F.log_softmax(F.softmax(x, 1).view(-1, 10), 1), p, reduction='sum')",
    "with a detach in between": "F.kl_div(log_q, F.softmax(p.detach(), 1), reduction='sum')",
    "dims that are the same at rank 2": "F.kl_div(F.log_softmax(F.softmax(x, -1), 1), p, reduction='sum')",
    "softmax in the model": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)
            def forward(self, x):
                return F.softmax(self.fc(x), dim=1)
        F.kl_div(F.log_softmax(Net()(x), dim=1), p, reduction='sum')
        """,
    "softmax at the end of a Sequential": """
        net = nn.Sequential(nn.Linear(10, 10), nn.Softmax(dim=1))
        F.nll_loss(F.log_softmax(net(x), dim=1), torch.randint(0, 10, (8,)))
        """,
    "into cross_entropy": "F.cross_entropy(F.log_softmax(F.softmax(x, 1), 1), torch.randint(0, 10, (8,)))",
    "into the soft target of cross_entropy": "F.cross_entropy(x, F.softmax(p, 1))",
    "into nn.NLLLoss": "nn.NLLLoss()(nn.LogSoftmax(dim=1)(F.softmax(x, 1)), torch.randint(0, 10, (8,)))",
    "in a helper": """
        def distill(student, teacher):
            return F.kl_div(F.log_softmax(student, -1), F.softmax(teacher, -1), reduction='batchmean')
        distill(x, F.softmax(y, -1))
        """,
    "at unknown rank over the same dim": """
        def loss(a, b):
            return F.kl_div(a.softmax(-1).log_softmax(-1), b.softmax(-1), reduction='batchmean')
        """,
}
ONCE = {
    "log_softmax of log_softmax": "F.kl_div(F.log_softmax(log_q, 1), p, reduction='sum')",
    "softmax of log_softmax": "F.kl_div(log_q, F.softmax(F.log_softmax(y, 1), 1), reduction='sum')",
    "softmax of softened log-probabilities": "F.kl_div(log_q, F.softmax(F.log_softmax(y, 1) / 4, 1), reduction='sum')",
    "over another dim": "F.kl_div(F.log_softmax(F.softmax(x, 0), 1), p, reduction='sum')",
    "one-hot rows that are smoothed on purpose": (
        "hot = F.one_hot(y.argmax(1), 10).float()\nF.kl_div(log_q, F.softmax(hot * 5, 1), reduction='sum')"
    ),
    "softmax of one-hot rows": "F.kl_div(log_q, F.softmax(F.one_hot(y.argmax(1), 10).float(), 1), reduction='sum')",
    "scores that attention computed": "a = F.softmax(y, 1) @ x.t() @ x\nF.kl_div(F.log_softmax(a, 1), p, reduction='sum')",
    "log_softmax of what may be probabilities": "F.kl_div(F.log_softmax(net(x), 1), p, reduction='sum')",
    "log_softmax of what is called probabilities": """
        def loss(probs, p):
            return F.kl_div(F.log_softmax(probs, dim=1), p, reduction='batchmean')
        """,
    "sharpened probabilities": "F.kl_div(log_q, F.softmax(p * 20, 1), reduction='sum')",
    "softmax for the metrics alone": """
        probs = F.softmax(x, dim=1)
        print(probs.argmax(1))
        F.kl_div(F.log_softmax(x, dim=1), p, reduction='sum')
        """,
    "softmax unless training": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(10, 10)
            def forward(self, x):
                x = self.fc(x)
                if not self.training:
                    x = F.softmax(x, dim=1)
                return x
        F.kl_div(F.log_softmax(Net()(x), dim=1), p, reduction='sum')
        """,
    "rebound": "q = F.softmax(x, 1)\nq = x\nF.kl_div(F.log_softmax(q, 1), p, reduction='sum')",
}

ELEMENTWISE = {
    "logsigmoid against sigmoid": "F.kl_div(F.logsigmoid(x), torch.sigmoid(y), reduction='sum')",
    "log of a sigmoid": "F.kl_div(torch.sigmoid(x).log(), p, reduction='sum')",
    "log of a clamped sigmoid": "F.kl_div(x.sigmoid().clamp(min=1e-7).log(), p, reduction='sum')",
    "sigmoid without a log": "F.kl_div(torch.sigmoid(x), p, reduction='sum')",
    "sigmoid as target": "F.kl_div(log_q, torch.sigmoid(y), reduction='sum')",
    "logsigmoid as target": "F.kl_div(log_q, F.logsigmoid(y), reduction='sum', log_target=True)",
    "by modules": "nn.KLDivLoss(reduction='sum')(nn.LogSigmoid()(x), nn.Sigmoid()(y))",
    "at the end of a Sequential": (
        "net = nn.Sequential(nn.Linear(10, 10), nn.Sigmoid())\nF.kl_div(net(x).log(), net(y).detach(), reduction='sum')"
    ),
    "negated and maximised": "loss = -F.kl_div(F.logsigmoid(x), torch.sigmoid(y), reduction='sum')",
    "difference of two": """
        a = F.kl_div(F.logsigmoid(x), torch.sigmoid(y), reduction='sum')
        loss = thing() - a
        """,
}
PAIRED = {
    "both terms of each pair": """
        q, t = torch.sigmoid(x), torch.sigmoid(y)
        loss = F.kl_div(q.log(), t, reduction='sum') + F.kl_div((1 - q).log(), 1 - t, reduction='sum')
        """,
    "both terms by logsigmoid": """
        t = torch.sigmoid(y)
        loss = F.kl_div(F.logsigmoid(x), t, reduction='sum') + F.kl_div(F.logsigmoid(-x), 1 - t, reduction='sum')
        """,
    "both terms of clamped probabilities": """
        q, t = torch.sigmoid(x).clamp(1e-6, 1 - 1e-6), torch.sigmoid(y)
        loss = F.kl_div(q.log(), t, reduction='sum') + F.kl_div((1 - q).log(), 1 - t, reduction='sum')
        """,
    "stack of each pair": """
        q, t = torch.sigmoid(x), torch.sigmoid(y)
        F.kl_div(torch.stack([q, 1 - q], -1).log(), torch.stack([t, 1 - t], -1), reduction='sum')
        """,
    "concatenated pairs": """
        q, t = torch.sigmoid(x[:, :1]), torch.sigmoid(y[:, :1])
        F.kl_div(torch.cat([q, 1 - q], 1).log(), torch.cat([t, 1 - t], 1), reduction='sum')
        """,
    "sigmoid that is renormalised": """
        q = torch.sigmoid(x)
        F.kl_div((q / q.sum(1, keepdim=True)).log(), p, reduction='sum')
        """,
    "sigmoid normalised by F.normalize": "F.kl_div(F.normalize(x.sigmoid(), p=1, dim=1).log(), p, reduction='sum')",
    "sigmoid as a gate of scores": "F.kl_div(F.log_softmax(torch.sigmoid(y) * x, 1), p, reduction='sum')",
    "log_softmax of a sigmoid": "F.kl_div(F.log_softmax(torch.sigmoid(x), 1), p, reduction='sum')",
    "mask of zeros and ones": "F.kl_div(log_q, (y == y.amax(1, keepdim=True)).float(), reduction='sum')",
    "zeros that are written into": """
        t = torch.zeros(8, 10)
        t[torch.arange(8), y.argmax(1)] = 1.0
        F.kl_div(log_q, t, reduction='sum')
        """,
}

SCALED = {
    "divided by a number": "F.kl_div(F.log_softmax(x, 1) / 4.0, p, reduction='sum')",
    "divided by a name": "T = 4.0\nF.kl_div(F.log_softmax(x, 1) / T, F.softmax(y / T, 1), reduction='sum')",
    "multiplied": "F.kl_div(0.5 * log_q, p, reduction='sum')",
    "by method": "F.kl_div(log_q.div(4.0), p, reduction='sum')",
    "by torch.mul": "F.kl_div(torch.mul(log_q, 0.5), p, reduction='sum')",
    "in place": "q = F.log_softmax(x, 1)\nq.div_(4.0)\nF.kl_div(q, p, reduction='sum')",
    "by augmented assignment": "q = F.log_softmax(x, 1)\nq /= 4.0\nF.kl_div(q, p, reduction='sum')",
    "target in logs": "F.kl_div(log_q, F.log_softmax(y, 1) / 4.0, reduction='sum', log_target=True)",
    "module loss": "nn.KLDivLoss(reduction='sum')(nn.LogSoftmax(dim=1)(x) / 4.0, p)",
    "with a view afterwards": "F.kl_div((log_q / 4.0).view(-1, 10).float(), p, reduction='sum')",
    "by a temperature that is a parameter": """
        def kd(student, teacher, temperature):
            log_q = F.log_softmax(student, dim=1) / temperature
            return F.kl_div(log_q, F.softmax(teacher / temperature, dim=1), reduction='batchmean')
        """,
    "by a temperature that is an attribute": """
        class Distill(nn.Module):
            def __init__(self, T):
                super().__init__()
                self.T = T
            def forward(self, student, teacher):
                log_q = F.log_softmax(student, dim=1) / self.T
                return F.kl_div(log_q, F.softmax(teacher / self.T, dim=1), reduction='batchmean')
        """,
    "by the caller": """
        def kd(log_q, p):
            return F.kl_div(log_q, p, reduction='batchmean')
        kd(F.log_softmax(x, 1) / 2, p)
        """,
}
UNSCALED = {
    "scaled before": "F.kl_div(F.log_softmax(x / 4.0, 1), F.softmax(y / 4.0, 1), reduction='sum')",
    "scaled and normalised again": "F.kl_div(F.log_softmax(log_q / 4.0, 1), p, reduction='sum')",
    "times one": "F.kl_div(log_q * 1.0, p, reduction='sum')",
    "weighted by a tensor": "F.kl_div(log_q * mask, p, reduction='sum')",
    "masked": "m = (y > 0).float()\nF.kl_div(log_q * m, p * m, reduction='sum')",
    "the loss is scaled": "F.kl_div(log_q, p, reduction='sum') / 4.0 ** 2",
    "divided by what may be a tensor": """
        def loss(a, b, weight):
            return F.kl_div(F.log_softmax(a, dim=1) / weight, F.softmax(b, dim=1), reduction='batchmean')
        """,
    "log_softmax over a temperature into cross_entropy": "F.cross_entropy(log_q / 4.0, torch.randint(0, 10, (8,)))",
    "weighted sum of log-probabilities": "F.kl_div(0.5 * log_q + 0.5 * p.log(), thing(), reduction='sum')",
    "temperature of one that every caller passes": """
        def kd(log_q, p, T):
            return F.kl_div(log_q / T, p, reduction='batchmean')
        kd(log_q, p, 1)
        """,
}


def cases(**tables):
    """Parameters: the code and the source of each case of each table."""
    return [
        pytest.param(code, source, id=f"{code} {name}")
        for code, table in tables.items()
        for name, source in table.items()
    ]


@pytest.mark.parametrize(("code", "source"), cases(KL111=TWICE, KL112=ELEMENTWISE, KL113=SCALED))
def test_wrong_normalisation_is_found_and_nothing_else(code, source):
    assert codes_after_preamble(source) == [code]


@pytest.mark.parametrize(("code", "source"), cases(KL111=ONCE, KL112=PAIRED, KL113=UNSCALED))
def test_right_normalisation_is_silent(code, source):
    assert code not in codes_after_preamble(source)


def test_cross_entropy_of_two_softmaxes_has_one_too_many_but_for_its_own():
    assert "KL111" not in codes_after_preamble("F.cross_entropy(F.softmax(F.softmax(x, 1), 1), y.argmax(1))")


def test_the_log_of_a_softmax_of_a_softmax_is_two_findings():
    source = "F.kl_div(F.softmax(F.softmax(x, 1), 1).log(), p, reduction='sum')"
    assert codes_after_preamble(source) == ["KL110", "KL111"]


@pytest.mark.parametrize(
    ("temperature", "confidence"),
    [
        pytest.param("def loss(x, y, T):", "likely", id="parameter"),
        pytest.param("T = 4.0\ndef loss(x, y):", "proven", id="number"),
    ],
)
def test_a_scale_that_is_not_written_out_is_likely(temperature, confidence):
    (finding,) = findings(
        "import torch.nn.functional as F\n"
        f"{temperature}\n"
        "    return F.kl_div(F.log_softmax(x, -1) / T, F.softmax(y / T, -1), reduction='batchmean')\n"
    )
    assert (finding.code, finding.confidence.value) == ("KL113", confidence)
    assert finding.message.endswith("use log_softmax(x / T)")


def test_the_largest_probability_is_in_the_message_where_the_classes_are_counted():
    (finding,) = findings(
        "import torch\nimport torch.nn.functional as F\nx = torch.randn(8, 100)\n"
        "F.kl_div(x.softmax(1).log_softmax(1), torch.randn(8, 100).softmax(1), reduction='batchmean')"
    )
    assert "more than 0.0267, " in finding.message
    assert len(finding.related) == 2


def test_both_slots_that_are_normalised_twice_are_one_finding():
    (finding,) = findings(
        "import torch\nimport torch.nn.functional as F\nx, y = torch.randn(8, 10).softmax(1), torch.randn(8, 10).softmax(1)\n"
        "F.kl_div(x.log_softmax(1), y.softmax(1), reduction='batchmean')"
    )
    assert finding.message.startswith("input and target are normalised twice")
