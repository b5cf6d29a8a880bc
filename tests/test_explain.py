from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from klint.explain import explain_source
from klint.explain.text import render

ROOT = Path(__file__).parents[1]
IMPORTS = "import torch; import torch.nn as nn; import torch.nn.functional as F\n"

FORUM_THREAD = """\
forum_thread.py:17:6: kl_div
  loss = KL(softmax(target_logits) || softmax(logits)) / 4: 'batchmean' divides by input.size(0), and input is 1-D of 4 classes
  input: log-probabilities over dim -1, shape (4) <- log_softmax at row 17 <- logits: probabilities <- numbers that sum to 1 at row 10
  target: probabilities over dim -1, shape (1, 4) <- softmax at row 12 <- target_logits <- numbers that sum to 1 at row 11
  reduction: 'batchmean', chosen at row 14; divisor: 4

forum_thread.py:18:17: cross_entropy
  loss = -sum(softmax(target_logits) * log softmax(logits)): 'mean' divides by the number of rows
  input: probabilities over dim -1, shape (1, 4) <- unsqueeze at row 18 <- logits <- numbers that sum to 1 at row 10
  target: probabilities over dim -1, shape (1, 4) <- softmax at row 12 <- target_logits <- numbers that sum to 1 at row 11
  reduction: 'mean', the default; divisor: 1

forum_thread.py:19:11: cross_entropy
  loss = -sum(softmax(target_logits) * log softmax(target_logits)): 'mean' divides by the number of rows
  input: probabilities over dim -1, shape (1, 4) <- numbers that sum to 1 at row 11
  target: probabilities over dim -1, shape (1, 4) <- softmax at row 12 <- target_logits <- numbers that sum to 1 at row 11
  reduction: 'mean', the default; divisor: 1

forum_thread.py:25:13: kl_div
  loss = the terms of KL(softmax(target_logits) || softmax(logits)): 'none' keeps the terms apart and divides by nothing
  input: log-probabilities over dim -1, shape (4) <- log_softmax at row 25 <- logits: probabilities <- numbers that sum to 1 at row 10
  target: probabilities over dim -1, shape (1, 4) <- softmax at row 12 <- target_logits <- numbers that sum to 1 at row 11
  reduction: 'none', chosen at row 25; divisor: 1
  then mean at row 26: loss = KL(softmax(target_logits) || softmax(logits)) / 4
  then sum at row 27: loss = KL(softmax(target_logits) || softmax(logits))

forum_thread.py:21:1: side by side
  kl                      = (sum P log P - sum P log Q) / 4
  cross_entropy - entropy = sum P log P - sum P log Q = 4 * kl
  pointwise.mean()        = (sum P log P - sum P log Q) / 4 = kl
  pointwise.sum()         = sum P log P - sum P log Q = 4 * kl
  with P = softmax(target_logits), Q = softmax(logits)

"""


def explained(body: str, row: int | None = None) -> list[str]:
    """The lines that explain some code; its first row is row 2, below the imports."""
    return [line.strip() for line in render([explain_source(IMPORTS + body, "m.py", row)]).splitlines()]


def line_of(body: str, word: str) -> str:
    """The one line of an explanation that starts with ``word``."""
    (line,) = [line for line in explained(body) if line.startswith(word)]
    return line.partition(": ")[2] if word.endswith(":") else line


def function(*statements: str, parameters: str = "x, y") -> str:
    """A function of two tensors."""
    return "\n    ".join((f"def f({parameters}):", *statements))


def test_the_forum_thread(klint):
    shutil.copy(ROOT / "fixtures" / "forum_thread.py", ".")
    outcome = klint("explain", "forum_thread.py")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out == FORUM_THREAD


