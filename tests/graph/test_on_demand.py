"""What is walked late, or not at all, computes what it would if it were walked in its place."""

from __future__ import annotations

from textwrap import dedent

import pytest

from klint.graph.build import Builder
from tests.codes import codes_after_preamble

RIGHT, WRONG = "batchmean", "mean"

CONSTRUCTORS = {
    "an attribute that is set before and after super().__init__()": (
        """
        class Base:
            def __init__(self):
                self.reduction = "{base}"

        class Loss(Base):
            def __init__(self):
                self.reduction = "{before}"
                super().__init__()

        F.kl_div(log_q, p, reduction=Loss().reduction)
        """,
        {"base": RIGHT, "before": WRONG},
        {"base": WRONG, "before": RIGHT},
    ),
    "an attribute that the subclass sets anew": (
        """
        class Base:
            def __init__(self):
                self.reduction = "{base}"

        class Loss(Base):
            def __init__(self):
                super().__init__()
                self.reduction = "{own}"

        F.kl_div(log_q, p, reduction=Loss().reduction)
        """,
        {"base": WRONG, "own": RIGHT},
        {"base": RIGHT, "own": WRONG},
    ),
    "an attribute that a method sets anew": (
        """
        class Loss:
            def __init__(self, config):
                config.name = "loss"
                self.reduction = "{own}"
                self.reset()

            def reset(self):
                self.reduction = "{reset}"

        F.kl_div(log_q, p, reduction=Loss(config).reduction)
        """,
        {"own": WRONG, "reset": RIGHT},
        {"own": RIGHT, "reset": WRONG},
    ),
    "an argument that changes between two objects": (
        """
        class Config:
            pass

        class Loss:
            def __init__(self, config):
                self.reduction = config.reduction

        config = Config()
        config.reduction = "{first}"
        loss = Loss(config)
        config.reduction = "{second}"
        F.kl_div(log_q, p, reduction=loss.reduction)
        """,
        {"first": RIGHT, "second": WRONG},
        {"first": WRONG, "second": RIGHT},
    ),
    "an argument that the constructor itself changes": (
        """
        class Inner:
            def __init__(self, config):
                self.reduction = config.reduction

        class Outer:
            def __init__(self, config):
                config.reduction = "{first}"
                self.inner = Inner(config)
                config.reduction = "{second}"

        F.kl_div(log_q, p, reduction=Outer(config).inner.reduction)
        """,
        {"first": RIGHT, "second": WRONG},
        {"first": WRONG, "second": RIGHT},
    ),
    "a variable that is bound twice": (
        """
        class Loss:
            def __init__(self):
                name = "{first}"
                self.reduction = name
                name = "{second}"
                self.other = name

        loss = Loss()
        print(loss.other)
        F.kl_div(log_q, p, reduction=loss.reduction)
        """,
        {"first": RIGHT, "second": WRONG},
        {"first": WRONG, "second": RIGHT},
    ),
    "an attribute that a method reads while the object is made": (
        """
        class Loss:
            reduction = "{default}"

            def __init__(self):
                self.reduction = "{own}"
                self.options = self.make()

            def make(self):
                return {{"reduction": self.reduction}}

        F.kl_div(log_q, p, **Loss().options)
        """,
        {"default": WRONG, "own": RIGHT},
        {"default": RIGHT, "own": WRONG},
    ),
    "an attribute of an attribute": (
        """
        class Options:
            pass

        class Loss:
            def __init__(self):
                self.options = Options()
                self.options.reduction = "{own}"

        F.kl_div(log_q, p, reduction=Loss().options.reduction)
        """,
        {"own": RIGHT},
        {"own": WRONG},
    ),
    "a name of the module that is bound again": (
        """
        REDUCTION = "{first}"

        class Loss:
            def __init__(self):
                self.reduction = REDUCTION

        loss = Loss()
        REDUCTION = "{second}"
        F.kl_div(log_q, p, reduction=loss.reduction)
        """,
        {"first": RIGHT, "second": WRONG},
        {"first": WRONG, "second": RIGHT},
    ),
    "keywords that are taken out one by one": (
        """
        class Loss:
            def __init__(self, **options):
                self.reduction = options["reduction"]
                self.name = options.pop("name", None)

        loss = Loss(reduction="{own}", name="kl")
        print(loss.name)
        F.kl_div(log_q, p, reduction=loss.reduction)
        """,
        {"own": RIGHT},
        {"own": WRONG},
    ),
}


@pytest.mark.parametrize(("source", "right", "wrong"), CONSTRUCTORS.values(), ids=CONSTRUCTORS)
def test_an_attribute_holds_what_the_constructor_set_it_to(source, right, wrong):
    assert codes_after_preamble(dedent(source).format(**right)) == []
    assert codes_after_preamble(dedent(source).format(**wrong)) == ["KL201"]


TIED = """
    class Loss:
        def __init__(self):
            self.log_target = True
            try:
                self.kl = nn.KLDivLoss(reduction="batchmean", log_target=True)
            except TypeError:
                self.log_target = False
                self.kl = nn.KLDivLoss(reduction="batchmean")

        def forward(self, x, y):
            if self.log_target:
                return self.kl(F.log_softmax(x, 1), F.{one}(y, 1))
            return self.kl(F.log_softmax(x, 1), F.{other}(y, 1))
    """


