"""What the graph takes for the same value, and for the same storage."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.codes import codes

COMPARED = """
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(5, 10)
        def forward(self, x):
            return self.fc(x)

    student, other, teacher = Net(), Net(), Net()
    x = torch.randn(8, 5)
    p = F.softmax(teacher(x), dim=1)
    kl = F.kl_div(F.log_softmax(student(x), dim=1), p, reduction="sum")
    print(kl, F.cross_entropy({model}(x), p) - F.cross_entropy(teacher(x), p))
    """


@pytest.mark.parametrize(
    ("model", "found"),
    [
        pytest.param("student", ["KL301"], id="the same model"),
        pytest.param("other", [], id="another model of the class"),
    ],
)
def test_models_of_one_class_have_weights_of_their_own(model, found):
    assert codes(COMPARED.format(model=model)) == found


def test_a_module_without_weights_gives_the_same_of_the_same():
    source = dedent(COMPARED).replace("F.softmax(teacher(x), dim=1)", "nn.Softmax(dim=1)(nn.Tanh()(x.T.T @ w))")
    source = source.replace("teacher(x)", "nn.Tanh()(x.T.T @ w)").replace("p = ", "w = torch.randn(5, 10)\np = ")
    assert codes(source.format(model="student")) == ["KL301"]


IN_PLACE = """
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    small, large = nn.Linear(5, 10), nn.Sequential(nn.Linear(5, 20), nn.Linear(20, 10))

    def loss(x, p, flag):
        scores = small(x) if flag else large(x)
        q = F.softmax(scores, dim=1)
        view = {view}
        view.log_()
        return F.kl_div(q, p, reduction="batchmean")
    """


@pytest.mark.parametrize(
    ("view", "found"),
    [
        pytest.param("q[:]", ["KL110"], id="a view of all of it"),
        pytest.param("q[0]", [], id="a view of a part, of which the rest is not known"),
        pytest.param("q.clone()", ["KL101"], id="a copy"),
    ],
)
def test_what_is_changed_through_a_view_is_changed_in_every_branch(view, found):
    assert codes(IN_PLACE.format(view=view)) == found
