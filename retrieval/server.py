"""`ServerStore`: the store on a Qdrant server or cluster, by qdrant-client over REST or gRPC."""

from __future__ import annotations

import logging
import math
import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from qdrant_client import QdrantClient, models

from phidex.errors import InputError, NotFoundError
from phidex.retrieval.checks import check_dense, check_limit, check_name, encode_payloads, parse_ids
from phidex.retrieval.fuse import fuse
from phidex.retrieval.placement import changes, consistency, creation, layout_of, search_params, state_of, target
from phidex.retrieval.qdrant import to_amendment, to_filter, to_point, to_points, to_record, to_request, translated
from phidex.retrieval.store import Floats, Fused, Leg, LegName, Payload, Point, Record, Schema, Scored, SparseVector, Where
from phidex.retrieval.tuning import IndexState, Layout, Tuning
from phidex.retrieval.wire import frames
from phidex.settings import StoreSettings

logger = logging.getLogger(__name__)

GRPC_PORT = 6334  # beside the port of the URL, which is the REST one
_BATCH_IDS = 1000
_LOOK_EVERY = 20_000


class ServerStore:
    """The collections of a Qdrant server whose names start with `prefix`.

    Safe for many threads; after a fork it connects anew. Failures are not retried here: `ServiceError.retryable` says whether
    the caller may.

    Args:
        url: the server; ignored when a client is given.
        settings: its key, timeout and protocol.
        prefix: put before the names of collections, since a server may hold those of others.
        client: a ready client, for example `QdrantClient(":memory:")` in tests; it stays the caller's.
    """

    def __init__(
        self,
        url: str = "",
        settings: StoreSettings | None = None,
        *,
        prefix: str = "phidex_",
        client: QdrantClient | None = None,
    ) -> None:
        self._url = url
        self._settings = settings or StoreSettings()  # pyright: ignore[reportCallIssue]  # every field has a default
        self._tuning = Tuning.of(self._settings)
        self._written = 0  # points, since the last look at the layout
        self._consistency = consistency(self._settings)
        self._prefix = prefix
        self._given = client
        self._made: QdrantClient | None = None
        self._owner = os.getpid()

    def create(self, collection: str, schema: Schema) -> None:
        """Make the collection, or add the payload indexes it lacks. Raises: InputError when its vectors are others."""
        name = self._name(collection)
        with translated("create", collection):
            if not self._client.collection_exists(name):
                try:
                    self._client.create_collection(name, **creation(schema, self._settings))
                except Exception:
                    if not self._client.collection_exists(name):  # else another process was first
                        raise
            self._check_schema(collection, schema)
            for key, kind in self._missing_indexes(name, schema).items():
                self._client.create_payload_index(name, key, models.PayloadSchemaType(kind), wait=True)

    def drop(self, collection: str) -> None:
        """Remove the collection and its points; no change when it does not exist."""
        with translated("drop"):
            self._client.delete_collection(self._name(collection))

    def names(self) -> list[str]:
        """The collections there are, sorted."""
        with translated("names"):
            found = [entry.name for entry in self._client.get_collections().collections]
        return sorted(name.removeprefix(self._prefix) for name in found if name.startswith(self._prefix))

    def upsert(self, collection: str, points: Sequence[Point]) -> None:
        """Write points, each replacing the one with its id whole; in batches."""
        for batch in frames(points):
            ready = to_points(batch)
            with translated("upsert", collection):
                self._client.upsert(self._name(collection), ready, wait=True)
            self._written += len(batch)
            if self._written >= _LOOK_EVERY:  # the size may ask for another layout by now
                self._written = 0
                self.optimize(collection)

    def update_dense(self, collection: str, ids: Sequence[str], vectors: Floats) -> None:
        """Give existing points their dense vectors, (n, dim); ids that do not exist are passed over."""
        if len(ids) != len(vectors):
            raise InputError(f"{len(ids)} ids and {len(vectors)} vectors")
        rows = check_dense(vectors) if len(ids) else vectors
        for start in range(0, len(ids), _BATCH_IDS):
            batch = [str(id_) for id_ in parse_ids(ids[start : start + _BATCH_IDS])]
            self._update_batch(collection, batch, rows[start : start + _BATCH_IDS])

    def set_payload(self, collection: str, where: Where, payload: Payload) -> None:
        """Merge `payload` into that of every point that matches, in one durable step; a None takes the key away."""
        encode_payloads([payload])
        with translated("set_payload", collection):
            self._client.set_payload(self._name(collection), payload, points=to_filter(where), wait=True)

    def amend(self, collection: str, changes: Sequence[tuple[str, Payload]]) -> None:
        """Merge each payload into that of the point with its id; ids that do not exist are passed over."""
        encode_payloads([payload for _, payload in changes])
        for start in range(0, len(changes), _BATCH_IDS):
            operations = [to_amendment(id_, payload) for id_, payload in changes[start : start + _BATCH_IDS]]
            with translated("amend", collection):
                self._client.batch_update_points(self._name(collection), operations, wait=True)

    def delete(self, collection: str, where: Where) -> None:
        """Delete every point that matches."""
        selector = models.FilterSelector(filter=to_filter(where))
        with translated("delete", collection):
            self._client.delete(self._name(collection), selector, wait=True)

    def retrieve(self, collection: str, ids: Sequence[str], *, dense: bool = False) -> list[Record]:
        """The points that exist among `ids`, in the order of `ids`; dense vectors as the server normalised them."""
        return self._retrieve(collection, ids, dense=dense)

    def _retrieve(
        self, collection: str, ids: Sequence[str], *, dense: bool = False, fields: Sequence[str] | None = None
    ) -> list[Record]:
        wanted = [str(id_) for id_ in parse_ids(ids)]
        found: dict[str, Record] = {}
        payload = True if fields is None else list(fields)
        vectors = ["dense"] if dense else False
        with translated("retrieve", collection):
            for start in range(0, len(wanted), _BATCH_IDS):
                batch = wanted[start : start + _BATCH_IDS]
                records = self._client.retrieve(
                    self._name(collection), batch, with_payload=payload, with_vectors=vectors, consistency=self._consistency
                )
                found |= {str(record.id): to_record(record) for record in records}
        return [found[id_] for id_ in wanted if id_ in found]

    def scroll(
        self, collection: str, where: Where, *, limit: int = 1000, after: str | None = None, fields: Sequence[str] | None = None
    ) -> tuple[list[Record], str | None]:
        """A page of points in id order, from the cursor `after`, and the next cursor (None at the end)."""
        check_limit(limit)
        payload = True if fields is None else list(fields) or False
        with translated("scroll", collection):
            records, following = self._client.scroll(
                self._name(collection),
                to_filter(where),
                limit=limit,
                offset=after,
                with_payload=payload,
                with_vectors=False,
                consistency=self._consistency,
            )
        return [to_record(record) for record in records], None if following is None else str(following)

    def count(self, collection: str, where: Where) -> int:
        """How many points match, exactly."""
        with translated("count", collection):
            return self._client.count(self._name(collection), to_filter(where), exact=True).count

    def facet(self, collection: str, key: str, where: Where, *, limit: int = 100) -> dict[str, int]:
        """How many matching points have each value of an indexed keyword field, most frequent first."""
        check_limit(limit)
        with translated("facet", collection):
            hits = self._client.facet(
                self._name(collection), key, to_filter(where), limit=limit, exact=True, consistency=self._consistency
            ).hits
        return dict(sorted(((str(hit.value), hit.count) for hit in hits if hit.count), key=lambda hit: (-hit[1], hit[0])))

    def query(self, collection: str, legs: Sequence[Leg]) -> list[list[Scored]]:
        """The hits of each leg, best first, all legs in one request."""
        # The in-process mode compares with every vector, and warns of parameters.
        every = [to_request(leg, None if self._in_process else search_params(self._settings, exact=leg.exact)) for leg in legs]
        # An empty sparse vector finds nothing, and a server refuses it.
        asked = [at for at, leg in enumerate(legs) if not isinstance(leg.vector, SparseVector) or len(leg.vector.indices)]
        answers: list[list[Scored]] = [[] for _ in legs]
        with translated("query", collection):
            requests = [every[at] for at in asked]
            replies = (
                self._client.query_batch_points(self._name(collection), requests, consistency=self._consistency)
                if requests
                else []
            )
        for at, reply in zip(asked, replies, strict=True):
            answers[at] = [Scored(str(point.id), point.score) for point in reply.points]
        return answers

    def hybrid(
        self, collection: str, legs: Sequence[Leg], *, limit: int, beside: tuple[str, str], fields: Sequence[str] | None = None
    ) -> tuple[list[Fused], Record | None]:
        """The best `limit` of the legs' hits, fused here; see `Store`. Three requests."""
        check_limit(limit)
        found: list[tuple[LegName, list[Scored]]] = [
            (leg.using, hits) for leg, hits in zip(legs, self.query(collection, legs), strict=True)
        ]
        ranked: dict[LegName, list[tuple[str, float]]] = {using: [(hit.id, hit.score) for hit in hits] for using, hits in found}
        best = fuse(ranked.get("sparse", []), ranked.get("dense", []), limit)
        records = {record.id: record for record in self._retrieve(collection, [key for key, _ in best], fields=fields)}
        fused = {key: Fused(records[key], score, {}) for key, score in best if key in records}
        for using, hits in found:
            for rank, hit in enumerate(hits, 1):
                if hit.id in fused:
                    fused[hit.id].places[using] = (rank, hit.score)
        return list(fused.values()), next(iter(self.retrieve(beside[0], [beside[1]])), None)

    def points(self, collection: str, *, limit: int = 500, after: str | None = None) -> tuple[list[Point], str | None]:
        """A page of whole points in id order, from the cursor `after`, and the next cursor (None at the end)."""
        check_limit(limit)
        with translated("points", collection):
            records, following = self._client.scroll(
                self._name(collection), limit=limit, offset=after, with_vectors=True, consistency=self._consistency
            )
        return [to_point(record) for record in records], None if following is None else str(following)

    def read_points(self, collection: str, ids: Sequence[str]) -> list[Point]:
        """The whole points that exist among `ids`, in the order of `ids`."""
        wanted = [str(id_) for id_ in parse_ids(ids)]
        found: dict[str, Point] = {}
        with translated("read_points", collection):
            for start in range(0, len(wanted), _BATCH_IDS):
                batch = wanted[start : start + _BATCH_IDS]
                records = self._client.retrieve(self._name(collection), batch, with_vectors=True, consistency=self._consistency)
                found |= {str(record.id): to_point(record) for record in records}
        return [found[id_] for id_ in wanted if id_ in found]

    def index_state(self, collection: str) -> IndexState:
        """How the collection's vectors are indexed and held, and whether the server is changing that."""
        with translated("index_state", collection):
            info = self._client.get_collection(self._name(collection))
        if self._in_process:
            return IndexState(Layout(), info.points_count or 0, 0, "ready")
        return state_of(info, self._tuning)

    def optimize(self, collection: str) -> IndexState:
        """Bring the collection's configuration to the store's settings; the server follows in the background."""
        name = self._name(collection)
        with translated("optimize", collection):
            info = self._client.get_collection(name)
            layout = target(self._tuning, info.points_count or 0)
            waits = info.status == models.CollectionStatus.GREY  # for an update, to go on with what a restart broke off
            if (waits or layout_of(info) != layout) and not self._in_process:
                self._client.update_collection(name, **changes(_schema_of(info), layout, self._settings))
        return self.index_state(collection)

    def compact(self, collection: str) -> bool:
        """See `Store`: a server does so by itself."""
        check_name(collection)
        return False

    def close(self) -> None:
        """Let go of connections; calling it twice is fine. A client that was given stays open."""
        made, self._made = self._made, None
        if made is not None and self._owner == os.getpid():
            made.close()

    @property
    def _client(self) -> QdrantClient:
        if self._given is not None:
            return self._given
        if self._made is None or self._owner != os.getpid():
            self._made, self._owner = _connect(self._url, self._settings), os.getpid()
        return self._made

    @property
    def _in_process(self) -> bool:
        return self._client.init_options.get("location") == ":memory:"

    def _name(self, collection: str) -> str:
        return self._prefix + check_name(collection)

    def _check_schema(self, collection: str, schema: Schema) -> None:
        there = _schema_of(self._client.get_collection(self._name(collection)))
        have = (there.dense_dim, there.sparse)
        if have != (schema.dense_dim, schema.sparse):
            wanted = f"asked: dense {schema.dense_dim}, sparse {schema.sparse}"
            message = f"the collection {collection!r} exists with other vectors (dense {have[0]}, sparse {have[1]}; {wanted})"
            raise InputError(message, hint="drop the collection or choose another name")

    def _missing_indexes(self, name: str, schema: Schema) -> dict[str, str]:
        if self._in_process:
            return {}  # it has none, and warns
        have = self._client.get_collection(name).payload_schema
        return {key: kind for key, kind in schema.indexes.items() if key not in have}

    def _update_batch(self, collection: str, ids: list[str], rows: Floats) -> None:
        for _ in range(3):  # a point may be deleted between the two requests
            with translated("update_dense", collection):
                records = self._client.retrieve(self._name(collection), ids, with_payload=False)
                known = {str(record.id) for record in records}
                points = [
                    models.PointVectors(id=id_, vector={"dense": row.tolist()})
                    for id_, row in zip(ids, np.asarray(rows), strict=True)
                    if id_ in known
                ]
            try:
                with translated("update_dense", collection):
                    if points:
                        self._client.update_vectors(self._name(collection), points, wait=True)
                return
            except NotFoundError:
                continue


def _schema_of(info: models.CollectionInfo) -> Schema:
    params = info.config.params
    vectors: Any = params.vectors if isinstance(params.vectors, dict) else {}
    return Schema(vectors["dense"].size if "dense" in vectors else None, "sparse" in (params.sparse_vectors or {}))


def _connect(url: str, settings: StoreSettings) -> QdrantClient:
    key = settings.api_key.get_secret_value() if settings.api_key else None
    with translated("connect"), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        client = QdrantClient(
            url=url,
            api_key=key,
            prefer_grpc=settings.prefer_grpc,
            grpc_port=GRPC_PORT,
            timeout=math.ceil(settings.timeout_s),
            check_compatibility=False,  # it asks the server at once, from a thread; the first request tells as much
        )
    for warning in told:  # for one, a key that travels over plain HTTP
        logger.warning("qdrant client warns: %s", warning.message)
    return client
