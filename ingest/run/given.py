"""Texts that a program brings become sources: a ticket of a database, what another framework's reader has read.

    TextDocument --known by its uri--> unchanged | parsed, cut (or taken as cut) --> sink.replace_many: searchable

The same promises as for files: an unchanged document costs nothing, an edited one is replaced in one step and re-embeds what
changed, one that fails costs itself alone. No worker processes: there is no format to trip over.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from phidex.errors import InputError, PhidexError
from phidex.ingest.chunk import chunk_document
from phidex.ingest.language import chunk_language, document_language
from phidex.ingest.markdown import parse_markdown
from phidex.ingest.options import DEFAULT
from phidex.ingest.records import Anchor, Block, Chunk, Locator, Parsed, PartLocator, Source
from phidex.ingest.run.blobs import Blobs
from phidex.ingest.run.pipeline import Listeners
from phidex.ingest.run.prepare import printable
from phidex.ingest.run.report import FileReport, IngestReport, Outcome
from phidex.ingest.run.sink import GIVEN, Content, Details, Known, Sink
from phidex.ingest.sources.discover import source_id
from phidex.ingest.text import parse_text
from phidex.ingest.tokens import Ruler, TokenStarts, load_token_starts
from phidex.settings import IngestSettings

_VERSION = "given/1"  # changes whenever the same texts would give other chunks
_BATCH_DOCUMENTS = 64  # committed together
_BATCH_CHUNKS = 1500


@dataclass(frozen=True, slots=True)
class TextPage:
    """The text of a page, its number from 1, and what is printed there where that is something else."""

    text: str
    number: int
    label: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch that is to be one chunk, as it is.

    Args:
        name: tells it from others of its document, and keeps its id when the others change; "" for its number.
        locator: where it stands; None for its number among the passages.
        heading: titles of the sections it stands in, outermost first.
    """

    text: str
    name: str = ""
    locator: Locator | None = None
    heading: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextDocument:
    """A document as a program brings it: `text`, or `pages`, or `passages` that are cut already.

    Args:
        uri: names the document, and stays the same when its text changes: "crm:ticket/17", "https://example.com/a".
        text: plain text, or Markdown where `mime` says so; cited by its lines.
        title: default: the text's first heading, or the end of the uri.
        metadata: kept with the source; a filter by date goes by "date", "created" or "published".
        document_id: what the program calls it; default: the uri.
        original: kept with the source, as `Source.blob`, for the program that brought it.
    """

    uri: str
    text: str = ""
    pages: tuple[TextPage, ...] = ()
    passages: tuple[Passage, ...] = ()
    title: str = ""
    mime: str = "text/plain"
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    document_id: str = ""
    original: bytes = b""

    def digest(self, settings: IngestSettings) -> str:
        """What its committed content depends on: its text, and how it is cut."""
        pages = [(page.text, page.number, page.label) for page in self.pages]
        passages = [(one.text, one.name, one.locator and one.locator.to_dict(), one.heading) for one in self.passages]
        texts = [self.text, pages, passages, self.title, self.mime, hashlib.sha256(self.original).hexdigest()]
        cut = [_VERSION, settings.chunk_tokens, str(settings.tokenizer or "")]
        return hashlib.sha256(json.dumps([texts, cut], ensure_ascii=True).encode()).hexdigest()[:24]


def passage_id(source: str, passage: Passage, number: int) -> str:
    """The id of a passage's chunk: of its document, name, place and words.

    Args:
        source: the source's id.
        number: its place among the passages, from 1.
    """
    key = "\x1f".join((passage.name or str(number), repr(passage.locator), *passage.heading, _clean(passage.text)))
    return str(uuid.uuid5(uuid.UUID(source), key))


def ingest_texts(
    documents: Iterable[TextDocument],
    sink: Sink,
    settings: IngestSettings,
    *,
    tags: Sequence[str] | None = None,
    sync: bool = False,
    blobs: str = "",
    dry_run: bool = False,
    listeners: Listeners | None = None,
    **_: object,
) -> IngestReport:
    """Ingest documents; one that fails is reported and spoils nothing else.

    Args:
        tags: of all sources of this run; None leaves each the tags that it has.
        sync: also remove sources that were given before and are not among these.
        blobs: where originals are kept; "" keeps none.
        dry_run: write nothing, and report what would change.

    Raises:
        ServiceError: the store fails; what was committed before stays.
    """
    run = _Run(sink, settings, None if tags is None else tuple(tags), "" if dry_run else blobs, dry_run, listeners)
    for document in documents:
        run.take(document)
    run.end(sync)
    return run.report


