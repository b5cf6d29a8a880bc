"""Python in prose: fenced blocks of Markdown, code blocks of reStructuredText, and transcripts of the interactive prompt.

The blocks of a file are one module, in order, until one imports again what it has: that one is meant to stand by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from klint.finding import Edit, Finding
from klint.source.lines import Line
from klint.source.pieces import Piece, Reading, assemble, read
from klint.source.python import SourceUnit, unified

_PYTHON = frozenset("python python3 py py3 pycon python-repl ipython ipython3 python-console pyodide".split())
_WORD = re.compile(r"[\w+-]+")

_PROMPT = re.compile(r"[\s>]*?>>>(?: |$)")
_CONTINUATION = re.compile(r"[\s>]*?(?:\.\.\.|…)(?: |$)")

_DIRECTIVE = re.compile(r"(?P<indentation>\s*)\.\. (?P<name>[\w:-]+?)::\s*(?P<argument>\S*)")
_OPTION = re.compile(r"\s*:[\w-]+:")
_CODE = ("code-block", "code", "sourcecode")
_PYTHON_CODE = ("testcode", "testsetup", "doctest", "ipython", "jupyter-execute")


@dataclass(frozen=True)
class _Block:
    """Lines of code in a text; they are ``marked`` as Python or may be anything."""

    lines: tuple[Line, ...]
    marked: bool


def parse_prose(text: str, filename: str) -> list[SourceUnit]:
    """The modules in a text, of which the name says how blocks of code are set apart in it."""
    text = unified(text)
    rows = text.split("\n")
    sources = {filename: [f"{row}\n" for row in rows]}
    modules: list[list[Reading]] = [[]]
    imported: set[tuple[str, str]] = set()
    for piece in _pieces(text, rows, filename):
        reading = read(piece)
        if reading is None:
            continue
        if imported & reading.imports:
            modules.append([])
            imported.clear()
        modules[-1].append(reading)
        imported |= reading.imports
    return [assemble(filename, readings, sources, part) for part, readings in enumerate(modules)]


def in_text(text: str, filename: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Findings whose fixes put before new lines what stands before those around them: a quote sign, a prompt."""
    rows, units = text.split("\n"), parse_prose(text, filename)
    margins = {row: margin for unit in units if unit.origin is not None for row, margin in unit.origin.margins()}

    def prefixed(edit: Edit) -> Edit:
        margin = margins[edit.location.row]
        prefix = rows[edit.location.row - 1][:margin]
        if edit.location.column > margin + 1:  # inside a statement, and so are the new lines
            prefix = prefix.replace(">>>", "...")
        return replace(edit, content=edit.content.replace("\n", f"\n{prefix}"))

    for finding in findings:
        fix = finding.fix and replace(finding.fix, edits=tuple(map(prefixed, finding.fix.edits)))
        yield replace(finding, fix=fix)


def _pieces(text: str, rows: Sequence[str], filename: str) -> list[Piece]:
    """The pieces of code in a text, in order."""
    kind = filename.lower().rpartition(".")[2]
    blocks = [] if kind == "md" else list(_directives(rows))
    blocks += [] if kind == "rst" else list(_fences(text, rows))
    pieces: list[Piece] = []
    taken: set[int] = set()
    for block in blocks:
        own = {line.row for line in block.lines}
        if own & taken:
            continue
        if any(_PROMPT.match(line.text) for line in block.lines):
            pieces += _examples(block)
        else:
            pieces.append(Piece(block.lines, marked=block.marked))
        taken |= own
    between = tuple(Line.whole(row, number) for number, row in enumerate(rows, 1) if number not in taken)
    pieces += _examples(_Block(between, marked=False))
    return sorted(pieces, key=lambda piece: piece.lines[0].row)


def _examples(block: _Block) -> Iterator[Piece]:
    """The examples of a transcript: what stands after ``>>>`` and after ``...`` below it. All else is printed output."""
    example: list[Line] = []
    for line in block.lines:
        prompt = _PROMPT.match(line.text)
        if example and (prompt or not _continues(line, example[-1])):
            yield Piece(tuple(example), marked=block.marked, shows=True)
            example = []
        prompt = prompt or (_CONTINUATION.match(line.text) if example else None)
        if prompt:
            example.append(line.without(0, prompt.end()))
    if example:
        yield Piece(tuple(example), marked=block.marked, shows=True)


def _continues(line: Line, before: Line) -> bool:
    return line.row == before.row + 1 and _CONTINUATION.match(line.text) is not None


def _fences(text: str, rows: Sequence[str]) -> Iterator[_Block]:
    """The fenced and the indented blocks of Markdown; those that are named after other languages are left out."""
    from markdown_it import MarkdownIt

    for token in MarkdownIt("commonmark").parse(text):
        if token.type not in ("fence", "code_block") or token.map is None:
            continue
        words = _WORD.findall(token.info.lower())
        named = words[:2] if token.info.lstrip().startswith("{") else words[:1]
        marked = not _PYTHON.isdisjoint(named)
        first = token.map[0] + (token.type == "fence")
        lines = token.content.split("\n")[:-1]
        if lines and (marked or not named):
            yield _Block(tuple(_line(code, rows[row], row + 1) for row, code in enumerate(lines, first)), marked)


def _line(code: str, row: str, number: int) -> Line:
    """A line of a block, of which Markdown has taken off what stands before it."""
    if row.endswith(code):
        return Line.whole(code, number, len(row) - len(code))
    indentation = len(code) - len(code.lstrip())  # a tab may have been cut in two
    return Line.whole(code, number, len(row) - len(row.lstrip()) - indentation)


def _directives(rows: Sequence[str]) -> Iterator[_Block]:
    """The blocks of code of reStructuredText: those of directives, and those after a paragraph that ends in ``::``."""
    end = 0
    for number, row in enumerate(rows):
        if number < end:
            continue
        directive = _DIRECTIVE.match(row)
        marked = False
        if directive is not None:
            name, language = directive["name"], directive["argument"].lower()
            if name not in (*_CODE, *_PYTHON_CODE):
                continue
            marked = name in _PYTHON_CODE or language in _PYTHON
            if name in _CODE and language and not marked:
                continue
        elif not row.rstrip().endswith("::"):
            continue
        start = number + 1
        while directive is not None and start < len(rows) and _OPTION.match(rows[start]):
            start += 1
        end = _end(rows, start, _indentation(row))
        lines = tuple(Line.whole(each, at) for at, each in enumerate(rows[start:end], start + 1))
        if any(line.text.strip() for line in lines):
            yield _Block(lines, marked)


def _end(rows: Sequence[str], start: int, indentation: int) -> int:
    """The row after a block that is indented by more than what it belongs to."""
    end = start
    while end < len(rows) and (not rows[end].strip() or _indentation(rows[end]) > indentation):
        end += 1
    return end


def _indentation(row: str) -> int:
    return len(row) - len(row.lstrip())
