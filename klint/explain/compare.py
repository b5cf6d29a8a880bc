"""Values that the code puts side by side, each as a sum of terms over its divisor: why two numbers differ."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from klint.explain import formulas
from klint.explain.model import WAYS, Compared, SideBySide
from klint.explain.names import Names, Voice, behind, bracketed, written
from klint.finding import Location
from klint.graph.nodes import Node, Operation
from klint.source.python import Anchor
from klint.torch_model.comparisons import SHOWING
from klint.torch_model.count import ONE, Count
from klint.torch_model.facts import Distribution, Term
from klint.torch_model.infer import Inference
from klint.torch_model.losses import LOSSES
from klint.torch_model.sites import ComparisonSite, LossSite

Letters = dict[Distribution, tuple[str, str]]
"""The letter of each distribution in a comparison, and what it stands for."""

_LETTERS = "PQRSTUVW"
_NESTED = 4


@dataclass
class _Group:
    """Values that one place shows together: each once, and None in place of one that no loss is behind."""

    place: Operation
    voice: Voice
    seen: dict[int, Node | None] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        """Take in a value."""
        value = self.voice.same_value(node)
        if value.identity not in self.seen:
            is_loss = self.voice.inference.facts(value).rank in (0, None) and any(_losses(value))
            self.seen[value.identity] = value if is_loss else None

    @property
    def values(self) -> list[Node]:
        """The values that come from losses."""
        return [node for node in self.seen.values() if node is not None]


def side_by_side(comparisons: Iterable[ComparisonSite], names: Names, chosen: frozenset[ast.AST]) -> list[SideBySide]:
    """What the values of each comparison are; of those that involve none of the ``chosen`` loss calls, nothing."""
    told: dict[Location, dict[object, SideBySide]] = {}
    for group in sorted(_groups(comparisons, names), key=lambda group: len(group.place.callers)):
        calls = {call.anchor.tree for node in group.values for call in _losses(node)}
        if len(group.values) > 1 and calls & chosen:
            each = _explain(group)
            if len(each.values) > 1:
                told.setdefault(each.location, {}).setdefault((each.symbols, each.values), each)
    return [
        each
        for location in sorted(told, key=lambda place: place.sort_key)
        for each in islice(told[location].values(), WAYS)
    ]


def _groups(comparisons: Iterable[ComparisonSite], names: Names) -> Iterable[_Group]:
    """The values to tell of, taken together where one run of a function shows them."""
    groups: dict[object, _Group] = {}
    for site in comparisons:
        place, key = site.place, _key(site)
        if key is not None:
            group = groups.setdefault(key, _Group(place, Voice(names, site.inference)))
            group.add(site.left)
            group.add(site.right)
    return groups.values()


def _key(site: ComparisonSite) -> object:
    """What two comparisons share whose values belong together; None for values that are not meant to be compared."""
    place = site.place
    if place.name == "sub" and not any(len(_terms(site.inference, node)) > 1 for node in (site.left, site.right)):
        return None  # cross entropy minus entropy: parts of one value
    if place.name == "return":
        values = place.arguments["values"]
        return id(place) if any(site.left is value for value in values.operands()) else None
    if place.name in SHOWING:
        return (place.function, *(id(caller.tree) for caller in place.callers))
    return id(place)


def _explain(group: _Group) -> SideBySide:
    values, place = group.values, group.place
    voice = replace(group.voice, ends=tuple(values))
    letters = _letters(voice, values)
    told: dict[str, Node] = {}
    compared = []
    for node in values:
        anchor = _origin(node, place)
        name, formula = voice.names.bound(anchor) or written(anchor), _formula(voice, node, letters)
        if formula == name:
            continue
        if name in told:
            name = f"{name} at {voice.names.place(anchor)}"
        compared.append(Compared(name, anchor.location.row, formula, _relation(voice, node, told)))
        told[name] = node
    symbols = tuple((letter, text) for letter, text in letters.values() if letter != text)
    called_at = tuple(voice.names.place(caller) for caller in place.callers)
    return SideBySide(place.anchor.location, called_at, symbols, tuple(compared))


def _origin(node: Node, place: Operation) -> Anchor:
    """Where the function that shows a value writes it: the call of another function, where that one computes it."""
    if isinstance(node, Operation) and len(node.callers) > len(place.callers):
        return node.callers[len(node.callers) - len(place.callers) - 1]
    return node.anchor


def _letters(voice: Voice, values: Iterable[Node]) -> Letters:
    """A letter for each distribution of the terms, and what it stands for."""
    texts: dict[Distribution, str] = {}
    for node in behind(*values):
        facts = voice.inference.facts(node)
        if facts.distribution is not None:
            texts.setdefault(facts.distribution, voice.distribution(node))
        if facts.values is not None:
            texts.setdefault(Distribution(facts.values, None, normalised=False), voice.distribution(node))
        if isinstance(node, Operation) and node.name == "cross_entropy":
            for term in facts.terms or ():
                texts.setdefault(term.input, f"softmax({voice.expression(voice.operand(node))})")
    letters: Letters = {}
    for node in values:
        for term in _terms(voice.inference, node):
            for distribution in (term.target, term.input):
                text = texts.get(distribution, "a distribution that has no name")
                letter = _LETTERS[len(letters)] if len(letters) < len(_LETTERS) else text
                letters.setdefault(distribution, (letter, text))
    return letters


def _formula(voice: Voice, node: Node, letters: Letters, nested: int = _NESTED) -> str:
    """A value as a sum of terms over their divisors; where its terms are not known, as what the code adds up."""
    node = voice.same_value(node)
    facts = voice.inference.facts(node)
    terms = _terms(voice.inference, node)
    if terms and nested == _NESTED:
        return _sum(voice, terms, letters)
    if facts.loss is not None:
        return formulas.formula(LossSite(facts.loss.call, voice.inference), voice, facts)
    if isinstance(node, Operation) and node.name in ("add", "sub", "mul", "div") and nested and any(_losses(node)):
        left, right = (_formula(voice, side, letters, nested - 1) for side in tuple(node.arguments.values())[:2])
        if node.name in ("mul", "div"):
            return f"{bracketed(left)} {'*' if node.name == 'mul' else '/'} {bracketed(right)}"
        sign = "+" if (node.name == "add") != right.startswith("-") else "-"
        return f"{left} {sign} {right.removeprefix('-')}"
    return voice.expression(node)


def _sum(voice: Voice, terms: tuple[Term, ...], letters: Letters) -> str:
    """``(sum P log P - sum P log Q) / 4``."""
    sizes = {_size(term.weight) for term in terms}
    common = sizes.pop() if len(sizes) == 1 else ONE
    text = ""
    for term in sorted(terms, key=lambda term: term.weight.factor < 0):
        p, q = letters[term.target][0], letters[term.input][0]
        part = voice.times(f"sum {p} log {q}", _size(term.weight) / common)
        minus = term.weight.factor < 0
        text = f"{text} {'-' if minus else '+'} {part}" if text else f"-{part}" if minus else part
    return voice.times(f"({text})" if len(terms) > 1 and common != ONE else text, common)


def _relation(voice: Voice, node: Node, earlier: dict[str, Node]) -> str:
    """What a value is in terms of the first one before it that has the same terms."""
    weights = _weights(voice, node)
    for name, other in earlier.items():
        known = _weights(voice, other)
        if weights and weights.keys() == known.keys():
            ratios = {weights[key] / known[key] for key in weights}
            if len(ratios) == 1:
                return voice.times(bracketed(name), ratios.pop())
    return ""


def _weights(voice: Voice, node: Node) -> dict[tuple[Distribution, Distribution], Count]:
    return {(term.target, term.input): term.weight for term in _terms(voice.inference, node)}


def _terms(inference: Inference, node: Node) -> tuple[Term, ...]:
    """The terms of a value that is one number; none where they are not known."""
    facts = inference.facts(node)
    return facts.terms or () if facts.rank == 0 else ()


def _size(weight: Count) -> Count:
    """A weight without its sign."""
    return Count(abs(weight.factor), weight.powers)


def _losses(node: Node) -> Iterator[Operation]:
    """The loss calls behind a value."""
    return (each for each in behind(node) if isinstance(each, Operation) and each.name in LOSSES)
