"""Our parsers as a reader of LlamaIndex: files, folders, archives, repositories and URLs, each text with its place.

Files are read in worker processes, as `Phidex.ingest` reads them; nothing is stored.
"""

from __future__ import annotations

import logging
import queue
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document, TextNode

from phidex.adapters.llamaindex.nodes import nodes_of_chunks
from phidex.adapters.metadata import SHOWN, place_metadata
from phidex.errors import InputError
from phidex.ingest.records import (
    CellLocator,
    Chunk,
    LineLocator,
    Locator,
    PageLocator,
    PartLocator,
    Source,
    TimeLocator,
)
from phidex.ingest.run.pipeline import Listeners, ingest_files
from phidex.ingest.run.report import FileReport
from phidex.ingest.run.sink import Content, Details, Difference, Known, Piece
from phidex.settings import Settings, load_settings

log = logging.getLogger(__name__)

_AHEAD = 8  # documents that are read and wait to be taken

_Read = tuple[Source, list[Chunk]]


class PhidexReader(BaseReader):
    """Documents and nodes with `file_name`, `location` and `locator` (page and boxes, lines, cells, seconds) as metadata.

    It also goes where LlamaIndex wants a reader for one kind of file:
    `SimpleDirectoryReader(…, file_extractor={".pdf": PhidexReader()})`.

    Args:
        settings: what `PHIDEX_INGEST__…` says of quality, recognition and limits; default: from the environment.
        on_failed: called with each file that could not be read; default: it is logged.
    """

    def __init__(self, settings: Settings | None = None, *, on_failed: Callable[[FileReport], None] | None = None) -> None:
        self._settings = (settings or load_settings()).ingest
        self._on_failed = on_failed or _log

    def lazy_load_data(
        self, *targets: str | Path, extra_info: Mapping[str, Any] | None = None, **_: Any
    ) -> Generator[Document, None, None]:
        """A document a page, sheet or part, or, of what has none of these, a document each; as they are read.

        Args:
            extra_info: added to the metadata of each.

        Raises:
            InputError: a path does not exist, or nothing could be read at all.
        """
        for source, chunks in self._read(targets):
            for name, part in groupby(chunks, key=_part):
                yield _document(source, list(part), name, extra_info or {})

    def load_data(self, *targets: str | Path, **options: Any) -> list[Document]:
        """All documents; see `lazy_load_data`."""
        return list(self.lazy_load_data(*targets, **options))

    def load_nodes(self, *targets: str | Path) -> list[TextNode]:
        """A node a passage, cut as Phidex cuts (`PHIDEX_INGEST__CHUNK_TOKENS`), with its document and neighbours as relations.

        Raises:
            InputError: see `lazy_load_data`.
        """
        return [node for source, chunks in self._read(targets) for node in nodes_of_chunks(source, chunks)]

    def _read(self, targets: Sequence[str | Path]) -> Generator[_Read, None, None]:
        """Each source with its passages; leaving it early ends the worker processes."""
        sink = _Handover()
        failed: list[FileReport] = []

        def note(report: FileReport, *_: int) -> None:
            if report.outcome == "failed":
                failed.append(report)
                self._on_failed(report)

        def run() -> None:
            try:
                with tempfile.TemporaryDirectory(prefix="phidex-") as place:
                    ingest_files(targets, sink, self._settings, workspace=Path(place), listeners=Listeners(file=note))
                sink.put(None)
            except BaseException as exc:  # noqa: BLE001  raised again where documents are taken
                sink.put(exc)

        thread = threading.Thread(target=run, name="phidex-reader", daemon=True)
        thread.start()
        count = 0
        try:
            while (read := sink.taken.get()) is not None:
                if isinstance(read, BaseException):
                    raise read
                count += 1
                yield read
        finally:
            sink.stopped.set()
            thread.join()
        if failed and not count:
            first = failed[0]
            raise InputError(f"{first.path}: {first.reason}", hint=first.hint)


class _Left(Exception):  # noqa: N818  nothing is wrong
    """Nobody takes the documents any more."""


class _Handover:
    """A sink that keeps nothing: it hands each source on, and waits while enough of them wait."""

    name = "reader"
    analyse = None

    def __init__(self) -> None:
        self.taken: queue.Queue[_Read | BaseException | None] = queue.Queue(_AHEAD)
        self.stopped = threading.Event()

    def put(self, read: _Read | BaseException | None) -> None:
        """Hand on.

        Raises: _Left
        """
        while not self.stopped.is_set():
            try:
                self.taken.put(read, timeout=0.1)
            except queue.Full:
                continue
            return
        if not isinstance(read, BaseException):
            raise _Left

    def known(self) -> Mapping[str, Known]:
        """Nothing."""
        return {}

    def replace_many(self, contents: Sequence[Content]) -> list[int]:
        """Hand the sources on; how many passages each has."""
        counts: list[int] = []
        for content in contents:
            chunks = [chunk for chunk, _ in content.pieces]
            counts.append(len(chunks))
            self.put((content.source, chunks))
        return counts

    def preview(self, source: Source, pieces: Iterable[Piece]) -> Difference:  # noqa: ARG002  a seam
        """All of them would be new."""
        return Difference(sum(1 for _ in pieces), 0, 0)

    def set_aliases(self, source_id: str, uris: Sequence[str]) -> None:
        """Forgotten."""

    def refresh(self, details: Sequence[Details]) -> None:
        """Forgotten."""

    def remove(self, source_id: str) -> None:
        """There is none."""


def _part(chunk: Chunk) -> str:
    """What a document of LlamaIndex is made of: a page, a sheet, a part; "" for what has none."""
    match chunk.locator:
        case PageLocator(page_number):
            return f"page={page_number}"
        case CellLocator(sheet):
            return f"sheet={sheet}"
        case PartLocator(part):
            return f"part={part}" if part else ""
        case _:
            return ""


def _document(source: Source, chunks: Sequence[Chunk], name: str, extra: Mapping[str, Any]) -> Document:
    """The passages as one document; its id stays the same when it is read again."""
    told = {**place_metadata(source, _whole([chunk.locator for chunk in chunks])), **extra}
    hidden = [key for key in told if key not in SHOWN]
    return Document(
        id_=f"{source.id}#{name}" if name else source.id,
        text="\n\n".join(chunk.text for chunk in chunks),
        metadata=told,
        excluded_llm_metadata_keys=hidden,
        excluded_embed_metadata_keys=hidden,
    )


def _whole(locators: Sequence[Locator]) -> Locator:
    """The place of all of them, which stand on one page, or in one part of a document."""
    first, last = locators[0], locators[-1]
    match first, last:
        case PageLocator(), _:
            boxes = tuple(box for one in locators if isinstance(one, PageLocator) for box in one.boxes)
            return replace(first, boxes=boxes)
        case LineLocator(), LineLocator():
            return replace(first, end_line=last.end_line)
        case PartLocator(), PartLocator():
            return replace(first, end=last.end)
        case TimeLocator(), TimeLocator():
            return replace(first, end_s=last.end_s)
        case CellLocator(), CellLocator():
            return replace(first, cells=f"{first.cells.split(':')[0]}:{last.cells.split(':')[-1]}")
        case _:
            return first


def _log(report: FileReport) -> None:
    log.warning("reader.failed path=%s reason=%s", report.path, report.reason)
