"""From source text to verdicts, through the graph, the facts and the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from klint.rules import RULES
from klint.rules.engine import diagnose
from klint.source.python import parse_source
from klint.verify import Result, Verdict, VerifyOptions, verify_diagnoses, verify_paths

FIXTURES = Path(__file__).parents[2] / "fixtures"
HEADER = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n\n"


@pytest.fixture
def verdicts(sandbox):
    """The results for a source text."""

    def run(text: str) -> list[Result]:
        diagnoses = diagnose(parse_source(text, "site.py"), RULES).diagnoses
        return list(verify_diagnoses(diagnoses, VerifyOptions(device="cpu"), sandbox).results)

    return run


TEMPERATURE = """
def loss(student, teacher, T=4.0):
    return F.kl_div(F.log_softmax(student / T, dim=-1), F.softmax(teacher / T, dim=-1)) * T * T
"""
MODEL = """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(32, 12)
        self.loss = nn.KLDivLoss()

    def forward(self, x, y):
        return self.loss(torch.log_softmax(self.head(x), dim=-1), torch.softmax(y, dim=-1))
"""
UNPACKED_SHAPE = """
def loss(x, y):
    b, t, c = x.shape
    log_p = F.log_softmax(x, dim=2).view(b * t, c)
    return F.kl_div(log_p, F.softmax(y, dim=2).view(b * t, c), reduction="mean")
"""
ATTENTION = """
def loss(q, k, target):
    scores = torch.matmul(q, k.transpose(-2, -1)) / q.size(-1) ** 0.5
    return F.kl_div(F.softmax(scores, dim=-1), F.softmax(target, dim=-1), reduction="batchmean")
"""
DEVICES = """
def loss(x, y, device):
    x = x.to(device).float()
    return F.kl_div(x.log_softmax(1), y.cuda().log_softmax(1), reduction="batchmean")
"""
CLAMP = """
def loss(x, y):
    p = torch.clamp(F.softmax(x, dim=-1), min=1e-6)
    return F.kl_div(p.log(), F.softmax(y, -1), reduction="sum") / x.size(0)
"""
UNREDUCED = """
def loss(x, y):
    return F.kl_div(F.softmax(x, -1), F.softmax(y, -1), reduction="none").sum(-1).mean()
"""


@pytest.mark.parametrize(
    ("code", "body"),
    [
        pytest.param("KL201", TEMPERATURE, id="temperature"),
        pytest.param("KL201", MODEL, id="model"),
        pytest.param("KL201", UNPACKED_SHAPE, id="unpacked shape"),
        pytest.param("KL101", ATTENTION, id="attention"),
        pytest.param("KL103", DEVICES, id="devices"),
        pytest.param("KL110", CLAMP, id="clamp"),
        pytest.param("KL101", UNREDUCED, id="unreduced"),
    ],
)
def test_code_with_free_tensors_is_confirmed(code, body, verdicts):
    (result,) = verdicts(HEADER + body)
    assert result.finding.code == code
    assert result.verdict is Verdict.CONFIRMED, result.reason
    assert result.assumptions


def test_the_forum_thread_shows_its_two_numbers(sandbox):
    results = verify_paths([FIXTURES / "forum_thread.py"], VerifyOptions(device="cpu")).results
    assert {"KL202", "KL301"} <= {result.finding.code for result in results}
    for result in results:
        (run,) = result.runs
        assert result.verdict is Verdict.CONFIRMED, result.reason
        assert run.dtype == "float32"
        assert run.grad_ratio == pytest.approx(1 / 4, abs=1e-5)
        assert f"{run.as_written:.4f} {run.expected:.4f} {run.fixed:.4f}" == "0.0179 0.0716 0.0716"


HOSTILE = """
import os, torch, torch.nn.functional as F
from pathlib import Path
Path({mark!r}).touch()

class Trap(torch.Tensor, metaclass=Path({mark!r}).touch()):
    x = Path({mark!r}).touch()
    @classmethod
    def __torch_function__(cls, *args, **kwargs):
        Path({mark!r}).touch()

def touch(function):
    Path({mark!r}).touch()
    return function

torch.softmax = touch
F.kl_div.__class__ = Trap

@touch
def loss(x, y, extra=Path({mark!r}).touch()):
    eval({mark!r} and "__import__('os').system('touch {mark}')")
    return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction=f"{{Path({mark!r}).touch()}}")

a, b = torch.randn(2, 3), torch.randn(2, 3)
F.kl_div(F.softmax(a, dim=1), F.softmax(b, dim=1), reduction="sum")
"""


def test_nothing_of_a_hostile_file_is_run(tmp_path, verdicts):
    mark = tmp_path / "mark"
    verdicts(HOSTILE.format(mark=str(mark)))
    assert not mark.exists()
