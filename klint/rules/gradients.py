"""Which models a gradient of a loss reaches through one of its slots, and what says that it is meant to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from klint.graph.nodes import Choice, Items, Node, Operation, Sequence, Unknown
from klint.source.python import Anchor, SourceUnit, tree_nodes
from klint.torch_model.infer import Inference
from klint.torch_model.operations import OPERATIONS
from klint.torch_model.table import Transfer

T = Transfer

_PASSING = frozenset(
    {
        *(T.SOFTMAX, T.LOG_SOFTMAX, T.SIGMOID, T.LOG_SIGMOID, T.LOG, T.EXP, T.LOGSUMEXP, T.NORMALIZE, T.STAY_SCORES),
        *(T.KEEP, T.VIEW, T.INDEX, T.CLAMP, T.SELECT, T.JOIN, T.SPLIT, T.ROW, T.ANY_ITEM),
        *(T.ADD, T.SUB, T.MUL, T.DIV, T.POW, T.NEG, T.SUM, T.MEAN),
    }
)
"""Operations through which a gradient flows to each tensor that they are given."""

_CUTTING = frozenset({"detach", "data", "variable", "requires_grad_"})
_TENSORS = ("input", "other", "tensors")
_REACH = 500
_FREEZING = re.compile(r"requires_grad_?\b(?!\s*=\s*True|_?\(True\)|_?\(\))|freez|frozen|set_grad_enabled|detach_\b")
"""What says, anywhere in a file, that some parameters are to take no gradient."""


@dataclass(frozen=True)
class ModelCall:
    """A call of something that is learnt, or (``is_known`` False) of something that klint cannot see into."""

    node: Operation | Unknown
    is_known: bool

    @property
    def callers(self) -> tuple[Anchor, ...]:
        """The calls that lead to it, the nearest first."""
        return self.node.callers if isinstance(self.node, Operation) else ()


def reached(inference: Inference, node: Node) -> Iterator[ModelCall]:
    """The models into which a gradient flows from a value, the nearest first."""
    queue, seen = [node], set[int]()
    for one in queue:
        one = inference.resolve(one)
        if id(one) in seen or len(seen) > _REACH:
            continue
        seen.add(id(one))
        if isinstance(one, Operation):
            spec = OPERATIONS.get(one.name)
            if spec is None or not one.grad_enabled or one.name in _CUTTING:
                continue
            if one.constructor is not None and not spec.pure and spec.transfer is T.SCORES:
                yield ModelCall(one, True)
            if spec.transfer in _PASSING:
                queue.extend(one.arguments[slot] for slot in _TENSORS if slot in one.arguments)
        elif isinstance(one, (Sequence, Items)):
            queue.extend(one.operands())
        elif isinstance(one, Unknown) and one.grad_enabled:
            if one.callee is not None:
                yield ModelCall(one, False)
            else:
                queue.extend(one.sources)


def models_behind(inference: Inference, node: Node) -> set[int]:
    """The identities of everything that was called on the way to a value, whether or not a gradient gets there."""
    queue, seen, models = [node], set[int](), set[int]()
    for one in queue:
        one = inference.resolve(one)
        if id(one) in seen or len(seen) > _REACH:
            continue
        seen.add(id(one))
        queue.extend((one.then, one.otherwise) if isinstance(one, Choice) else one.operands())
        callee = one.constructor if isinstance(one, Operation) else one.callee if isinstance(one, Unknown) else None
        if isinstance(one, Unknown):
            queue.extend(one.sources)
        while callee is not None:  # self.model, where self.model.head is called
            models.add(callee.identity)
            owners = callee.sources if isinstance(callee, Unknown) and callee.callee is None else ()
            callee = owners[0] if owners and isinstance(owners[0], Unknown) else None
    return models


def freezes(unit: SourceUnit) -> bool:
    """Whether a file keeps gradients from some parameters."""
    return _FREEZING.search(unit.text) is not None


def function_of(anchor: Anchor) -> ast.AST:
    """The function in which something stands; the module outside of all."""
    for above in anchor.unit.above(anchor.tree):
        if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return above
    return anchor.unit.tree


def takes_gradients_itself(tree: ast.AST) -> bool:
    """Whether a function asks for the gradients of tensors of its choice: ``torch.autograd.grad(loss, x)``."""
    calls = (node.func for node in tree_nodes(tree) if isinstance(node, ast.Call))
    return any(getattr(function, "attr", getattr(function, "id", "")) == "grad" for function in calls)


def is_used_again(anchor: Anchor) -> bool:
    """Whether the value of an expression is bound to names that are read more than once, or to an attribute."""
    for above in anchor.unit.above(anchor.tree):
        if isinstance(above, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            targets = above.targets if isinstance(above, ast.Assign) else [above.target]
            parts = [part for target in targets for part in tree_nodes(target)]
            if any(isinstance(part, (ast.Attribute, ast.Subscript)) for part in parts):
                return True
            names = {part.id for part in parts if isinstance(part, ast.Name)}
            inside = tree_nodes(function_of(anchor))
            reads = [node for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
            return sum(node.id in names for node in reads) > 1
        if isinstance(above, ast.stmt):
            return False
    return False
