"""A test set asked of a collection: `evaluate`. Streams records, can be interrupted and gone on with."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import phidex as package
from phidex.errors import InputError, NotFoundError, ServiceError
from phidex.eval.chat import open_chat
from phidex.eval.formats.load import load_set
from phidex.eval.formats.ranked import write_run
from phidex.eval.records import Question, TestSet
from phidex.eval.runs.ask import Interviewer
from phidex.eval.runs.judge import Judge
from phidex.eval.runs.record import Plan, Record, Run, RunFolder, fingerprint, manifest_of, read_run
from phidex.sdk import Phidex

log = logging.getLogger(__name__)

_GIVE_UP = 10  # failures one after another: then something is wrong with more than a question

OnRecord = Callable[[Record, int, int], None]
"""Called after each question with its record, how many are done and how many there are."""


def evaluate(
    phidex: Phidex,
    questions: TestSet | Path | str,
    folder: Path | str,
    plan: Plan | None = None,
    *,
    fresh: bool = False,
    workers: int = 1,
    on_record: OnRecord | None = None,
) -> Run:
    """Ask every question of a set, and keep a record of each in `folder`. Called again, it goes on where it stopped.

    A question that fails costs itself: its record says why, and the next call asks it again. Where the set brings its documents
    and the collection does not exist, they are ingested into it first.

    Args:
        questions: a set, or the file or folder of one (`phidex.eval.formats`).
        plan: what is asked of which collection; default: everything, of "default".
        fresh: forget what lies in the folder.
        workers: questions at a time.

    Raises:
        NotFoundError: there is no such file or collection.
        InputError: the folder holds another run.
        ServiceError: ten questions failed one after another.

    >>> import tempfile, pathlib
    >>> from phidex.settings import EmbedSettings, Settings
    >>> home = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (home / "note.md").write_text("The boiler was replaced in March 2021 by Ohm Ltd.")
    >>> _ = (home / "set.jsonl").write_text('{"question": "When was the boiler replaced?", "answers": ["March 2021"]}')
    >>> with Phidex(settings=Settings(data=home / "data", embed=EmbedSettings(model="none"))) as phidex:
    ...     _ = phidex.ingest(home / "note.md")
    ...     run = evaluate(phidex, home / "set.jsonl", home / "run")
    >>> run.records[0].scores["contains"]
    1.0
    """
    plan = plan or Plan()
    test_set = questions if isinstance(questions, TestSet) else load_set(questions)
    if plan.count:
        test_set = test_set.sample(plan.count, plan.seed)
    prepare(phidex, test_set, plan.collection)
    place = RunFolder(Path(folder))
    manifest = manifest_of(test_set, plan, settings_of(phidex), collection_of(phidex, plan.collection), package.__version__)
    done = place.begin(manifest, fresh=fresh)
    left = [question for question in test_set.questions if question.id not in done]
    with _judge(phidex, plan) as judge:
        interviewer = Interviewer(phidex, plan, judge)
        _ask_all(interviewer, left, place, workers, len(done), len(test_set.questions), on_record)
    run = read_run(place.path)
    write_run(place.path / "run.trec", {record.id: record.ranked for record in run.records}, place.path.name)
    return run


def prepare(phidex: Phidex, test_set: TestSet, collection: str) -> None:
    """The collection, made of the set's own documents where it does not exist.

    Raises:
        NotFoundError: it does not exist, and the set brings no documents.
    """
    if collection in phidex.collections():
        return
    if not test_set.documents:
        raise NotFoundError(f"there is no collection {collection!r}", hint="ingest the documents that the set asks about")
    with tempfile.TemporaryDirectory(prefix="phidex-eval-") as name:
        test_set.write_documents(Path(name))
        report = phidex.ingest(name, collection=collection)
    if report.failed:
        log.warning("eval.documents_failed count=%d first=%s", len(report.failed), report.failed[0].reason)


def _ask_all(
    interviewer: Interviewer,
    left: Sequence[Question],
    place: RunFolder,
    workers: int,
    done: int,
    total: int,
    on_record: OnRecord | None,
) -> None:
    failures = 0
    for record in _records(interviewer, left, max(1, workers)):
        place.append(record)
        done += 1
        if on_record:
            on_record(record, done, total)
        failures = failures + 1 if record.error else 0
        if failures == _GIVE_UP and failures < total:
            message = f"{failures} questions failed one after another, the last one: {record.error}"
            raise ServiceError(message, hint="mend that; the same command then goes on", retryable=True)


def _records(interviewer: Interviewer, left: Sequence[Question], workers: int) -> Iterator[Record]:
    """Records in the order of the questions, a few of them asked ahead; an interrupt waits for those at hand alone."""
    if workers == 1:
        yield from (attempt(interviewer, question) for question in left)
        return
    waiting = iter(left)
    pool = ThreadPoolExecutor(workers, thread_name_prefix="eval")
    try:
        queue: list[Future[Record]] = [pool.submit(attempt, interviewer, question) for question in islice(waiting, 2 * workers)]
        while queue:
            record = queue.pop(0).result()
            queue += [pool.submit(attempt, interviewer, question) for question in islice(waiting, 1)]
            yield record
    finally:
        pool.shutdown(cancel_futures=True)


def attempt(interviewer: Interviewer, question: Question) -> Record:
    """A question's record, whatever happens."""
    try:
        return interviewer.ask(question)
    except Exception as exc:  # whatever it is, it must not cost the other questions
        log.warning(
            "eval.failed question=%s error=%s", question.id, type(exc).__name__, exc_info=not isinstance(exc, InputError)
        )
        failed = Record(question.id, question.text, question.language, question.kind, question.type)
        return replace(failed, error=f"{type(exc).__name__}: {exc}")


@contextlib.contextmanager
def _judge(phidex: Phidex, plan: Plan) -> Generator[Judge | None]:
    if not (plan.judge and plan.stage == "answer"):
        yield None
        return
    with open_chat(phidex.settings.chat) as (chat, model):
        yield Judge(chat, model)


def settings_of(phidex: Phidex) -> dict[str, Any]:
    """The settings that a result hangs on, JSON-ready, secrets masked; not where things lie."""
    return phidex.settings.model_dump(mode="json", exclude={"data", "cache", "log"})


def collection_of(phidex: Phidex, name: str) -> Mapping[str, Any]:
    """What a collection is made of: its sources' hashes in one, how many there are, and its embedder."""
    entries = phidex.sources(name)
    status: dict[str, Any] = phidex.status()["collections"].get(name, {})
    return {
        "collection": fingerprint(sorted((entry.source.name, entry.source.sha256) for entry in entries)),
        "sources": len(entries),
        "chunks": status.get("chunks", 0),
        "embedder": status.get("embedder"),
    }
