"""An editor for tests: pygls' client drives a language server over its standard input and output."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from lsprotocol import types
from lsprotocol.converters import get_converter
from pygls.lsp.client import LanguageClient

PATIENCE = 60
"""Seconds after which a server that says nothing has failed."""

_Answer = TypeVar("_Answer")

CAPABILITIES = types.ClientCapabilities(
    text_document=types.TextDocumentClientCapabilities(
        publish_diagnostics=types.PublishDiagnosticsClientCapabilities(related_information=True, version_support=True)
    )
)


def _converter() -> Any:
    """The converter of the protocol without what this editor does not use, and cannot read in what pylsp says."""
    converter = get_converter()
    converter.register_structure_hook(types.NotebookDocumentSyncOptions, lambda value, _: None)
    return converter


class Editor:
    """Documents that a user types into, and what the server says of them."""

    def __init__(self, root: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.root = root
        self.messages: list[str] = []
        self._loop = loop
        self._client = LanguageClient("editor", "1", converter_factory=_converter)
        self._versions: dict[str, int] = {}
        self._published: dict[str, types.PublishDiagnosticsParams] = {}
        self._news = threading.Condition()
        self._client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(lambda params: self._note(params))
        self._client.feature(types.WINDOW_SHOW_MESSAGE)(lambda params: self.messages.append(params.message))

    def start(self, command: Sequence[str], options: Any, encodings: Sequence[str] | None) -> None:
        capabilities = CAPABILITIES
        if encodings:
            general = types.GeneralClientCapabilities(position_encodings=list(encodings))
            capabilities = types.ClientCapabilities(text_document=CAPABILITIES.text_document, general=general)
        self._wait(self._client.start_io(*command, cwd=self.root))
        self.server = self._wait(
            self._client.initialize_async(
                types.InitializeParams(
                    capabilities, process_id=None, root_uri=self.root.as_uri(), initialization_options=options
                )
            )
        )
        self._client.initialized(types.InitializedParams())

    def stop(self) -> None:
        self._wait(self._client.shutdown_async(None))
        self._client.exit(None)
        self._wait(self._client.stop())

    def uri(self, name: str) -> str:
        return name if ":" in name else (self.root / name).as_uri()

    def open(self, name: str, text: str | None = None) -> None:
        """Open a file, with a text that need not be the one on disk."""
        uri = self.uri(name)
        if text is None:
            text = (self.root / name).read_bytes().decode()
        self._versions[uri] = 1
        item = types.TextDocumentItem(uri, "python", 1, text)
        self._send(self._client.text_document_did_open, types.DidOpenTextDocumentParams(item))

    def type(self, name: str, text: str) -> None:
        """Change the whole text of a document."""
        uri = self.uri(name)
        self._versions[uri] += 1
        document = types.VersionedTextDocumentIdentifier(self._versions[uri], uri)
        change = types.TextDocumentContentChangeWholeDocument(text)
        self._send(self._client.text_document_did_change, types.DidChangeTextDocumentParams(document, [change]))

    def save(self, name: str) -> None:
        document = types.TextDocumentIdentifier(self.uri(name))
        with self._news:
            self._published.pop(self.uri(name), None)
        self._send(self._client.text_document_did_save, types.DidSaveTextDocumentParams(document))

    def close_all(self) -> None:
        for uri in [*self._versions]:
            self.close(uri)

    def close(self, name: str) -> None:
        self._versions.pop(self.uri(name))
        document = types.TextDocumentIdentifier(self.uri(name))
        self._send(self._client.text_document_did_close, types.DidCloseTextDocumentParams(document))

    def diagnostics(self, name: str) -> list[types.Diagnostic]:
        """What the server says of the latest version of a document, once it does."""
        uri = self.uri(name)

        def is_latest() -> bool:
            said = self._published.get(uri)
            return said is not None and said.version == self._versions[uri]

        with self._news:
            assert self._news.wait_for(is_latest, PATIENCE), f"nothing was said of {uri}"
            return [*self._published[uri].diagnostics]

    def becomes(self, name: str, codes: Sequence[str]) -> bool:
        """Whether the server comes to show just these codes for a document."""
        uri = self.uri(name)

        def shows() -> bool:
            return uri in self._published and [each.code for each in self._published[uri].diagnostics] == [*codes]

        with self._news:
            return self._news.wait_for(shows, PATIENCE)

    def codes(self, name: str) -> list[Any]:
        return [diagnostic.code for diagnostic in self.diagnostics(name)]

    def actions(self, name: str, diagnostic: types.Diagnostic, only: Sequence[str] | None = None) -> list[Any]:
        """What the server offers where a diagnostic starts."""
        here = types.Range(diagnostic.range.start, diagnostic.range.start)
        params = types.CodeActionParams(
            types.TextDocumentIdentifier(self.uri(name)), here, types.CodeActionContext([diagnostic], only)
        )
        return list(self._wait(self._client.text_document_code_action_async(params)) or [])

    def hover(self, name: str, line: int, character: int) -> types.Hover | None:
        params = types.HoverParams(types.TextDocumentIdentifier(self.uri(name)), types.Position(line, character))
        return self._wait(self._client.text_document_hover_async(params))

    def _note(self, params: types.PublishDiagnosticsParams) -> None:
        with self._news:
            self._published[params.uri] = params
            self._news.notify_all()

    def _send(self, notify: Any, params: Any) -> None:
        self._loop.call_soon_threadsafe(notify, params)

    def _wait(self, answer: Awaitable[_Answer]) -> _Answer:
        async def asked() -> _Answer:
            return await answer

        return asyncio.run_coroutine_threadsafe(asked(), self._loop).result(PATIENCE)


@contextmanager
def editing(
    command: Sequence[str], root: Path, options: Any = None, encodings: Sequence[str] | None = None
) -> Iterator[Editor]:
    """An editor with a language server that runs in a directory."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    editor = Editor(root, loop)
    try:
        editor.start(command, options, encodings)
        yield editor
        editor.stop()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)


def applied(text: str, edits: Sequence[types.TextEdit]) -> str:
    """A text after the edits of an action; columns count UTF-16 code units."""
    lines = text.splitlines(keepends=True)

    def offset(position: types.Position) -> int:
        units = lines[position.line].encode("utf-16-le")[: 2 * position.character]
        return sum(map(len, lines[: position.line])) + len(units.decode("utf-16-le"))

    for edit in sorted(edits, key=lambda edit: (edit.range.start.line, edit.range.start.character), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end) :]
    return text
