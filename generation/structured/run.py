"""One piece of work over many documents, several at a time: a document that fails is in the records with its reason."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from phidex.errors import ConfigError, IncompleteAnswerError, PhidexError, ServiceError
from phidex.generation.notes import Stop
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

    A server that fails at five documents in a row, each begun after the one before had failed, is asked no more: the others
    have that error too.

    Args:
        work: called from several threads, with an event that ends it early.
        on_document: called after each document, with its record, how many are done and how many there are; one at a time.
        cancelled: set from another thread, ends the run; what was not done has an error that says so.

    Raises:
        ConfigError: the set-up is at fault, as far as is known: no document has succeeded yet.
    """
    halt = Stop(cancelled)
    server = _Server()
    records: dict[str, DocumentRecord[R]] = {}

    def attempt(source: Source) -> DocumentRecord[R] | None:
        if error := server.given_up or (_stopped() if halt.is_set() else None):
            return DocumentRecord(source, None, error)
        begun = server.begin()
        try:
            result = work(source, halt)
        except PhidexError as exc:
            if server.failed(exc, begun):
                raise
            log.info("structured.failed source=%s error=%s", source.id, type(exc).__name__)
            return DocumentRecord(source, None, exc)
        server.served()
        return None if result is None else DocumentRecord(source, result)

    with ThreadPoolExecutor(max_workers=max(1, min(workers, len(sources) or 1)), thread_name_prefix="phidex-document") as pool:
        futures = {pool.submit(attempt, source): source for source in sources}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                record = future.result()
                if record is None:
                    continue
                records[record.source.id] = record
                if on_document:
                    on_document(record, done, len(sources))
        except BaseException:  # what runs is ended, and what waits is not begun
            halt.set()
            for future in futures:
                future.cancel()
            raise
    return tuple(records[source.id] for source in sources if source.id in records)


class _Server:
    """What the documents so far tell of the server and the set-up. Safe to share between threads."""

    def __init__(self) -> None:
        self.given_up: PhidexError | None = None
        self._lock = threading.Lock()
        self._has_served = False
        self._now = 0  # counts the documents begun, and the failures
        self._last_failure = 0
        self._in_a_row = 0

    def begin(self) -> int:
        """The moment at which a document is begun."""
        with self._lock:
            self._now += 1
            return self._now

    def served(self) -> None:
        """A document succeeded."""
        with self._lock:
            self._has_served = True
            self._in_a_row = 0

    def failed(self, error: PhidexError, begun: int) -> bool:
        """A document that was begun then failed; returns whether all must, because the set-up is at fault.

        Of several that a single hiccup fails, as they were under way together, one counts.
        """
        with self._lock:
            if isinstance(error, ConfigError) and not self._has_served:
                return True
            is_down = isinstance(error, (ServiceError, ConfigError)) and not isinstance(error, IncompleteAnswerError)
            if not is_down:
                self._in_a_row = 0
            elif begun > self._last_failure:
                self._now += 1
                self._last_failure = self._now
                self._in_a_row += 1
                if self._in_a_row >= _IN_A_ROW and self.given_up is None:
                    self.given_up = error
            return False


def _stopped() -> PhidexError:
    return IncompleteAnswerError("stopped before this document was read", hint="run it again for the rest")
