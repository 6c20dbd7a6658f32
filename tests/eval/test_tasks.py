"""Tasks that nobody wrote questions for: RULER's, functions of a repository, sets made of a collection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.eval.made import Grading

from phidex.errors import InputError
from phidex.eval.formats.reading import read_squad
from phidex.eval.runs.record import Record
from phidex.eval.tasks.answerers import chance, chat_answerer, code_reader, long_settings, oracle, packed_answerer
from phidex.eval.tasks.invent import invent_questions, is_fair, read_pair
from phidex.eval.tasks.long import by_position, make_tasks, read_tasks, run_functions, run_tasks, write_tasks
from phidex.eval.tasks.make_set import make_questions, phrases, questions_of
from phidex.eval.tasks.repository import Functions, code_prompt, functions_set
from phidex.eval.tasks.ruler import TASKS, TaskKind, languages, make_task
from phidex.generation.chat import OpenAIChat
from phidex.ingest.records import Chunk, LineLocator, PageLocator, Source
from phidex.retrieval.count import estimate_tokens
from phidex.sdk import Phidex
from phidex.settings import ChatSettings

CODE = '''\
class Tank:
    """A tank."""

    def fill_level(self, litres):
        """Return how full the vessel is, as a share of its volume."""
        share = litres / self.volume
        return min(1.0, share)

    def drain(self, litres):
        """Let water out until nothing is left or enough has gone."""
        self.content = max(0, self.content - litres)
        return self.content
'''


@pytest.mark.parametrize("language", ["en", "zh", "ar"])
def test_ruler_tasks_fit_their_length_and_are_solved_by_an_oracle_alone(language: str) -> None:
    tasks = make_tasks([1024, 4096], [language], each=2)
    assert {task.task for task in tasks} == set(TASKS) - {"qa"}
    for task in tasks:
        assert estimate_tokens(f"{task.context}\n\n{task.question}") <= task.length_tokens
        assert all(output in task.context for output in task.outputs), task.id
        assert task.score(oracle(task)) == 1.0
    fills = [estimate_tokens(task.context) / task.length_tokens for task in tasks if task.length_tokens == 4096]
    assert min(fills) > 0.85
    assert sum(task.score(chance(task)) for task in tasks) / len(tasks) < 0.05


def test_ruler_tasks_are_the_same_for_the_same_seed() -> None:
    first, again, other = (make_task("multi_key", 2048, "ru", seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.context != other.context


@pytest.mark.parametrize("depth", [0.0, 0.5, 1.0])
def test_needles_stand_where_they_should(depth: float) -> None:
    task = make_task("single", 4096, "en", depth=depth)
    assert task.context.index(task.outputs[0]) / len(task.context) == pytest.approx(depth, abs=0.05)
    assert task.depth == depth


def test_a_task_of_128k_tokens_is_made_in_a_moment() -> None:
    task = make_task("multi_query", 131_072, "de")
    assert 0.9 * 131_072 < estimate_tokens(task.context) <= 131_072
    assert len(task.outputs) == 4


def test_chains_of_variables_lead_to_the_value() -> None:
    task = make_task("variables", 1024, "en")
    value = task.question.split("value ")[1].split(",")[0]
    assert f"Variable {task.outputs[0]} is assigned the value {value}." in task.context
    for before, name in zip(task.outputs, task.outputs[1:], strict=False):
        assert f"Variable {name} is assigned the value of variable {before}." in task.context
    places = [task.context.index(f"Variable {name} is") for name in task.outputs]
    assert places == sorted(places)


def test_common_and_frequent_words_are_those_that_come_most_often() -> None:
    kinds: list[tuple[TaskKind, int]] = [("common", 10), ("frequent", 3)]
    for kind, number in kinds:
        task = make_task(kind, 4096, "en")
        words = [word for word in task.context.split() if not word.endswith(".")]
        ranked = sorted(set(words), key=lambda word, words=words: -words.count(word))
        assert set(ranked[:number]) == set(task.outputs)


def test_questions_among_distracting_paragraphs(tmp_path: Path) -> None:
    paragraphs = [
        {
            "context": f"Paragraph {at} says {at}. " * 5,
            "qas": [{"id": str(at), "question": f"{at}?", "answers": [{"text": str(at)}]}],
        }
        for at in range(40)
    ]
    path = tmp_path / "x.en.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), "utf-8")
    task = make_task("qa", 1024, "en", test_set=read_squad(path), depth=0.5)
    assert (task.match, task.score(f"It is {task.outputs[0]}.")) == ("any", 1.0)
    assert f"Paragraph {task.outputs[0]} " in task.context
    assert estimate_tokens(task.context) <= 1024
    with pytest.raises(InputError, match="qa has no questions"):
        make_task("qa", 1024, "en")


@pytest.mark.parametrize(("kind", "length", "language"), [("single", 100, "en"), ("single", 1024, "xx")])
def test_tasks_that_cannot_be_made_are_told(kind: str, length: int, language: str) -> None:
    with pytest.raises(InputError):
        make_tasks([length], [language], [kind])
    with pytest.raises(InputError, match="no task 'nonsense'"):
        make_tasks([1024], None, ["nonsense"])


def test_tasks_are_written_and_read_as_rulers_lines(tmp_path: Path) -> None:
    made = make_tasks([1024], ["ja"], ["single", "variables"])
    path = tmp_path / "tasks.jsonl"
    assert write_tasks(path, made) == 2
    assert read_tasks(path) == (made, [])
    foreign = tmp_path / "niah_single_1.jsonl"
    foreign.write_text(
        '{"index": 3, "input": "A text.\\n\\nWhat?", "outputs": ["1"], "length": 9}\n{"index": 4, "outputs": []}\n'
    )
    (task,), (fault,) = read_tasks(foreign)
    assert (task.task, task.context, task.question, task.outputs) == ("niah_single_1", "A text.", "What?", ("1",))
    assert fault.line == 2


def test_our_packing_finds_needles_without_a_model(tiny: Phidex, tmp_path: Path) -> None:
    made = make_tasks([2048], ["en", "de"], ["single", "multi_key"])
    with packed_answerer(long_settings(tiny.settings, 2048), tmp_path, made) as answer:
        run = run_tasks(made, answer, tmp_path / "run", who="packed")
    assert [record.error for record in run.records] == [""] * 4
    assert sum(record.scores["needle"] for record in run.records) / 4 >= 0.75
    assert {(record.language, record.kind, record.type) for record in run.records} >= {("de", "2K", "single")}


def test_one_task_that_fails_costs_itself_and_is_solved_again(tmp_path: Path) -> None:
    made = make_tasks([1024], ["en"], ["single", "variables"])
    solved: list[str] = []

    def fails(task: object) -> str:
        solved.append("")
        if len(solved) == 1:
            raise RuntimeError("gone")
        return "1"

    first = run_tasks(made, fails, tmp_path, who="x")
    assert [record.error for record in first.records] == ["RuntimeError: gone", ""]
    again = run_tasks(made, oracle, tmp_path, who="x")
    assert [record.scores["needle"] for record in again.records] == [1.0, 0.0]  # the second one had its answer
    with pytest.raises(InputError, match="another run"):
        run_tasks(made, oracle, tmp_path, who="y")


@pytest.mark.vllm
def test_a_real_endpoint_reads_whole_texts(vllm: str, tmp_path: Path) -> None:
    made = make_tasks([512], ["en", "ru"], ["single", "variables"])
    with OpenAIChat(ChatSettings(url=vllm)) as chat:
        run = run_tasks(made, chat_answerer(chat, "phi-3.5-mini"), tmp_path, who="vllm")
    assert [record.error for record in run.records] == [""] * 4
    assert sum(record.scores["needle"] for record in run.records) / 4 < 0.3  # its answers are noise


def test_curves_by_position() -> None:
    records = [Record(str(at), "?", scores={"packed_at": at / 10, "f1": float(at < 5)}) for at in range(10)]
    assert by_position(records, "f1", 2) == [(0.25, 1.0, 5), (0.75, 0.0, 5)]
    assert by_position([Record("x", "?", scores={"f1": 1.0})], "f1") == []


def test_a_set_made_of_a_collection_leads_to_its_places(tiny: Phidex) -> None:
    made = make_questions(tiny.settings)
    by_type = {question.type: question for question in made}
    assert set(by_type) == {"definition", "table", "docstring"}
    assert by_type["docstring"].text == "Return the temperature at which water boils under a pressure"
    assert by_type["docstring"].answers == ("saturation_point",)
    assert by_type["table"].answers[0] in ("12 bar", "40 kW", "9 bar", "31 kW")
    texts = {question.text for question in made}
    assert {"What is a manometer?", "Was ist ein Schieber?"} <= texts
    definition = next(question for question in made if question.text == "Was ist ein Schieber?")
    assert (definition.language, definition.gold[0].document) == ("de", "pumpe.md")
    assert definition.answers[0].startswith("ist ein Bauteil")
    assert len(make_questions(tiny.settings, count=2)) == 2
    assert {question.type for question in make_questions(tiny.settings, types=["table"])} == {"table"}
    with pytest.raises(InputError, match="no type of question 'rhyme'"):
        make_questions(tiny.settings, types=["rhyme"])


def test_there_are_phrases_for_every_language_of_the_models() -> None:
    wanted = "ar cs da de en es fi fr he hu it ja ko nl no pl pt ru sv th tr uk zh"
    assert wanted == " ".join(sorted(phrases()))
    assert len(languages()) >= 6


@pytest.mark.parametrize(
    ("language", "sentence", "question"),
    [
        ("fr", "Le Manomètre est un instrument qui mesure la pression.", "Qu'est-ce que le Manomètre ?"),
        ("ja", "圧力計とは、蒸気の圧力を測るための計器のことです。", "圧力計とは何ですか？"),
        ("zh", "压力表是一种用来测量蒸汽压力的仪器设备。", "什么是压力表？"),
        ("ru", "Манометр — это прибор для измерения давления.", "Что такое Манометр?"),
        ("en", "This is a sentence that defines nothing at all.", ""),
    ],
)
def test_definitions_in_other_languages(language: str, sentence: str, question: str) -> None:
    source = Source("s", "file:///a.pdf", "pdf", "A", "0" * 64, language, "application/pdf")
    chunk = Chunk("c", "s", PageLocator(1), sentence, "text", language, 0)
    assert [one.text for one in questions_of(source, [chunk])] == ([question] if question else [])


def test_headings_lead_to_all_passages_of_their_section() -> None:
    source = Source("s", "file:///a.pdf", "pdf", "The manual", "0" * 64, "de", "application/pdf")
    places = [(("The manual",), 1), (("The manual", "3.2 Wartung der Pumpe"), 2), (("The manual", "3.2 Wartung der Pumpe"), 3)]
    chunks = [Chunk(str(page), "s", PageLocator(page), "…", "text", "de", page, heading=heading) for heading, page in places]
    (question,) = questions_of(source, chunks)  # the document's own title asks for nothing
    assert (question.type, question.text) == ("heading", "Wartung der Pumpe")
    assert question.gold[0].places == (PageLocator(2), PageLocator(3))


def test_captions_become_questions() -> None:
    source = Source("s", "file:///a.pdf", "pdf", "A", "0" * 64, "en", "application/pdf")
    chunk = Chunk("c", "s", PageLocator(4), "Figure 3: Output of the northern station", "image", "en", 0)
    (question,) = questions_of(source, [chunk])
    assert (question.type, question.text) == ("caption", "Output of the northern station")


def test_a_models_questions_are_checked(tiny: Phidex) -> None:
    passage = " ".join(["The boiler was replaced in March 2021 by Ohm Ltd."] * 2)
    chunk = Chunk("c", "s", LineLocator("a", 1, 2), passage, "text", "en", 0)
    assert is_fair("Which company put in the new heating device?", "Ohm Ltd", chunk)
    assert not is_fair("Which company put in the new heating device?", "Volt", chunk)  # not in the passage
    assert not is_fair("The boiler was replaced by whom in March?", "Ohm Ltd", chunk)  # repeats it
    assert not is_fair("Welche Firma hat die neue Heizung eingebaut, bitte?", "Ohm Ltd", chunk)  # another language
    assert read_pair('{"question": ""}') is None
    replies = ['{"question": "Which company put in the heating device?", "answer": "Ohm Ltd"}', "no", "no"]
    kept = invent_questions(tiny.settings, "default", Grading(*replies * 4), "m", count=1)
    assert [question.answers for question in kept] in ([("Ohm Ltd",)], [])


def test_functions_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "tank.py").write_text(CODE, "utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_tank.py").write_text(CODE, "utf-8")
    found = functions_set(tmp_path)
    assert list(found.documents) == ["tank.py"]
    first = found.questions[0]
    assert (first.text, first.answers) == ("Return how full the vessel is, as a share of its volume", ("Tank.fill_level",))
    assert "how full" not in found.documents["tank.py"]
    place = first.gold[0].places[0]
    assert isinstance(place, LineLocator)
    lines = found.documents["tank.py"].splitlines()[place.start_line - 1 : place.end_line]
    assert lines[0].strip().startswith("def fill_level")
    functions = Functions.of(found.documents)
    right = "Sure:\n```python\n" + "\n".join(lines) + "\n```"
    assert functions.found(right, first) == 1.0
    assert functions.found(right.replace("share", "level").replace("litres", "x").replace("min", "max") * 2, first) == 0.0
    assert functions.found("def drain(self, litres): ...", first) == 0.0
    chat = Grading(right, "I cannot find it")
    run = run_functions(found, code_reader(chat, "m", found, 4096), tmp_path / "run", who="m")
    assert [record.scores["function_found"] for record in run.records] == [1.0, 0.0]
    prompt, asked = code_prompt(found, first, 2000, 0.5)
    assert "# File: tank.py" in prompt
    assert first.text in asked
    with pytest.raises(InputError, match="no function below"):
        functions_set(tmp_path / "run")
