"""Options of the losses, at the functional call or where a module is made: KL205, KL206, KL208."""

from __future__ import annotations

from textwrap import dedent

import pytest

from klint.finding import Severity
from tests.codes import PREAMBLE, codes_after_preamble, findings

LABELS = "labels = torch.randint(10, (8,))\n"

LEGACY = {
    "size_average of a function": "F.cross_entropy(x, labels, size_average=False)",
    "reduce of a function": "F.nll_loss(log_q, labels, reduce=False)",
    "both": "F.cross_entropy(x, labels, size_average=True, reduce=True)",
    "by position": "F.kl_div(log_q, p, False)",
    "by position after the weight": "F.binary_cross_entropy(p, p, None, False)",
    "of a module that is called": "nn.BCEWithLogitsLoss(size_average=False)(x, p)",
    "of a module that nothing calls": "criterion = nn.CrossEntropyLoss(size_average=False)",
    "of a module by position": "criterion = nn.KLDivLoss(False)",
    "of a module in a class": """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.criterion = nn.NLLLoss(size_average=False)
        """,
    "of a module that is returned": "def criterion():\n    return nn.CrossEntropyLoss(size_average=False)",
    "of a base class": """
        class Loss(nn.CrossEntropyLoss):
            def __init__(self):
                super().__init__(size_average=False)

        criterion = Loss()
        """,
    "0 for False": "F.cross_entropy(x, labels, size_average=0)",
    "by an alias": "from torch.nn import CrossEntropyLoss as CE\ncriterion = CE(size_average=False)",
    "given by a variable": "average = False\nF.cross_entropy(x, labels, size_average=average)",
    "True by the default of a parameter": """
        def loss(x, labels, size_average=True):
            return F.cross_entropy(x, labels, size_average=size_average)
        """,
    "given by a caller": """
        def loss(x, labels, size_average=None):
            return F.cross_entropy(x, labels, size_average=size_average)
        loss(x, labels, False)
        """,
    "one of two values": "F.cross_entropy(x, labels, size_average=True if flag else False)",
    "the old name of mean": "criterion = nn.CrossEntropyLoss(reduction='elementwise_mean')",
}


@pytest.mark.parametrize("source", LEGACY.values(), ids=LEGACY)
def test_options_of_old(source):
    assert codes_after_preamble(_with_labels(source)) == ["KL205"]


NOT_LEGACY = {
    "None": "criterion = nn.CrossEntropyLoss(size_average=None, reduce=None)",
    "None by position": "F.kl_div(log_q, p, None, None, 'sum')",
    "None by default": """
        def loss(x, labels, size_average=None):
            return F.cross_entropy(x, labels, size_average=size_average)
        """,
    "a parameter of which nothing is known": """
        def loss(x, labels, size_average):
            return F.cross_entropy(x, labels, size_average=size_average)
        """,
    "an attribute of which nothing is known": "F.cross_entropy(x, labels, size_average=config.size_average)",
    "None under a condition": "F.cross_entropy(x, labels, size_average=False if flag else None)",
    "the user's own loss": """
        class CrossEntropyLoss(nn.Module):
            def __init__(self, size_average=True):
                super().__init__()
                self.size_average = size_average

            def forward(self, x, labels):
                loss = F.cross_entropy(x, labels, reduction="none")
                return loss.mean() if self.size_average else loss.sum()

        CrossEntropyLoss(size_average=False)(x, labels)
        """,
    "another library's loss": "import paddle.nn.functional as P\nP.cross_entropy(x, labels, size_average=False)",
    "options that are unpacked": "F.cross_entropy(x, labels, **options)",
    "positional None, None, batchmean and log_target": "nn.KLDivLoss(None, None, 'batchmean', True)(log_q, F.log_softmax(y, dim=1))",
    "positional options of cross_entropy": "F.cross_entropy(x, labels, None, None, 0, None, 'sum')",
    "weight by position": "nn.CrossEntropyLoss(torch.ones(10))(x, labels)",
    "weight from a list": "nn.BCELoss(torch.tensor([0.5] * 10))",
    "reductions of each loss": "[nn.NLLLoss(reduction=r) for r in ('none', 'mean', 'sum')]",
    "reduction given by a variable": "F.cross_entropy(x, labels, reduction=how)",
    "reduction of a parameter": "def loss(x, labels, reduction='mean'):\n    return F.cross_entropy(x, labels, reduction=reduction)",
    "None of which a branch makes mean": """
        def loss(x, labels, reduction=None):
            if reduction is None:
                reduction = "mean"
            return F.cross_entropy(x, labels, reduction=reduction)
        loss(x, labels)
        """,
    "batchmean of kl_div": "criterion = nn.KLDivLoss(reduction='batchmean')",
    "one of two is unknown": "F.cross_entropy(x, labels, reduction='batchmean' if flag else 'mean')",
}


