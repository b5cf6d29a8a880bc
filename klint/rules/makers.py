"""The way from where a value is used back to where it is made, and what a fix may change there.

A softmax becomes a log_softmax where it stands if all that is made of it goes to the place that wants it; where others use it too,
a copy as log_softmax takes its place at the use.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from klint.graph.nodes import Constant, Operation
from klint.rules.edits import Arguments, Edits, bracketed, kept, renamed, replaced, rewritten, spelled, text_of
from klint.source.names import names_of
from klint.source.python import SourceUnit, tree_nodes
from klint.torch_model.library import TORCH

_VIEWS = frozenset(
    """
    view reshape flatten unflatten squeeze unsqueeze transpose permute t swapaxes movedim contiguous detach clone expand expand_as
    view_as float double half bfloat16 to cpu cuda
    """.split()
)
"""Methods that show the same numbers: a log may be taken before them as well as after."""

_VIEW_ATTRIBUTES = ("T", "mT", "data")
_LOG_SOFTMAX = ("torch.nn.functional.log_softmax", "torch.log_softmax")
_REPEATABLE = (ast.Constant, ast.BinOp, ast.UnaryOp, ast.Subscript, ast.Slice, ast.Tuple, ast.keyword)
_SYNTAX = (ast.expr_context, ast.operator, ast.unaryop)


@dataclass(frozen=True)
class Path:
    """How a value came to its use. ``is_sole``: nothing else uses it on the way.

    ``name`` is the first name on the way, if what it was assigned is the value itself; ``has_views`` says that its shape may have changed.
    """

    is_sole: bool
    name: ast.Name | None = None
    has_views: bool = False


def path_to(unit: SourceUnit, expression: ast.expr, maker: ast.AST) -> Path | None:
    """The way from an expression to the one that made its value, through views and through names that are bound once."""
    names = names_of(unit)
    is_sole, name, has_views = True, None, False
    seen: set[str] = set()
    while expression is not maker:
        has_views = has_views or not isinstance(expression, (ast.Name, ast.NamedExpr))
        if isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
            if expression.func.attr not in _VIEWS or names.qualified(expression.func) is not None:
                return None
            expression = expression.func.value
        elif isinstance(expression, ast.Subscript) or (
            isinstance(expression, ast.Attribute) and expression.attr in _VIEW_ATTRIBUTES
        ):
            expression = expression.value
        elif isinstance(expression, ast.NamedExpr):
            known = names.definition(expression.target)
            is_sole = is_sole and known is not None and not known.reads
            expression = expression.value
        elif isinstance(expression, ast.Name):
            known = names.definition(expression)
            if known is None or expression.id in seen:  # names that are bound in a circle
                return None
            seen.add(expression.id)
            in_place = isinstance(unit.parents.get(id(known.binder)), ast.NamedExpr)  # its value is used there as well
            is_sole = is_sole and len(known.reads) == 1 and not in_place
            name = expression if name is None and known.value is maker else None
            expression = known.value
        else:
            return None
    return Path(is_sole, name, has_views)


def log_softmax_behind(unit: SourceUnit, expression: ast.expr, softmax: Operation) -> Edits | None:
    """Let an expression hold the log_softmax of what it holds the softmax of, by a change of the softmax or of a copy."""
    if softmax.name != "softmax" or softmax.anchor.unit is not unit:
        return None
    path = path_to(unit, expression, softmax.anchor.tree)
    if path is None:
        return None
    if path.is_sole:
        return _as_log_softmax(unit, softmax)
    copied = _copied(unit, path.name, softmax) if path.name is not None else None
    return None if copied is None or path.name is None else (replaced(unit, path.name, copied),)


def log_softmax_of(unit: SourceUnit, log: Operation, softmax: Operation) -> Edits | None:
    """Write one log_softmax for a log of what a softmax made, whatever small number is added in between."""
    tree = log.anchor.tree
    inner = operand(unit, tree)
    if inner is None or log.anchor.unit is not unit or softmax.anchor.unit is not unit:
        return None
    core = without_epsilon(unit, inner)
    path = path_to(unit, core, softmax.anchor.tree)
    if path is None:
        return None
    if path.is_sole:
        changed, around = _as_log_softmax(unit, softmax), kept(unit, tree, core)
        return None if changed is None or around is None else (*around, *changed)
    copied = _copied(unit, path.name, softmax) if path.name is core and path.name is not None else None
    return None if copied is None else (replaced(unit, tree, copied),)


def undone_behind(unit: SourceUnit, expression: ast.expr, made: Operation) -> Edits | None:
    """Let an expression hold what an operation was applied to, without the operation: ``x`` for ``F.softmax(x, dim=1)``."""
    call = made.anchor.tree
    path = path_to(unit, expression, call) if made.anchor.unit is unit else None
    inner = input_of(unit, call, made) if path is not None else None
    if path is None or inner is None or not isinstance(call, ast.Call):
        return None
    if path.is_sole:
        return kept(unit, call, inner)
    known = names_of(unit).definition(path.name) if path.name is not None else None
    if path.name is None or known is None or not _means_the_same(unit, call, known.binder, path.name):
        return None
    return (replaced(unit, path.name, bracketed(unit, inner)),)


def with_dim(unit: SourceUnit, expression: ast.expr, softmax: Operation, dim: int) -> Edits | None:
    """Let an expression hold what a softmax or log_softmax makes over another dim."""
    call = softmax.anchor.tree
    path = path_to(unit, expression, call) if softmax.anchor.unit is unit else None
    if path is None or path.has_views or not isinstance(call, ast.Call):
        return None
    made = softmax.constructor
    if made is not None:
        constructor, module = made.anchor.tree, TORCH.module(made.name)
        is_own = isinstance(constructor, ast.Call) and made.anchor.unit is unit and _is_call_of(unit, call, constructor)
        if not is_own or module is None or not path.is_sole or reads_of(unit, constructor) != 1:
            return None
        found = Arguments.of(unit, constructor, module.slots)
        return None if found is None else found.set("dim", str(dim))
    found = _arguments_of(unit, call, softmax)
    changed = None if found is None else found.set("dim", str(dim))
    if changed is None or path.is_sole:
        return changed
    known = names_of(unit).definition(path.name) if path.name is not None else None
    if path.name is None or known is None or not _means_the_same(unit, call, known.binder, path.name):
        return None
    return (replaced(unit, path.name, rewritten(unit, call, changed)),)


def scaled_inside(unit: SourceUnit, expression: ast.expr, scaled: ast.AST, softmax: Operation) -> Edits | None:
    """Move a scale into a log_softmax: ``F.log_softmax(x, 1) / T`` becomes ``F.log_softmax(x / T, 1)``."""
    call = softmax.anchor.tree
    path = path_to(unit, expression, scaled) if softmax.anchor.unit is unit else None
    if path is None or not path.is_sole or not isinstance(scaled, ast.BinOp) or scaled.left is not call:
        return None
    sign = {ast.Div: "/", ast.Mult: "*"}.get(type(scaled.op))
    inner, outside = input_of(unit, call, softmax), kept(unit, scaled, call)
    if sign is None or inner is None or outside is None:
        return None
    scale = f"{bracketed(unit, inner)} {sign} {bracketed(unit, scaled.right)}"
    is_receiver = isinstance(unit.parents[id(inner)], ast.Attribute)
    return (replaced(unit, inner, f"({scale})" if is_receiver else scale), *outside)


def operand(unit: SourceUnit, call: ast.AST) -> ast.expr | None:
    """What a call of one tensor is applied to, as a function of torch or as a method: ``x`` of ``torch.log(x)`` and ``x.log()``."""
    if not isinstance(call, ast.Call) or call.keywords:
        return None
    is_function = names_of(unit).qualified(call.func) is not None
    if not call.args and isinstance(call.func, ast.Attribute) and not is_function:
        return call.func.value
    return call.args[0] if is_function and len(call.args) == 1 and not isinstance(call.args[0], ast.Starred) else None


def without_epsilon(unit: SourceUnit, expression: ast.expr) -> ast.expr:
    """What stands under a small number that is added, or under a clamp."""
    inner: ast.expr | None = None
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Add):
        inner = expression.right if isinstance(expression.left, ast.Constant) else expression.left
    elif isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        is_function = names_of(unit).qualified(expression.func) is not None
        if expression.func.attr in ("clamp", "clamp_min", "clip"):
            inner = next(iter(expression.args), None) if is_function else expression.func.value
    return expression if inner is None else without_epsilon(unit, inner)


def name_of(expression: ast.AST) -> str | None:
    """The last name of ``criterion`` or ``self.criterion``."""
    if isinstance(expression, ast.Attribute):
        return expression.attr
    return expression.id if isinstance(expression, ast.Name) else None


def reads_of(unit: SourceUnit, constructor: ast.AST) -> int | None:
    """How often the module that a constructor makes is read; None where that is not sure."""
    parent = unit.parents.get(id(constructor))
    if isinstance(parent, ast.Call) and parent.func is constructor:
        return 1
    target = parent.targets[0] if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else None
    if isinstance(target, ast.Name):
        known = names_of(unit).definition(target)
        return None if known is None else len(known.reads)
    if isinstance(target, ast.Attribute):
        uses = names_of(unit).attribute(target.attr)
        return len(uses.reads) if len(uses.binders) == 1 else None
    return None


def _as_log_softmax(unit: SourceUnit, softmax: Operation) -> Edits | None:
    """Turn a softmax into a log_softmax where it stands: by its function's name, or by its module's."""
    call = softmax.anchor.tree
    if not isinstance(call, ast.Call):
        return None
    made = softmax.constructor
    if made is None:
        return _renamed_function(unit, call, softmax)
    constructor = made.anchor.tree
    if not isinstance(constructor, ast.Call) or made.anchor.unit is not unit:
        return None
    name = names_of(unit).qualified(constructor.func)
    if name is None or TORCH.canonical(name) != "torch.nn.Softmax" or not _is_call_of(unit, call, constructor):
        return None
    if reads_of(unit, constructor) == 1:
        return renamed(unit, constructor, "LogSoftmax", "torch.nn.LogSoftmax")
    written = _functional(unit, call, softmax)
    return None if written is None else (replaced(unit, call, written),)


def _renamed_function(unit: SourceUnit, call: ast.Call, softmax: Operation) -> Edits | None:
    name = names_of(unit).qualified(call.func)
    if name is not None:
        function = TORCH.function(TORCH.canonical(name))
        if function is None or function.operation != "softmax" or not name.endswith(".softmax"):
            return None
        return renamed(unit, call, "log_softmax", name.replace(".softmax", ".log_softmax"), *_LOG_SOFTMAX)
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "softmax":
        return None
    # a method of the tensor, and no function that is kept under that name
    is_method = not names_of(unit).attribute("softmax").binders and len(call.args) <= 1 and "dim" in softmax.arguments
    return renamed(unit, call, "log_softmax") if is_method else None


def _arguments_of(unit: SourceUnit, call: ast.Call, made: Operation) -> Arguments | None:
    """The arguments of a call of a function of torch, or of a tensor's method, which lack ``input``."""
    name = names_of(unit).qualified(call.func)
    if name is not None:
        function = TORCH.function(TORCH.canonical(name))
        is_same = function is not None and function.operation == made.name
        return Arguments.of(unit, call, function.slots) if function is not None and is_same else None
    if not isinstance(call.func, ast.Attribute) or names_of(unit).attribute(call.func.attr).binders:
        return None
    method = TORCH.method(call.func.attr)
    if method is None or method.operation != made.name or "input" in (keyword.arg for keyword in call.keywords):
        return None
    found = Arguments.of(unit, call, method.slots[1:])
    first = found.items[0] if found is not None and found.items else None
    # a function that is kept as an attribute looks the same, but its first argument is a tensor
    is_method = first is None or first.keyword is not None or isinstance(first.value, (ast.Constant, ast.UnaryOp))
    return found if is_method else None


