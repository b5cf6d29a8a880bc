"""The traps of the rule catalogue: programs that are right, of which klint must say nothing, or what is true."""

from __future__ import annotations

from textwrap import dedent

import pytest
import torch

from klint import lint_paths, lint_source
from klint.config import Settings
from tests.codes import codes
from tests.rules.traps import HEAD
from tests.rules.traps.divisors import (
    DIRECTIONS,
    RIGHT_DIVISORS,
    TARGET_GRADIENTS,
    TEMPERATURES,
    UNUSUAL_DIMS,
)
from tests.rules.traps.names import FOREIGN, LYING_NAMES, NAMESAKES, REBINDING, UNKNOWN_OPTIONS
from tests.rules.traps.spaces import (
    BUILT_DISTRIBUTIONS,
    CONDITIONAL_SOFTMAX,
    CROSS_ENTROPY_OF_LOGS,
    FOCAL,
    IMPORTED_MODELS,
    LOG_OF_SOFTMAX,
    MIXTURES,
    NORMALISING_MODELS,
    SOFT_TARGETS,
    TIED_BRANCHES,
)
from tests.truth import watch

GROUPS = {
    "1 mixture": MIXTURES,
    "2 lying name": LYING_NAMES,
    "3 normalising model": NORMALISING_MODELS,
    "4 conditional softmax": CONDITIONAL_SOFTMAX,
    "5 tied branches": TIED_BRANCHES,
    "6 cross entropy of logs": CROSS_ENTROPY_OF_LOGS,
    "6 soft target": SOFT_TARGETS,
    "7 focal idiom": FOCAL,
    "8 right divisor": RIGHT_DIVISORS,
    "9 built distribution": BUILT_DISTRIBUTIONS,
    "10 direction": DIRECTIONS,
    "11 unusual dim": UNUSUAL_DIMS,
    "12 namesake": NAMESAKES,
    "13 target gradient": TARGET_GRADIENTS,
    "14 rebinding": REBINDING,
    "14 temperature": TEMPERATURES,
    "15 unknown option": UNKNOWN_OPTIONS,
}
RIGHT = {
    f"{group}: {name}": HEAD + dedent(program) for group, cases in GROUPS.items() for name, program in cases.items()
}
KL110 = {f"1 log of softmax: {name}": HEAD + dedent(program) for name, program in LOG_OF_SOFTMAX.items()}
UNSEEN = {f"3 imported model: {name}": program for name, program in IMPORTED_MODELS.items()}
UNSEEN |= {f"12 foreign namesake: {name}": program for name, program in FOREIGN.items()}
NOT_MISUSE = {"7 focal idiom": {"KL405"}, "8 right divisor": {"KL201"}}
"""What the tensors of one call show, and the code around it makes right: 1 + nll_loss of probabilities, mean * C."""


pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # torch's own, of programs that klint must pass


def group(prefix: str) -> dict[str, str]:
    """The programs of one trap."""
    return {name: program for name, program in RIGHT.items() if name.startswith(prefix)}


def all_codes(source: str) -> set[str]:
    """The codes that are found when every rule is selected, the opt-in ones too."""
    return {finding.code for finding in lint_source(source, "case.py", Settings(select=("KL",))).findings}


@pytest.mark.parametrize("source", (RIGHT | UNSEEN).values(), ids=RIGHT | UNSEEN)
def test_what_is_right_is_silent(source):
    assert codes(source) == []


@pytest.mark.parametrize("source", KL110.values(), ids=KL110)
def test_log_of_softmax_is_log_probabilities(source):
    assert codes(source) == ["KL110"]


@pytest.mark.parametrize("source", group("6 cross").values(), ids=group("6 cross"))
def test_log_softmax_before_cross_entropy_is_at_most_wasteful(source):
    assert all_codes(source) <= {"KL902"}


@pytest.mark.parametrize("source", group("13").values(), ids=group("13"))
def test_a_target_that_may_have_a_gradient_is_silent_even_if_selected(source):
    assert "KL904" not in all_codes(source)


@pytest.mark.parametrize("source", group("14 temp").values(), ids=group("14 temp"))
def test_a_temperature_that_is_squared_elsewhere_is_silent_even_if_selected(source):
    assert "KL903" not in all_codes(source)


@pytest.mark.parametrize(("name", "source"), (RIGHT | KL110).items(), ids=RIGHT | KL110)
def test_torch_agrees_that_it_is_right(name, source):
    trap = name.partition(":")[0]
    seen, names = watch(source)
    assert set(seen.codes) <= NOT_MISUSE.get(trap, set())
    assert (seen.calls > 0) == (not trap.startswith("12"))
    assert torch.isfinite(torch.as_tensor(names.get("loss", 0.0))).all()


@pytest.mark.parametrize("last", ["F.log_softmax(self.fc(x), dim=1)", "nn.LogSoftmax(dim=1)(self.fc(x))"])
def test_a_model_of_another_file_that_normalises_is_right(tmp_path, last):
    model = f"""\
        import torch.nn as nn
        import torch.nn.functional as F

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                return {last}
        """
    training = """\
        import torch.nn.functional as F
        from models import Net

        model = Net()

        def step(x, target):
            logits = model(x)
            return F.kl_div(logits, target, reduction="batchmean")
        """
    (tmp_path / "models.py").write_text(dedent(model))
    (tmp_path / "training.py").write_text(dedent(training))
    assert lint_paths([tmp_path]).findings == []
