"""Records <-> flat payloads of points: the one place that knows the names of payload fields."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from phidex.ingest.records import Chunk, Source, locator_from_dict
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.store import Payload


def chunk_payload(chunk: Chunk, source: Source, *, version: str, content: str, embedder: EmbedderIdentity | None) -> Payload:
    """The payload of a chunk's point; `version` is the source's version that it is born of."""
    locator = chunk.locator.to_dict()
    return {
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
        "content": content,
        "wants_dense": "yes" if embedder is not None and embedder.knows(chunk.language) else "no",
        "born": version,
        "dies": "",
    }


def searchable_text(text: str, heading: Sequence[str]) -> str:
    """What is analysed and embedded: the section titles above the passage that it does not itself show, then the passage."""
    above = [title for title in heading if title not in text[: len(title) + 200]]
    return f"{' > '.join(above)}\n{text}" if above else text


def source_of(payload: Payload) -> Source:
    """The source that a catalogue record describes."""
    fields = ("id", "uri", "kind", "title", "sha256", "language", "mime", "page_count", "size_bytes", "metadata")
    return Source(**{name: payload[name] for name in fields}, tags=tuple(payload["tags"]))


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
    )


def source_payload(source: Source) -> Payload:
    """The payload that `source_of` reads back."""
    payload = source.to_dict()
    del payload["name"]
    return payload


def content_key(chunk: Chunk) -> str:
    """Names the text that is embedded: equal text has an equal vector."""
    return hashlib.sha256(searchable_text(chunk.text, chunk.heading).encode()).hexdigest()[:24]
