"""Texts that a program brings, through `Phidex.ingest_documents`: identity, increments, pages, and what fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.builders import settings_for

from phidex import AsyncPhidex, Filters, InputError, LineLocator, PageLocator, PartLocator, Phidex, TextDocument
from phidex.adapters.documents import documents_of
from phidex.ingest.run.given import Passage, TextPage

TICKET = TextDocument(
    "crm:ticket/17", "# Leak\n\nThe boiler leaks since Monday.", mime="text/markdown", metadata={"owner": "Ada"}
)


@dataclass
class Read:
    """A document as LangChain's loaders return it."""

    page_content: str
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    id: str | None = None


def outcomes(phidex: Phidex, documents: list[Any], collection: str, **options: Any) -> dict[str, str]:
    report = phidex.ingest_documents(documents, collection=collection, **options)
    return {file.path: file.outcome for file in report.files}


def test_an_unchanged_document_is_skipped_and_an_edited_one_replaced(notes: Phidex) -> None:
    assert outcomes(notes, [TICKET], "tickets") == {TICKET.uri: "added"}
    (before,) = notes.search("boiler", "tickets")
    assert (before.source.uri, before.source.title, before.source.metadata["owner"]) == (TICKET.uri, "Leak", "Ada")
    assert before.chunk.locator == LineLocator("17", 1, 3)
    assert outcomes(notes, [TICKET], "tickets") == {TICKET.uri: "unchanged"}
    told = TextDocument(TICKET.uri, TICKET.text, mime=TICKET.mime, metadata={"owner": "Grace"})
    assert outcomes(notes, [told], "tickets", tags=["open"]) == {TICKET.uri: "updated"}
    (amended,) = notes.search("boiler tag:open", "tickets")
    assert (amended.chunk.id, amended.source.metadata["owner"]) == (before.chunk.id, "Grace")
    edited = TextDocument(TICKET.uri, "# Leak\n\nThe boiler is tight again.", mime=TICKET.mime)
    assert outcomes(notes, [edited], "tickets") == {TICKET.uri: "replaced"}
    (after,) = notes.search("boiler", "tickets")
    assert (after.source.id, "tight again" in after.chunk.text, after.source.tags) == (before.source.id, True, ("open",))


def test_what_is_not_given_any_more_goes_with_sync_and_files_stay(notes: Phidex) -> None:
    other = TextDocument("crm:ticket/18", "The roof leaks.")
    outcomes(notes, [TICKET, other], "synced")
    notes.ingest(notes.settings.data.parent / "note.txt", collection="synced") if _written(notes) else None
    assert outcomes(notes, [other], "synced", sync=True, dry_run=True)[TICKET.uri] == "removed"
    assert len(notes.sources("synced")) == 3
    assert outcomes(notes, [other], "synced", sync=True) == {other.uri: "unchanged", TICKET.uri: "removed"}
    assert {entry.source.name for entry in notes.sources("synced")} == {"18", "note.txt"}
    report = notes.ingest_documents([], collection="synced", sync=True)
    assert (report.files, "no document was given" in report.notes[0]) == ([], True)


def _written(phidex: Phidex) -> int:
    return (phidex.settings.data.parent / "note.txt").write_text("A file of this machine.", "utf-8")


def test_a_file_that_says_it_was_given_stays_with_sync(notes: Phidex) -> None:
    path = notes.settings.data.parent / "claims.md"
    path.write_text("---\ndocument_id: 17\nauthor: Ada\n---\n\n# Claims\n\nThe cellar is damp.\n", "utf-8")
    notes.ingest(path, collection="claimed")
    outcomes(notes, [TICKET], "claimed")
    assert outcomes(notes, [TICKET], "claimed", sync=True) == {TICKET.uri: "unchanged"}
    (kept,) = [entry.source for entry in notes.sources("claimed") if entry.source.name == "claims.md"]
    assert (kept.metadata.get("author"), "document_id" in kept.metadata) == ("Ada", False)


def test_a_look_before_writes_nothing(notes: Phidex) -> None:
    report = notes.ingest_documents([TICKET], collection="looked", dry_run=True)
    assert report.dry_run
    assert report.files[0].difference is not None
    assert "looked" not in notes.collections()


def test_one_that_fails_spoils_nothing(notes: Phidex) -> None:
    both = TextDocument("crm:both", "a", pages=(TextPage("b", 1),))
    far = TextDocument("crm:far", pages=(TextPage("b", 0),))
    documents = [TextDocument("crm:empty", " \n"), TextDocument(" ", "x"), both, far, TICKET, TICKET]
    report = notes.ingest_documents(documents, collection="failing")
    reasons = [(file.outcome, file.reason) for file in report.files[:-1]]
    assert reasons == [
        ("failed", "it has no text"),
        ("failed", "it has no uri"),
        ("failed", "it has several of text, pages and passages"),
        ("failed", "0 is no page"),
        # TICKET was named twice: by `documents_of` it is one document
    ]
    assert report.files[-1].outcome == "added"
    with pytest.raises(InputError, match="a int is no document"):
        notes.ingest_documents([7], collection="failing")


