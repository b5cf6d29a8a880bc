"""Sums of ``weight * P * log Q``: how losses, products of distributions and entropies add up to them."""

from __future__ import annotations

from collections.abc import Iterable

from klint.graph.nodes import Operation
from klint.torch_model.count import ONE, Count
from klint.torch_model.creation import like
from klint.torch_model.facts import Distribution, Facts, Part, Parts, Shape, Space, Term, replace
from klint.torch_model.infer import Inference, reads, unread
from klint.torch_model.spaces import categorical_source
from klint.torch_model.table import Transfer

MINUS = Count.number(-1)

_PARTS = 8
"""Sums of more parts than these are not followed."""


def add_terms(terms: Iterable[Term]) -> tuple[Term, ...]:
    """A sum of terms with those of the same distributions and weight-up-to-a-number taken together."""
    sums: dict[tuple[object, ...], Term] = {}
    for term in terms:
        key = (term.target, term.input, term.weight.powers)
        known = sums.get(key)
        factor = term.weight.factor + (known.weight.factor if known else 0)
        sums[key] = replace(term, weight=Count(factor, term.weight.powers))
    return tuple(term for term in sums.values() if term.weight.factor)


def scaled_terms(terms: tuple[Term, ...] | None, by: Count | None) -> tuple[Term, ...] | None:
    """All terms times a count; None where either is not known."""
    if terms is None or by is None:
        return None
    return tuple(replace(term, weight=term.weight * by) for term in terms)


def distribution_of(facts: Facts) -> Distribution | None:
    """The distribution that a tensor holds: the one it was made as, or the tensor itself where nothing is known of it."""
    if facts.distribution is not None:
        return facts.distribution
    return None if facts.values is None else Distribution(facts.values, None, normalised=False)


def same_positions(left: Facts, right: Facts) -> bool:
    """Whether two tensors are known to have one shape, so that arithmetic pairs number with number."""
    if left.shape is not None and right.shape is not None:
        return left.shape == right.shape
    return left.root is not None and left.root == right.root


def parts_of(facts: Facts) -> tuple[Part, ...]:
    """What the numbers of a tensor are in terms of distributions; nothing where they are not known to be any."""
    if facts.parts is not None:
        return facts.parts.items if facts.parts.values == facts.values else ()
    made = facts.made_by.name if isinstance(facts.made_by, Operation) else ""
    if facts.space is Space.LOG_PROBABILITIES or (facts.space is Space.UNKNOWN and made == "log"):
        return () if facts.distribution is None else (Part(None, facts.distribution, ONE),)
    own = distribution_of(facts) if facts.space is Space.PROBABILITIES else None
    return () if own is None else (Part(own, None, ONE),)


def scaled_parts(result: Facts, source: Facts, by: Count) -> Facts:
    """``result`` as ``source`` times a number."""
    items = tuple(replace(part, weight=part.weight * by) for part in parts_of(source))
    return _made_of(result, items)


def summed_parts(result: Facts, left: Facts, right: Facts, sign: Count) -> Facts:
    """``result`` as the sum of two tensors, or their difference: of logarithms and of products with them."""
    first, second = parts_of(left), parts_of(right)
    if not first or not second or not same_positions(left, right) or left.dim != right.dim:
        return result
    items = (*first, *(replace(part, weight=part.weight * sign) for part in second))
    if any(part.input is None for part in items):
        return result
    return _made_of(result, items)


def multiplied_parts(result: Facts, left: Facts, right: Facts) -> Facts:
    """``result`` as a product: of a distribution, or of any numbers, and logarithms of distributions."""
    first, second = parts_of(left), parts_of(right)
    if bool(first) != bool(second):
        first, second = first or _as_target(left), second or _as_target(right)
    if not first or not second or not same_positions(left, right) or not _same_dim(left, right):
        return result
    items: list[Part] = []
    for one in first:
        for other in second:
            if (one.target and other.target) or (one.input and other.input):
                return result
            weight = one.weight * other.weight
            items.append(Part(one.target or other.target, one.input or other.input, weight))
    return _made_of(result, tuple(items))


def _as_target(facts: Facts) -> tuple[Part, ...]:
    """A tensor of which nothing is known, taken as it is."""
    own = distribution_of(facts) if facts.space is Space.UNKNOWN and facts.parts is None else None
    return () if own is None else (Part(own, None, ONE),)


def _same_dim(left: Facts, right: Facts) -> bool:
    return left.dim is None or right.dim is None or left.dim_from_right(left.dim) == right.dim_from_right(right.dim)


def _made_of(result: Facts, items: tuple[Part, ...]) -> Facts:
    """``result`` with what its numbers are; where all are products, it is a sum of terms as well."""
    if not items or len(items) > _PARTS or result.values is None:
        return result
    terms = None
    if all(part.target and part.input for part in items):
        terms = add_terms(Term(part.target, part.input, part.weight) for part in items if part.target and part.input)
    return replace(result, parts=Parts(result.values, items), terms=terms)


@reads(Transfer.ENTROPY)
def entropy(inference: Inference, node: Operation) -> Facts:
    """``Categorical(...).entropy()`` is -sum P log P over the last dim; ``torch.special.entr`` the same, not yet summed."""
    if node.name == "entr":
        source = inference.argument(node, "input")
        own = distribution_of(source) if source.space in (Space.PROBABILITIES, Space.UNKNOWN) else None
        return _made_of(like(source, node), () if own is None else (Part(own, own, MINUS),))
    result = unread(inference, node)
    source = categorical_source(inference, node)
    if source.shape is not None:
        result = replace(result, shape=Shape(source.shape.sizes[:-1]))
    own = source.distribution if _is_last(inference, node, source) else None
    return result if own is None else replace(result, terms=(Term(own, own, MINUS),))


def _is_last(inference: Inference, node: Operation, source: Facts) -> bool:
    """Whether a Categorical, which normalises its last dim, leaves what it was given the distribution that it was."""
    if not source.is_distribution:
        return True
    wanted = Space.LOG_PROBABILITIES if inference.is_given(node, "logits") else Space.PROBABILITIES
    return source.space is wanted and source.same_dim(source.dim, -1) is True
