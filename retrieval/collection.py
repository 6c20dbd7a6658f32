"""A collection of documents on a store: chunks as points, a catalogue of sources, and versions that change in one step.

A point's text never changes once written. A source's new version is written beside the old one and brought to light by one
write to the catalogue (`retrieval/versions.py`); readers leave out what is not yet born or already dead
(`retrieval/reader.py`). So a kill at any moment leaves the old version or the new one, and the next run clears up what is left.
"""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from phidex.errors import ConfigError, InputError, NotFoundError
from phidex.ingest.records import Chunk, Source
from phidex.ingest.run.sink import Content, Details, Difference, Piece
from phidex.retrieval.catalogue import (
    CATALOGUE,
    GENERATION,
    Catalogue,
    CollectionMeta,
    drop_collection,
    drop_leftovers,
    make_collection,
    scroll_all,
)
from phidex.retrieval.checks import check_name
from phidex.retrieval.embed import Embedder, EmbedderIdentity
from phidex.retrieval.lease import LEASE_S, at_work
from phidex.retrieval.lexical import ANALYZER_VERSION
from phidex.retrieval.payload import SCHEMA_VERSION, analyse, chunk_payload
from phidex.retrieval.reader import CollectionReader
from phidex.retrieval.store import Match, Payload, Store, Where
from phidex.retrieval.vectors import embed_waiting
from phidex.retrieval.versions import AMENDED, Edition, clear, erase, is_busy, of_sources, retiring, settle

_TOGETHER = 256  # sources that one edition holds at most: their records are written in one step
_WASTE = 10  # a run that deleted more than a tenth of the points gives their space back at once


