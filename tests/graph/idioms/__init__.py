"""The idioms that klint understands, by topic: ``{idiom: (wrong program, codes, right program)}``.

The wrong program must yield exactly the codes, which it can only if the idiom is understood; the right one, which
differs from it as little as can be, must yield none. A program stands behind the preamble of ``tests.codes``, unless
its topic brings imports of its own, and runs in torch; a function ``entry`` or a class ``Entry`` stands for code that
nothing in the program calls.
"""

from __future__ import annotations

from textwrap import dedent
from typing import NamedTuple

BLANK = "___"


class Idiom(NamedTuple):
    """A wrong program with the codes that it must yield, and its right twin."""

    wrong: str
    codes: tuple[str, ...]
    right: str


def pair(wrong: str, codes: str, right: str) -> Idiom:
    """An idiom whose programs differ in more than one place."""
    return Idiom(dedent(wrong), tuple(codes.split()), dedent(right))


def twins(source: str, wrong: str = "softmax", right: str = "log_softmax", codes: str = "KL101") -> Idiom:
    """An idiom whose programs differ in what stands for the blanks of ``source``."""
    source = dedent(source)
    return Idiom(source.replace(BLANK, wrong), tuple(codes.split()), source.replace(BLANK, right))


def targets(source: str) -> Idiom:
    """An idiom whose wrong program gives a target in logs, and whose right one says so: the blank is ``log_target``."""
    return twins(source, "False", "True", "KL103")


def reductions(source: str) -> Idiom:
    """An idiom whose programs differ in the reduction."""
    return twins(source, "mean", "sum", "KL201")
