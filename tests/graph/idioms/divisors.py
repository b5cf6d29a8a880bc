"""What a loss has been divided by: beside cross entropy minus entropy, a mean over rows, and as mean times C."""

from __future__ import annotations

from tests.graph.idioms import Idiom, twins


def beside(source: str, wrong: str, right: str) -> Idiom:
    """``kl`` in two forms, printed beside the mean over rows of cross entropy minus entropy."""
    other = "other = F.cross_entropy(x, p) - F.cross_entropy(y, p)\nprint(kl, other)"
    return twins(f"{source}\n{other}", wrong, right, "KL301")


def counted(wrong: str, right: str, source: str = "kl = F.kl_div(log_q, p, reduction='sum') / ___") -> Idiom:
    """The sum of a KL divided by two counts: that of the classes, and that of the rows."""
    return beside(source, wrong, right)


def reduced(wrong: str, right: str) -> Idiom:
    """Two ways to reduce the elementwise KL."""
    return beside("kl = F.kl_div(log_q, p, reduction='none')___", wrong, right)


def entropy(right: str, wrong: str) -> Idiom:
    """Two forms of the entropy of p, beside a KL per row: over as many rows, and in total."""
    return twins(
        """
        log_p = F.log_softmax(y, dim=1)
        kl = F.kl_div(log_q, p, reduction="batchmean")
        other = ___
        print(kl, other)
        """,
        f"F.cross_entropy(x, p, reduction='sum') - {wrong}",
        f"F.cross_entropy(x, p) - {right}",
        "KL301",
    )


def compared(source: str) -> Idiom:
    """A way to compare ``kl`` with ``other``, which differ by the batch size where the KL is a sum."""
    head = "kl = F.kl_div(log_q, p, reduction='___')\nother = F.cross_entropy(x, p) - F.cross_entropy(y, p)"
    return twins(f"{head}\n{source}", "sum", "batchmean", "KL301")


def times_classes(right: str, wrong: str = "2.0", source: str = "loss = F.kl_div(log_q, p) * ___") -> Idiom:
    """A mean over all elements times the class count, and times something else."""
    return twins(source, wrong, right, "KL201")


