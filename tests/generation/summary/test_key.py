"""Key sentences: verbatim, in order, each about something else, in every language, and nothing that is no sentence."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.generation.summary.texts import REPORT

from phidex.generation.summary.candidates import candidates
from phidex.generation.summary.centrality import SentenceMatrix, centrality
from phidex.generation.summary.key import key_sentences
from phidex.generation.summary.prompts import LANGUAGES
from phidex.ingest.records import Chunk, PageLocator


def chunk(text: str, order: int = 0, heading: tuple[str, ...] = (), language: str = "en", modality: str = "text") -> Chunk:
    return Chunk(f"c{order}", "s", PageLocator(order + 1), text, modality, language, order, heading)  # type: ignore[arg-type]


def texts_of(chunks: list[Chunk], count: int = 3) -> list[str]:
    return [one.candidate.text for one in key_sentences([chunks], count)]


def test_the_report_is_there_in_every_language_of_the_model() -> None:
    assert REPORT.keys() == LANGUAGES.keys()


@pytest.mark.parametrize("language", REPORT)
def test_every_language_gives_its_sentences(language: str) -> None:
    passage = chunk(REPORT[language], language=language)
    found = texts_of([passage])
    assert len(found) == 3
    assert all(text in " ".join(passage.text.split()) for text in found)
    assert found == sorted(found, key=passage.text.index)
    assert len(texts_of([passage], 1)) == 1


def test_what_is_no_sentence_is_left_out() -> None:
    lines = [
        "Chapter 3. The history of the harbour and of its many owners",
        "3.1 The first wall of the harbour . . . . . . . . . . . . . 17",
        "[12] Brandt, A.: The lighthouses of the northern coast, pp. 12-19, 1998.",
        "Copyright 2019 the harbour's board, and all of its members everywhere.",
        "x = compute(a_1, b_2) + {c: d[3] for c in range(10)} ** 2 - f(x, y, z).",
        "and this is the rest of a sentence that began on another page.",
        "See https://harbour.example/wall for what the wall is made of today.",
        "Short one.",
    ]
    good = REPORT["en"]
    assert texts_of([chunk("\n".join(lines)), chunk(good, 1)], 12) == texts_of([chunk(good, 1)], 12)


def test_contents_indexes_references_tables_and_code_are_left_out() -> None:
    own = "The harbour wall was measured again by two engineers in the spring of that year."
    rest = [
        chunk(own.replace("harbour", f"{word} harbour"), at, heading, modality=modality)
        for at, (word, heading, modality) in enumerate(
            [
                ("listed", ("2 References",), "text"),
                ("verzeichnete", ("Literaturverzeichnis",), "text"),
                ("licensed", ("Appendix", "License"), "text"),
                ("tabled", ("Wall",), "table"),
                ("coded", ("Wall",), "code"),
            ],
            1,
        )
    ]
    assert texts_of([chunk(own), *rest], 1) == [own]
    assert [one.text for one in candidates([chunk(own), *rest])] == [own]


def test_what_stands_in_many_places_is_furniture_and_overlaps_count_once() -> None:
    notice = "This page was printed for the members of the harbour board alone."
    first, second = (
        "Stones were brought from the quarry to the wall by ship.",
        "The wall was finished within two years of work.",
    )
    chunks = [chunk(f"{notice} {first}"), chunk(f"{first} {second}", 1), chunk(notice, 2), chunk(notice, 3)]
    assert [one.text for one in candidates(chunks)] == [first, second]


def test_a_text_of_code_gives_what_it_says_of_itself() -> None:
    code = '"""Measures the water in the harbour every hour."""\n\ndef level(x):\n    """Returns the level in metres."""\n'
    assert texts_of([chunk(code, modality="code")]) == [
        "Measures the water in the harbour every hour.",
        "Returns the level in metres.",
    ]
    assert texts_of([chunk("1 2 3\n4 5 6")]) == []


def test_sections_are_all_represented_and_redundancy_is_not() -> None:
    def section(word: str, at: int) -> Chunk:
        said = [
            f"The {word} needs care from the {who} of the town in every season." for who in ("baker", "smith", "tailor", "cook")
        ]
        return chunk(" ".join(said), at, (f"{at} {word}",))

    words = ["harbour", "market", "school", "bridge", "tower"]
    found = key_sentences([[section(word, at) for at, word in enumerate(words)]], 5)
    assert [one.section for one in found] == [f"{at} {word}" for at, word in enumerate(words)]


def test_a_section_that_is_long_leaves_room_for_the_others() -> None:
    long = [
        f"The harbour has a {thing} that the harbour master of the town looks after."
        for thing in ("crane", "lamp", "bell", "rope", "store", "gate")
    ]
    other = "Bread and cheese are sold on Sundays behind an inn nearby."
    found = key_sentences([[chunk(" ".join(long), heading=("1 Works",)), chunk(other, 1, ("2 Food",))]], 2)
    assert [one.section for one in found] == ["1 Works", "2 Food"]


def test_of_several_texts_each_has_its_sentence() -> None:
    texts = [[chunk(REPORT[language], language=language)] for language in ("en", "ja", "ar", "th", "ru")]
    found = key_sentences(texts, 5)
    assert [one.text_index for one in found] == [0, 1, 2, 3, 4]
    assert len(key_sentences(texts, 3)) == 3


def test_the_same_text_gives_the_same_sentences() -> None:
    words = random.Random(7)
    chunks = [
        chunk(
            f"The {words.choice('abcdefgh')}{words.choice('xyz')} wall of the {at} harbour was seen by number {at % 5} of us.",
            at,
        )
        for at in range(60)
    ]
    assert texts_of(chunks, 7) == texts_of(list(chunks), 7)
    assert len(texts_of(chunks, 7)) == 7


def test_centrality_is_lexrank_as_the_dense_matrix_gives_it() -> None:
    sentences = [f"The {a} of the {b} is large and old." for a in ("wall", "boat", "tower") for b in ("harbour", "market")]
    sentences.append("Completely unrelated words stand alone.")
    matrix = SentenceMatrix.of(sentences)
    count = len(sentences)
    cosines = matrix.similarities(range(count))
    np.fill_diagonal(cosines, 0)
    assert np.allclose(matrix.similarity_times(np.arange(count, dtype=float)), cosines @ np.arange(count))
    prior = np.linspace(1, 2, count)
    walk = cosines / np.maximum(cosines.sum(axis=0), 1e-12)
    rank = prior / prior.sum()
    for _ in range(200):
        rank = 0.15 * prior / prior.sum() + 0.85 * walk @ rank
        rank /= rank.sum()
    assert np.allclose(centrality(matrix, prior), rank / rank.max(), atol=1e-4)
    assert np.argmin(centrality(matrix, np.ones(count))) == count - 1
    assert centrality(SentenceMatrix.of([]), np.ones(0)).size == 0


def test_a_sentence_that_has_its_sections_title_is_preferred() -> None:
    said = [
        "The clerk counts every barrel that comes in.",
        "The pressure valve opens at nine bar and closes again.",
        "The cook is late.",
    ]
    for title, wanted in (("Pressure valve", said[1]), ("Barrel count of the clerk", said[0])):
        (found,) = key_sentences([[chunk(" ".join(said), heading=(title,))]], 1)
        assert found.candidate.text == wanted
    matrix = SentenceMatrix.of(said)
    shares = matrix.shares(["Pressure valve", "Pressure valve", ""])
    assert (shares[0], shares[1], shares[2]) == (0, pytest.approx(1), 0)


def test_weights_of_language_and_of_leaning() -> None:
    same = "{} harbour wall was measured by the two engineers of the town."
    chunks = [chunk(same.format("However, the")), chunk(same.format("The northern"), 1)]
    assert texts_of(chunks, 1) == [chunks[1].text]
    more = chunk("Mr Brandt paid for the new lamps along the whole wall.", 2)
    texts = [chunk(REPORT["de"], language="de"), chunk(REPORT["en"], 1), more]
    assert {one.candidate.chunk.language for one in key_sentences([texts], 2)} == {"en"}
