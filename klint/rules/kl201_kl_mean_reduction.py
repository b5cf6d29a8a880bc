"""KL201: kl_div with the reduction 'mean'."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from klint.finding import Severity
from klint.graph.nodes import Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Divisor, Effect
from klint.rules.rewrite import kl_claim, per_row, with_arguments
from klint.torch_model.count import ONE
from klint.torch_model.names import counts_classes
from klint.torch_model.sites import LossSite

_NAME = 40
"""A longer text is no name."""


class KlMeanReduction(Rule[LossSite]):
    """The reduction of `kl_div` is `'mean'`, by name or by default: that is not the mean KL divergence.

    ## What it does

    Finds `F.kl_div` and `nn.KLDivLoss` with `reduction='mean'`, which is also the default. Silent where the value is multiplied by
    the number of classes again, in the same function or by a caller.

    ## Why it is wrong

    `'mean'` divides the sum by the number of all elements, batch times classes (times positions), whereas the KL divergence sums over
    the classes. The value is KL / C: with 1000 classes the term weighs a thousandth of what is meant. torch itself says in its documentation that
    `'batchmean'` is the mathematical definition.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target)
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    logits = torch.randn(8, 10)
    target = torch.softmax(torch.randn(8, 10), dim=1)
    loss = F.kl_div(F.log_softmax(logits, dim=1), target, reduction="batchmean")
    ```

    ## References

    - [torch.nn.KLDivLoss](https://pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html)
    """

    code = "KL201"
    name = "kl-mean-reduction"
    summary = "reduction='mean' divides KL by the number of classes"
    severity = Severity.WARNING
    site = LossSite

    def check(self, site: LossSite) -> Iterator[Draft]:
        """The reduction in force is 'mean', and no factor makes up for it."""
        if site.loss != "kl_div" or site.reduction != "mean" or _multiplied_by_classes(site):
            return
        rank, classes = site.input.facts.rank, site.classes
        number = None if classes is None else classes.value
        by = "the class count" if number is None else f"the class count, {number}"
        how = "" if site.is_given("reduction") or site.is_given("size_average") else ", the default,"
        batched = rank == 2 and site.class_dim not in (0, -2)
        meant = {1: "'sum'", 2: "'batchmean'", None: "'batchmean'"}.get(rank, "'batchmean' on rows of shape (-1, C)")
        if rank == 2 and not batched:
            meant = "'sum', divided by the number of distributions"
        unbatched = with_arguments(site.call, reduction="batchmean")
        yield Draft(
            site.options.anchor,
            f"reduction 'mean'{how} divides by every element: the result is KL / {number or 'C'}, off by {by}; "
            f"use reduction={meant}",
            kl_claim(
                site,
                "value * C = KL",
                Effect.RATIO,
                unbatched if batched else per_row(site.call, site.class_dim),
                Divisor.ROWS,
                None if classes is None else ONE / classes,
            ),
        )


def _multiplied_by_classes(site: LossSite) -> bool:
    """Whether the value is multiplied by the number of classes later on.

    Where it is not known who calls the function that a reading starts from, any other reading that does speaks for it.
    """
    calls = (site.call,) if site.call.runs else site.readings.calls or (site.call,)
    return any(_known_to_make_up(site, call) for call in calls)


def _known_to_make_up(site: LossSite, call: Operation) -> bool:
    known = site.readings.known
    key = (site.inference, id(call))
    if key not in known:
        known[key] = _makes_up(replace(site, call=call))
    return known[key]


def _makes_up(site: LossSite) -> bool:
    """Whether a product further on has the class count among its factors, or leaves a divisor without it."""
    for use in site.uses():
        if _has_no_classes_left(site, use):
            return True
        if use.name == "mul" and any(_is_class_count(site, factor) for factor in site.factors(use)):
            return True
    return False


def _has_no_classes_left(site: LossSite, use: Operation) -> bool:
    """Whether the value has become a sum, or the mean KL divergence, again."""
    before, after = site.facts.loss, site.inference.facts(use).loss
    if before is None or after is None or after.call is not site.call or not before.divisor or not after.divisor:
        return False
    return after.divisor == ONE or any(after.divisor * size == before.divisor for size in site.class_counts)


def _is_class_count(site: LossSite, factor: Node) -> bool:
    """Whether a factor is, or may well be, the number of classes: by its value, or by what it is called."""
    if isinstance(factor, Operation) and factor.name == "mul":
        return any(map(counts_classes, _operand_names(factor.anchor.tree)))
    count = site.inference.facts(factor).count
    if count is not None and (count in site.class_counts or site.may_count_classes(count)):
        return True
    text = factor.anchor.text
    words = re.findall(r"\w+", text) if len(text) < _NAME else []
    return bool(words) and site.inference.facts(factor).loss is None and counts_classes(words[-1])


def _operand_names(tree: ast.AST) -> Iterator[str]:
    """The names that a product is written with, which what they hold need not show: ``kl * NUM_CLASSES``."""
    operands: list[ast.expr] = []
    if isinstance(tree, ast.BinOp):
        operands = [tree.left, tree.right]
    elif isinstance(tree, ast.AugAssign):
        operands = [tree.value]
    elif isinstance(tree, ast.Call):
        operands = tree.args
    for operand in operands:
        if isinstance(operand, ast.Name):
            yield operand.id
        elif isinstance(operand, ast.Attribute):
            yield operand.attr
