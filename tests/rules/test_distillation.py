"""Distillation: temperatures on both sides or on one, T**2, and gradients into the teacher (KL903, KL904, KL906)."""

from __future__ import annotations

from textwrap import dedent

import pytest

from klint.config import Settings
from klint.finding import Confidence
from klint.linter import lint_paths
from tests.codes import codes, findings

HEAD = """\
import math
import torch
import torch.nn as nn
import torch.nn.functional as F
"""


def found(source, code):
    """How often one code is found in a program below the usual imports."""
    return codes(HEAD + dedent(source), code).count(code)


def case(name, source):
    return pytest.param(source, id=name)


# KL906: one-sided temperature.

KD = "def kd(s, t, T=4.0):\n    return F.kl_div({}, {}, reduction='batchmean')\n"


@pytest.mark.parametrize(
    ("input", "target"),
    [
        pytest.param("F.log_softmax(s / T, 1)", "F.softmax(t, 1)", id="input alone"),
        pytest.param("F.log_softmax(s, 1)", "F.softmax(t / T, 1)", id="target alone"),
        pytest.param("(s / T).log_softmax(1)", "t.softmax(1)", id="methods"),
        pytest.param("nn.LogSoftmax(dim=1)(s.div(T))", "nn.Softmax(dim=1)(t)", id="modules"),
        pytest.param("F.log_softmax(s * (1 / T), 1)", "F.softmax(t, 1)", id="times its inverse"),
        pytest.param("F.log_softmax(s / 4, 1)", "F.softmax(t / 2, 1)", id="two numbers"),
        pytest.param("F.log_softmax(s * 0.25, 1)", "F.softmax(t / 2, 1)", id="a factor and a divisor"),
        pytest.param("F.log_softmax(s / T, 1)", "F.softmax(t / 1.0, 1)", id="divided by 1"),
        pytest.param("F.log_softmax(s.float() / T, 1)", "F.softmax(t.detach(), 1)", id="types and detach"),
        pytest.param("torch.log(F.softmax(s / T, 1))", "F.softmax(t, 1)", id="log of softmax"),
        pytest.param("F.log_softmax(s['logits'] / T, 1)", "F.softmax(t['logits'], 1)", id="an entry of the output"),
    ],
)
def test_kl906_finds_temperatures_that_differ(input, target):
    assert found(KD.format(input, target), "KL906") == 1


@pytest.mark.parametrize(
    ("input", "target"),
    [
        pytest.param("F.log_softmax(s / T, 1)", "F.softmax(t / T, 1)", id="the same"),
        pytest.param("F.log_softmax(s / T, 1)", "F.softmax(t / 4, 1)", id="the same number"),
        pytest.param("F.log_softmax(s / 4, 1)", "F.softmax(t * 0.25, 1)", id="the same as a factor"),
        pytest.param("F.log_softmax(s, 1)", "F.softmax(t, 1)", id="none"),
        pytest.param("F.log_softmax(s, 1)", "F.softmax(t / 0.4, 1)", id="a sharpened target"),
        pytest.param("F.log_softmax(s / 0.1, 1)", "F.softmax(t / 0.04, 1)", id="both sharpened, as in DINO"),
        pytest.param("F.log_softmax(s / 0.1, 1)", "F.softmax(t, 1)", id="a scaled similarity"),
        pytest.param("F.log_softmax(s / cfg.T, 1)", "F.softmax(t, 1)", id="a temperature that is not known"),
        pytest.param("F.log_softmax(s / s.std(), 1)", "F.softmax(t, 1)", id="standardised"),
        pytest.param("F.log_softmax(s / s.norm(dim=1, keepdim=True), 1)", "F.softmax(t, 1)", id="divided by a norm"),
        pytest.param("F.log_softmax(s / T, 1)", "t", id="a target that is given"),
        pytest.param("F.log_softmax(s / T, 1)", "F.one_hot(t, 10).float()", id="labels"),
        pytest.param("F.log_softmax(s @ s.t() / 8, 1)", "F.softmax(t, 1)", id="scaled dot products"),
        pytest.param("F.log_softmax((s - s.mean()) / T, 1)", "F.softmax(t - t.mean(), 1)", id="shifted scores"),
        pytest.param("F.log_softmax(s / T, 1)", "F.softmax(scale(t) * 2, 1)", id="a scale out of sight"),
        pytest.param("F.log_softmax(s / T, 1)", "F.softmax(soft_logits, 1)", id="a name that says softened"),
        pytest.param("F.log_softmax(s / 1.0, 1)", "F.softmax(t, 1)", id="a temperature of 1"),
    ],
)
def test_kl906_is_silent(input, target):
    assert found(KD.format(input, target), "KL906") == 0


