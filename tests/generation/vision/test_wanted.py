"""Which pictures a question's hits bring, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from phidex.generation.vision.wanted import wanted_pictures
from phidex.ingest.records import Chunk, LineLocator, PageLocator, Source, TimeLocator
from phidex.retrieval.hit import Hit

PDF = Source("d", "file:///d.pdf", "pdf", "Report", "0" * 64, "en", "application/pdf", 90)


def hit(order: int, locator: Any, source: Source = PDF, image: str = "") -> Hit:
    chunk = Chunk(f"{source.id}{order}", source.id, locator, "text", "text", "en", order, image=image)
    return Hit(chunk, source, 1.0, {})


def seen(*hits: Hit, pages: tuple[int, int] | None = None) -> list[tuple[str, str]]:
    return [(one.kind, one.key) for one in wanted_pictures(hits, pages=pages)]


def test_each_place_has_one_picture() -> None:
    video, photo = replace(PDF, id="v", kind="video"), replace(PDF, id="p", kind="image")
    found = seen(
        hit(0, PageLocator(3)),
        hit(1, PageLocator(3)),
        hit(2, PageLocator(4), image="d/figure.png"),
        hit(3, TimeLocator(12.0, 20.0, "v/frame.jpg"), video),
        hit(4, TimeLocator(21.0, 30.0), video),
        hit(5, PageLocator(1), photo),
        hit(6, LineLocator("a.py", 1, 2), replace(PDF, id="c", kind="code")),
        hit(7, PageLocator(2, unit="slide"), replace(PDF, id="s", kind="office")),
    )
    assert found == [("page", "d#page=3"), ("figure", "d/figure.png"), ("frame", "v/frame.jpg"), ("photo", "p#page=1")]


def test_pages_that_the_question_names_come_first_and_all_of_them() -> None:
    hits = [hit(number, PageLocator(number)) for number in range(1, 31)]
    assert [key for _, key in seen(*hits)] == [f"d#page={number}" for number in range(1, 9)]
    named = [key for _, key in seen(*hits, pages=(11, 22))]
    assert named == [f"d#page={number}" for number in [*range(11, 23), *range(1, 9)]]
