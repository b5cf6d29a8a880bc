"""Every fix keeps its promise: the finding is gone, nothing new is found, and other uses see what they saw before."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest

from klint.config import Settings
from klint.fix import apply_edits, fix_source
from klint.rules import RULES
from tests.codes import codes, findings

IMPORTS = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"


def is_offered(rule):
    """Whether a rule's own example has a fix."""
    return any(finding.fix for finding in findings(rule.code_block("Example"), rule.code))


FIXABLE = [rule for rule in RULES if rule.section("Fix")]
EACH_FIX = pytest.mark.parametrize("rule", FIXABLE, ids=[rule.code for rule in FIXABLE])


def same_code(one, other):
    return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))


def fixed(source, *opted_in):
    """A source after all fixes, unsafe ones included."""
    settings = Settings(extend_select=opted_in)
    return fix_source(dedent(source), "case.py", settings, unsafe=True).after


def fixed_after_imports(source):
    source = IMPORTS + dedent(source)
    assert findings(source)
    return fixed(source).removeprefix(IMPORTS)


@pytest.mark.parametrize("rule", RULES, ids=[rule.code for rule in RULES])
def test_a_rule_has_a_fix_if_and_only_if_its_page_has_a_section_on_it(rule):
    assert bool(rule.section("Fix")) == is_offered(rule)


@EACH_FIX
def test_the_page_says_whether_the_fix_is_safe_and_why(rule):
    (finding,) = findings(rule.code_block("Example"), rule.code)
    said = rule.section("Fix").split()[0].rstrip(":,").lower()
    assert said == finding.fix.applicability.value
    assert finding.fix.message.startswith("Use ")


