"""Writes the text of one program: blocks and names, where definitions stand, and how torch is imported and spelled."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

T = TypeVar("T")

_WORD = re.compile(r"[A-Za-z_]\w*")
_DEFINED = re.compile(r"^(?:def|class) (\w+)")

# How people import: the import and what a name is then written as. `local` stands in every function that needs it.
_FUNCTIONAL = {
    "F as module": ("import torch.nn.functional as F", "F.{0}"),
    "F from torch.nn": ("from torch.nn import functional as F", "F.{0}"),
    "functional from torch.nn": ("from torch.nn import functional", "functional.{0}"),
    "functional in full": ("import torch.nn.functional", "torch.nn.functional.{0}"),
    "functional through torch": ("import torch", "torch.nn.functional.{0}"),
    "functional through nn": ("from torch import nn", "nn.functional.{0}"),
    "functional by name": ("from torch.nn.functional import {0}", "{0}"),
    "functional by alias": ("from torch.nn.functional import {0} as {0}_fn", "{0}_fn"),
    "functional by star": ("from torch.nn.functional import *", "{0}"),
    "F under try": ("try:\n    import torch.nn.functional as F\nexcept ImportError:\n    F = None", "F.{0}"),
    "F under a version check": (
        "import sys\nif sys.version_info >= (3,):\n    import torch.nn.functional as F\nelse:\n    F = None",
        "F.{0}",
    ),
    "F inside functions": ("", "F.{0}"),
}
_NN = {
    "nn as module": ("import torch.nn as nn", "nn.{0}"),
    "nn from torch": ("from torch import nn", "nn.{0}"),
    "nn through torch": ("import torch", "torch.nn.{0}"),
    "nn by name": ("from torch.nn import {0}", "{0}"),
    "nn by alias": ("from torch.nn import {0} as {0}Layer", "{0}Layer"),
}
_TORCH = {
    "torch": ("import torch", "torch.{0}"),
    "torch by alias": ("import torch as th", "th.{0}"),
}
_NOISE = {
    "no noise": "",
    "future annotations": "from __future__ import annotations",
    "TYPE_CHECKING": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from collections.abc import Iterator",
    "a namesake": "def kl_divergence(a, b):\n    return a, b",
}
_LOCAL_IMPORT = "import torch.nn.functional as F"


def is_name(text: str) -> bool:
    """Whether an expression is a plain name."""
    return text.isidentifier()


def atom(text: str) -> str:
    """An expression to which ``.method()`` may be appended."""
    tree = ast.parse(text, mode="eval").body
    return text if isinstance(tree, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) else f"({text})"


@dataclass
class Writer:
    """One program in the making. Every choice is drawn from ``random`` and leaves its name among the features."""

    random: Random
    features: dict[str, None] = field(default_factory=dict)
    imports: dict[str, None] = field(default_factory=dict)
    top: list[str] = field(default_factory=list)
    blocks: list[list[str]] = field(default_factory=lambda: [[]])
    scopes: list[set[str]] = field(default_factory=lambda: [set()])
    used: dict[str, int] = field(default_factory=dict)
    depth: int = 0
    init: list[str] | None = None  # the lines of __init__, where the code stands in a class
    parameters: dict[str, str] | None = None  # of the entry function, with what it is called with
    flag: str | None = None  # a parameter of the entry function that is True in one world and False in the other
    results: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._functional = self.pick(_FUNCTIONAL)
        self._nn = self.pick(_NN)
        self._torch = self.pick(_TORCH)
        self.noise = self.pick(_NOISE)

    # Choices.

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def choose(self, *options: T) -> T:
        return self.random.choice(options)

    def note(self, feature: str) -> None:
        """Name something that is in the program."""
        self.features[feature] = None

    def pick(self, options: Mapping[str, T], weights: Sequence[float] | None = None) -> T:
        """One of some named options; its name becomes a feature of the program."""
        (name,) = self.random.choices([*options], weights)
        self.note(name)
        return options[name]

    # Spelling.

    def functional(self, name: str) -> str:
        return self._spell(self._functional, name)

    def nn(self, name: str) -> str:
        return self._spell(self._nn, name)

    def torch(self, name: str) -> str:
        return self._spell(self._torch, name)

    def _spell(self, style: tuple[str, str], name: str) -> str:
        self.imports[style[0].format(name)] = None
        return style[1].format(name)

    def needs(self, line: str) -> None:
        """Import something that is not torch."""
        self.imports[line] = None

    @property
    def imports_in_functions(self) -> bool:
        """Whether ``F`` is bound only inside functions."""
        return not self._functional[0]

    def size(self, number: int) -> str:
        """A size as a literal or as a constant of the module."""
        return self.constant(f"SIZE_{number}", str(number)) if self.chance(0.15) else str(number)

    # Names and lines.

    def fresh(self, stem: str) -> str:
        """A name that the program does not use yet."""
        count = self.used[stem] = self.used.get(stem, 0) + 1
        return stem if count == 1 else f"{stem}_{count}"

    def emit(self, *lines: str) -> None:
        self.blocks[-1].extend(lines)

    def bind(self, text: str, stem: str = "") -> str:
        """Assign an expression to a new name."""
        name = self.own(self.fresh(stem or self.choose("out", "h", "value", "z")))
        self.emit(f"{name} = {text}")
        return name

    def own(self, name: str) -> str:
        """Note that the running scope binds a name."""
        self.scopes[-1].add(name)
        return name

    def name(self, text: str) -> str:
        """A name for an expression: itself, if it is one."""
        return text if is_name(text) else self.bind(text)

    def constant(self, name: str, text: str) -> str:
        """A constant of the module, defined once."""
        line = f"{name} = {text}"
        if line not in self.top:
            self.top.append(line)
        return name

    # Blocks.

    @contextmanager
    def indented(self, header: str) -> Iterator[None]:
        """Statements under ``if``, ``for``, ``with``: they share the names of what is around them."""
        self.blocks.append([])
        yield
        lines = self.blocks.pop()
        self.emit(header, *indent(lines or ["pass"]))

    @contextmanager
    def capture(self, *names: str) -> Iterator[list[str]]:
        """A body with names of its own; the lines are left in the list."""
        lines: list[str] = []
        self.blocks.append(lines)
        self.scopes.append(set(names))
        self.depth += 1
        yield lines
        self.depth -= 1
        self.scopes.pop()
        self.blocks.pop()

    @contextmanager
    def scope(self, header: str, *names: str, hoist: bool = True) -> Iterator[None]:
        """A function or class. It stands at the top of the module if it uses no name of a function around it."""
        with self.capture(*names) as lines:
            yield
        self.place(self.definition(header, lines), hoist)

    def definition(self, header: str, lines: list[str]) -> list[str]:
        """The lines of a function or class."""
        body = indent(lines or ["pass"])
        if self.imports_in_functions and "def " in header and "F" in words(lines):
            body = [*indent([_LOCAL_IMPORT]), *body]
        return [*header.split("\n"), *body]

    def place(self, lines: list[str], hoist: bool = True) -> None:
        """Put a definition at the top of the module if it may stand there, else here."""
        if hoist and self.is_free("\n".join(lines)):
            self.top += ["", *lines, ""]
        else:
            self.emit(*lines)
            self.own(next(_DEFINED.search(line)[1] for line in lines if _DEFINED.search(line)))

    def is_free(self, text: str, at_import: bool = False) -> bool:
        """Whether text may move to the top of the module; ``at_import`` if it is evaluated there at once."""
        used = words([text])
        bound = set().union(*self.scopes[0 if at_import else 1 :])
        return not used & bound and not (at_import and self.imports_in_functions and "F" in used)

    # The whole.

    def source(self) -> str:
        """The text of the program."""
        imports = sorted(line for line in self.imports if line)
        future = [self.noise] if self.noise.startswith("from __future__") else []
        noise = [self.noise] if self.noise and not future else []
        lines = [*future, *imports, *noise, "", *self.top, "", *self.blocks[0]]
        return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)) + "\n"


def indent(lines: list[str]) -> list[str]:
    """Lines one level deeper."""
    return [f"    {part}" for line in lines for part in line.split("\n")]


def words(lines: list[str]) -> set[str]:
    """The names in some lines."""
    return {word for line in lines for word in _WORD.findall(line)}
