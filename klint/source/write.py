"""Changing files: read so that nothing is lost, and written whole, at once, with their mode, and never over what somebody else wrote meanwhile."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from klint.source.python import SourceError, decode_source, detect_encoding


def decode_exactly(data: bytes, filename: str) -> str | SourceError:
    """The text of a file with its newlines as they are, if it is sure to come back as the same bytes."""
    text = decode_source(data, filename)
    if isinstance(text, SourceError):
        return text
    encoding = encoding_of(data, filename)
    decoded = data.decode(encoding)
    if decoded.encode(encoding) != data:
        return SourceError(filename, 0, 0, f"cannot be changed: other bytes than these are its text in {encoding} too")
    return decoded


def encoding_of(data: bytes, filename: str) -> str:
    """The encoding that a file is read in; that of a byte order mark writes the mark again."""
    try:
        return detect_encoding(data, filename)
    except SyntaxError:
        return "utf-8"


def write_file(path: Path, data: bytes, before: bytes | None) -> None:
    """Put ``data`` in the place of a file that held ``before``, or of none. ``OSError`` if that is no longer so."""
    target = Path(os.path.realpath(path))  # a link stays a link
    known = target.stat() if before is not None else None
    if known is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "it may not be written")
    handle, temporary = tempfile.mkstemp(prefix=".klint-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, stat.S_IMODE(known.st_mode) if known is not None else 0o666 & ~_umask())
        if before is not None and target.read_bytes() != before:
            raise OSError("it has changed since it was read")
        if before is None and target.exists():
            raise OSError("it has been made meanwhile")
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The bits of the mode that a new file does not get; they can be read only by setting them."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
