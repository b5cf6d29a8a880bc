"""Traps of names: what a value is called, which function is called, and when."""

from __future__ import annotations

LYING_NAMES = {
    "logits that hold log_softmax output": """
        def kd_loss(student, teacher, x):
            logits = F.log_softmax(student(x), dim=1)
            with torch.no_grad():
                target = F.softmax(teacher(x), dim=1)
            return F.kl_div(logits, target, reduction="batchmean")

        loss = kd_loss(nn.Linear(5, 10), nn.Linear(5, 10), torch.randn(8, 5))
        """,
    "student_logits overwritten by its log_softmax": """
        def kd_loss(student_logits, teacher_logits):
            student_logits = F.log_softmax(student_logits, dim=-1)
            teacher_logits = teacher_logits.softmax(dim=-1)
            return F.kl_div(student_logits, teacher_logits, reduction="batchmean")

        loss = kd_loss(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "parameter called logits to which every caller gives log-probabilities": """
        def divergence(logits, target):
            return F.kl_div(logits, target, reduction="batchmean")

        class Trainer:
            def __init__(self, net):
                self.net = net

            def step(self, x, y):
                return divergence(F.log_softmax(self.net(x), dim=1), F.softmax(y, dim=1))

        loss = Trainer(nn.Linear(5, 10)).step(torch.randn(8, 5), torch.randn(8, 10))
        """,
    "attribute called logits that holds log-probabilities": """
        class Head(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def forward(self, x, target):
                self.logits = torch.log_softmax(self.fc(x), dim=-1)
                return self.criterion(self.logits, target)

        loss = Head()(torch.randn(8, 5), torch.randn(8, 10).softmax(-1))
        """,
    "logits in the dict of a forward that normalises": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                return {"logits": F.log_softmax(self.fc(x), dim=1)}

        net, nll = Net(), nn.NLLLoss()
        logits = net(torch.randn(8, 5))["logits"]
        loss = nll(logits, torch.randint(0, 10, (8,)))
        """,
    "prob that holds log values": """
        def forward_kl(x, y):
            prob = F.log_softmax(x, dim=1)
            target = F.softmax(y, dim=1)
            return F.kl_div(prob, target, reduction="batchmean")

        loss = forward_kl(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "prob that holds log values as a log target": """
        class Consistency(nn.Module):
            def __init__(self):
                super().__init__()
                self.kl = nn.KLDivLoss(reduction="batchmean", log_target=True)

            def forward(self, weak, strong):
                weak_prob = nn.LogSoftmax(dim=1)(weak).detach()
                strong_prob = nn.LogSoftmax(dim=1)(strong)
                return self.kl(strong_prob, weak_prob)

        loss = Consistency()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "parameters called probs that hold log values": """
        def divergence(student_probs, teacher_probs):
            return F.kl_div(student_probs, teacher_probs, reduction="batchmean", log_target=True)

        def step(x, y):
            return divergence(x.log_softmax(dim=1), y.log_softmax(dim=1))

        loss = step(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "log_probs that hold probabilities in the target": """
        def divergence(scores, log_probs):
            log_probs = log_probs.exp()
            return F.kl_div(F.log_softmax(scores, dim=1), log_probs, reduction="batchmean")

        loss = divergence(torch.randn(8, 10), F.log_softmax(torch.randn(8, 10), dim=1))
        """,
    "probs that hold scores in cross_entropy": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(5, 10)

            def forward(self, x):
                return self.fc(x)

        net, criterion = Net(), nn.CrossEntropyLoss()
        probs = net(torch.randn(8, 5))
        loss = criterion(probs, torch.randint(0, 10, (8,)))
        """,
}

REBINDING = {
    "out normalised on the line after the loss": """
        def train_step(net, x, y):
            out = net(x)
            loss = F.cross_entropy(out, y)
            out = F.softmax(out, dim=1)
            return loss, out.argmax(1)

        loss, _ = train_step(nn.Linear(5, 10), torch.randn(8, 5), torch.randint(0, 10, (8,)))
        """,
    "log-probabilities exponentiated after the loss": """
        def step(x, y):
            out = F.log_softmax(x, dim=1)
            target = F.softmax(y, dim=1)
            loss = F.kl_div(out, target, reduction="batchmean")
            out = out.exp()
            target = target.log()
            return loss, out, target

        loss, _, _ = step(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "exponentiated in place after the loss": """
        class Step(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss(reduction="batchmean")

            def forward(self, x, y):
                out = F.log_softmax(x, dim=1).detach()
                loss = self.criterion(out, F.softmax(y, dim=1))
                out.exp_()
                return loss, out

        loss, _ = Step()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "each turn of a loop binds the name anew": """
        net, criterion = nn.Linear(5, 10), nn.CrossEntropyLoss()
        correct = 0
        for _ in range(3):
            x, y = torch.randn(8, 5), torch.randint(0, 10, (8,))
            out = net(x)
            loss = criterion(out, y)
            loss.backward()
            out = torch.softmax(out, dim=1)
            correct += (out.argmax(1) == y).sum().item()
        """,
    "bound again before the loss": """
        def step(x, y):
            q = F.softmax(x, dim=1)
            entropy = -(q * q.clamp_min(1e-8).log()).sum(1).mean()
            q = F.log_softmax(x, dim=1)
            return F.kl_div(q, F.softmax(y, dim=1), reduction="batchmean") + 0.1 * entropy

        loss = step(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "the criterion is bound again after its use": """
        criterion = nn.KLDivLoss(reduction="batchmean")

        def kl(x, y):
            divergence = criterion
            value = divergence(F.log_softmax(x, dim=1), F.softmax(y, dim=1))
            divergence = nn.CrossEntropyLoss()
            return value + divergence(x, y.argmax(1))

        loss = kl(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "method called kl_div with its own softmax inside": """
        class Distiller(nn.Module):
            def kl_div(self, student, teacher, reduction="batchmean"):
                return F.kl_div(F.log_softmax(student, dim=-1), F.softmax(teacher, dim=-1), reduction=reduction)

            def forward(self, student_logits, teacher_logits):
                return self.kl_div(student_logits, teacher_logits)

        loss = Distiller()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "wrapper called kl_div with its own softmax inside": """
        def kl_div(input, target, temperature=1.0):
            log_q = F.log_softmax(input / temperature, dim=1)
            p = F.softmax(target / temperature, dim=1)
            return F.kl_div(log_q, p, reduction="batchmean") * temperature**2

        net, teacher = nn.Linear(5, 10), nn.Linear(5, 10)
        x = torch.randn(8, 5)
        loss = kl_div(net(x), teacher(x).detach())
        """,
    "wrapper called kl_div_loss that takes probabilities": """
        def kl_div_loss(input, target, reduction="none"):
            return F.kl_div(input.log(), target, reduction=reduction)

        def mixture_loss(a, b):
            m = (F.softmax(a, dim=1) + F.softmax(b, dim=1)) / 2
            return kl_div_loss(m, F.softmax(a, dim=1), reduction="batchmean")

        loss = mixture_loss(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "static method called cross_entropy with probabilities of its own": """
        class Loss:
            @staticmethod
            def cross_entropy(probs, target):
                return -(target * probs.clamp_min(1e-8).log()).sum(dim=1).mean()

            def __call__(self, x, y):
                return self.cross_entropy(torch.softmax(x, dim=1), torch.softmax(y, dim=1))

        x, y = torch.randn(8, 10), torch.randn(8, 10)
        loss = Loss()(x, y) + F.cross_entropy(x, y.argmax(1))
        """,
}

NAMESAKES = {
    "function of the same name": """
        def kl_div(p, q):
            return (p * (p / q).log()).sum(dim=1).mean()

        loss = kl_div(torch.randn(8, 10).softmax(1), torch.randn(8, 10).softmax(1))
        """,
    "class of the same name": """
        class KLDivLoss(nn.Module):
            def forward(self, p, q):
                return (p * (p.log() - q.log())).sum(dim=-1).mean()

        criterion = KLDivLoss()
        loss = criterion(torch.randn(8, 10).softmax(1), torch.randn(8, 10).softmax(1))
        """,
    "class of the same name that hides an import": """
        from torch.nn import CrossEntropyLoss

        class CrossEntropyLoss(nn.Module):
            def forward(self, probs, target):
                return -(target * torch.log(probs + 1e-8)).sum(dim=1).mean()

        loss = CrossEntropyLoss()(torch.randn(8, 10).softmax(1), torch.randn(8, 10).softmax(1))
        """,
    "function of the same name in a local scope": """
        def step(x, y):
            def cross_entropy(probs, target):
                return -(target * probs.log()).sum(1).mean()

            return cross_entropy(torch.softmax(x, 1), torch.softmax(y, 1))

        loss = step(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "parameter called F": """
        class Ops:
            def softmax(self, x):
                return x.softmax(1)

            def kl_div(self, p, q):
                return (p * (p / q).log()).sum(1).mean()

        def divergence(F, x, y):
            return F.kl_div(F.softmax(x), F.softmax(y))

        loss = divergence(Ops(), torch.randn(8, 10), torch.randn(8, 10))
        """,
    "parameter called kl_div": """
        def divergence(kl_div, x, y):
            return kl_div(torch.softmax(x, 1), torch.softmax(y, 1))

        loss = divergence(lambda p, q: (p * (p / q).log()).sum(1).mean(), torch.randn(8, 10), torch.randn(8, 10))
        """,
    "class called F": """
        class F:
            @staticmethod
            def kl_div(p, q):
                return (p * (p / q).log()).sum(1).mean()

        loss = F.kl_div(torch.randn(8, 10).softmax(1), torch.randn(8, 10).softmax(1))
        """,
    "nn is an attribute of something else": """
        class Ops:
            class nn:
                @staticmethod
                def KLDivLoss():
                    return lambda p, q: (p * (p / q).log()).sum(1).mean()

        criterion = Ops.nn.KLDivLoss()
        loss = criterion(torch.randn(8, 10).softmax(1), torch.randn(8, 10).softmax(1))
        """,
    "divergence of distributions": """
        from torch.distributions import Categorical, kl_divergence

        def kl_div(p, q):
            return kl_divergence(Categorical(probs=p), Categorical(probs=q)).mean()

        loss = kl_div(torch.randn(8, 10).softmax(1), torch.randn(8, 10).softmax(1))
        """,
    "numpy function of the same name": """
        import numpy as np

        def softmax(x):
            e = np.exp(x - x.max(1, keepdims=True))
            return e / e.sum(1, keepdims=True)

        def kl_div(p, q):
            return np.sum(p * np.log(p / q), axis=1).mean()

        loss = kl_div(softmax(np.random.randn(8, 10)), softmax(np.random.randn(8, 10)))
        """,
    "scipy kl_div": """
        from scipy.special import kl_div, softmax

        x, y = torch.randn(8, 10).numpy(), torch.randn(8, 10).numpy()
        loss = kl_div(softmax(x, axis=1), softmax(y, axis=1)).sum(1).mean()
        """,
    "scipy kl_div through its module": """
        import scipy.special as F

        x, y = torch.randn(8, 10).numpy(), torch.randn(8, 10).numpy()
        loss = F.kl_div(F.softmax(x, axis=1), F.softmax(y, axis=1)).sum(1).mean()
        """,
}

FOREIGN = {
    "paddle": """
        import paddle
        import paddle.nn as nn
        import paddle.nn.functional as F

        class Distill(nn.Layer):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss()
                self.ce = nn.CrossEntropyLoss(use_softmax=False)

            def forward(self, x, y):
                return self.ce(F.softmax(x, axis=1), y) + F.kl_div(F.softmax(x), F.softmax(y)) + self.criterion(x, y)
        """,
    "paddle beside torch": """
        import torch
        import paddle.nn.functional as F

        def loss(x, y):
            return F.kl_div(torch.softmax(x, dim=1), torch.softmax(y, dim=1))
        """,
    "mindspore": """
        from mindspore import nn, ops

        kl = nn.KLDivLoss()

        def loss(x, y):
            return kl(ops.softmax(x), ops.softmax(y)) + ops.kl_div(ops.softmax(x), ops.softmax(y))
        """,
    "keras": """
        import tensorflow as tf
        from keras.losses import CategoricalCrossentropy, KLDivergence, kl_divergence

        def loss(x, y):
            p, q = tf.nn.softmax(y), tf.nn.softmax(x)
            return KLDivergence()(p, q) + kl_divergence(p, q) + CategoricalCrossentropy()(y, q)
        """,
    "jax": """
        import jax.nn as nn
        import optax
        from optax import kl_divergence as kl_div

        def loss(x, y):
            return kl_div(nn.softmax(x), nn.softmax(y)).mean() + optax.losses.kl_divergence(nn.softmax(x), y).mean()
        """,
    "torchmetrics": """
        import torch
        import torchmetrics.functional as F
        from torchmetrics.functional import kl_divergence as kl_div

        def distance(x, y):
            return kl_div(torch.softmax(x, 1), torch.softmax(y, 1)) + F.kl_div(torch.softmax(x, 1), torch.softmax(y, 1))
        """,
    "warp-ctc": """
        import torch.nn as nn
        from warpctc_pytorch import CTCLoss, CrossEntropyLoss

        ctc, ce = CTCLoss(), CrossEntropyLoss()

        def loss(acts, labels, act_lens, label_lens):
            return ctc(acts.softmax(-1), labels, act_lens, label_lens) + ce(acts.softmax(-1), labels)
        """,
    "a loss of the project's own": """
        import torch.nn.functional as F
        from .losses import KLDivLoss, cross_entropy
        from mylib.functional import kl_div

        criterion = KLDivLoss()

        def loss(x, y):
            p, q = F.softmax(x, dim=1), F.softmax(y, dim=1)
            return criterion(p, q) + kl_div(p, q) + cross_entropy(p, q)
        """,
    "a project's own module called torch_nn": """
        import torch
        import mytorch.nn as nn
        import mytorch.nn.functional as F

        def loss(x, y):
            return nn.KLDivLoss()(torch.softmax(x, 1), torch.softmax(y, 1)) + F.cross_entropy(torch.softmax(x, 1), y)
        """,
    "a method of the project's own": """
        import torch

        class Agent:
            def update(self, policy, old):
                return self.kl_div(torch.softmax(policy, -1), torch.softmax(old, -1)) + self.ops.cross_entropy(
                    torch.softmax(policy, -1), old
                )
        """,
}

UNKNOWN_OPTIONS = {
    "positional None, None, sum": """
        def divergence(x, y):
            log_q, p = F.log_softmax(x, dim=1), F.softmax(y, dim=1)
            return F.kl_div(log_q, p, None, None, "sum") / x.size(0)

        loss = divergence(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "positional None, None, batchmean in the constructor": """
        class Distill(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.KLDivLoss(None, None, "batchmean")

            def forward(self, x, y):
                return self.criterion(F.log_softmax(x, dim=1), F.softmax(y, dim=1))

        loss = Distill()(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "positional None, None, sum by an alias": """
        from torch.nn.functional import kl_div as divergence

        log_q, log_p = torch.randn(8, 10).log_softmax(1), torch.randn(8, 10).log_softmax(1)
        loss = divergence(log_q, log_p, None, None, "sum", True) / len(log_q)
        """,
    "positional options of cross_entropy": """
        logits, labels = torch.randn(8, 10), torch.randint(0, 10, (8,))
        loss = F.cross_entropy(logits, labels, None, None, -100, None, "sum") / labels.size(0)
        """,
    "reduction by a parameter with a wrong default that no caller takes": """
        class Distill(nn.Module):
            def __init__(self, reduction):
                super().__init__()
                self.reduction = reduction

            def forward(self, x, y):
                return F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction=self.reduction)

        loss = Distill("batchmean")(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "reduction by a parameter": """
        def divergence(x, y, reduction):
            return F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction=reduction)

        loss = divergence(torch.randn(8, 10), torch.randn(8, 10), reduction="batchmean")
        """,
    "reduction from a configuration": """
        import json

        config = json.loads('{"reduction": "batchmean", "log_target": true}')
        criterion = nn.KLDivLoss(reduction=config["reduction"], log_target=config["log_target"])
        loss = criterion(F.log_softmax(torch.randn(8, 10), dim=1), F.log_softmax(torch.randn(8, 10), dim=1))
        """,
    "reduction from the command line": """
        import argparse

        parser = argparse.ArgumentParser()
        parser.add_argument("--reduction", default="batchmean")
        parser.add_argument("--log-target", action="store_true")
        args = parser.parse_args(["--log-target"])
        log_q, log_p = torch.randn(8, 10).log_softmax(1), torch.randn(8, 10).log_softmax(1)
        loss = F.kl_div(log_q, log_p, reduction=args.reduction, log_target=args.log_target)
        """,
    "log_target by a parameter": """
        def divergence(log_q, target, log_target):
            return F.kl_div(log_q, target, reduction="batchmean", log_target=log_target)

        x, y = torch.randn(8, 10), torch.randn(8, 10)
        loss = divergence(F.log_softmax(x, dim=1), F.log_softmax(y, dim=1), True)
        loss = loss + divergence(F.log_softmax(x, dim=1), F.softmax(y, dim=1), False)
        """,
    "log_target by an attribute": """
        class Distill(nn.Module):
            def __init__(self, **options):
                super().__init__()
                self.criterion = nn.KLDivLoss(**options)

            def forward(self, x, y):
                return self.criterion(F.log_softmax(x, dim=1), F.log_softmax(y, dim=1))

        loss = Distill(reduction="batchmean", log_target=True)(torch.randn(8, 10), torch.randn(8, 10))
        """,
    "log_target by a module constant": """
        LOG_TARGET = True
        REDUCTION = "batchmean"

        def divergence(x, y):
            log_q, log_p = F.log_softmax(x, dim=1), F.log_softmax(y, dim=1)
            return F.kl_div(log_q, log_p, reduction=REDUCTION, log_target=LOG_TARGET)

        loss = divergence(torch.randn(8, 10), torch.randn(8, 10))
        """,
}
