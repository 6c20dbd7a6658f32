"""Follow-ups are searched with what the question before was about, and questions that stand alone are left alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from qdrant_client import QdrantClient
from tests.retrieval.shelf import chunks, source

from phidex.retrieval.collection import Collection
from phidex.retrieval.query.followup import with_context
from phidex.retrieval.search import search
from phidex.retrieval.server import ServerStore

DATA = Path(__file__).parents[3] / "eval" / "data" / "followups.jsonl"
RECORDS: list[dict[str, Any]] = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
ASKED = [record for record in RECORDS if "then" in record]
FOLLOWS = [record for record in ASKED if record["follows"]]


@pytest.fixture(scope="module")
def collection() -> Collection:
    made = Collection.create(ServerStore(client=QdrantClient(":memory:")), "x", lambda: None)
    made.replace(source("all"), "v", chunks(source("all"), *dict.fromkeys(record["answer"] for record in RECORDS)))
    return made


def finds(collection: Collection, question: str, answer: str) -> bool:
    return [hit.chunk.text for hit in search(collection, question, embedder=None, limit=1)] == [answer]


def test_follow_ups_find_their_answer(collection: Collection) -> None:
    assert len(FOLLOWS) >= 60
    assert len({record["language"] for record in FOLLOWS}) >= 6
    alone = sum(finds(collection, record["then"], record["answer"]) for record in FOLLOWS)
    joined = sum(
        finds(collection, with_context(record["then"], [record["first"]]) or record["then"], record["answer"])
        for record in FOLLOWS
    )
    assert alone < 0.65 * len(FOLLOWS)
    assert joined >= 0.95 * len(FOLLOWS)


@pytest.mark.parametrize("record", [record for record in ASKED if not record["follows"]], ids=lambda record: record["then"])
def test_questions_that_stand_alone_are_left_alone(record: dict[str, Any]) -> None:
    assert with_context(record["then"], [record["first"]]) is None


HELD_OUT = [
    ("Quanto costa la pompa Aquila?", "E quanto pesa?", "pompa Aquila"),
    ("Qual è l'imposta sui libri in Francia?", "E in Germania?", "l'imposta sui libri"),
    ("Ile kosztuje pompa Aquila?", "A ile waży?", "pompa Aquila"),
    ("Jaki jest podatek na książki we Francji?", "A w Niemczech?", "podatek książki"),
    ("Hoeveel kost de pomp Aquila?", "En hoeveel weegt hij?", "pomp Aquila"),
    ("När öppnar museet Lindenhof?", "Vem byggde det?", "museet Lindenhof"),
    ("Quanto custa a bomba Aquila?", "E a garantia?", "bomba Aquila"),
    ("Kolik stojí čerpadlo Aquila?", "A kolik váží?", "čerpadlo Aquila"),
    ("Hvad koster pumpen Aquila?", "Og hvad vejer den?", "pumpen Aquila"),
    ("Скільки коштує насос Аквіла?", "А скільки він важить?", "насос Аквіла"),
    ("프랑스의 도서 세율은 얼마입니까?", "독일은?", "프랑스의 도서 세율은"),
    ("ما هو سعر مضخة أكويلا؟", "وكم وزنها؟", "سعر مضخة أكويلا"),
    ("כמה עולה המשאבה אקווילה?", "וכמה היא שוקלת?", "עולה המשאבה אקווילה"),
    ("ปั๊ม Aquila ราคาเท่าไร", "แล้วน้ำหนักล่ะ", "Aquila"),
]


@pytest.mark.parametrize(("first", "then", "borrowed"), HELD_OUT)
def test_follow_ups_in_other_languages(first: str, then: str, borrowed: str) -> None:
    joined = with_context(then, [first])
    assert joined is not None
    assert joined.startswith(then)
    assert borrowed in joined


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("What is RAID?", "How does the kernel schedule threads?"),
        ("What is RAID?", "kernel scheduler"),
        ("What is RAID?", "What does it mean when the red light blinks?"),
        ("What is RAID?", "Is there a discount for students?"),
        ("Was kostet Aquila?", "Was gibt es in Berlin?"),
        ("Was ist RAID?", "Können Sie mir die Adresse der Firma nennen?"),
        ("Quanto costa la pompa Aquila?", "Quando apre il museo Parkhaus?"),
        ("Ile kosztuje pompa Aquila?", "Kiedy otwiera się muzeum Lindenhof?"),
        ("När öppnar museet Lindenhof?", "Vad kostar en biljett till museet Parkhaus?"),
        ("아퀼라 펌프의 가격은 얼마입니까?", "린덴호프 박물관은 언제 문을 엽니까?"),
        ("ما هو سعر مضخة أكويلا؟", "متى يفتح متحف ليندنهوف؟"),
        ("ปั๊ม Aquila ราคาเท่าไร", "พิพิธภัณฑ์เปิดกี่โมง"),
        ("What is RAID?", ""),
        ("What is RAID?", "??"),
    ],
)
def test_other_questions_that_stand_alone(first: str, then: str) -> None:
    assert with_context(then, [first]) is None


def test_the_last_question_that_stood_alone_is_borrowed_from() -> None:
    earlier = ["When was the bridge built?", "How much does the Aquila pump cost?", "And what does it weigh?"]
    assert with_context("And its warranty?", earlier) == "And its warranty? Aquila pump"
    assert with_context("And its warranty?", []) is None