class Collection(CollectionReader):
    """One named collection; open it with `Collection.create` or `Collection.open`.

    Several processes may read and write it at the same time; of two that ingest one source, the second waits for the first.
    """

    def __init__(self, store: Store, name: str, meta: CollectionMeta) -> None:
        super().__init__(store, name, meta)
        self._deleted = 0  # points, since the last compaction

    @staticmethod
    def create(store: Store, name: str, embedder: Callable[[], EmbedderIdentity | None]) -> Collection:
        """The collection, made if it does not exist, by several processes at once if need be; `embedder` is asked only then.

        Raises:
            InputError: the name is none for a collection.
            ConfigError: it exists and was made by an incompatible version.
        """
        check_name(name)
        if GENERATION in name or name.endswith(CATALOGUE):
            hint = f"choose one without {GENERATION!r} that does not end in {CATALOGUE!r}"
            raise InputError(f"{name!r} is no name for a collection", hint=hint)
        catalogue = Catalogue(store, name)
        if catalogue.meta() is None:
            meta = CollectionMeta(SCHEMA_VERSION, ANALYZER_VERSION, embedder(), name)
            if catalogue.meta() is None:
                make_collection(store, name, meta)
        return Collection.open(store, name)

    @staticmethod
    def open(store: Store, name: str) -> Collection:
        """The collection of that name.

        Raises:
            NotFoundError: there is none.
            ConfigError: it was made by an incompatible version.
        """
        payload = Catalogue(store, name).meta()
        if payload is None:
            have = ", ".join(Collection.names(store)) or "none yet"
            raise NotFoundError(f"there is no collection {name!r}", hint=f"ingest into it first; there are: {have}")
        return Collection(store, name, _checked(name, payload))

    @staticmethod
    def names(store: Store) -> list[str]:
        """All collections of a store."""
        made = [name.removesuffix(CATALOGUE) for name in store.names() if name.endswith(CATALOGUE)]
        return [name for name in made if Catalogue(store, name).meta() is not None]

    def drop(self) -> None:
        """Remove the collection with all it holds; it is gone with the first of these steps."""
        drop_collection(self.store, self.name)

    @property
    def analyse(self) -> Callable[[Chunk], object]:
        """What makes the lexical vector of a chunk, in any process; the second half of a `Piece`."""
        return analyse

    def replace(self, source: Source, digest: str, chunks: Iterable[Chunk]) -> int:
        """Make `chunks` the source's content, visible in one step; returns how many there are."""
        return self.replace_many([Content(source, digest, ((chunk, None) for chunk in chunks))])[0]

    def replace_many(self, contents: Sequence[Content]) -> list[int]:
        """Make each content that of its source, each visible in one step; returns how many chunks each has.

        A chunk that comes without its vector (`analyse`) gets it here, if it is to be written at all. A source that another
        writer is at waits until that one is done.

        Raises:
            ServiceError: the store failed, or another writer took over: what was not committed is not seen.
        """
        counts: dict[str, int] = {}
        last = {content.source.id: content for content in contents}
        left, pause = list(last.values()), 0.005
        while left:
            committed, busy = self._publish(left[:_TOGETHER])
            counts |= committed
            left = busy + left[_TOGETHER:]
            if not committed:
                time.sleep(pause)
                pause = min(2 * pause, 0.25)
        return [counts[content.source.id] for content in contents]

    def preview(self, source: Source, pieces: Iterable[Piece]) -> Difference:
        """What `replace_many` would do to the source; nothing is written.

        A passage counts as changed where another takes its place on the page, or within a document without pages; one that
        only moves counts as nothing.
        """
        where = Where(of_sources([source.id]).must, self.transitions().hidden())
        there = {record.id: record.payload for record in scroll_all(self.store, self.points, where, ("content", *AMENDED))}
        wanted = {chunk.id: chunk_payload(chunk, source, version="", embedder=self.meta.embedder) for chunk, _ in pieces}
        amended = [
            identity
            for identity in wanted.keys() & there.keys()
            if any(wanted[identity].get(key) != there[identity].get(key) for key in AMENDED if key != "order")
        ]
        new = _places(wanted[identity] for identity in wanted.keys() - there.keys())
        gone = _places(there[identity] for identity in there.keys() - wanted.keys())
        moved = Counter(content for content, _ in new) & Counter(content for content, _ in gone)
        added, removed = _pages(new, moved), _pages(gone, moved)
        changed = (added & removed).total()
        return Difference(added.total() - changed, changed + len(amended), removed.total() - changed)

    def set_aliases(self, source_id: str, uris: Sequence[str]) -> None:
        """Let the source's bytes be known under these other uris too; its content stays as it is.

        Raises:
            NotFoundError: there is no such source.
        """
        with at_work() as token, self.catalogue.gate(token):
            self._record(source_id)
            self.catalogue.mark([source_id], {"also": list(uris)})

    def refresh(self, details: Sequence[Details]) -> None:
        """Give sources other tags and metadata, each in one step; their content stays. One that is gone is passed over.

        Raises:
            ServiceError: the store failed; what was not done yet is not seen.
        """
        left = list(details)
        while left:
            busy = self._refresh(left[:_TOGETHER])
            if len(busy) == len(left[:_TOGETHER]):
                time.sleep(0.02)
            left = busy + left[_TOGETHER:]

    def remove(self, source_id: str, uri: str | None = None) -> bool:
        """Remove a source, out of sight in one step; returns whether it is gone.

        Args:
            uri: the one of its names to take away: the content stays while it has others.

        Raises:
            NotFoundError: there is no such source, or it is not known by that name.
        """
        while True:
            with at_work() as token:
                removal = f"removal-{uuid.uuid4().hex}"
                with self.catalogue.gate(token) as meta:
                    points = _checked(self.name, meta).points
                    record = self._record(source_id)
                    names = [record["uri"], *record["also"]]
                    if uri is not None and uri not in names:
                        raise NotFoundError(f"the source {source_id} is not known as {uri}", hint="`phidex sources` lists them")
                    left = [name for name in names if uri is not None and name != uri]
                    free = not is_busy(record)
                    if free and left:
                        self.catalogue.mark([source_id], {"uri": left[0], "also": left[1:]})
                        return False
                    if free:
                        lease = {"writer": token, "until": time.time() + LEASE_S}
                        self.catalogue.mark([source_id], {"phase": "removing", "moving": removal, **lease})
                if free:
                    erase(self.catalogue, points, source_id, removal)
                    self._deleted += record["chunks"]
                    return True
            time.sleep(0.02)

    def embed_pending(
        self, embedder: Embedder, on_progress: Callable[[int, int], None] | None = None, *, batch_size: int = 256
    ) -> int:
        """Give every passage that waits its dense vector; returns how many got one. Interrupted, it goes on where it was.

        It ends early where a reindex switched the collection to other vectors meanwhile.

        Args:
            on_progress: called with how many are done and how many there are in all.
            batch_size: passages given to the embedder at once.
        """
        total, done = self.pending(), 0

        def report(number: int) -> None:
            nonlocal done
            done = number
            if on_progress:
                on_progress(done, max(total, done))

        def is_current() -> bool:
            return self.made_now().points == self.points

        try:
            return embed_waiting(
                self.store,
                self.points,
                embedder,
                on_batch=report,
                go_on=is_current,
                hidden=lambda: self.transitions().hidden(),
                batch_size=batch_size,
            )
        except NotFoundError:
            if is_current():
                raise
            return done

    def compact(self) -> None:
        """Give back the space of deleted points where this object deleted many, and the engine finds it worth while.

        Other clients wait meanwhile (0.1 s for 1,000 points): what small edits leave, the engine clears once nobody asks.
        """
        if self._deleted:
            points = self.made_now().points
            if self._deleted * _WASTE > self.store.count(points, Where()):
                self.store.compact(points)
                self._deleted = 0

    def recover(self) -> None:
        """Clear up after writers that were killed."""
        moving = Where(must=(Match("phase", ("staging", "retiring", "removing")),))
        left = [record.id for record in self.catalogue.scroll(moving) if not is_busy(record.payload)]
        if left:
            with at_work() as token, self.catalogue.gate(token) as meta:
                points = _checked(self.name, meta).points
                for identity, record in self.catalogue.records(left).items():
                    if not is_busy(record):
                        clear(self.catalogue, points, identity, record)
        drop_leftovers(self.catalogue)

    def _publish(self, contents: Sequence[Content]) -> tuple[dict[str, int], list[Content]]:
        """Chunks of each source that was free and is committed now, by source id; and the contents that must wait."""
        with at_work() as token:
            with self.catalogue.gate(token) as meta:
                edition = Edition(self.catalogue, _checked(self.name, meta), token)
                busy = edition.claim(contents)
            try:
                edition.write()
                committed = edition.commit()
            except BaseException:
                edition.abandon()
                raise
            self._deleted += edition.settle()
            return committed, busy

    def _refresh(self, details: Sequence[Details]) -> list[Details]:
        """Do what can be done at once; the rest must wait for another writer."""
        changes: list[tuple[str, Payload]] = []
        busy: list[Details] = []
        with at_work() as token:
            with self.catalogue.gate(token) as meta:
                points = _checked(self.name, meta).points
                records = self.catalogue.records([one.source_id for one in details])
                for one in details:
                    record = records.get(one.source_id)
                    if record is not None and is_busy(record):
                        busy.append(one)
                        continue
                    if record is not None:
                        record = clear(self.catalogue, points, one.source_id, record)
                    if record is None:
                        continue
                    change: Payload = {"metadata": dict(one.metadata)}
                    if list(one.tags) != record["tags"]:
                        version = f"{one.source_id[:8]}-{uuid.uuid4().hex}"
                        change |= {"tags": list(one.tags), "version": version, "copied": "", **retiring(version, token)}
                    changes.append((one.source_id, change))
                if changes:
                    self.store.amend(self.catalogue.place, changes)
            settle(self.catalogue, points, {identity: change["moving"] for identity, change in changes if "moving" in change})
        return busy

    def _record(self, source_id: str) -> Payload:
        record = self.catalogue.records([source_id]).get(source_id)
        if record is None or record["phase"] == "meta":
            raise NotFoundError(f"there is no source {source_id} in {self.name!r}", hint="`phidex sources` lists them")
        return record


def _checked(name: str, payload: Payload) -> CollectionMeta:
    meta = CollectionMeta.from_payload(name, payload)
    if (meta.schema_version, meta.analyzer) != (SCHEMA_VERSION, ANALYZER_VERSION):
        made = f"schema {meta.schema_version}, analyzer {meta.analyzer}"
        cure = f"`phidex reindex --collection {name}` brings it up to date, and reads no file again"
        hint = "use that version" if meta.schema_version > SCHEMA_VERSION else cure
        raise ConfigError(f"the collection {name!r} was made by another version of Phidex ({made})", hint=hint)
    return meta


def _places(payloads: Iterable[Payload]) -> list[tuple[str, int]]:
    """Text and page of each."""
    return [(payload["content"], payload["page"]) for payload in payloads]


def _pages(places: Iterable[tuple[str, int]], moved: Counter[str]) -> Counter[int]:
    """How many stand on each page, without those that only moved."""
    left, pages = moved.copy(), Counter[int]()
    for content, page in places:
        if left[content]:
            left[content] -= 1
        else:
            pages[page] += 1
    return pages
