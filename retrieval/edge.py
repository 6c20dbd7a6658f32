"""`EdgeStore`: the store on the embedded engine, which runs in a process of its own (`retrieval/engine.py`)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phidex.errors import InputError
from phidex.retrieval import wire
from phidex.retrieval.channel import Channel
from phidex.retrieval.checks import check_dense, check_limit, check_name, encode_payloads
from phidex.retrieval.store import Floats, Fused, Leg, Payload, Point, Record, Schema, Scored, Where
from phidex.retrieval.tuning import IndexState, Layout, Tuning
from phidex.settings import StoreSettings

log = logging.getLogger(__name__)

_FRAME_IDS = 2000
_COMPACT_S = 600.0


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """The running engine: what `phidex doctor` reports. Times are ISO 8601, UTC."""

    pid: int
    version: str
    started: str
    last_crash: str | None  # when the last death of an engine was noticed
    data: str


class EdgeStore:
    """The collections under `data`, served by the engine's process, which starts with the first request.

    Safe for many threads and processes at once, and after a fork.
    """

    def __init__(self, data: Path, settings: StoreSettings) -> None:
        self._channel = Channel(data, settings)
        self._tuning = Tuning.of(settings).to_dict()
        self._search = {
            "ef": settings.hnsw_ef,
            "rescore": settings.rescore,
            "oversampling": settings.oversampling,
            "exact": settings.index == "exact",
        }

    def create(self, collection: str, schema: Schema) -> None:
        """Make the collection, or add the payload indexes it lacks. Raises: InputError when its vectors are others."""
        self._channel.request("create", check_name(collection), wire.encode_schema(schema))

    def drop(self, collection: str) -> None:
        """Remove the collection and its points; no change when it does not exist."""
        self._channel.request("drop", check_name(collection))

    def names(self) -> list[str]:
        """The collections there are, sorted."""
        return self._channel.request("names")

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Write points, each replacing the one with its id whole; in frames, each durable before the next is sent."""
        for frame in wire.frames(points):
            self._ask("upsert", collection, {**wire.encode_points(frame), "tuning": self._tuning})

    def update_dense(self, collection: str, ids: Sequence[str], vectors: Floats) -> None:
        """Give existing points their dense vectors, (n, dim); ids that do not exist are passed over."""
        if len(ids) != len(vectors):
            raise InputError(f"{len(ids)} ids and {len(vectors)} vectors")
        if not len(ids):
            return
        matrix = check_dense(vectors)
        step = max(1, min(_FRAME_IDS, wire.FRAME_BYTES // (4 * matrix.shape[1])))
        for start in range(0, len(ids), step):
            rows = matrix[start : start + step]
            body = {"ids": wire.encode_ids(ids[start : start + step]), "dense": rows.tobytes(), "dim": rows.shape[1]}
            self._ask("update_dense", collection, body)

    def set_payload(self, collection: str, where: Where, payload: Payload) -> None:
        """Merge `payload` into that of every point that matches, in one durable step; a None takes the key away."""
        self._ask("set_payload", collection, {"where": wire.encode_where(where), "payload": encode_payloads([payload])})

    def amend(self, collection: str, changes: Sequence[tuple[str, Payload]]) -> None:
        """Merge each payload into that of the point with its id; ids that do not exist are passed over."""
        for start in range(0, len(changes), wire.FRAME_POINTS):
            ids, payloads = zip(*changes[start : start + wire.FRAME_POINTS], strict=True)
            self._ask("amend", collection, {"ids": wire.encode_ids(ids), "payloads": encode_payloads(payloads)})

    def delete(self, collection: str, where: Where) -> None:
        """Delete every point that matches."""
        self._ask("delete", collection, {"where": wire.encode_where(where)})

    def retrieve(self, collection: str, ids: Sequence[str], *, dense: bool = False) -> list[Record]:
        """The points that exist among `ids`, in the order of `ids`; dense vectors as the engine normalised them."""
        records: list[Record] = []
        for start in range(0, len(ids), _FRAME_IDS):
            body = {"ids": wire.encode_ids(ids[start : start + _FRAME_IDS]), "dense": dense}
            records += _decode_records(self._ask("retrieve", collection, body))
        return records

    def scroll(
        self, collection: str, where: Where, *, limit: int = 1000, after: str | None = None, fields: Sequence[str] | None = None
    ) -> tuple[list[Record], str | None]:
        """A page of points in id order, from the cursor `after`, and the next cursor (None at the end)."""
        check_limit(limit)
        body = {
            "where": wire.encode_where(where),
            "limit": limit,
            "after": wire.encode_ids([after] if after else []),
            "fields": None if fields is None else list(fields),
        }
        reply = self._ask("scroll", collection, body)
        return _decode_records(reply), next(iter(wire.decode_ids(reply["next"])), None)

    def count(self, collection: str, where: Where) -> int:
        """How many points match, exactly."""
        return self._ask("count", collection, {"where": wire.encode_where(where)})

    def facet(self, collection: str, key: str, where: Where, *, limit: int = 100) -> dict[str, int]:
        """How many matching points have each value of an indexed keyword field, most frequent first."""
        check_limit(limit)
        body = {"key": key, "where": wire.encode_where(where), "limit": limit}
        return dict(self._ask("facet", collection, body))

    def query(self, collection: str, legs: Sequence[Leg]) -> list[list[Scored]]:
        """The hits of each leg, best first, all legs in one request."""
        replies = self._ask("query", collection, {"legs": [wire.encode_leg(leg) for leg in legs], "search": self._search})
        return [[Scored(*hit) for hit in zip(wire.decode_ids(ids), scores, strict=True)] for ids, scores in replies]

    def hybrid(
        self, collection: str, legs: Sequence[Leg], *, limit: int, beside: tuple[str, str], fields: Sequence[str] | None = None
    ) -> tuple[list[Fused], Record | None]:
        """The best `limit` of the legs' hits, fused in the engine's process; see `Store`. One request in all."""
        check_limit(limit)
        body = {
            "legs": [wire.encode_leg(leg) for leg in legs],
            "limit": limit,
            "fields": None if fields is None else list(fields),
            "search": self._search,
            "beside": [check_name(beside[0]), wire.encode_ids([beside[1]])],
        }
        reply = self._ask("hybrid", collection, body)
        log.debug("hybrid collection=%s engine_ms=%.3f", collection, 1000 * reply["engine_s"])
        found = [Fused(record, score, {}) for record, score in zip(_decode_records(reply), reply["scores"], strict=True)]
        for using, places in reply["places"].items():
            for hit, (rank, score) in zip(found, places, strict=True):
                if rank:
                    hit.places[using] = (rank, score)
        return found, next(iter(_decode_records(reply["beside"])), None)

    def points(self, collection: str, *, limit: int = 500, after: str | None = None) -> tuple[list[Point], str | None]:
        """A page of whole points in id order, from the cursor `after`, and the next cursor (None at the end)."""
        check_limit(limit)
        reply = self._ask("points", collection, {"limit": limit, "after": wire.encode_ids([after] if after else [])})
        return wire.decode_points(reply), next(iter(wire.decode_ids(reply["next"])), None)

    def read_points(self, collection: str, ids: Sequence[str]) -> list[Point]:
        """The whole points that exist among `ids`, in the order of `ids`."""
        found: list[Point] = []
        for start in range(0, len(ids), wire.FRAME_POINTS):
            body = {"ids": wire.encode_ids(ids[start : start + wire.FRAME_POINTS])}
            found += wire.decode_points(self._ask("read_points", collection, body))
        return found

    def index_state(self, collection: str) -> IndexState:
        """How the collection's vectors are indexed and held, and whether that is being changed."""
        return _state(self._ask("index_state", collection, {}))

    def optimize(self, collection: str) -> IndexState:
        """Begin to bring the collection to the store's settings; another process builds, one collection at a time."""
        return _state(self._ask("optimize", collection, {"tuning": self._tuning}))

    def close(self) -> None:
        """Let go of connections; calling it twice is fine. The engine leaves by itself when idle."""
        self._channel.close()

    def info(self) -> EngineInfo:
        """The running engine, started when it is not."""
        return EngineInfo(**self._channel.request("info"))

    def compact(self, collection: str) -> bool:
        """Rewrite the collection without its deleted points; whether there was enough to do.

        Deleted points keep their memory and disk until then. Every client waits meanwhile, 70 microseconds a point; but where
        the collection has an index, that is built anew in the background.
        """
        return self._channel.request("compact", check_name(collection), {}, timeout_s=_COMPACT_S)

    def _ask(self, operation: str, collection: str, body: dict[str, Any]) -> Any:
        return self._channel.request(operation, check_name(collection), body)


def _state(reply: dict[str, Any]) -> IndexState:
    points, outside, step = reply.pop("points"), reply.pop("outside"), reply.pop("step")
    return IndexState(Layout.from_dict(reply), points, outside, step)


def _decode_records(reply: dict[str, Any]) -> list[Record]:
    ids, payloads = wire.decode_ids(reply["ids"]), reply["payloads"]
    rows: list[bytes | None] = reply.get("dense") or [None] * len(ids)
    vectors = [None if row is None else np.frombuffer(row, "<f4") for row in rows]
    return [Record(*record) for record in zip(ids, payloads, vectors, strict=True)]
