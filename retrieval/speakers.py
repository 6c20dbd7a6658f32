"""Corrects who speaks in a stored recording: its passages are written anew under the right names, in one step.

Points are never changed: the passages in which a name stands become a new version of the source, as an edited document does, so
that words, vectors, citations and exports agree at every moment. Nothing of the recording is read or recognised again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from phidex.errors import InputError, NotFoundError
from phidex.ingest.records import Chunk, Cue, Source
from phidex.ingest.video.segments import segment_id
from phidex.ingest.video.speakers import renamed_metadata, speakers_of
from phidex.retrieval.collection import Collection


def rename_speakers(collection: Collection, source: Source, names: Mapping[str, str]) -> list[str]:
    """Call speakers otherwise; returns all names of the recording as they are now.

    Args:
        names: the right name by the one that is there.

    Raises:
        NotFoundError: the source was removed meanwhile.
        InputError: the source is no recording, nobody in it is called so, or a new name is none.
    """
    if source.kind not in ("video", "audio"):
        raise InputError(f"{source.name} is no recording", hint="name one: `phidex sources` lists them with their kinds")
    metadata = renamed_metadata(source.metadata, {name: " ".join(fresh.split()) for name, fresh in names.items()})
    fresh = {name: " ".join(given.split()) for name, given in names.items()}
    known = collection.known().get(source.id)
    if known is None:
        raise NotFoundError(f"{source.name} is no source of {collection.name} any more", hint="ingest it again")
    if not (digest := known.digest):
        raise InputError(f"{source.name} is being ingested", hint="try again when that is done")
    if metadata != source.metadata:
        chunks = _renamed(collection.source_chunks(source.id), fresh)
        collection.replace(replace(source, metadata=metadata), digest, chunks)
    return speakers_of(metadata)


def _renamed(chunks: Sequence[Chunk], names: Mapping[str, str]) -> list[Chunk]:
    """The passages with other names, and with links to each other as they are then."""
    seen: dict[str, int] = {}
    ids: dict[str, str] = {}
    made: list[Chunk] = []
    for chunk in chunks:
        fresh = _spoken(chunk, names) if chunk.cues else chunk
        identity = segment_id(chunk.source_id, fresh.modality, fresh.locator, fresh.text, fresh.cues, seen)
        ids[chunk.id] = identity
        made.append(replace(fresh, id=identity))
    return [replace(chunk, links=tuple(ids.get(link, link) for link in chunk.links)) for chunk in made]


def _spoken(chunk: Chunk, names: Mapping[str, str]) -> Chunk:
    """The passage with the names before its turns, and in its cues, replaced."""
    text, at = "", 0
    cues: list[Cue] = []
    for cue in chunk.cues:
        before, name = chunk.text[at : cue.start], names.get(cue.speaker, cue.speaker)
        if name != cue.speaker and before.endswith(f"{cue.speaker}: "):
            before = f"{before[: -len(cue.speaker) - 2]}{name}: "
        text += before
        start = len(text)
        text += chunk.text[cue.start : cue.end]
        cues.append(replace(cue, start=start, end=len(text), speaker=name))
        at = cue.end
    return replace(chunk, text=text + chunk.text[at:], cues=tuple(cues))