def input_of(unit: SourceUnit, call: ast.AST, made: Operation) -> ast.expr | None:
    """What an operation of one tensor is applied to, as it is written."""
    if not isinstance(call, ast.Call):
        return None
    if made.constructor is not None:
        constructor = made.constructor.anchor.tree
        is_own = isinstance(constructor, ast.Call) and made.constructor.anchor.unit is unit
        found = Arguments.of(unit, call, ("input",))
        if found is None or not is_own or not _is_call_of(unit, call, constructor):
            return None
    else:
        found = _arguments_of(unit, call, made)
    if found is None:
        return None
    if "input" not in found.slots:
        return call.func.value if isinstance(call.func, ast.Attribute) else None
    given = found.find("input")
    return None if given is None else given.value


def _is_call_of(unit: SourceUnit, call: ast.Call, constructor: ast.AST) -> bool:
    """Whether what is called is the module that a constructor makes, and no other that holds it."""
    parent = unit.parents.get(id(constructor))
    if parent is call:
        return call.func is constructor
    target = parent.targets[0] if isinstance(parent, ast.Assign) and len(parent.targets) == 1 else None
    if isinstance(target, ast.Attribute) and isinstance(call.func, ast.Attribute):
        return target.attr == call.func.attr
    return isinstance(target, ast.Name) and isinstance(call.func, ast.Name) and target.id == call.func.id


