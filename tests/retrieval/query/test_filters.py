"""Filters as values, and looked up in a real catalogue."""

from __future__ import annotations

import uuid
from dataclasses import replace
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qdrant_client import QdrantClient
from tests.retrieval.shelf import chunks

from phidex.errors import InputError, NotFoundError
from phidex.ingest.records import Source
from phidex.retrieval.collection import Collection
from phidex.retrieval.filters import Filters
from phidex.retrieval.query.resolve import date_of, resolve_filters, sources_at
from phidex.retrieval.server import ServerStore
from phidex.retrieval.store import Match, Range, Where

TEXTS = st.lists(st.text(min_size=1, max_size=5), max_size=3).map(tuple)
PAGES = st.none() | st.tuples(st.integers(1, 50), st.integers(50, 99))
FLAT = st.builds(Filters, TEXTS, TEXTS, TEXTS, TEXTS, PAGES, TEXTS, TEXTS, TEXTS, TEXTS, st.sampled_from(("", "2024")))


@given(FLAT, FLAT)
def test_filters_survive_json(filters: Filters, without: Filters) -> None:
    whole = replace(filters, without=without if without else None)
    assert Filters.from_dict(whole.to_dict()) == whole
    assert bool(whole) == (whole != Filters())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"kindz": ["pdf"]}, "did you mean kinds"),
        ({"kinds": 3}, "a list of texts"),
        ({"kinds": [3]}, "a list of texts"),
        ({"pages": [1]}, "two numbers"),
        ({"pages": [True, 2]}, "two numbers"),
        ({"pages": [5, 2]}, "range of pages"),
        ({"pages": [1, 10**20]}, "range of pages"),
        ({"after": 2024}, "a text"),
        ({"without": ["x"]}, "an object"),
        ({"without": {"kinds": 3}}, "a list of texts"),
    ],
)
def test_wrong_json_is_named(data: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Filters.from_dict(data)


def test_one_text_stands_for_a_list() -> None:
    assert Filters.from_dict({"kinds": "pdf", "pages": "3-4"}) == Filters(kinds=("pdf",), pages=(3, 4))


def test_conditions() -> None:
    filters = Filters(kinds=("pdf",), pages=(1, 2), modalities=("table",), symbols=("A.b",), without=Filters(tags=("x",)))
    assert set(filters.conditions()) == {
        Match("kind", ("pdf",)),
        Match("modality", ("table",)),
        Match("symbol", ("A.b",)),
        Range("page", 1, 2),
    }
    assert filters.exclusions() == (Match("tags", ("x",)),)


@pytest.mark.parametrize(
    "filters", [Filters(names=("a",)), Filters(paths=("a",)), Filters(after="2024"), Filters(before="2024")]
)
def test_what_was_not_looked_up_is_no_condition(filters: Filters) -> None:
    with pytest.raises(InputError, match="not looked up"):
        filters.conditions()
    with pytest.raises(InputError, match="not looked up"):
        Filters(without=filters).exclusions()


def source(uri: str, title: str, **metadata: str) -> Source:
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, uri))
    return Source(identity, uri, "pdf", title, "0" * 64, "en", "x/y", 3, metadata=metadata)


REPORT = source("file:///docs/report-2023.pdf", "Annual Report 2023", date="2024-02-01")
OLD = source("file:///docs/old/report-2022.pdf", "Annual Report 2022", creation_date="D:20230115")
MAIN = source("https://git.example.com/r.git#src/app/main.py", "src/app/main.py", path="src/app/main.py")
MANUAL = source("file:///docs/Handbuch%20Pumpe.pdf", "Pumpenhandbuch", last_modified="Wed, 21 Oct 2015 07:28:00 GMT")
ALL = (REPORT, OLD, MAIN, MANUAL)


