"""What a question says of its answer, and what hits say twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from phidex.ingest.records import Chunk, LineLocator, Locator, PageLocator, Source, TimeLocator
from phidex.retrieval.arrange import arrange
from phidex.retrieval.diversify import collapse, diversify
from phidex.retrieval.hit import Hit, LegRank
from phidex.retrieval.query.understand import Query

PROSE = "The boiler needs water every second day, and somebody has to look at its pressure before the winter comes."


def hit(text: str, score: float, *, name: str = "a.pdf", language: str = "en", locator: Locator | None = None) -> Hit:
    source = Source(name, f"file:///{name}", "pdf", name, "0" * 64, language, "x/y")
    code = isinstance(locator, LineLocator)
    chunk = Chunk(f"{name}{text}", name, locator or PageLocator(1), text, "code" if code else "text", language, 0)
    return Hit(chunk, source, score, {"lexical": LegRank(1, 10 * score), "dense": LegRank(1, score)})


def order(hits: list[Hit], query: Query) -> list[str]:
    return [one.chunk.text for one in arrange(hits, query)]


def test_the_questions_own_language_is_preferred_and_no_wall() -> None:
    german = replace(hit("Der Kessel", 0.9, language="de"), score=0.9)
    english = hit("The boiler", 1.0)
    asked = Query("Kessel", "Kessel", language="de", language_score=0.9)
    first, second = arrange([english, german], asked)
    assert (first.chunk, second.chunk) == (german.chunk, english.chunk)
    assert first.boosts == {"language": pytest.approx(0.2)}
    assert second.boosts == {}
    assert order([english, replace(german, score=0.5)], asked) == ["The boiler", "Der Kessel"]
    unsure = replace(asked, language_score=0.4)
    assert order([english, german], unsure) == ["The boiler", "Der Kessel"]


def test_of_an_untranslated_passage_the_edition_in_the_questions_language_comes_first() -> None:
    text = "Konsole im Menü"
    mine, other = hit(text, 1.0, name="de.pdf", language="de"), hit(text, 1.0, name="fr.pdf", language="fr")
    other = replace(other, chunk=replace(other.chunk, language="de"))
    (kept,) = collapse(arrange([other, mine], Query(text, text, language="de", language_score=0.9)))
    assert kept.source.name == "de.pdf"
    assert [copy.source.name for copy in kept.also] == ["fr.pdf"]


def test_a_short_question_in_ideographs_may_be_chinese_or_japanese() -> None:
    chinese = hit("安装", 0.95, language="zh")
    asked = Query("安装", "安装", language="ja", language_score=0.9, scripts=("Hani",))
    assert order([hit("setup", 1.0), chinese], asked) == ["安装", "setup"]


def test_what_the_question_names_comes_first() -> None:
    plain = hit("def other(): ...", 1.0, name="y.py", locator=LineLocator("src/y.py", 1, 2), language="und")
    named = hit("def go(): ...", 0.3, name="x.py", locator=LineLocator("src/x.py", 1, 2), language="und")
    for query in (
        Query("go", "go", symbols=("go",)),
        Query("x.py", "x.py", files=("x.py",)),
        Query("?", "?", files=("/src/x.py",)),
    ):
        first, _ = arrange([plain, named], query)
        assert first.chunk == named.chunk
        assert first.boosts["name"] == pytest.approx(2.0)


def test_a_title_a_phrase_a_page_and_a_time() -> None:
    title = Query("The pager", "The pager")
    assert order([hit("About the pager.", 1.0), hit("1.4 The pager\n\nIt shows.", 0.2)], title)[0].startswith("1.4")
    phrase = Query('"cold  WATER"', "", phrases=("cold  WATER",))
    assert order([hit("water, cold", 1.0), hit("of cold\nwater", 0.2)], phrase)[0] == "of cold\nwater"
    page = Query("page 7", "page 7", pages=(7, 8))
    assert order([hit("one", 1.0), hit("seven", 0.6, locator=PageLocator(7))], page)[0] == "seven"
    time = Query("at 0:30", "at 0:30", times_s=(30.0, 30.0))
    assert order([hit("one", 1.0), hit("half", 0.6, locator=TimeLocator(20.0, 40.0))], time)[0] == "half"


@pytest.mark.parametrize(("asked", "title"), [("Straße", "1.4 Straße"), ("Configuration", "2 Con\ufb01guration")])
def test_a_title_is_found_however_it_is_written(asked: str, title: str) -> None:
    assert order([hit("Something else.", 1.0), hit(f"{title}\n\nIt shows.", 0.2)], Query(asked, asked))[0].startswith(title)


def test_copies_become_one_hit_that_names_the_others() -> None:
    copy = hit(PROSE.upper(), 0.99, name="b.pdf", locator=PageLocator(9))
    other = hit("Something else about pumps and their valves in the cellar of the house next door.", 0.98, name="c.pdf")
    kept = collapse([hit(PROSE, 1.0), copy, other])
    assert [one.source.name for one in kept] == ["a.pdf", "c.pdf"]
    (also,) = kept[0].also
    assert (also.source.name, also.locator) == ("b.pdf", PageLocator(9))
    assert kept[0].to_dict()["also"][0]["locator"]["page_number"] == 9


@pytest.mark.parametrize("text", [PROSE.replace("second", "third").replace("winter", "summer"), PROSE + " " + PROSE, "short"])
def test_texts_that_differ_stay_apart(text: str) -> None:
    assert len(collapse([hit(PROSE, 1.0), hit(text, 0.99, name="b.pdf")])) == 2


def test_the_same_text_twice_in_one_document_stays() -> None:
    assert len(collapse([hit(PROSE, 1.0), hit(PROSE, 0.99, locator=PageLocator(2))])) == 2


def test_diversity_trades_score_for_what_is_new() -> None:
    hits = [hit("boiler pressure water", 1.0), hit("boiler pressure water too", 0.9), hit("valves in the cellar", 0.5)]
    assert [one.score for one in diversify(hits, 3, 0.0)] == [1.0, 0.9, 0.5]
    assert [one.score for one in diversify(hits, 2, 0.6)] == [1.0, 0.5]
    assert diversify([], 3, 0.5) == []