def _functional(unit: SourceUnit, call: ast.Call, softmax: Operation) -> str | None:
    """The call of a softmax module as a call of the function log_softmax."""
    found, dim = Arguments.of(unit, call, ("input",)), softmax.arguments.get("dim")
    given, name = None if found is None else found.find("input"), spelled(unit, call, *_LOG_SOFTMAX)
    if given is None or name is None or not isinstance(dim, Constant) or not isinstance(dim.value, int):
        return None
    return f"{name}({text_of(unit, given.value)}, dim={dim.value})"


def _copied(unit: SourceUnit, use: ast.Name, softmax: Operation) -> str | None:
    """The log_softmax of what a softmax is applied to, to be written where a name of its result is used."""
    call, known = softmax.anchor.tree, names_of(unit).definition(use)
    if not isinstance(call, ast.Call) or known is None or not _means_the_same(unit, call, known.binder, use):
        return None
    if softmax.constructor is not None:
        return _functional(unit, call, softmax)
    changed = _renamed_function(unit, call, softmax)
    return None if changed is None else rewritten(unit, call, changed)


def _means_the_same(unit: SourceUnit, call: ast.Call, binder: ast.Name, use: ast.AST) -> bool:
    """Whether the arguments of a call have the same values where its result is used, and may be computed once more."""
    names = names_of(unit)
    if not _runs_first(unit, binder, use):
        return False
    start = unit.span(binder)[0]
    for node in tree_nodes(call):
        if isinstance(node, ast.Name):
            bound = names.only_binder(node)
            if bound is None or (isinstance(bound, ast.Name) and unit.span(bound)[0] >= start):
                return False
        elif isinstance(node, ast.Attribute):
            if len(names.attribute(node.attr).binders) > 1:
                return False
        elif node is not call and not isinstance(node, (*_REPEATABLE, *_SYNTAX)):
            return False
    return True


def _runs_first(unit: SourceUnit, binder: ast.AST, use: ast.AST) -> bool:
    """Whether a statement has always run, in the same pass of every loop, when a place after it in its block is reached."""
    statement = next((node for node in unit.above(binder) if isinstance(node, ast.stmt)), binder)
    holder = unit.parents.get(id(statement))
    body = next((body for body in _bodies(holder) if any(other is statement for other in body)), [])
    after = [id(other) for other in body[next((i for i, o in enumerate(body) if o is statement), 0) + 1 :]]
    for above in unit.above(use):
        if id(above) in after:
            return True
        if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            return False
    return False


def _bodies(holder: ast.AST | None) -> list[list[ast.AST]]:
    return [value for _, value in ast.iter_fields(holder) if isinstance(value, list)] if holder is not None else []
