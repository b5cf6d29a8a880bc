"""Graphs built by hand, and one warm worker for all tests of a process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest

from klint.finding import Confidence, Diagnosis, Finding, Location, Severity
from klint.graph.nodes import (
    Choice,
    Constant,
    Identities,
    Items,
    ModuleObject,
    Node,
    Operation,
    Parameter,
    Reference,
    Sequence,
    Unknown,
)
from klint.rules.claims import Claim, Divisor, Effect, Expected, Reading
from klint.source.python import Anchor, parse_source
from klint.torch_model.count import Count
from klint.torch_model.facts import Space
from klint.torch_model.losses import LOSSES
from klint.torch_model.operations import OPERATIONS
from klint.verify import Result, VerifyOptions, verify_diagnoses
from klint.verify.sandbox import Sandbox

UNIT = parse_source("site", "site.py")
ANCHOR = Anchor(UNIT, UNIT.tree.body[0])
SLOTS = ("input", "target")


class Graph:
    """Makes nodes. Python values stand for constants and sequences of them."""

    def __init__(self) -> None:
        self.identities = Identities()

    def node(self, value: Any) -> Node:
        if isinstance(value, Node):
            return value
        if isinstance(value, (list, tuple)):
            items = tuple(self.node(item) for item in value)
            return Sequence(ANCHOR, self.identities.fresh(), type(value).__name__, items)
        return Constant(ANCHOR, self.identities.of("constant", repr(value)), value)

    def call(self, name: str, **arguments: Any) -> Operation:
        nodes = {slot: self.node(value) for slot, value in arguments.items()}
        random = name in OPERATIONS and OPERATIONS[name].random
        key = sorted((slot, node.identity) for slot, node in nodes.items())
        identity = self.identities.fresh() if random else self.identities.of(name, *key)
        return Operation(ANCHOR, identity, name, nodes)

    def module(self, name: str, **options: Any) -> ModuleObject:
        return ModuleObject(ANCHOR, self.identities.fresh(), name, {slot: self.node(n) for slot, n in options.items()})

    def parameter(self, name: str, default: Any = None) -> Parameter:
        node = None if default is None else self.node(default)
        return Parameter(ANCHOR, self.identities.fresh(), name, node)

    def items(self, item: Node) -> Items:
        return Items(ANCHOR, self.identities.fresh(), item)

    def unknown(self, text: str) -> Unknown:
        return Unknown(ANCHOR, self.identities.fresh(), text, "it is free")

    def reference(self, name: str) -> Reference:
        return Reference(ANCHOR, self.identities.of(name), name)

    def choice(self, condition: Node, then: Any, otherwise: Any) -> Choice:
        return Choice(ANCHOR, self.identities.fresh(), condition, self.node(then), self.node(otherwise))

    def tensor(self, data: Any) -> Operation:
        return self.call("tensor", input=data)

    def softmax(self, scores: Node, dim: int = -1) -> Operation:
        return self.call("softmax", input=scores, dim=dim)

    def log_softmax(self, scores: Node, dim: int = -1) -> Operation:
        return self.call("log_softmax", input=scores, dim=dim)

    def kl(self, input: Node, target: Node, reduction: str, **more: Any) -> Operation:
        return self.call("kl_div", input=input, target=target, reduction=reduction, **more)

    def claim(
        self,
        as_written: Node,
        fixed: Node,
        divisor: Divisor = Divisor.ONE,
        effect: Effect = Effect.DIFFERS,
        spaces: tuple[Space, Space] = (Space.LOG_PROBABILITIES, Space.PROBABILITIES),
        dim: int = -1,
        **more: Any,
    ) -> Claim:
        """A claim about a call of a loss, whose own operands are read as ``spaces``."""
        call = as_written
        while isinstance(call, Operation) and call.name not in LOSSES:
            call = call.arguments["input"]
        assert isinstance(call, Operation)
        input, target = (Reading(call.arguments[slot], space, dim) for slot, space in zip(SLOTS, spaces, strict=True))
        return Claim("claim", effect, as_written, fixed, Expected(call.name, input, target, divisor), **more)

    def diagnosis(self, claim: Claim) -> Diagnosis:
        location = Location("site.py", 1, 1, 1, 5)
        error, proven = Severity.ERROR, Confidence.PROVEN
        return Diagnosis(Finding("KL000", "name", "message", error, proven, location, "claim", "https://k", 1), claim)


@pytest.fixture
def graph() -> Graph:
    return Graph()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def verify(graph: Graph, sandbox: Sandbox) -> Callable[..., Result]:
    """The result of one claim; options by name."""

    def run(claim: Claim, **options: Any) -> Result:
        report = verify_diagnoses([graph.diagnosis(claim)], VerifyOptions(**{"device": "cpu", **options}), sandbox)
        return report.results[0]

    return run


@pytest.fixture
def forum_thread(graph: Graph) -> Claim:
    """The claim of KL301 on the forum thread: 'batchmean' of a 1-D input against a target of shape (1, 4)."""
    logits, other = graph.tensor([0.1, 0.2, 0.4, 0.3]), graph.tensor([[0.7, 0.1, 0.1, 0.1]])
    log_p, q = graph.log_softmax(logits), graph.softmax(other)
    cross_entropy = graph.call("cross_entropy", input=graph.call("unsqueeze", input=logits, dim=0), target=q)
    entropy = graph.call("cross_entropy", input=other, target=q)
    return graph.claim(
        graph.kl(log_p, q, "batchmean"),
        graph.kl(log_p, q, "sum"),
        Divisor.ROWS,
        Effect.RATIO,
        ratio=Count.number(Fraction(1, 4)),
        counterpart=graph.call("sub", input=cross_entropy, other=entropy),
    )
