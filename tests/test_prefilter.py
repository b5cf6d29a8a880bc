from __future__ import annotations

import ast
import json

import pytest

from klint.prefilter import Look, excerpt, look, takes
from klint.torch_model.losses import LOSS_NAMES, names_loss

WANTED = frozenset({b"loss", b"distance"})


def notebook(*cells: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}).encode()


class TestLook:
    @pytest.mark.parametrize("name", sorted(LOSS_NAMES))
    def test_every_loss_is_seen(self, name):
        assert look(f"x = F.{name}(p, q)\n".encode(), "a.py").names_loss

    @pytest.mark.parametrize("text", ["", "x = loss(p, q)\n", "class HingeLoss:\n    pass\n", "kl = div = 1\n"])
    def test_other_text_is_settled(self, text):
        assert look(text.encode(), "a.py") == Look(False, False)
        assert not names_loss(text)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param("x = F.kl_div(p, q)\n".encode("utf-8-sig"), id="a byte order mark"),
            pytest.param("# coding: latin-1\nx = 'é', F.kl_div\n".encode("latin-1"), id="latin-1"),
            pytest.param("# coding: utf-7\nx = F.kl_div\n".replace("k", "+AGs-").encode(), id="utf-7"),
            pytest.param("#!x\n# coding: utf-7\nx = F.kl_div\n".replace("k", "+AGs-").encode(), id="in the second line"),
            pytest.param(b"# coding: cp037\n" + "x = F.kl_div\n".encode("cp037"), id="EBCDIC"),
        ],
    )  # fmt: skip
    def test_names_are_found_in_any_encoding(self, data):
        assert look(data, "a.py").names_loss

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
    def test_bytes_in_which_names_cannot_be_looked_for_are_left_to_a_closer_look(self, encoding):
        mark = b"" if encoding != "utf-16-be" else b"\xfe\xff"
        assert look(mark + "x = 1\n".encode(encoding), "a.py").names_loss

    def test_text_that_does_not_decode_is_no_matter_unless_it_names_a_loss(self):
        assert look(b"x = '\xff'\n", "a.py") == Look(False, False)
        assert look(b"# coding: no-such-thing\n", "a.py").names_loss

    def test_notebooks_are_searched_as_they_are_written(self):
        assert look(notebook("x = 1"), "n.ipynb") == Look(False, False)
        assert look(notebook("F.kl_div(p, q)"), "n.ipynb").names_loss
        assert look(notebook("F.kl_div(p, q)").replace(b"_", rb"\u005f"), "n.ipynb").names_loss

    @pytest.mark.parametrize("comment", ["# noqa: KL101", "# NOQA:E501,kl2"])
    def test_comments_of_klints_own_are_seen_where_they_are_asked_for(self, comment):
        assert look(f"x = 1  {comment}\n".encode(), "a.py") == Look(False, True)
        assert look(f"x = 1  {comment}\n".encode(), "a.py", comments=False) == Look(False, False)


TAKING = {
    "a name": "from helper import loss\n",
    "a name by another name": "from helper import loss as other\n",
    "a relative import": "from . import loss\n",
    "brackets": "from helper import (\n    other,  # (a note)\n    loss,\n)\n",
    "a backslash": "from helper import other, \\\n    loss\n",
    "in a function": "def f():\n    from helper import loss\n",
    "after a colon": "if x: from helper import loss\n",
    "an attribute": "import helper\nhelper.loss(x)\n",
    "an attribute of an attribute": "import pkg.helper\npkg.helper.loss(x)\n",
    "an attribute of a module by another name": "import pkg.helper as h\nh.loss(x)\n",
    "an attribute of a module from a package": "from pkg import helper\nhelper.loss(x)\n",
    "an attribute on a line of its own": "import helper\ny = (\n    helper\n    .loss(x)\n)\n",
    "an attribute behind a space": "import helper\nhelper . loss(x)\n",
    "a name that is not ASCII": "import hélper\nhélper.loss(x)\n",
}
NOT_TAKING = {
    "no import": "def f(helper):\n    return helper.loss(x)\n",
    "a name of its own": "import torch\n\ndef loss(x):\n    return x\n",
    "an attribute of something else": "import helper\nself.loss(x)\n",
    "an attribute of a result": "import helper\nmake(helper).loss(x)\n",
    "an attribute of an attribute of something else": "import helper\nself.helper.loss(x)\n",
    "a longer name": "from helper import losses, my_loss\nhelper.losses(x)\n",
}


class TestTakes:
    @pytest.mark.parametrize("text", TAKING.values(), ids=TAKING)
    def test_a_file_that_takes_a_name_from_another(self, text):
        assert takes(text.encode(), "a.py", WANTED) == {b"loss"}

    @pytest.mark.parametrize("text", NOT_TAKING.values(), ids=NOT_TAKING)
    def test_a_file_that_does_not(self, text):
        assert takes(text.encode(), "a.py", WANTED) == frozenset()

    @pytest.mark.parametrize("text", TAKING.values(), ids=TAKING)
    def test_a_notebook(self, text):
        assert takes(notebook("x = 1", text), "n.ipynb", WANTED) == {b"loss"}

    @pytest.mark.parametrize("newline", ["\r\n", "\r"])
    @pytest.mark.parametrize("text", TAKING.values(), ids=TAKING)
    def test_newlines_of_any_kind(self, text, newline):
        assert takes(text.replace("\n", newline).encode(), "a.py", WANTED) == {b"loss"}

    def test_all_that_cannot_be_told(self):
        assert takes("import x\n".encode("utf-16"), "a.py", WANTED) == WANTED


class TestExcerpt:
    @pytest.mark.parametrize("text", [text for name, text in TAKING.items() if name != "after a colon"])
    def test_it_holds_what_is_taken(self, text):
        tree = excerpt(text, frozenset({"loss"}))
        assert tree is not None
        taken = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        taken |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "loss" in taken

    def test_it_is_small(self):
        body = "".join(f"def f{number}(x):\n    return x.loss\n" for number in range(100))
        tree = excerpt(f"import helper\n{body}", frozenset({"loss"}))
        assert tree is not None
        assert len(list(ast.walk(tree))) < 1000

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("if x: from helper import loss\n", id="an import after a colon"),
            pytest.param('"""\nfrom here on import is a word\n"""\n', id="prose that looks like an import"),
        ],
    )
    def test_there_is_none_where_imports_cannot_be_told_from_the_rest(self, text):
        assert excerpt(text, frozenset({"loss"})) is None
