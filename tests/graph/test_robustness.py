"""Code that is hard on an analyser: long, deep, recursive, half-typed. klint answers, and answers the same each time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from klint import lint_paths, lint_source
from tests.codes import PREAMBLE, codes_after_preamble

WRONG = "F.kl_div(F.softmax(x, dim=1), p, reduction='sum')\n"

HARD = {
    "a chain of 162 methods": "z = x" + ".detach()" * 162 + "\nF.kl_div(z.softmax(1), p, reduction='sum')\n",
    "a sum of 400 terms": "z = " + " + ".join(["x"] * 400) + "\nF.kl_div(z.softmax(1), p, reduction='sum')\n",
    "a thousand rebindings": "z = x\n" + "z = z + 1\n" * 1_000 + "F.kl_div(z.softmax(1), p, reduction='sum')\n",
    "nested parentheses": "z = " + "(" * 90 + "x" + ")" * 90 + "\nF.kl_div(z.softmax(1), p, reduction='sum')\n",
    "a function that calls itself": "def f(n):\n    return f(n - 1) if n else x\nf(3)\n" + WRONG,
    "functions that call each other": "def f(n):\n    return g(n)\ndef g(n):\n    return f(n)\nf(3)\n" + WRONG,
    "a class that is its own base": "class A(A):\n    pass\nA()(x)\n" + WRONG,
    "twenty branches": "z = x\n" + "".join(f"if c{i}:\n    z = z + {i}\n" for i in range(20)) + WRONG,
    "sixty loops": "".join(f"for i{i} in y:\n    x = x + 1\n" for i in range(60)) + WRONG,
    "calls that fan out": "".join(f"def f{i}(a):\n    return f{i + 1}(a) + f{i + 1}(a)\n" for i in range(30))
    + "f0(x)\n"
    + WRONG,
    "loops in loops": "".join("    " * i + f"for i{i} in y:\n" for i in range(15))
    + "    " * 15
    + "x = x + 1\n"
    + WRONG,
}


@pytest.mark.parametrize("source", HARD.values(), ids=HARD)
def test_the_misuse_behind_hard_code_is_found(source):
    assert codes_after_preamble(source) == ["KL101"]


@pytest.mark.parametrize("deep", ["x" + ".detach()" * 20_000, " + ".join(["x"] * 20_000), "(" * 500 + ")" * 500])
def test_what_python_itself_finds_too_deep_costs_that_statement_alone(deep):
    report = lint_source(PREAMBLE + f"z = {deep}\n" + WRONG, "case.py")
    assert [finding.code for finding in report.findings] == ["KL101"]
    assert len(report.errors) <= 1


@pytest.mark.parametrize(
    "broken",
    [
        "def half(",
        "x = [1, 2",
        "if x:",
        "class A(nn.Module)",
        "return = 3",
        "print 'hello'",
        "@decorator",
        "try:\n    x = 1\n",
    ],
)
def test_a_statement_that_does_not_parse_costs_itself_alone(broken):
    report = lint_source(PREAMBLE + WRONG + broken + "\n" + "y = 1\n" + WRONG, "case.py")
    assert next((finding.code, finding.location.row) for finding in report.findings) == ("KL101", 8)
    assert len(report.errors) == 1
    assert report.errors[0].row >= 9


def test_the_last_statement_is_linted_after_a_broken_one():
    report = lint_source(PREAMBLE + "x = = 3\n" + WRONG, "case.py")
    assert [finding.location.row for finding in report.findings] == [9]


def test_findings_do_not_depend_on_the_hash_seed(tmp_path):
    source = tmp_path / "case.py"
    source.write_text(PREAMBLE + WRONG + "print(F.kl_div(log_q, p), F.cross_entropy(x, p) - F.cross_entropy(y, p))\n")
    outputs = {
        subprocess.run(
            [sys.executable, "-m", "klint", "check", "--output-format", "json", str(source)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=False,
        ).stdout
        for seed in ("0", "1", "4711")
    }
    assert len(outputs) == 1


def test_a_name_that_imports_itself_is_not_known(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text(
        "try:\n    from pkg import sub\nexcept ImportError:\n    sub = None\n"
        "try:\n    from pkg import other as sub\nexcept ImportError:\n    pass\n"
    )
    program = tmp_path / "main.py"
    program.write_text("import pkg\n" + PREAMBLE + "F.kl_div(pkg.sub.scores, p, reduction='sum')\n" + WRONG)
    report = lint_paths([program])
    assert report.errors == []
    assert [finding.code for finding in report.findings] == ["KL101"]


def test_what_comes_after_a_large_model_is_followed():
    layers = "".join(f"        x = self.layer_{n}(x)\n" for n in range(60))
    methods = "".join(
        f"    def layer_{n}(self, x):\n" + "        x = x * 2 + 1\n" * 20 + "        return x\n" for n in range(60)
    )
    source = (
        f"class Model(nn.Module):\n    def forward(self, x):\n{layers}        return x\n{methods}"
        "class Head(nn.Module):\n    def forward(self, x):\n        return F.softmax(x, dim=1)\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.models = Model(), Model()\n"
        "        self.head = Head()\n    def forward(self, x, p):\n        x = self.models[0](x) + self.models[1](x)\n"
        "        return F.kl_div(self.head(x), p, reduction='batchmean')\n"
    )
    assert codes_after_preamble(source) == ["KL101"]