@pytest.mark.parametrize("source", NOT_LEGACY.values(), ids=NOT_LEGACY)
def test_what_is_right_or_not_known_is_silent(source):
    assert codes_after_preamble(_with_labels(source)) == []


@pytest.mark.parametrize(
    ("call", "severity"),
    [
        ("nn.KLDivLoss(size_average=False)", Severity.WARNING),
        ("nn.KLDivLoss(size_average=False, reduction='batchmean')", Severity.ERROR),
    ],
    ids=["alone", "beside reduction"],
)
def test_an_option_of_old_beside_reduction_is_an_error(call, severity):
    (finding,) = findings(PREAMBLE + call)
    assert (finding.code, finding.severity) == ("KL205", severity)


BESIDE = {
    "module, summed": ("nn.KLDivLoss(size_average=False, reduction='batchmean')", "wins: the reduction is 'sum'"),
    "module, averaged": ("nn.KLDivLoss(size_average=True, reduction='batchmean')", "wins: the reduction is 'mean'"),
    "function, summed": ("F.kl_div(log_q, p, size_average=False, reduction='batchmean')", "changes nothing"),
    "function, averaged": ("F.kl_div(log_q, p, size_average=True, reduction='batchmean')", "both divide"),
    "unknown": ("F.kl_div(log_q, p, size_average=True, reduction=how)", "wins over it"),
}


@pytest.mark.parametrize(("call", "said"), BESIDE.values(), ids=BESIDE)
def test_module_and_function_do_not_agree_about_which_wins(call, said):
    (finding,) = [finding for finding in findings(PREAMBLE + call) if finding.code == "KL205"]
    assert said in finding.message


WRONG_SLOT = {
    "reduction first to the constructor": ("nn.KLDivLoss('batchmean')", "reduction='batchmean'"),
    "called at once": ("nn.KLDivLoss('sum')(log_q, p)", "reduction='sum'"),
    "reduction third to the function": ("F.kl_div(log_q, p, 'sum')", "reduction='sum'"),
    "as reduce": ("F.kl_div(log_q, p, None, 'none')", "reduction='none'"),
    "by keyword": ("F.kl_div(log_q, p, size_average='batchmean')", "reduction='batchmean'"),
    "as weight of cross entropy": ("nn.CrossEntropyLoss('sum')", "reduction='sum'"),
    "as weight of a function": ("F.nll_loss(log_q, labels, 'sum')", "reduction='sum'"),
    "as weight of BCE": ("nn.BCELoss('none')", "reduction='none'"),
    "a truth value as weight": ("nn.BCELoss(False)", "the keyword that is meant"),
    "as ignore_index": ("F.cross_entropy(x, labels, None, None, 'sum')", "reduction='sum'"),
    "index to ignore as size_average": ("nn.CrossEntropyLoss(None, 0)", "ignore_index=0"),
    "negative index to ignore": ("nn.CrossEntropyLoss(None, -100)", "ignore_index=-100"),
    "index to ignore as weight": ("nn.NLLLoss(255)", "ignore_index=255"),
    "smoothing as size_average": ("nn.CrossEntropyLoss(None, 0.1)", "label_smoothing=0.1"),
    "smoothing as reduction": ("F.cross_entropy(x, labels, None, None, -100, None, 0.1)", "label_smoothing=0.1"),
    "log_target as reduction": ("F.kl_div(log_q, p, None, None, True)", "the keyword that is meant"),
    "by a variable": ("how = 'batchmean'\ncriterion = nn.KLDivLoss(how)", "reduction='batchmean'"),
    "by a constant of the module": (
        "IGNORE = 0\ndef f():\n    return nn.CrossEntropyLoss(None, IGNORE)",
        "ignore_index=0",
    ),
    "by functools.partial": ("import functools\nfunctools.partial(nn.KLDivLoss, 'sum')()", "reduction='sum'"),
}