def test_pages_are_cited_as_pages_with_what_is_printed_there(notes: Phidex) -> None:
    pages = (TextPage("Contents of the book.", 1, "iv"), TextPage("The melting point of tungsten is 3422 degrees.", 2, "1"))
    notes.ingest_documents([TextDocument("books:metals", pages=pages, title="Metals")], collection="paged")
    (hit, *_) = notes.search("melting point of tungsten", "paged")
    assert (hit.chunk.locator, hit.source.page_count) == (PageLocator(2, (), "1"), 2)
    assert [one.chunk.locator for one in notes.search("contents", "paged", filters=Filters(pages=(1, 1)))] == [
        PageLocator(1, (), "iv")
    ]
    assert notes.ask("What is the melting point of tungsten?", "paged").citations[0].locator == PageLocator(2, (), "1")


def test_passages_are_taken_as_they_are_and_keep_their_ids(notes: Phidex) -> None:
    first, second = Passage("Alpha stands first.", "a"), Passage("Beta comes after it.", "b", PageLocator(9))
    notes.ingest_documents([TextDocument("cut:1", passages=(first, second))], collection="cut")
    ids = {hit.chunk.text: hit.chunk.id for hit in notes.search("alpha beta", "cut")}
    assert {hit.chunk.text: hit.chunk.locator for hit in notes.search("alpha beta", "cut")} == {
        first.text: PartLocator("", 1, 1, "item"),
        second.text: PageLocator(9),
    }
    changed = TextDocument("cut:1", passages=(Passage("Gamma is new.", "c"), second))
    report = notes.ingest_documents([changed], collection="cut", dry_run=True)
    assert report.files[0].difference is not None
    notes.ingest_documents([changed], collection="cut")
    now = {hit.chunk.text: hit.chunk.id for hit in notes.search("beta gamma alpha", "cut")}
    assert set(now) == {"Gamma is new.", second.text}
    assert now[second.text] == ids[second.text]


def test_an_original_is_kept_for_its_program_and_goes_with_the_source(notes: Phidex) -> None:
    notes.ingest_documents([TextDocument("kept:1", "Some text.", original=b'{"a": 1}')], collection="kept")
    (entry,) = notes.sources("kept")
    assert notes.blob(entry.source.blob, "kept") == b'{"a": 1}'
    notes.ingest_documents([TextDocument("kept:1", "Other text.", original=b'{"a": 2}')], collection="kept")
    (replaced,) = notes.sources("kept")
    assert notes.blob(replaced.source.blob, "kept") == b'{"a": 2}'
    with pytest.raises(InputError):
        notes.blob(entry.source.blob, "kept")
    failed = TextDocument("kept:2", " ", original=b"nobody's")
    assert outcomes(notes, [failed], "kept") == {"kept:2": "failed"}
    folder = notes.settings.data.resolve() / "blobs" / "kept"
    assert all(path.read_bytes() != b"nobody's" for path in folder.rglob("*") if path.is_file())


def test_documents_of_readers_are_known_by_what_they_say() -> None:
    made = documents_of(
        [
            Read("One.", {"source": "/srv/a.pdf", "page": 0, "total_pages": 2}),
            Read("Two.", {"source": "/srv/a.pdf", "page": 1, "total_pages": 2}),
            Read("Web.", {"source": "https://example.com/a", "title": "A page"}),
            Read("By id.", {"n": 1, "empty": None}, id="row-7"),
            Read("By its text."),
            Read("iv", {"file_path": "/srv/b.pdf", "page_label": "iv"}),
            Read("1", {"file_path": "/srv/b.pdf", "page_label": "1"}),
            Read("# Title", {"file_path": "/srv/c.md", "last_modified_date": "2024-03-01"}),
            Read("Fitz.", {"file_path": "/srv/d.pdf", "source": "3", "total_pages": 4}),
        ]
    )
    assert [one.uri for one in made] == [
        "document:/srv/a.pdf",
        "https://example.com/a",
        "document:row-7",
        made[3].uri,
        "document:/srv/b.pdf",
        "document:/srv/c.md",
        "document:/srv/d.pdf",
    ]
    assert made[3].uri.startswith("document:text-")
    assert made[3].uri == documents_of([Read("By its text.")])[0].uri
    assert [page.number for page in made[0].pages] == [1, 2]
    assert made[1].title == "A page"
    assert (made[2].metadata, made[2].document_id) == ({"n": "1"}, "row-7")
    assert [(page.number, page.label) for page in made[4].pages] == [(1, "iv"), (2, "1")]
    assert (made[5].mime, made[5].metadata["modified"]) == ("text/markdown", "2024-03-01")
    assert [page.number for page in made[6].pages] == [3]


def test_the_async_sdk_takes_documents_too(notes: Phidex) -> None:
    async def main() -> int:
        async with AsyncPhidex(settings=settings_for(notes.settings.data)) as phidex:
            report = await phidex.ingest_documents([TICKET], collection="async")
            return report.count("added")

    assert asyncio.run(main()) == 1