class _Run:
    """One ingest of texts: what waits to be committed, what has been reported."""

    def __init__(
        self,
        sink: Sink,
        settings: IngestSettings,
        tags: tuple[str, ...] | None,
        blobs: str,
        dry_run: bool,
        listeners: Listeners | None,
    ) -> None:
        self.report = IngestReport(dry_run=dry_run)
        self._sink, self._settings, self._tags = sink, settings, tags
        self._blobs = Blobs(blobs) if blobs else None
        self._told = listeners or Listeners()
        self._known = sink.known()
        self._starts = load_token_starts(settings.tokenizer)
        self._seen: set[str] = set()
        self._batch: list[tuple[Content, FileReport]] = []
        self._batch_chunks = 0
        self._details: list[Details] = []

    def take(self, document: TextDocument) -> None:
        """Plan one document, and commit what waits once it is enough."""
        shown = printable(document.uri) or "a document"
        identity = source_id(self._sink.name, document.uri)
        if not document.uri.strip():
            self._tell(FileReport(shown, "failed", reason="it has no uri", hint="give it a name that stays the same"))
            return
        if identity in self._seen:
            self._tell(FileReport(shown, "duplicate", reason="named more than once"))
            return
        self._seen.add(identity)
        known = self._known.get(identity)
        tags = self._tags if self._tags is not None else (known.tags if known else ())
        digest = document.digest(self._settings)
        if known is not None and known.digest == digest:
            self._take_known(document, identity, known, tags, shown)
            return
        try:
            source, chunks = self._read(document, identity, tags)
        except PhidexError as exc:
            self._tell(FileReport(shown, "failed", reason=printable(exc.message), hint=exc.hint))
            return
        outcome: Outcome = "replaced" if known is not None and known.digest else "added"
        count = len(chunks)
        report = FileReport(shown, outcome, count, source.page_count)
        self._batch.append((Content(source, digest, [(chunk, None) for chunk in chunks]), report))
        self._batch_chunks += count
        if len(self._batch) >= _BATCH_DOCUMENTS or self._batch_chunks >= _BATCH_CHUNKS:
            self._commit()

    def end(self, sync: bool) -> None:
        """Commit what is left, and take away what is gone."""
        self._commit()
        if self._details and not self.report.dry_run:
            self._sink.refresh(self._details)
        if not sync:
            return
        if not self._seen:
            self.report.notes.append("nothing was removed, since no document was given at all")
            return
        for identity, known in self._known.items():
            if _was_given(known) and identity not in self._seen:
                if not self.report.dry_run:
                    self._sink.remove(identity)
                if self._blobs:
                    self._blobs.remove(identity)
                self._tell(FileReport(printable(known.uri), "removed"))

    def _take_known(self, document: TextDocument, identity: str, known: Known, tags: tuple[str, ...], shown: str) -> None:
        """Of a text that is there: what is said of it may be new."""
        metadata = _metadata(document)
        told = {key: known.metadata.get(key) for key in metadata}
        if (tags, metadata) != (known.tags, told):
            self._details.append(Details(identity, tags, {**known.metadata, **metadata}))
        self._tell(FileReport(shown, "unchanged" if tags == known.tags else "updated"))

    def _read(self, document: TextDocument, identity: str, tags: tuple[str, ...]) -> tuple[Source, list[Chunk]]:
        texts = [document.text, *(page.text for page in document.pages), *(one.text for one in document.passages)]
        whole = "\n".join(texts).encode("utf-8", "replace")
        if len(whole) > self._settings.max_file_mb << 20:
            hint = "raise PHIDEX_INGEST__MAX_FILE_MB to take it"
            raise InputError(f"larger than {self._settings.max_file_mb} MB", hint=hint)
        parsed = parse_document(document)
        original = self._blobs.put(identity, document.original, ".json") if self._blobs and document.original else ""
        language = document_language([block.text for block in parsed.blocks if block.kind != "code"])
        name = Source(identity, document.uri, parsed.kind, "", "", "", "").name
        source = Source(
            id=identity,
            uri=document.uri,
            kind=parsed.kind,
            title=document.title or parsed.title or name,
            sha256=hashlib.sha256(whole).hexdigest(),
            language=language,
            mime=parsed.mime,
            page_count=parsed.page_count,
            size_bytes=len(whole),
            tags=tags,
            metadata={**parsed.metadata, **_metadata(document)},
            blob=original,
        )
        if document.passages:
            return source, _taken(document.passages, source, self._starts)
        limit, starts = self._settings.chunk_tokens, self._starts
        chunks = chunk_document(
            parsed, source_id=identity, path=name, language=language, limit_tokens=limit, token_starts=starts
        )
        return source, chunks

    def _commit(self) -> None:
        batch, self._batch, self._batch_chunks = self._batch, [], 0
        if self.report.dry_run:
            for content, report in batch:
                self._tell(replace(report, difference=self._sink.preview(content.source, content.pieces)))
            return
        began = self._blobs.now() if self._blobs else None
        counts = self._sink.replace_many([content for content, _ in batch]) if batch else []
        for (content, report), count in zip(batch, counts, strict=True):
            if self._blobs and began and (content.source.blob or content.source.id in self._known):
                kept = [content.source.blob] if content.source.blob else []
                self._blobs.keep_only(content.source.id, kept, before=began)
            self._tell(replace(report, chunk_count=count))

    def _tell(self, report: FileReport) -> None:
        self.report.files.append(report)
        if self._told.file:
            self._told.file(report, len(self.report.files), len(self.report.files))


