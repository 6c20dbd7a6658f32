"""Long-context tasks solved by somebody: scores by task, length, language and depth. Read from and written to RULER's lines."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from phidex.errors import InputError
from phidex.eval.formats.lines import read_rows, string_of, strings_of
from phidex.eval.records import Fault, Question, TestSet
from phidex.eval.runs.record import Plan, Record, Run, RunFolder, fingerprint, manifest_of, read_run
from phidex.eval.runs.run import OnRecord
from phidex.eval.tasks.answerers import Answerer
from phidex.eval.tasks.ruler import TASKS, WITHOUT_PLACE, LongTask, TaskKind, languages, make_task

_DEPTHS = 5  # stretches of a text, of equal length


def read_tasks(path: Path) -> tuple[list[LongTask], list[Fault]]:
    """The tasks of a file of RULER's lines (`input`, `outputs`, `length`), with or without our fields.

    Without them the whole `input` is the prompt, and the task is the file's name.

    Raises:
        InputError: no task can be read.
    """
    faults: list[Fault] = []
    tasks = read_rows(path, lambda row: _task(row, path.stem), faults)
    if not tasks:
        raise InputError(f"{path} holds no task", hint=str(faults[0]) if faults else "RULER's lines have input and outputs")
    return tasks, faults


def _task(row: dict[str, Any], name: str) -> LongTask:
    outputs = strings_of(row["outputs"])
    if not outputs:
        raise ValueError("`outputs` is empty")
    has_ours = "context" in row and "question" in row
    context, question = (str(row["context"]), str(row["question"])) if has_ours else _split(string_of(row, "input"))
    return LongTask(
        f"{row.get('id', row.get('index', ''))}",
        str(row.get("task", name)),
        str(row.get("language", "en")),
        int(row.get("length_tokens", row.get("length", 0))),
        context,
        question,
        outputs,
        float(row.get("depth", -1.0)),
        "any" if row.get("match", "any" if name.startswith("qa") else "all") == "any" else "all",
    )


def _split(prompt: str) -> tuple[str, str]:
    """RULER's prompt: the question is its last paragraph, or its last line."""
    for gap in ("\n\n", "\n"):
        text, found, question = prompt.rstrip().rpartition(gap)
        if found:
            return text, question
    return "", prompt


def write_tasks(path: Path, tasks: Iterable[LongTask]) -> int:
    """Write tasks as RULER's lines; returns how many."""
    lines = [json.dumps(task.to_dict(), ensure_ascii=False) + "\n" for task in tasks]
    path.write_text("".join(lines), "utf-8")
    return len(lines)


def make_tasks(
    lengths: Sequence[int],
    tongues: Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    *,
    each: int = 1,
    depths: int = 0,
    seed: int = 0,
    test_set: TestSet | None = None,
) -> list[LongTask]:
    """Tasks of every kind, length and language; `qa` where there is a set to take it from.

    Args:
        depths: needles stand at so many even depths, a task each; 0 for anywhere.

    Raises:
        InputError: there is no such task or language, or a length holds none.
    """
    if unknown := [kind for kind in kinds or () if kind not in TASKS]:
        raise InputError(f"there is no task {unknown[0]!r}", hint=f"tasks are: {', '.join(TASKS)}")
    wanted: list[TaskKind] = [kind for kind in TASKS if (kind in kinds if kinds else kind != "qa" or test_set is not None)]
    spread = [None] if depths < 1 else [at / max(1, depths - 1) for at in range(depths)]
    return [
        make_task(kind, length, tongue, seed=seed + len(spread) * number + at, depth=depth, test_set=test_set)
        for length in lengths
        for tongue in tongues or languages()
        for kind in wanted
        for number in range(each)
        for at, depth in enumerate(spread if kind not in WITHOUT_PLACE else spread[:1])
    ]


def run_tasks(
    tasks: Sequence[LongTask],
    answer: Answerer,
    folder: Path,
    *,
    who: str,
    fresh: bool = False,
    on_record: OnRecord | None = None,
) -> Run:
    """Have every task solved; a record each, as `evaluate` keeps them: language, `kind` (the length), `type` (the task).

    A task that fails costs itself. Called again, it goes on where it stopped.

    Args:
        who: who answers, for the manifest.

    Raises:
        InputError: the folder holds another run.
    """
    questions = tuple(Question(task.id, task.question, task.outputs, language=task.language) for task in tasks)
    place = RunFolder(folder)
    made_of = {"collection": fingerprint([task.context for task in tasks]), "embedder": None, "who": who}
    done = place.begin(manifest_of(TestSet("long", questions), Plan(), {"who": who}, made_of, ""), fresh=fresh)
    for number, task in enumerate(tasks, 1):
        if task.id in done:
            continue
        record = _solved(task, answer)
        place.append(record)
        if on_record:
            on_record(record, number, len(tasks))
    return read_run(folder)


def _solved(task: LongTask, answer: Answerer) -> Record:
    kind = f"{task.length_tokens // 1024}K" if task.length_tokens >= 1024 else str(task.length_tokens)
    blank = Record(task.id, task.question, task.language, kind, task.task)
    started = time.perf_counter()
    try:
        text = answer(task)
    except Exception as exc:  # noqa: BLE001  one task must not cost the others
        return Record(blank.id, blank.question, task.language, kind, task.task, error=f"{type(exc).__name__}: {exc}")
    scores = {"needle": round(task.score(text), 6), "answer_s": round(time.perf_counter() - started, 6)}
    if task.depth >= 0:
        scores["packed_at"] = round(task.depth, 6)
    return Record(blank.id, blank.question, task.language, kind, task.task, scores, text)


def run_functions(
    test_set: TestSet,
    read: Callable[[Question], dict[str, float]],
    folder: Path,
    *,
    who: str,
    fresh: bool = False,
    on_record: OnRecord | None = None,
) -> Run:
    """Have every function of a repository's set found by somebody who reads the code; see `run_tasks`.

    Args:
        read: the scores of a question.
    """
    place = RunFolder(folder)
    made_of = {"collection": test_set.sha256[:16], "embedder": None, "who": who}
    done = place.begin(manifest_of(test_set, Plan(), {"who": who}, made_of, ""), fresh=fresh)
    for number, question in enumerate(test_set.questions, 1):
        if question.id in done:
            continue
        blank = Record(question.id, question.text, question.language, question.kind, question.type)
        try:
            record = replace(blank, scores=read(question))
        except Exception as exc:  # noqa: BLE001  one function must not cost the others
            record = replace(blank, error=f"{type(exc).__name__}: {exc}")
        place.append(record)
        if on_record:
            on_record(record, number, len(test_set.questions))
    return read_run(folder)


def by_position(records: Iterable[Record], measure: str, bins: int = _DEPTHS) -> list[tuple[float, float, int]]:
    """A lost-in-the-middle curve: the middle of each stretch of the text, the mean of a measure of the questions whose answer
    stands there, and how many they are. Stretches without any are left out.

    >>> by_position([Record("a", "?", scores={"packed_at": 0.1, "f1": 1.0})], "f1", 2)
    [(0.25, 1.0, 1)]
    """
    found: dict[int, list[float]] = {}
    for record in records:
        if measure in record.scores and "packed_at" in record.scores:
            found.setdefault(min(bins - 1, int(record.scores["packed_at"] * bins)), []).append(record.scores[measure])
    return [((at + 0.5) / bins, statistics.mean(values), len(values)) for at, values in sorted(found.items())]
