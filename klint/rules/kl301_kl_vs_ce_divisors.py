"""KL301: KL and cross entropy minus entropy are compared, and divide by different counts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from klint.finding import Fix, Severity
from klint.graph.nodes import Constant, Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.claims import Divisor, Effect
from klint.rules.fixes import reduction, unsafe
from klint.rules.rewrite import kl_claim, per_row, with_arguments
from klint.torch_model.count import ONE, Count
from klint.torch_model.facts import Distribution, Facts
from klint.torch_model.sites import ComparisonSite, LossSite


class KlVsCeDivisors(Rule[ComparisonSite]):
    """KL is compared with cross entropy minus entropy, but the two divide by different counts.

    ## What it does

    Follows both values of a subtraction, of `==`, `allclose` and the like, and values that are printed or returned side by side. Finds
    those that are the same sum over classes and positions, divided by different counts.

    ## Why it is wrong

    CE(x, P) - H(P) = KL(P || softmax x) holds only if both sides divide by the same count. `kl_div` divides by all elements
    (`'mean'`), by `input.size(0)` (`'batchmean'`) or by nothing (`'sum'`); `cross_entropy` with `'mean'` divides by
    the number of rows. Where the counts differ, so do the numbers, by exactly their ratio, although both formulas are right.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="sum")
    print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
    print(kl, F.cross_entropy(x, p) - F.cross_entropy(y, p))
    ```

    ## Fix

    Unsafe, since the loss is multiplied: the reduction becomes the one with the divisor of the other side, where there is one.

    ## References

    - [torch.nn.functional.kl_div](https://pytorch.org/docs/stable/generated/torch.nn.functional.kl_div.html)
    - [torch.nn.functional.cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    """

    code = "KL301"
    name = "kl-vs-ce-divisors"
    summary = "KL and cross entropy minus entropy divide by different counts"
    severity = Severity.ERROR
    site = ComparisonSite

    def check(self, site: ComparisonSite) -> Iterator[Draft]:
        """Both sides are the same terms up to one factor, which is not 1."""
        left, right = site.sides
        if _is_kl(left) == _is_kl(right):
            return
        nodes = (site.left, site.right) if _is_kl(left) else (site.right, site.left)
        kl, other = (left, right) if _is_kl(left) else (right, left)
        ratio = _ratio(kl, other)
        if ratio is None or ratio == ONE or kl.loss is None or not _is_definite(ratio):
            return
        if any(_is_weight(site, node) for operation in kl.loss.reduced for node in operation.operands()):
            return
        divisor, rows = ONE / _weight(kl), ONE / _weight(other)
        for call in site.equal_calls(nodes[0], kl.loss.call):
            loss_site = LossSite(call, site.inference, {})
            wanted = _divisor(loss_site, rows)
            if wanted is not None:
                yield Draft(
                    call.anchor,
                    f"KL divides by {divisor}, cross entropy minus entropy by {rows}: this value is {ratio} times the other; "
                    f"use {_use(loss_site, wanted)}",
                    kl_claim(
                        loss_site,
                        f"KL = {ratio} * (CE - entropy)",
                        Effect.RATIO,
                        _fixed(loss_site, wanted),
                        wanted,
                        ratio,
                        counterpart=nodes[1],
                        as_written=nodes[0],
                    ),
                    related=(
                        (nodes[1].anchor, "compared with cross entropy minus entropy"),
                        (site.place.anchor, "side by side"),
                    ),
                    fix=partial(_fix, loss_site, wanted) if not kl.loss.reduced else None,
                )


def _is_kl(facts: Facts) -> bool:
    return facts.loss is not None and facts.loss.call.name == "kl_div"


def _weights(facts: Facts) -> dict[tuple[Distribution, Distribution], Count] | None:
    if not facts.terms or facts.rank != 0:
        return None
    weights = {(term.target, term.input): term.weight for term in facts.terms}
    return weights if len(weights) == len(facts.terms) else None


def _ratio(left: Facts, right: Facts) -> Count | None:
    """The one factor between all terms of both sides; None where there is no such factor."""
    first, second = _weights(left), _weights(right)
    if first is None or second is None or first.keys() != second.keys() or len(first) < 2:
        return None
    ratios = {first[key] / second[key] for key in first}
    return ratios.pop() if len(ratios) == 1 else None


def _is_weight(site: ComparisonSite, node: Node) -> bool:
    """Whether a factor is a plain number that is written out, and so how much a term is meant to weigh, and no size."""
    node = site.inference.resolve(node)
    count = site.inference.facts(node).count
    if isinstance(node, Constant):
        return isinstance(node.value, float)
    if not isinstance(node, Operation) or count is None or not count.is_number or node.name in _SIZES:
        return False
    return all(_is_weight(site, operand) or isinstance(operand, Constant) for operand in node.operands())


_SIZES = ("getitem", "length", "numel", "shape")


def _is_definite(ratio: Count) -> bool:
    """Whether a ratio cannot happen to be 1: a number, or sizes and a number that push the same way."""
    if ratio.is_number:
        return True
    up = {power > 0 for _, power in ratio.powers}
    return (up == {True} and abs(ratio.factor) >= 1) or (up == {False} and abs(ratio.factor) <= 1)


def _weight(facts: Facts) -> Count:
    """What every pointwise term is multiplied by, without its sign."""
    weight = facts.terms[0].weight if facts.terms else ONE
    return Count(abs(weight.factor), weight.powers)


def _divisor(site: LossSite, rows: Count) -> Divisor | None:
    """What the other side divides by, in words; None where it is no count that a mean divides by."""
    facts = site.input.facts
    if rows == ONE:
        return Divisor.ONE
    if facts.shape is None or facts.numel is None or site.classes is None or not site.classes.factor:
        return Divisor.ROWS
    known = {Divisor.ROWS: facts.numel / site.classes, Divisor.BATCH: facts.size(0), Divisor.NUMEL: facts.numel}
    return next((divisor for divisor, count in known.items() if count == rows), None)


def _fixed(site: LossSite, wanted: Divisor) -> Operation:
    """The call with the divisor of the other side."""
    if wanted is Divisor.ROWS:
        return per_row(site.call, site.class_dim)
    return with_arguments(site.call, reduction=_REDUCTIONS[wanted])


def _use(site: LossSite, wanted: Divisor) -> str:
    if wanted is not Divisor.ROWS:
        return f"reduction={_REDUCTIONS[wanted]!r}"
    rank = site.input.facts.rank
    if rank == 1:
        return "reduction='sum'"
    return "reduction='batchmean'" if rank in (2, None) else "reduction='none' with .sum(-1).mean()"


def _fix(site: LossSite, wanted: Divisor) -> Fix | None:
    """The reduction that the message names, where it is no more than that."""
    value = _REDUCTIONS.get(wanted) or ("sum" if site.input.facts.rank == 1 else "batchmean")
    meant = f"reduction={value!r}"
    return (
        unsafe(f"Use {meant}", reduction(site, value))
        if _use(site, wanted) == meant and site.reduction != "none"
        else None
    )


_REDUCTIONS = {Divisor.ONE: "sum", Divisor.BATCH: "batchmean", Divisor.NUMEL: "mean"}