def test_kl906_two_temperatures_with_names_of_their_own_are_meant():
    source = """
        def kd(s, t, student_T=2.0, teacher_T=4.0):
            return F.kl_div(F.log_softmax(s / student_T, 1), F.softmax(t / teacher_T, 1), reduction="batchmean")
        """
    assert found(source, "KL906") == 0


def test_kl906_is_judged_at_the_callers():
    helper = "def kd(s, p, T):\n    return F.kl_div(F.log_softmax(s / T, 1), p, reduction='batchmean')\n"
    values = "x, y = torch.randn(8, 10), torch.randn(8, 10)\n"
    assert found(helper + values + "kd(x, F.softmax(y, 1), 4.0)", "KL906") == 1
    assert found(helper + values + "kd(x, F.softmax(y / 4.0, 1), 4.0)", "KL906") == 0


def test_kl906_knows_what_it_rests_on():
    likely, proven = (
        findings(HEAD + source, "KL906")[0]
        for source in (
            KD.format("F.log_softmax(s / T, 1)", "F.softmax(t, 1)"),
            MODELS + "F.kl_div(F.log_softmax(student(x) / 4, 1), F.softmax(teacher(x), 1), reduction='batchmean')",
        )
    )
    assert likely.confidence is Confidence.LIKELY
    assert "input is softened with T = 4, target is not" in likely.message
    assert proven.confidence is Confidence.PROVEN


def test_kl906_gives_way_to_kl113():
    source = KD.format("F.log_softmax(s, 1) / T", "F.softmax(t, 1)")
    assert codes(HEAD + source, "KL906") == ["KL113"]


def test_kl906_a_branch_without_a_temperature_is_silent():
    source = """
        def kd(s, t, sharpen, T=4.0):
            if sharpen:
                t = t / T
            return F.kl_div(F.log_softmax(s / T, 1), F.softmax(t, 1), reduction="batchmean")
        """
    assert found(source, "KL906") == 0


# KL903: T**2.

SOFT = "F.kl_div(F.log_softmax(s / T, 1), F.softmax(t / T, 1), reduction='batchmean')"
HARD = "F.cross_entropy(s, y)"


@pytest.mark.parametrize(
    "source",
    [
        case("added", f"def kd(s, t, y, T=4.0):\n    return {SOFT} + {HARD}"),
        case("added the other way round", f"def kd(s, t, y, T=4.0):\n    return {HARD} + {SOFT}"),
        case("weighted", f"def kd(s, t, y, T=4.0, a=0.7):\n    return a * {SOFT} + (1 - a) * {HARD}"),
        case("weighted by a number", f"def kd(s, t, y, T=4):\n    return 0.1 * {SOFT} + {HARD}"),
        case("in place", f"def kd(s, t, y, T=4.0):\n    loss = {HARD}\n    loss += {SOFT}\n    return loss"),
        case(
            "over the batch",
            f"def kd(s, t, y, T=4.0):\n    return {SOFT.replace('batchmean', 'sum')} / s.size(0) + {HARD}",
        ),
        case(
            "under a condition",
            f"def kd(s, t, y, T=4.0):\n    loss = {HARD}\n    if t.sum():\n        loss = loss + {SOFT}\n    return loss",
        ),
        case(
            "modules",
            """
            class KD(nn.Module):
                def __init__(self, T=4.0):
                    super().__init__()
                    self.T, self.kl, self.ce = T, nn.KLDivLoss(reduction="batchmean"), nn.CrossEntropyLoss()

                def forward(self, s, t, y):
                    soft = self.kl(F.log_softmax(s / self.T, 1), F.softmax(t / self.T, 1))
                    return self.ce(s, y) + soft
            """,
        ),
    ],
)
def test_kl903_finds_a_sum_without_the_square(source):
    assert found(source, "KL903") == 1


