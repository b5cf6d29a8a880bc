"""The language server, on standard input and output. Needs the extra ``server``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lsprotocol import types
from lsprotocol.converters import get_converter
from pygls.lsp.server import LanguageServer
from pygls.uris import to_fs_path

from klint import __version__
from klint.config import ConfigError
from klint.hosts.lsp import QUICK_FIX, Document, Json, unified
from klint.output.concise import one_line
from klint.workers import internal_error

STACK = 64 * 2**20
"""Bytes of stack for the thread that analyses: on some systems a thread has too few for deeply nested code."""

_Answer = TypeVar("_Answer")
_CONVERTER = get_converter()
_WATCHED = ("**/*.py", "**/pyproject.toml")


def serve() -> None:
    """Serve an editor until it says to exit."""
    server = Server()
    for method, handler in _HANDLERS.items():
        server.feature(method, _OPTIONS.get(method))(handler)
    server.start_io()


class Server(LanguageServer):
    """Analyses the documents that an editor has open, the latest version of each, one at a time and beside the messages.

    The one that was changed last comes first, and then those that import it.
    """

    def __init__(self) -> None:
        # Whole texts: pygls would apply changes by lines as Python splits them, and an editor does not end a line at a form feed.
        super().__init__("klint", __version__, text_document_sync_kind=types.TextDocumentSyncKind.Full)
        threading.stack_size(STACK)
        self._analyst = ThreadPoolExecutor(max_workers=1)
        self._documents: dict[str, Document] = {}
        self._waiting: dict[str, None] = {}
        self._work: asyncio.Task[None] | None = None
        self._told: set[str] = set()

    def refresh(self, uri: str) -> None:
        """Analyse a document anew, and those that import it."""
        name = _filename(uri)
        importing = [other for other, document in self._documents.items() if document.may_import(name)]
        for each in (uri, *importing):
            self._documents.pop(each, None)
        self.analyse(uri, *importing)

    def refresh_all(self) -> None:
        """Analyse all documents anew: what is on disk has changed."""
        self._documents.clear()
        self.analyse(*self.workspace.text_documents)

    def analyse(self, *uris: str) -> None:
        """Put documents before all that wait for analysis."""
        self._waiting = dict.fromkeys((*uris, *self._waiting))
        if self._work is None or self._work.done():
            self._work = asyncio.get_running_loop().create_task(self._analyse_waiting())

    async def _analyse_waiting(self) -> None:
        while self._waiting:
            uri = next(iter(self._waiting))
            del self._waiting[uri]
            document = self.document(uri)
            diagnostics = None if document is None else await self.ask(document, document.diagnostics)
            if document is None or self._documents.get(uri) is not document:
                continue  # closed or changed in the meantime
            if diagnostics is not None:
                for problem in document.report.errors:
                    self.window_log_message(types.LogMessageParams(types.MessageType.Info, one_line(str(problem))))
            self.text_document_publish_diagnostics(
                types.PublishDiagnosticsParams(
                    uri,
                    _CONVERTER.structure(diagnostics or [], list[types.Diagnostic]),
                    self.workspace.text_documents[uri].version,
                )
            )

    async def ask(self, document: Document, question: Callable[[], _Answer]) -> _Answer | None:
        """What a document answers; None, and a word to the user, where it cannot."""
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._analyst, question)
        except ConfigError as error:
            self._tell(types.MessageType.Error, str(error))
            return None
        except Exception as error:  # one document must not cost the others their analysis
            self._tell(types.MessageType.Error, str(internal_error(error, document.filename)))
            return None
        return answer

    def _tell(self, kind: types.MessageType, message: str) -> None:
        """Show the user a message once."""
        if message not in self._told:
            self._told.add(message)
            self.window_show_message(types.ShowMessageParams(kind, f"klint: {one_line(message)}"))

    def document(self, uri: str) -> Document | None:
        """An open document as it is now; None where it has been closed."""
        opened = self.workspace.text_documents
        if uri not in opened:
            return None
        if uri not in self._documents:
            self._documents[uri] = Document(
                uri,
                _filename(uri),
                opened[uri].source,
                {_filename(each): unified(document.source) for each, document in opened.items()},
                fragment=urlsplit(uri).scheme != "file",
                encoding=types.PositionEncodingKind(self.workspace.position_encoding).value,
            )
        return self._documents[uri]


def _filename(uri: str) -> str:
    return to_fs_path(uri) or urlsplit(uri).path


# What the editor says.


def _changed(server: Server, params: types.DidOpenTextDocumentParams | types.DidChangeTextDocumentParams) -> None:
    server.refresh(params.text_document.uri)


def _closed(server: Server, params: types.DidCloseTextDocumentParams) -> None:
    uri = params.text_document.uri
    server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, []))
    server.refresh(uri)  # for those that import it: what is on disk counts again


def _saved(server: Server, _: types.DidSaveTextDocumentParams | types.DidChangeWatchedFilesParams) -> None:
    server.refresh_all()


async def _initialized(server: Server, _: types.InitializedParams) -> None:
    """Ask to be told of changes on disk, where the editor can tell."""
    workspace = server.client_capabilities.workspace
    watching = workspace and workspace.did_change_watched_files
    if watching and watching.dynamic_registration:
        watchers = [types.FileSystemWatcher(pattern) for pattern in _WATCHED]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        registration = types.Registration("klint-watched", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)
        await server.client_register_capability_async(types.RegistrationParams([registration]))


async def _hover(server: Server, params: types.HoverParams) -> types.Hover | None:
    document = server.document(params.text_document.uri)
    if document is None:
        return None
    position: Json = _CONVERTER.unstructure(params.position)
    answer = await server.ask(document, lambda: document.hover(position))
    return _CONVERTER.structure(answer, types.Hover) if answer else None


async def _code_actions(server: Server, params: types.CodeActionParams) -> list[types.CodeAction]:
    only = params.context.only
    document = server.document(params.text_document.uri)
    if document is None or (only is not None and not {"", QUICK_FIX} & set(only)):
        return []
    wanted: Json = _CONVERTER.unstructure(params.range)
    answer = await server.ask(document, lambda: document.actions(wanted))
    return _CONVERTER.structure(answer or [], list[types.CodeAction])


_HANDLERS: dict[str, Callable[..., Any]] = {
    types.INITIALIZED: _initialized,
    types.TEXT_DOCUMENT_DID_OPEN: _changed,
    types.TEXT_DOCUMENT_DID_CHANGE: _changed,
    types.TEXT_DOCUMENT_DID_SAVE: _saved,
    types.TEXT_DOCUMENT_DID_CLOSE: _closed,
    types.WORKSPACE_DID_CHANGE_WATCHED_FILES: _saved,
    types.TEXT_DOCUMENT_HOVER: _hover,
    types.TEXT_DOCUMENT_CODE_ACTION: _code_actions,
}
_OPTIONS = {types.TEXT_DOCUMENT_CODE_ACTION: types.CodeActionOptions(code_action_kinds=[types.CodeActionKind.QuickFix])}
