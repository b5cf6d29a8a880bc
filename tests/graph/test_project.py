"""Which names a module takes from other files of its project: by its imports, and by where they lead."""

from __future__ import annotations

from pathlib import Path

import pytest

from klint.graph.project import Project
from klint.source.python import parse_source

NAMES = frozenset({"loss", "distance"})


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "pkg/__init__.py",
        "pkg/helper.py",
        "pkg/sub/__init__.py",
        "pkg/sub/main.py",
        "top.py",
        "src/inner.py",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("pyproject.toml").touch()


def taken(text: str, filename: str = "pkg/sub/main.py") -> frozenset[str]:
    return Project().taken(parse_source(text, filename), NAMES)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("from pkg.helper import loss", id="a name"),
        pytest.param("from pkg.helper import loss as other", id="a name by another name"),
        pytest.param("from ..helper import loss", id="a relative import"),
        pytest.param("from .. import loss", id="a package above"),
        pytest.param("import pkg.helper\npkg.helper.loss(x)", id="a chain of attributes"),
        pytest.param("import pkg\npkg.helper.loss(x)", id="a module that another file imports"),
        pytest.param("from pkg import helper\nhelper.loss(x)", id="a module"),
        pytest.param("from .. import helper as h\nh.loss(x)", id="a module by another name"),
        pytest.param("def f(x):\n    import top\n    return top.loss(x)", id="an import in a function"),
        pytest.param("import inner\ninner.loss(x)", id="a module below src"),
        pytest.param("if x:\n    import torch as m\nelse:\n    import top as m\nm.loss(x)", id="one of two modules"),
    ],
)
def test_names_of_the_project_are_taken(text):
    assert taken(text) == {"loss"}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("from torch import loss", id="a name of a library"),
        pytest.param("import torch\ntorch.nn.loss(x)", id="an attribute of a library"),
        pytest.param("from .... import loss", id="an import that leads out of the project"),
        pytest.param("from pkg.helper import losses", id="another name"),
        pytest.param("import top\nself.loss(x)\nf(top).loss(x)", id="an attribute of something else"),
        pytest.param("def loss(x):\n    return x", id="a name of its own"),
    ],
)
def test_other_names_are_not(text):
    assert taken(text) == frozenset()


def test_it_rests_on_where_imports_lead():
    project = Project()
    asked = project.record()
    assert project.taken(parse_source("from later import loss", "top.py"), NAMES) == frozenset()
    assert asked.kinds["later.py"] == ""
    Path("later.py").touch()
    assert Project().taken(parse_source("from later import loss", "top.py"), NAMES) == {"loss"}
