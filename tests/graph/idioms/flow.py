"""Flow: branches, loops, comprehensions, returns, exceptions, gradients switched off."""

from __future__ import annotations

from tests.graph.idioms import Idiom, pair, reductions, targets, twins

FLOW: dict[str, Idiom] = {
    # Branches
    "both branches agree": twins(
        """
        def entry(x, p, flag=True):
            if flag:
                q = F.___(x, dim=1)
            else:
                q = F.___(x / 2, dim=1)
            return F.kl_div(q, p, reduction="sum")
        """
    ),
    "branches that disagree": pair(
        """
        def entry(x, y, flag=False):
            q = F.softmax(x, dim=1)
            if flag:
                q = q + 0
            return F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
        """,
        "KL101",
        """
        def entry(x, y, flag=True):
            q = F.softmax(x, dim=1)
            if flag:
                q = F.log_softmax(x, dim=1)
            return F.kl_div(q, F.softmax(y, dim=1), reduction="sum")
        """,
    ),
    "elif chain": twins(
        """
        def entry(x, y, mode="a"):
            if mode == "a":
                q = F.___(x, dim=1)
            elif mode == "b":
                q = x.___(1)
            else:
                q = torch.___(x, 1)
            return F.kl_div(q, F.softmax(y, dim=1), reduction="sum")
        """
    ),
    "match statement": twins(
        """
        def entry(x, y, mode="a"):
            match mode:
                case "a":
                    q = F.___(x, dim=1)
                case _:
                    q = x.___(1)
            return F.kl_div(q, F.softmax(y, dim=1), reduction="sum")
        """
    ),
    "loss inside a branch": twins(
        """
        def entry(x, y, weight=1.0):
            loss = 0
            if weight > 0:
                loss = weight * F.kl_div(F.___(x, dim=1), F.softmax(y, dim=1), reduction="sum")
            return loss
        """
    ),
    "conditional expression of values": twins(
        """
        def entry(x, y, sharp=True):
            q = F.___(x / 0.5, dim=1) if sharp else F.___(x, dim=1)
            return F.kl_div(q, F.softmax(y, dim=1), reduction="sum")
        """
    ),
    "conditional expression of functions": pair(
        """
        def entry(x, y, last=True):
            normalise = torch.softmax if last else F.softmax
            return F.kl_div(normalise(x, 1), F.softmax(y, dim=1), reduction="sum")
        """,
        "KL101",
        """
        def entry(x, y, last=True):
            normalise = torch.log_softmax if last else F.softmax
            return F.kl_div(normalise(x, 1), F.softmax(y, dim=1), reduction="sum")
        """,
    ),
    "conditional expression of options": pair(
        """
        def entry(log_q, p, size=8):
            return F.kl_div(log_q, p, reduction="mean" if size > 1 else "mean")
        """,
        "KL201",
        """
        def entry(log_q, p, size=8):
            return F.kl_div(log_q, p, reduction="batchmean" if size > 1 else "mean")
        """,
    ),
    "condition that is a literal": twins(
        """
        USE_LOGS = ___
        q = F.log_softmax(x, dim=1) if USE_LOGS else F.softmax(x, dim=1)
        F.kl_div(q, p, reduction="sum")
        """,
        "False",
        "True",
    ),
    "condition on a literal argument": twins(
        """
        def loss(x, target, logs):
            if logs:
                x = F.log_softmax(x, dim=1)
            else:
                x = F.softmax(x, dim=1)
            return F.kl_div(x, target, reduction="sum")

        loss(x, p, ___)
        """,
        "False",
        "True",
    ),
    "comparison with a literal argument": twins(
        """
        def loss(x, target, mode):
            q = F.log_softmax(x, dim=1) if mode == "logs" else F.softmax(x, dim=1)
            return F.kl_div(q, target, reduction="sum")

        loss(x, p, mode="___")
        """,
        "probs",
        "logs",
    ),
    "default that is None": reductions(
        """
        def loss(q, target, criterion=None):
            if criterion is None:
                criterion = nn.KLDivLoss(reduction="___")
            return criterion(q, target)

        loss(log_q, p)
        """
    ),
    "default by or": reductions(
        """
        def loss(q, target, reduction=None):
            return F.kl_div(q, target, reduction=reduction or "___")

        loss(log_q, p)
        """
    ),
    "cond and A or B": twins(
        """
        def entry(log_q, p, distil=True):
            criterion = distil and nn.KLDivLoss(reduction="___") or nn.KLDivLoss(reduction="___", log_target=False)
            return criterion(log_q, p)
        """,
        "mean",
        "sum",
        "KL201 KL201",
    ),
    "cond and A or B of two losses": pair(
        """
        def entry(x, y, distil=True):
            criterion = distil and nn.KLDivLoss(reduction="sum") or nn.KLDivLoss(reduction="batchmean")
            return criterion(F.softmax(x, dim=1), F.softmax(y, dim=1))
        """,
        "KL101",
        """
        def entry(x, y, distil=True):
            criterion = distil and nn.KLDivLoss(reduction="sum") or nn.CrossEntropyLoss()
            return criterion(F.log_softmax(x, dim=1), F.softmax(y, dim=1))
        """,
    ),
    "tied conditions": pair(
        """
        def entry(x, y, log_target=True):
            if log_target:
                target = F.log_softmax(y, dim=1)
            else:
                target = F.log_softmax(y / 2, dim=1)
            return F.kl_div(F.log_softmax(x, dim=1), target, reduction="sum", log_target=False)
        """,
        "KL103",
        """
        def entry(x, y, log_target=True):
            if log_target:
                target = F.log_softmax(y, dim=1)
            else:
                target = F.softmax(y, dim=1)
            return F.kl_div(F.log_softmax(x, dim=1), target, reduction="sum", log_target=log_target)
        """,
    ),
    "tied conditions, the wrong way round": pair(
        """
        def entry(x, y, log_target=False):
            target = F.softmax(y, dim=1) if log_target else F.log_softmax(y, dim=1)
            if not log_target:
                return F.kl_div(F.log_softmax(x, dim=1), target, reduction="sum")
            return None
        """,
        "KL103",
        """
        def entry(x, y, log_target=False):
            target = F.log_softmax(y, dim=1) if log_target else F.softmax(y, dim=1)
            if not log_target:
                return F.kl_div(F.log_softmax(x, dim=1), target, reduction="sum")
            return None
        """,
    ),
    "tied conditions on an attribute": pair(
        """
        class Loss:
            def __init__(self, probs):
                self.probs = probs

            def __call__(self, x, y):
                q = F.softmax(x, dim=1) if self.probs else F.log_softmax(x, dim=1)
                if self.probs:
                    return F.kl_div(q, F.softmax(y, dim=1), reduction="sum")
                return F.cross_entropy(q, F.softmax(y, dim=1))

        def entry(x, y, probs=True):
            return Loss(probs)(x, y)
        """,
        "KL101",
        """
        class Loss:
            def __init__(self, probs):
                self.probs = probs

            def __call__(self, x, y):
                q = F.softmax(x, dim=1) if self.probs else F.log_softmax(x, dim=1)
                if not self.probs:
                    return F.kl_div(q, F.softmax(y, dim=1), reduction="sum")
                return -(F.softmax(y, dim=1) * q).sum(dim=1).mean()

        def entry(x, y, probs=False):
            return Loss(probs)(x, y)
        """,
    ),
    # Returns
    "early return": pair(
        """
        def entry(x, y, logs=False):
            if logs:
                return F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum")
            x = F.softmax(x, dim=1)
            return F.kl_div(x, F.softmax(y, dim=1), reduction="sum")
        """,
        "KL101",
        """
        def entry(x, y, logs=False):
            if logs:
                x = F.softmax(x, dim=1)
                return x
            x = F.log_softmax(x, dim=1)
            return F.kl_div(x, F.softmax(y, dim=1), reduction="sum")
        """,
    ),
    "early return by a condition that holds": pair(
        """
        def normalise(x, logs):
            if logs:
                return F.log_softmax(x, dim=1)
            return F.softmax(x, dim=1)

        F.kl_div(normalise(x, False), p, reduction="sum")
        """,
        "KL101",
        """
        def normalise(x, logs):
            if logs:
                return F.log_softmax(x, dim=1)
            return F.softmax(x, dim=1)

        F.kl_div(normalise(x, True), p, reduction="sum")
        """,
    ),
    "branch that raises": twins(
        """
        def entry(x, y, mode="kl"):
            if mode == "kl":
                q = F.___(x, dim=1)
            else:
                raise ValueError(mode)
            return F.kl_div(q, F.softmax(y, dim=1), reduction="sum")
        """
    ),
    "return of a tuple": twins(
        """
        def heads(x, y):
            return F.___(x, dim=1), F.softmax(y, dim=1)

        q, t = heads(x, y)
        F.kl_div(q, t, reduction="sum")
        """
    ),
    "return of a tuple as starred arguments": twins(
        """
        def heads(x, y):
            return F.___(x, dim=1), F.softmax(y, dim=1)

        F.kl_div(*heads(x, y), reduction="sum")
        """
    ),
    "return of a dict": twins(
        """
        def heads(x, y):
            return {"student": F.___(x, dim=1), "teacher": F.softmax(y, dim=1)}

        out = heads(x, y)
        F.kl_div(out["student"], out["teacher"], reduction="sum")
        """
    ),
    "return of a list": twins(
        """
        def heads(x):
            return [F.___(x, dim=1), x]

        F.kl_div(heads(x)[0], p, reduction="sum")
        """
    ),
    # Exceptions and contexts
    "try": twins(
        """
        try:
            q = F.___(x, dim=1)
        except RuntimeError:
            raise
        F.kl_div(q, p, reduction="sum")
        """
    ),
    "loss inside try": twins(
        """
        q = F.___(x, dim=1)
        try:
            loss = F.kl_div(q, p, reduction="sum")
        except RuntimeError:
            loss = None
        """
    ),
    "try with else and finally": twins(
        """
        try:
            q = x
        except RuntimeError:
            q = y
        else:
            q = F.___(x, dim=1)
        finally:
            done = True
        F.kl_div(F.___(q + x, dim=1), p, reduction="sum")
        """
    ),
    "torch.no_grad block": twins(
        """
        with torch.no_grad():
            q = F.___(x, dim=1)
        F.kl_div(q, p, reduction="sum")
        """
    ),
    "torch.no_grad decorator": targets(
        """
        @torch.no_grad()
        def teacher(y):
            return F.log_softmax(y, dim=1)

        F.kl_div(log_q, teacher(y), reduction="sum", log_target=___)
        """
    ),
    "torch.inference_mode decorator": targets(
        """
        @torch.inference_mode()
        def teacher(y):
            return F.log_softmax(y, dim=1)

        F.kl_div(log_q, teacher(y), reduction="sum", log_target=___)
        """
    ),
    "autocast block": twins(
        """
        with torch.autocast("cpu", enabled=False):
            loss = F.kl_div(F.___(x, dim=1), p, reduction="sum")
        """
    ),
    "several contexts": twins(
        """
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            q = F.___(x, dim=1)
        F.kl_div(q, p, reduction="sum")
        """
    ),
    # Loops and comprehensions
    "loop over a tuple": twins(
        """
        for scores in (x, y):
            F.kl_div(F.___(scores, dim=1), p, reduction="sum")
        """
    ),
    "loop over normalised tensors": twins(
        """
        for q in (x.___(1), y.___(1)):
            F.kl_div(q, p, reduction="sum")
        """
    ),
    "loop over pairs": twins(
        """
        for q, target in [(x.___(1), p), (y.___(1), p)]:
            F.kl_div(q, target, reduction="sum")
        """
    ),
    "loop over zip": twins(
        """
        students, teachers = [x.___(1), y.___(1)], [p, p]
        for q, target in zip(students, teachers):
            F.kl_div(q, target, reduction="sum")
        """
    ),
    "loop over enumerate": twins(
        """
        for i, q in enumerate([x.___(1), y.___(1)]):
            F.kl_div(q, p, reduction="sum")
        """
    ),
    "loop over a range of indices": twins(
        """
        outs = [x.___(1), y.___(1)]
        for i in range(len(outs)):
            F.kl_div(outs[i], p, reduction="sum")
        """
    ),
    "loop over a loader": twins(
        """
        def entry(x, y):
            net = nn.Linear(10, 10)
            for batch in [x, y]:
                F.kl_div(F.___(net(batch), dim=1), F.softmax(y, dim=1), reduction="sum")
        """
    ),
    "while loop": twins(
        """
        steps = 0
        while steps < 2:
            q = F.___(x, dim=1)
            loss = F.kl_div(q, p, reduction="sum")
            steps += 1
        """
    ),
    "value from the turn before": pair(
        """
        q = F.softmax(x, dim=1)
        for _ in range(3):
            loss = F.kl_div(q, p, reduction="sum")
            q = q.detach()
        """,
        "KL101",
        """
        q = F.log_softmax(x, dim=1)
        for _ in range(3):
            loss = F.kl_div(q, p, reduction="sum")
            q = q.detach()
        """,
    ),
    "value that changes in the loop": pair(
        """
        q = x
        for _ in range(3):
            q = F.softmax(x + 1, dim=1)
            loss = F.kl_div(q, p, reduction="sum")
            q = F.log_softmax(x, dim=1)
        """,
        "KL101",
        """
        q = F.log_softmax(x, dim=1)
        for _ in range(3):
            q = F.log_softmax(x + 1, dim=1)
            loss = F.kl_div(q, p, reduction="sum")
            q = F.softmax(x, dim=1)
        """,
    ),
    "break and continue": twins(
        """
        for scores in (x, y):
            if scores is None:
                continue
            q = F.___(scores, dim=1)
            loss = F.kl_div(q, p, reduction="sum")
            if loss.isnan():
                break
        """
    ),
    "list comprehension": twins("qs = [F.___(s, dim=1) for s in (x, y)]\nF.kl_div(qs[0], p, reduction='sum')"),
    "loss in a list comprehension": twins("losses = [F.kl_div(s.___(1), p, reduction='sum') for s in (x, y)]"),
    "generator sum": twins("loss = sum(F.kl_div(F.___(s, dim=1), p, reduction='sum') for s in (x, y))"),
    "generator sum over zip": twins(
        """
        students = [x.___(1), y.___(1)]
        loss = sum(F.kl_div(q, t, reduction="sum") for q, t in zip(students, [p, p]))
        """
    ),
    "dict comprehension": twins(
        """
        outs = {name: F.___(s, dim=1) for name, s in {"a": x, "b": y}.items()}
        F.kl_div(outs["a"], p, reduction="sum")
        """
    ),
    "torch.stack of a comprehension": twins(
        """
        qs = torch.stack([F.___(s, dim=1) for s in (x, y)])
        F.kl_div(qs[0], p, reduction="sum")
        """
    ),
    "map of a function": twins("q, _ = map(lambda s: F.___(s, dim=1), (x, y))\nF.kl_div(q, p, reduction='sum')"),
    # Augmented assignment
    "augmented assignment of scores": twins("x += 1\nF.kl_div(F.___(x, dim=1), p, reduction='sum')"),
    "augmented assignment to a mixture": pair(
        """
        q = F.softmax(x, dim=1)
        q = q + p
        q /= 2
        F.kl_div(q, p, reduction="sum")
        """,
        "KL101",
        """
        q = F.softmax(x, dim=1)
        q = q + p
        q /= 2
        F.kl_div(q.log(), p, reduction="sum")
        """,
    ),
    "augmented assignment that normalises": targets(
        """
        z = y.clone()
        z -= z.logsumexp(dim=1, keepdim=True)
        F.kl_div(log_q, z, reduction="sum", log_target=___)
        """
    ),
    "loss accumulated over turns": reductions(
        """
        total = 0.0
        for scores in (x, y):
            total += F.kl_div(F.log_softmax(scores, dim=1), p, reduction="___")
        """
    ),
    "a sum of 400 terms": reductions("loss = F.kl_div(log_q, p, reduction='___')\ntotal = loss" + " + loss" * 399),
    "loss accumulated and compared": pair(
        """
        kl = 0.0
        kl += F.kl_div(log_q, p, reduction="sum")
        other = F.cross_entropy(x, p) - F.cross_entropy(y, p)
        print(kl, other)
        """,
        "KL301",
        """
        kl = 0.0
        kl += F.kl_div(log_q, p, reduction="batchmean")
        other = F.cross_entropy(x, p) - F.cross_entropy(y, p)
        print(kl, other)
        """,
    ),
}
