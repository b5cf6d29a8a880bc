"""Helpers that are judged at their callers, in one file and across files.

A program of several files has a line ``# file: NAME`` before each; the last one is run.
"""

from __future__ import annotations

from tests.graph.idioms import Idiom, pair, reductions, targets, twins

FUNCTIONS: dict[str, Idiom] = {
    "helper judged at its caller": twins(
        """
        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        kd_loss(F.___(x, dim=1), p)
        """
    ),
    "helper called by keywords": twins(
        """
        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        kd_loss(teacher=p, student=F.___(x, dim=1))
        """
    ),
    "helper of a helper": twins(
        """
        def divergence(a, b):
            return F.kl_div(a, b, reduction="sum")

        def kd_loss(student, teacher):
            return divergence(student, F.softmax(teacher, dim=1))

        kd_loss(F.___(x, dim=1), y)
        """
    ),
    "chain of four helpers": twins(
        """
        def a(q, t):
            return F.kl_div(q, t, reduction="sum")

        def b(q, t):
            return a(q.clone(), t)

        def c(q, t):
            return b(q, t.clone())

        def d(q, t):
            return c(t=t, q=q)

        d(x.___(1), p)
        """
    ),
    "helper defined after its caller": twins(
        """
        def step(x, target):
            return kd_loss(F.___(x, dim=1), target)

        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        step(x, p)
        """
    ),
    "helper with a right and a wrong caller": pair(
        """
        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        kd_loss(F.log_softmax(x, dim=1), p)
        kd_loss(F.softmax(x, dim=1), p)
        """,
        "KL101",
        """
        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        kd_loss(F.log_softmax(x, dim=1), p)
        kd_loss(F.log_softmax(y, dim=1), p)
        """,
    ),
    "helper that normalises": twins(
        """
        def normalise(x, dim=-1):
            return torch.___(x, dim)

        F.kl_div(normalise(x), p, reduction="sum")
        """
    ),
    "helper that passes its argument through": twins(
        """
        def cast(x):
            x = x.float()
            return x

        F.kl_div(cast(x.___(1)), p, reduction="sum")
        """
    ),
    "helper that takes a criterion": reductions(
        """
        def apply(criterion, *tensors):
            return criterion(*tensors)

        apply(nn.KLDivLoss(reduction="___"), log_q, p)
        """
    ),
    "helper that takes a function": twins(
        """
        def apply(function, tensor, **options):
            return function(tensor, **options)

        F.kl_div(apply(F.___, x, dim=1), p, reduction="sum")
        """
    ),
    "helper that gives a function": twins(
        """
        def make(dim):
            return lambda tensor: F.___(tensor, dim=dim)

        normalise = make(1)
        F.kl_div(normalise(x), p, reduction="sum")
        """
    ),
    "helper that calls itself": twins(
        """
        def repeat(q, target, times):
            if times == 0:
                return F.kl_div(q, target, reduction="sum")
            return repeat(q, target, times - 1)

        repeat(x.___(1), p, 2)
        """
    ),
    "two helpers that call each other": twins(
        """
        def even(q, times):
            return F.kl_div(q, p, reduction="sum") if times == 0 else odd(q, times - 1)

        def odd(q, times):
            return even(q, times - 1)

        even(F.___(x, dim=1), 2)
        """
    ),
    "helper under a decorator of its own": twins(
        """
        import functools

        def timed(function):
            @functools.wraps(function)
            def wrapper(*args, **kwargs):
                return function(*args, **kwargs)

            return wrapper

        @timed
        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        kd_loss(F.___(x, dim=1), p)
        """
    ),
    "helper under torch.compile": twins(
        """
        @torch.compile(disable=True)
        def normalise(x):
            return F.___(x, dim=1)

        F.kl_div(normalise(x), p, reduction="sum")
        """
    ),
    "helper under a decorator of torch.jit": twins(
        """
        @torch.jit.ignore
        def normalise(x):
            return F.___(x, dim=1)

        F.kl_div(normalise(x), p, reduction="sum")
        """
    ),
    "helper under lru_cache": reductions(
        """
        from functools import lru_cache

        @lru_cache(maxsize=None)
        def criterion():
            return nn.KLDivLoss(reduction="___")

        criterion()(log_q, p)
        """
    ),
    "generator function": twins(
        """
        def batches():
            yield x.___(1), p
            yield y.___(1), p

        for q, target in batches():
            F.kl_div(q, target, reduction="sum")
        """
    ),
    "method helper judged at its caller": twins(
        """
        class Distiller:
            def divergence(self, student, teacher):
                return F.kl_div(student, teacher, reduction="sum")

            def step(self, x, y):
                return self.divergence(F.___(x, dim=1), F.softmax(y, dim=1))

        Distiller().step(x, y)
        """
    ),
    "method helper called from outside": twins(
        """
        class Distiller:
            def divergence(self, student, teacher):
                return F.kl_div(student, teacher, reduction="sum")

        distiller = Distiller()
        distiller.divergence(x.___(1), p)
        """
    ),
    "option of a helper": targets(
        """
        def kd_loss(student, teacher, log_target):
            return F.kl_div(student, teacher, reduction="sum", log_target=log_target)

        kd_loss(log_q, F.log_softmax(y, dim=1), ___)
        """
    ),
    "in-place change by a helper": pair(
        """
        def exponentiate(tensor):
            tensor.exp_()

        q = F.log_softmax(x, dim=1)
        exponentiate(q)
        F.kl_div(q, p, reduction="sum")
        """,
        "KL101",
        """
        def exponentiate(tensor):
            tensor.exp_()

        q = F.log_softmax(x, dim=1)
        exponentiate(q.clone())
        F.kl_div(q, p, reduction="sum")
        """,
    ),
    "value that a helper leaves in a dict": twins(
        """
        def forward(batch):
            batch["q"] = F.___(batch["x"], dim=1)

        batch = {"x": x}
        forward(batch)
        F.kl_div(batch["q"], p, reduction="sum")
        """
    ),
}

