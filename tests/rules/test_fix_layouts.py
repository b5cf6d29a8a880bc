"""Fixes in code of every layout change what they must and no character more."""

from __future__ import annotations

import pytest

from klint.fix import fix_source

HEAD = "import torch\nimport torch.nn as nn\nimport torch.nn.functional as F\ns, q = torch.randn(8, 10), torch.randn(8, 10).softmax(1)\n"


def fixed(body):
    """A body after all its fixes, and whether all around it stayed as it was."""
    after = fix_source(HEAD + body, "case.py", unsafe=True).after
    assert after.startswith(HEAD)
    return after[len(HEAD) :]


LAYOUTS = [
    pytest.param(
        "loss = F.kl_div(\n    F.softmax(s, 1),  # student\n    q,  # teacher\n    reduction='sum',\n)\n",
        "loss = F.kl_div(\n    F.log_softmax(s, 1),  # student\n    q,  # teacher\n    reduction='sum',\n)\n",
        id="comments inside the call",
    ),
    pytest.param(
        "loss = F.kl_div(\n    F.log_softmax(s, 1),  # student\n    q,  # teacher\n)\n",
        'loss = F.kl_div(\n    F.log_softmax(s, 1),  # student\n    q,  # teacher\n    reduction="batchmean",\n)\n',
        id="one argument a line, comma at the end",
    ),
    pytest.param(
        "loss = F.kl_div(\n\tF.log_softmax(s, 1),\n\tq  # teacher, of old\n)\n",
        'loss = F.kl_div(\n\tF.log_softmax(s, 1),\n\tq,  # teacher, of old\n\treduction="batchmean"\n)\n',
        id="one argument a line, tabs, no comma at the end",
    ),
    pytest.param(
        "loss = F.kl_div(F.log_softmax(s, 1),\n                q)\n",
        'loss = F.kl_div(F.log_softmax(s, 1),\n                q, reduction="batchmean")\n',
        id="arguments below each other",
    ),
    pytest.param(
        "loss = F.kl_div(F.log_softmax(s, 1), (q), )\n",
        'loss = F.kl_div(F.log_softmax(s, 1), (q), reduction="batchmean", )\n',
        id="brackets around the last argument, and a comma",
    ),
    pytest.param(
        "loss = F.kl_div(F.log_softmax(s, 1), ((q)  # one (\n))\n",
        'loss = F.kl_div(F.log_softmax(s, 1), ((q)  # one (\n), reduction="batchmean")\n',
        id="a comment inside the brackets around the last argument",
    ),
    pytest.param(
        "loss = F.kl_div(F.log_softmax(s, 1), q, reduction=('mean'))\n",
        "loss = F.kl_div(F.log_softmax(s, 1), q, reduction=('batchmean'))\n",
        id="brackets around the value",
    ),
    pytest.param(
        "criterion = nn.KLDivLoss(\n    # the default\n)\nloss = criterion(F.log_softmax(s, 1), q)\n",
        'criterion = nn.KLDivLoss(reduction="batchmean"\n    # the default\n)\nloss = criterion(F.log_softmax(s, 1), q)\n',
        id="no argument, but a comment",
    ),
    pytest.param(
        "loss = (F.kl_div)(F.log_softmax(s, 1), q)\n",
        'loss = (F.kl_div)(F.log_softmax(s, 1), q, reduction="batchmean")\n',
        id="brackets around the function",
    ),
    pytest.param(
        "größe = 'ä→😀'; loss = F.kl_div(F.softmax(s, 1), q, reduction='sum'); print('é')\n",
        "größe = 'ä→😀'; loss = F.kl_div(F.log_softmax(s, 1), q, reduction='sum'); print('é')\n",
        id="letters beyond ASCII before the call, and semicolons",
    ),
    pytest.param(
        "@torch.no_grad()\ndef f(s=s, q=q): return F.kl_div(F.softmax(s, 1), q, reduction='sum')\n",
        "@torch.no_grad()\ndef f(s=s, q=q): return F.kl_div(F.log_softmax(s, 1), q, reduction='sum')\n",
        id="a decorator, and the body in the line of the function",
    ),
    pytest.param(
        "loss = F.kl_div((p := F.softmax(s, 1)), q, reduction='sum')\n",
        "loss = F.kl_div((p := F.log_softmax(s, 1)), q, reduction='sum')\n",
        id="a walrus that nothing else reads",
    ),
    pytest.param(
        "loss = F.kl_div(p := F.softmax(s, 1), q, reduction='sum')\nprint(p)\n",
        "loss = F.kl_div((p := F.softmax(s, 1)).log(), q, reduction='sum')\nprint(p)\n",
        id="a walrus that is read",
    ),
    pytest.param(
        "loss = F.kl_div(F.kl_div(F.softmax(s, 1), q, reduction='sum') * 0 + F.softmax(s, 1), q, reduction='sum')\n",
        None,
        id="a loss in a loss",
    ),
    pytest.param(
        "p = F.softmax(s, 1)\nloss = F.kl_div(p, q, reduction='sum') + F.kl_div(p, q, reduction='sum')\n",
        "p = F.softmax(s, 1)\nloss = F.kl_div(F.log_softmax(s, 1), q, reduction='sum')"
        " + F.kl_div(F.log_softmax(s, 1), q, reduction='sum')\n",
        id="one variable in two losses",
    ),
    pytest.param(
        "p = (\n    F  # why\n    .softmax(s, 1)\n)\nloss = F.kl_div(p, q, reduction='sum')\n",
        "p = (\n    F  # why\n    .log_softmax(s, 1)\n)\nloss = F.kl_div(p, q, reduction='sum')\n",
        id="a function's name on a line of its own",
    ),
    pytest.param(
        "loss = F.kl_div(torch.log(\n    F.softmax(\n        s,\n        1,\n    )\n), q, reduction='sum')\n",
        "loss = F.kl_div(F.log_softmax(\n        s,\n        1,\n    ), q, reduction='sum')\n",
        id="a log around several lines",
    ),
    pytest.param(
        "loss = F.kl_div(torch.log(  # why\n    F.softmax(s, 1)), q, reduction='sum')\n",
        "loss = F.kl_div(torch.log(  # why\n    F.softmax(s, 1)), q, reduction='sum')\n",
        id="a comment that would go: no fix",
    ),
    pytest.param(
        "loss = F.kl_div((s\n    .softmax(1)\n    .log()), q, reduction='sum')\n",
        None,
        id="a chain over several lines",
    ),
    pytest.param(
        "loss = F.kl_div(input=torch.nn.functional.softmax(s, dim=1), target=q, reduction='sum')\n",
        "loss = F.kl_div(input=torch.nn.functional.log_softmax(s, dim=1), target=q, reduction='sum')\n",
        id="tensors by keyword",
    ),
    pytest.param(
        "loss = F.kl_div(s if s.sum() > 0 else s * 2, q, reduction='sum')\n",
        "loss = F.kl_div(F.log_softmax(s if s.sum() > 0 else s * 2, dim=1), q, reduction='sum')\n",
        id="a conditional expression",
    ),
    pytest.param(
        "loss = F.kl_div \\\n    (F.softmax(s, 1), q,\\\n reduction='sum')\n",
        "loss = F.kl_div \\\n    (F.log_softmax(s, 1), q,\\\n reduction='sum')\n",
        id="backslashes",
    ),
    pytest.param(
        "loss = F.kl_div(F.softmax(s, 1), q, reduction='sum')\x0c\nprint('\x0c')\n",
        "loss = F.kl_div(F.log_softmax(s, 1), q, reduction='sum')\x0c\nprint('\x0c')\n",
        id="form feeds",
    ),
    pytest.param(
        "loss = F.kl_div(F.softmax(s, 1), q, reduction='sum')",
        "loss = F.kl_div(F.log_softmax(s, 1), q, reduction='sum')",
        id="no newline at the end",
    ),
]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(("before", "after"), LAYOUTS)
def test_layout(before, after, newline):
    def written(text):
        return (HEAD + text).replace("\n", newline)

    found = fix_source(written(before), "case.py", unsafe=True).after
    if after is not None:
        assert found == written(after)
    compile(found.replace("\r\n", "\n").replace("\r", "\n"), "case.py", "exec")


@pytest.mark.parametrize(("before", "after"), LAYOUTS)
def test_what_is_fixed_is_not_fixed_again(before, after):
    once = fixed(before)
    assert fixed(once) == once
