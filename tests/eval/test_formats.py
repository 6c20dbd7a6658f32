"""The field's files as test sets: what they hold, and which line is broken."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from phidex.errors import InputError, NotFoundError
from phidex.eval.formats.load import load_set
from phidex.eval.formats.own import write_own
from phidex.eval.formats.ranked import read_qrels, read_run, write_run
from phidex.eval.records import Fault, Gold, Question
from phidex.ingest.records import LineLocator, PageLocator, TimeLocator


def lines(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def test_beir_folder(tmp_path: Path) -> None:
    lines(tmp_path / "corpus.jsonl", {"_id": "d1", "title": "Pumps", "text": "A pump."}, {"_id": "d2", "text": "A valve."})
    lines(tmp_path / "queries.jsonl", {"_id": "q1", "text": "what pumps?"}, {"_id": "q2", "text": "unjudged"})
    lines(tmp_path / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore", "q1\td1\t2", "q1\td2\t0")
    found = load_set(tmp_path)
    assert found.documents == {"d1": "Pumps\n\nA pump.", "d2": "A valve."}
    assert found.questions == (Question("q1", "what pumps?", gold=(Gold("d1", (), 2), Gold("d2", (), 0))),)
    assert found.faults == ()


def test_trec_folder_with_sgml_topics(tmp_path: Path) -> None:
    lines(
        tmp_path / "topics.txt",
        "<top>\n<num> Number: 301\n<title> organized crime\n<desc> more\n</top>\n<top>\n<num> 302\n</top>",
    )
    lines(tmp_path / "qrels.txt", "301 0 FT-1 1", "301 0 FT-2 often", "999 0 FT-1 1")
    found = load_set(tmp_path)
    assert [(one.id, one.text, one.gold) for one in found.questions] == [("301", "organized crime", (Gold("FT-1"),))]
    assert [(fault.line, fault.message) for fault in found.faults] == [
        (6, "a topic without number or title"),
        (2, "a relevance of 'often' is no whole number"),
        (0, "judgements of '999', which no question has"),
    ]


def test_miracl_of_two_languages(tmp_path: Path) -> None:
    for language, text in (("de", "Wer?"), ("sw", "Nani?")):
        folder = tmp_path / f"miracl-v1.0-{language}"
        lines(folder / "topics" / f"topics.miracl-v1.0-{language}-dev.tsv", f"1\t{text}")
        lines(folder / "qrels" / f"qrels.miracl-v1.0-{language}-dev.tsv", "1 Q0 7#0 1")
    (tmp_path / "docs-0.jsonl.gz").write_bytes(gzip.compress(b'{"docid": "7#0", "title": "T", "text": "x"}\n'))
    found = load_set(tmp_path)
    assert [(one.id, one.language) for one in found.questions] == [("de-1", "de"), ("sw-1", "sw")]
    assert found.documents == {"7#0": "T\n\nx"}


def test_xquad_folder_and_squad_2(tmp_path: Path) -> None:
    qas: list[dict[str, Any]] = [
        {"id": "a", "question": "Wer?", "answers": [{"text": "Ada", "answer_start": 0}, {"text": "Ada", "answer_start": 0}]},
        {"id": "b", "question": "Nie?", "answers": [], "is_impossible": True},
        {"id": "c"},
    ]
    data: dict[str, Any] = {
        "data": [{"title": "t", "paragraphs": [{"context": "Ada war es.", "qas": qas}]}, {"title": "broken"}]
    }
    (tmp_path / "xquad.de.json").write_text(json.dumps(data), "utf-8")
    found = load_set(tmp_path)
    answered, impossible = found.questions
    assert (answered.answers, answered.language, answered.gold) == (("Ada",), "de", (Gold("de-000-000"),))
    assert (impossible.answerable, impossible.gold) == (False, ())
    assert len(found.faults) == 2
    assert "article 2 has no paragraphs" in str(found.faults[1])


def test_repoqa_lines_count_from_one(tmp_path: Path) -> None:
    needle = {"path": "a.py", "name": "area", "start_line": 0, "end_line": 3, "description": "Area of a circle"}
    repository = {"repo": "x/y", "content": {"a.py": "def area():\n  a\n  b\n"}, "needles": [needle, {"path": "a.py"}]}
    path = tmp_path / "repoqa.json"
    path.write_text(json.dumps({"python": [repository]}), "utf-8")
    found = load_set(path)
    (question,) = found.questions
    assert question.gold == (Gold("x/y/a.py", (LineLocator("x/y/a.py", 1, 3),)),)
    assert question.type == "python"
    assert len(found.faults) == 1


def test_our_own_lines_with_pages_boxes_lines_and_times(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "set.jsonl",
        {"question": "Where?", "gold": [{"document": "a.pdf", "pages": [3, 4], "boxes": [[0, 0, 9, 9]]}], "language": "DE"},
        {"question": "Which?", "gold": [{"document": "a.py", "lines": [2, 5]}], "answers": "this one", "type": "code"},
        {"question": "When?", "gold": [{"document": "talk.mp4", "times": [1.5, 3]}], "answerable": True},
        {"question": "Old form?", "document": "b.pdf", "pages": [1], "id": "old"},
    )
    found = load_set(path)
    assert found.faults == ()
    pages, code, talk, old = found.questions
    assert pages.gold[0].places == (PageLocator(3, ((0, 0, 9, 9),)), PageLocator(4))
    assert (pages.language, code.answers) == ("de", ("this one",))
    assert talk.gold[0].places == (TimeLocator(1.5, 3),)
    assert (old.id, old.gold) == ("old", (Gold("b.pdf", (PageLocator(1),)),))
    again = tmp_path / "again.jsonl"
    assert write_own(again, found.questions) == 4
    assert load_set(again).questions == found.questions
    assert load_set(again).sha256 == found.sha256


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[1]", "no JSON object"),
        ({"answers": ["x"]}, "has no 'question'"),
        (
            {"question": "?", "gold": [{"document": "a", "lines": [9, 2]}]},
            "lines 9 to 2: lines count from 1, the first one first",
        ),
        ({"question": "?", "gold": [{"document": "a", "pages": [0]}]}, "page 0: pages count from 1"),
        ({"question": "?", "id": "good"}, "the id 'good' stands there twice"),
    ],
)
def test_a_broken_line_costs_itself_and_is_named(tmp_path: Path, row: Any, message: str) -> None:
    path = lines(tmp_path / "set.jsonl", {"question": "Fine?", "id": "good"}, row)
    found = load_set(path)
    assert [one.id for one in found.questions] == ["good"]
    assert found.faults == (Fault(str(path), 2, message),)


def test_what_is_no_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        load_set(tmp_path / "nothing.jsonl")
    with pytest.raises(InputError, match="no question that could be read"):
        load_set(lines(tmp_path / "empty.jsonl", "nonsense"))
    with pytest.raises(InputError, match="eval long"):
        load_set(lines(tmp_path / "ruler.jsonl", {"index": 1, "input": "x", "outputs": ["y"], "length": 9}))
    (tmp_path / "latin.jsonl").write_bytes(b'{"question": "\xe9"}')
    with pytest.raises(InputError, match="not UTF-8"):
        load_set(tmp_path / "latin.jsonl")


def test_runs_are_written_and_read_as_trec_has_them(tmp_path: Path) -> None:
    faults: list[Fault] = []
    write_run(tmp_path / "run", {"q 1": ["b", "a"]}, "ours")
    assert (tmp_path / "run").read_text() == "q_1 Q0 b 1 1.0 ours\nq_1 Q0 a 2 0.5 ours\n"
    assert read_run(tmp_path / "run", faults) == {"q_1": {"b": 1.0, "a": 0.5}}
    assert read_qrels(lines(tmp_path / "qrels", "q_1 0 a 1", "broken"), faults) == {"q_1": {"a": 1}}
    assert [str(fault) for fault in faults] == [f"{tmp_path}/qrels:2: 1 columns, and 4 are wanted"]
