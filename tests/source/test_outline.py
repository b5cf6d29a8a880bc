"""A module that is parsed piece by piece says of every name what it says when it is parsed as a whole."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from klint.source.outline import OutlinedUnit, bound, global_setters
from klint.source.python import parse_source

MODULES = {
    "definitions": "def a():\n    pass\n\n\nclass B:\n    x = 1\n\n\nasync def c(): ...\n",
    "decorators": "@one\n@two(\n    3,\n)\ndef a():\n    pass\n@one\nclass B: pass\n",
    "assignments": "a = 1\nb: int = 2\nc: int\nd = e = 3\nf, g = 4, 5\n(h, i) = 6, 7\na += 1\n[j, *k] = l\n",
    "imports": "import a\nimport b.c as d, e\nfrom f import (\n    g,\n    h as i,\n)\nfrom . import j\n",
    "blocks": "try:\n    import a\nexcept ImportError:\n    a = None\nelse:\n    b = 1\nfinally:\n    c = 1\nif a:\n    d = 1\nelif b:\n    e = 1\nelse:\n    f = 1\n",
    "loops": "for a in b:\n    c = a\nwith open(d) as e:\n    f = 1\nwhile g:\n    h = 1\n",
    "a name that is bound again": "a = 1\ndef a(): ...\nif b:\n    a = 2\n",
    "code in a docstring": '"""Write\n\nimport a\nb = 1\ndef c(): ...\n"""\nd = 1\n',
    "code in a string of the other quotes": "a = '''\nb = \"\"\"\nc = 1\n'''\nd = 1\n",
    "triple quotes in a comment": '# """\na = 1\n# """\nb = 1\n',
    "triple quotes in a string": 'a = \'"""\'\nb = 1\nc = \'"""\'\ndef d(): ...\n',
    "an escaped quote": 'a = """\\"""\nb = 1\n"""\nc = 1\n',
    "brackets that open at column 1": "a = [\n1,\n2,\n]\nb = dict(\nc=3,\n)\nd = 4\n",
    "an argument at column 1": "a = f(1,\nb=2)\nc = 3\n",
    "a continued line": "a = 1 + \\\n2\nb = 3\n",
    "comments at column 1": "def a():\n    x = 1\n# b = 2\n    y = 3\nc = 4\n",
    "several statements on a line": "a = 1; b = 2\nimport c; d = 3\n",
    "form feed and windows newlines": "a = 1\n\x0c\nb = 2\n",
    "no newline at the end": "a = 1\nb = 2",
    "nothing": "",
    "a statement that does not parse": "a = 1\nb = = 2\nc = 3\n",
}


@pytest.mark.parametrize("text", MODULES.values(), ids=MODULES)
def test_each_name_is_bound_by_the_same_statements(text):
    whole = parse_source(text, "module.py")
    names = set[str]().union(*map(bound, whole.tree.body)) | {"a", "b", "c", "x", "nothing"}
    piecemeal = OutlinedUnit("module.py", text)
    for name in sorted(names):
        expected = [ast.dump(tree, include_attributes=True) for tree in whole.tree.body if name in bound(tree)]
        assert [ast.dump(tree, include_attributes=True) for tree in piecemeal.binding(name)] == expected, name


def test_the_whole_holds_the_pieces():
    unit = OutlinedUnit("module.py", "a = 1\nb = 2\n")
    (piece,) = unit.binding("b")
    assert unit.tree.body[1] is piece
    assert unit.binding("a") == [unit.tree.body[0]]


def test_a_piece_that_is_not_asked_for_is_not_parsed(monkeypatch):
    unit = OutlinedUnit("module.py", "a = 1\ndef b():\n    return c\nc = 3\n")
    parsed = []
    monkeypatch.setattr("klint.source.outline.parse_tree", lambda text, _: parsed.append(text) or ast.parse(text))
    unit.binding("c")
    assert [text.strip() for text in parsed] == ["c = 3"]


def test_names_are_bound_again_by_assignments_and_by_functions():
    text = "a = 1\na = 2\nb = 3\nd = 4\ndef c():\n    global d\n    d = 5\nif a:\n    b = 6\ne = f(g=7)\n"
    assert OutlinedUnit("module.py", text).rebound() == {"a", "b", "d"}


def test_functions_that_bind_names_of_their_module_are_known_with_those_around_them():
    text = "class A:\n    def outer(self):\n        def inner():\n            global b\n            b = 1\n    def other(self): ...\n"
    assert global_setters(text) == {"outer", "inner"}


def test_the_modules_of_python_itself():
    for path in sorted(Path(ast.__file__).parent.glob("*.py"))[::7]:
        text = path.read_text("utf-8", errors="replace").replace("\r", "\n")
        whole = parse_source(text, str(path))
        piecemeal = OutlinedUnit(str(path), text)
        definitions = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
        for name in {name for tree in whole.tree.body if isinstance(tree, definitions) for name in bound(tree)}:
            rows = [tree.lineno for tree in whole.tree.body if name in bound(tree)]
            assert [tree.lineno for tree in piecemeal.binding(name)] == rows, (path, name)
