"""One piece of work over many documents, several at a time: a document that fails is in the records with its reason."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from phidex.errors import ConfigError, IncompleteAnswerError, PhidexError, ServiceError
from phidex.generation.structured.record import DocumentRecord
from phidex.ingest.records import Source

log = logging.getLogger(__name__)

R = TypeVar("R")

_IN_A_ROW = 5  # documents that a server may fail at one after another before the rest are not asked


def over_documents(
    sources: Sequence[Source],
    work: Callable[[Source, threading.Event], R | None],
    *,
    workers: int,
    on_document: Callable[[DocumentRecord[R], int, int], None] | None = None,
    cancelled: threading.Event | None = None,
) -> tuple[DocumentRecord[R], ...]:
    """A record of each document, in the order of `sources`; one for which `work` returns None is left out.

    A server that fails at five documents in a row is asked no more: the others have that error too.

    Args:
        work: called from several threads, with an event that ends it early.
        on_document: called after each document, with its record, how many are done and how many there are; one at a time.
        cancelled: set from another thread, ends the run; what was not done has an error that says so.

    Raises:
        ConfigError: the set-up is at fault, and with it every document.
    """
    halt = cancelled or threading.Event()
    records: dict[str, DocumentRecord[R]] = {}
    in_a_row = 0
    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(sources) or 1)), thread_name_prefix="phidex-document") as pool:
        given_up = _Given()

        def attempt(source: Source) -> DocumentRecord[R] | None:
            if error := given_up.error or (_stopped() if halt.is_set() else None):
                return DocumentRecord(source, None, error)
            try:
                result = work(source, halt)
            except ConfigError:
                raise
            except PhidexError as exc:
                log.info("structured.failed source=%s error=%s", source.id, type(exc).__name__)
                return DocumentRecord(source, None, exc)
            return None if result is None else DocumentRecord(source, result)

        futures = {pool.submit(attempt, source): source for source in sources}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                record = future.result()
                if record is None:
                    continue
                is_down = isinstance(record.error, ServiceError) and not isinstance(record.error, IncompleteAnswerError)
                in_a_row = in_a_row + 1 if is_down else 0
                if in_a_row >= _IN_A_ROW and given_up.error is None:
                    given_up.error = record.error
                records[record.source.id] = record
                if on_document:
                    on_document(record, done, len(sources))
        except BaseException:  # what runs is ended, and what waits is not begun
            halt.set()
            for future in futures:
                future.cancel()
            raise
    return tuple(records[source.id] for source in sources if source.id in records)


class _Given:
    """The error after which no more documents are asked."""

    error: PhidexError | None = None


def _stopped() -> PhidexError:
    return IncompleteAnswerError("stopped before this document was read", hint="run it again for the rest")
