"""Lists of hits fused: what several wordings agree on comes first, and each part of a question is answered."""

from __future__ import annotations

from tests.retrieval.shelf import chunks, source

from phidex.retrieval.hit import Hit, LegRank
from phidex.retrieval.query.many import fuse_lists, interleave, search_many

BOOK = source("book")
HITS = {
    letter: Hit(chunk, BOOK, 1.0, {"lexical": LegRank(1, 9.0)})
    for letter, chunk in zip("abcdef", chunks(BOOK, *"abcdef"), strict=True)
}


def hits(letters: str) -> list[Hit]:
    return [HITS[letter] for letter in letters]


def texts(found: list[Hit]) -> str:
    return "".join(hit.chunk.text for hit in found)


def test_what_two_lists_agree_on_comes_first_and_says_so() -> None:
    found = fuse_lists([hits("abc"), hits("bd"), hits("eb")], 4)
    assert texts(found) == "baed"
    assert found[0].why == {
        "lexical": LegRank(1, 9.0),
        "question": LegRank(2, 1.0),
        "wording 2": LegRank(1, 1.0),
        "wording 3": LegRank(2, 1.0),
    }
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_a_weight_of_nothing_leaves_the_first_list_in_its_order() -> None:
    assert texts(fuse_lists([hits("abc"), hits("cb")], 3, weights=[1, 0])) == "abc"
    assert fuse_lists([hits("abc")], 2) == hits("ab")


def test_each_part_of_a_question_has_its_best_hit() -> None:
    found = interleave([hits("abcd"), hits("abe"), hits("f")], 4)
    assert texts(found) == "afbc"
    assert found[1].why["part 3"] == LegRank(1, 1.0)
    assert interleave([], 4) == []


def test_all_wordings_and_parts_are_searched_once() -> None:
    asked: list[str] = []
    found = {"q": "ab", "t": "bc", "p1": "d", "p2": "e"}

    def ask(text: str) -> list[Hit]:
        asked.append(text)
        return hits(found[text])

    assert texts(search_many(ask, "q", wordings=("t", "q"), parts=("p1", "p2"), limit=4)) == "bdea"
    assert asked == ["q", "t", "p1", "p2"]
    assert texts(search_many(ask, "q", limit=1)) == "a"
