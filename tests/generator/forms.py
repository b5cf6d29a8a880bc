"""Forms of Python: the ways in which code comes by a value, by a function or by an object.

``through`` writes an operation on some operands in one of them, ``hold`` keeps an object (a module, a partial) in some place.
Both may be given a decoy: what the code would have if another branch were taken, another entry were read.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.generator.writer import Writer, words

Operation = Callable[..., str]
"""From the texts of operands to an expression."""

Form = Callable[[Writer, Operation, tuple[str, ...], Operation], str]

DEEPEST = 3
"""How many bodies deep forms nest."""


def through(writer: Writer, operation: Operation, *operands: str, decoy: Operation | None = None) -> str:
    """The text of ``operation`` on ``operands``, reached through some form; statements that it needs are written before."""
    decoy = decoy or operation
    uses = words([each(*("it" for _ in operands)) for each in (operation, decoy)])
    forms = SIMPLE if writer.depth >= DEEPEST or writer.chance(0.4) else FORMS
    if forms is FORMS and "self" not in uses:  # a class has a self of its own
        forms = FORMS | CLASSES
    return writer.pick(forms)(writer, operation, operands, decoy)


def hold(writer: Writer, text: str, decoy: str = "None", module: bool = False) -> str:
    """An expression for an object that is made once and kept in some place; some places only take modules of torch."""
    return writer.pick(PLACES | MODULE_PLACES if module else PLACES)(writer, text, decoy)


# Straight code.


def _inline(_: Writer, operation: Operation, operands: tuple[str, ...], __: Operation) -> str:
    return operation(*operands)


def _variable(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    return w.bind(operation(*operands))


def _annotated(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    name = w.own(w.fresh("result"))
    w.emit(f"{name}: {w.torch('Tensor')} = {operation(*operands)}")
    return name


def _walrus(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    name = w.own(w.fresh("seen"))
    w.emit(f"if ({name} := {operation(*operands)}) is None:", "    raise ValueError('no tensor')")
    return name


def _walrus_inline(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    return f"({w.own(w.fresh('seen'))} := {operation(*operands)})"


def _bound_before(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name = w.bind(decoy(*operands))
    w.emit(f"{name} = {operation(*operands)}")
    return name


def _bound_onto_itself(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    first = w.bind(operands[0])
    w.emit(f"{first} = {operation(first, *operands[1:])}")
    return first


def _aliased(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    first = w.bind(operation(*operands))
    second = w.bind(first)
    w.emit(f"{first} = {decoy(*operands)}")
    return second


def _unpacked(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name, other = w.own(w.fresh("out")), w.own(w.fresh("rest"))
    pair = [(name, operation(*operands)), (other, decoy(*operands))]
    w.random.shuffle(pair)
    left, right = ", ".join(n for n, _ in pair), ", ".join(text for _, text in pair)
    w.emit(w.choose(f"{left} = {right}", f"({left}) = ({right})", f"[{left}] = [{right}]"))
    return name


def _starred(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name, rest = w.own(w.fresh("out")), w.own(w.fresh("rest"))
    good, bad = operation(*operands), decoy(*operands)
    w.emit(w.choose(f"{name}, *{rest} = {good}, {bad}, {bad}", f"*{rest}, {name} = {bad}, {bad}, {good}"))
    return name


def _swapped(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    first, second = w.bind(decoy(*operands)), w.bind(operation(*operands))
    w.emit(f"{first}, {second} = {second}, {first}")
    return first


def _deleted(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    other = w.bind(decoy(*operands))
    name = w.bind(operation(*operands))
    w.emit(f"del {other}")
    return name


# Containers and objects.


def _dict_entry(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    good, bad = operation(*operands), decoy(*operands)
    text = w.choose(f'{{"x": {bad}, "q": {good}}}', f"dict(q={good}, x={bad})", f'{{**{{"x": {bad}}}, "q": {good}}}')
    return w.bind(text, "batch") + w.choose('["q"]', '.get("q")', '.get("q", None)')


def _dict_assigned(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name = w.bind(w.choose("{}", f'{{"q": {decoy(*operands)}}}'), "batch")
    w.emit(f'{name}["q"] = {operation(*operands)}')
    return f'{name}["q"]'


def _list_item(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    good, bad = operation(*operands), decoy(*operands)
    text, index = w.choose((f"[{good}, {bad}]", 0), (f"({bad}, {good})", 1), (f"[{bad}, {bad}, {good}]", -1))
    return f"{w.bind(text, 'items')}[{index}]"


def _appended(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    name = w.bind("[]", "history")
    w.emit(f"{name}.append({operation(*operands)})")
    return f"{name}[{w.choose(0, -1)}]"


def _comprehension(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    first, *rest = map(w.name, operands)
    item = w.fresh("item")
    return w.bind(f"[{operation(item, *rest)} for {item} in ({first},)]", "items") + "[0]"


def _next_of_generator(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    first, *rest = map(w.name, operands)
    item = w.fresh("item")
    return f"next({operation(item, *rest)} for {item} in [{first}])"


def _attribute(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    if "self" in w.scopes[-1]:
        name = f"self.{w.fresh('cache')}"
    else:
        cls = w.fresh("State")
        with w.scope(f"class {cls}:"):
            w.emit('"""What a step leaves behind."""')
        name = f"{w.bind(f'{cls}()', 'state')}.q"
    w.emit(f"{name} = {operation(*operands)}")
    return w.choose(name, f'getattr({name.partition(".")[0]}, "{name.partition(".")[2]}")')


def _dataclass(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    w.needs("from dataclasses import dataclass")
    operands = tuple(map(w.name, operands))
    cls = w.fresh("Batch")
    with w.scope(f"@dataclass\nclass {cls}:"):
        w.emit(f"x: {w.torch('Tensor')}", f"q: {w.torch('Tensor')}")
    good, bad = operation(*operands), decoy(*operands)
    return w.bind(w.choose(f"{cls}({bad}, {good})", f"{cls}(q={good}, x={bad})"), "batch") + ".q"


# Control flow.


def _conditional(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    good, bad = operation(*operands), decoy(*operands)
    on, off = w.constant("ENABLED", "True"), w.constant("LEGACY", "False")
    test, first, second = w.choose(
        (on, good, bad), (off, bad, good), (f"not {off}", good, bad), (f"{on} and not {off}", good, bad)
    )
    return w.bind(f"{first} if {test} else {second}")


def _branch(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    mode = w.constant("MODE", '"train"')
    name = w.own(w.fresh("out"))
    first, second = operation(*operands), decoy(*operands)
    test = w.choose(f'{mode} == "train"', f'{mode} != "eval"', f'{mode} in ("train", "tune")')
    with w.indented(f"if {test}:"):
        w.emit(f"{name} = {first}")
    with w.indented("else:"):
        w.emit(f"{name} = {second}")
    return name


def _overwritten_by_branch(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name = w.bind(decoy(*operands))
    with w.indented(f"if {w.constant('ENABLED', 'True')}:"):
        w.emit(f"{name} = {operation(*operands)}")
    return name


def _free_branch(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    """A branch on a flag that callers set: both happen."""
    if w.flag is None:
        return _branch(w, operation, operands, decoy)
    operands = tuple(map(w.name, operands))
    good, bad = operation(*operands), decoy(*operands)
    if w.chance(0.4):
        return w.bind(f"{good} if {w.flag} else {bad}")
    name = w.own(w.fresh("out"))
    with w.indented(f"if {w.flag}:"):
        w.emit(f"{name} = {good}")
    with w.indented("else:"):
        w.emit(f"{name} = {bad}")
    return name


def _free_overwrite(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    if w.flag is None:
        return _overwritten_by_branch(w, operation, operands, decoy)
    operands = tuple(map(w.name, operands))
    name = w.bind(decoy(*operands))
    with w.indented(f"if {w.choose(w.flag, f'not {w.flag}')}:"):
        w.emit(f"{name} = {operation(*operands)}")
    return name


def _same_in_both_branches(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    test = w.flag or f"{w.torch('rand')}(1).item() > 0.5"
    operands = tuple(map(w.name, operands))
    name = w.own(w.fresh("out"))
    with w.indented(f"if {test}:"):
        w.emit(f"{name} = {operation(*operands)}")
    with w.indented("else:"):
        w.emit(f"{name} = {operation(*operands)}")
    return name


def _loop(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name = w.own(w.fresh("out"))
    with w.indented(f"for _ in range({w.choose(1, 2)}):"):
        w.emit(f"{name} = {operation(*operands)}")
    return name


def _loop_over_items(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    first, *rest = map(w.name, operands)
    item, name = w.own(w.fresh("item")), w.own(w.fresh("out"))
    header = w.choose(
        f"for {item} in [{first}, {first}]:",
        f"for _, {item} in enumerate([{first}]):",
        f"for {item}, _ in zip([{first}], range(3)):",
        f"for {item}, _ in [({first}, 0)]:",
    )
    with w.indented(header):
        w.emit(f"{name} = {operation(item, *rest)}")
    return name


def _while(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name = w.own(w.fresh("out"))
    with w.indented("while True:"):
        w.emit(f"{name} = {operation(*operands)}", "break")
    return name


def _tried(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name = w.own(w.fresh("out"))
    with w.indented("try:"):
        w.emit(f"{name} = {operation(*operands)}")
    w.emit("except RuntimeError:", "    raise")
    if w.chance(0.3):
        w.emit("finally:", "    pass")
    return name


def _under_no_grad(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name = w.own(w.fresh("out"))
    with w.indented(f"with {w.torch('no_grad')}():"):
        w.emit(f"{name} = {operation(*operands)}")
    return name


# Functions.


def _arguments(w: Writer, name: str, parameters: list[str], operands: tuple[str, ...]) -> str:
    """A call of a function of the program in one of the styles of Python."""
    pairs = [f"{parameter}={operand}" for parameter, operand in zip(parameters, operands, strict=True)]
    listed = ", ".join(operands)
    style = w.pick({style: style for style in ("positional", "keywords", "** of a dict", "* of a tuple", "partial")})
    if style == "keywords":
        return f"{name}({', '.join(w.random.sample(pairs, len(pairs)))})"
    if style == "** of a dict":
        entries = ", ".join(f'"{p}": {operand}' for p, operand in zip(parameters, operands, strict=True))
        return f"{name}(**{w.bind(f'{{{entries}}}', 'kwargs')})"
    if style == "* of a tuple":
        return f"{name}(*{w.bind(f'({listed},)', 'args')})" if w.chance(0.5) else f"{name}(*[{listed}])"
    if style == "partial":
        w.needs("from functools import partial")
        held = w.bind(f"partial({name}, {pairs[-1]})", "bound")
        return f"{held}({', '.join(operands[:-1])})"
    return f"{name}({listed})"


def _parameters(w: Writer, operands: tuple[str, ...]) -> list[str]:
    return [w.fresh(w.choose("a", "b", "x_in", "data")) for _ in operands]


def _helper(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    parameters, name = _parameters(w, operands), w.fresh(w.choose("compute", "prepare", "apply_fn"))
    decorator = w.choose("", "", "", f"@{w.torch('no_grad')}()\n")
    with w.scope(f"{decorator}def {name}({', '.join(parameters)}):", *parameters):
        if w.chance(0.3):
            w.emit('"""A small step of the program."""')
        w.emit(f"return {through(w, operation, *parameters, decoy=decoy)}")
    return _arguments(w, name, parameters, operands)


def _typed_helper(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    parameters, name, tensor = _parameters(w, operands), w.fresh("compute"), w.torch("Tensor")
    typed = ", ".join(f"{parameter}: {tensor}" for parameter in parameters)
    with w.scope(f"def {name}({typed}, scale: float = 1.0, *, dim: int = -1) -> {tensor}:", *parameters):
        w.emit(f"return {operation(*parameters)}")
    return _arguments(w, name, parameters, operands)


def _flagged_helper(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    """One function, two branches, a literal flag at each call."""
    operands = tuple(map(w.name, operands))
    parameters, name, flag = _parameters(w, operands), w.fresh("choose_fn"), w.fresh("log")
    default = w.choose("", "=True", "=False")
    with w.scope(f"def {name}({', '.join(parameters)}, {flag}{default}):", *parameters, flag):
        with w.indented(f"if {flag}:"):
            w.emit(f"return {operation(*parameters)}")
        if w.chance(0.5):
            w.emit(f"return {decoy(*parameters)}")
        else:
            with w.indented("else:"):
                w.emit(f"return {decoy(*parameters)}")
    call = f"{name}({', '.join(operands)}"
    w.emit(f"{call}, {flag}=False)")
    return f"{call})" if default == "=True" else w.choose(f"{call}, True)", f"{call}, {flag}=True)")


def _early_return(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    parameters, name = _parameters(w, operands), w.fresh("guarded")
    with w.scope(f"def {name}({', '.join(parameters)}, mode='fast'):", *parameters):
        with w.indented(f"if {parameters[0]} is None:"):
            w.emit(w.choose("return None", "raise ValueError('nothing to do')"))
        with w.indented("if mode == 'slow':"):
            w.emit(f"return {decoy(*parameters)}")
        w.emit(f"return {operation(*parameters)}")
    call = f"{name}({', '.join(operands)}"
    return w.choose(f"{call})", f"{call}, 'fast')", f"{call}, mode='fast')")


def _returns_tuple(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    parameters, name = _parameters(w, operands), w.fresh("both")
    with w.scope(f"def {name}({', '.join(parameters)}):", *parameters):
        w.emit(f"return {decoy(*parameters)}, {operation(*parameters)}")
    call = f"{name}({', '.join(operands)})"
    if w.chance(0.5):
        return f"{call}[{w.choose(1, -1)}]"
    out = w.own(w.fresh("out"))
    w.emit(f"_, {out} = {call}")
    return out


def _returns_dict(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    parameters, name = _parameters(w, operands), w.fresh("outputs_of")
    with w.scope(f"def {name}({', '.join(parameters)}):", *parameters):
        w.emit(f'return {{"other": {decoy(*parameters)}, "main": {operation(*parameters)}}}')
    return f'{name}({", ".join(operands)})["main"]'


def _lambda(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    parameters = _parameters(w, operands)
    text = f"lambda {', '.join(parameters)}: {operation(*parameters)}"
    if w.chance(0.3):
        return f"({text})({', '.join(operands)})"
    return f"{w.bind(text, 'fn')}({', '.join(operands)})"


def _closure(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    name = w.fresh("inner")
    with w.scope(f"def {name}():", hoist=False):
        w.emit(f"return {through(w, operation, *operands, decoy=decoy)}")
    return f"{name}()"


def _nonlocal(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    operands = tuple(map(w.name, operands))
    target = w.bind(decoy(*operands))
    name = w.fresh("update")
    where = "global" if len(w.scopes) == 1 else "nonlocal"
    with w.scope(f"def {name}():", hoist=False):
        w.emit(f"{where} {target}", f"{target} = {operation(*operands)}")
    w.emit(f"{name}()")
    return target


def _default_argument(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    operands = tuple(map(w.name, operands))
    parameters, name = _parameters(w, operands), w.fresh("deferred")
    typed = ", ".join(f"{parameter}={operand}" for parameter, operand in zip(parameters, operands, strict=True))
    with w.scope(f"def {name}({typed}):", *parameters, hoist=False):
        w.emit(f"return {operation(*parameters)}")
    return f"{name}()"


def _star_parameters(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    name = w.fresh("variadic")
    if w.chance(0.5):
        with w.scope(f"def {name}(*args):", "args"):
            w.emit(f"return {operation(*(f'args[{index}]' for index in range(len(operands))))}")
        return f"{name}({', '.join(operands)})"
    with w.scope(f"def {name}(**kwargs):", "kwargs"):
        keys = [f'kwargs["v{index}"]' for index in range(len(operands))]
        w.emit(f"return {operation(*keys)}")
    return f"{name}({', '.join(f'v{index}={operand}' for index, operand in enumerate(operands))})"


def _function_registry(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    parameters = _parameters(w, operands)
    head = f"lambda {', '.join(parameters)}: "
    table = w.bind(f'{{"plain": {head}{decoy(*parameters)}, "main": {head}{operation(*parameters)}}}', "registry")
    return f'{table}["main"]({", ".join(operands)})'


def _function_argument(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    parameters, name, fn = _parameters(w, operands), w.fresh("call_with"), w.fresh("callback")
    with w.scope(f"def {name}({fn}, {', '.join(parameters)}):", fn, *parameters):
        w.emit(f"return {fn}({', '.join(parameters)})")
    inner = _parameters(w, operands)
    return f"{name}(lambda {', '.join(inner)}: {operation(*inner)}, {', '.join(operands)})"


def _decorated(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    parameters, name, log = _parameters(w, operands), w.fresh("compute"), w.fresh("logged")
    w.needs("from functools import wraps")
    with w.scope(f"def {log}(fn):", "fn"):
        with w.scope("@wraps(fn)\ndef wrapper(*args):", "args", hoist=False):
            w.emit("return fn(*args)")
        w.emit("return wrapper")
    with w.scope(f"@{log}\ndef {name}({', '.join(parameters)}):", *parameters):
        w.emit(f"return {operation(*parameters)}")
    return f"{name}({', '.join(operands)})"


# Classes.


def _method(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    cls, parameters = w.fresh("Helper"), _parameters(w, operands)
    kind = w.pick({kind: kind for kind in ("method", "static method", "class method", "__call__", "inherited method")})
    decorator = {"static method": "@staticmethod\n", "class method": "@classmethod\n"}.get(kind, "")
    receiver = {"static method": [], "class method": ["cls"]}.get(kind, ["self"])
    name = "__call__" if kind == "__call__" else "run"
    header = f"{decorator}def {name}({', '.join([*receiver, *parameters])}):"
    with w.scope(f"class {cls}:"), w.scope(header, *receiver, *parameters, hoist=False):
        w.emit(f"return {through(w, operation, *parameters, decoy=decoy)}")
    if kind == "inherited method":
        base, cls = cls, w.fresh("Derived")
        with w.scope(f"class {cls}({base}):"):
            w.emit('"""Adds nothing."""')
    made = f"{cls}()" if receiver != ["cls"] and (receiver or w.chance(0.5)) else cls
    if kind == "__call__":
        return f"{w.bind(made, 'helper')}({', '.join(operands)})"
    return f"{made if w.chance(0.5) else w.bind(made, 'helper')}.run({', '.join(operands)})"


def _property(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    cls, parameters = w.fresh("View"), _parameters(w, operands)
    stored = [f"self.{parameter}" for parameter in parameters]
    with w.scope(f"class {cls}:"):
        with w.scope(f"def __init__(self, {', '.join(parameters)}):", "self", *parameters, hoist=False):
            w.emit(*(f"{place} = {parameter}" for place, parameter in zip(stored, parameters, strict=True)))
        with w.scope("@property\ndef value(self):", "self", hoist=False):
            w.emit(f"return {operation(*stored)}")
    made = f"{cls}({', '.join(operands)})"
    return f"{made if w.chance(0.5) else w.bind(made, 'view')}.value"


def _forward(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    cls, parameters = w.fresh("Head"), _parameters(w, operands)
    header = f"def forward(self, {', '.join(parameters)}):"
    with w.scope(f"class {cls}({w.nn('Module')}):"), w.scope(header, "self", *parameters, hoist=False):
        w.emit(f"return {through(w, operation, *parameters, decoy=decoy)}")
    return f"{hold(w, f'{cls}()')}({', '.join(operands)})"


def _forward_of_base(w: Writer, operation: Operation, operands: tuple[str, ...], decoy: Operation) -> str:
    """The base's forward calls a hook that the subclass overrides."""
    base, cls, parameters = w.fresh("Base"), w.fresh("Model"), _parameters(w, operands)
    listed = ", ".join(["self", *parameters])
    with w.scope(f"class {base}({w.nn('Module')}):"):
        with w.scope(f"def head({listed}):", "self", *parameters, hoist=False):
            w.emit(f"return {decoy(*parameters)}")
        with w.scope(f"def forward({listed}):", "self", *parameters, hoist=False):
            w.emit(f"return self.head({', '.join(parameters)})")
    with w.scope(f"class {cls}({base}):"), w.scope(f"def head({listed}):", "self", *parameters, hoist=False):
        w.emit(f"return {operation(*parameters)}")
    return f"{w.bind(f'{cls}()', 'model')}({', '.join(operands)})"