@pytest.mark.parametrize(("source", "said"), WRONG_SLOT.values(), ids=WRONG_SLOT)
def test_reduction_in_the_wrong_slot(source, said):
    (finding,) = findings(PREAMBLE + LABELS + source)
    assert finding.code == "KL206"
    assert finding.message.endswith(said)


UNKNOWN = {
    "batchmean of cross entropy": ("nn.CrossEntropyLoss(reduction='batchmean')", "reduction='mean'"),
    "batchmean of a function": ("F.binary_cross_entropy_with_logits(x, p, reduction='batchmean')", "reduction='mean'"),
    "misspelled": ("nn.KLDivLoss(reduction='batch_mean')", "reduction='batchmean'"),
    "in capitals": ("F.nll_loss(log_q, labels, reduction='Mean')", "reduction='mean'"),
    "average": ("nn.BCELoss(reduction='avg')", "reduction='mean'"),
    "None": ("nn.CrossEntropyLoss(reduction=None)", "reduction='none'"),
    "None by position": ("F.kl_div(log_q, p, None, None, None)", "reduction='none'"),
    "False": ("nn.CrossEntropyLoss(reduction=False)", "one of 'none', 'mean', 'sum'"),
    "unlike any": ("nn.CrossEntropyLoss(reduction='weighted')", "one of 'none', 'mean', 'sum'"),
    "given by a variable": ("how = 'batchmean'\nF.cross_entropy(x, labels, reduction=how)", "reduction='mean'"),
}


@pytest.mark.parametrize(("source", "said"), UNKNOWN.values(), ids=UNKNOWN)
def test_unknown_reduction(source, said):
    (finding,) = findings(PREAMBLE + LABELS + source)
    assert finding.code == "KL208"
    assert finding.message.endswith(said)


def test_reduction_given_by_a_caller():
    source = """
def loss(x, labels, reduction):
    return F.cross_entropy(x, labels, reduction=reduction)
loss(x, labels, "mean")
loss(x, labels, "batchmean")
"""
    (finding,) = findings(PREAMBLE + LABELS + source)
    assert finding.code == "KL208"
    assert finding.location.row == PREAMBLE.count("\n") + 4
    assert [related.location.row for related in finding.related] == [PREAMBLE.count("\n") + 6]


def test_reduction_is_not_read_beside_an_option_of_old():
    assert codes_after_preamble("nn.KLDivLoss(size_average=False, reduction='foo')") == ["KL205"]


def test_a_module_is_reported_where_it_is_made_once():
    source = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.KLDivLoss("batchmean")

    def forward(self, q, t):
        return self.criterion(q, t) + self.criterion(t, q)
Net()
Net()(log_q, p)
"""
    (finding,) = [finding for finding in findings(PREAMBLE + source) if finding.code.startswith("KL2")]
    assert (finding.code, finding.location.row) == ("KL206", PREAMBLE.count("\n") + 5)


def _with_labels(source: str) -> str:
    """A source, of whatever indentation, that may use labels."""
    return LABELS + dedent(source)