@pytest.mark.parametrize(
    "source",
    [
        case("T**2", f"def kd(s, t, y, T=4.0):\n    return T**2 * {SOFT} + {HARD}"),
        case("T * T", f"def kd(s, t, y, T=4.0):\n    return {SOFT} * T * T + {HARD}"),
        case("T once", f"def kd(s, t, y, T=4.0):\n    return {SOFT} * T + {HARD}"),
        case("its number", f"def kd(s, t, y, T=4.0):\n    return 16 * {SOFT} + {HARD}"),
        case("math.pow", f"def kd(s, t, y, T=4.0):\n    return {SOFT} * math.pow(T, 2) + {HARD}"),
        case("a weight that is not known", f"def kd(s, t, y, a, T=4.0):\n    return a * {SOFT} + {HARD}"),
        case("a large weight", f"def kd(s, t, y, T=4.0):\n    return 10 * {SOFT} + {HARD}"),
        case("divided by a small weight", f"def kd(s, t, y, T=4.0):\n    return {SOFT} / 0.1 + {HARD}"),
        case("the other term is divided", f"def kd(s, t, y, T=4.0):\n    return {SOFT} + {HARD} / T**2"),
        case("alone", f"def kd(s, t, T=4.0):\n    return {SOFT}"),
        case("added to no loss", f"def kd(s, t, T=4.0):\n    return {SOFT} + s.mean()"),
        case("added to another term with T", f"def kd(s, t, y, T=4.0):\n    return {SOFT} + F.cross_entropy(s / T, y)"),
        case("T = 1", f"def kd(s, t, y, T=1.0):\n    return {SOFT} + {HARD}"),
        case("T below 1", f"def kd(s, t, y, T=0.1):\n    return {SOFT} + {HARD}"),
        case("T not known", f"def kd(s, t, y, T):\n    return {SOFT} + {HARD}"),
        case("other temperatures", f"def kd(s, t, y, T=4.0):\n    return {SOFT.replace('t / T', 't')} + {HARD}"),
        case(
            "squared on a later line",
            f"def kd(s, t, y, T=4.0):\n    soft = {SOFT}\n    soft = soft * T**2\n    return soft + {HARD}",
        ),
        case(
            "a method called kl_div with its own softmax",
            """
            class KD:
                def kl_div(self, s, t, T=4.0):
                    return (F.softmax(t / T, 1) * (t - s)).sum()

                def loss(self, s, t, y):
                    return self.kl_div(s, t) + F.cross_entropy(s, y)
            """,
        ),
    ],
)
def test_kl903_is_silent(source):
    assert found(source, "KL903") == 0


def test_kl903_a_caller_with_another_temperature_refutes_what_rests_on_a_default():
    source = f"def kd(s, t, y, T=4.0):\n    return {SOFT} + {HARD}\n"
    call = "kd(torch.randn(8, 10), torch.randn(8, 10), torch.randint(0, 10, (8,)), T={})\n"
    assert found(source + call.format("1.0"), "KL903") == 0
    assert found(source + call.format("3.0"), "KL903") == 1


def test_kl903_says_by_how_much():
    (finding,) = findings(HEAD + f"def kd(s, t, y, T=4.0):\n    return {SOFT} + {HARD}", "KL903")
    assert "T = 4" in finding.message
    assert "1 / T**2 = 0.0625" in finding.message
    assert finding.confidence is Confidence.LIKELY


# KL904: a gradient into the target.

MODELS = "student, teacher = nn.Linear(5, 10), nn.Linear(5, 10)\nx, y = torch.randn(8, 5), torch.randint(0, 10, (8,))\n"
LEAK = "F.kl_div(F.log_softmax(student(x), 1), {}, reduction='batchmean')\n"


@pytest.mark.parametrize(
    "source",
    [
        case("nested", LEAK.format("F.softmax(teacher(x), 1)")),
        case("a variable", "p = teacher(x).softmax(1)\n" + LEAK.format("p")),
        case("a temperature", "t = teacher(x)\n" + LEAK.format("F.softmax(t / 4.0, 1)")),
        case("a clone", LEAK.format("F.softmax(teacher(x).clone(), 1)")),
        case("evaluation mode alone", "teacher.eval()\n" + LEAK.format("F.softmax(teacher(x), 1)")),
        case("soft cross entropy", "F.cross_entropy(student(x), F.softmax(teacher(x), 1))"),
        case("binary", "F.binary_cross_entropy_with_logits(student(x), torch.sigmoid(teacher(x)))"),
        case("a module", "nn.KLDivLoss(reduction='batchmean')(student(x).log_softmax(1), teacher(x).softmax(1))"),
        case("after no_grad", "with torch.no_grad():\n    x.mul_(2)\n" + LEAK.format("F.softmax(teacher(x), 1)")),
        case(
            "enable_grad inside of no_grad",
            "with torch.no_grad():\n    with torch.enable_grad():\n        " + LEAK.format("F.softmax(teacher(x), 1)"),
        ),
        case(
            "set_grad_enabled(True) by decorator of its own",
            "@torch.enable_grad()\ndef f():\n    return " + LEAK.format("F.softmax(teacher(x), 1)"),
        ),
        case("autocast", "with torch.autocast('cpu'):\n    " + LEAK.format("F.softmax(teacher(x), 1)")),
        case(
            "detached after the fact",
            "p = F.softmax(teacher(x), 1)\nloss = " + LEAK.format("p") + "loss.detach()\nloss.backward()\n",
        ),
        case(
            "across a function",
            "def kd(s, t):\n    return F.kl_div(s.log_softmax(1), t.softmax(1), reduction='batchmean')\n"
            "kd(student(x), teacher(x)).backward()\n",
        ),
        case(
            "by argument",
            "def step(student, teacher, x):\n    return " + LEAK.format("F.softmax(teacher(x), dim=1)"),
        ),
        case(
            "output with logits",
            "def step(student, teacher, x):\n"
            "    return F.kl_div(student(x).logits.log_softmax(1), teacher(x).logits.softmax(1), reduction='batchmean')",
        ),
    ],
)
def test_kl904_finds_a_gradient_into_the_teacher(source):
    assert found(MODELS + source, "KL904") == 1


