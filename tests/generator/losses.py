"""Loss sites: how a loss is called, what its reduction is, what is made of its value, and with what it is compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from tests.generator.forms import Operation, hold, through
from tests.generator.operands import (
    INPUTS,
    LAYOUTS,
    TARGETS,
    Shape,
    Value,
    kept,
    laid_out,
    log_softmax,
    normaliser,
    operand,
    scored,
    scores,
    softmax,
    template,
)
from tests.generator.writer import Writer, atom, is_name

BATCHES, POSITIONS, CLASSES = (2, 3), (2, 3), (5, 7, 11)
"""Sizes: primes, and no product of the others is a multiple of the class count."""

REDUCTIONS: dict[str, tuple[float, str, str]] = {
    "default reduction": (2, "mean", ""),
    "mean": (1.5, "mean", 'reduction="mean"'),
    "batchmean": (4, "batchmean", 'reduction="batchmean"'),
    "sum": (3, "sum", 'reduction="sum"'),
    "none": (3, "none", 'reduction="none"'),
    "size_average": (0.4, "mean", "size_average=True"),
    "no size_average": (0.4, "sum", "size_average=False"),
    "no reduce": (0.4, "none", "reduce=False"),
}
"""Weight, what the reduction comes to, and how it is written."""

MADE_OF: dict[str, dict[str, str]] = {
    "mean": {
        "left as it is": "{arg}",
        "weighted": "0.5 * {x}",
        "times temperature squared": "{x} * 2.0 ** 2",
        "times the classes": "{x} * {q}.size(-1)",
        "times the classes by shape": "{q}.shape[-1] * {x}",
        "times a named class count": "{x} * {NUM_CLASSES}",
        "times the rows": "{x} * {q}.size(0)",
    },
    "batchmean": {
        "left as it is": "{arg}",
        "weighted": "0.5 * {x}",
        "times temperature squared": "{x} * 2.0 ** 2",
    },
    "sum": {
        "left as it is": "{arg}",
        "over the batch": "{x} / {q}.size(0)",
        "over the batch by len": "{x} / len({q})",
        "over the batch by shape": "{x} / {q}.shape[0]",
        "over a number": "{x} / {rows}",
    },
    "none": {
        "left pointwise": "{arg}",
        "summed": "{x}.sum()",
        "summed by torch": "{torch}.sum({arg})",
        "averaged": "{x}.mean()",
        "summed over the classes, then averaged": "{x}.sum(-1).mean()",
        "summed by keyword, then averaged": "{x}.sum(dim=-1).mean()",
        "summed over the classes": "{x}.sum(dim=-1)",
        "summed, over the batch": "{x}.sum() / {q}.size(0)",
        "averaged over the classes, then summed": "{x}.mean(-1).sum()",
    },
}
"""What code makes of a loss of each reduction; ``q`` is the input of the loss."""


def shape(w: Writer) -> Shape:
    """The shape of the scores of a site."""
    sizes = (w.choose(*BATCHES), w.choose(*POSITIONS), w.choose(*CLASSES))
    return w.choose(sizes, sizes[1:], sizes[1:], sizes[1:], sizes[2:])


def divergence(w: Writer, log_target: bool) -> tuple[Operation, str]:
    """A call of the KL divergence as an operation on its two slots, and what its reduction comes to."""
    kinds = {name: (reduction, text) for name, (_, reduction, text) in REDUCTIONS.items()}
    reduction, text = w.pick(kinds, [weight for weight, *_ in REDUCTIONS.values()])
    if w.flag and w.chance(0.3) and w.flag in w.scopes[-1]:
        log = f"log_target={w.flag}"
    elif w.chance(0.55 if log_target else 0.05):
        log = "log_target=True"
    else:
        log = w.choose("", "", "", "log_target=False")
    if text.startswith("reduction") and w.chance(0.1):
        text = f"reduction={w.constant('REDUCTION_' + reduction.upper(), text.partition('=')[2])}"
    options = [option for option in (text, log) if option]
    w.random.shuffle(options)
    spelled = {name: form for name, form in CALLS.items() if "position" not in name or reduction in text}
    return w.pick(spelled)(w, options, reduction, log), reduction


def _listed(options: list[str], first: str = ", ") -> str:
    return first + ", ".join(options) if options else ""


def _function(w: Writer, options: list[str], *_: str) -> Operation:
    function = w.functional("kl_div")
    return lambda q, p: f"{function}({q}, {p}{_listed(options)})"


def _by_keywords(w: Writer, options: list[str], *_: str) -> Operation:
    function = w.functional("kl_div")
    return lambda q, p: f"{function}(target={p}, input={q}{_listed(options)})"


def _by_position(w: Writer, options: list[str], reduction: str, log: str) -> Operation:
    function = w.functional("kl_div")
    return lambda q, p: f'{function}({q}, {p}, None, None, "{reduction}"{_listed([log] if log else [])})'


def _with_options(w: Writer, options: list[str], *_: str) -> Operation:
    function = w.functional("kl_div")
    text = f"dict({_listed(options, '')})"
    free = w.is_free(text, at_import=True)
    held = w.constant(w.fresh("OPTIONS"), text) if free else w.bind(text, "options")
    return lambda q, p: f"{function}({q}, {p}, **{held})"


def _held_function(w: Writer, options: list[str], *_: str) -> Operation:
    held = hold(w, w.functional("kl_div"))
    return lambda q, p: f"{held}({q}, {p}{_listed(options)})"


def _partial(w: Writer, options: list[str], *_: str) -> Operation:
    w.needs("from functools import partial")
    held = hold(w, f"partial({w.functional('kl_div')}{_listed(options)})")
    return lambda q, p: f"{held}({q}, {p})"


def _made(w: Writer, options: list[str]) -> str:
    return f"{w.nn('KLDivLoss')}({_listed(options, '')})"


def _module(w: Writer, options: list[str], *_: str) -> Operation:
    held = hold(w, _made(w, options), f"{w.nn('KLDivLoss')}(reduction='none')", module=True)
    return lambda q, p: f"{held}({q}, {p})"


def _module_by_keywords(w: Writer, options: list[str], *_: str) -> Operation:
    held = hold(w, _made(w, options), module=True, decoy=f"{w.nn('KLDivLoss')}()")
    return lambda q, p: f"{held}(target={p}, input={q})"


def _module_by_partial(w: Writer, options: list[str], *_: str) -> Operation:
    w.needs("from functools import partial")
    held = hold(w, f"partial({w.nn('KLDivLoss')}{_listed(options)})()", module=True, decoy=w.nn("Identity") + "()")
    return lambda q, p: f"{held}({q}, {p})"


def _module_by_options(w: Writer, options: list[str], *_: str) -> Operation:
    if options:
        known = w.bind(f"dict({_listed(options, '')})", "options")
        options = [f"**{known}"]
    held = w.bind(_made(w, options), "criterion")
    return lambda q, p: f"{held}({q}, {p})"


def _criterion_as_argument(w: Writer, options: list[str], *_: str) -> Operation:
    name = w.fresh("evaluate")
    with w.scope(f"def {name}(criterion, first, second):", "criterion", "first", "second"):
        w.emit("return criterion(first, second)")
    held = hold(w, _made(w, options), module=True, decoy=w.nn("KLDivLoss") + "()")
    return lambda q, p: f"{name}({held}, {q}, {p})"


def _in_a_class(w: Writer, options: list[str], *_: str) -> Operation:
    cls, made = w.fresh("Distillation"), _made(w, options)
    with w.scope(f"class {cls}({w.nn('Module')}):"):
        with w.scope("def __init__(self):", "self", hoist=False):
            w.emit("super().__init__()", f"self.criterion = {made}")
        with w.scope("def forward(self, student, teacher):", "self", "student", "teacher", hoist=False):
            w.emit("return self.criterion(student, teacher)")
    held = hold(w, f"{cls}()", module=True, decoy=w.nn("Identity") + "()")
    return lambda q, p: f"{held}({q}, {p})"


def _in_a_subclass(w: Writer, options: list[str], *_: str) -> Operation:
    """The base keeps the criterion, the subclass calls it."""
    base, cls = w.fresh("Task"), w.fresh("KdTask")
    made = _made(w, options)
    with w.scope(f"class {base}:"), w.scope("def __init__(self):", "self", hoist=False):
        w.emit(f"self.criterion = {made}")
    with w.scope(f"class {cls}({base}):"):
        if w.chance(0.5):
            with w.scope("def __init__(self):", "self", hoist=False):
                w.emit("super().__init__()", "self.steps = 0")
        with w.scope("def loss(self, student, teacher):", "self", "student", "teacher", hoist=False):
            w.emit("return self.criterion(student, teacher)")
    held = w.bind(f"{cls}()", "task")
    return lambda q, p: f"{held}.loss({q}, {p})"


def _with_a_parameter(w: Writer, options: list[str], *_: str) -> Operation:
    """A function whose parameter is the reduction, with a default that every caller overrides."""
    name, function = w.fresh("kd_loss"), w.functional("kl_div")
    keys = [option.partition("=") for option in options]
    with w.scope(f"def {name}(student, teacher, **options):", "student", "teacher", "options"):
        w.emit(f"return {function}(student, teacher, **options)")
    return lambda q, p: f"{name}({q}, {p}{_listed([''.join(key) for key in keys])})"


def _with_a_default(w: Writer, options: list[str], *_: str) -> Operation:
    name, function = w.fresh("kd_loss"), w.functional("kl_div")
    slots = [option.partition("=")[0] for option in options]
    passed = [f"{slot}={slot}" for slot in slots]
    defaults = {"reduction": "'mean'", "log_target": "False", "size_average": "None", "reduce": "None"}
    header = ", ".join(["student", "teacher", *(f"{slot}={defaults[slot]}" for slot in slots)])
    with w.scope(f"def {name}({header}):", "student", "teacher", *slots):
        w.emit(f"return {function}(student, teacher{_listed(passed)})")
    return lambda q, p: f"{name}({q}, {p}{_listed(options)})"


CALLS: dict[str, Callable[..., Operation]] = {
    "loss function": _function,
    "loss function by keywords": _by_keywords,
    "loss function by position": _by_position,
    "loss function with known options": _with_options,
    "held loss function": _held_function,
    "partial of the loss function": _partial,
    "loss module": _module,
    "loss module by keywords": _module_by_keywords,
    "loss module by partial": _module_by_partial,
    "loss module with known options": _module_by_options,
    "criterion as argument": _criterion_as_argument,
    "criterion in a class": _in_a_class,
    "criterion in a base class": _in_a_subclass,
    "wrapper with ** options": _with_a_parameter,
    "wrapper with a default": _with_a_default,
}


def made_of(w: Writer, loss: str, reduction: str, q: Value) -> str:
    """The loss after what code does to it."""
    rows = {name: row for name, row in MADE_OF[reduction].items() if q.rank > 1 or name != "times the rows"}
    row = w.pick(rows, [4 if name.startswith("left") else 1 for name in rows])
    if q.handed and row == MADE_OF["mean"]["times the rows"]:
        w.note("times the rows of a parameter")
    classes = str(q.classes)
    operation = template(
        w, row, q.shape, q=lambda: q.text, NUM_CLASSES=lambda: w.constant(f"NUM_CLASSES_{classes}", classes)
    )
    return loss if row == "{arg}" else through(w, operation, loss)


# Sites.


def plain_site(w: Writer) -> None:
    """One loss of two operands."""
    start = shape(w)
    students, teachers = scored(w, scores(w, start)), scored(w, scores(w, start))
    layout = w.pick(LAYOUTS[len(start)]) if w.chance(0.35) else None
    before = layout is not None and w.chance(0.5)
    if layout is not None and before:
        students, teachers = laid_out(w, students, layout), laid_out(w, teachers, layout)
    student, _ = operand(w, students, INPUTS)
    teacher, logs = operand(w, teachers, TARGETS)
    if layout is not None and not before:
        student, teacher = laid_out(w, student, layout), laid_out(w, teacher, layout)
    if w.chance(0.2):
        teacher = kept(w, teacher)
    if student.handed:
        w.note("a parameter as input")
    q = replace(student, text=w.name(student.text))
    loss, reduction = divergence(w, logs)
    value = through(w, loss, q.text, teacher.text)
    w.pick(USES, [3, 2, 2, 2, 1, 1, 2])(w, made_of(w, value, reduction, q), reduction)
    if is_name(student.text) and student.text not in (w.parameters or ()) and w.chance(0.2):
        w.note("bound again later")
        again = normaliser(w, w.choose("softmax", "log_softmax"), q)
        w.emit(f"{q.text} = {again(q.text)}")


def _printed(w: Writer, text: str, _: str) -> None:
    if w.chance(0.3):
        text = w.name(text)
        w.emit(f'print(f"loss {{{text}}}")')
    else:
        w.emit(w.choose(f"print({text})", f'print("loss", {text})'))


def _assigned(w: Writer, text: str, _: str) -> None:
    w.bind(text, "loss")


def _accumulated(w: Writer, text: str, _: str) -> None:
    total = w.bind("0.0", "total")
    w.emit(w.choose(f"{total} = {total} + {text}", f"{total} += {text}"))


def _returned(w: Writer, text: str, _: str) -> None:
    w.results.append(w.name(text))


def _logged(w: Writer, text: str, reduction: str) -> None:
    if reduction == "none":
        w.emit(text)
    else:
        w.emit(f'metrics = {{"kl": {atom(text)}.item()}}')


def _bare(w: Writer, text: str, _: str) -> None:
    w.emit(text)


def _added(w: Writer, text: str, _: str) -> None:
    other = f"{w.functional('cross_entropy')}({w.torch('randn')}(3, 5), {w.torch('tensor')}([0, 4, 2]))"
    w.bind(f"{other} + 0.1 * {w.name(text)}", "objective")


USES: dict[str, Callable[[Writer, str, str], None]] = {
    "printed": _printed,
    "assigned": _assigned,
    "accumulated": _accumulated,
    "returned": _returned,
    "logged": _logged,
    "computed only": _bare,
    "added to a cross entropy": _added,
}


# KL against cross entropy minus entropy.

SHOWN = {
    "printed together": ["print({kl}, {other})"],
    "printed one after the other": ['print("kl", {kl})', 'print("other", {other})'],
    "printed as numbers": ["print({kl}.item(), ({other}).item())"],
    "in an f-string": ['print(f"{{{kl}:.4f}} {{{other}:.4f}}")'],
    "in two f-strings": ['print(f"kl {{{kl}.item():.4f}}")', 'print(f"other {{({other}).item():.4f}}")'],
    "allclose": ["same = {torch}.allclose({kl}, {other})"],
    "isclose": ["same = {torch}.isclose({other}, {kl}, atol=1e-6)"],
    "equal": ["same = {kl} == {other}"],
    "difference": ["gap = {kl} - ({other})"],
    "absolute difference": ["gap = ({kl} - ({other})).abs()"],
    "assert_close": ["try:\n    {torch}.testing.assert_close({kl}, {other})\nexcept AssertionError:\n    pass"],
    "not compared": ["unused = {other}", "total = 2 * {kl}"],
}
SUBTRACTED = {
    "entropy": (6, "y", "p"),
    "cross entropy itself": (1, "x", "p"),
    "entropy of another": (1, "y", "r"),
}
"""What is subtracted from the cross entropy of x and p: a cross entropy of scores and a distribution."""


def comparison(w: Writer) -> None:
    """A KL divergence beside cross entropy minus entropy, which are equal if they divide by the same count."""
    start = shape(w)
    x, y = (replace(value, text=w.name(value.text)) for value in (scores(w, start), scores(w, start)))
    if x.handed or y.handed:
        w.note("a parameter as input")
    p, q = w.name(softmax(w, y)), w.name(log_softmax(w, x))
    r = w.name(softmax(w, scores(w, start)))
    target = Value(p, start)
    if len(start) == 1 and w.chance(0.4):
        target = laid_out(w, target, LAYOUTS[1]["a row of its own"])  # as in the forum thread
    loss, reduction = divergence(w, log_target=False)
    pointwise = ("left pointwise", "summed over the classes", "times the rows")
    rows = {name: row for name, row in MADE_OF[reduction].items() if name not in pointwise}
    made = template(w, w.pick(rows), start, q=lambda: q, NUM_CLASSES=lambda: w.constant("NUM_CLASSES", str(start[-1])))
    kl = w.name(through(w, made, through(w, loss, q, target.text)))
    _, scores_of, distribution = w.pick(SUBTRACTED, [weight for weight, *_ in SUBTRACTED.values()])
    cross_entropy = _cross_entropy(w, start)
    names = {"x": x.text, "y": y.text, "p": p, "r": r}
    first = through(w, cross_entropy, x.text, p)
    second = through(w, cross_entropy, names[scores_of], names[distribution])
    other = f"{first} - {second}"
    lines = w.pick(SHOWN)
    if w.chance(0.6) or "{{" in "".join(lines):  # quotes inside an f-string need Python 3.12
        other = w.bind(other)
    torch = w.torch("x").removesuffix(".x")
    w.emit(*(line.format(kl=kl, other=other, torch=torch) for line in lines))


def _cross_entropy(w: Writer, start: Shape) -> Operation:
    """A call of cross entropy with a soft target; torch takes the classes of rank 3 at dim 1."""
    reduction = w.choose("", "", 'reduction="mean"', 'reduction="sum"')
    moved = ".transpose(1, 2)" if len(start) == 3 else ""
    if w.chance(0.5):
        function = w.functional("cross_entropy")
        return lambda x, p: f"{function}({x}{moved}, {p}{moved}{_listed([reduction] if reduction else [])})"
    held = hold(w, f"{w.nn('CrossEntropyLoss')}({reduction})", module=True, decoy=w.nn("CrossEntropyLoss") + "()")
    return lambda x, p: f"{held}({x}{moved}, {p}{moved})"