@pytest.mark.parametrize(
    ("call", "formula"),
    [
        pytest.param(
            "F.kl_div(x.log_softmax(1), y.softmax(1), reduction='sum')",
            "loss = KL(softmax(y) || softmax(x)): 'sum' divides by nothing",
            id="a divergence",
        ),
        pytest.param(
            "F.kl_div((x / 4).log_softmax(1), y.softmax(1).log(), log_target=True, reduction='batchmean')",
            "loss = KL(softmax(y) || softmax(x / 4)) / x.size(0): 'batchmean' divides by input.size(0)",
            id="a log target, a temperature",
        ),
        pytest.param(
            "F.kl_div(x.softmax(1), y.softmax(1), reduction='sum')",
            "loss = sum(softmax(y) * (log softmax(y) - softmax(x))): 'sum' divides by nothing; "
            "this is no KL, for input holds probabilities in place of log-probabilities",
            id="probabilities in the wrong place",
        ),
        pytest.param(
            "F.kl_div(x.log_softmax(1), y.log_softmax(1), reduction='sum')",
            "loss = sum(log_softmax(y) * (log log_softmax(y) - log_softmax(x))): 'sum' divides by nothing; "
            "this is no KL, for target holds log-probabilities in place of probabilities",
            id="a target in the wrong space",
        ),
        pytest.param(
            "F.kl_div(x.log_softmax(1), y, reduction='sum')",
            "loss = sum(y * (log y - log_softmax(x))): 'sum' divides by nothing; this is a KL if target holds probabilities",
            id="a target of which nothing is known",
        ),
        pytest.param(
            "F.cross_entropy(x.softmax(1), y.softmax(1), reduction='sum')",
            "loss = -sum(softmax(y) * log softmax(softmax(x))): 'sum' divides by nothing",
            id="cross entropy takes the softmax once more",
        ),
        pytest.param(
            "F.cross_entropy(x, y.argmax(1), weight=x[0], reduction='sum')",
            "loss = -sum(x[0][y.argmax(1)] * log softmax(x)[y.argmax(1)]): 'sum' divides by nothing",
            id="indices and weights",
        ),
        pytest.param(
            "F.cross_entropy(x, y.argmax(1), weight=x[0])",
            "loss = -sum(x[0][y.argmax(1)] * log softmax(x)[y.argmax(1)]) / sum(x[0][y.argmax(1)]): "
            "'mean' divides by the sum of the weights of the targets",
            id="a mean over weights",
        ),
        pytest.param(
            "F.cross_entropy(x, y, reduction='sum')",
            "loss = CE(y, softmax(x)): 'sum' divides by nothing",
            id="cross entropy with any target",
        ),
        pytest.param(
            "F.nll_loss(x.log_softmax(1), y.argmax(1), reduction='sum')",
            "loss = -sum(log_softmax(x)[y.argmax(1)]): 'sum' divides by nothing",
            id="nll",
        ),
        pytest.param(
            "F.binary_cross_entropy_with_logits(x, y, reduction='sum')",
            "loss = -sum(y * log sigmoid(x) + (1 - y) * log(1 - sigmoid(x))): 'sum' divides by nothing",
            id="binary cross entropy",
        ),
        pytest.param(
            "F.kl_div(x.log_softmax(1), y.softmax(1), reduction='avg')",
            "loss = KL(softmax(y) || softmax(x)) / ?: torch refuses the reduction 'avg' here",
            id="a reduction that does not exist",
        ),
    ],
)
def test_formula(call, formula):
    assert line_of(function(call), "loss =") == formula


def test_equal_texts_of_different_values_are_told_apart():
    body = function("return F.kl_div(g(x).log_softmax(1), g(x).softmax(1), reduction='sum')")
    assert line_of(body, "loss =").startswith(
        "loss = KL(softmax(g(x)) at row 3, column 42 || softmax(g(x)) at row 3, column 21):"
    )


def test_steps_lead_from_the_slot_to_the_layer():
    body = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(10, 5)

    def forward(self, h):
        logits = self.head(h)
        return F.log_softmax(logits, dim=1)


def loss(h, p):
    out = Net()(h)
    return nn.KLDivLoss(reduction="sum")(out.detach(), p)
