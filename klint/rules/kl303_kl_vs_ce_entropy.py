"""KL303: KL is compared with cross entropy minus a term that is not the entropy of the target."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from klint.finding import Severity
from klint.graph.nodes import Node, Operation
from klint.rules.base import Draft, Rule
from klint.rules.comparing import Comparison, Key
from klint.rules.fixes import argument
from klint.rules.rewrite import apply, substituted, with_arguments
from klint.torch_model.comparisons import SHOWING
from klint.torch_model.facts import Distribution
from klint.torch_model.infer import short
from klint.torch_model.sites import ComparisonSite, LossSite


class KlVsCeEntropy(Rule[ComparisonSite]):
    """KL is compared with cross entropy minus a term that is not the entropy of the target.

    ## What it does

    Finds a KL divergence KL(P || Q) beside the cross entropy of the same P and Q minus another term than H(P): the cross entropy of P with itself,
    which takes the probabilities for scores, that of other scores than those of P, or the entropy of another distribution.
    Of values that are only printed or returned side by side it reports those whose subtracted term is made of what P is made of.

    ## Why it is wrong

    CE(x, P) - H(P) = KL(P || softmax x), and H(P) = -sum P log P is the cross entropy of P with the scores that P is the softmax of.
    `F.cross_entropy(p, p)` takes the softmax of p once more: it is H(P) + KL(P || softmax P), 2.2283 instead of 1.9842 in the example, so that the
    difference is 0.6207 where KL is 0.8648. It may even be negative, which no divergence is.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    x, y = torch.randn(8, 10), torch.randn(8, 10)
    p = F.softmax(y, dim=1)
    kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="batchmean")
    print(kl, F.cross_entropy(x, p) - F.cross_entropy(p, p))
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

    ## References

    - [torch.nn.functional.cross_entropy](https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html)
    - [torch.distributions.categorical.Categorical](https://pytorch.org/docs/stable/distributions.html#categorical)
    """

    code = "KL303"
    name = "kl-vs-ce-entropy"
    summary = "what is subtracted from the cross entropy is not the entropy of the target"
    severity = Severity.ERROR
    replaces = ("KL401",)
    site = ComparisonSite
    losses = ("kl_div",)

    def check(self, site: ComparisonSite) -> Iterator[Draft]:
        """The other side is the cross entropy of the same two distributions minus one term, which is not the target's entropy."""
        comparison = Comparison.of(site)
        subtraction = comparison.subtraction if comparison is not None and not comparison.is_weighed else None
        if comparison is None or subtraction is None or comparison.key is None:
            return
        cross, term, rows = subtraction
        if cross != comparison.key or _may_be_entropy(term, cross[0]):
            return
        if site.place.name in SHOWING and not _is_of_target(comparison, term):
            return
        terms = list(comparison.terms_behind_other(term))
        calls = [operation for operation in terms if operation.name == "cross_entropy"]
        related = [(operation.anchor, "not the entropy of the target") for operation in (*calls, *terms)[:1]]
        for loss_site in comparison.loss_sites:
            target = loss_site.target
            what = short(terms[0]) if terms and len(terms[0].anchor.text) < 30 else "a term"
            yield Draft(
                loss_site.anchor,
                f"this is compared with cross entropy minus {what}, which is not the entropy of {target.title}: the two differ; "
                f"use {_use(loss_site)}",
                comparison.other_claim(
                    loss_site, "CE minus the term is not KL", _fixed(comparison, calls, cross), rows
                ),
                related=(*related, (site.place.anchor, "side by side")),
                elsewhere=tuple(call.anchor for call in calls),
            )


def _may_be_entropy(term: Key, target: Distribution) -> bool:
    """Whether a term is P log P for all that is known: where the rank is not, dim 1 of the scores may well be their last one."""
    one = term[1]
    if term[0] != target or (one.values, one.normalised) != (target.values, target.normalised):
        return False
    return one.dim == target.dim or any(dim is None or dim >= 0 for dim in (one.dim, target.dim))


def _is_of_target(comparison: Comparison, term: Key) -> bool:
    """Whether a term is one of the target P and of scores that P is made of, or of P itself in their place."""
    scores = {comparison.inference.facts(part).values for part in _behind_target(comparison)}
    return term[0] == (comparison.key or term)[0] and term[1].values in scores


def _behind_target(comparison: Comparison) -> Iterator[Node]:
    queue, seen = [comparison.call.arguments["target"]], set[int]()
    for part in queue:
        if id(part) not in seen:
            seen.add(id(part))
            yield part
            queue.extend(part.operands())


def _use(site: LossSite) -> str:
    """The entropy of the target, as the code may write it where the target has a name."""
    given = argument(site, "target")
    if given is None or not isinstance(given.value, ast.Name) or site.target.facts.rank not in (1, 2):
        return "the entropy of the target, -sum P log P"
    name = given.value.id
    return f"F.cross_entropy({name}, {name}.exp())" if site.log_target else f"F.cross_entropy({name}.log(), {name})"


def _fixed(comparison: Comparison, calls: list[Operation], cross: Key) -> Node | None:
    """The other side with the scores log P in a call that was given others with P; None where no such call is there."""
    for call in calls:
        target = call.arguments["target"]
        facts = comparison.inference.facts(target)
        if facts.distribution == cross[0] and facts.made_by is not None:
            entropy = with_arguments(call, input=apply("log", target, input=target))
            return substituted(comparison.other, call, entropy)
    return None