def test_attributes_that_are_set_together_go_together():
    assert codes_after_preamble(dedent(TIED).format(one="log_softmax", other="softmax")) == []
    assert codes_after_preamble(dedent(TIED).format(one="softmax", other="log_softmax")) == ["KL105", "KL103"]


def test_an_attribute_that_is_set_from_outside_in_a_branch_keeps_its_other_value():
    source = """
        class Loss:
            def __init__(self):
                self.reduction = "mean"

        loss = Loss()
        if flag:
            loss.reduction = "batchmean"
        F.kl_div(log_q, p, reduction=loss.reduction)
        """
    assert codes_after_preamble(source) == []
    assert codes_after_preamble(source.replace("batchmean", "mean")) == ["KL201"]


def test_a_list_that_grows_after_it_was_given_grows_inside_too():
    source = """
        class Losses:
            def __init__(self, names):
                self.names = names

        names = []
        losses = Losses(names)
        names.append("mean")
        F.kl_div(log_q, p, reduction=losses.names[0])
        """
    assert codes_after_preamble(source) == ["KL201"]


def test_a_tensor_that_is_changed_after_it_was_given_is_changed_inside_too():
    source = """
        class Teacher:
            def __init__(self, scores):
                self.scores = scores

        q = F.softmax(x, dim=1)
        teacher = Teacher(q)
        {change}
        F.kl_div(teacher.scores, p, reduction="batchmean")
        """
    assert codes_after_preamble(dedent(source).format(change="q.log_()")) == ["KL110"]
    assert codes_after_preamble(dedent(source).format(change="")) == ["KL101"]


MODULES = {
    "a function that sets a global": """
        MODE = "{first}"

        def set_mode():
            global MODE
            MODE = "{second}"

        set_mode()
        F.kl_div(log_q, p, reduction=MODE)
        """,
    "a name that is bound anew below what reads it": """
        scores = "{second}"
        name = scores
        scores = "{first}"
        F.kl_div(log_q, p, reduction=name)
        """,
    "a dict that is filled below what it holds": """
        options = {{"reduction": "{first}"}}
        copied = dict(options)
        copied["reduction"] = "{second}"
        F.kl_div(log_q, p, **copied)
        """,
    "a function that binds a name of the function around it": """
        def outer():
            name = "{first}"
            def inner():
                nonlocal name
                name = "{second}"
            inner()
            return F.kl_div(log_q, p, reduction=name)
        outer()
        """,
    "a value that is only tested": """
        def loss(flag):
            name = "{first}"
            if flag:
                name = "{second}"
            else:
                raise ValueError(flag)
            return F.kl_div(log_q, p, reduction=name)
        loss(True)
        """,
}


@pytest.mark.parametrize("source", MODULES.values(), ids=MODULES)
def test_what_is_bound_last_counts(source):
    assert codes_after_preamble(dedent(source).format(first=WRONG, second=RIGHT)) == []
    assert codes_after_preamble(dedent(source).format(first=RIGHT, second=WRONG)) == ["KL201"]


SLOW = """
    class Loss:
        reduction = "mean"

        def __init__(self, a):
            {steps}
            self.reduction = a

    F.kl_div(log_q, p, reduction=Loss("batchmean").reduction)
    """


@pytest.mark.parametrize("count", [1, 2_000])
def test_what_a_constructor_is_too_large_to_tell_is_not_taken_from_the_class(count):
    assert codes_after_preamble(dedent(SLOW).format(steps="; ".join(["a = a"] * count))) == []


def test_what_an_unknown_call_sets_is_not_taken_from_the_class():
    source = dedent(SLOW).format(steps="pass").replace('Loss("batchmean")', "Loss(**options)")
    assert codes_after_preamble(source) == []


BEHIND_NO_LOSS = {
    "in a constructor": (
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n",
        "        self.a{n} = f(g) * {n}\n",
    ),
    "in a body": ("def other(x):\n    F.kl_div(log_q, p, reduction='sum')\n", "    a{n} = f(g) * {n}\n"),
    "in the module": ("", "a{n} = f(g) * {n}\n"),
}


@pytest.mark.parametrize(("start", "step"), BEHIND_NO_LOSS.values(), ids=BEHIND_NO_LOSS)
def test_what_is_behind_no_loss_is_not_walked(start, step, monkeypatch):
    evaluated = []
    evaluate = Builder.evaluate
    monkeypatch.setattr(Builder, "evaluate", lambda self, *rest: evaluated.append(1) or evaluate(self, *rest))

    def walked(count):
        evaluated.clear()
        steps = "".join(step.format(n=n) for n in range(count))
        use = "Net()(x)" if "Net" in start else "x"
        source = f"{start}{steps}F.kl_div(F.softmax({use}, dim=1), p, reduction='sum')\n"
        assert codes_after_preamble(source) == ["KL101"]
        return len(evaluated)

    assert walked(60) == walked(3)
