"""KL113: log-probabilities are divided by a temperature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from klint.finding import Confidence, Fix, Severity
from klint.graph.nodes import Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect, Reading
from klint.rules.fixes import argument, unsafe
from klint.rules.makers import scaled_inside
from klint.rules.rewrite import apply, kl_claim, substituted, with_arguments, with_reading
from klint.torch_model.count import ONE
from klint.torch_model.facts import Facts, Space
from klint.torch_model.scalars import operand
from klint.torch_model.sites import LossSite, Slot


class ScaledAfterNormalising(Rule[LossSite]):
    """Log-probabilities are scaled after they were normalised: `log_softmax(x) / T` instead of `log_softmax(x / T)`.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` that are given log-probabilities divided by, or multiplied with, a number: as input, or as target with
    `log_target=True`.

    ## Why it is wrong

    A temperature belongs inside the softmax. Outside it, the numbers are no log-probabilities any more: their exponentials sum to another number than 1, to 5.1 in one
    trial with T = 4 and 10 classes. The distribution is not softened, and the value is no divergence: for equal logits on both sides it is -1.66 where it
    should be 0. Its gradient is that of the divergence without a temperature, over T.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    T = 4.0
    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.log_softmax(student, dim=1) / T, F.softmax(teacher / T, dim=1), reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    T = 4.0
    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.log_softmax(student / T, dim=1), F.softmax(teacher / T, dim=1), reduction="batchmean")
    ```

    ## Fix

    Unsafe, since another loss is trained: the scale moves into the log_softmax that it follows.

    ## References

    - [Distilling the Knowledge in a Neural Network](https://arxiv.org/abs/1503.02531)
    """

    code = "KL113"
    name = "scaled-after-normalising"
    summary = "log-probabilities are scaled after they were normalised"
    severity = Severity.ERROR
    replaces = ("KL102", "KL906")
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """A slot that takes log-probabilities holds a multiple of some."""
        for slot in (site.input, site.target) if site.log_target else (site.input,):
            scaled = _scaled(site, slot)
            if scaled is None:
                continue
            by = "divided by" if scaled.node.name == "div" else "multiplied by"
            text = scaled.factor.anchor.text
            number = text if len(text) < 20 else "a number"
            maker = scaled.logs.made_by if isinstance(scaled.logs.made_by, Operation) else None
            yield Draft(
                site.anchor,
                f"{slot.name} holds log-probabilities {by} {number} after they were normalised: their exponentials do not sum to 1, "
                f"and the value is no divergence; use {_instead(scaled, maker)}",
                _claim(site, slot, scaled),
                scaled.confidence,
                (
                    *(((maker.anchor, "log-probabilities are made here"),) if maker is not None else ()),
                    (scaled.node.anchor, "they are scaled here"),
                ),
                fix=partial(_fix, site, slot, scaled, maker),
            )


@dataclass(frozen=True)
class _Scaled:
    """A product or quotient of log-probabilities and a number."""

    node: Operation
    logs: Facts
    factor: Node
    confidence: Confidence


def _scaled(site: LossSite, slot: Slot) -> _Scaled | None:
    node = site.numbers_of(slot)
    if (
        not isinstance(node, Operation)
        or node.name not in ("mul", "div")
        or node.arguments.keys() != {"input", "other"}
    ):
        return None
    slots = ("input", "other") if node.name == "div" else ("input", "other", "input")
    for tensor, factor in pairwise(slots):
        logs, number = operand(site.inference, node, tensor), operand(site.inference, node, factor)
        if logs.space is not Space.LOG_PROBABILITIES or number.rank != 0 or number.count == ONE:
            continue
        # what a number that is not written out holds may be 1; that it is a number at all may rest on its name
        known = number.count is not None and logs.confidence is Confidence.PROVEN
        return _Scaled(node, logs, node.arguments[factor], Confidence.PROVEN if known else Confidence.LIKELY)
    return None


def _instead(scaled: _Scaled, maker: Operation | None) -> str:
    """What to write: the scale inside the softmax."""
    sign = "/" if scaled.node.name == "div" else "*"
    scores = maker.arguments.get("input") if maker is not None and maker.name == "log_softmax" else None
    texts = ("x" if scores is None else scores.anchor.text, scaled.factor.anchor.text)
    short = [
        text if text.replace(".", "").replace("_", "").isalnum() else name
        for text, name in zip(texts, "xT", strict=True)
    ]
    return f"log_softmax({short[0]} {sign} {short[1]})"


def _claim(site: LossSite, slot: Slot, scaled: _Scaled) -> Claim:
    """The site with the scaled numbers normalised again: ``log_softmax(log_softmax(x) / T)`` is ``log_softmax(x / T)``."""
    dim = scaled.logs.dim if scaled.logs.dim is not None else -1
    meant = substituted(slot.node, scaled.node, apply("log_softmax", scaled.node, input=scaled.node, dim=dim))
    fixed = with_arguments(site.call, **{slot.name: meant})
    claim = kl_claim(site, "exp of the scaled numbers does not sum to 1", Effect.DIFFERS, fixed)
    return with_reading(
        claim, slot.name, Reading(meant, Space.LOG_PROBABILITIES, dim if slot.node is scaled.node else None)
    )


def _fix(site: LossSite, slot: Slot, scaled: _Scaled, maker: Operation | None) -> Fix | None:
    given = argument(site, slot.name)
    if given is None or maker is None or maker.name != "log_softmax":
        return None
    edits = scaled_inside(site.anchor.unit, given.value, scaled.node.anchor.tree, maker)
    return unsafe(f"Use {_instead(scaled, maker)}", edits)
