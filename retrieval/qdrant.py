"""Our records in qdrant-client's models, and its errors as ours, in one place. Used by `retrieval/server.py` alone."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from typing import Any

import grpc  # pyright: ignore[reportMissingTypeStubs]  # it has none
import numpy as np
from pydantic import ValidationError
from qdrant_client import models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from phidex.errors import ConfigError, InputError, NotFoundError, PhidexError, ServiceError
from phidex.retrieval.checks import check_dense, check_limit, check_sparse, encode_payloads, parse_ids, sparse_of
from phidex.retrieval.store import Condition, HasId, HasVector, Leg, Match, Point, Range, Record, SparseVector, Where

_KEY_HINT = "set PHIDEX_STORE__API_KEY to a key that the server accepts"
_URL_HINT = "is the server up, and PHIDEX_STORE__URL right?"
_GRPC_STATUS = {
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.INTERNAL: 500,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}


@contextmanager
def translated(operation: str, collection: str = "") -> Generator[None, None, None]:
    """Raise our errors for what qdrant-client raises inside."""
    try:
        yield
    except PhidexError:
        raise
    except UnexpectedResponse as exc:
        text = exc.content.decode("utf-8", "replace")[:300]
        raise _of_status(exc.status_code or 0, f"{operation}: {text}", collection) from exc
    except ResourceExhaustedResponse as exc:
        raise _of_status(429, f"{operation}: {exc}", collection) from exc
    except ResponseHandlingException as exc:
        if isinstance(exc.source, ValidationError):
            raise _garbled(operation) from exc
        message = f"the Qdrant server cannot be reached ({operation}): {exc.source or type(exc.source).__name__}"
        raise ServiceError(message, hint=_URL_HINT, retryable=True) from exc
    except grpc.RpcError as exc:
        code: Any = exc.code() if isinstance(exc, grpc.Call) else None
        details: Any = exc.details() if isinstance(exc, grpc.Call) else exc
        raise _of_status(_GRPC_STATUS.get(code, 0), f"{operation}: {details}", collection) from exc
    except (UnicodeDecodeError, JSONDecodeError, ValidationError) as exc:
        raise _garbled(operation) from exc
    except (ValueError, TypeError, OverflowError, AssertionError, KeyError) as exc:  # most of the in-process mode
        if str(exc).endswith(("returned None", "returned None result")):  # what the client says to JSON without a result
            raise _garbled(operation) from exc
        status = 404 if str(exc).startswith("Collection") and "not found" in str(exc) else 400
        raise _of_status(status, f"{operation}: {exc}", collection) from exc


def _of_status(status: int, message: str, collection: str) -> PhidexError:
    if status in (401, 403):
        return ConfigError(f"the Qdrant server refuses the key ({status})", hint=_KEY_HINT)
    if status == 404 and collection:
        return NotFoundError(f"there is no collection {collection!r}", hint="ingest something, or check the name")
    if status in (400, 409, 413, 422):
        return InputError(message)
    return ServiceError(f"Qdrant server: {message}", hint=_URL_HINT, retryable=status in (408, 429) or status >= 500)


def _garbled(operation: str) -> ServiceError:
    return ServiceError(f"{operation}: what answers is no Qdrant server", hint=_URL_HINT)


def to_points(points: Sequence[Point]) -> list[models.PointStruct]:
    """The points, checked. Raises: InputError."""
    dense = [point.dense for point in points if point.dense is not None]
    if dense:
        check_dense(dense)
    sparse = [sparse_of(point) for point in points]
    check_sparse([vector for vector in sparse if vector is not None])
    encode_payloads([point.payload for point in points])  # refuses what JSON cannot say, before the client guesses
    ids = parse_ids([point.id for point in points])
    return [
        models.PointStruct(id=str(id_), payload=point.payload, vector=_vectors(point, vector))
        for id_, point, vector in zip(ids, points, sparse, strict=True)
    ]


def _vectors(point: Point, sparse: SparseVector | None) -> dict[str, Any]:
    vectors: dict[str, Any] = {}
    if point.dense is not None:
        vectors["dense"] = np.asarray(point.dense, np.float32).tolist()
    if sparse is not None:
        vectors["sparse"] = models.SparseVector(indices=sparse.indices.tolist(), values=sparse.values.tolist())
    return vectors


def to_amendment(identity: str, payload: dict[str, Any]) -> models.SetPayloadOperation:
    """The merging of a payload into that of one point; by filter, since an id that is unknown is no error then."""
    only = to_filter(Where(must=(HasId((identity,)),)))
    return models.SetPayloadOperation(set_payload=models.SetPayload(payload=payload, filter=only))


def to_record(record: models.Record) -> Record:
    """The record, its dense vector as float32 where the answer has one."""
    vectors: Any = record.vector if isinstance(record.vector, dict) else {}
    dense = vectors.get("dense")
    return Record(str(record.id), record.payload or {}, None if dense is None else np.asarray(dense, np.float32))


def to_point(record: models.Record) -> Point:
    """The whole point."""
    vectors: Any = record.vector if isinstance(record.vector, dict) else {}
    dense, terms = vectors.get("dense"), vectors.get("sparse")
    sparse = SparseVector(np.asarray(terms.indices, np.uint32), np.asarray(terms.values, np.float32)) if terms else None
    return Point(str(record.id), record.payload or {}, None if dense is None else np.asarray(dense, np.float32), sparse)


def to_request(leg: Leg, near: models.SearchParams | None) -> models.QueryRequest:
    """The leg as a query without payload, a dense one searched as `near` says; checked. Raises: InputError."""
    check_limit(leg.limit)
    if isinstance(leg.vector, SparseVector):
        check_sparse([leg.vector])
        params = None
        query: Any = models.SparseVector(indices=leg.vector.indices.tolist(), values=leg.vector.values.tolist())
    else:
        params, query = near, check_dense([leg.vector])[0].tolist()
    return models.QueryRequest(
        query=query,
        using=leg.using,
        limit=leg.limit,
        filter=to_filter(leg.where),
        params=params,
        with_payload=False,
        with_vector=False,
    )


def to_filter(where: Where) -> models.Filter:
    """The filter; an empty one matches every point."""
    return models.Filter(must=[_condition(c) for c in where.must], must_not=[_condition(c) for c in where.must_not])


def _condition(condition: Condition) -> Any:
    match condition:
        case Match(key, values):
            return _match(key, values)
        case Range(key, gte, lte):
            return models.FieldCondition(key=key, range=models.Range(gte=gte, lte=lte))
        case HasVector(name):
            return models.HasVectorCondition(has_vector=name)
        case HasId(ids):
            return models.HasIdCondition(has_id=[str(id_) for id_ in parse_ids(ids)])


def _match(key: str, values: tuple[str | int | bool, ...]) -> Any:
    texts = [value for value in values if isinstance(value, str)]
    flags = [value for value in values if isinstance(value, bool)]
    numbers = [value for value in values if not isinstance(value, (str, bool))]
    options: list[Any] = [models.FieldCondition(key=key, match=models.MatchValue(value=flag)) for flag in flags]
    options += [models.FieldCondition(key=key, match=models.MatchAny(any=same)) for same in (texts, numbers) if same]
    if len(options) == 1:
        return options[0]
    return models.Filter(should=options) if options else models.HasIdCondition(has_id=[])  # of no value: no point
