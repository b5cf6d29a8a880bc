from __future__ import annotations

import json

from klint.linter import lint_source
from klint.output import FORMATS
from tests.output.reports import notebook

SOURCE = """\
import torch.nn.functional as F

losses = [F.kl_div(F.softmax(x, dim=1), F.softmax(y, dim=1), reduction="sum"), "損失"]
"""


def test_the_keys_are_ruffs_and_klints():
    (finding,) = json.loads(FORMATS["json"](lint_source(SOURCE, "a.py")))
    assert set(finding) == set(
        "code message filename location end_location noqa_row cell url fix name severity confidence related claim".split()
    )
    assert (finding["code"], finding["filename"], finding["severity"]) == ("KL101", "a.py", "error")
    assert finding["location"] == {"row": 3, "column": 11}


def test_no_findings_are_an_empty_list():
    assert FORMATS["json"](lint_source("x = 1\n")) == "[]\n"


def test_json_lines_are_the_same_objects_one_a_line():
    report = lint_source(SOURCE + SOURCE, "a.py")
    lines = FORMATS["json-lines"](report).splitlines()
    assert [json.loads(line) for line in lines] == json.loads(FORMATS["json"](report))
    assert FORMATS["json-lines"](lint_source("x = 1\n")) == ""


def test_in_a_notebook_every_place_names_its_cell():
    finding = json.loads(FORMATS["json"](notebook()))[0]
    assert finding["cell"] == 3
    assert [place["cell"] for place in (*finding["related"], *finding["fix"]["edits"])] == [3, 3]
