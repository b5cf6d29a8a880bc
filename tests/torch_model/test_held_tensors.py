"""Tensors that modules hold, lists that are joined, targets that only indices can be: what is known, and what is not."""

from __future__ import annotations

from textwrap import dedent

import pytest
import torch

from klint import lint_source
from tests.codes import PREAMBLE
from tests.truth import watch

UNDERSTOOD = {
    "scores plus a parameter": """
        class Head(nn.Module):
            def __init__(self):
                super().__init__()
                self.decoder = nn.Linear(10, 10, bias=False)
                self.bias = nn.Parameter(torch.zeros(10))

            def forward(self, x):
                return self.decoder(x) + self.bias

        F.cross_entropy(Head()(x), torch.arange(8))
        """,
    "scores minus a registered parameter": """
        class Head(nn.Module):
            def __init__(self):
                super().__init__()
                self.decoder = nn.Linear(10, 10)
                self.register_parameter("offset", nn.Parameter(torch.ones(10)))

            def forward(self, x):
                return self.decoder(x) - self.offset

        F.cross_entropy(Head()(x), torch.arange(8))
        """,
    "scores plus a registered buffer": """
        class Head(nn.Module):
            def __init__(self):
                super().__init__()
                self.decoder = nn.Linear(10, 10)
                self.register_buffer("final_bias", torch.zeros((1, 10)), persistent=False)

            def forward(self, x):
                scores = self.decoder(x)
                return scores + self.final_bias.to(scores.device)

        F.cross_entropy(Head()(x), torch.arange(8))
        """,
    "scores plus an nn.Buffer": """
        class Head(nn.Module):
            def __init__(self):
                super().__init__()
                self.decoder = nn.Linear(10, 10)
                self.final_bias = nn.Buffer(torch.zeros((1, 10)))

            def forward(self, x):
                return self.decoder(x) + self.final_bias

        F.cross_entropy(Head()(x), torch.arange(8))
        """,
    "module added under a name": """
        class Head(nn.Module):
            def __init__(self):
                super().__init__()
                self.add_module("decoder", nn.Linear(10, 10))

            def forward(self, x):
                return self.decoder(x)

        F.cross_entropy(Head()(x), torch.arange(8))
        """,
    "scores plus what a layer learns": """
        layer = nn.Linear(10, 10)
        F.cross_entropy(layer(x) + layer.bias + layer.weight[0], torch.arange(8))
        """,
    "cosines": """
        def measure(a, b):
            return F.cross_entropy(F.cosine_similarity(a.unsqueeze(1), b.unsqueeze(0), dim=-1) / 0.1, torch.arange(8))

        """,
    "cosines of a module": """
        cosine = nn.CosineSimilarity(dim=-1, eps=1e-6)

        def measure(a, b):
            return F.cross_entropy(cosine(a.unsqueeze(1), b.unsqueeze(0)) * 20, torch.arange(8))

        """,
    "scores of which a part is set to minus infinity": """
        scores = x @ y.t()
        scores[torch.arange(1, 4), 0] = -torch.inf
        scores[:, 7] = float("-inf")
        scores[5] = x[5, :8]
        F.cross_entropy(scores, torch.arange(8))
        """,
    "list that grows under a condition": """
        def measure(with_rows):
            scores = [x]
            if with_rows:
                scores.append(y)
            return F.cross_entropy(torch.cat(scores, dim=1), torch.arange(8))

        """,
    "list that a loop fills": """
        def measure(parts):
            scores = []
            for part in parts:
                scores.append(nn.Linear(10, 10)(part))
            return F.cross_entropy(torch.cat(scores, dim=0), torch.arange(8))

        measure(x.split(4))
        """,
    "base whose own base is too large to be followed": """
        class Root(nn.Module):
            def __init__(self):
                super().__init__()
                {LARGE}

        class Base(Root):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(10, 10)

        class Entry(Base):
            def __init__(self):
                super().__init__()
                self.extra = None

            def forward(self, x):
                return F.cross_entropy(self.head(x), torch.arange(8))

        Entry()(x)
        """.replace("{LARGE}", "; ".join(f"self.a{i} = {' + '.join('1' * 80)}" for i in range(60))),
    "target of a loss that ignores a class": """
        def measure(rows, labels):
            return F.cross_entropy(nn.Linear(10, 10)(rows), labels, ignore_index=0)

        measure(x, x.argmax(1))
        """,
    "target of a loss that ignores what lies outside": """
        def measure(rows, starts):
            scores = nn.Linear(10, 10)(rows)
            outside = scores.size(1)
            return nn.CrossEntropyLoss(ignore_index=outside)(scores, starts.clamp(0, outside))

        measure(x, x.argmax(1))
        """,
    "target of a loss that ignores a size": """
        def measure(rows, starts):
            scores = nn.Linear(10, 10)(rows)
            return F.cross_entropy(scores, starts, ignore_index=scores.shape[-1])

        measure(x, x.argmax(1))
        """,
    "any entry of a dict of scores": """
        def measure(rows, key):
            scores = {"first": nn.Linear(10, 10)(rows), "second": nn.Linear(10, 10)(rows)}
            return F.cross_entropy(scores[key], torch.arange(8))

        measure(x, "first")
        """,
    "lazy property": """
        from torch.distributions.utils import lazy_property

        class Mine:
            @lazy_property
            def logits(self):
                return x * 2

            def measure(self):
                return F.cross_entropy(self.logits, torch.arange(8))

        Mine().measure()
        """,
}
"""Right programs: the loss call must be understood."""

