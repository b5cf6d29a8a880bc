"""KL906: input and target of kl_div are softened with different temperatures."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace

from klint.finding import Confidence, Severity
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.rewrite import apply, constant, kl_claim, substituted, with_arguments
from klint.rules.temperature import Temperature, comes_from_model, plain, temperature
from klint.torch_model.sites import LossSite


class OneSidedTemperature(Rule[LossSite]):
    """The input of `kl_div` is softened with another temperature than its target.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` of which one side is the softmax of scores divided by a temperature above 1, and the other that of scores
    as they come out of the model, or divided by another number. Opt-in, since some methods do so on purpose: UDA and DINO sharpen a target that takes
    no gradient. A temperature that is not known, or below 1, is passed over, and so are two that have names of their own.

    ## Why it is wrong

    The divergence of two distributions is 0 where they are equal, so that the student is driven to the scores of the teacher only if the same
    function is applied to both. With T = 4 on the input alone, and equal standard normal scores of 10 classes, the value is not 0 but 0.21 (measured, mean over
    10,000 rows); with T = 4 on the target alone it is 0.23. At the optimum the student's scores are T times those of the teacher, up to a shift.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    log_q = F.log_softmax(student / 4.0, dim=1)
    loss = F.kl_div(log_q, F.softmax(teacher, dim=1), reduction="batchmean") * 4.0**2
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    log_q = F.log_softmax(student / 4.0, dim=1)
    loss = F.kl_div(log_q, F.softmax(teacher / 4.0, dim=1), reduction="batchmean") * 4.0**2
    ```

    ## References

    - [Distilling the Knowledge in a Neural Network](https://arxiv.org/abs/1503.02531)
    - [Unsupervised Data Augmentation for Consistency Training](https://arxiv.org/abs/1904.12848)
    """

    code = "KL906"
    name = "one-sided-temperature"
    summary = "input and target are softened with different temperatures"
    severity = Severity.NOTE
    default = False
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """Both sides are made by a softmax, and their temperatures are known to differ."""
        own, other = temperature(site, site.input), temperature(site, site.target)
        if own is None or other is None or not _differ(site, own, other):
            return
        sides = (("input", own), ("target", other))
        (scaled, softened), *rest = [side for side in sides if side[1].node is not None]
        if rest:
            what = f"input is softened with {own.text}, target with {other.text}"
        else:
            what = f"{scaled} is softened with {softened.text}, {'input' if scaled == 'target' else 'target'} is not"
        both = (own.confidence, other.confidence)
        yield Draft(
            site.anchor,
            f"{what}: the divergence of equal scores is not 0; use the same temperature for both",
            _claim(site, own, other),
            Confidence.LIKELY if Confidence.LIKELY in both else Confidence.PROVEN,
            tuple((side.softmax.anchor, f"{name} is normalised here") for name, side in sides),
        )


def _differ(site: LossSite, own: Temperature, other: Temperature) -> bool:
    values = [side.value for side in (own, other)]
    if any(value is None or value < 1 for value in values) or values[0] == values[1]:
        return False
    if own.node is None or other.node is None:
        return all(comes_from_model(site.inference, side.scores) for side in (own, other))
    return any(isinstance(side.node.anchor.tree, ast.Constant) for side in (own, other) if side.node is not None)


def _claim(site: LossSite, own: Temperature, other: Temperature) -> Claim:
    """The site with the temperature of the input on both sides, or that of the target where the input has none."""
    shared, slot, changed = (own, site.target, other) if own.node is not None else (other, site.input, own)
    assert shared.node is not None  # they differ, so that one of them is a number
    number = constant(float(shared.value or 1), shared.node)
    divided = apply("div", changed.softmax, input=changed.scores, other=number)
    given = changed.softmax.arguments["input"]
    softmax = with_arguments(changed.softmax, input=substituted(given, plain(site.inference, given), divided))
    fixed = with_arguments(site.call, **{slot.name: substituted(slot.node, changed.softmax, softmax)})
    claim = kl_claim(site, "the divergence of equal scores is not 0", Effect.DIFFERS, fixed)
    return replace(claim, expected=None)