FILES: dict[str, Idiom] = {
    "wrapper in another file": twins(
        """
        # file: losses.py
        import torch.nn.functional as F

        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        # file: train.py
        import torch
        from losses import kd_loss

        kd_loss(torch.___(torch.randn(8, 10), 1), torch.softmax(torch.randn(8, 10), 1))
        """
    ),
    "wrapper through its module": twins(
        """
        # file: losses.py
        import torch.nn.functional as F

        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        # file: train.py
        import torch
        import losses

        losses.kd_loss(torch.___(torch.randn(8, 10), 1), torch.softmax(torch.randn(8, 10), 1))
        """
    ),
    "wrapper class in another file": twins(
        """
        # file: losses.py
        import torch.nn as nn

        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction="sum")

            def forward(self, student, teacher):
                return self.criterion(student, teacher)

        # file: train.py
        import torch
        from losses import Distill as Criterion

        Criterion()(torch.___(torch.randn(8, 10), 1), torch.softmax(torch.randn(8, 10), 1))
        """
    ),
    "model in another file": twins(
        """
        # file: models.py
        import torch.nn as nn
        import torch.nn.functional as F

        class Net(nn.Module):
            def forward(self, x):
                return F.___(x, dim=1)

        # file: train.py
        import torch
        import torch.nn.functional as F
        from models import Net

        F.kl_div(Net()(torch.randn(8, 10)), torch.softmax(torch.randn(8, 10), 1), reduction="sum")
        """
    ),
    "base class in another file": twins(
        """
        # file: base.py
        import torch.nn as nn
        import torch.nn.functional as F

        class Base(nn.Module):
            def forward(self, x):
                return F.___(self.head(x), dim=1)

        # file: train.py
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        from base import Base

        class Net(Base):
            def __init__(self):
                super().__init__()
                self.head = nn.Linear(10, 10)

        F.kl_div(Net()(torch.randn(8, 10)), torch.softmax(torch.randn(8, 10), 1), reduction="sum")
        """
    ),
    "constant in another file": reductions(
        """
        # file: config.py
        REDUCTION = "___"

        # file: train.py
        import torch
        import torch.nn.functional as F
        import config

        q, p = torch.randn(8, 10).log_softmax(1), torch.randn(8, 10).softmax(1)
        F.kl_div(q, p, reduction=config.REDUCTION)
        """
    ),
    "factory in another file": reductions(
        """
        # file: build.py
        import torch.nn as nn

        def criterion():
            return nn.KLDivLoss(reduction="___")

        # file: train.py
        import torch
        from build import criterion

        loss = criterion()
        loss(torch.randn(8, 10).log_softmax(1), torch.randn(8, 10).softmax(1))
        """
    ),
    "relative import in a package": twins(
        """
        # file: project/__init__.py

        # file: project/losses.py
        import torch.nn.functional as F

        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        # file: project/step.py
        from .losses import kd_loss

        def step(x, y):
            return kd_loss(x.___(1), y.softmax(1))

        # file: train.py
        import torch
        from project.step import step

        step(torch.randn(8, 10), torch.randn(8, 10))
        """
    ),
    "relative import of a module": twins(
        """
        # file: project/__init__.py

        # file: project/losses.py
        import torch.nn.functional as F

        def kd_loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        # file: project/models/__init__.py

        # file: project/models/net.py
        from .. import losses

        def step(x, y):
            return losses.kd_loss(x.___(1), y.softmax(1))

        # file: train.py
        import torch
        from project.models.net import step

        step(torch.randn(8, 10), torch.randn(8, 10))
        """
    ),
    "absolute import in a package": twins(
        """
        # file: project/__init__.py

        # file: project/ops.py
        import torch.nn.functional as F

        def normalise(x):
            return F.___(x, dim=1)

        # file: project/step.py
        import torch.nn.functional as F
        import project.ops

        def step(x, y):
            return F.kl_div(project.ops.normalise(x), F.softmax(y, dim=1), reduction="sum")

        # file: train.py
        import torch
        from project.step import step

        step(torch.randn(8, 10), torch.randn(8, 10))
        """
    ),
    "src layout": twins(
        """
        # file: src/project/__init__.py

        # file: src/project/ops.py
        import torch.nn.functional as F

        def normalise(x):
            return F.___(x, dim=1)

        # file: tests/check.py
        import torch
        import torch.nn.functional as F
        from project.ops import normalise

        F.kl_div(normalise(torch.randn(8, 10)), torch.softmax(torch.randn(8, 10), 1), reduction="sum")
        """
    ),
    "name passed on by a package": twins(
        """
        # file: project/__init__.py
        from .ops import normalise

        # file: project/ops.py
        import torch.nn.functional as F

        def normalise(x):
            return F.___(x, dim=1)

        # file: train.py
        import torch
        import torch.nn.functional as F
        from project import normalise

        F.kl_div(normalise(torch.randn(8, 10)), torch.softmax(torch.randn(8, 10), 1), reduction="sum")
        """
    ),
    "torch passed on by a file of the project": twins(
        """
        # file: common.py
        import torch
        import torch.nn.functional as F

        # file: train.py
        from common import F, torch

        F.kl_div(F.___(torch.randn(8, 10), dim=1), torch.softmax(torch.randn(8, 10), 1), reduction="sum")
        """
    ),
    "star import of a file of the project": twins(
        """
        # file: common.py
        import torch
        import torch.nn.functional as F

        def normalise(x):
            return F.___(x, dim=1)

        # file: train.py
        from common import *

        F.kl_div(normalise(torch.randn(8, 10)), torch.softmax(torch.randn(8, 10), 1), reduction="sum")
        """
    ),
    "files that import each other": twins(
        """
        # file: losses.py
        import torch.nn.functional as F
        import ops

        def kd_loss(x, target):
            return F.kl_div(ops.normalise(x), target, reduction="sum")

        # file: ops.py
        import torch.nn.functional as F
        import losses

        def normalise(x):
            return F.___(x, dim=1)

        # file: train.py
        import torch
        from losses import kd_loss

        kd_loss(torch.randn(8, 10), torch.softmax(torch.randn(8, 10), 1))
        """
    ),
    "option at the caller in another file": targets(
        """
        # file: losses.py
        import torch.nn.functional as F

        def kd_loss(student, teacher, log_target=False):
            return F.kl_div(student, teacher, reduction="sum", log_target=log_target)

        # file: train.py
        import torch
        from losses import kd_loss

        kd_loss(torch.randn(8, 10).log_softmax(1), torch.randn(8, 10).log_softmax(1), log_target=___)
        """
    ),
}
