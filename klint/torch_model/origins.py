"""Where the numbers of a loss argument come from: what normalised them, whether they are bounded, whether they are labels.

A space alone does not say: a literal that happens to sum to 1 may be meant as scores, a cosine is a score between -1 and 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from klint.finding import Confidence
from klint.graph.nodes import Choice, Constant, Node, Operation, Parameter, Unknown
from klint.torch_model.facts import Facts, Space
from klint.torch_model.infer import Inference
from klint.torch_model.layers import BOUNDED_ACTIVATIONS
from klint.torch_model.names import names_labels
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

T = Transfer

_BUILT = frozenset({T.LITERAL, T.CREATE, T.ONE_HOT, T.OVERWRITE, T.BERNOULLI, T.COPY})
_SAME_NUMBERS = frozenset({T.KEEP, T.VIEW, T.INDICES, T.CLAMP})
_PICKED = frozenset({T.KEEP, T.VIEW, T.INDEX, T.SELECT, T.ROW, T.ANY_ITEM, T.NEG, T.SPLIT, T.PARAMETER, T.SUM, T.MEAN})
_ARITHMETIC = frozenset({T.ADD, T.SUB, T.MUL, T.DIV})
_FEW = 40
"""How many operations back a value is followed."""


def is_normalised(facts: Facts) -> bool:
    """Whether something was made a distribution over a dim by the code, or is called one: not written out, nor built of constants."""
    if facts.space is not Space.PROBABILITIES:
        return False
    if facts.made_by is None:
        return facts.confidence is Confidence.LIKELY
    return _transfer(facts.made_by) not in _BUILT


def is_squashed(facts: Facts) -> bool:
    """Whether every number went through a sigmoid, or is the exp of what went through a logsigmoid."""
    made = _transfer(facts.made_by)
    return facts.space is Space.ELEMENTWISE and made in (T.SIGMOID, T.EXP)


def is_unbounded(inference: Inference, node: Node) -> bool:
    """Whether scores may be any number, so far as the code shows: the output of a layer, a normal draw, what is computed of them.

    A value of which only the name says that it holds scores counts too.
    """
    queue: list[Node] = [node]
    for one in queue:
        one = inference.resolve(one)
        if len(queue) > _FEW or inference.facts(one).space is not Space.SCORES:
            return False
        made = _transfer(one)
        if not isinstance(one, Operation):
            if not isinstance(one, (Parameter, Unknown)):
                return False
        elif made in _ARITHMETIC or one.name == "matmul":
            queue.extend(operand for operand in one.operands() if not _is_number(inference, operand))
        elif made in _PICKED or (made is T.STAY_SCORES and one.name not in BOUNDED_ACTIVATIONS):
            queue.append(one.arguments["input"])
        elif made not in (T.SCORES, T.CREATE):
            return False
    return True


def _is_number(inference: Inference, node: Node) -> bool:
    """Whether an operand is one number that does not depend on the scores: a constant, a size, a temperature."""
    node, facts = inference.resolve(node), inference.facts(node)
    given = isinstance(node, (Parameter, Unknown)) and facts.rank == 0
    return given or isinstance(node, Constant) or facts.count is not None


def labels(inference: Inference, node: Node, constants: bool) -> tuple[Node, Confidence] | None:
    """What shows that a value holds labels, and how surely: class indices, one-hot rows, zeros and ones, or a name.

    ``constants`` says whether a tensor of zeros or of ones alone counts; as scores it is as good as any.
    """
    root = node
    for root in _same_numbers(inference, node):
        facts = inference.facts(root)
        made = facts.made_by
        filled = constants and facts.fill is not None and facts.fill.value in (0, 1) and not _is_learnt(made)
        shown = _transfer(made) in (T.ONE_HOT, T.BERNOULLI) or facts.space is Space.INDICES or filled
        if isinstance(root, Operation) and (shown or _transfer(root) is T.COMPARE):
            return root, Confidence.PROVEN
    facts = inference.facts(root)
    name = facts.name if isinstance(root, (Parameter, Unknown)) else _key(inference, root)
    return (root, Confidence.LIKELY) if facts.space is Space.UNKNOWN and names_labels(name) else None


def _key(inference: Inference, node: Node) -> str:
    """The name under which a value is taken out of a batch: ``batch["labels"]``."""
    key = inference.value(node, "index") if isinstance(node, Operation) and _transfer(node) is T.INDEX else None
    return key.value if isinstance(key, Constant) and isinstance(key.value, str) else ""


def _is_learnt(made: Node | None) -> bool:
    """Whether a constant is only what something that is learnt begins as."""
    return isinstance(made, Operation) and "requires_grad" in made.arguments


def is_model_output(inference: Inference, node: Node) -> bool:
    """Whether a value is sure to be what a model puts out, and no label: scores of a layer, or what was made of scores."""
    facts = inference.facts(node)
    if facts.confidence is Confidence.LIKELY:
        return False
    made = _transfer(facts.made_by)
    of_scores = facts.is_distribution and made in (T.SOFTMAX, T.LOG_SOFTMAX, T.LOG, T.EXP)
    return of_scores or is_squashed(facts) or is_unbounded(inference, node)


def _same_numbers(inference: Inference, node: Node) -> Iterator[Node]:
    """A value, and what it was before it was given another type or shape, last first."""
    for _ in range(_FEW):
        node = inference.resolve(node)
        yield node
        if _transfer(node) not in _SAME_NUMBERS or not isinstance(node, Operation) or "input" not in node.arguments:
            return
        node = node.arguments["input"]
        if isinstance(inference.resolve(node), Choice):
            return


def _transfer(node: Node | None) -> Transfer | None:
    spec = OPERATIONS.get(node.name) if isinstance(node, Operation) else None
    return None if spec is None else spec.transfer
