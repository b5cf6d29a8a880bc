"""KL413: the arguments of a cross entropy are swapped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from klint.finding import Confidence, Fix, Severity
from klint.graph.nodes import Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.fixes import swapped, unsafe
from klint.rules.rewrite import apply, class_dim_of, log_of, logits_of, loss_claim, with_arguments
from klint.torch_model.facts import Space
from klint.torch_model.origins import is_model_output, is_normalised, labels
from klint.torch_model.sites import LossSite


class CeSwappedArguments(Rule[LossSite]):
    """A cross entropy is given what the model is trained towards first, and what the model puts out second.

    ## What it does

    Finds calls of `cross_entropy`, `nll_loss`, `binary_cross_entropy`, `binary_cross_entropy_with_logits` and of their modules whose input
    holds labels (class indices, one-hot rows, zeros and ones) while the target is computed by a model; and of `cross_entropy` whose input holds
    probabilities while the target holds scores or log-probabilities. Where nothing but a name such as `labels` says what the input holds, the
    finding is *likely*.

    ## Why it is wrong

    All of them take `(input, target)`: the model's output first. The value is linear in the target, so that with the two swapped the gradient does not depend on
    what the model puts out: measured, one-hot rows as input of `cross_entropy` give the same gradient for scores five times as large. There is nothing to
    learn from, and no minimum. `binary_cross_entropy` of labels takes log(0), which torch cuts off at -100: its value is 62 where 1.03 is meant. Whole numbers raise
    an error.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(F.one_hot(labels, 10).float(), logits)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
    loss = F.cross_entropy(logits, F.one_hot(labels, 10).float())
    ```

    ## Fix

    Unsafe, since another loss is trained: the arguments are swapped, if each is in the form that the other place takes.

    ## References

    - [torch.nn.functional.cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    - [torch.nn.functional.binary_cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.binary_cross_entropy.html)
    """

    code = "KL413"
    name = "ce-swapped-arguments"
    summary = "labels as input and model output as target of a cross entropy"
    severity = Severity.ERROR
    replaces = ("KL401", "KL404")
    site = LossSite
    losses = ("cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits")

    def check(self, site: LossSite) -> Iterator[Draft]:
        """Labels, or probabilities, stand where the model's output belongs, and the other way round."""
        found = _labels_first(site) or _probabilities_first(site)
        if found is None:
            return
        holds, shown, confidence = found
        named = ", to go by its name," if shown is None else ""
        raises = bool(site.input.facts.integer) or site.loss == "nll_loss"
        effect = "torch raises an error" if raises else "the gradient does not depend on what the model puts out"
        maker = site.target.maker
        claim = loss_claim(site, effect, Effect.RAISES if raises else Effect.DIFFERS, _swapped(site))
        yield Draft(
            site.anchor,
            f"{site.input.title}{named} holds {holds} and {site.target.title} holds {site.target.facts.space.value}: the two are "
            f"swapped, and {effect}; use {site.loss}({site.target.text}, {site.input.text})",
            replace(claim, expected=None),
            confidence,
            tuple(
                (node.anchor, text)
                for node, text in (
                    (shown, f"{holds} are made here"),
                    (maker, f"{site.target.facts.space.value} are made here"),
                )
                if node is not None
            ),
            fix=lambda: _fix(site),
        )


_Found = tuple[str, Operation | None, Confidence]
"""What the input holds in words, the operation that shows it, and how surely."""


def _labels_first(site: LossSite) -> _Found | None:
    found = labels(site.inference, site.input.node, constants=site.loss == "binary_cross_entropy")
    if found is None or not is_model_output(site.inference, site.target.node):
        return None
    node, confidence = found
    return "labels", node if confidence is Confidence.PROVEN and isinstance(node, Operation) else None, confidence


def _probabilities_first(site: LossSite) -> _Found | None:
    first, second = site.input.facts, site.target.facts
    if site.loss != "cross_entropy" or not is_normalised(first) or first.made_by is None:
        return None
    if second.space not in (Space.SCORES, Space.LOG_PROBABILITIES) or not is_model_output(
        site.inference, site.target.node
    ):
        return None
    return "probabilities", site.input.maker, first.confidence


def _swapped(site: LossSite) -> Operation:
    """The call with its arguments in order, each in the form that the loss takes."""
    return with_arguments(site.call, input=_output(site), target=_target(site))


def _output(site: LossSite) -> Node:
    """The target as an input of the same loss."""
    slot, space = site.target, site.target.facts.space
    if site.loss == "binary_cross_entropy":
        return apply("sigmoid", slot.node, input=slot.node) if space is Space.SCORES else slot.node
    if site.loss == "binary_cross_entropy_with_logits":
        return slot.node if space is Space.SCORES else logits_of(slot)
    if space in (Space.PROBABILITIES, Space.ELEMENTWISE):
        return log_of(slot)
    if site.loss == "nll_loss" and space is Space.SCORES:
        return apply("log_softmax", slot.node, input=slot.node, dim=class_dim_of(site))
    return slot.node


def _target(site: LossSite) -> Node:
    """The input as a target of the same loss: indices for ``nll_loss``, floating-point numbers where they stand for probabilities."""
    slot = site.input
    is_indices = slot.facts.space is Space.INDICES
    if site.loss == "nll_loss" and not is_indices and slot.facts.is_distribution:
        return apply("argmax", slot.node, input=slot.node, dim=-1)
    if slot.facts.integer and not (is_indices and site.loss in ("cross_entropy", "nll_loss")):
        return apply("float", slot.node, input=slot.node)
    return slot.node


def _fix(site: LossSite) -> Fix | None:
    """The arguments swapped, where none has to be changed and no caller passes them."""
    is_ready = _output(site) is site.target.node and _target(site) is site.input.node
    return (
        unsafe("Use the arguments the other way round", swapped(site)) if is_ready and not site.call.callers else None
    )
