"""Names: scopes, defaults, keywords, registries, unpacking."""

from __future__ import annotations

from tests.graph.idioms import Idiom, pair, reductions, targets, twins

NAMES: dict[str, Idiom] = {
    # Scopes
    "module global": twins(
        """
        def step(target):
            return F.kl_div(q, target, reduction="sum")

        q = F.___(x, dim=1)
        step(p)
        """
    ),
    "module constant": reductions(
        """
        REDUCTION = "___"

        def step(x, y):
            return F.kl_div(F.log_softmax(x, dim=1), F.softmax(y, dim=1), reduction=REDUCTION)

        step(x, y)
        """
    ),
    "global statement": reductions(
        """
        criterion = None

        def setup():
            global criterion
            criterion = nn.KLDivLoss(reduction="___")

        setup()
        criterion(log_q, p)
        """
    ),
    "closure": twins(
        """
        def make(dim):
            def loss(x, target):
                return F.kl_div(F.___(x, dim=dim), target, reduction="sum")

            return loss

        make(1)(x, p)
        """
    ),
    "nested function": twins(
        """
        def step(x, target):
            q = F.___(x, dim=1)

            def loss():
                return F.kl_div(q, target, reduction="sum")

            return loss()

        step(x, p)
        """
    ),
    "nonlocal statement": twins(
        """
        def step(x, target):
            q = None

            def prepare():
                nonlocal q
                q = F.___(x, dim=1)

            prepare()
            return F.kl_div(q, target, reduction="sum")

        step(x, p)
        """
    ),
    "lambda": twins("normalise = lambda t: F.___(t, dim=1)\nF.kl_div(normalise(x), p, reduction='sum')"),
    "lambda with a default": reductions("loss = lambda q, t, how='___': F.kl_div(q, t, reduction=how)\nloss(log_q, p)"),
    "name shadowed by a parameter": twins(
        """
        q = log_q

        def step(q, target):
            return F.kl_div(q, target, reduction="sum")

        step(F.___(x, dim=1), p)
        """
    ),
    "name bound twice": twins(
        """
        q = F.log_softmax(x, dim=1)
        q = F.___(x, dim=1)
        F.kl_div(q, p, reduction="sum")
        """
    ),
    "annotated assignment": twins("q: torch.Tensor = F.___(x, dim=1)\nF.kl_div(q, p, reduction='sum')"),
    "chained assignment": twins("q = r = F.___(x, dim=1)\nF.kl_div(r, p, reduction='sum')"),
    # Arguments
    "default of a parameter": reductions(
        """
        def loss(q, target, reduction="___"):
            return F.kl_div(q, target, reduction=reduction)

        loss(log_q, p)
        """
    ),
    "default overridden by a keyword": reductions(
        """
        def loss(q, target, reduction="batchmean"):
            return F.kl_div(q, target, reduction=reduction)

        loss(log_q, p, reduction="___")
        """
    ),
    "keyword call in another order": pair(
        """
        def loss(student, teacher):
            return F.kl_div(student, teacher, reduction="sum")

        loss(teacher=p, student=F.softmax(x, dim=1))
        """,
        "KL101",
        """
        def loss(teacher, student):
            return F.kl_div(student, teacher, reduction="sum")

        loss(F.softmax(y, dim=1), student=log_q)
        """,
    ),
    "keyword-only parameter": reductions(
        """
        def loss(q, target, *, how):
            return F.kl_div(q, target, reduction=how)

        loss(log_q, p, how="___")
        """
    ),
    "positional-only parameter": twins(
        """
        def loss(q, target, /):
            return F.kl_div(q, target, reduction="sum")

        loss(x.___(1), p)
        """
    ),
    "starred arguments": twins("pair = (x.___(1), p)\nF.kl_div(*pair, reduction='sum')"),
    "starred parameters": twins(
        """
        def loss(*tensors, **options):
            return F.kl_div(*tensors, **options)

        loss(x.___(1), p, reduction="sum")
        """
    ),
    "keywords of a known dict": reductions("options = {'reduction': '___'}\nF.kl_div(log_q, p, **options)"),
    "keywords of dict()": reductions(
        "options = dict(reduction='___', log_target=False)\nnn.KLDivLoss(**options)(log_q, p)"
    ),
    "keywords of merged dicts": reductions(
        """
        base = {"reduction": "batchmean", "log_target": False}
        F.kl_div(log_q, p, **{**base, "reduction": "___"})
        """
    ),
    "keywords of dicts joined by |": reductions(
        "F.kl_div(log_q, p, **({'reduction': 'batchmean'} | {'reduction': '___'}))"
    ),
    "keywords of a dict that is filled": reductions(
        """
        options = {}
        options["reduction"] = "___"
        F.kl_div(log_q, p, **options)
        """
    ),
    "keywords that a function passes on": reductions(
        """
        def loss(q, target, **options):
            return F.kl_div(q, target, **options)

        loss(log_q, p, reduction="___")
        """
    ),
    # Callables as values
    "functools.partial of a function": reductions(
        """
        from functools import partial

        loss = partial(F.kl_div, reduction="___")
        loss(log_q, p)
        """
    ),
    "functools.partial of a normalisation": twins(
        """
        import functools

        normalise = functools.partial(F.___, dim=1)
        F.kl_div(normalise(x), p, reduction="sum")
        """
    ),
    "functools.partial with a positional argument": twins(
        """
        from functools import partial

        loss = partial(F.kl_div, x.___(1))
        loss(p, reduction="sum")
        """
    ),
    "functools.partial of a class": reductions(
        """
        from functools import partial

        Loss = partial(nn.KLDivLoss, reduction="___")
        Loss()(log_q, p)
        """
    ),
    "functools.partial overridden at the call": reductions(
        """
        from functools import partial

        loss = partial(F.kl_div, reduction="batchmean")
        loss(log_q, p, reduction="___")
        """
    ),
    "dict of functions": twins(
        """
        NORMALISE = {"probs": F.softmax, "logs": F.log_softmax}
        F.kl_div(NORMALISE["___"](x, dim=1), p, reduction="sum")
        """,
        "probs",
        "logs",
    ),
    "dict of criteria": reductions(
        """
        LOSSES = {"ce": nn.CrossEntropyLoss(), "kl": nn.KLDivLoss(reduction="___")}
        LOSSES["kl"](log_q, p)
        """
    ),
    "dict of classes": reductions(
        """
        LOSSES = {"ce": nn.CrossEntropyLoss, "kl": nn.KLDivLoss}
        LOSSES["kl"](reduction="___")(log_q, p)
        """
    ),
    "dict of lambdas": reductions(
        """
        LOSSES = {"kl": lambda q, t: F.kl_div(q, t, reduction="___"), "mse": lambda q, t: F.mse_loss(q, t)}
        LOSSES["kl"](log_q, p)
        """
    ),
    "dict.get": reductions("losses = {'kl': nn.KLDivLoss(reduction='___')}\nlosses.get('kl')(log_q, p)"),
    "list of functions": twins(
        "steps = [F.softmax, F.log_softmax]\nF.kl_div(steps[___](x, dim=1), p, reduction='sum')", "0", "1"
    ),
    "nn.ModuleDict": reductions(
        """
        class Losses(nn.Module):
            def __init__(self):
                super().__init__()
                self.losses = nn.ModuleDict({"kl": nn.KLDivLoss(reduction="___"), "ce": nn.CrossEntropyLoss()})

            def forward(self, q, target):
                return self.losses["kl"](q, target)

        Losses()(log_q, p)
        """
    ),
    "nn.ModuleList": twins(
        """
        heads = nn.ModuleList([nn.Linear(10, 10), nn.___(dim=1)])
        F.kl_div(heads[1](x), p, reduction="sum")
        """,
        "Softmax",
        "LogSoftmax",
    ),
    "getattr of a function by a literal": twins("F.kl_div(getattr(F, '___')(x, dim=1), p, reduction='sum')"),
    "getattr of a class by a literal": reductions("getattr(nn, 'KLDivLoss')(reduction='___')(log_q, p)"),
    "getattr of a tensor method by a literal": twins("F.kl_div(getattr(x, '___')(1), p, reduction='sum')"),
    "getattr by a constant": twins("NAME = '___'\nF.kl_div(getattr(torch, NAME)(x, 1), p, reduction='sum')"),
    "tensor method taken unbound": twins("F.kl_div(torch.Tensor.___(x, 1), p, reduction='sum')"),
    "bound method as a value": twins("normalise = x.___\nF.kl_div(normalise(1), p, reduction='sum')"),
    "function given as an argument": twins(
        """
        def loss(x, target, normalise):
            return F.kl_div(normalise(x, dim=1), target, reduction="sum")

        loss(x, p, F.___)
        """
    ),
    "function given as a default": twins(
        """
        def loss(x, target, normalise=F.___):
            return F.kl_div(normalise(x, dim=1), target, reduction="sum")

        loss(x, p)
        """
    ),
    # Unpacking
    "tuple unpacking": twins("q, target = x.___(1), p\nF.kl_div(q, target, reduction='sum')"),
    "nested unpacking": twins("(q, _), target = (x.___(1), 0), p\nF.kl_div(q, target, reduction='sum')"),
    "starred unpacking": twins("first, *rest = p, x, x.___(1)\nF.kl_div(rest[-1], first, reduction='sum')"),
    "starred in the middle": twins("first, *_, last = x.___(1), 1, 2, p\nF.kl_div(first, last, reduction='sum')"),
    "swap": pair(
        "q, t = p, log_q\nF.kl_div(q, p, reduction='sum')",
        "KL101",
        "q, t = p, log_q\nq, t = t, q\nF.kl_div(q, t, reduction='sum')",
    ),
    "unpacking of a list": twins("[q, target] = [x.___(1), p]\nF.kl_div(q, target, reduction='sum')"),
    "index of a tuple": twins("pair = x.___(1), p\nF.kl_div(pair[0], pair[1], reduction='sum')"),
    "negative index of a list": twins("outs = [x, x.___(1)]\nF.kl_div(outs[-1], p, reduction='sum')"),
    "slice of a list": twins("outs = [x, x.___(1)]\n(q,) = outs[1:]\nF.kl_div(q, p, reduction='sum')"),
    "key of a dict": twins("out = {'q': x.___(1), 'p': p}\nF.kl_div(out['q'], out['p'], reduction='sum')"),
    "key of a dict set later": twins("out = {}\nout['q'] = x.___(1)\nF.kl_div(out['q'], p, reduction='sum')"),
    "list append": twins("outs = []\nouts.append(x.___(1))\nF.kl_div(outs[0], p, reduction='sum')"),
    "items of a dict": twins(
        """
        heads = {"a": x.___(1), "b": y.___(1)}
        for name, q in heads.items():
            F.kl_div(q, p, reduction="sum")
        """
    ),
    "walrus": twins("if (q := F.___(x, dim=1)) is not None:\n    F.kl_div(q, p, reduction='sum')"),
    "walrus in the argument": twins(
        "F.kl_div(q := F.___(x, dim=1), p, reduction='sum')\nF.kl_div(q, p, reduction='sum')", codes="KL101 KL101"
    ),
    "target by a flag of its own": targets(
        "in_log = ___\nF.kl_div(log_q, F.log_softmax(y, dim=1), reduction='sum', log_target=in_log)"
    ),
}
