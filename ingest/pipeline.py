"""The pipeline: files -> parsed -> chunks -> a sink, one source at a time, with a report that loses nothing.

    discover -> read, hash -> (unchanged? skip) -> parse -> chunk -> sink.replace: searchable

The sink is retrieval's (`retrieval/collection.py`); it makes a source visible in one step. Dense vectors follow behind it.
"""

from __future__ import annotations

import hashlib
import logging
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from phidex.errors import InputError, PhidexError
from phidex.ingest.chunk import chunk_document
from phidex.ingest.discover import Found, discover, source_id
from phidex.ingest.language import document_language
from phidex.ingest.parse import parse_file
from phidex.ingest.records import Chunk, Parsed, Source
from phidex.ingest.tokens import load_token_starts
from phidex.settings import IngestSettings

log = logging.getLogger(__name__)

Outcome = Literal["added", "replaced", "unchanged", "failed", "skipped"]


class Sink(Protocol):
    """What the pipeline writes to."""

    @property
    def name(self) -> str:
        """The collection's name: a part of every source's identity."""
        ...

    def known(self) -> dict[str, str]:
        """The digest under which each source was last committed, by source id."""
        ...

    def replace(self, source: Source, digest: str, chunks: Iterable[Chunk]) -> int:
        """Make `chunks` the source's content, visible in one step; returns how many there are."""
        ...


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file.

    Args:
        reason: why it failed or was skipped; empty otherwise.
        warnings: what was lost or repaired on the way.
        hint: what to do about a failure.
    """

    path: str
    outcome: Outcome
    chunk_count: int = 0
    page_count: int = 0
    reason: str = ""
    hint: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "path": self.path,
            "outcome": self.outcome,
            "chunks": self.chunk_count,
            "pages": self.page_count,
            "reason": self.reason,
            "hint": self.hint,
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
        }


@dataclass(slots=True)
class IngestReport:
    """What an ingest did, file by file, and how far the dense vectors are.

    Args:
        embedded, pending: passages that got their dense vector in this run, and that still wait for it.
        embedder: which dense model, and why.
    """

    files: list[FileReport] = field(default_factory=list[FileReport])
    embedded: int = 0
    pending: int = 0
    embedder: str = ""
    seconds_to_searchable: float = 0.0
    seconds_to_complete: float = 0.0

    def count(self, outcome: Outcome) -> int:
        """How many files came out so."""
        return sum(file.outcome == outcome for file in self.files)

    @property
    def failed(self) -> list[FileReport]:
        """The files that could not be ingested, each with its reason."""
        return [file for file in self.files if file.outcome == "failed"]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        outcomes: tuple[Outcome, ...] = ("added", "replaced", "unchanged", "failed", "skipped")
        return {
            "counts": {outcome: self.count(outcome) for outcome in outcomes},
            "files": [file.to_dict() for file in self.files],
            "embedded": self.embedded,
            "pending": self.pending,
            "embedder": self.embedder,
            "seconds_to_searchable": round(self.seconds_to_searchable, 3),
            "seconds_to_complete": round(self.seconds_to_complete, 3),
        }


def ingest_files(
    paths: Sequence[Path],
    sink: Sink,
    settings: IngestSettings,
    *,
    tags: Sequence[str] = (),
    exclude: Path | None = None,
    on_file: Callable[[FileReport, int, int], None] | None = None,
) -> list[FileReport]:
    """Ingest files and folders; a file that fails is reported and spoils nothing else.

    Args:
        exclude: a folder that is passed over (the data folder).
        on_file: called after each file with its report, its number from 1, and how many there are.

    Raises:
        InputError: a path does not exist.
        ServiceError: the store fails; what was committed before stays.
    """
    found = list(discover(paths, exclude))
    known = sink.known()
    cut = _Cutter(settings)
    reports: list[FileReport] = []
    for report in _each(found, sink, known, cut, tuple(tags)):
        reports.append(report)
        if on_file:
            on_file(report, len(reports), len(found))
    return reports


def _each(
    found: Sequence[Found], sink: Sink, known: dict[str, str], cut: _Cutter, tags: tuple[str, ...]
) -> Iterator[FileReport]:
    for file in found:
        started = time.monotonic()
        if file.reason:
            outcome, hint = ("failed", "check its permissions") if file.failed else ("skipped", "")
            yield FileReport(_printable(file.path), outcome, reason=file.reason, hint=hint)
            continue
        try:
            report = _ingest_one(file.path, sink, known, cut, tags)
        except InputError as exc:
            report = FileReport(_printable(file.path), "failed", reason=_printable(exc.message), hint=exc.hint)
        except PhidexError:
            raise
        except Exception as exc:
            log.warning("parser failed path=%s error=%s", file.path, type(exc).__name__, exc_info=True)
            reason = _printable(f"{type(exc).__name__}: {exc}")
            report = FileReport(_printable(file.path), "failed", reason=reason, hint="please report this file")
        yield replace(report, seconds=time.monotonic() - started)


def _ingest_one(path: Path, sink: Sink, known: dict[str, str], cut: _Cutter, tags: tuple[str, ...]) -> FileReport:
    data = cut.read(path)
    sha256 = hashlib.sha256(data).hexdigest()
    identity = source_id(sink.name, path)
    digest = cut.digest(sha256, tags)
    if known.get(identity) == digest:
        return FileReport(_printable(path), "unchanged")
    parsed = parse_file(path, data)
    language = document_language([block.text for block in parsed.blocks if block.kind != "code"])
    source = _source(path, identity, sha256, len(data), parsed, language, tags)
    count = sink.replace(source, digest, cut.chunks(parsed, source))
    outcome: Outcome = "replaced" if identity in known else "added"
    return FileReport(_printable(path), outcome, count, parsed.page_count, warnings=parsed.warnings)


def _source(path: Path, identity: str, sha256: str, size: int, parsed: Parsed, language: str, tags: tuple[str, ...]) -> Source:
    return Source(
        id=identity,
        uri=path.resolve().as_uri(),
        kind=parsed.kind,
        title=parsed.title or _printable(path.stem),
        sha256=sha256,
        language=language,
        mime=parsed.mime,
        page_count=parsed.page_count,
        size_bytes=size,
        tags=tags,
        metadata=parsed.metadata,
    )


def _printable(text: Path | str) -> str:
    """The text with the bytes of file names that are no UTF-8 replaced, so that it can be stored and printed anywhere."""
    return str(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class _Cutter:
    """Reads files and cuts them, with everything that the settings decide."""

    _VERSION = "chunks/1"  # changes whenever the same bytes would give other chunks

    def __init__(self, settings: IngestSettings) -> None:
        self._settings = settings
        self._token_starts = load_token_starts(settings.tokenizer)

    def read(self, path: Path) -> bytes:
        """The file's bytes.

        Raises:
            InputError: it is too large or cannot be read.
        """
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for its writer
                raise InputError("not a regular file", hint="name a file or a folder")
            if status.st_size > self._settings.max_file_mb << 20:
                raise InputError(
                    f"larger than {self._settings.max_file_mb} MB", hint="raise PHIDEX_INGEST__MAX_FILE_MB to take it"
                )
            return path.read_bytes()
        except OSError as exc:
            raise InputError(f"cannot be read: {exc.strerror}", hint="check that it exists and that you may read it") from exc

    def digest(self, sha256: str, tags: tuple[str, ...]) -> str:
        """What a source's committed content depends on: its bytes, its tags, and how they are cut."""
        parts = (sha256, self._VERSION, str(self._settings.chunk_tokens), str(self._settings.tokenizer or ""), *tags)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]

    def chunks(self, parsed: Parsed, source: Source) -> list[Chunk]:
        """The document's chunks."""
        return chunk_document(
            parsed,
            source_id=source.id,
            path=source.name,
            language=source.language,
            limit_tokens=self._settings.chunk_tokens,
            token_starts=self._token_starts,
        )
