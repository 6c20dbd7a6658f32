"""Small documents with words to find them by, what an undisturbed ingest makes of them, and the command line on them.

A document's `word` stands on each of its pages, a page's `marker` on that page alone. Each page becomes one chunk.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from qdrant_client import QdrantClient

from phidex.ingest.records import Chunk, Source
from phidex.ingest.run.pipeline import ingest_files
from phidex.ingest.run.prepare import Task, prepare
from phidex.ingest.run.sink import Content, Details, Difference, Known, Piece, Sink
from phidex.ingest.run.workers import Event
from phidex.retrieval.collection import Collection
from phidex.retrieval.engines import open_store
from phidex.retrieval.server import ServerStore
from phidex.retrieval.store import Store
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, IngestSettings, Settings, StoreSettings
from tests.retrieval.engines import end_engine

pymupdf: Any = _pymupdf  # its own types are incomplete

_SUBJECTS = ["pump", "valve", "boiler", "bridge", "meadow", "harbour", "ladder", "window", "orchard", "engine", "gallery"]
_PLACES = ["station", "river", "village", "laboratory", "library", "workshop", "museum", "factory", "hospital", "valley"]
_VERBS = ["inspected", "repaired", "painted", "measured", "closed", "opened", "moved", "cleaned", "described", "visited"]
_PEOPLE = ["engineers", "children", "teachers", "neighbours", "gardeners", "visitors", "students", "builders", "doctors"]
_TIMES = ["spring", "summer", "autumn", "winter", "March", "August", "October", "December"]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a PDF, or one section of a Markdown file."""

    marker: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds; its name's suffix says how it is written."""

    name: str
    word: str
    pages: tuple[Page, ...]

    def write(self, folder: Path) -> Path:
        """The file, written whole in one step."""
        folder.mkdir(parents=True, exist_ok=True)
        path, fresh = folder / self.name, folder / f".{self.name}.new"
        fresh.write_bytes(self.to_bytes())
        fresh.replace(path)
        return path

    @property
    def sha256(self) -> str:
        """Of its bytes."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The same bytes each time."""
        if self.name.endswith(".pdf"):
            return pdf_bytes([page.text for page in self.pages])
        return "".join(f"## Section {number}\n\n{page.text}\n\n" for number, page in enumerate(self.pages, 1)).encode()


class Author:
    """Writes documents with words that occur nowhere else; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._used: set[str] = set()

    def word(self) -> str:
        """A word never given before, of ten letters."""
        while True:
            word = "".join(self._random.choice("bdfgklmnprstvz") + self._random.choice("aeiou") for _ in range(5))
            if word not in self._used:
                self._used.add(word)
                return word

    def page(self, word: str) -> Page:
        """A page of English sentences, with a marker of its own."""
        marker, pick = self.word(), self._random.choice
        sentences = [
            f"The {pick(_SUBJECTS)} of the {pick(_PLACES)} was {pick(_VERBS)} by the {pick(_PEOPLE)} in {pick(_TIMES)}."
            for _ in range(9)
        ]
        sentences.insert(3, f"In the {pick(_PLACES)} there was a {marker} behind the {word} of the {pick(_PEOPLE)}.")
        return Page(marker, " ".join(sentences))

    def document(self, name: str, page_count: int) -> Document:
        """A document of so many pages."""
        word = self.word()
        return Document(name, word, tuple(self.page(word) for _ in range(page_count)))

    def edited(self, document: Document) -> Document:
        """The first page as it was, the second rewritten, one page more at the end."""
        first, _, *rest = document.pages
        return replace(document, pages=(first, self.page(document.word), *rest, self.page(document.word)))


def pdf_bytes(texts: Sequence[str], *, html: bool = False) -> bytes:
    """A PDF with one text a page; `html` sets it by PyMuPDF's HTML, which brings fonts for every script."""
    with pymupdf.open() as document:
        for text in texts:
            page = document.new_page()
            if html:
                page.insert_htmlbox(pymupdf.Rect(60, 80, 540, 760), f"<p>{text}</p>")
            else:
                page.insert_textbox(pymupdf.Rect(60, 80, 540, 760), text, fontsize=11)
        return document.tobytes(no_new_id=True)


class Kept:
    """A sink in memory: what an undisturbed ingest gives, and what it is told."""

    analyse: Callable[[Chunk], Any] | None = None

    def __init__(self, name: str = "default") -> None:
        self.name = name
        self.chunks: dict[str, list[Chunk]] = {}
        self.sources: dict[str, Known] = {}

    def known(self) -> dict[str, Known]:
        """What was kept."""
        return dict(self.sources)

    def replace_many(self, contents: Sequence[Content]) -> list[int]:
        """Keep the chunks under the file's name."""
        counts: list[int] = []
        for content in contents:
            source, chunks = content.source, [chunk for chunk, _ in content.pieces]
            self.chunks[source.name] = chunks
            known = Known(content.digest, source.sha256, source.uri, source.also, source.tags, source.metadata)
            self.sources[source.id] = known
            counts.append(len(chunks))
        return counts

    def preview(self, source: Source, pieces: Iterable[Piece]) -> Difference:
        """By ids alone."""
        old = {chunk.id for chunk in self.chunks.get(source.name, [])}
        new = {chunk.id for chunk, _ in pieces}
        return Difference(len(new - old), 0, len(old - new))

    def set_aliases(self, source_id: str, uris: Sequence[str]) -> None:
        """Kept."""
        self.sources[source_id] = replace(self.sources[source_id], also=tuple(uris))

    def refresh(self, details: Sequence[Details]) -> None:
        """Kept."""
        for one in details:
            self.sources[one.source_id] = replace(self.sources[one.source_id], tags=one.tags, metadata=one.metadata)

    def remove(self, source_id: str) -> None:
        """Gone, with its chunks."""
        del self.sources[source_id]