def parse_document(document: TextDocument) -> Parsed:
    """The blocks of a document, each with its line, or its page.

    Raises:
        InputError: no text in it, or it says its content twice.
    """
    if sum(map(bool, (document.text, document.pages, document.passages))) > 1:
        raise InputError("it has several of text, pages and passages", hint="give one of them")
    if document.passages:
        told = tuple(_blocks_of_passages(document.passages))
        if not told:
            raise InputError("it has no text", hint="check what was read")
        return Parsed("text", told, mime=document.mime, unit="item")
    read = parse_markdown if document.mime == "text/markdown" else parse_text
    name = Path("document.md" if document.mime == "text/markdown" else "document.txt")
    if not document.pages:
        if not document.text.strip():
            raise InputError("it has no text", hint="check what was read")
        return replace(read(document.text.encode("utf-8", "replace"), name), mime=document.mime)
    blocks: list[Block] = []
    labels: dict[int, str] = {}
    for page in sorted(document.pages, key=lambda page: page.number):
        if not 1 <= page.number <= DEFAULT.max_pages:
            raise InputError(f"{page.number} is no page", hint=f"pages are numbered from 1 to {DEFAULT.max_pages}")
        labels[page.number] = page.label or str(page.number)
        if page.text.strip():
            parsed = read(page.text.encode("utf-8", "replace"), name)
            blocks += [replace(one, page_number=page.number, anchors=_bare(one.anchors)) for one in parsed.blocks]
    if not blocks:
        raise InputError("it has no text", hint="check what was read")
    last = max(labels)
    printed = tuple(labels.get(number, str(number)) for number in range(1, last + 1))
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    return Parsed("text", tuple(blocks), title, document.mime, last, printed)


def _was_given(known: Known) -> bool:
    """Whether a source came as a text; files of before may have the key from what they say of themselves."""
    return GIVEN in known.metadata and not known.uri.startswith(("file:", "git+"))


def _bare(anchors: tuple[Anchor, ...]) -> tuple[Anchor, ...]:
    """Without lines, which would count from each page's top."""
    return tuple(Anchor(anchor.start) for anchor in anchors[:1])


def _blocks_of_passages(passages: Sequence[Passage]) -> Iterator[Block]:
    for number, passage in enumerate(passages, 1):
        if text := _clean(passage.text):
            yield Block(text, "paragraph", (Anchor(0, line=number),))


def _taken(passages: Sequence[Passage], source: Source, starts: TokenStarts) -> list[Chunk]:
    """One chunk a passage; those without text, and those that say the same of the same name again, are left out."""
    chunks: dict[str, Chunk] = {}
    for number, passage in enumerate(passages, 1):
        text = _clean(passage.text)
        identity = passage_id(source.id, passage, number)
        if not text or identity in chunks:
            continue
        chunks[identity] = Chunk(
            id=identity,
            source_id=source.id,
            locator=passage.locator or PartLocator("", number, number, "item"),
            text=text,
            modality="text",
            language=chunk_language(text, source.language),
            order=number - 1,
            heading=passage.heading,
            token_count=Ruler(text, starts).count(0, len(text)),
        )
    return list(chunks.values())


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\x00", "").strip()


def _metadata(document: TextDocument) -> dict[str, str]:
    told: dict[str, Any] = {**document.metadata, GIVEN: document.document_id or document.uri}
    return {_clean(str(key)): _clean(str(value)) for key, value in told.items() if value not in (None, "")}