SILENT = {
    "buffer that is filled with a distribution elsewhere": """
        class Prior(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("prior", torch.zeros(8, 10))

            def update(self, value):
                self.prior.copy_(value)

            def forward(self, log_q):
                return F.kl_div(log_q, self.prior, reduction="sum")

        module = Prior()
        module.update(p)
        module(log_q)
        """,
    "buffer that begins as scores": """
        class Prior(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("prior", torch.randn(8, 10))

            def update(self, value):
                self.prior[:] = value

            def forward(self, x):
                return F.kl_div(self.prior, F.softmax(x, dim=1), reduction="sum")

        module = Prior()
        module.update(log_q)
        module(x)
        """,
    "log-probabilities plus a parameter": """
        shift = nn.Parameter(torch.zeros(1))
        F.kl_div(F.log_softmax(x, dim=1) + shift, p, reduction="sum")
        """,
    "parameter that begins as zeros, times what is not known": """
        gate = nn.Parameter(torch.ones(1))

        def measure(q):
            return F.kl_div(gate * q, p, reduction="sum")

        measure(log_q)
        """,
    "soft target of a loss that ignores no class": """
        def measure(rows, soft):
            return F.cross_entropy(rows, soft, ignore_index=-1)

        measure(x, p)
        """,
    "layer without a bias": """
        layer = nn.Linear(10, 10, bias=False)
        q = F.log_softmax(x, dim=1)
        if layer.bias is not None:
            q = q.exp()
        F.kl_div(q, p, reduction="sum")
        """,
    "layer that may have a bias": """
        def measure(bias):
            layer = nn.Linear(10, 10, bias=bias)
            q = F.log_softmax(x, dim=1)
            if layer.bias is not None:
                q = q.exp()
            return F.kl_div(q, p, reduction="sum")

        measure(False)
        """,
    "scores into which the rest of a distribution is written": """
        def measure(q):
            log_p = torch.randn(8, 10)
            log_p[:] = q
            log_p[:, :] = q
            return F.kl_div(log_p, p, reduction="sum")

        measure(log_q)
        """,
    "any entry of two dicts by one key": """
        def measure(key):
            values = {"log": F.log_softmax(y, dim=1), "plain": F.softmax(y, dim=1)}
            return F.kl_div(log_q, values[key], reduction="sum", log_target={"log": True, "plain": False}[key])

        measure("log")
        measure("plain")
        """,
    "any entry of a dict of functions": """
        def measure(key):
            function = {"log": F.log_softmax, "plain": F.softmax, "same": nn.Identity()}[key]
            return F.kl_div(function(x, dim=1), p, reduction="sum")

        measure("log")
        """,
    "any entry of a dict that was filled twice": """
        def measure(key):
            values = {"one": F.softmax(x, dim=1), "two": F.softmax(x, dim=1)}
            values["one"] = values["two"] = log_q
            return F.kl_div(values[key], p, reduction="sum")

        measure("one")
        """,
    "one of two lists": """
        def measure(flag=True):
            parts = [F.log_softmax(x, dim=1)]
            if not flag:
                parts = [x]
            return F.kl_div(torch.cat(parts), p, reduction="sum")

        measure()
        """,
}
"""Right programs of which nothing must be said."""


def source(program: str) -> str:
    """A program as it stands in a file."""
    return PREAMBLE + dedent(program)


@pytest.mark.parametrize("program", UNDERSTOOD.values(), ids=UNDERSTOOD)
def test_program_is_understood(program):
    report = lint_source(source(program), "case.py")
    assert report.findings == []
    assert report.understood == report.sites > 0


@pytest.mark.parametrize("program", SILENT.values(), ids=SILENT)
def test_nothing_is_said(program):
    assert lint_source(source(program), "case.py").findings == []


@pytest.mark.parametrize("program", [*UNDERSTOOD.values(), *SILENT.values()], ids=[*UNDERSTOOD, *SILENT])
def test_torch_agrees(program):
    rows = torch.randn(8, 10)
    names = {"x": rows, "y": torch.randn(8, 10), "p": torch.randn(8, 10).softmax(1), "log_q": rows.log_softmax(1)}
    seen, _ = watch(source(program), **names)
    assert set(seen.codes) == set()