def _super(w: Writer, operation: Operation, operands: tuple[str, ...], _: Operation) -> str:
    base, cls, parameters = w.fresh("Base"), w.fresh("Model"), _parameters(w, operands)
    listed = ", ".join(["self", *parameters])
    with w.scope(f"class {base}:"), w.scope(f"def run({listed}):", "self", *parameters, hoist=False):
        w.emit(f"return {operation(*parameters)}")
    with w.scope(f"class {cls}({base}):"), w.scope(f"def run({listed}):", "self", *parameters, hoist=False):
        w.emit(f"return super().run({', '.join(parameters)})")
    return f"{cls}().run({', '.join(operands)})"


SIMPLE: dict[str, Form] = {"inline": _inline, "variable": _variable}

FORMS: dict[str, Form] = {
    **SIMPLE,
    "annotated variable": _annotated,
    "walrus": _walrus,
    "walrus inline": _walrus_inline,
    "bound before": _bound_before,
    "bound onto itself": _bound_onto_itself,
    "alias": _aliased,
    "unpacking": _unpacked,
    "starred unpacking": _starred,
    "swapped names": _swapped,
    "del of another": _deleted,
    "dict entry": _dict_entry,
    "dict entry assigned": _dict_assigned,
    "list item": _list_item,
    "append": _appended,
    "comprehension": _comprehension,
    "next of a generator": _next_of_generator,
    "attribute": _attribute,
    "dataclass": _dataclass,
    "conditional expression": _conditional,
    "branch": _branch,
    "overwritten by a branch": _overwritten_by_branch,
    "branch on a parameter": _free_branch,
    "overwritten on a parameter": _free_overwrite,
    "the same in both branches": _same_in_both_branches,
    "loop": _loop,
    "loop over items": _loop_over_items,
    "while": _while,
    "try": _tried,
    "no_grad": _under_no_grad,
    "helper": _helper,
    "typed helper": _typed_helper,
    "helper with a flag": _flagged_helper,
    "early return": _early_return,
    "returns a tuple": _returns_tuple,
    "returns a dict": _returns_dict,
    "lambda": _lambda,
    "closure": _closure,
    "nonlocal": _nonlocal,
    "default argument": _default_argument,
    "star parameters": _star_parameters,
    "registry of functions": _function_registry,
    "function as argument": _function_argument,
    "decorator": _decorated,
}