@pytest.mark.parametrize(
    "source",
    [
        case("no_grad", "with torch.no_grad():\n    p = F.softmax(teacher(x), 1)\n" + LEAK.format("p")),
        case(
            "no_grad of the model alone", "with torch.no_grad():\n    t = teacher(x)\n" + LEAK.format("F.softmax(t, 1)")
        ),
        case("inference_mode", "with torch.inference_mode():\n    t = teacher(x)\n" + LEAK.format("F.softmax(t, 1)")),
        case(
            "no_grad, imported",
            "from torch import no_grad\nwith no_grad():\n    t = teacher(x)\n" + LEAK.format("t.softmax(1)"),
        ),
        case(
            "set_grad_enabled",
            "with torch.set_grad_enabled(False):\n    t = teacher(x)\n" + LEAK.format("t.softmax(1)"),
        ),
        case(
            "a context that is not known", "with frozen_teacher():\n    t = teacher(x)\n" + LEAK.format("t.softmax(1)")
        ),
        case("a decorator", "@torch.no_grad()\ndef p(x):\n    return teacher(x).softmax(1)\n" + LEAK.format("p(x)")),
        case(
            "a decorator without a call",
            "@torch.no_grad\ndef p(x):\n    return teacher(x).softmax(1)\n" + LEAK.format("p(x)"),
        ),
        case(
            "all callers without gradients",
            "def f(x):\n    return " + LEAK.format("F.softmax(teacher(x), 1)") + "with torch.no_grad():\n    f(x)\n",
        ),
        case("detach", LEAK.format("F.softmax(teacher(x), 1).detach()")),
        case("detach of the scores", LEAK.format("F.softmax(teacher(x).detach(), 1)")),
        case("detach on a line of its own", "p = F.softmax(teacher(x), 1)\np = p.detach()\n" + LEAK.format("p")),
        case("data", LEAK.format("F.softmax(teacher(x).data, 1)")),
        case("Variable", "from torch.autograd import Variable\n" + LEAK.format("Variable(F.softmax(teacher(x), 1))")),
        case("numpy", LEAK.format("torch.from_numpy(F.softmax(teacher(x), 1).numpy())")),
        case("tensor", LEAK.format("torch.tensor(F.softmax(teacher(x), 1))")),
        case("labels", "F.cross_entropy(student(x), teacher(x).argmax(1))"),
        case("one-hot labels", LEAK.format("F.one_hot(teacher(x).argmax(1), 10).float()")),
        case("frozen", "teacher.requires_grad_(False)\n" + LEAK.format("F.softmax(teacher(x), 1)")),
        case(
            "frozen one by one",
            "for p in teacher.parameters():\n    p.requires_grad = False\n" + LEAK.format("F.softmax(teacher(x), 1)"),
        ),
        case("frozen by a helper", "freeze(teacher)\n" + LEAK.format("F.softmax(teacher(x), 1)")),
        case(
            "the same model",
            "F.kl_div(F.log_softmax(teacher(x), 1), F.softmax(teacher(x * 2), 1), reduction='batchmean')",
        ),
        case(
            "a copy of the student",
            "import copy\nteacher = copy.deepcopy(student)\n" + LEAK.format("F.softmax(teacher(x), 1)"),
        ),
        case(
            "symmetric",
            "p, q = teacher(x), student(x)\n"
            "F.kl_div(q.log_softmax(1), p.softmax(1), reduction='batchmean') + F.kl_div(p.log_softmax(1), q.softmax(1), reduction='batchmean')",
        ),
        case("trained by its own loss", "t = teacher(x)\nF.cross_entropy(t, y) + " + LEAK.format("F.softmax(t, 1)")),
        case(
            "trained by a loss of its own function",
            "def other(t):\n    return F.cross_entropy(t, y)\nt = teacher(x)\nother(t) + "
            + LEAK.format("F.softmax(t, 1)"),
        ),
        case("used by code out of sight", "t = teacher(x)\nregularise(t)\n" + LEAK.format("F.softmax(t, 1)")),
        case(
            "reverse direction",
            "F.kl_div(F.log_softmax(teacher(x), 1), F.softmax(student(x), 1), reduction='batchmean')",
        ),
        case(
            "an input without a model",
            "F.kl_div(torch.randn(8, 10).log_softmax(1), F.softmax(teacher(x), 1), reduction='batchmean')",
        ),
        case("no name of a teacher", "peer = nn.Linear(5, 10)\n" + LEAK.format("F.softmax(peer(x), 1)")),
        case("a parameter", "def kd(t):\n    return " + LEAK.format("F.softmax(t, 1)")),
        case(
            "a gradient of its own choice",
            "loss = " + LEAK.format("F.softmax(teacher(x), 1)") + "torch.autograd.grad(loss, x)",
        ),
        case("a metric", "print(" + LEAK.format("F.softmax(teacher(x), 1)").strip() + ".item())"),
        case(
            "an evaluation", "def evaluate(student, teacher, x):\n    return " + LEAK.format("F.softmax(teacher(x), 1)")
        ),
        case(
            "a shared body",
            "def step(body, student_head, teacher_head, x):\n    h = body(x)\n"
            "    return F.kl_div(student_head(h).log_softmax(1), teacher_head(h).softmax(1), reduction='batchmean')",
        ),
        case(
            "detached by a flag",
            "def step(student, teacher, x, detach):\n    t = teacher(x)\n    if detach:\n        t = t.detach()\n    return "
            + LEAK.format("t.softmax(1)"),
        ),
        case("kept for later", "class A:\n    pass\na = A()\na.t = teacher(x)\n" + LEAK.format("a.t.softmax(1)")),
    ],
)
def test_kl904_is_silent(source):
    assert found(MODELS + source, "KL904") == 0


