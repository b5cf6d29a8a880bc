"""What a slot holds, by which steps it came to hold it, and why that is not known where it is not."""

from __future__ import annotations

import ast

from klint.explain.model import Holding
from klint.explain.names import LONGEST, Voice
from klint.finding import Confidence
from klint.graph.nodes import Choice, Constant, Node, Operation, Parameter, Unknown
from klint.torch_model.facts import Facts, Space
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

STEPS = 8
"""How many steps of a chain are told; the reason at its end always is."""

_REACH = 300
_WRITTEN = (ast.BinOp, ast.UnaryOp, ast.AugAssign, ast.Subscript, ast.Compare)
_MAKES_NUMBERS = (Transfer.LITERAL, Transfer.CREATE, Transfer.INDICES, Transfer.JOIN, Transfer.LOSS, Transfer.ONE_HOT)


def holding(voice: Voice, call: Operation, slot: str, callers_follow: bool = False) -> Holding:
    """What a slot of a call holds; ``callers_follow`` says that the callers of its function are explained as well."""
    node = call.arguments.get(slot)
    if node is None:
        why = "it may be among arguments that klint cannot see" if call.open else "it is not passed"
        return Holding(Space.UNKNOWN.value, (why,), why)
    facts = voice.inference.facts(node)
    steps = _steps(voice, node, callers_follow)
    unknown = steps[-1] if facts.space is Space.UNKNOWN else None
    if len(steps) > STEPS:
        steps = [*steps[: STEPS - 2], "...", steps[-1]]
    return Holding(_holds(voice, facts), tuple(steps), unknown)


def reason(voice: Voice, node: Node, callers_follow: bool = False) -> str:
    """Why a value that is no tensor (a reduction, a flag) is not known."""
    return _steps(voice, node, callers_follow)[-1]


def _holds(voice: Voice, facts: Facts) -> str:
    words = facts.space.value
    if facts.is_distribution:
        words += " over a dim that is not known" if facts.dim is None else f" over dim {facts.dim}"
    if facts.integer and facts.space is not Space.INDICES:
        words += " in whole numbers"
    if facts.confidence is Confidence.LIKELY and facts.space is not Space.UNKNOWN:
        words += " by its name alone"
    if facts.shape is None:
        return words
    return f"{words}, shape ({', '.join(map(voice.count, facts.shape.sizes))})"


def _steps(voice: Voice, node: Node, callers_follow: bool) -> list[str]:
    """The steps from the last one back to a value that nothing is behind, which is described by what it is."""
    steps: list[str] = []
    facts = voice.inference.facts(node)
    is_open = facts.space is Space.UNKNOWN or facts.confidence is Confidence.LIKELY
    for _ in range(_REACH):
        node = voice.inference.resolve(node)
        if not isinstance(node, Operation):
            break
        source = _source(voice, node)
        if source is None:
            steps.append(_made(voice, node))
            if is_open and facts.space is Space.UNKNOWN:
                steps[-1] += f": {_not_followed(voice, node)}"
            return steps
        steps.append(_made(voice, node))
        before, facts = facts, voice.inference.facts(source)
        node = voice.inference.resolve(source)
        if isinstance(node, Operation):
            name = voice.names.value(node)
            space = "" if facts.space in (before.space, Space.UNKNOWN) else facts.space.value
            label = f"{name}: {space}" if name and space else name or space
            if label:
                steps.append(label)
    leaf = _leaf(voice, node, facts)
    if is_open and isinstance(node, Parameter):
        leaf += "; its callers are explained below" if callers_follow else "; its callers are not in sight"
    return [*steps, leaf]


def _source(voice: Voice, operation: Operation) -> Node | None:
    """The operand that decides what an operation's result holds; None where it makes the numbers itself."""
    spec = OPERATIONS.get(operation.name)
    if spec is None or spec.transfer in _MAKES_NUMBERS or spec.transfer is Transfer.SCORES:
        return None
    known = voice.inference.facts(operation).space is not Space.UNKNOWN
    tensors = [
        node
        for node in operation.operands()
        if not isinstance(voice.inference.resolve(node), Constant) and voice.inference.facts(node).root is not None
    ]
    for node in tensors:
        if known or voice.inference.facts(node).space is Space.UNKNOWN:
            return node
    return None


def _made(voice: Voice, operation: Operation) -> str:
    """``log_softmax at row 7``."""
    place = voice.names.place(operation.anchor)
    spec = OPERATIONS.get(operation.name)
    if spec is not None and spec.transfer is Transfer.LITERAL:
        sums = voice.inference.facts(operation).space is Space.PROBABILITIES
        return f"numbers that sum to 1 at {place}" if sums else f"numbers written at {place}"
    if operation.constructor is not None:
        return f"{operation.constructor.name.removeprefix('torch.')} output at {place}"
    text = operation.anchor.text
    is_written = isinstance(operation.anchor.tree, _WRITTEN)
    return f"{text if is_written and len(text) <= LONGEST else operation.name} at {place}"


def _not_followed(voice: Voice, operation: Operation) -> str:
    """Why an operation whose operands are known has a result that is not."""
    spaces = [voice.inference.facts(node).space for node in operation.operands()]
    known = dict.fromkeys(space.value for space in spaces if space is not Space.UNKNOWN)
    if not known:
        return "what its numbers mean is not known"
    return f"klint does not follow what it makes of {' and '.join(known)}"


def _leaf(voice: Voice, node: Node, facts: Facts) -> str:
    """A value that nothing is behind."""
    likely = f"{facts.space.value} by its name, " if facts.confidence is Confidence.LIKELY else ""
    if isinstance(node, Parameter):
        return f"{node.name}: {likely}a parameter of {voice.names.function(node)}"
    if isinstance(node, Unknown):
        name = voice.names.value(node)
        given = name not in (None, node.text) and len(node.text) <= LONGEST
        text = f"{name} = {node.text}" if given else voice.name(node)
        return f"{text}: {likely}{node.why}"
    if isinstance(node, Choice):
        return f"{voice.either(node)}: which one, is decided by {voice.name(node.condition)}"
    return voice.expression(node)