CLASSES: dict[str, Form] = {
    "class": _method,
    "property": _property,
    "forward": _forward,
    "forward of a base": _forward_of_base,
    "super": _super,
}


# Places for objects.

Place = Callable[[Writer, str, str], str]


def _nowhere(_: Writer, text: str, __: str) -> str:
    return text


def _local(w: Writer, text: str, _: str) -> str:
    return w.bind(text, w.choose("act", "layer", "tool"))


def _global(w: Writer, text: str, decoy: str) -> str:
    if not w.is_free(text, at_import=True):
        return _local(w, text, decoy)
    return w.constant(w.fresh("SHARED"), text)


def _own_attribute(w: Writer, text: str, decoy: str) -> str:
    if w.init is None or len(w.scopes) > 2 or not w.is_free(text, at_import=True):
        return _local(w, text, decoy)
    name = w.fresh("tool")
    w.init.append(f"self.{name} = {text}")
    return f"self.{name}"


def _entry(w: Writer, text: str, decoy: str) -> str:
    return w.bind(w.choose(f'{{"plain": {decoy}, "main": {text}}}', f"dict(main={text}, plain={decoy})"), "tools") + (
        '["main"]'
    )


def _item(w: Writer, text: str, decoy: str) -> str:
    content, index = w.choose((f"[{text}, {decoy}]", 0), (f"({decoy}, {text})", 1))
    return f"{w.bind(content, 'tools')}[{index}]"


