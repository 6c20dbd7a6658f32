"""What a data folder holds, to be listed and looked at: collections, documents and their passages, recordings, conversations.

The base of the SDK: `Reading` (reading.py) adds what is asked of the documents, `Phidex` (sdk.py) what writes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from phidex.errors import InputError, NotFoundError
from phidex.library import Library
from phidex.settings import Settings, load_settings

if TYPE_CHECKING:
    from phidex.generation.conversations import ConversationStore
    from phidex.generation.endpoints.brought import NamedChat
    from phidex.ingest.records import Chunk, Source
    from phidex.retrieval.catalogue import SourceEntry
    from phidex.retrieval.embed import Embedder
    from phidex.retrieval.rerank import Reranker

PathLike = str | Path


class Holdings:
    """What is there. Thread-safe; several processes may open the same folder."""

    def __init__(
        self,
        data: PathLike | None = None,
        settings: Settings | None = None,
        *,
        embedder: Embedder | None = None,
        reranker: Reranker | None = None,
        chat: NamedChat | None = None,
    ) -> None:
        settings = settings or load_settings()
        if chat is not None:
            from phidex.generation.endpoints.brought import with_chat

            settings = with_chat(settings, chat)
        self.settings = settings if data is None else settings.model_copy(update={"data": Path(data)})
        self._library = Library(self.settings, embedder, reranker, chat)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(data={str(self.settings.data)!r})"

    def close(self) -> None:
        """Let go of connections. The engine's process leaves by itself when nobody uses it."""
        self._library.close()

    @property
    def conversations(self) -> ConversationStore:
        """The saved conversations of the data folder: to `list`, `load`, `save`, `rename`, `delete`, `export`."""
        from phidex.generation.conversations import FOLDER, ConversationStore

        return ConversationStore(self.settings.data / FOLDER)

    def sources(self, collection: str = "default") -> list[SourceEntry]:
        """The collection's sources with their state, sorted by name."""
        return self._library.collection(collection).entries()

    def sources_page(
        self, collection: str = "default", *, limit: int = 100, cursor: str | None = None
    ) -> tuple[list[SourceEntry], str | None]:
        """Some of the sources, in the order of their ids, and the cursor that the next ones are asked with; None at the end.

        Raises:
            InputError: the cursor is none.
        """
        return self._library.collection(collection).entries_page(limit, cursor)

    def source(self, source_id: str, collection: str = "default") -> SourceEntry:
        """The source of this id.

        Raises:
            NotFoundError: there is none.
        """
        for entry in self._library.collection(collection).entries_of([source_id]):
            return entry
        raise NotFoundError(f"there is no source {source_id} in {collection!r}", hint="`phidex sources` lists them")

    def open_original(self, source_id: str, collection: str = "default") -> BinaryIO:
        """The document itself, as a file to be read in parts; it is for the caller to close.

        Raises:
            NotFoundError: there is no such source, or its file is gone.
            InputError: its file is not the one that was ingested: it has another size; it cannot be read; or it lies in a
                repository or archive.
        """
        source = self.source(source_id, collection).source
        if source.blob:
            return self._library.blobs(collection).open(source.blob)
        path = source.local_path()
        try:
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NotFoundError(f"{source.name} is gone", hint="put it back, or remove it from the collection") from exc
        except OSError as exc:
            raise InputError(f"{source.name} cannot be read: {exc.strerror}", hint="check its permissions") from exc
        if os.fstat(file.fileno()).st_size != source.size_bytes:
            file.close()
            raise InputError(f"{source.name} has changed since it was ingested", hint="ingest it again")
        return file

    def find_sources(self, *names: str, collection: str = "default") -> list[str]:
        """Ids of the sources given by id, uri, path or file name.

        Raises:
            NotFoundError: a name fits no source.
        """
        from phidex.inventory import fitting

        return list(fitting(names, [entry.source for entry in self.sources(collection)], collection))

    def passages(self, source_id: str, collection: str = "default") -> list[Chunk]:
        """All passages of one source, in document order; none where there is no such source."""
        from phidex.retrieval.versions import of_sources

        found = self._library.collection(collection).chunks_where([of_sources([source_id]).must])
        return sorted(found, key=lambda chunk: chunk.order)

    def speakers(self, source: str, collection: str = "default") -> list[str]:
        """Who speaks in a recording, by id, uri, path or file name, in order of their first words.

        Raises:
            NotFoundError, InputError: the name fits no source, or several.
        """
        from phidex.ingest.video.speakers import speakers_of

        return speakers_of(self._recording(source, collection)[0].metadata)

    def subtitles(self, source: str, collection: str = "default") -> str:
        """What is said in a recording as WebVTT, with the names as they were corrected.

        Raises:
            NotFoundError, InputError: the name fits no source, or several; nothing is said in it, as far as it is known.
        """
        from phidex.ingest.video.export import write_subtitles

        return write_subtitles(self._recording(source, collection)[1])

    def chapters(self, source: str, collection: str = "default") -> str:
        """A recording's chapters as WebVTT: its slides by their titles; without slides, its segments.

        Raises:
            NotFoundError, InputError: see `subtitles`.
        """
        from phidex.ingest.video.export import write_chapters

        recording, chunks = self._recording(source, collection)
        return write_chapters(chunks, float(recording.metadata.get("duration_s", 0.0)))

    def contact_sheet(self, source: str, collection: str = "default") -> bytes:
        """What a recording shows, on one picture with the times (JPEG).

        Raises:
            NotFoundError, InputError: see `subtitles`; it shows nothing.
        """
        from phidex.ingest.video.export import stored_keyframes
        from phidex.ingest.video.sheet import contact_sheet

        recording, chunks = self._recording(source, collection)
        keyframes = stored_keyframes(chunks, self._library.blobs(collection).get)
        return contact_sheet(keyframes, title=recording.title or recording.name).data

    def _recording(self, source: str, collection: str) -> tuple[Source, list[Chunk]]:
        from phidex.inventory import only_source

        target = self._library.collection(collection)
        found = only_source(source, target)
        if found.kind not in ("video", "audio"):
            raise InputError(f"{found.name} is no recording", hint="`phidex sources` lists them with their kinds")
        return found, target.source_chunks(found.id)

    def languages(self, collection: str = "default") -> dict[str, int]:
        """How many passages are in each language (ISO 639-1), most frequent first."""
        return self._library.collection(collection).languages()

    def collections(self) -> list[str]:
        """Names of the collections, sorted."""
        return self._library.names()

    def status(self) -> dict[str, Any]:
        """Collections with their sources, chunks, languages and what is pending; the store; the models.

        Of a collection that cannot be opened as it is, only the `fault` is there, with its cure.
        """
        from phidex.inventory import overview

        return overview(self._library)

    def overview(self, collection: str = "default") -> dict[str, Any]:
        """What `status` says of one collection.

        Raises:
            NotFoundError: there is no such collection.
            ConfigError: it cannot be opened as it is.
        """
        from phidex.inventory import summary

        return summary(self._library.collection(collection))

    def blob(self, identity: str, collection: str = "default") -> bytes:
        """The bytes of a picture (`Chunk.image`) or of an original that lies nowhere else (`Source.blob`).

        Raises:
            NotFoundError: there is no such blob.
        """
        return self._library.blobs(collection).get(identity)