def value_of(source):
    """What a page's code computes: the loss, or the KL that it compares."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    names = {}
    exec(compile(source, "page", "exec"), names)
    return names.get("loss", names.get("kl"))


@EACH_FIX
def test_the_fixed_example_is_what_the_page_says_to_use_or_computes_the_same(rule):
    after, wanted = fixed(rule.code_block("Example"), rule.code), rule.code_block("Use instead")
    assert codes(after, rule.code) == []
    if not same_code(after, wanted):
        assert value_of(after).item() == pytest.approx(value_of(wanted).item(), rel=1e-5)


@EACH_FIX
def test_a_fix_is_edits_of_its_own_file_that_do_not_overlap(rule):
    source = rule.code_block("Example")
    (finding,) = findings(source, rule.code)
    edits = sorted(finding.fix.edits)
    assert {edit.location.filename for edit in edits} == {"case.py"}
    ends = [(edit.location.end_row, edit.location.end_column) for edit in edits]
    starts = [(edit.location.row, edit.location.column) for edit in edits]
    assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
    assert apply_edits(source, edits) != source


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                return F.kl_div(p, q, reduction="sum")
            """,
            """\
            def loss(s, q):
                p = F.log_softmax(s, 1)
                return F.kl_div(p, q, reduction="sum")
            """,
            id="a variable that only the loss reads",
        ),
        pytest.param(
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                print(p)
                return F.kl_div(p, q, reduction="sum")
            """,
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                print(p)
                return F.kl_div(F.log_softmax(s, 1), q, reduction="sum")
            """,
            id="a variable that is read elsewhere",
        ),
        pytest.param(
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                s = s * 2
                print(p, s)
                return F.kl_div(p, q, reduction="sum")
            """,
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                s = s * 2
                print(p, s)
                return F.kl_div(p.log(), q, reduction="sum")
            """,
            id="a variable that is read elsewhere, whose scores are gone",
        ),
        pytest.param(
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                s.mul_(2)
                print(p, s)
                return F.kl_div(p, q, reduction="sum")
            """,
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                s.mul_(2)
                print(p, s)
                return F.kl_div(p.log(), q, reduction="sum")
            """,
            id="a variable that is read elsewhere, whose scores change in place",
        ),
        pytest.param(
            """\
            def loss(model, x, q):
                p = F.softmax(model(x), 1)
                print(p)
                return F.kl_div(p, q, reduction="sum")
            """,
            """\
            def loss(model, x, q):
                p = F.softmax(model(x), 1)
                print(p)
                return F.kl_div(p.log(), q, reduction="sum")
            """,
            id="a variable that is read elsewhere, whose scores would be computed twice",
        ),
        pytest.param(
            """\
            def loss(s, q, flag):
                if flag:
                    p = F.softmax(s, 1)
                else:
                    p = F.softmax(s / 2, 1)
                return F.kl_div(p, q, reduction="sum")
            """,
            """\
            def loss(s, q, flag):
                if flag:
                    p = F.softmax(s, 1)
                else:
                    p = F.softmax(s / 2, 1)
                return F.kl_div(p.log(), q, reduction="sum")
            """,
            id="a variable that is bound twice",
        ),
        pytest.param(
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                return F.kl_div(p, q, reduction="sum"), lambda: p
            """,
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                return F.kl_div(F.log_softmax(s, 1), q, reduction="sum"), lambda: p
            """,
            id="a variable that a closure reads",
        ),
        pytest.param(
            """\
            def loss(s, q):
                p, w = F.softmax(s, 1), 2
                return w * F.kl_div(p.view(-1, 10).detach(), q, reduction="sum")
            """,
            """\
            def loss(s, q):
                p, w = F.log_softmax(s, 1), 2
                return w * F.kl_div(p.view(-1, 10).detach(), q, reduction="sum")
            """,
            id="a variable of a tuple, and views of it",
        ),
        pytest.param(
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                return F.kl_div(p.clamp(min=1e-8), q, reduction="sum")
            """,
            """\
            def loss(s, q):
                p = F.log_softmax(s, 1)
                return F.kl_div(p, q, reduction="sum")
            """,
            id="a clamp, which a log may not pass, so that it goes with the log",
        ),
        pytest.param(
            """\
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.softmax = nn.Softmax(1)

                def forward(self, s, q):
                    return F.kl_div(self.softmax(s), q, reduction="sum")
            """,
            """\
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.softmax = nn.LogSoftmax(1)

                def forward(self, s, q):
                    return F.kl_div(self.softmax(s), q, reduction="sum")
            """,
            id="a module that only the loss uses",
        ),
        pytest.param(
            """\
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.softmax = nn.Softmax(1)

                def forward(self, s, y):
                    return F.kl_div(self.softmax(s), self.softmax(y), reduction="sum")
            """,
            """\
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.softmax = nn.Softmax(1)

                def forward(self, s, y):
                    return F.kl_div(F.log_softmax(s, dim=1), self.softmax(y), reduction="sum")
            """,
            id="a module that is used elsewhere",
        ),
        pytest.param(
            """\
            def loss(s, q):
                return F.kl_div(nn.Softmax(dim=1)(s), q, reduction="sum")
            """,
            """\
            def loss(s, q):
                return F.kl_div(nn.LogSoftmax(dim=1)(s), q, reduction="sum")
            """,
            id="a module that is called where it is made",
        ),
        pytest.param(
            """\
            def loss(s, q):
                return F.kl_div(s.softmax(1), q, reduction="sum") + F.kl_div(torch.softmax(s, -1), q, reduction="sum")
            """,
            """\
            def loss(s, q):
                return F.kl_div(s.log_softmax(1), q, reduction="sum") + F.kl_div(torch.log_softmax(s, -1), q, reduction="sum")
            """,
            id="methods and functions of torch",
        ),
        pytest.param(
            """\
            def loss(p, s, q):
                return F.kl_div((F.softmax(p, 1) + F.softmax(s, 1)) / 2, q, reduction="sum")
            """,
            """\
            def loss(p, s, q):
                return F.kl_div(((F.softmax(p, 1) + F.softmax(s, 1)) / 2).log(), q, reduction="sum")
            """,
            id="a mixture",
        ),
        pytest.param(
            """\
            def loss(s, q):
                return F.kl_div(torch.exp(F.log_softmax(s, 1)), q, reduction="sum")
            """,
            """\
            def loss(s, q):
                return F.kl_div(F.log_softmax(s, 1), q, reduction="sum")
            """,
            id="an exp that undoes the log",
        ),
        pytest.param(
            """\
            def loss(x, q):
                return F.kl_div(F.linear(x, x) / 2, q, reduction="sum")
            """,
            """\
            def loss(x, q):
                return F.kl_div(F.log_softmax(F.linear(x, x) / 2, dim=-1), q, reduction="sum")
            """,
            id="scores",
        ),
        pytest.param(
            """\
            criterion = nn.KLDivLoss(reduction="sum")
            def loss(s, y):
                return criterion(F.log_softmax(s, 1), F.log_softmax(y, 1))
            """,
            """\
            criterion = nn.KLDivLoss(reduction="sum", log_target=True)
            def loss(s, y):
                return criterion(F.log_softmax(s, 1), F.log_softmax(y, 1))
            """,
            id="an option of a module",
        ),
        pytest.param(
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                return F.kl_div(torch.log(p), q, reduction="sum"), p
            """,
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                return F.kl_div(F.log_softmax(s, 1), q, reduction="sum"), p
            """,
            id="log of a variable that is read elsewhere",
        ),
        pytest.param(
            """\
            def loss(s, q):
                p = F.softmax(s, 1)
                return F.kl_div((p + 1e-8).log(), q, reduction="sum")
            """,
            """\
            def loss(s, q):
                p = F.log_softmax(s, 1)
                return F.kl_div(p, q, reduction="sum")
            """,
            id="log of a variable and a small number",
        ),
        pytest.param(
            """\
            def loss(s, y):
                return F.kl_div(F.log_softmax(s, 1), F.softmax(y, 1), size_average=True, reduce=True)
            """,
            """\
            def loss(s, y):
                return F.kl_div(F.log_softmax(s, 1), F.softmax(y, 1), reduction="batchmean")
            """,
            id="legacy arguments",
        ),
        pytest.param(
            """\
            def loss(s, y):
                return F.kl_div(F.log_softmax(s, 1), F.softmax(y, 1), None, None, "mean")
            """,
            """\
            def loss(s, y):
                return F.kl_div(F.log_softmax(s, 1), F.softmax(y, 1), None, None, "batchmean")
            """,
            id="a reduction by position",
        ),
    ],
)
def test_fix(before, after):
    assert fixed_after_imports(before) == dedent(after)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(
            """\
            def loss(p, q):
                return F.kl_div(p, q, reduction="sum")
            loss(F.softmax(torch.randn(8, 10), 1), F.softmax(torch.randn(8, 10), 1))
            loss(F.log_softmax(torch.randn(8, 10), 1), F.softmax(torch.randn(8, 10), 1))
            """,
            id="another caller passes something else",
        ),
        pytest.param(
            """\
            criterion = nn.KLDivLoss(reduction="sum")
            def loss(s, y):
                print(criterion(F.log_softmax(s, 1), F.softmax(y, 1)))
                return criterion(F.log_softmax(s, 1), F.log_softmax(y, 1))
            """,
            id="a module that other calls need as it is",
        ),
        pytest.param(
            """\
            def loss(s, y):
                return F.kl_div(F.log_softmax(s.view(2, 3, 4), -1), F.softmax(y.view(2, 3, 4), -1))
            """,
            id="an input of rank 3 needs more than a reduction",
        ),
        pytest.param(
            """\
            def loss(s, y, options={"reduction": "mean"}):
                return F.kl_div(F.log_softmax(s, 1), F.softmax(y, 1), **{"reduction": "mean"})
            """,
            id="options behind stars",
        ),
        pytest.param(
            """\
            def loss(s, y):
                return f"{F.kl_div(F.softmax(s, 1), F.softmax(y, 1), reduction='sum')}"
            """,
            id="inside an f-string",
        ),
    ],
)
def test_what_is_not_sure_is_not_offered(source):
    assert [finding.fix for finding in findings(IMPORTS + dedent(source))] == [None]


@pytest.mark.parametrize(
    ("imports", "before", "after"),
    [
        ("from torch.nn.functional import kl_div, softmax, log_softmax", "softmax(s, 1)", "log_softmax(s, 1)"),
        ("from torch.nn.functional import kl_div, softmax\nimport torch", "softmax(s, 1)", "torch.log_softmax(s, 1)"),
        ("from torch.nn.functional import kl_div, softmax", "softmax(s, 1)", "softmax(s, 1).log()"),
        ("from torch.nn.functional import kl_div", "s.softmax(1)", "s.log_softmax(1)"),
        ("from torch.nn.functional import kl_div\nfrom torch import nn", "nn.Softmax(1)(s)", "nn.LogSoftmax(1)(s)"),
        ("from torch.nn.functional import kl_div\nimport torch", "torch.randn(2, 3)", "torch.log_softmax(torch.randn(2, 3), dim=-1)"),
        ("from torch.nn.functional import kl_div\nfrom torch import randn", "randn(2, 3)", "randn(2, 3).log_softmax(dim=-1)"),
        (
            "from torch.nn.functional import kl_div\nfrom torch import randn\nif kl_div:\n    import torch.nn.functional as F",
            "randn(2, 3)",
            "randn(2, 3).log_softmax(dim=-1)",
        ),
        (
            "try:\n    import torch\nexcept ImportError:\n    torch = None\nfrom torch.nn.functional import kl_div",
            "torch.softmax(s, 1)",
            "torch.log_softmax(s, 1)",
        ),
    ],
)  # fmt: skip
def test_a_fix_uses_the_imports_at_hand(imports, before, after):
    template = imports + "\n\ndef loss(s, q):\n    return kl_div({}, q, reduction='sum')\n"
    assert fixed(template.format(before)) == template.format(after)


def test_a_name_that_means_something_else_at_the_place_is_not_used():
    source = "import torch\nimport torch.nn.functional as F\nkl = F.kl_div\ndef loss(F, q):\n    return torch.nn.functional.kl_div(torch.randn(2, 3), q, reduction='sum')\n"
    assert "torch.log_softmax(torch.randn(2, 3), dim=-1)" in fixed(source)


@pytest.mark.parametrize(
    ("quote", "written"),
    [('"', '"batchmean"'), ("'", "'batchmean'")],
)
def test_strings_have_the_quotes_that_the_module_prefers(quote, written):
    source = f"{IMPORTS}a = {quote}a{quote}\nF.kl_div(F.log_softmax(torch.randn(2, 3), 1), torch.ones(2, 3) / 3)\n"
    assert f"reduction={written}" in fixed(source)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  # noqa: KL201", ""),
        ("  # noqa: KL201, E501", "  # noqa: E501"),
        ("  # noqa: E501,KL201", "  # noqa: E501"),
        ("  # noqa: E501 KL201,KL202 , W1", "  # noqa: E501 W1"),
        ("  # noqa:KL201,KL102", ""),
        ("  # type: ignore  # noqa: KL201", "  # type: ignore"),
        ("  # noqa: KL201 because", "  # because"),
        ("  # noqa: KL201 ", ""),
    ],
)
def test_a_code_goes_and_the_rest_of_the_comment_stays(before, after):
    source = "import torch.nn.functional as F\nx = F.kl_div{}\ny = 1\n"
    assert fixed(source.format(before), "KL905") == source.format(after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            """\
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.act = nn.Softmax(dim=1)
                    self.loss = nn.CrossEntropyLoss()

                def forward(self, x, labels):
                    probs = self.act(x)
                    return self.loss(probs, labels), probs
            """,
            """\
            class Net(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.act = nn.Softmax(dim=1)
                    self.loss = nn.CrossEntropyLoss()

                def forward(self, x, labels):
                    probs = self.act(x)
                    return self.loss(x, labels), probs
            """,
            id="scores for cross_entropy, where others read the probabilities",
        ),
        pytest.param(
            """\
            def loss(s, labels):
                p = F.softmax(s / 2, dim=1)
                return F.cross_entropy(p.view(-1, 10), labels)
            """,
            """\
            def loss(s, labels):
                p = (s / 2)
                return F.cross_entropy(p.view(-1, 10), labels)
            """,
            id="scores for cross_entropy, in a variable",
        ),
        pytest.param(
            """\
            def loss(s, y):
                kl = nn.KLDivLoss(reduction="sum")
                return kl(s.log_softmax(1) / 3.0, (y / 3).softmax(1))
            """,
            """\
            def loss(s, y):
                kl = nn.KLDivLoss(reduction="sum")
                return kl((s / 3.0).log_softmax(1), (y / 3).softmax(1))
            """,
            id="a scale that moves into a method's receiver",
        ),
        pytest.param(
            """\
            def loss(s, y):
                p, q = F.softmax(y, 1), F.log_softmax(s, 1)
                return F.kl_div(input=p, target=q, reduction="sum", log_target=True)
            """,
            """\
            def loss(s, y):
                p, q = F.softmax(y, 1), F.log_softmax(s, 1)
                return F.kl_div(input=q, target=p, reduction="sum")
            """,
            id="swapped arguments by keyword",
        ),
        pytest.param(
            """\
            criterion = nn.BCELoss()
            def loss(labels):
                return criterion(F.linear(torch.randn(8, 3), torch.randn(1, 3)), labels)
            """,
            """\
            criterion = nn.BCEWithLogitsLoss()
            def loss(labels):
                return criterion(F.linear(torch.randn(8, 3), torch.randn(1, 3)), labels)
            """,
            id="a module of another loss",
        ),
        pytest.param(
            """\
            def loss(s, q):
                return F.kl_div(F.log_softmax(s, 1), F.softmax(q, 1), False)
            """,
            """\
            def loss(s, q):
                return F.kl_div(F.log_softmax(s, 1), F.softmax(q, 1), reduction="sum")
            """,
            id="an option of old by position",
        ),
    ],
)
def test_fix_of_other_rules(before, after):
    assert fixed_after_imports(before) == dedent(after)
