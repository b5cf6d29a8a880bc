"""KL112: kl_div of what a sigmoid gives."""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Severity
from klint.graph.nodes import Node, Operation, Sequence
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim, Effect, Reading
from klint.rules.rewrite import apply, constant, difference, kl_claim, substituted, with_arguments, with_reading
from klint.torch_model.facts import Space
from klint.torch_model.sites import LossSite, Slot, keeps_numbers

_SIGMOIDS = frozenset(("sigmoid", "logsigmoid"))
_BOUNDS = frozenset(("clamp", "clamp_min", "clamp_max", "clip"))


class KlElementwiseProbabilities(Rule[LossSite]):
    """`kl_div` is given the output of a sigmoid, which is no distribution over the classes.

    ## What it does

    Finds calls of `F.kl_div` and `nn.KLDivLoss` whose input or target comes from a sigmoid or logsigmoid. Silent where the complement `1 - s` is computed
    as well: the two terms together are the divergence of each pair, as is a stack of both.

    ## Why it is wrong

    A sigmoid gives each number a probability of its own. They do not sum to 1 over the classes, so that the sum over the classes is no divergence:
    it is lacking the terms of `1 - s`. Every term falls as its input rises, whatever the target, and training drives every score to 1: from
    targets around 0.5 and 10 classes the value falls to -3.1 per row and all probabilities end above 0.9999.

    ## Example

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    loss = F.kl_div(F.logsigmoid(student), torch.sigmoid(teacher), reduction="batchmean")
    ```

    ## Use instead

    ```python
    import torch
    import torch.nn.functional as F

    student, teacher = torch.randn(8, 10), torch.randn(8, 10)
    log_q = torch.stack([F.logsigmoid(student), F.logsigmoid(-student)], dim=-1)
    p = torch.sigmoid(teacher)
    loss = F.kl_div(log_q, torch.stack([p, 1 - p], dim=-1), reduction="batchmean")
    ```

    ## References

    - [torch.nn.BCEWithLogitsLoss](https://pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html)
    """

    code = "KL112"
    name = "kl-elementwise-probabilities"
    summary = "kl_div of sigmoid outputs, which do not sum to 1"
    severity = Severity.WARNING
    site = LossSite
    losses = ("kl_div",)

    def check(self, site: LossSite) -> Iterator[Draft]:
        """A slot holds what a sigmoid gives, and nothing makes up for the other half."""
        found = {slot.name: sigmoid for slot in (site.input, site.target) if (sigmoid := _sigmoid(site, slot))}
        if not found or any(_has_complement(site, sigmoid) for sigmoid in found.values()):
            return
        first = site.input if "input" in found else site.target
        other = site.target if first is site.input else site.input
        where = "input and target hold" if len(found) == 2 else f"{first.title} holds"
        instead = "binary_cross_entropy_with_logits, or torch.stack([s, 1 - s], -1) of both"
        if other.facts.is_distribution:
            normalise = "log_softmax" if first is site.input or site.log_target else "softmax"
            instead = f"{normalise}, as on the other side"
        yield Draft(
            site.anchor,
            f"{where} a probability for each number on its own (sigmoid), which do not sum to 1 over the classes: the value goes "
            f"below 0 and its optimum is 1 everywhere; use {instead}",
            _of_scores(site, first, found[first.name]) if other.facts.is_distribution else _of_pairs(site),
            site.confidence,
            tuple((sigmoid.anchor, "the sigmoid is applied here") for sigmoid in found.values()),
        )


def _sigmoid(site: LossSite, slot: Slot) -> Operation | None:
    """The sigmoid behind a slot, seen through logarithms and exponentials."""
    if slot.facts.space not in (Space.ELEMENTWISE, Space.LOG_ELEMENTWISE):
        return None
    maker = slot.maker
    while maker is not None and maker.name in ("log", "exp"):
        made = site.inference.argument(maker, "input").made_by
        maker = made if isinstance(made, Operation) else None
    return maker if maker is not None and maker.name in _SIGMOIDS else None


def _has_complement(site: LossSite, sigmoid: Operation) -> bool:
    """Whether 1 - s is computed too, or the sigmoid of the negated scores: together they are a distribution."""
    scores = sigmoid.arguments["input"]
    beside = _uses(site, scores)
    if any(use.name == "neg" for use in beside):
        return True
    if isinstance(scores, Operation) and scores.name == "neg":
        return any(use.name in _SIGMOIDS for use in _uses(site, scores.arguments["input"]))
    queue = [sigmoid, *(use for use in beside if use.name in _SIGMOIDS and use is not sigmoid)]
    for node in queue:
        for use in _uses(site, node):
            if use.name == "neg" or (use.name == "sub" and use.arguments.get("other") is node):
                return True
            if (keeps_numbers(use) or use.name in _BOUNDS) and use not in queue:
                queue.append(use)
    return False


def _uses(site: LossSite, node: Node) -> list[Operation]:
    return [use for use in site.consumers(node) if isinstance(use, Operation)]


def _of_scores(site: LossSite, slot: Slot, sigmoid: Operation) -> Claim:
    """The site with a softmax in place of the sigmoid, since the other side is a distribution over the classes."""
    other = site.target if slot is site.input else site.input
    dim = -1 if other.facts.dim is None else other.facts.dim
    in_logs = slot is site.input or bool(site.log_target)
    made = slot.maker or sigmoid
    normalised = apply("log_softmax" if in_logs else "softmax", made, input=sigmoid.arguments["input"], dim=dim)
    meant = substituted(slot.node, made, normalised)
    fixed = with_arguments(site.call, **{slot.name: meant})
    claim = kl_claim(site, _TEXT, Effect.DIFFERS, fixed)
    space = Space.LOG_PROBABILITIES if in_logs else Space.PROBABILITIES
    return with_reading(claim, slot.name, Reading(meant, space, dim))


def _of_pairs(site: LossSite) -> Claim:
    """The site with each probability beside its complement."""
    pairs = {slot.name: _pair(slot) for slot in (site.input, site.target)}
    log_q = apply("log", site.input.node, input=pairs["input"])
    fixed = with_arguments(site.call, input=log_q, target=pairs["target"], log_target=False)
    claim = kl_claim(site, _TEXT, Effect.DIFFERS, fixed)
    for name, pair in pairs.items():
        claim = with_reading(claim, name, Reading(pair, Space.PROBABILITIES, -1))
    return claim


def _pair(slot: Slot) -> Operation:
    node = slot.node
    one = apply("exp", node, input=node) if slot.facts.space is Space.LOG_ELEMENTWISE else node
    items = Sequence(node.anchor, -1, "list", (one, difference(constant(1, node), one)))
    return apply("stack", node, tensors=items, dim=-1)


_TEXT = "value falls below 0: the terms of 1 - s are missing"
