"""Composes small programs with losses in them, from a seed. What they compute is for ``truth.py`` to measure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.generator.losses import comparison, plain_site
from tests.generator.operands import RANK_DECIDES
from tests.generator.writer import Writer, indent


@dataclass(frozen=True)
class Program:
    """A program in text. ``drivers`` are calls that its callers make, each in a run of its own; without any it runs by itself."""

    seed: int
    source: str
    drivers: tuple[str, ...]
    features: frozenset[str]


def generate(seed: int) -> Program:
    """The program of a seed: the same on every machine and under every hash seed."""
    w = Writer(Random(seed))
    contexts = {name: context for name, context in CONTEXTS.items() if name != "module" or not w.imports_in_functions}
    drivers = w.pick(contexts)(w)
    return Program(seed, w.source(), drivers, frozenset(w.features))


# Where the code stands.


def _module(w: Writer) -> tuple[str, ...]:
    _sites(w)
    return ()


def _main(w: Writer) -> tuple[str, ...]:
    with w.scope("def main():"):
        _sites(w)
    w.emit(*w.choose(["main()"], ['if __name__ == "__main__":', "    main()"]))
    return ()


def _entry(w: Writer) -> tuple[str, ...]:
    """A function that takes what its callers have."""
    lines = _entered(w)
    w.top += ["", *w.definition(f"def step({_parameters(w)}):", lines)]
    return _called(w, "step")


def _class(w: Writer) -> tuple[str, ...]:
    """A method of a class that keeps its tools in itself."""
    base = w.choose("", "", w.nn("Module"))
    w.init = ["super().__init__()"] if base else []
    lines = _entered(w, "self")
    name = "forward" if base else "step"
    methods = [
        w.definition("def __init__(self):", w.init),
        w.definition(f"def {name}({_parameters(w, 'self')}):", lines),
    ]
    if w.chance(0.2):
        methods.reverse()
    w.top += ["", f"class Trainer{f'({base})' if base else ''}:", *indent([*methods[0], "", *methods[1]])]
    return _called(w, f"Trainer().{name}")


CONTEXTS: dict[str, Callable[[Writer], tuple[str, ...]]] = {
    "module": _module,
    "main": _main,
    "entry function": _entry,
    "class": _class,
}


PARAMETERS = ("scores that are a parameter", "a parameter as input", "times the rows of a parameter", RANK_DECIDES)
"""Features that say nothing of a program that calls its entry function itself."""


def _entered(w: Writer, *names: str) -> list[str]:
    """The body of a function with parameters."""
    w.parameters = {}
    w.flag = "use_log" if w.chance(0.4) else None
    with w.capture(*names, *filter(None, [w.flag])) as lines:
        _sites(w)
    return lines


def _parameters(w: Writer, *first: str) -> str:
    return ", ".join([*first, *(w.parameters or ()), *filter(None, [w.flag])])


def _called(w: Writer, function: str) -> tuple[str, ...]:
    """The calls of the entry function, with its flag set and without: in the program, or made by others."""
    flags = ["True", "False"] if w.flag else []
    calls = [f"{function}({', '.join([*(w.parameters or {}).values(), flag])})" for flag in flags] or [
        f"{function}({', '.join((w.parameters or {}).values())})"
    ]
    if w.chance(0.6):
        return tuple(calls)
    for feature in PARAMETERS:
        w.features.pop(feature, None)
    w.needs("import torch")
    w.emit(*calls)
    return ()


# What it does.


def _sites(w: Writer) -> None:
    """One to three loss sites, each under some statement, and what is returned."""
    for _ in range(w.choose(1, 1, 2, 3)):
        w.pick(AROUND, [6, 1, 1, 1, 1, 1, 1])(w)
    if w.results and len(w.scopes) > 1:
        w.emit(f"return {', '.join(w.results)}")


def _site(w: Writer) -> None:
    w.choose(plain_site, plain_site, plain_site, comparison)(w)


def _under(header: Callable[[Writer], str], *after: str) -> Callable[[Writer], None]:
    def around(w: Writer) -> None:
        results = [*w.results]
        with w.indented(header(w)):
            _site(w)
        w.results = results  # what is bound under a condition may not be there to be returned
        w.emit(*after)

    return around


def _in_a_function(w: Writer) -> None:
    name, results, w.results = w.fresh("closure"), w.results, []
    with w.scope(f"def {name}():", hoist=False):
        _site(w)
        w.emit(*(f"return {result}" for result in w.results))
    w.results = results
    w.emit(f"{name}()")


AROUND: dict[str, Callable[[Writer], None]] = {
    "straight": _site,
    "under for": _under(lambda w: f"for _ in range({w.choose(1, 2)}):"),
    "under with": _under(lambda w: f"with {w.torch('no_grad')}():"),
    "under try": _under(lambda _: "try:", "finally:", "    pass"),
    "under if": _under(lambda w: f"if {w.constant('ENABLED', 'True')}:"),
    "under a free if": _under(lambda w: f"if {w.flag}:" if w.flag else "if True:"),
    "in a nested function": _in_a_function,
}
