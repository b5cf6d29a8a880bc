"""From a parsed module to its findings: build the graph, read the facts in each world, ask the rules."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, islice
from typing import Any

from klint.finding import Confidence, Diagnosis, Location
from klint.graph.build import Graph, build
from klint.graph.nodes import Choice, ModuleObject, Node, Operation, Parameter
from klint.graph.project import Project
from klint.rules.base import Draft, Rule
from klint.rules.claims import Claim
from klint.rules.conditions import Conditions, Reader
from klint.rules.reach import Consumers, bare, flat, merged, rests_on_parameter
from klint.source.python import SourceUnit
from klint.torch_model.comparisons import COMPARING, SHOWING
from klint.torch_model.evidence import evidence
from klint.torch_model.library import TORCH
from klint.torch_model.losses import LOSSES, names_loss
from klint.torch_model.readers import Inference
from klint.torch_model.sites import ComparisonSite, LossSite, OptionsSite, Readings

COMPARED = 40
"""How many shown values of one function are compared pair by pair."""

_STACK = 6_000


@dataclass
class Analysis:
    """What klint made of one module: its diagnoses, how many loss sites it saw, and how many of them it understood.

    ``wrappers`` are the functions and classes whose callers decide what a site in them computes; ``units`` the modules, by file
    name, in which the diagnoses stand.
    """

    diagnoses: list[Diagnosis] = field(default_factory=list)
    sites: int = 0
    understood: int = 0
    wrappers: frozenset[str] = frozenset()
    units: dict[str, SourceUnit] = field(default_factory=dict)


def diagnose(
    unit: SourceUnit,
    rules: Sequence[Rule[Any]],
    project: Project | None = None,
    wanted: frozenset[str] = frozenset(),
) -> Analysis:
    """Judge every loss site of a module by ``rules``, and those of the project that it calls. The code is read, never run.

    With names that are ``wanted``, it is judged how the module calls them. Not all callers of its own functions are seen then: what is
    likely of a loss of its own is left to the judgement of the module itself.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _STACK))
    try:
        return _Engine(
            build(unit, TORCH, project, wanted), rules, unit if wanted and names_loss(unit.text) else None
        ).run()
    finally:
        sys.setrecursionlimit(limit)