"""
    assert line_of(body, "input:") == (
        "log-probabilities over dim 1 <- detach at row 14 <- log_softmax at row 9 <- logits: scores"
        " <- nn.Linear output at row 8"
    )


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        pytest.param("t = y", "y: a parameter of f; its callers are not in sight", id="a parameter"),
        pytest.param("t = load(y)", "load(y): the name is not bound in what klint can see", id="an unbound name"),
        pytest.param("t = x.other", "x.other: the attribute is not set in what klint can see", id="an attribute"),
        pytest.param("t = torch.rand(3)", "rand at row 3: what its numbers mean is not known", id="random numbers"),
        pytest.param(
            "t = y.softmax(1) * x.softmax(1)",
            "y.softmax(1) * x.softmax(1) at row 3: klint does not follow what it makes of probabilities",
            id="an operation on what is known",
        ),
    ],
)
def test_an_unknown_slot_says_why(statement, why):
    body = function(statement, "return F.kl_div(x.log_softmax(1), t, reduction='sum')")
    target = line_of(body, "target:")
    assert target.startswith("unknown values")
    assert target.endswith(why)
    (site,) = explain_source(IMPORTS + body).sites
    assert [unknown.removeprefix("target: ").removeprefix("t = ") for unknown in site.ways[0].unknown] == [why]


def test_a_name_is_called_a_name():
    body = function("return F.cross_entropy(logits, y)", parameters="logits, y")
    assert line_of(body, "input:") == (
        "scores by its name alone <- logits: scores by its name, a parameter of f; its callers are not in sight"
    )


@pytest.mark.parametrize(
    ("call", "reduction"),
    [
        pytest.param("nn.KLDivLoss()(x, y)", "'mean', the default; divisor: numel", id="the default"),
        pytest.param("nn.KLDivLoss(reduction='sum')(x, y)", "'sum', chosen at row 3; divisor: 1", id="chosen"),
        pytest.param(
            "F.kl_div(x, y, size_average=False)", "'sum', chosen by size_average at row 3; divisor: 1", id="legacy"
        ),
        pytest.param(
            "F.kl_div(x, y, reduction=how)",
            "not known (how: a parameter of f; its callers are not in sight); divisor: ?",
            id="a parameter",
        ),
        pytest.param(
            "F.kl_div(x, y, **how)",
            "not known (more arguments may be passed than klint can see); divisor: ?",
            id="arguments that are not seen",
        ),
    ],
)
def test_the_reduction(call, reduction):
    assert line_of(function(call, parameters="x, y, how"), "reduction:") == reduction


def test_options_are_listed():
    body = function("return F.cross_entropy(x, y, ignore_index=-1, label_smoothing=0.1)")
    assert line_of(body, "options:") == "ignore_index=-1, label_smoothing=0.1"


def test_what_becomes_of_the_loss():
    body = function(
        "loss = F.kl_div(x.log_softmax(1), y.softmax(1), reduction='sum')",
        "return loss / x.size(0)",
    )
    assert line_of(body, "then ") == "then / x.size(0) at row 4: loss = KL(softmax(y) || softmax(x)) / x.size(0)"


def test_callers_come_after_the_function_by_itself():
    body = """\
def distill(s, t):
    return F.kl_div(F.log_softmax(s, dim=1), t, reduction="sum")


def train(student, teacher):
    return distill(student, F.softmax(teacher, dim=1))
"""
    lines = explained(body)
    assert [line for line in lines if line.startswith(("m.py", "loss", "target"))] == [
        "m.py:3:12: kl_div",
        "loss = sum(t * (log t - log_softmax(s))): 'sum' divides by nothing; this is a KL if target holds probabilities",
        "target: unknown values <- t: a parameter of distill; its callers are explained below",
        "m.py:3:12: kl_div, called at row 7",
        "loss = KL(softmax(teacher) || softmax(student)): 'sum' divides by nothing",
        "target: probabilities over dim 1 <- softmax at row 7 <- teacher: a parameter of train",
    ]


def test_only_a_few_callers_are_told():
    callers = [f"def g{i}(x):\n    return f(x, torch.softmax(x.t{i}, 1))\n" for i in range(6)]
    lines = explained("\n".join((function("return F.kl_div(x.log_softmax(1), y)"), *callers)))
    assert len([line for line in lines if line.startswith("loss =")]) == 4
    assert "m.py:3:12: kl_div, and 3 more ways to reach it" in lines


def test_branches_are_told_apart():
    body = function(
        "if as_logs:",
        "    t = F.log_softmax(y, dim=1)",
        "else:",
        "    t = F.softmax(y, dim=1)",
        "return F.kl_div(F.log_softmax(x, dim=1), t, log_target=as_logs, reduction='sum')",
        parameters="x, y, as_logs",
    )
    lines = explained(body)
    assert [line for line in lines if line.startswith("m.py")] == [
        "m.py:7:12: kl_div, where as_logs",
        "m.py:7:12: kl_div, where not as_logs",
    ]
    assert {line for line in lines if line.startswith("loss")} == {
        "loss = KL(softmax(y) || softmax(x)): 'sum' divides by nothing"
    }


class TestSideBySide:
    def test_two_divisors(self):
        body = """\