def _class_attribute(w: Writer, text: str, decoy: str) -> str:
    if not w.is_free(text, at_import=True):
        return _local(w, text, decoy)
    cls = w.fresh("Config")
    with w.scope(f"class {cls}:"):
        w.emit(f"tool = {text}")
    return f"{cls}.tool"  # of the class, not of an instance: functions stay functions


def _factory(w: Writer, text: str, _: str) -> str:
    name = w.fresh("make_tool")
    with w.scope(f"def {name}():"):
        w.emit(f"return {text}")
    return f"{w.bind(f'{name}()', 'tool')}"


def _chosen(w: Writer, text: str, decoy: str) -> str:
    return w.bind(f"{text} if {w.constant('ENABLED', 'True')} else {decoy}", "tool")


def _unpacked_tool(w: Writer, text: str, decoy: str) -> str:
    name, other = w.own(w.fresh("tool")), w.own(w.fresh("spare"))
    w.emit(f"{name}, {other} = {text}, {decoy}")
    return name


def _passed(w: Writer, text: str, _: str) -> str:
    """Handed to a function that hands it back."""
    name, parameter = w.fresh("configured"), w.fresh("tool")
    with w.scope(f"def {name}({parameter}):", parameter):
        w.emit(f"return {parameter}")
    return f"{name}({text})"


def _module_dict(w: Writer, text: str, _: str) -> str:
    made = f'{w.nn("ModuleDict")}({{"spare": {w.nn("Identity")}(), "main": {text}}})'
    return f'{w.bind(made, "tools")}["main"]'


def _module_list(w: Writer, text: str, _: str) -> str:
    made = f"{w.nn('ModuleList')}([{w.nn('Identity')}(), {text}])"
    return f"{w.bind(made, 'tools')}[1]"


def _and_or(w: Writer, text: str, decoy: str) -> str:
    return w.bind(f"{w.constant('ENABLED', 'True')} and {text} or {decoy}", "tool")


PLACES: dict[str, Place] = {
    "made where it is used": _nowhere,
    "kept in a variable": _local,
    "kept in the module": _global,
    "kept in self": _own_attribute,
    "kept in a dict": _entry,
    "kept in a list": _item,
    "kept in a class": _class_attribute,
    "made by a function": _factory,
    "chosen by a constant": _chosen,
    "kept by unpacking": _unpacked_tool,
    "handed through": _passed,
}
MODULE_PLACES: dict[str, Place] = {
    "kept in a ModuleDict": _module_dict,
    "kept in a ModuleList": _module_list,
    "chosen by and and or": _and_or,
}
