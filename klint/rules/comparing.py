"""Comparisons of a KL divergence with another value that is the same sum of P log Q, such as cross entropy minus entropy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from klint.graph.nodes import Constant, Node, Operation
from klint.rules.claims import Claim, Divisor, Effect, Expected
from klint.rules.rewrite import elementwise_dim, per_row, read, with_arguments
from klint.torch_model.count import ONE, Count
from klint.torch_model.facts import Distribution, Facts
from klint.torch_model.infer import Inference
from klint.torch_model.sites import ComparisonSite, LossSite

Key = tuple[Distribution, Distribution]
"""The distributions P and Q of a term P log Q."""

REDUCTIONS = {Divisor.ONE: "sum", Divisor.BATCH: "batchmean", Divisor.NUMEL: "mean"}
"""The reductions that divide by a count whatever the rank."""

_SIZES = ("getitem", "length", "numel", "shape")
_BEHIND = 300
"""How many nodes behind a side are searched."""


@dataclass(frozen=True)
class Comparison:
    """A comparison of which one side, ``kl``, is a KL divergence, and the other one something else."""

    site: ComparisonSite
    kl: Node
    other: Node
    call: Operation

    @classmethod
    def of(cls, site: ComparisonSite) -> Comparison | None:
        """A comparison read as one of a ``kl_div`` call with something else; None where it is not one."""
        calls = [facts.loss.call if facts.loss and facts.loss.call.name == "kl_div" else None for facts in site.sides]
        if calls[0] is not None and calls[1] is None:
            return cls(site, site.left, site.right, calls[0])
        if calls[1] is not None and calls[0] is None:
            return cls(site, site.right, site.left, calls[1])
        return None

    @property
    def inference(self) -> Inference:
        """The world that it is read in."""
        return self.site.inference

    @cached_property
    def kl_facts(self) -> Facts:
        """What is known of the KL side."""
        return self.inference.facts(self.kl)

    @cached_property
    def other_facts(self) -> Facts:
        """What is known of the other side."""
        return self.inference.facts(self.other)

    @property
    def loss_sites(self) -> Iterator[LossSite]:
        """The KL call, and the equal ones of other branches, where findings stand."""
        for call in self.site.equal_calls(self.kl, self.call):
            yield LossSite(call, self.inference)

    @property
    def is_weighed(self) -> bool:
        """Whether the KL side is multiplied by a plain number, and so a term of a loss."""
        reduced = self.kl_facts.loss.reduced if self.kl_facts.loss else ()
        return any(_is_weight(self.inference, node) for operation in reduced for node in operation.operands())

    @cached_property
    def key(self) -> Key | None:
        """The target P and the input Q of the KL divergence, P log P - P log Q; None where it is not known to be one."""
        found = weights(self.kl_facts)
        keys = [key for key in found or () if key[0] != key[1]]
        if found is None or len(found) != 2 or len(keys) != 1 or (keys[0][0], keys[0][0]) not in found:
            return None
        return keys[0]

    @cached_property
    def subtraction(self) -> tuple[Key, Key, Count] | None:
        """The other side as a cross entropy minus some term over the same divisor: the keys of both, and the divisor."""
        found = weights(self.other_facts)
        signs = {weight.factor > 0: (key, weight) for key, weight in (found or {}).items()}
        if found is None or len(found) != 2 or len(signs) != 2:
            return None
        (cross, below), (term, above) = signs[False], signs[True]
        return (cross, term, ONE / above) if above.powers == below.powers and above.factor == -below.factor else None

    def behind_other(self) -> Iterator[Operation]:
        """The operations behind the other side in this world, nearest first."""
        return behind(self.inference, self.other)

    def terms_behind_other(self, key: Key) -> Iterator[Operation]:
        """Those of them whose value is one term."""
        for operation in self.behind_other():
            found = weights(self.inference.facts(operation))
            if found is not None and found.keys() == {key}:
                yield operation

    def other_claim(self, site: LossSite, text: str, fixed: Node | None, rows: Count) -> Claim:
        """The claim that the other side, as written, is not the KL divergence that it is compared with, over its own divisor ``rows``."""
        return kl_value_claim(site, text, Effect.DIFFERS, self.other, fixed, divisor_of(site, rows))


def kl_value_claim(
    site: LossSite, text: str, effect: Effect, as_written: Node, fixed: Node | None, divisor: Divisor | None
) -> Claim:
    """A claim that some value is, or is not, the KL divergence of what a ``kl_div`` call holds."""
    expected = None
    if divisor is not None:
        expected = Expected("kl_div", read(site.input, site), read(site.target, site), divisor)
    return Claim(text, effect, as_written, fixed, expected, choices=dict(site.inference.choices))


def behind(inference: Inference, node: Node) -> Iterator[Operation]:
    """A node and the operations behind it in a world, nearest first."""
    queue, seen = [inference.resolve(node)], set[int]()
    for part in queue:
        if id(part) in seen or len(seen) > _BEHIND:
            continue
        seen.add(id(part))
        if isinstance(part, Operation):
            yield part
        queue.extend(map(inference.resolve, part.operands()))


def weights(facts: Facts) -> dict[Key, Count] | None:
    """The weight of each term of a value that is one number; None where the terms are not known."""
    if not facts.terms or facts.rank != 0:
        return None
    found = {(term.target, term.input): term.weight for term in facts.terms}
    return found if len(found) == len(facts.terms) else None


def ratio(left: Facts, right: Facts) -> Count | None:
    """The one factor between all terms of both sides; None where there is no such factor."""
    first, second = weights(left), weights(right)
    if first is None or second is None or first.keys() != second.keys() or len(first) < 2:
        return None
    ratios = {first[key] / second[key] for key in first}
    return ratios.pop() if len(ratios) == 1 else None


def divisor_in(facts: Facts) -> Count:
    """What every pointwise term of a value has been divided by."""
    weight = facts.terms[0].weight if facts.terms else ONE
    return ONE / Count(abs(weight.factor), weight.powers)


def is_definite(count: Count) -> bool:
    """Whether a ratio cannot happen to be 1: a number, or sizes and a number that push the same way."""
    if count.is_number:
        return True
    up = {power > 0 for _, power in count.powers}
    return (up == {True} and abs(count.factor) >= 1) or (up == {False} and abs(count.factor) <= 1)


def divisor_of(site: LossSite, rows: Count) -> Divisor | None:
    """A count in words, as a divisor of a KL call; None where it is none that a mean divides by."""
    facts = site.input.facts
    if rows == ONE:
        return Divisor.ONE
    if facts.shape is None or facts.numel is None or site.classes is None or not site.classes.factor:
        return Divisor.ROWS
    known = {Divisor.ROWS: facts.numel / site.classes, Divisor.BATCH: facts.size(0), Divisor.NUMEL: facts.numel}
    return next((divisor for divisor, count in known.items() if count == rows), None)


def with_divisor(site: LossSite, wanted: Divisor) -> Operation:
    """The call with another divisor."""
    if wanted is Divisor.ROWS:
        return per_row(site.call, elementwise_dim(site))
    return with_arguments(site.call, reduction=REDUCTIONS[wanted])


def use_for(site: LossSite, wanted: Divisor) -> str:
    """How to write the call with another divisor."""
    if wanted is not Divisor.ROWS:
        return f"reduction={REDUCTIONS[wanted]!r}"
    rank = site.input.facts.rank
    if rank == 1:
        return "reduction='sum'"
    return "reduction='batchmean'" if rank in (2, None) else "reduction='none' with .sum(-1).mean()"


def _is_weight(inference: Inference, node: Node) -> bool:
    """Whether a factor is a plain number that is written out, and so how much a term is meant to weigh, and no size."""
    node = inference.resolve(node)
    count = inference.facts(node).count
    if isinstance(node, Constant):
        return isinstance(node.value, float)
    if not isinstance(node, Operation) or count is None or not count.is_number or node.name in _SIZES:
        return False
    return all(_is_weight(inference, operand) or isinstance(operand, Constant) for operand in node.operands())
