"""Code as it comes out of forums and word processors, with quotes and spaces as Python writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from klint.source.lines import Line

_CHARACTERS = {
    '"': "\u201c\u201d\u201e\u201f\u2033",
    "'": "\u2018\u2019\u201a\u201b\u2032\u00b4",
    " ": "\u00a0\u2007\u202f",
    "-": "\u2212",
    "": "\u200b\u2060\ufeff",
}
"""Characters of typesetters, by what Python has in their place."""

_CODECS = ("cp1252", "latin-1", "mac_roman")


def with_plain_quotes(line: Line) -> Line:
    """The line with plain quotes, spaces and minus signs, also where the original ones were decoded wrongly."""
    for match in reversed(list(_TYPESET.finditer(line.text))):
        line = line.without(*match.span(), _PLAIN[match[0]])
    return line


def _mistaken(character: str) -> Iterator[str]:
    """What becomes of a character that is written in one encoding and read in another."""
    data = character.encode()
    for codec in _CODECS:
        yield data.decode(codec, errors="replace")
        yield data.decode(codec, errors="ignore")
        # Browsers read the bytes that cp1252 leaves undefined as control characters.
        yield "".join(bytes([byte]).decode(codec, errors="ignore") or chr(byte) for byte in data)
    yield character.encode("cp1252", errors="ignore").decode("latin-1")


def _plain() -> dict[str, str]:
    plain = {"\ufffd": '"'}
    for replacement, characters in _CHARACTERS.items():
        for character in characters:
            plain[character] = replacement
            for mistaken in _mistaken(character):
                if mistaken and not mistaken.isascii():
                    plain.setdefault(mistaken, replacement)
    return plain


_PLAIN = _plain()
_TYPESET = re.compile("|".join(map(re.escape, sorted(_PLAIN, key=len, reverse=True))))
