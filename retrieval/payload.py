"""Records <-> flat payloads of points: the one place that knows the names of payload fields, and the text that is searched."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from phidex.ingest.records import Chunk, Cue, Source, locator_from_dict
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.fields import field_vector
from phidex.retrieval.store import Payload, SparseVector

SCHEMA_VERSION = 2
"""Changes whenever the fields of payloads do; `phidex reindex` brings a collection up to it (`retrieval/reindex.py`)."""

KEYWORDS = (
    "source_id",
    "kind",
    "language",
    "modality",
    "tags",
    "path",
    "symbol",
    "content",
    "wants_dense",
    "born",
    "dies",
)
"""The indexed fields of chunks; `page` is one too, as a number."""

CHUNK_FIELDS = (
    *("source_id", "locator", "text", "modality", "language", "order", "heading", "tokens", "links", "symbol", "image", "cues"),
)
"""What `chunk_of` reads."""


def chunk_payload(chunk: Chunk, source: Source, *, version: str, embedder: EmbedderIdentity | None) -> Payload:
    """The payload of a chunk's point; `version` is the source's version that it is born of."""
    locator = chunk.locator.to_dict()
    payload: Payload = {
        "source_id": source.id,
        "kind": source.kind,
        "language": chunk.language,
        "modality": chunk.modality,
        "page": locator.get("page_number", 0),
        "tags": list(source.tags),
        "order": chunk.order,
        "heading": list(chunk.heading),
        "text": chunk.text,
        "tokens": chunk.token_count,
        "locator": locator,
        "links": list(chunk.links),
        "content": content_key(chunk),
        "wants_dense": wants_dense(chunk, embedder),
        "born": version,
        "dies": "",
    }
    cues = [cue.to_list() for cue in chunk.cues]
    rare = {"path": locator.get("path", ""), "symbol": chunk.symbol, "image": chunk.image, "cues": cues}
    return payload | {key: value for key, value in rare.items() if value}  # what is not there costs no place in an index


def wants_dense(chunk: Chunk, embedder: EmbedderIdentity | None) -> str:
    """Whether the chunk is to have a dense vector, as its payload says it."""
    return "yes" if embedder is not None and embedder.knows(chunk.language) else "no"


def searchable_text(text: str, heading: Sequence[str], symbol: str = "") -> str:
    """What is embedded: the section titles and the symbol above the passage that it does not itself show, then the passage.

    Nothing of where it stands: text that is moved or renamed keeps its vector.
    """
    above = [title for title in heading if title not in text[: len(title) + 200]]
    if symbol and symbol not in above and symbol not in text[: len(symbol) + 200]:
        above.append(symbol)
    return f"{' > '.join(above)}\n{text}" if above else text


def analyse(chunk: Chunk) -> SparseVector:
    """The lexical vector of a chunk. Works in any process."""
    return field_vector(chunk, searchable_text(chunk.text, chunk.heading, chunk.symbol))


def content_key(chunk: Chunk) -> str:
    """Names the text that is embedded: equal text has an equal vector."""
    return hashlib.sha256(searchable_text(chunk.text, chunk.heading, chunk.symbol).encode()).hexdigest()[:24]


def chunk_of(identity: str, payload: Payload) -> Chunk:
    """The chunk that a point holds."""
    return Chunk(
        id=identity,
        source_id=payload["source_id"],
        locator=locator_from_dict(payload["locator"]),
        text=payload["text"],
        modality=payload["modality"],
        language=payload["language"],
        order=payload["order"],
        heading=tuple(payload["heading"]),
        token_count=payload["tokens"],
        links=tuple(payload["links"]),
        symbol=payload.get("symbol", ""),
        image=payload.get("image", ""),
        cues=tuple(Cue(*values) for values in payload.get("cues") or ()),
    )


def source_payload(source: Source) -> Payload:
    """The payload that `source_of` reads back."""
    payload = source.to_dict()
    del payload["name"]
    return payload


def source_of(payload: Payload) -> Source:
    """The source that a catalogue record describes."""
    fields = ("id", "uri", "kind", "title", "sha256", "language", "mime", "page_count", "size_bytes", "metadata", "blob")
    return Source(**{name: payload[name] for name in fields}, tags=tuple(payload["tags"]), also=tuple(payload["also"]))