class _Engine:
    """Judges the sites of one graph."""

    def __init__(self, graph: Graph, rules: Sequence[Rule[Any]], caller: SourceUnit | None = None) -> None:
        self.graph = graph
        self.caller = caller
        self.loss_rules = _by_loss(rules, LossSite)
        self.options_rules = _by_loss(rules, OptionsSite)
        self.comparison_rules = [rule for rule in rules if rule.site is ComparisonSite]
        self.reader = Reader(evidence(graph.operations))
        self.conditions: dict[int, Conditions] = {}
        self.merged = merged(graph)
        self.consumers = Consumers(graph)

    def run(self) -> Analysis:
        analysis = Analysis()
        drafts: list[tuple[Rule[Any], Draft, Operation]] = []
        places: dict[int, list[Operation]] = {}
        for operation in self.graph.operations:
            if operation.name in LOSSES:
                places.setdefault(id(operation.anchor.tree), []).append(operation)
        beside: dict[tuple[str, str], list[tuple[Operation, ...]]] = {}
        for calls in places.values():
            beside.setdefault(_function(calls[0]), []).append(tuple(calls))
        for calls in places.values():
            readings = Readings(tuple(calls), beside[_function(calls[0])])
            analysis.sites += 1
            analysis.understood += any(map(self._is_understood, calls))
            drafts.extend(_agreed([self._judge_call(call, readings) for call in calls], calls))
        for calls in self._criteria.values():
            drafts.extend(_agreed([self._judge_options(call) for call in calls], calls))
        compared = {loss for rule in self.comparison_rules for loss in rule.losses or LOSSES}
        for operation, pair in self._comparisons(compared):
            drafts.extend((rule, draft, operation) for rule, draft in self._judge_pair(operation, *pair))
        analysis.diagnoses = _diagnoses([made for made in drafts if self._is_sure(made[1], made[2])])
        analysis.wrappers = frozenset(self._wrappers(places.values()))
        analysis.units = {draft.anchor.unit.filename: draft.anchor.unit for _, draft, _ in drafts}
        return analysis

    def _is_sure(self, draft: Draft, call: Operation) -> bool:
        return draft.confidence is Confidence.PROVEN or call.anchor.unit is not self.caller

    def _wrappers(self, places: Iterable[list[Operation]]) -> Iterator[str]:
        """The functions, and the classes for methods, from whose parameters a loss call takes what it is given."""
        for calls in places:
            for call in calls:
                if not call.callers and call.function and rests_on_parameter(call):
                    yield call.function.partition(".")[0]
        for made in self.graph.objects:
            if made.function and _is_loss_module(made) and not made.callers:
                yield made.function.partition(".")[0]

    # One site in all its worlds.

    def readings(self, call: Operation) -> Iterator[Inference]:
        """A loss call in each of its worlds, whose conditions are looked for once."""
        conditions = self.conditions.get(id(call))
        if conditions is None:
            conditions = self.conditions[id(call)] = self.reader.conditions((call,), call.path)
        return self.reader.read(conditions)

    def _is_understood(self, call: Operation) -> bool:
        """Whether what a loss is given is known in every world."""
        return all(LossSite(call, inference).is_understood for inference in self.readings(call))

    def _judge_call(self, call: Operation, readings: Readings) -> list[tuple[Rule[Any], Draft]]:
        sites = (LossSite(call, inference, self.consumers, readings) for inference in self.readings(call))
        return _in_all(_asked(self.loss_rules[call.name], site) for site in sites)

    @cached_property
    def _criteria(self) -> dict[int, list[Operation]]:
        """By the place of the source, where options of a loss stand: functional calls, and modules as called with tensors unknown."""
        criteria: dict[int, list[Operation]] = {}
        calls = [operation for operation in self.graph.operations if operation.name in LOSSES]
        functional = [call for call in calls if call.constructor is None]
        for call in (*functional, *map(self._called, filter(_is_loss_module, self.graph.objects))):
            criteria.setdefault(id(call.anchor.tree), []).append(call)
        return criteria

    def _called(self, made: ModuleObject) -> Operation:
        """A call of a loss module where it is made."""
        module = TORCH.module(made.name)
        assert module is not None  # it is one of the table's losses
        assert module.call is not None
        tensors = {slot: Parameter(made.anchor, self.graph.identities.fresh(), slot) for slot in module.call.slots}
        return Operation(
            made.anchor,
            self.graph.identities.fresh(),
            module.call.operation,
            {**tensors, **made.options},
            made.open,
            made,
            made.path,
            made.callers,
            made.function,
        )

    def _judge_options(self, call: Operation) -> list[tuple[Rule[Any], Draft]]:
        sites = (OptionsSite(call, inference, self.consumers) for inference in self.readings(call))
        return _in_all(_asked(self.options_rules[call.name], site) for site in sites)

    def _judge_pair(self, place: Operation, left: Node, right: Node) -> list[tuple[Rule[Any], Draft]]:
        readings = self.reader.read(self.reader.conditions((left, right), place.path))
        sites = (ComparisonSite(left, right, place, inference, self.merged) for inference in readings)
        return _in_all(_asked(self.comparison_rules, site) for site in sites)

    # Values that the code puts side by side.

    def _comparisons(self, losses: Container[str] = LOSSES) -> Iterator[tuple[Operation, tuple[Node, Node]]]:
        """The pairs of values behind one of which there is one of some losses: most that code compares have none, and are settled by this."""
        after = self.consumers.after(losses)
        if not after:
            return
        shown: dict[tuple[object, ...], list[tuple[Operation, Node]]] = {}
        for operation in self.graph.operations:
            if operation.name in COMPARING and len(operation.arguments) >= 2:
                first, second, *_ = operation.arguments.values()
                pair = (bare(first), bare(second))
                if any(id(value) in after for value in pair):
                    yield operation, pair
            elif operation.name in SHOWING:
                where = (operation.function, *(id(caller.tree) for caller in operation.callers))
                values = operation.arguments.get("values")
                for value in flat(values) if values is not None else ():
                    if isinstance(value, (Operation, Choice)):
                        shown.setdefault(where, []).append((operation, value))
        for values_shown in shown.values():
            for (_, left), (place, right) in combinations(values_shown[:COMPARED], 2):
                if id(left) in after or id(right) in after:
                    yield place, (left, right)


def _function(call: Operation) -> tuple[str, str]:
    return call.anchor.unit.filename, call.function


def _is_loss_module(made: ModuleObject) -> bool:
    module = TORCH.module(made.name)
    return module is not None and module.call is not None and module.call.operation in LOSSES