def take_in(sink: Sink, *paths: Path, tags: Sequence[str] | None = None) -> None:
    """Ingest into a collection, or what stands in for one, without the rest of the SDK; the files are read in this process."""
    report = ingest_files(paths, sink, IngestSettings(), tags=tags, pool=Here())  # pyright: ignore[reportCallIssue]  # defaults
    assert not report.failed, report.failed


class Here:
    """A pool without workers."""

    replaced = 0

    def run(self, tasks: Iterator[Task | None]) -> Iterator[Event]:
        """Prepares each task as it comes."""
        for task in tasks:
            yield prepare(task) if task else None


def undisturbed(*paths: Path, collection: str = "default") -> dict[str, frozenset[str]]:
    """Ids of the chunks that an ingest must give, by file name."""
    sink = Kept(collection)
    take_in(sink, *paths)
    return {name: frozenset(chunk.id for chunk in chunks) for name, chunks in sink.chunks.items()}


def settings_for(data: Path, *, model: str = "none", **values: Any) -> Settings:
    """Settings of a test: no dense model unless it is asked for, and little free space is enough."""
    return Settings(
        data=data,
        cache=data.parent / "cache",
        embed=EmbedSettings(model=model),  # pyright: ignore[reportCallIssue]
        store=StoreSettings(min_free_mb=1),  # pyright: ignore[reportCallIssue]
        **values,
    )


def stored(phidex: Phidex, collection: str = "default") -> dict[str, frozenset[str]]:
    """Ids of the visible chunks of each source, by file name."""
    store = open_store(phidex.settings.data, phidex.settings.store)
    try:
        opened = Collection.open(store, collection)
        return {
            entry.source.name: frozenset(chunk.id for chunk in opened.source_chunks(entry.source.id))
            for entry in opened.entries()
        }
    finally:
        store.close()


def found_ids(phidex: Phidex, document: Document, collection: str = "default") -> frozenset[str]:
    """Ids of the document's chunks that a search for its word finds: all of one version, if all is well."""
    hits = phidex.search(document.word, collection, 100)
    return frozenset(hit.chunk.id for hit in hits if hit.source.name == document.name)


class Stepping:
    """A store that calls `before` with the name of each request; what it raises takes the request's place."""

    def __init__(self, store: Store, before: Callable[[str], None]) -> None:
        self._store, self._before = store, before

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        def request(*arguments: Any, **named: Any) -> Any:
            self._before(name)
            return method(*arguments, **named)

        return request


class CommandLine:
    """`python -m phidex` on a data folder of its own, as a person calls it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "data"

    def environment(self, **more: str) -> dict[str, str]:
        """This process's, without settings of whoever runs the tests."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith("PHIDEX_")}
        ours |= {"PHIDEX_DATA": str(self.data), "PHIDEX_EMBED__MODEL": "none", "PHIDEX_CACHE": str(self.home / "cache")}
        return {**ours, "PHIDEX_STORE__MIN_FREE_MB": "1", **more}

    def start(
        self, *arguments: str | bytes | Path, env: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """The running process."""
        return subprocess.Popen(
            [sys.executable, "-m", "phidex", *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            cwd=self.home,
            env=self.environment(**(env or {})),
        )

    def __call__(
        self, *arguments: str | bytes | Path, env: Mapping[str, str] | None = None, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run it to its end; the exit code must be `code`, and no traceback may be seen."""
        with self.start(*arguments, env=env) as process:
            output, errors = process.communicate(timeout=180)
        assert process.returncode == code, f"exit code {process.returncode} of {arguments}\n{output}\n{errors}"
        assert "Traceback" not in errors, errors
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def json(self, *arguments: str | bytes | Path, env: Mapping[str, str] | None = None, code: int = 0) -> Any:
        """What the command prints with `--json`."""
        return json.loads(self(*arguments, "--json", env=env, code=code).stdout)

    def sdk(self, **values: Any) -> Phidex:
        """The SDK on the same data folder."""
        return Phidex(settings=settings_for(self.data, **values))


@pytest.fixture
def phidex_cli(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line on a fresh data folder, whose engine is ended with the test."""
    line = CommandLine(tmp_path)
    yield line
    end_engine(line.data)


@pytest.fixture(params=["edge", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The embedded engine on a fresh data folder, and the client of a Qdrant server with its in-process stand-in."""
    if request.param == "server":
        opened = ServerStore(client=QdrantClient(":memory:"))
    else:
        opened = open_store(tmp_path / "data", settings_for(tmp_path / "data").store)
    yield opened
    opened.close()
    end_engine(tmp_path / "data")


@pytest.fixture
def phidex(tmp_path: Path) -> Iterator[Phidex]:
    """The SDK on a fresh data folder without a dense model, whose engine is ended with the test."""
    with Phidex(settings=settings_for(tmp_path / "data")) as opened:
        yield opened
    end_engine(tmp_path / "data")