x, y = torch.randn(8, 10), torch.randn(8, 10)
p = F.softmax(y, dim=1)
kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="sum")
print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))
"""
        lines = explained(body)
        assert lines[lines.index("m.py:5:1: side by side") :] == [
            "m.py:5:1: side by side",
            "kl                                            = sum P log P - sum P log Q",
            "F.cross_entropy(x, p) - F.cross_entropy(y, p) = (sum P log P - sum P log Q) / 8 = kl / 8",
            "with P = softmax(y), Q = softmax(x)",
            "",
        ]

    def test_values_whose_divisors_are_not_known(self):
        body = function(
            "kl = F.kl_div(x.log_softmax(1), y.softmax(1))",
            "ce = F.cross_entropy(x, y.argmax(1))",
            "torch.testing.assert_close(kl, ce - 1)",
        )
        lines = explained(body)
        assert lines[lines.index("m.py:5:5: side by side") :][1:3] == [
            "kl     = KL(softmax(y) || softmax(x)) / numel",
            "ce - 1 = -sum(log softmax(x)[y.argmax(1)]) / rows - 1",
        ]

    def test_values_from_calls_are_named_as_their_caller_names_them(self):
        body = function("return F.kl_div(x.log_softmax(1), y.softmax(1), reduction='sum')")
        body += "\n\ndef g(a, b):\n    one = f(a, b)\n    return one, f(b, a)\n"
        lines = explained(body)
        assert lines[lines.index("m.py:7:5: side by side") :][1:4] == [
            "one     = sum P log P - sum P log Q",
            "f(b, a) = sum Q log Q - sum Q log P",
            "with P = softmax(b), Q = softmax(a)",
        ]

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(function("return F.cross_entropy(x, y) - F.cross_entropy(y, y)"), id="parts of one value"),
            pytest.param(
                function("if y:", "    return F.cross_entropy(x, y)", "return F.cross_entropy(y, x)"), id="alternatives"
            ),
            pytest.param(
                function("return F.cross_entropy(x, y), x.argmax(1), y * 2"), id="one loss among other values"
            ),
        ],
    )
    def test_nothing_to_compare(self, body):
        assert not any("side by side" in line for line in explained(body))


class TestOneLine:
    BODY = """\
criterion = nn.KLDivLoss(reduction="sum")


def first(x, y):
    return criterion(
        x.log_softmax(1),
        y.softmax(1),
    )


def second(x, y):
    return F.cross_entropy(x, y)


def third(x, y):
    return second(x, y.softmax(1))