def _by_loss(rules: Sequence[Rule[Any]], site: type) -> dict[str, list[Rule[Any]]]:
    """The rules that are asked of one kind of site, by the loss that stands there."""
    own = [rule for rule in rules if rule.site is site]
    return {loss: [rule for rule in own if not rule.losses or loss in rule.losses] for loss in LOSSES}


def _asked(rules: Iterable[Rule[Any]], site: LossSite | ComparisonSite) -> list[tuple[Rule[Any], Draft]]:
    """What rules say of a site in one world, which their claims know."""
    return [(rule, _in_world(draft, site.inference)) for rule in rules for draft in rule.check(site)]


def _in_world(draft: Draft, inference: Inference) -> Draft:
    return draft if draft.claim is None else replace(draft, claim=replace(draft.claim, world=inference))


def _in_all(judged: Iterable[list[tuple[Rule[Any], Draft]]]) -> list[tuple[Rule[Any], Draft]]:
    """The drafts whose codes every world reports, from the world with the fewest others: there is least else that is wrong.

    Worlds are judged one after the other, up to the first with which no code is left: as a rule that is the very first.
    """
    worlds: list[list[tuple[Rule[Any], Draft]]] = []
    codes: set[str] = set()
    for found in judged:
        here = {rule.code for rule, _ in found}
        codes = codes & here if worlds else here
        if not codes:
            return []
        worlds.append(found)
    if not worlds:
        return []
    world = min(worlds, key=lambda world: len({rule.code for rule, _ in world} - codes))
    replaced = {code for rule, _ in world for code in rule.replaces}
    beside = tuple((r.code, draft.claim) for r, draft in world if draft.claim is not None and r.code not in replaced)
    return [(rule, _beside(draft, beside)) for rule, draft in world if rule.code in codes]


def _beside(draft: Draft, claims: tuple[tuple[str, Claim], ...]) -> Draft:
    """A draft whose claim knows all that is found in its world."""
    return draft if draft.claim is None else replace(draft, claim=replace(draft.claim, beside=claims))


def _agreed(
    judged: list[list[tuple[Rule[Any], Draft]]], calls: list[Operation]
) -> Iterator[tuple[Rule[Any], Draft, Operation]]:
    """One place, judged for every way that leads to it: a proven finding stands; a likely one only if no caller refutes it."""
    everywhere = set.intersection(*({rule.code for rule, _ in found} for found in judged))
    reported: set[tuple[str, Location]] = set()
    for found, call in sorted(zip(judged, calls, strict=True), key=lambda pair: len(pair[1].callers)):
        for rule, draft in found:
            stands = draft.confidence is Confidence.PROVEN or rule.code in everywhere
            if stands and (rule.code, draft.anchor.location) not in reported:
                yield rule, draft, call
        proven = (pair for pair in found if pair[1].confidence is Confidence.PROVEN)
        reported |= {(rule.code, draft.anchor.location) for rule, draft in proven}


def _diagnoses(drafts: list[tuple[Rule[Any], Draft, Operation]]) -> list[Diagnosis]:
    """Drafts as findings: one a code and place, less those that another one replaces, in order."""
    found: dict[tuple[object, str], Diagnosis] = {}
    replaced = {
        (anchor.location, code)
        for rule, draft, _ in drafts
        for code in rule.replaces
        for anchor in (draft.anchor, *draft.elsewhere)
    }
    for rule, draft, operation in drafts:
        key = (draft.anchor.location, rule.code)
        if key in found or key in replaced:
            continue
        found[key] = rule.diagnosis(draft, operation.callers)
    return sorted(found.values(), key=lambda diagnosis: diagnosis.finding.sort_key)


def sites(unit: SourceUnit, project: Project | None = None) -> tuple[list[LossSite], list[ComparisonSite]]:
    """What a module computes, judged by no rule.

    Its loss sites, and those of the project that it calls, each in every way and world in which it is reached; and its
    comparisons, each in one world.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _STACK))
    try:
        engine = _Engine(build(unit, TORCH, project), ())
        losses = [
            LossSite(call, inference, engine.consumers)
            for call in engine.graph.operations
            if call.name in LOSSES
            for inference in engine.readings(call)
        ]
        comparisons = [
            ComparisonSite(left, right, place, inference)
            for place, (left, right) in engine._comparisons()
            for inference in islice(engine.reader.read(engine.reader.conditions((left, right), place.path)), 1)
        ]
        return losses, comparisons
    finally:
        sys.setrecursionlimit(limit)
