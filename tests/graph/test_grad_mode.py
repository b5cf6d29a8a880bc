"""Where gradients are recorded: contexts and decorators, also around the callers of a function."""

from __future__ import annotations

from textwrap import dedent

import pytest

from klint.graph.build import build
from klint.source.python import parse_source
from klint.torch_model.library import TORCH


def recorded(source):
    """Whether each softmax of a program records gradients, in the order in which they are met."""
    unit = parse_source("import torch\n" + dedent(source), "case.py")
    graph = build(unit, TORCH, wanted=frozenset({"softmax"}))
    return [operation.grad_enabled for operation in graph.operations if operation.name == "softmax"]


@pytest.mark.parametrize(
    ("context", "inside"),
    [
        ("torch.no_grad()", False),
        ("torch.inference_mode()", False),
        ("torch.set_grad_enabled(False)", False),
        ("torch.set_grad_enabled(True)", True),
        ("torch.set_grad_enabled(flag)", False),
        ("torch.enable_grad()", True),
        ("torch.autocast('cuda')", True),
        ("open('log')", True),
        ("somewhere()", False),
        ("torch.autocast('cuda'), torch.no_grad()", False),
    ],
)
def test_a_context_holds_to_its_end(context, inside):
    source = f"with {context}:\n    torch.softmax(x, 1)\ntorch.softmax(y, 1)\n"
    assert recorded(source) == [inside, True]


def test_contexts_nest():
    source = """
        with torch.no_grad():
            with torch.enable_grad():
                torch.softmax(x, 1)
            torch.softmax(y, 1)
        """
    assert recorded(source) == [True, False]


@pytest.mark.parametrize(
    ("decorator", "inside"),
    [
        ("@torch.no_grad()", False),
        ("@torch.inference_mode()", False),
        ("@torch.no_grad", False),
        ("@torch.enable_grad()", True),
        ("@torch.compile", True),
        ("", True),
    ],
)
def test_a_decorator_holds_for_the_body(decorator, inside):
    assert recorded(f"{decorator}\ndef f(x):\n    return torch.softmax(x, 1)\nf(y)\n")[0] is inside


def test_a_function_is_called_as_its_caller_is():
    source = """
        def f(x):
            return torch.softmax(x, 1)

        with torch.no_grad():
            f(x)
        f(y)
        """
    assert recorded(source)[:2] == [False, True]


def test_what_follows_an_early_return_is_outside_of_the_context():
    source = """
        def f(x, flag):
            if flag:
                with torch.no_grad():
                    return torch.softmax(x, 1)
            return torch.softmax(x, 0)

        f(y, unknown)
        """
    assert recorded(source)[:2] == [False, True]