"""

    @pytest.mark.parametrize(
        ("row", "places"),
        [
            pytest.param(8, ["m.py:6:12: kl_div"], id="inside the call"),
            pytest.param(2, ["m.py:6:12: kl_div"], id="the constructor"),
            pytest.param(17, ["m.py:13:12: cross_entropy, called at row 17"], id="a call of the function"),
            pytest.param(5, [], id="no loss"),
        ],
    )
    def test_selects_the_sites_that_it_is_about(self, row, places):
        assert [line for line in explained(self.BODY, row) if line.startswith("m.py")] == places

    @pytest.mark.parametrize("place", ["m.py:6", "m.py:6:12"])
    def test_is_given_as_other_tools_write_it(self, klint, place):
        Path("m.py").write_text(IMPORTS + self.BODY, encoding="utf-8")
        outcome = klint("explain", place)
        assert outcome.out.startswith("m.py:6:12: kl_div\n")
        assert (outcome.out.count(": kl_div"), outcome.out.count("cross_entropy"), outcome.status) == (1, 0, 0)

    def test_without_a_loss_site_is_an_error(self, klint):
        Path("m.py").write_text(IMPORTS + self.BODY, encoding="utf-8")
        outcome = klint("explain", "m.py:5")
        assert (outcome.out, outcome.status) == ("", 2)
        assert outcome.err == "m.py:5: no loss site on this line; the nearest: rows 6, 13\n"

    def test_a_file_may_be_called_like_a_line(self, klint):
        Path("m.py:6").write_text("x = 1\n", encoding="utf-8")
        assert klint("explain", "m.py:6").err == "m.py:6: no loss site in this file\n"


class TestCommand:
    def test_a_missing_file_is_one_clear_line(self, klint):
        outcome = klint("explain", "nowhere.py")
        assert (outcome.out, outcome.err, outcome.status) == ("", "nowhere.py: no such file or directory\n", 2)

    def test_a_file_without_losses_says_so(self, klint):
        Path("m.py").write_text("x = 1\n", encoding="utf-8")
        outcome = klint("explain", "m.py")
        assert (outcome.out, outcome.err, outcome.status) == ("", "m.py: no loss site in this file\n", 0)

    def test_broken_code_costs_its_own_statement_alone(self, klint):
        Path("m.py").write_text(IMPORTS + "F.kl_div(x, y)\ndef half(:\n", encoding="utf-8")
        outcome = klint("explain", "m.py")
        assert outcome.out.startswith("m.py:2:1: kl_div\n")
        assert re.fullmatch(r"m\.py:3:\d+: syntax error: .*\n", outcome.err)
        assert outcome.status == 2

    def test_standard_input(self, klint):
        outcome = klint("explain", "-", stdin=f"{IMPORTS}F.kl_div(x, y)\n".encode())
        assert outcome.out.startswith("-:2:1: kl_div\n")

    def test_a_site_in_another_file(self, klint):
        Path("losses.py").write_text(f"{IMPORTS}def kl(s, t):\n    return F.kl_div(s, t)\n", encoding="utf-8")
        Path("train.py").write_text(
            f"{IMPORTS}from losses import kl\ndef f(x, y):\n    return kl(x.log_softmax(1), y) + F.cross_entropy(x, y)\n",
            encoding="utf-8",
        )
        lines = klint("explain", "train.py").out.splitlines()
        assert [line for line in lines if ".py:" in line[:10]] == [
            "train.py:4:38: cross_entropy",
            "losses.py:3:12: kl_div, called at train.py:4",
        ]

    def test_json(self, klint):
        shutil.copy(ROOT / "fixtures" / "forum_thread.py", ".")
        (file,) = json.loads(klint("explain", "forum_thread.py", "--output-format", "json").out)
        assert file["filename"] == "forum_thread.py"
        site, *_ = file["sites"]
        assert (site["filename"], site["location"], site["loss"]) == (
            "forum_thread.py",
            {"row": 17, "column": 6},
            "kl_div",
        )
        (way,) = site["ways"]
        assert way["formula"] == "loss = KL(softmax(target_logits) || softmax(logits)) / 4"
        assert way["input"] == {
            "holds": "log-probabilities over dim -1, shape (4)",
            "steps": ["log_softmax at row 17", "logits: probabilities", "numbers that sum to 1 at row 10"],
            "unknown": None,
        }
        assert (way["divisor"], way["unknown"]) == ("4", [])
        (comparison,) = file["comparisons"]
        assert comparison["symbols"] == {"P": "softmax(target_logits)", "Q": "softmax(logits)"}
        assert [value["relation"] for value in comparison["values"]] == ["", "4 * kl", "kl", "4 * kl"]

    def test_check_points_to_it_where_something_is_unknown(self, klint):
        Path("m.py").write_text(IMPORTS + function("return F.kl_div(x, y, reduction='sum')\n"), encoding="utf-8")
        assert klint("check", "m.py").err == "1 loss site: 0 understood, 1 unknown; klint explain says why\n"


def test_the_examples_of_the_documentation(klint):
    blocks = re.findall(r"```(python|console)\n(.*?)```", (ROOT / "docs" / "explain.md").read_text("utf-8"), re.DOTALL)
    commands = 0
    for kind, text in blocks:
        first, _, rest = text.partition("\n")
        if kind == "python":
            Path(first.removeprefix("# ")).write_text(text, encoding="utf-8")
        else:
            assert klint(*first.removeprefix("$ klint ").split()).out.rstrip("\n") == rest.rstrip("\n")
            commands += 1
    assert commands == 3
