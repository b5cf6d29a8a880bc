"""Graphs built by hand, and one warm worker for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from klint.finding import Confidence, Finding, Location, Severity
from klint.graph.nodes import Choice, Constant, Identities, Node, Operation, Parameter, Reference, Sequence, Unknown
from klint.rules.base import Diagnosis
from klint.rules.claims import Claim, Divisor, Effect, Expected, Reading
from klint.source.python import Anchor, parse_source
from klint.torch_model.facts import Space
from klint.torch_model.operations import OPERATIONS
from klint.verify.sandbox import Sandbox

UNIT = parse_source("site", "site.py")
ANCHOR = Anchor(UNIT, UNIT.tree.body[0])


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

    def parameter(self, name: str, default: Any = None) -> Parameter:
        node = None if default is None else self.node(default)
        return Parameter(ANCHOR, self.identities.fresh(), name, node)

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


def kl_claim(
    as_written: Node,
    fixed: Node,
    input: Node,
    target: Node,
    divisor: Divisor = Divisor.ONE,
    effect: Effect = Effect.DIFFERS,
    spaces: tuple[Space, Space] = (Space.LOG_PROBABILITIES, Space.PROBABILITIES),
    dim: int = -1,
    **more: Any,
) -> Claim:
    """A claim about the KL divergence of two nodes."""
    expected = Expected("kl_div", Reading(input, spaces[0], dim), Reading(target, spaces[1], dim), divisor)
    return Claim("claim", effect, as_written, fixed, expected, **more)


def finding(code: str = "KL000") -> Finding:
    location = Location("site.py", 1, 1, 1, 5)
    return Finding(
        code, "name", "message", Severity.ERROR, Confidence.PROVEN, location, "claim", "https://klint.example", 1
    )


def diagnosis(claim: Claim) -> Diagnosis:
    return Diagnosis(finding(), claim)


@pytest.fixture
def graph() -> Graph:
    return Graph()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running
