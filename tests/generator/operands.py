"""What a slot of a loss is fed with: scores, how they are normalised, and what is done to tensors on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

from tests.generator.forms import Operation, hold, through
from tests.generator.writer import Writer, atom

Shape = tuple[int, ...]

WIDTH = 13
"""How many features go into a layer."""

RANK_DECIDES = "a parameter whose rank decides"
"""What an index drops, what an implicit dim is, whether the dims of two tensors agree: klint knows it of no parameter."""


@dataclass(frozen=True)
class Value:
    """A tensor in the text of a program; the classes run over its last dim. ``handed`` in: of its rank klint knows nothing."""

    text: str
    shape: Shape
    handed: bool = False

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def classes(self) -> int:
        return self.shape[-1]


def sizes(w: Writer, shape: Shape) -> str:
    """A shape as positional arguments."""
    return ", ".join(map(w.size, shape))


def template(w: Writer, text: str, shape: Shape, **more: Callable[[], str]) -> Operation:
    """An operation from a row of a table: ``{x}`` takes a method, ``{arg}`` stands in parentheses, the rest is looked up."""
    fields = {
        "torch": lambda: w.torch("x").removesuffix(".x"),
        "shape": lambda: sizes(w, shape),
        "classes": lambda: w.size(shape[-1]),
        "rows": lambda: str(prod(shape[:-1])),
        **more,
    }
    known = {name: make() for name, make in fields.items() if f"{{{name}}}" in text}

    def write(operand: str) -> str:
        if text.count("{x}") > 1:
            operand = w.name(operand)
        return text.format(x=atom(operand), arg=operand, **known)

    return write


# Scores.


def scores(w: Writer, shape: Shape) -> Value:
    """Unnormalised scores of a shape: made up, computed by a layer, or handed in by a caller."""
    if w.parameters is not None and w.chance(0.5):
        name = w.own(w.fresh(w.choose("x", "y", "inputs")))
        w.parameters[name] = f"torch.randn({', '.join(map(str, shape))})"
        if w.chance(0.3):
            w.note("scores that are a parameter")
            return Value(name, shape, handed=True)
        return Value(through(w, layer(w, shape[-1], shape[-1]), name), shape, handed=True)
    return Value(w.name(w.pick(SCORES)(w, shape)), shape)


def layer(w: Writer, width: int, classes: int) -> Operation:
    """A layer, or a few of them, from ``width`` features to scores of ``classes``."""
    linear = f"{w.nn('Linear')}({width}, {classes})"
    kind = w.pick({kind: kind for kind in ("Linear", "Sequential of layers", "model", "layer by index")})
    if kind == "Sequential of layers":
        linear = w.choose(
            f"{w.nn('Sequential')}({w.nn('Linear')}({width}, 17), {w.nn('ReLU')}(), {w.nn('Linear')}(17, {classes}))",
            f"{w.nn('Sequential')}({w.nn('LayerNorm')}({width}), {linear}, {w.nn('Identity')}())",
        )
    if kind == "model":
        cls = w.fresh("Net")
        with w.scope(f"class {cls}({w.nn('Module')}):"):
            with w.scope("def __init__(self):", "self", hoist=False):
                w.emit("super().__init__()", f"self.body = {linear}", f"self.dropout = {w.nn('Identity')}()")
            with w.scope("def forward(self, x):", "self", "x", hoist=False):
                w.emit(*w.choose(["return self.body(x)"], ["x = self.body(x)", "return self.dropout(x)"]))
        linear = f"{cls}()"
    if kind == "layer by index":
        linear = f"{w.nn('ModuleList')}([{linear}])[0]"
    held = hold(w, linear, decoy=f"{w.nn('Identity')}()", module=True)
    return lambda x: f"{held}({x})"


def _randn(w: Writer, shape: Shape) -> str:
    return w.choose(f"{w.torch('randn')}({sizes(w, shape)})", f"{w.torch('randn')}(({sizes(w, shape)},))")


def _literal(w: Writer, shape: Shape) -> str:
    def rows(shape: Shape) -> str:
        if not shape:
            return str(round(w.random.uniform(-3, 3), 1))
        return f"[{', '.join(rows(shape[1:]) for _ in range(shape[0]))}]"

    return f"{w.torch('tensor')}({rows(shape)})"


def _of_a_layer(w: Writer, shape: Shape) -> str:
    return through(w, layer(w, WIDTH, shape[-1]), w.name(_randn(w, (*shape[:-1], WIDTH))))


def _matmul(w: Writer, shape: Shape) -> str:
    left, right = w.name(_randn(w, (*shape[:-1], WIDTH))), w.name(_randn(w, (WIDTH, shape[-1])))
    return w.choose(f"{left} @ {right}", f"{w.torch('matmul')}({left}, {right})")


SCORES: dict[str, Callable[[Writer, Shape], str]] = {
    "randn": _randn,
    "scaled randn": lambda w, shape: f"{w.choose(3, 1.5)} * {_randn(w, shape)}",
    "randn_like": lambda w, shape: f"{w.torch('randn_like')}({_randn(w, shape)})",
    "literal scores": _literal,
    "layer": _of_a_layer,
    "layer of noise": lambda w, shape: layer(w, WIDTH, shape[-1])(
        f"{w.torch('rand')}({sizes(w, (*shape[:-1], WIDTH))})"
    ),
    "matmul": _matmul,
}

ADJUSTED = {
    "temperature": "{x} / 2.0",
    "temperature by div": "{x}.div(4.0)",
    "temperature by torch.div": "{torch}.div({arg}, 2.0)",
    "scaled": "0.5 * {x}",
    "shifted": "{x} + 0.25",
    "subtracted": "{x} - 1.5",
    "tanh": "{torch}.tanh({arg})",
    "scores of both signs": "{x} - {x}.mean(-1, keepdim=True)",
}
"""What code does to scores that stay scores."""


# The same numbers in the same shape.

KEPT = {
    "detach": "{x}.detach()",
    "clone": "{x}.clone()",
    "detach and clone": "{x}.detach().clone()",
    "contiguous": "{x}.contiguous()",
    "float": "{x}.float()",
    "double and back": "{x}.double().float()",
    "cpu": "{x}.cpu()",
    "to device": '{x}.to("cpu")',
    "to dtype": "{x}.to({torch}.float32)",
    "to another": "{x}.to({x})",
    "type_as": "{x}.type_as({x})",
    "data": "{x}.data",
    "torch.clone": "{torch}.clone({arg})",
    "unsqueezed and back": "{x}.unsqueeze(0).squeeze(0)",
    "new dim and back": "{x}[None][0]",
    "viewed as it is": "{x}.view({shape})",
    "reshaped as it is": "{x}.reshape({x}.shape)",
    "viewed by size": "{x}.view({x}.size())",
    "expanded as it is": "{x}.expand({shape})",
    "sliced as it is": "{x}[:]",
    "indexed by an ellipsis": "{x}[...]",
}
KEPT_ROWS = {
    "transposed twice": "{x}.transpose(0, 1).transpose(0, 1)",
    "swapped twice": "{x}.swapaxes(0, -1).swapaxes(0, -1)",
    "moved and back": "{x}.movedim(0, -1).movedim(-1, 0)",
    "viewed and back": "{x}.reshape(-1).view({shape})",
    "flattened and back": "{x}.flatten().reshape({shape})",
    "cat of slices": "{torch}.cat([{x}[:1], {x}[1:]])",
    "cat of slices by dim": "{torch}.cat(({x}[:1], {x}[1:]), dim=0)",
    "cat of one": "{torch}.cat([{arg}])",
    "stacked and taken": "{torch}.stack([{arg}])[0]",
    "split and taken": "{x}.split({rows}, dim=0)[0]",
    "chunked and taken": "{x}.chunk(1, dim=0)[0]",
}
KEPT_MATRIX = {
    "t twice": "{x}.t().t()",
    "T twice": "{x}.T.T",
    "permuted twice": "{x}.permute(1, 0).permute(1, 0)",
    "viewed by minus one": "{x}.view(-1, {classes})",
    "reshaped by its last size": "{x}.reshape(-1, {x}.size(-1))",
    "flattened to the classes": "{x}.flatten(0, -2)",
}


def kept(w: Writer, value: Value) -> Value:
    """The same numbers in the same shape, by way of something that code does to tensors."""
    table = KEPT | (KEPT_ROWS if value.rank > 1 else {}) | (KEPT_MATRIX if value.rank == 2 else {})
    row = w.pick(table)
    if value.handed and row in KEPT_ROWS.values():
        w.note(RANK_DECIDES)
    return replace(value, text=through(w, template(w, row, value.shape), value.text))


def scored(w: Writer, value: Value) -> Value:
    """The same or other scores after what code does to scores."""
    if w.chance(0.35):
        value = replace(value, text=through(w, template(w, w.pick(ADJUSTED), value.shape), value.text))
    return kept(w, value) if w.chance(0.25) else value


# Other shapes, which both slots of a loss take together.

Layout = tuple[tuple[str, ...], Callable[[Shape], Shape]]

LAYOUTS: dict[int, dict[str, Layout]] = {
    1: {
        "a row of its own": (
            ("{x}.unsqueeze(0)", "{x}[None]", "{x}[None, :]", "{x}.view(1, -1)", "{torch}.unsqueeze({arg}, 0)"),
            lambda shape: (1, *shape),
        ),
    },
    2: {
        "one row": (("{x}[0]", "{x}[-1]", "{x}[0, :]", "{x}[1]"), lambda shape: shape[1:]),
        "the first row": (("{x}[:1]", "{x}[0:1]", "{x}[:1, :]", "{x}[0].unsqueeze(0)"), lambda shape: (1, shape[1])),
        "a batch of one": (("{x}.unsqueeze(0)", "{x}[None]", "{x}.view(1, {shape})"), lambda shape: (1, *shape)),
    },
    3: {
        "positions as rows": (
            (
                "{x}.view(-1, {classes})",
                "{x}.reshape(-1, {x}.size(-1))",
                "{x}.reshape(-1, {x}.shape[-1])",
                "{x}.flatten(0, 1)",
                "{torch}.flatten({arg}, 0, 1)",
                "{x}.reshape({rows}, {classes})",
            ),
            lambda shape: (shape[0] * shape[1], shape[2]),
        ),
        "one position": (("{x}[:, 0]", "{x}[:, -1, :]", "{x}[:, 0, :]"), lambda shape: (shape[0], shape[2])),
        "one item": (("{x}[0]", "{x}[-1]"), lambda shape: shape[1:]),
    },
}


def laid_out(w: Writer, value: Value, layout: Layout) -> Value:
    """The value in another layout."""
    templates, change = layout
    if value.handed:
        w.note(RANK_DECIDES)
    text = through(w, template(w, w.choose(*templates), value.shape), value.text)
    return replace(value, text=text, shape=change(value.shape))


# Normalising.


def dim_of(w: Writer, value: Value) -> str:
    """The class dim as code may write it."""
    return w.choose("-1", "-1", str(value.rank - 1), w.constant("DIM", "-1"))


NORMALISED = {
    "as function": "{function}({arg}, dim={dim})",
    "as function, by position": "{function}({arg}, {dim})",
    "as function, by keywords": "{function}(dim={dim}, input={arg})",
    "as function with a dtype": "{function}({arg}, dim={dim}, dtype={torch}.float32)",
    "as function of torch": "{torch}.{name}({arg}, dim={dim})",
    "as function of torch.special": "{torch}.special.{name}({arg}, {dim})",
    "as method": "{x}.{name}(dim={dim})",
    "as method, by position": "{x}.{name}({dim})",
    "as method of the class": "{torch}.Tensor.{name}({arg}, {dim})",
    "as module": "{module}({arg})",
    "as the end of a Sequential": "{sequential}({arg})",
    "as partial": "{partial}({arg})",
    "as a held function": "{held}({arg}, dim={dim})",
}
NORMALISED_WITHOUT_DIM = {"as function, dim left out": "{function}({arg})"}  # dim 0 of a vector, 1 of a matrix
_MODULES = {"softmax": "Softmax", "log_softmax": "LogSoftmax"}


def normaliser(w: Writer, name: str, value: Value) -> Operation:
    """``softmax`` or ``log_softmax`` over the classes, as a function, a method or a module."""
    dim = w.constant("DIM", "-1") if w.chance(0.1) else w.choose("-1", str(value.rank - 1))
    (other,) = _MODULES.keys() - {name}

    def module(name: str = name) -> str:
        return f"{w.nn(_MODULES[name])}(dim={dim})"

    def sequential() -> str:
        return hold(w, f"{w.nn('Sequential')}({w.nn('Identity')}(), {module()})", module(other), module=True)

    def partial() -> str:
        w.needs("from functools import partial")
        return hold(w, f"partial({w.functional(name)}, dim={dim})")

    row = w.pick(NORMALISED | (NORMALISED_WITHOUT_DIM if value.rank < 3 else {}))
    if value.handed and row in NORMALISED_WITHOUT_DIM.values():
        w.note(RANK_DECIDES)
    return template(
        w,
        row,
        value.shape,
        name=lambda: name,
        dim=lambda: dim,
        function=lambda: w.functional(name),
        module=lambda: hold(w, module(), module(other), module=True),
        sequential=sequential,
        partial=partial,
        held=lambda: hold(w, w.functional(name)),
    )


# The stages from scores to what a slot is fed with.

Step = Callable[[Writer, Value], str]


def _normalise(name: str) -> Step:
    (other,) = _MODULES.keys() - {name}
    return lambda w, value: through(
        w, normaliser(w, name, value), value.text, decoy=normaliser(w, other, value) if w.chance(0.7) else None
    )


def _one_of(**rows: str) -> Step:
    table = {name.replace("_", " "): row for name, row in rows.items()}
    return lambda w, value: through(w, template(w, w.pick(table), value.shape), value.text)


def _pointwise(name: str) -> Step:
    """``log`` or ``exp``: a function, a method, or in place."""
    forms = {
        f"torch.{name}": f"{{torch}}.{name}({{arg}})",
        f"{name} method": f"{{x}}.{name}()",
        f"{name} in place": "",
        f"{name} in place of an alias": "alias",
        f"{name} in place of a view": "view",
    }

    def step(w: Writer, value: Value) -> str:
        form = w.pick(forms)
        if form.startswith("{"):
            return through(w, template(w, form, value.shape), value.text)
        target = w.name(value.text)
        alias = {
            "": lambda: target,
            "alias": lambda: w.bind(target),
            "view": lambda: w.bind(w.choose(f"{target}.detach()", f"{target}[:]", f"{target}.view({target}.shape)")),
        }[form]()
        w.emit(f"{alias}.{name}_()")
        return target

    return step


def _mixture(w: Writer, value: Value) -> str:
    added = scores(w, value.shape)
    if value.handed or added.handed:
        w.note(RANK_DECIDES)
    other = w.name(softmax(w, added))
    form = w.choose("({p} + {q}) / 2", "0.5 * ({p} + {q})", "0.3 * {p} + 0.7 * {q}")
    return through(w, lambda p, q: form.format(p=atom(p), q=atom(q)), value.text, other)


softmax, log_softmax = _normalise("softmax"), _normalise("log_softmax")
log, exp = _pointwise("log"), _pointwise("exp")
plus_epsilon = _one_of(plus_epsilon="{x} + 1e-8", epsilon_plus="1e-8 + {x}")
clamped = _one_of(clamped="{x}.clamp(min=1e-8)", clamped_by_torch="{torch}.clamp({arg}, min=1e-8)")
sigmoid = _one_of(sigmoid="{torch}.sigmoid({arg})", sigmoid_method="{x}.sigmoid()")
softened = _one_of(divided_after="{x} / 2.0", multiplied_after="{x} * 3.0")
by_sum = _one_of(over_its_sum="{x} / {x}.sum(-1, keepdim=True)", over_torch_sum="{x} / {torch}.sum({arg}, -1, True)")
by_logsumexp = _one_of(
    less_logsumexp="{x} - {x}.logsumexp(-1, keepdim=True)",
    less_torch_logsumexp="{x} - {torch}.logsumexp({arg}, dim=-1, keepdim=True)",
)

Kinds = dict[str, tuple[float, tuple[Step, ...]]]

INPUTS: Kinds = {
    "log_softmax": (10, (log_softmax,)),
    "softmax": (3, (softmax,)),
    "scores": (3, ()),
    "log of softmax": (2, (softmax, log)),
    "log of softmax with epsilon": (1, (softmax, plus_epsilon, log)),
    "log of clamped softmax": (1, (softmax, clamped, log)),
    "exp of log_softmax": (1, (log_softmax, exp)),
    "log of exp of log_softmax": (0.5, (log_softmax, exp, log)),
    "log of a mixture": (0.7, (softmax, _mixture, log)),
    "log_softmax by hand": (0.7, (by_logsumexp,)),
    "softmax by hand": (0.5, (exp, by_sum)),
    "sigmoid": (0.5, (sigmoid,)),
    "log of sigmoid": (0.3, (sigmoid, log)),
    "scaled log_softmax": (0.4, (log_softmax, softened)),
    "log_softmax twice": (0.3, (log_softmax, log_softmax)),
    "log_softmax of softmax": (0.3, (softmax, log_softmax)),
}
TARGETS: Kinds = {
    "softmax": (10, (softmax,)),
    "log_softmax": (4, (log_softmax,)),
    "log of softmax": (1, (softmax, log)),
    "exp of log_softmax": (1, (log_softmax, exp)),
    "mixture": (0.7, (softmax, _mixture)),
    "log of a mixture": (0.4, (softmax, _mixture, log)),
    "softmax by hand": (0.5, (exp, by_sum)),
    "log_softmax by hand": (0.5, (by_logsumexp,)),
    "renormalised": (0.5, (softmax, clamped, by_sum)),
    "softmax twice": (0.2, (softmax, softmax)),
}


def operand(w: Writer, value: Value, kinds: Kinds) -> tuple[Value, bool]:
    """Scores made into what a slot is fed with, and whether that is meant to be logarithms."""
    kind = w.pick({name: name for name in kinds}, [weight for weight, _ in kinds.values()])
    for step in kinds[kind][1]:
        value = replace(value, text=step(w, value))
        if w.chance(0.2):
            value = kept(w, value)
    return value, kind.startswith("log")
