"""Worker processes: what a bad file does to one costs that file alone, and nothing is left running or lying about."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.ingest.faults import stage

from phidex.errors import ServiceError
from phidex.ingest.run.prepare import Failed, Prepared, Recipe, Task
from phidex.ingest.run.process import LostWorkerError
from phidex.ingest.run.worker import Page
from phidex.ingest.run.workers import Event, WorkerPool

_RECIPE = Recipe()
_ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def findable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers look for the stage where this process does."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(_ROOT)])


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., list[Task]]:
    def write(*texts: str) -> list[Task]:
        tasks: list[Task] = []
        for number, text in enumerate(texts):
            path = tmp_path / f"f{number}.txt"
            path.write_text(text)
            tasks.append(Task(number, path, path.as_uri(), str(uuid.uuid4()), _RECIPE, size_bytes=len(text)))
        return tasks

    return write


def run(pool: WorkerPool, tasks: Sequence[Task]) -> dict[int, Prepared | Failed]:
    """The results by number, each task answered exactly once."""
    found: dict[int, Prepared | Failed] = {}
    for event in pool.run(iter(tasks)):
        if isinstance(event, Prepared | Failed):
            assert event.number not in found
            if isinstance(event, Prepared):
                list(event.pieces)
            found[event.number] = event
    assert found.keys() == {task.number for task in tasks}
    return found


def reasons(found: dict[int, Prepared | Failed]) -> dict[int, str]:
    return {number: result.reason for number, result in sorted(found.items()) if isinstance(result, Failed)}


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def test_results_come_back_with_their_pieces(write: Callable[..., list[Task]]) -> None:
    tasks = write(*(f"word a{number}" for number in range(40)))
    with WorkerPool(workers=2, stage=stage) as pool:
        found: dict[int, list[object]] = {}
        for event in pool.run(iter(tasks)):
            if isinstance(event, Prepared):
                found[event.number] = [extra for _, extra in event.pieces]
        assert found == {number: [f"a{number}"] for number in range(40)}
        assert pool.replaced == 0
        pids = pool.process_ids
        assert 1 <= len(pids) <= 2
    assert not any(map(is_running, pids))


def test_one_file_starts_one_worker(write: Callable[..., list[Task]]) -> None:
    with WorkerPool(workers=4, stage=stage) as pool:
        run(pool, write("word"))
        assert len(pool.process_ids) == 1


@pytest.mark.parametrize(("bad", "reason"), [("segfault", "SIGSEGV"), ("exit", "exit code 3")])
def test_a_crash_costs_that_file_alone(write: Callable[..., list[Task]], bad: str, reason: str) -> None:
    """In the middle of a job of small files; it is tried once more, alone, and then given up."""
    tasks = write(*("word" for _ in range(10)), bad, *("word" for _ in range(30)))
    with WorkerPool(workers=2, stage=stage) as pool:
        assert reasons(run(pool, tasks)) == {10: f"crashed its reader twice ({reason})"}
        assert pool.replaced == 2


def test_a_crash_that_does_not_come_again_costs_nothing(write: Callable[..., list[Task]], tmp_path: Path) -> None:
    with WorkerPool(workers=1, stage=stage) as pool:
        assert not reasons(run(pool, write("word", f"segfault-once {tmp_path / 'marker'}", "word")))
        assert pool.replaced == 1


def test_every_file_crashes(write: Callable[..., list[Task]]) -> None:
    with WorkerPool(workers=2, stage=stage) as pool:
        assert len(reasons(run(pool, write(*["exit"] * 5)))) == 5


def test_a_hang_ends_with_all_that_it_started(write: Callable[..., list[Task]], tmp_path: Path) -> None:
    tasks = write("word", f"child {tmp_path / 'pid'}", "word")
    with WorkerPool(workers=1, timeout_s=1, stage=stage) as pool:
        assert reasons(run(pool, tasks)) == {1: "made no progress for 1 s"}
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not is_running(pid))


def test_progress_keeps_a_long_document_alive(write: Callable[..., list[Task]]) -> None:
    with WorkerPool(workers=1, timeout_s=1, stage=stage) as pool:
        events = list(pool.run(iter(write("beat 25"))))
    assert any(isinstance(event, Prepared) for event in events)
    pages = [event for event in events if isinstance(event, Page)]
    assert len(pages) > 5
    assert pages[-1].total == 25


def test_what_takes_for_ever_is_ended_although_it_progresses(write: Callable[..., list[Task]]) -> None:
    with WorkerPool(workers=1, timeout_s=0.3, stage=stage) as pool:
        assert reasons(run(pool, write("beat 1000"))) == {0: "took longer than 3 s"}


def test_a_frozen_worker_is_ended(write: Callable[..., list[Task]]) -> None:
    """Stopped by a signal: it holds its socket open, and says nothing any more."""
    with WorkerPool(workers=1, timeout_s=1, stage=stage) as pool:
        events = pool.run(iter(write("beat 1000")))
        while not isinstance(next(events), Page):
            pass
        os.kill(pool.process_ids[0], signal.SIGSTOP)
        assert [event.reason for event in events if isinstance(event, Failed)] == ["made no progress for 1 s"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory exactly")
def test_too_much_memory_is_refused_by_the_system(write: Callable[..., list[Task]]) -> None:
    """The allocation fails; the worker lives on."""
    with WorkerPool(workers=1, memory_mb=256, stage=stage) as pool:
        assert reasons(run(pool, write("swell 512", "word"))) == {0: "MemoryError: "}
        assert pool.replaced == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process tree's memory")
def test_memory_of_what_a_parser_starts_counts(write: Callable[..., list[Task]]) -> None:
    with WorkerPool(workers=1, memory_mb=256, stage=stage) as pool:
        assert reasons(run(pool, write("word", "swell-children 200", "word"))) == {1: "needs more than 256 MB of memory"}
        assert pool.replaced == 2  # the first might have kept memory of other files


def test_a_stage_that_raises_or_returns_what_cannot_travel(write: Callable[..., list[Task]]) -> None:
    with WorkerPool(workers=1, stage=stage) as pool:
        found = reasons(run(pool, write("raise", "lambda", "word")))
        assert found[0] == "RuntimeError: broken"
        assert "pickle" in found[1]
        assert found.keys() == {0, 1}
        assert pool.replaced == 0


def test_a_long_result_is_handed_over_as_it_is_read(write: Callable[..., list[Task]]) -> None:
    with WorkerPool(workers=2, stage=stage) as pool:
        read: dict[int, int] = {}
        for event in pool.run(iter(write("many 30000", "word", "many 1000"))):
            if isinstance(event, Prepared) and event.number:
                read[event.number] = sum(1 for _ in event.pieces)
            elif isinstance(event, Prepared):  # only its beginning is wanted: the rest must not be taken for something else
                read[0] = next(iter(event.pieces))[1]
        assert read == {0: 0, 1: 0, 2: 1000}


def test_a_worker_that_dies_over_its_result(write: Callable[..., list[Task]]) -> None:
    """Who reads it is told; the file is tried again."""
    with WorkerPool(workers=1, stage=stage) as pool:
        events = pool.run(iter(write("many 200000")))
        first = next(event for event in events if isinstance(event, Prepared))
        os.kill(pool.process_ids[0], signal.SIGKILL)
        with pytest.raises(LostWorkerError):
            list(first.pieces)
        second = next(event for event in events if isinstance(event, Prepared))
        assert sum(1 for _ in second.pieces) == 200000
        assert list(events) == []


def test_a_killed_worker_is_replaced(write: Callable[..., list[Task]]) -> None:
    """As by the system when memory is short."""
    tasks = write(*("beat 3" for _ in range(12)))
    with WorkerPool(workers=2, stage=stage) as pool:
        found: list[Event] = []
        killed = False
        for event in pool.run(iter(tasks)):
            if isinstance(event, Prepared) and not killed:
                os.kill(pool.process_ids[0], signal.SIGKILL)
                killed = True
            found.append(event)
        assert sum(isinstance(event, Prepared) for event in found) == 12
        assert pool.replaced == 1


def test_workers_that_cannot_start_are_an_error(write: Callable[..., list[Task]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phidex.ingest.run.process._COMMAND", "raise SystemExit('no such luck')")
    with WorkerPool(workers=1, stage=stage) as pool, pytest.raises(ServiceError, match="cannot be started") as caught:
        run(pool, write("word"))
    assert "no such luck" in caught.value.message


def test_no_more_tasks_are_taken_than_can_be_begun_soon(write: Callable[..., list[Task]]) -> None:
    taken = 0

    def tasks() -> Iterator[Task]:
        nonlocal taken
        for task in write(*(f"word {'x' * 70_000}" for _ in range(50))):  # too large to share a job
            taken += 1
            yield task

    with WorkerPool(workers=2, stage=stage) as pool:
        events = pool.run(tasks())
        while not isinstance(next(events), Prepared):
            pass
        assert taken <= 10


def test_nothing_is_left_in_the_temporary_folder(
    write: Callable[..., list[Task]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "tmp"
    (place / f"phidex-ingest-{2**22 + 1}-dead").mkdir(parents=True)  # of a process that was killed: no pid is as high
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with WorkerPool(workers=1, stage=stage) as pool:
        run(pool, write("litter", "segfault", "litter"))
        assert len(list(place.iterdir())) == 1
    assert not list(place.iterdir())


_PARENT = textwrap.dedent(
    """
    import sys, uuid
    from pathlib import Path
    from phidex.ingest.run.prepare import Recipe, Task
    from phidex.ingest.run.workers import WorkerPool
    from tests.ingest.faults import stage

    tasks = [Task(n, Path(sys.argv[1]), "file:///x", str(uuid.uuid4()), Recipe(), size_bytes=1 << 20) for n in range(2)]
    with WorkerPool(workers=2, stage=stage) as pool:
        for _ in pool.run(iter(tasks)):
            print(*pool.process_ids, flush=True)
    """
)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, how: signal.Signals) -> None:
    """In the middle of a file, however the parent ends; no script of the caller's is run a second time."""
    path = tmp_path / "f.txt"
    path.write_text("hang")
    environment = {**os.environ, "PYTHONPATH": str(_ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", _PARENT, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment) as parent:
        assert parent.stdout is not None
        pids: list[int] = []
        while len(pids) < 2:
            pids = [int(word) for word in parent.stdout.readline().split()]
        parent.send_signal(how)
        parent.wait(10)
    wait_until(lambda: not any(map(is_running, pids)))
