"""KL904: a gradient flows into a target that a teacher makes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from klint.finding import Confidence, Fix, Severity
from klint.graph.nodes import Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect
from klint.rules.edits import method_called
from klint.rules.fixes import argument, unsafe
from klint.rules.gradients import (
    ModelCall,
    freezes,
    function_of,
    is_used_again,
    models_behind,
    reached,
    takes_gradients_itself,
)
from klint.rules.rewrite import apply, options_claim, with_arguments
from klint.source.python import Anchor, tree_nodes
from klint.torch_model.facts import Space
from klint.torch_model.losses import LOSSES
from klint.torch_model.names import names_teacher
from klint.torch_model.sites import LossSite

_EVALUATING = frozenset(
    "eval evaluate evaluation val valid validate validation test predict inference metric metrics".split()
)

_LONG = 40


class KdTargetGradient(Rule[LossSite]):
    """The gradient of a loss flows into its target, which another model makes: the teacher is trained to follow the student.

    ## What it does

    Finds calls of a loss whose input comes from one model, and whose target comes from another one that is named like a teacher (`teacher`, `ema_model`, `target_net`), is called
    outside `torch.no_grad()` and `torch.inference_mode()`, and is not detached since. Silent where the file freezes parameters, where the teacher's output is used for anything
    else, and where both come from the same model. Opt-in, since a teacher may be frozen where klint does not see it.

    ## Why it is wrong

    The loss is a function of its target too: with P the student's distribution and Q the teacher's, KL(Q || P) has the gradient
    `Q * (log Q - log P - KL)` with respect to the teacher's scores. If an optimiser holds the teacher's parameters the teacher moves towards
    the student, and both may meet at a constant; if none does, its backward pass costs time and memory for nothing. Measured for two `nn.Linear(20, 10)` as they are made: the
    norm of the gradient in the teacher is 1.04 of that in the student (mean of 200 trials), and 0 with `torch.no_grad()`.

    ## Example

    ```python
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    student, teacher = nn.Linear(20, 10), nn.Linear(20, 10)
    x = torch.randn(8, 20)
    target = F.softmax(teacher(x), dim=1)
    loss = F.kl_div(F.log_softmax(student(x), dim=1), target, reduction="batchmean")
    loss.backward()
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    student, teacher = nn.Linear(20, 10), nn.Linear(20, 10)
    x = torch.randn(8, 20)
    with torch.no_grad():
        target = F.softmax(teacher(x), dim=1)
    loss = F.kl_div(F.log_softmax(student(x), dim=1), target, reduction="batchmean")
    loss.backward()
    ```

    ## Fix

    Unsafe, since the teacher is no longer trained: `.detach()` is called of the target. The value stays the same.

    ## References

    - [torch.no_grad](https://pytorch.org/docs/stable/generated/torch.no_grad.html)
    - [torch.Tensor.detach](https://pytorch.org/docs/stable/generated/torch.Tensor.detach.html)
    """

    code = "KL904"
    name = "kd-target-gradient"
    summary = "a gradient flows into a target that another model makes"
    severity = Severity.WARNING
    default = False
    site = LossSite

    def check(self, site: LossSite) -> Iterator[Draft]:
        """A gradient reaches a teacher through the target, and another model through the input.

        Where the function of the loss is judged on its own, it is what all its callers say.
        """
        draft = _draft(site)
        if draft is None and not site.call.callers:
            drafts = [_draft(replace(site, call=call)) for call in site.readings.calls if call.callers]
            draft = drafts[0] if None not in drafts and drafts else None
        if draft is not None:
            yield draft


def _draft(site: LossSite) -> Draft | None:
    if not _is_trained(site) or not _takes_gradient(site):
        return None
    targets, inputs = (list(reached(site.inference, slot.node)) for slot in (site.target, site.input))
    if not targets or not inputs or any(_is_teacher(site, call) for call in inputs):
        return None
    teacher = next((call for call in targets if _is_teacher(site, call)), None)
    if teacher is None or _is_meant(site, teacher):
        return None
    written = _written(site, teacher)
    made = written.text if len(written.text) < _LONG else "a model"
    return Draft(
        site.anchor,
        f"target comes from {made}, which is called with gradients on and not detached: the loss trains it too; use "
        "torch.no_grad() around it, or detach() the target",
        _claim(site),
        Confidence.PROVEN if teacher.is_known and inputs[0].is_known else Confidence.LIKELY,
        ((written, "the model that makes the target is called here"),),
        fix=lambda: _fix(site),
    )


def _fix(site: LossSite) -> Fix | None:
    given = argument(site, "target")
    return None if given is None else unsafe("Use .detach()", method_called(site.anchor.unit, given.value, ".detach()"))


def _takes_gradient(site: LossSite) -> bool:
    """Whether the target is known to hold numbers that a gradient can flow into, as opposed to class indices."""
    return site.target.facts.space not in (Space.UNKNOWN, Space.INDICES)


def _is_trained(site: LossSite) -> bool:
    """Whether the value is one to be minimised, so far as the code shows: gradients are on, for every caller if there are any."""
    if not site.call.grad_enabled or not _EVALUATING.isdisjoint(re.split(r"[\W_]+", site.call.function.lower())):
        return False
    calls = site.readings.calls
    if not site.call.callers and any(call.callers and not call.grad_enabled for call in calls):
        return False
    uses = list(site.consumers(site.call))
    shown = all(isinstance(use, Operation) and use.name in ("number", "detach", "format") for use in uses)
    return not (uses and shown) or _calls_backward(site)


def _calls_backward(site: LossSite) -> bool:
    calls = (node.func for node in tree_nodes(function_of(site.anchor)) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Attribute) and called.attr == "backward" for called in calls)


def _written(site: LossSite, call: ModelCall) -> Anchor:
    """Where a model is called, as it stands in the function of the loss, or where that was called from."""
    own = {id(anchor.tree) for anchor in site.call.callers}
    return ([call.node.anchor] + [anchor for anchor in call.callers if id(anchor.tree) not in own])[-1]


def _is_teacher(site: LossSite, call: ModelCall) -> bool:
    own = {id(anchor.tree) for anchor in site.call.callers}
    anchors = [call.node.anchor, *(anchor for anchor in call.callers if id(anchor.tree) not in own)]
    called = (anchor.tree.func for anchor in anchors if isinstance(anchor.tree, ast.Call))
    return any(names_teacher(ast.unparse(function)) for function in called)


def _is_meant(site: LossSite, teacher: ModelCall) -> bool:
    """Whether something says that the gradient does not arrive, or is wanted."""
    anchors = (site.anchor, teacher.node.anchor, *teacher.callers, *site.call.callers)
    if any(freezes(unit) for unit in {id(anchor.unit): anchor.unit for anchor in anchors}.values()):
        return True
    if takes_gradients_itself(function_of(site.anchor)) or is_used_again(_written(site, teacher)):
        return True
    models = models_behind(site.inference, site.target.node)
    inputs = [call.arguments["input"] for calls in site.readings.beside for call in calls if "input" in call.arguments]
    if any(models & models_behind(site.inference, node) for node in (site.input.node, *inputs)):
        return True
    uses = (use for use in site.uses(teacher.node) if use.name in LOSSES)
    return any(use.anchor.tree is not site.anchor.tree for use in uses)


def _claim(site: LossSite) -> Claim:
    """The gradient that reaches the target, against the call with the target detached."""
    target = site.target.node
    fixed = with_arguments(site.call, target=apply("detach", target, input=target))
    claim = options_claim(site, "the target's source gets a gradient", Effect.LEAK, fixed)
    return replace(claim, subject=target)
