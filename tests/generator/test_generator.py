"""klint's verdicts and the numbers of torch agree about programs composed at random.

``KLINT_PROGRAMS=5000`` runs that many; ``python -m tests.generator`` says more about those that fail.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from klint.verify.sandbox import Sandbox
from tests.generator.programs import Program, generate
from tests.generator.truth import MEASURES, measure
from tests.generator.verdicts import NOT_CLAIMED, disagreements
from tests.generator.verified import verified

COUNT = int(os.environ.get("KLINT_PROGRAMS", "600"))
CHUNK = 50
VERIFIED = int(os.environ.get("KLINT_VERIFIED_PROGRAMS", "40"))
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("first", range(0, COUNT, CHUNK))
def test_klint_and_torch_agree(first):
    found = [item for seed in range(first, min(first + CHUNK, COUNT)) for item in disagreements(generate(seed))]
    open_ones = [item for item in found if item.excuse is None]
    assert not open_ones, "\n\n".join(f"{item}\n\n{item.program.source}" for item in open_ones[:3])


def test_a_seed_makes_the_same_program_under_every_hash_seed():
    code = "from tests.generator.programs import generate; print([generate(seed) for seed in range(20)])"
    environments = ({**os.environ, "PYTHONHASHSEED": seed} for seed in ("1", "2"))
    texts = [
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        ).stdout
        for env in environments
    ]
    assert texts[0].count("source=") == 20
    assert [sorted(text) for text in texts[:1]] == [sorted(text) for text in texts[1:]]


TRUTHS = {
    "right": ("F.kl_div(F.log_softmax(x, 1), p, reduction='sum')", ""),
    "probabilities": ("F.kl_div(F.softmax(x, 1), p, reduction='sum')", "KL101"),
    "scores": ("F.kl_div(x, p, reduction='sum')", "KL102"),
    "log-probabilities as target": ("F.kl_div(F.log_softmax(x, 1), p.log(), reduction='sum')", "KL103 KL110"),
    "log of softmax": ("F.kl_div(F.softmax(x, 1).log().detach(), p, reduction='sum')", "KL110"),
    "log of a mixture": ("F.kl_div(((F.softmax(x, 1) + p) / 2).log(), p, reduction='sum')", ""),
    "in place through a view": ("q = F.softmax(x, 1)\nq.view(-1).log_()\nF.kl_div(q, p, reduction='sum')", "KL110"),
    "mean": ("F.kl_div(F.log_softmax(x, 1), p)", "KL201"),
    "mean times the classes": ("F.kl_div(F.log_softmax(x, 1), p) * x.size(1)", ""),
    "batchmean on a row": ("F.kl_div(F.log_softmax(x, 1)[0], p[0], reduction='batchmean')", "KL202"),
    "compared with a sum": (
        (
            "kl = F.kl_div(F.log_softmax(x, 1), p, reduction='sum')\n"
            "print(f'{kl.item()} {(F.cross_entropy(x, p) - F.cross_entropy(y, p)).item()}')"
        ),
        "KL301",
    ),
    "compared with the same": (
        (
            "kl = F.kl_div(F.log_softmax(x, 1), p, reduction='batchmean')\n"
            "print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))"
        ),
        "",
    ),
    "compared with a sum, of scaled scores": (
        (
            "x = x * 0.2\nkl = F.kl_div(F.log_softmax(x, 1), p, reduction='sum')\n"
            "print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))"
        ),
        "KL301",
    ),
    "weighted by what happens to be a size": (
        (
            "kl = F.kl_div(F.log_softmax(x, 1), p, reduction='batchmean') * 0.2\n"
            "print(kl.item(), (F.cross_entropy(x, p) - F.cross_entropy(y, p)).item())"
        ),
        "",
    ),
    "multiplied by a number that is no size": (
        (
            "kl = F.kl_div(F.log_softmax(x, 1), p, reduction='sum') * 7\n"
            "print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))"
        ),
        "",
    ),
    "sigmoid decides nothing": ("F.kl_div(torch.sigmoid(x), p, reduction='sum')", ""),
}


@pytest.mark.parametrize(("source", "expected"), TRUTHS.values(), ids=TRUTHS)
def test_numbers_tell_the_codes(source, expected):
    head = "import torch\nimport torch.nn.functional as F\nx, y = torch.randn(3, 5), torch.randn(3, 5)\np = F.softmax(y, 1)\n"
    truth = measure(Program(0, head + source, (), frozenset()))
    assert [code for _, code in truth.demands()] == expected.split()
    said = {code: said for (_, code), said in truth.worlds.items()}
    assert (None in said["KL102"]) == ("sigmoid" in source)
    assert (None in said["KL301"]) == ("* 7" in source)


def test_a_world_that_denies_what_another_bears_out_demands_nothing():
    source = (
        "import torch\nimport torch.nn.functional as F\n"
        "def step(x, p, wrong):\n"
        "    q = F.softmax(x, 1) if wrong else F.log_softmax(x, 1)\n"
        "    return F.kl_div(q, p, reduction='sum')\n"
    )
    drivers = tuple(f"step(torch.randn(3, 5), torch.full((3, 5), 0.2), {wrong})" for wrong in (True, False))
    truth = measure(Program(0, source, drivers, frozenset()))
    assert truth.demands() == []
    assert not truth.denies((5, "KL101"))
    assert truth.denies((5, "KL102"))


def test_what_is_not_claimed_names_codes_and_reasons():
    for codes, why in NOT_CLAIMED.values():
        assert all(any(code.startswith(prefix) for code in MEASURES) for prefix in codes.split())
        assert len(why) > 20


def test_verify_refutes_no_finding_and_confirms_what_is_real():
    """``python -m tests.generator --verify --count 1000`` does this for more."""
    with Sandbox() as sandbox:
        found = [each for seed in range(VERIFIED) for each in verified(generate(seed), sandbox)]
    assert sum(each.is_real is True for each in found) >= VERIFIED // 2
    assert [str(each) for each in found if each.is_wrong] == []
