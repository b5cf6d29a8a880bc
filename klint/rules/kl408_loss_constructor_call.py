"""KL408: the tensors of a loss are passed to its constructor."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Fix, Severity
from klint.graph.nodes import Node
from klint.rules.base import Draft, Rule
from klint.rules.claims import Effect
from klint.rules.edits import edit
from klint.rules.fixes import options, unsafe
from klint.rules.rewrite import options_claim, with_arguments, without_arguments
from klint.torch_model.facts import Space
from klint.torch_model.sites import OptionsSite


class LossConstructorCall(Rule[OptionsSite]):
    """A loss module is made with the tensors that it should be called with.

    ## What it does

    Finds `nn.CrossEntropyLoss(output, target)` and the like: loss classes whose first two arguments are tensors.

    ## Why it is wrong

    The class is called, not the loss. `output` lands in `weight` (or `size_average`) and `target` in `size_average` (or `reduce`). With
    more than one number in it the target cannot be read as a flag, and torch raises "Boolean value of Tensor with more than one value is
    ambiguous". With a single one, what comes out is a module and no number: the error shows later, at `.backward()`.

    ## Example

    ```python
    import torch
    from torch import nn

    output = torch.randn(8, 10, requires_grad=True)
    target = torch.randint(0, 10, (8,))
    loss = nn.CrossEntropyLoss(output, target)
    ```

    ## Use instead

    ```python
    import torch
    from torch import nn

    output = torch.randn(8, 10, requires_grad=True)
    target = torch.randint(0, 10, (8,))
    loss = nn.CrossEntropyLoss()(output, target)
    ```

    ## Fix

    Unsafe, since what raised an error is now trained: the module is made without arguments and then called.

    ## References

    - [torch.nn.CrossEntropyLoss](https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html)
    """

    code = "KL408"
    name = "loss-constructor-call"
    summary = "tensors are passed to the constructor of a loss"
    severity = Severity.ERROR
    replaces = ("KL205", "KL206")
    site = OptionsSite

    def check(self, site: OptionsSite) -> Iterator[Draft]:
        """The first two arguments of the constructor are passed by position, and one that cannot be a tensor is one."""
        slots = site.spec.positions(site.made)[:2]
        if not site.made or not all(site.is_positional(slot) for slot in slots):
            return
        given = [site.inference.value(site.call, slot) for slot in slots]
        if not any(
            node is not None and _is_tensor(site, node)
            for slot, node in zip(slots, given, strict=True)
            if slot != "weight"
        ):
            return
        tensors = {name: node for name, node in zip(("input", "target"), given, strict=True) if node is not None}
        name = site.spec.module.rpartition(".")[2]
        landed = " and ".join(
            f"{node.anchor.text[:30]} in {slot}" for slot, node in zip(slots, tensors.values(), strict=True)
        )
        yield Draft(
            site.anchor,
            f"{name} is made, not called: {landed}; use {name}()(input, target)",
            options_claim(
                site,
                "raises: a tensor is no flag",
                Effect.RAISES,
                with_arguments(without_arguments(site.call, *slots), **tensors),
            ),
            fix=lambda: _fix(site),
        )


def _is_tensor(site: OptionsSite, node: Node) -> bool:
    facts = site.inference.facts(node)
    return facts.space is not Space.UNKNOWN or bool(facts.rank)


def _fix(site: OptionsSite) -> Fix | None:
    """A pair of brackets before the arguments, if these are the tensors and no more."""
    found = options(site)
    if found is None or len(found.items) != 2:
        return None
    return unsafe("Use ()(input, target)", (edit(found.unit, found.opening, found.opening, "()"),))
