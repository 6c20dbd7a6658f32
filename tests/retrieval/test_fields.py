"""What of a chunk counts for more than running text, seen through the scores that a question gives it."""

from __future__ import annotations

import numpy as np
import pytest

from phidex.ingest.records import Chunk, LineLocator, Locator, PageLocator
from phidex.retrieval.fields import asked_names, code_names, is_contents, title_names, titles_in
from phidex.retrieval.lexical import query_vector
from phidex.retrieval.payload import analyse


def passage(text: str, *heading: str) -> Chunk:
    return Chunk("1", "s", PageLocator(1), text, "text", "en", 0, heading)


def code(text: str, path: str, symbol: str = "") -> Chunk:
    locator: Locator = LineLocator(path, 1, 3)
    return Chunk("1", "s", locator, text, "code", "und", 0, (symbol,) if symbol else (), symbol=symbol)


def score(question: str, chunk: Chunk, *, symbols: tuple[str, ...] = (), files: tuple[str, ...] = ()) -> float:
    """Without IDF."""
    asked = query_vector(question, asked_names(question, symbols, files))
    stored = analyse(chunk)
    _, mine, theirs = np.intersect1d(asked.indices, stored.indices, return_indices=True)
    return float((asked.values[mine] * stored.values[theirs]).sum())


def test_a_title_counts_most_where_its_section_begins() -> None:
    begins = passage("2.3 Boiler pressure\n\nKeep the boiler below two bar.", "2 Boilers", "2.3 Boiler pressure")
    follows = passage("Boiler pressure falls when the boiler is cold.", "2 Boilers", "2.3 Boiler pressure")
    contents = passage("2.1 Start … 3\n\n2.2 Stop … 4\n\n2.3 Boiler pressure … 5\n\n2.4 Pumps … 6", "Contents")
    found = [score("Boiler pressure", chunk) for chunk in (begins, follows, contents)]
    assert found[0] > 1.1 * found[1] > 2 * found[2]


@pytest.mark.parametrize(
    ("title", "asked"),
    [
        ("Chapter 12: Programming", "Programming"),
        ("1.4.5 The pager", "the pager?"),
        ("Kapitel 3 Grundlagen", "GRUNDLAGEN"),
        ("第 2 章 安装", "安装"),
        ("2.2.1 apt vs. apt-get", "apt vs apt-get"),
    ],
)
def test_a_title_is_known_with_and_without_its_number(title: str, asked: str) -> None:
    assert title_names(asked) & title_names(title)
    assert title_names(asked) & titles_in(f"Before.\n\n{title}\n\nBehind it.")


def test_a_long_paragraph_is_no_title() -> None:
    assert titles_in("word " * 60) == set()


def test_a_symbol_is_found_by_each_of_its_endings() -> None:
    chunk = code("def bar(self):\n    return 1", "src/app/x.py", "Foo.bar")
    other = code("def spam(self):\n    return Foo.bar(1)", "src/app/y.py", "Eggs.spam")
    for symbol in ("Foo.bar", "bar", "app.Foo.bar"):
        assert score(symbol, chunk, symbols=(symbol,)) > 1.3 * score(symbol, other, symbols=(symbol,))
    for name in ("src/app/x.py", "x.py", "app/x.py", "/home/me/src/app/x.py"):
        assert score(name, chunk, files=(name,)) > score(name, other, files=(name,))


def test_what_a_class_defines_is_one_of_its_names() -> None:
    names = code_names(code("class Foo:\n    async def bar(self):\n        pass\n    def spam(self): ...", "a.py", "Foo"))
    assert {"foo", "bar", "foo.bar", "spam", "foo.spam", "a.py"} <= names
    assert "go" in code_names(code("pub fn go() {}", "a.rs"))


def test_prose_with_dots_is_no_table_of_contents() -> None:
    assert not is_contents("He waited … 3\nand waited ...\nuntil ... then\nnothing.\nIn 1999 it rained.")
    assert not is_contents("One entry … 3")


def test_words_that_say_nothing_count_for_less() -> None:
    whole, part = query_vector("how is the boiler"), query_vector("how is the boiler", faint={"how", "is", "the"})
    assert whole.indices.tolist() == part.indices.tolist()
    strong = set(part.indices[part.values == 1].tolist())
    assert strong == set(query_vector("boiler").indices.tolist())
    assert query_vector("how is", faint={"how", "is"}).values.min() == 1  # nothing else is there to count