KD_STEP = """
    def distil(s, t, y, T=4.0, alpha=0.7):
        soft = F.kl_div(F.log_softmax(s / T, dim=1), F.softmax(t / T, dim=1), reduction="batchmean")
        return alpha * T**2 * soft + (1 - alpha) * F.cross_entropy(s, y)

    def train(model, teacher_model, loader, optimiser):
        for x, y in loader:
            teacher_output = teacher_model(x)
            loss = distil(model(x), {target}, y)
            loss.backward()
            optimiser.step()
    """


@pytest.mark.parametrize(("target", "times"), [("teacher_output", 1), ("teacher_output.detach()", 0)])
def test_kl904_follows_models_that_are_not_seen_into_the_loss(target, times):
    assert found(KD_STEP.replace("{target}", target), "KL904") == times


def test_kl904_is_what_all_callers_say():
    other = "def again(model, teacher_model, x, y):\n    return distil(model(x), {}, y)\n"
    source = dedent(KD_STEP.replace("{target}", "teacher_output"))
    assert found(source + other.format("teacher_model(x)"), "KL904") == 1
    assert found(source + other.format("teacher_model(x).detach()"), "KL904") == 0


def test_kl904_of_models_that_are_not_seen_is_likely():
    proven, likely = (
        findings(HEAD + source, "KL904")[0]
        for source in (
            MODELS + LEAK.format("F.softmax(teacher(x), 1)"),
            "def step(student, teacher, x):\n    return " + LEAK.format("F.softmax(teacher(x), 1)"),
        )
    )
    assert proven.confidence is Confidence.PROVEN
    assert likely.confidence is Confidence.LIKELY
    assert "teacher(x)" in likely.message


def test_kl904_sees_a_teacher_that_another_file_freezes(tmp_path):
    models = """\
        import torch.nn as nn

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                return self.fc(x)
        """
    training = f"import torch\nimport torch.nn.functional as F\nfrom models import Net\nstudent, teacher = Net(), Net()\nx = torch.randn(8, 5)\n{LEAK.format('F.softmax(teacher(x), 1)')}"
    (tmp_path / "training.py").write_text(training)
    settings = Settings(extend_select=("KL904",))
    (tmp_path / "models.py").write_text(dedent(models))
    assert [finding.code for finding in lint_paths([tmp_path], settings).findings] == ["KL904"]
    frozen = dedent(models).replace(
        "return self.fc(x)", "return self.fc(x)\n\n    def freeze(self):\n        self.fc.requires_grad_(False)"
    )
    (tmp_path / "models.py").write_text(frozen)
    assert lint_paths([tmp_path], settings).findings == []