@pytest.fixture(scope="module")
def collection() -> Collection:
    made = Collection.create(ServerStore(client=QdrantClient(":memory:")), "x", lambda: None)
    for one in ALL:
        made.replace(one, "v", chunks(one, f"text of {one.title}"))
    return made


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(names=("Annual Report 2023",)), [REPORT]),
        (Filters(names=("annual report 2023",)), [REPORT]),
        (Filters(names=("annual report",)), [REPORT, OLD]),
        (Filters(names=("report-2022.pdf",)), [OLD]),
        (Filters(names=("report-2022",)), [OLD]),
        (Filters(names=("Anual Reprot 2022",)), [OLD]),
        (Filters(names=("main.py",)), [MAIN]),
        (Filters(names=("handbuch pumpe",)), [MANUAL]),
        (Filters(names=(MANUAL.id,)), [MANUAL]),
        (Filters(names=("file:///docs/report-2023.pdf",)), [REPORT]),
        (Filters(names=("main.py", "report-2022")), [MAIN, OLD]),
        (Filters(paths=("src/",)), [MAIN]),
        (Filters(paths=("app",)), [MAIN]),
        (Filters(paths=("./src/app/main.py",)), [MAIN]),
        (Filters(paths=("docs/old",)), [OLD]),
        (Filters(paths=("/docs/",)), [REPORT, OLD, MANUAL]),
        (Filters(paths=("*.py",)), [MAIN]),
        (Filters(paths=("docs/*.pdf",)), [REPORT, OLD, MANUAL]),
        (Filters(after="2024"), [REPORT]),
        (Filters(before="2024"), [OLD, MANUAL]),
        (Filters(after="2023-01-15", before="2023-01-16"), [OLD]),
        (Filters(after="2015-10-21", before="2015-10-22"), [MANUAL]),
        (Filters(after="2030"), []),
        (Filters(names=("annual report",), after="2024"), [REPORT]),
        (Filters(names=("annual report",), sources=(OLD.id,)), [OLD]),
        (Filters(names=("main.py",), after="2024"), []),
        (Filters(without=Filters(names=("annual report",))), [MAIN, MANUAL]),
        (Filters(paths=("docs",), without=Filters(paths=("docs/old",))), [REPORT, MANUAL]),
        (Filters(without=Filters(names=("report-2023.pdf",), paths=("src/",))), [OLD, MANUAL]),
        (Filters(without=Filters(sources=(MANUAL.id,), names=("main.py",), after="2024", before="2000")), [OLD]),
    ],
)
def test_what_the_catalogue_knows(collection: Collection, filters: Filters, found: list[Source]) -> None:
    resolved = resolve_filters(filters, collection)
    where = Where(resolved.conditions(), resolved.exclusions())
    records, _ = collection.store.scroll(collection.points, where)
    assert {record.payload["source_id"] for record in records} == {one.id for one in found}


def test_what_is_not_there_is_named_with_the_nearest(collection: Collection) -> None:
    with pytest.raises(NotFoundError, match=r"no source is called 'Quarterly report'.*annual report"):
        resolve_filters(Filters(names=("Quarterly report",)), collection)
    with pytest.raises(NotFoundError, match=r"no source lies under 'source/'.*src/app"):
        resolve_filters(Filters(paths=("source/",)), collection)
    with pytest.raises(InputError, match="no date"):
        resolve_filters(Filters(after="soon"), collection)
    empty = Collection.create(ServerStore(client=QdrantClient(":memory:")), "x", lambda: None)
    with pytest.raises(NotFoundError, match="ingest"):
        resolve_filters(Filters(names=("a",)), empty)


def test_places_that_a_question_names_are_read_once_and_none_is_an_error(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    scroll = Mock(wraps=collection.catalogue.scroll)
    monkeypatch.setattr(collection.catalogue, "scroll", scroll)
    paths = ("main.py", "requirements.txt", "docs")
    assert [set(found) for found in sources_at(paths, collection)] == [{MAIN.id}, {REPORT.id, OLD.id, MANUAL.id}]
    looks = scroll.call_count
    assert looks <= 1  # none where an earlier question had them read, and nothing has changed since
    assert sources_at((), collection) == []
    assert scroll.call_count == looks


def test_what_needs_no_catalogue_reads_none(collection: Collection) -> None:
    filters = Filters(kinds=("pdf",), without=Filters(tags=("x",)))
    assert resolve_filters(filters, collection) is filters


def test_a_mark_that_is_no_date_is_none() -> None:
    assert date_of(source("file:///a", "a", modified="true")) == ""
