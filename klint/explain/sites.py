"""Loss sites in words: each place once, with the ways in which it is reached."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace

from klint.explain import formulas
from klint.explain.model import WAYS, Reduced, SiteExplanation, Way
from klint.explain.names import Names, Voice, behind, bracketed
from klint.explain.slots import holding
from klint.graph.nodes import Choice, Node, Operation
from klint.torch_model.sites import LossSite


def explain_sites(
    losses: Sequence[LossSite], names: Names, row: int | None
) -> tuple[list[SiteExplanation], frozenset[ast.AST]]:
    """Every place that computes a loss, those of other files last; and the trees of the calls that are explained.

    ``row`` narrows them to those whose call, or the constructor of whose module, stands on that line, and to the ways that
    lead to a site from there.
    """
    places: dict[ast.AST, list[LossSite]] = {}
    for site in losses:
        anchors = (site.anchor, site.options.anchor, *site.call.callers)
        if row is None or any(names.covers(anchor, row) for anchor in anchors):
            places.setdefault(site.anchor.tree, []).append(site)
    explained = [_explain(found, names) for found in places.values()]
    explained.sort(key=lambda site: (site.location.filename != names.filename, site.location.sort_key))
    return explained, frozenset(places)


def _explain(found: Sequence[LossSite], names: Names) -> SiteExplanation:
    """One place in its ways, those with the fewest callers first; of ways of which the same is said, the first."""
    place = found[0].anchor.location
    names = names.seen_from(place.filename)
    ways: dict[tuple[object, ...], Way] = {}
    routes = [_route(site) for site in found]
    beginnings = {route[:length] for route in routes for length in range(len(route))}
    for site in sorted(found, key=lambda site: len(site.call.callers)):
        way = _way(site, names, callers_follow=_route(site) in beginnings)
        ways.setdefault(way.content, way)
    told = tuple(ways.values())
    if len(told) == 1:
        told = (replace(told[0], where=()),)
    return SiteExplanation(found[0].loss, place, told[:WAYS], len(told[WAYS:]))


def _route(site: LossSite) -> tuple[ast.AST, ...]:
    """The calls that lead to a site, the nearest first; a longer route with the same beginning comes from a caller."""
    return tuple(caller.tree for caller in site.call.callers)


def _way(site: LossSite, names: Names, callers_follow: bool) -> Way:
    """What a site computes when it is reached in one way and world."""
    voice = Voice(names, site.inference, (site.call, *site.uses()))
    slots = {name: holding(voice, site.call, name, callers_follow) for name in ("input", "target")}
    unknown = [f"{name}: {slot.unknown}" for name, slot in slots.items() if slot.unknown is not None]
    if site.reduction is None:
        unknown.append(f"reduction: {formulas.unknown_reduction(site, voice)}")
    return Way(
        called_at=tuple(names.place(caller) for caller in site.call.callers),
        where=tuple(_where(site, voice)),
        formula=f"loss = {formulas.formula(site, voice, site.facts)}",
        because=formulas.because(site),
        input=slots["input"],
        target=slots["target"],
        reduction=formulas.reduction(site, voice),
        divisor=formulas.divisor(site, voice, site.facts.loss),
        options=formulas.options(site, voice),
        then=tuple(dict.fromkeys(_then(site, voice))),
        unknown=tuple(unknown),
    )


def _where(site: LossSite, voice: Voice) -> Iterator[str]:
    """The conditions of the site's world that can be named."""
    conditions: dict[int, Node] = {}
    for node in behind(site.call):
        if isinstance(node, Choice):
            conditions.setdefault(node.condition.identity, node.condition)
    for identity, condition in conditions.items():
        if identity in site.inference.choices:
            yield _condition(condition, site.inference.choices[identity], voice)


def _condition(condition: Node, holds: bool, voice: Voice) -> str:
    """A condition that holds, or the opposite of one that does not."""
    tree = condition.anchor.tree
    place = voice.names.place(condition.anchor)
    if isinstance(tree, (ast.For, ast.AsyncFor, ast.While)):
        return f"the loop at {place} {'runs' if holds else 'does not run'}"
    if isinstance(tree, ast.ExceptHandler):
        return f"the code before {place} {'raises' if holds else 'does not raise'}"
    if isinstance(tree, ast.pattern):
        return f"the case at {place} {'matches' if holds else 'does not match'}"
    if isinstance(condition, Operation) and condition.name in ("eq", "is"):
        left, right = map(voice.name, condition.arguments.values())
        sign = {("eq", True): "==", ("eq", False): "!=", ("is", True): "is", ("is", False): "is not"}
        return f"{left} {sign[condition.name, holds]} {right}"
    return voice.name(condition) if holds else f"not {bracketed(voice.name(condition))}"


def _then(site: LossSite, voice: Voice) -> Iterator[Reduced]:
    """What the code goes on to make of the loss, to where it reduces it no further."""
    last: dict[int, Operation] = {}
    passed: set[int] = set()
    for operation in site.uses():
        loss = site.inference.facts(operation).loss
        if loss is not None and loss.call is site.call and loss.reduced and loss.reduced[-1] is operation:
            last[id(operation)] = operation
            passed.update(id(step) for step in loss.reduced[:-1])
    for identity, operation in last.items():
        facts = site.inference.facts(operation)
        if identity not in passed and facts.loss is not None:
            by = ", then ".join(_step(step, voice) for step in facts.loss.reduced)
            yield Reduced(by, operation.anchor.location.row, f"loss = {formulas.formula(site, voice, facts)}")


def _step(operation: Operation, voice: Voice) -> str:
    """``mean over dim -1``, ``/ batch``."""
    if operation.name in ("mul", "div"):
        left, right = (voice.inference.facts(node) for node in tuple(operation.arguments.values())[:2])
        other = tuple(operation.arguments.values())[1 if left.loss is not None or right.loss is None else 0]
        return f"{'/' if operation.name == 'div' else '*'} {voice.expression(other)}"
    dims = voice.inference.integers(operation, "dim")
    return operation.name + (f" over dim {', '.join(map(str, dims))}" if dims else "")
