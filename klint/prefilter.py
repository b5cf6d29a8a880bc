"""What the bytes of a file tell, before anything of it is decoded or parsed: most files hold no loss, and are settled by this.

All that is asked here is asked of every file of a run. An answer may be yes where a look at the code would say no, never the other way round.
"""

from __future__ import annotations

import ast
import codecs
import re
from collections.abc import Iterator
from typing import NamedTuple

from klint.source.python import NOTEBOOK, SourceError, decode_source
from klint.source.suppress import OWN_COMMENT
from klint.torch_model.losses import LOSS_NAMES

_NAMES = [name.encode() for name in sorted(LOSS_NAMES)]
_MODULE = b"Loss"
"""What the names of all modules hold: one search in place of five tells of most files that there is none."""

_MODULES = [name for name in _NAMES if _MODULE in name]
_FUNCTIONS = [name for name in _NAMES if not any(other in name for other in (_MODULE, *_NAMES) if other != name)]

_ASCII_BASED = re.compile(rb"utf-?8|latin|iso[-_]?8859|(?:us-)?ascii|cp125|windows-125", re.IGNORECASE)
"""How the names begin of encodings that write ASCII as ASCII and nothing else so. There are more; text in them is decoded."""

_CODING = re.compile(rb"coding[:=][ \t]*([-\w.]+)")
_OTHER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)

_ESCAPED = re.compile(rb"\\u00([2-7][0-9a-fA-F])")
"""A character of ASCII as JSON may write it, though it need not."""

_INNER_IMPORT = re.compile(rb"[:;]\s*(?:from|import)\b")
_LETTER = rb"[\w\x80-\xff]"
_WORD = re.compile(rb"%b+" % _LETTER)
_DOT = rb"[\s\\]*\.[\s\\]*"
_ATTRIBUTE = re.compile(rb"\.[\s\\]*(%b+)" % _LETTER)
_CHAIN = re.compile(rb"(?<![.\w\x80-\xff])%b+(?:%b%b+)*[\s\\]*\Z" % (_LETTER, _DOT, _LETTER))
_FAR = 200
"""Of how many bytes a chain of attributes is looked for."""

_BACKSLASH = ord("\\")
_IN_BRACKETS = re.compile(rb"\((?:#[^\n]*|[^)#])*")


class Look(NamedTuple):
    """Whether a file may hold a loss, and whether it may hold ``noqa`` comments with codes of klint's own."""

    names_loss: bool
    names_klint: bool


def look(data: bytes, filename: str, comments: bool = True) -> Look:
    """Look at the bytes of a file. Where no comments are asked for, none are said to be there."""
    plain = _plain(data, filename)
    if plain is None:
        return Look(True, comments)
    names_loss = any(name in plain for name in _FUNCTIONS) or (
        _MODULE in plain and any(name in plain for name in _MODULES)
    )
    return Look(names_loss, comments and OWN_COMMENT.search(plain) is not None)


def may_hold_loss(text: str, filename: str) -> bool:
    """Whether a text may hold a loss."""
    return look(text.encode("utf-8", "surrogatepass"), filename, comments=False).names_loss


def takes(data: bytes, filename: str, names: frozenset[bytes]) -> frozenset[bytes]:
    """Those of some names that a file may import from others, or may take as attributes of what it imports."""
    plain = _plain(data, filename)
    if plain is None:
        return names
    if filename.lower().endswith(NOTEBOOK):
        plain = plain.replace(rb"\n", b"\n")
    if b"\r" in plain:
        plain = plain.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    words = frozenset(_WORD.findall(b" ".join(import_statements(plain))))
    attributes = names.intersection(_ATTRIBUTE.findall(plain)) if words else frozenset()
    return (names & words) | {name for name in attributes if any(chain[0] in words for chain in _chains(plain, name))}


def excerpt(text: str, names: frozenset[str]) -> ast.Module | None:
    """What decides which names a module takes from others, as a module that is parsed far sooner than all of it.

    These are its imports, and the attributes of those names; None where they cannot be told apart from the rest.
    """
    data = text.encode("utf-8", "surrogatepass")
    lines = []
    for statement in import_statements(data):
        if statement.lstrip().startswith((b"import", b"from")):
            lines.append(statement.strip())
        elif _INNER_IMPORT.search(statement):
            return None
    for name in sorted(names):
        lines += dict.fromkeys(b".".join(chain) for chain in _chains(data, name.encode()))
    try:
        return ast.parse(b"\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _chains(data: bytes, name: bytes) -> Iterator[list[bytes]]:
    """Whatever a name is taken of as an attribute: another name and attributes of it, and the name itself."""
    for match in re.finditer(rb"\.[\s\\]*%b(?!%b)" % (name, _LETTER), data):
        chain = _CHAIN.search(data[max(0, match.start() - _FAR) : match.start()])
        if chain is not None:
            yield [*_WORD.findall(chain[0]), name]


def import_statements(data: bytes) -> Iterator[bytes]:
    """Every line that may hold an import, with those in which the statement goes on. Some are prose that says ``import``."""
    find, rfind = data.find, data.rfind
    start = find(b"import")
    while start >= 0:
        first = rfind(b"\n", 0, start) + 1
        end = find(b"\n", start)
        opened = find(b"(", start, end)
        if opened >= 0:
            within = _IN_BRACKETS.match(data, opened)
            end = find(b"\n", within.end() if within is not None else opened)
        while end > 0 and data[end - 1] == _BACKSLASH:
            end = find(b"\n", end + 1)
        if end < 0:
            end = len(data)
        yield data[first:end]
        start = find(b"import", end)


def _plain(data: bytes, filename: str) -> bytes | None:
    """The bytes of a file such that names stand in them as ASCII; None where they cannot be had."""
    if filename.lower().endswith(NOTEBOOK):
        return _ESCAPED.sub(lambda match: bytes.fromhex(match[1].decode()), data) if rb"\u00" in data else data
    if data.startswith(_OTHER_MARKS):
        return None
    head = data[: data.find(b"\n", data.find(b"\n") + 1)]
    declared = _CODING.search(head) if b"coding" in head else None
    if declared is None or _ASCII_BASED.match(declared[1]):
        return data
    text = decode_source(data, filename)
    return None if isinstance(text, SourceError) else text.encode("utf-8", "surrogatepass")
