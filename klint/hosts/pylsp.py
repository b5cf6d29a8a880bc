"""klint as a plugin of python-lsp-server, which finds it by itself: exact ranges, severity, links and quick fixes."""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from pylsp import hookimpl

from klint.codes import NAMES
from klint.config import ConfigError
from klint.hosts.lsp import QUICK_FIX, Document, Json, unified
from klint.workers import internal_error

_log = logging.getLogger(__name__)
_linted: WeakKeyDictionary[Any, Document] = WeakKeyDictionary()
"""By pylsp's documents, what was made of them when they were linted last."""


@hookimpl
def pylsp_settings() -> Json:
    """Say that klint is on wherever it is installed; ``pylsp.plugins.klint.enabled`` switches it off."""
    return {"plugins": {"klint": {"enabled": True}}}


@hookimpl(hookwrapper=True)
def pylsp_lint(workspace: Any, document: Any) -> Generator[None, Any, None]:
    """Add klint's findings to what other plugins say; nothing where pylsp's flake8 plugin shows them already."""
    outcome = yield
    said = outcome.get_result()
    codes = {diagnostic.get("code") for diagnostics in said for diagnostic in diagnostics or ()}
    if not NAMES.keys() & codes:
        outcome.force_result([*said, _diagnostics(workspace, document)])


@hookimpl
def pylsp_code_actions(workspace: Any, document: Any, range: Json, context: Json) -> list[Json]:
    """The fixes of the findings in a range, and the comments that silence them."""
    only = context.get("only")
    if only and QUICK_FIX not in only:
        return []
    held = _linted.get(document)
    if held is None or held.text != document.source:
        held = _snapshot(workspace, document)
    try:
        return held.actions(range)
    except Exception as error:
        _complain(error, document)
        return []


def _diagnostics(workspace: Any, document: Any) -> list[Json]:
    """What klint finds. An exception would cost the findings of all plugins, so that an error is a line in pylsp's log."""
    held = _linted[document] = _snapshot(workspace, document)
    try:
        return held.diagnostics()
    except Exception as error:
        _complain(error, document)
        return []


def _complain(error: Exception, document: Any) -> None:
    _log.error("klint: %s", error if isinstance(error, ConfigError) else internal_error(error, document.path))


def _snapshot(workspace: Any, document: Any) -> Document:
    open_documents = [each for each in workspace.documents.values() if hasattr(each, "source")]
    return Document(
        document.uri,
        document.path,
        document.source,
        {each.path: unified(each.source) for each in open_documents},
        fragment=urlsplit(document.uri).scheme != "file",
    )
