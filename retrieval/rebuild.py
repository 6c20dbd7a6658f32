"""The second place of a collection that is made anew: filled beside the one in use, and switched to in one step.

The catalogue notes of each source which place has it as it is now, and a commit takes that note away. With the gate held, so
that nobody begins to write, what is missing is copied, all is counted, and one write to the catalogue makes the switch.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from phidex.errors import ServiceError
from phidex.retrieval.catalogue import (
    GENERATION,
    META_ID,
    Catalogue,
    CollectionMeta,
    points_schema,
    scroll_all,
    sources_only,
)
from phidex.retrieval.embed import Embedder
from phidex.retrieval.fingerprint import same_vectors
from phidex.retrieval.lease import LEASE_S, RENEW_S, is_gone
from phidex.retrieval.payload import analyse, chunk_of, chunk_payload, source_of
from phidex.retrieval.store import Floats, HasId, Match, Payload, Point, Record, Where
from phidex.retrieval.vectors import batched, embed_waiting, known_vectors, waiting
from phidex.retrieval.versions import clear, in_force, is_busy, of_sources

log = logging.getLogger(__name__)

GRACE_S = 3.0  # what was in use is kept so long for readers that have not noticed: three times what a client waits to look anew
DRAIN_S = 5.0  # how long the gate is held for writers that began before
_BATCH = 500
_CHUNKS = 2000  # about so many chunks of how many sources soever are copied between two notes
_FEW = 20  # sources that may be left to copy while the gate is held

Step = Literal["copying", "embedding", "switching"]
Progress = Callable[[Step, int, int], None]
"""Called with what is being done, how many passages are done and how many there are."""


class Rebuild:
    """One run of it.

    Args:
        before, wanted: how the collection is made, and is to be.
        token: the writer's (`lease.at_work`).
    """

    def __init__(
        self, catalogue: Catalogue, before: CollectionMeta, wanted: CollectionMeta, token: str, on_progress: Progress
    ) -> None:
        self._catalogue, self._store = catalogue, catalogue.store
        self._before, self.made = before, wanted
        self._token, self._on_progress = token, on_progress
        self._renewed = time.time()
        self.embedded = 0
        self._gate_held = False

    @property
    def place(self) -> str:
        """Where the chunks go."""
        return self.made.points

    def begin(self) -> None:
        """Go on with a run that was killed on the same way, or begin anew.

        Raises:
            ServiceError: another one is at work.
        """
        if "gate" not in (self._catalogue.meta() or {}):
            self._catalogue.mark([META_ID], {"gate": "", "gate_until": 0, "points": self._before.points})
        with self._catalogue.gate(self._token) as meta:
            begun: Payload = meta.get("reindex") or {}
            there = CollectionMeta.from_payload(self._catalogue.name, meta)
            if there != self._before or (begun and not is_gone(begun["writer"], begun["until"])):
                message = f"another reindex of {self._catalogue.name!r} is at work"
                raise ServiceError(message, hint="wait for it", retryable=True)
            generation: int = meta.get("generation", 1)
            place: str = begun.get("points", "")
            earlier = CollectionMeta.from_payload("", begun) if begun else None
            if earlier and earlier.embedder and self.made.embedder and same_vectors(earlier.embedder, self.made.embedder):
                served = replace(self.made.embedder, fingerprint=earlier.embedder.fingerprint)  # probes differ by a few bits
                self.made = replace(self.made, embedder=served)
            if earlier != replace(self.made, points=place):
                generation += 1
                place = f"{self._catalogue.name}{GENERATION}{generation}"
            self.made = replace(self.made, points=place)
            self._catalogue.mark([META_ID], {"generation": generation, "reindex": self._noted()})
        if begun.get("points", place) != place:
            self._store.drop(begun["points"])
        self._store.create(place, points_schema(self.made.embedder))
        self._bring_up_to_date()

    def fill(self, embedder: Embedder | None) -> None:
        """Copy and embed until hardly anything is left to do."""
        while True:
            missing = self._missing()
            self._copy(missing)
            if embedder is not None:
                self._embed(embedder)
            if len(missing) <= _FEW:
                return

    def switch(self) -> bool:
        """Make what was filled the collection; False where a writer would not end soon: then fill and try again."""
        self._report("switching", 0, 1)
        with self._catalogue.gate(self._token):
            if not self._drained():
                return False
            self._gate_held = True
            try:
                self._copy(self._missing())
                self._check()
            finally:
                self._gate_held = False
            made = {**self.made.to_dict(), "reindex": None, "retired": {self._before.points: time.time() + 2 * GRACE_S}}
            self._catalogue.mark([META_ID], made, Match("gate", (self._token,)))  # the one step, while the gate is ours
            if (self._catalogue.meta() or {}).get("points") != self.place:
                message = f"the reindex of {self._catalogue.name!r} was too slow to switch, and others wrote meanwhile"
                raise ServiceError(message, hint="run it again: it goes on where it was", retryable=True)
        log.info("switched collection=%s points=%s", self._catalogue.name, self.place)
        self._report("switching", 1, 1)
        return True

    def finish(self, embedder: Embedder | None, grace_s: float) -> None:
        """Embed what came in last, and drop what was in use once nobody can be reading it."""
        switched = time.monotonic()
        if embedder is not None:
            self._embed(embedder)
        time.sleep(max(0.0, switched + grace_s - time.monotonic()))
        self._store.drop(self._before.points)

    def _bring_up_to_date(self) -> None:
        """Give the records of sources the fields that an older version did not know."""
        records = self._catalogue.scroll(sources_only(), ("version",))
        for batch in batched((record.id for record in records if "version" not in record.payload), _BATCH):
            self._catalogue.mark(batch, {"version": uuid.uuid4().hex})
        records = self._catalogue.scroll(sources_only(), ("blob",))
        for batch in batched((record.id for record in records if "blob" not in record.payload), _BATCH):
            self._catalogue.mark(batch, {"blob": "", "also": []})

    def _missing(self) -> list[Record]:
        """Records of the sources that the new place does not have as they are now, and that nobody is writing."""
        phases = Match("phase", ("stable", "retiring"))
        return list(self._catalogue.scroll(Where(must=(phases,), must_not=(Match("copied", (self.place,)),))))

    def _copy(self, missing: Sequence[Record]) -> None:
        """Copy the chunks of these sources, and note which are still as they were read."""
        done, total = 0, sum(record.payload["chunks"] for record in missing)
        for sources in _groups(missing):
            ids = list(sources)
            dying = tuple(payload["moving"] for payload in sources.values() if payload["moving"])
            where = Where(of_sources(ids).must, (Match("dies", dying),) if dying else ())
            seen: set[str] = set()
            for batch in batched(scroll_all(self._store, self._before.points, where), _BATCH):
                seen.update(record.id for record in batch)
                self._store.upsert(self.place, self._renewed_points(batch, sources))
                self._report("copying", min(done + len(seen), total), total)
            there = scroll_all(self._store, self.place, of_sources(ids), ())
            for stale in batched((record.id for record in there if record.id not in seen), _BATCH):
                self._store.delete(self.place, Where(must=(HasId(tuple(stale)),)))
            versions = Match("version", tuple(payload["version"] for payload in sources.values()))
            self._catalogue.mark(ids, {"copied": self.place}, versions)  # of those that are what they were
            done += len(seen)

    def _renewed_points(self, records: Sequence[Record], sources: Mapping[str, Payload]) -> list[Point]:
        """The same chunks as they are stored now, with the dense vectors that are known."""
        moving = [payload["moving"] for payload in sources.values() if payload["phase"] == "retiring"]
        chunks = [chunk_of(record.id, in_force(record.payload, moving)) for record in records]
        payloads = [
            chunk_payload(chunk, source_of(sources[chunk.source_id]), version="", embedder=self.made.embedder)
            for chunk in chunks
        ]
        vectors = self._vectors(records, payloads)
        wanted = [vectors.get(payload["content"]) if payload["wants_dense"] == "yes" else None for payload in payloads]
        return [
            Point(chunk.id, payload, dense=dense, sparse=analyse(chunk))
            for chunk, payload, dense in zip(chunks, payloads, wanted, strict=True)
        ]

    def _vectors(self, records: Sequence[Record], payloads: Sequence[Payload]) -> dict[str, Floats]:
        if self.made.embedder is None:
            return {}
        if self.made.embedder == self._before.embedder:
            found = self._store.retrieve(self._before.points, [record.id for record in records], dense=True)
            dense = {record.id: record.dense for record in found if record.dense is not None}
            pairs = zip(records, payloads, strict=True)
            return {payload["content"]: dense[record.id] for record, payload in pairs if record.id in dense}
        return known_vectors(self._store, self.place, {payload["content"] for payload in payloads})

    def _embed(self, embedder: Embedder) -> None:
        total, before = self._waits(), self.embedded

        def on_batch(done: int) -> None:
            self.embedded = before + done
            self._report("embedding", done, max(total, done))

        embed_waiting(self._store, self.place, embedder, on_batch=on_batch, go_on=lambda: True)

    def _waits(self) -> int:
        return self._store.count(self.place, waiting()) if self.made.embedder else 0

    def _drained(self) -> bool:
        """Whether nobody writes any more; nobody can begin, since the gate is held."""
        moving = Where(must=(Match("phase", ("staging", "retiring", "removing")),))
        deadline = time.monotonic() + DRAIN_S
        while records := list(self._catalogue.scroll(moving)):
            for record in records:
                if not is_busy(record.payload):
                    clear(self._catalogue, self._before.points, record.id, record.payload)
            if time.monotonic() > deadline:
                return False
            self._catalogue.renew_gate(self._token)
            time.sleep(0.02)
        return len(self._missing()) <= _FEW

    def _check(self) -> None:
        """Take away what belongs to no source any more.

        Raises:
            ServiceError: a source is not there as its record says; it is copied again next time.
        """
        wanted = {record.id: record.payload["chunks"] for record in self._catalogue.scroll(sources_only(), ("chunks",))}
        counts = self._store.facet(self.place, "source_id", Where(), limit=max(1, 2 * len(wanted) + 1000))
        orphans = [identity for identity in counts if identity not in wanted]
        for batch in batched(orphans, _BATCH):
            self._store.delete(self.place, of_sources(batch))
        wrong = [identity for identity, count in wanted.items() if counts.get(identity, 0) != count]
        if wrong:
            self._catalogue.mark(wrong, {"copied": ""})
            message = f"{len(wrong)} sources of {self._catalogue.name!r} are not as the catalogue says"
            raise ServiceError(message, hint="reindex again; if that stays so, ingest them anew", retryable=True)

    def _report(self, step: Step, done: int, total: int) -> None:
        self._on_progress(step, done, total)
        now = time.time()
        if now - self._renewed < RENEW_S:
            return
        self._renewed = now
        if self._gate_held:
            self._catalogue.renew_gate(self._token)
        meta = self._catalogue.meta() or {}
        if meta.get("points") == self.place:
            return
        begun: Payload = meta.get("reindex") or {}
        if begun.get("writer") != self._token:
            raise ServiceError(f"the reindex of {self._catalogue.name!r} was taken over by another", hint="wait for that one")
        self._catalogue.mark([META_ID], {"reindex": self._noted()})

    def _noted(self) -> Payload:
        return {**self.made.to_dict(), "writer": self._token, "until": time.time() + LEASE_S}


def _groups(records: Sequence[Record]) -> Iterator[dict[str, Payload]]:
    """The records by id, in groups of about `_CHUNKS` chunks together."""
    group: dict[str, Payload] = {}
    count = 0
    for record in records:
        group[record.id] = record.payload
        count += record.payload["chunks"]
        if count >= _CHUNKS or len(group) == _BATCH:
            yield group
            group, count = {}, 0
    if group:
        yield group