DIVISORS: dict[str, Idiom] = {
    "size(0)": counted("x.size(1)", "x.size(0)"),
    "size(dim=0)": counted("x.size(dim=1)", "x.size(dim=0)"),
    "shape[0]": counted("x.shape[1]", "x.shape[0]"),
    "size()[0]": counted("x.size()[1]", "x.size()[0]"),
    "shape[-2]": counted("x.shape[-1]", "x.shape[-2]"),
    "len": counted("len(x[0])", "len(x)"),
    "literal": counted("10", "8"),
    "size of the other operand": counted("p.size(1)", "p.size(0)"),
    "size of the log-probabilities": counted("log_q.shape[-1]", "log_q.shape[0]"),
    "shape unpacked": counted("C", "B", "B, C = x.shape\nkl = F.kl_div(log_q, p, reduction='sum') / ___"),
    "size() unpacked": counted("C", "B", "B, C = x.size()\nkl = F.kl_div(log_q, p, reduction='sum') / ___"),
    "shape unpacked with a star": counted(
        "C", "B", "B, *_, C = x.shape\nkl = F.kl_div(log_q, p, reduction='sum') / ___"
    ),
    "numel over the classes": counted("(x.numel() / 8)", "(x.numel() / 10)"),
    "product of counts": counted("(2 * x.size(1))", "(2 * x.size(0)) * 2"),
    "float of a count": counted("float(x.size(1))", "float(x.size(0))"),
    "times the inverse": counted("x.size(1)", "x.size(0)", "kl = F.kl_div(log_q, p, reduction='sum') * (1.0 / ___)"),
    "inverse first": counted("x.size(1)", "x.size(0)", "kl = 1 / ___ * F.kl_div(log_q, p, reduction='sum')"),
    "div": counted("x.size(1)", "x.size(0)", "kl = F.kl_div(log_q, p, reduction='sum').div(___)"),
    "torch.div": counted("x.size(1)", "x.size(0)", "kl = torch.div(F.kl_div(log_q, p, reduction='sum'), ___)"),
    "div_": counted("x.size(1)", "x.size(0)", "kl = F.kl_div(log_q, p, reduction='sum').div_(___)"),
    "augmented division": counted("x.size(1)", "x.size(0)", "kl = F.kl_div(log_q, p, reduction='sum')\nkl /= ___"),
    "division on a later line": counted(
        "x.size(1)", "x.size(0)", "kl = F.kl_div(log_q, p, reduction='sum')\nkl = kl / ___"
    ),
    "division of the elements": counted(
        "x.size(1)", "x.size(0)", "kl = (F.kl_div(log_q, p, reduction='none') / ___).sum()"
    ),
    "module with sum": counted("x.size(1)", "x.size(0)", "kl = nn.KLDivLoss(reduction='sum')(log_q, p) / ___"),
    "positional sum": counted("x.size(1)", "x.size(0)", "kl = F.kl_div(log_q, p, None, None, 'sum') / ___"),
    "sum(-1).mean()": reduced(".sum(-1).sum()", ".sum(-1).mean()"),
    "sum(dim=1).mean()": reduced(".sum(dim=1).sum()", ".sum(dim=1).mean()"),
    "sum(1).mean(0)": reduced(".sum(1).sum(0)", ".sum(1).mean(0)"),
    "sum with keepdim, then mean": reduced(".sum(1, keepdim=True).sum()", ".sum(1, keepdim=True).mean()"),
    "mean(0).sum()": reduced(".sum(0).sum()", ".mean(0).sum()"),
    "mean(dim=0).sum(-1)": reduced(".sum(dim=0).sum(-1)", ".mean(dim=0).sum(-1)"),
    "sum over both dims": reduced(".sum((0, 1))", ".sum((0, 1)) / 8"),
    "sum() over the count": reduced(".sum()", ".sum() / x.size(0)"),
    "torch.sum and torch.mean": beside(
        "kl = torch.___(torch.sum(F.kl_div(log_q, p, reduction='none'), dim=1))", "sum", "mean"
    ),
    "sum over positions and mean over the batch": twins(
        """
        s, t = torch.randn(4, 10, 6), torch.randn(4, 10, 6)
        p = F.softmax(t, dim=1)
        kl = F.kl_div(F.log_softmax(s, dim=1), p, reduction="none").sum(1)___
        other = F.cross_entropy(s, p) - F.cross_entropy(t, p)
        print(kl, other)
        """,
        ".sum(-1).mean()",
        ".mean()",
        "KL301",
    ),
    "rows flattened": twins(
        """
        s, t = torch.randn(4, 6, 10), torch.randn(4, 6, 10)
        p = F.softmax(t.view(-1, 10), dim=1)
        kl = F.kl_div(F.log_softmax(s.view(-1, 10), dim=1), p, reduction="sum") / ___
        other = F.cross_entropy(s.view(-1, 10), p) - F.cross_entropy(t.view(-1, 10), p)
        print(kl, other)
        """,
        "s.size(0)",
        "(s.size(0) * s.size(1))",
        "KL301",
    ),
    "sum over the rows in a loop": beside(
        """
kl = 0
for i in range(8):
    kl = kl + F.kl_div(log_q[i], p[i], reduction='sum')
kl = kl / ___""".strip("\n"),
        "10",
        "8",
    ),
    "item": counted("x.size(1)", "x.size(0)", "kl = F.kl_div(log_q, p, reduction='sum').item() / ___"),
    "divisor in a helper": counted(
        "1",
        "0",
        "def divergence(q, t):\n    return F.kl_div(q, t, reduction='sum') / q.size(___)\nkl = divergence(log_q, p)",
    ),
    "divisor in a module": counted(
        "1",
        "0",
        """
class Divergence(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.KLDivLoss(reduction='sum')

    def forward(self, q, t):
        return self.criterion(q, t) / q.size(___)

kl = Divergence()(log_q, p)
""".strip("\n"),
    ),
    # The other side
    "cross_entropy as a sum": entropy("F.cross_entropy(y, p)", "F.cross_entropy(y, p, reduction='sum')"),
    "cross_entropy of rows": twins(
        """
        kl = F.kl_div(log_q, p, reduction="batchmean")
        other = (F.cross_entropy(x, p, reduction="none") - F.cross_entropy(y, p, reduction="none")).___()
        print(kl, other)
        """,
        "sum",
        "mean",
        "KL301",
    ),
    "nn.CrossEntropyLoss": twins(
        """
        ce = nn.CrossEntropyLoss(reduction="___")
        kl = nn.KLDivLoss(reduction="batchmean")(log_q, p)
        other = ce(x, p) - ce(y, p)
        print(kl, other)
        """,
        "sum",
        "mean",
        "KL301",
    ),
    "cross entropy by hand": twins(
        """
        log_p = F.log_softmax(y, dim=1)
        kl = F.kl_div(log_q, p, reduction="batchmean")
        other = -(p * log_q).sum(1).___() + (p * log_p).sum(1).___()
        print(kl, other)
        """,
        "sum",
        "mean",
        "KL301",
    ),
    "cross_entropy options by position": twins(
        """
        kl = F.kl_div(log_q, p, reduction="batchmean")
        options = None, None, -100, None, "___"
        other = F.cross_entropy(x, p, *options) - F.cross_entropy(y, p, *options)
        print(kl, other)
        """,
        "sum",
        "mean",
        "KL301",
    ),
    "nn.CrossEntropyLoss options by position": twins(
        """
        ce = nn.CrossEntropyLoss(None, None, -100, None, "___")
        kl = F.kl_div(log_q, p, reduction="batchmean")
        other = ce(x, p) - ce(y, p)
        print(kl, other)
        """,
        "sum",
        "mean",
        "KL301",
    ),
    "entropy by hand": entropy("-(p * log_p).sum(1).mean()", "-(p * log_p).sum()"),
    "entropy by hand, negated inside": entropy("(-p * log_p).sum(dim=-1).mean()", "(-p * log_p).sum()"),
    "entropy by hand over the count": entropy("-(p * log_p).sum() / x.size(0)", "-torch.sum(p * log_p)"),
    "Categorical.entropy of logits": entropy(
        "torch.distributions.Categorical(logits=y).entropy().mean()",
        "torch.distributions.Categorical(logits=y).entropy().sum()",
    ),
    "Categorical.entropy of probs": entropy(
        "torch.distributions.Categorical(probs=p).entropy().mean()",
        "torch.distributions.Categorical(probs=p).entropy().sum()",
    ),
    "torch.special.entr": entropy("torch.special.entr(p).sum(1).mean()", "torch.special.entr(p).sum()"),
    # Ways to compare
    "print of two values": compared("print(kl, other)"),
    "print of two lines": compared("print(kl)\nprint(other)"),
    "print with text": compared("print('kl', kl.item(), 'other', other.item())"),
    "f-string": compared("print(f'{kl:.4f} {other:.4f}')"),
    "format": compared("print('{} {}'.format(kl, other))"),
    "percent formatting": compared("print('%f %f' % (kl, other))"),
    "logging": compared("import logging\nlogging.info('kl %s other %s', kl, other)"),
    "subtraction": compared("difference = kl - other"),
    "absolute difference": compared("difference = (kl - other).abs()"),
    "abs() of a difference": compared("close = abs(kl - other) < 1e-5"),
    "torch.allclose": compared("close = torch.allclose(kl, other)"),
    "Tensor.allclose": compared("close = kl.allclose(other, atol=1e-6)"),
    "torch.isclose": compared("close = torch.isclose(kl, other)"),
    "torch.testing.assert_close": compared("def test():\n    torch.testing.assert_close(kl, other)"),
    "numpy.testing": compared(
        "import numpy as np\ndef test():\n    np.testing.assert_allclose(kl.numpy(), other.numpy(), rtol=1e-5)"
    ),
    "numpy.isclose": compared("import numpy as np\nclose = np.isclose(kl.item(), other.item())"),
    "math.isclose": compared("import math\nclose = math.isclose(kl.item(), other.item(), rel_tol=1e-5)"),
    "pytest.approx": compared("import pytest\ndef test():\n    assert kl.item() == pytest.approx(other.item())"),
    "assertAlmostEqual": compared(
        "import unittest\nclass Case(unittest.TestCase):\n"
        "    def test(self):\n        self.assertAlmostEqual(kl.item(), other.item(), places=5)"
    ),
    "returned side by side": twins(
        """
        def both(x, y):
            p = F.softmax(y, dim=1)
            kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="___")
            other = F.cross_entropy(x, p) - F.cross_entropy(y, p)
            return kl, other

        kl, other = both(x, y)
        """,
        "sum",
        "batchmean",
        "KL301",
    ),
    "returned in a dict": twins(
        """
        def both(x, y):
            p = F.softmax(y, dim=1)
            kl = F.kl_div(F.log_softmax(x, dim=1), p, reduction="___")
            return {"kl": kl, "other": F.cross_entropy(x, p) - F.cross_entropy(y, p)}

        out = both(x, y)
        kl, other = out["kl"], out["other"]
        """,
        "sum",
        "batchmean",
        "KL301",
    ),
    # mean times the class count
    "mean times size(1)": times_classes("x.size(1)", "x.size(0)"),
    "mean times size(-1)": times_classes("p.size(-1)"),
    "mean times shape[1]": times_classes("log_q.shape[1]", "log_q.shape[0]"),
    "mean times shape[-1]": times_classes("x.shape[-1]"),
    "mean times a literal": times_classes("10"),
    "mean times a name": times_classes("C", "B", "B, C = x.shape\nloss = F.kl_div(log_q, p) * ___"),
    "mean times a constant": times_classes(
        "NUM_CLASSES", "SCALE", "NUM_CLASSES, SCALE = 10, 4.0\nloss = F.kl_div(log_q, p) * ___"
    ),
    "count times mean": times_classes("x.size(1)", source="loss = ___ * F.kl_div(log_q, p)"),
    "mean in a product": times_classes("x.size(1)", source="T = 4.0\nloss = T * T * ___ * F.kl_div(log_q, p)"),
    "mean times weight times count": times_classes("x.size(1)", source="loss = 0.5 * F.kl_div(log_q, p) * ___"),
    "mean mul": times_classes("x.size(1)", source="loss = F.kl_div(log_q, p).mul(___)"),
    "mean mul_": times_classes("x.size(1)", source="loss = F.kl_div(log_q, p).mul_(___)"),
    "augmented product": times_classes("x.size(1)", source="loss = F.kl_div(log_q, p)\nloss *= ___"),
    "product on a later line": times_classes("x.size(1)", source="loss = F.kl_div(log_q, p)\nloss = loss * ___"),
    "mean times count at the caller": times_classes(
        "x.size(1)",
        "x.size(0)",
        "def divergence(q, t):\n    return F.kl_div(q, t)\nloss = divergence(log_q, p) * ___",
    ),
    "mean times a count kept by the model": twins(
        """
        class Distill(nn.Module):
            def __init__(self, num_classes, weight):
                super().__init__()
                self.num_classes, self.weight = num_classes, weight
                self.criterion = nn.KLDivLoss()

            def forward(self, q, t):
                return self.criterion(q, t) * self.___

        loss = Distill(10, 1.0)(log_q, p)
        """,
        "weight",
        "num_classes",
        "KL201",
    ),
}
