"""The pool on a Ray cluster: the same stage in the same worker processes, on every node that there is.

    tasks -> jobs, with the files' bytes -> Ray tasks, one a core -> a `WorkerPool` of one worker on the node -> results

Only documents and what is to be stored of them travel: nodes need Phidex, and neither the files nor the store. Blobs
that belong into a folder come back through Ray's object store, one by one, and are put there by us; those that belong to an
address are put there by the nodes. A node that is lost has its jobs run again by Ray elsewhere; limits of time and memory are
those of the worker processes.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import logging
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from phidex.errors import ConfigError, InputError, ServiceError
from phidex.ingest.run.blobs import Blobs
from phidex.ingest.run.carried import carried
from phidex.ingest.run.prepare import Failed, Prepared, Task
from phidex.ingest.run.worker import Page
from phidex.ingest.run.workers import Event, LostWorkerError, WorkerPool

log = logging.getLogger(__name__)

_JOBS_A_CORE = 2  # one that runs, one that waits beside it
_JOB_BYTES = 1 << 20
_JOB_TASKS = 16
_BYTES_AWAY = 512 << 20  # of documents that are out at the same time
_LOOK_S = 0.25
_TRIES = 3  # that Ray gives a job whose node or process is lost
_CONNECT_S = 60.0
_KNOCK_S = 10.0
_MB = 1 << 20
_TRIES_ALONE = 2  # that we give a file whose result was lost

_Result = tuple[Prepared | Failed, list[tuple[str, Any]]]
"""A result, with ids of its blobs and references to their bytes in Ray's object store."""


@dataclass(slots=True)
class _Job:
    """Tasks that travel together; `lost` says how often they were already."""

    tasks: list[Task]
    lost: int = 0
    size_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.size_bytes = sum(task.size_bytes for task in self.tasks)


class Cluster:
    """A connection to a Ray cluster, checked: every node answers and has this version of Phidex.

    Args:
        address: `host:port` of the cluster's head, `ray://…`, or "auto" for the one this machine belongs to; "": one is
            started on this machine, and ends with the connection.

    Raises:
        ConfigError: Ray is not installed, there is no such cluster, or a node cannot run the same Phidex.
    """

    def __init__(self, address: str = "") -> None:
        self.ray = _connected(address)
        try:
            self._nodes = self._alive()
            self._check_version()
        except BaseException:
            self.close()
            raise
        self._lost = 0
        self.cores = max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def lost(self) -> int:
        """Nodes that were there at the beginning and are not any more, as far as the cluster knows yet, or knew at last."""
        with contextlib.suppress(ServiceError):
            self._lost = len(self._nodes - self._alive())
        return self._lost

    def close(self) -> None:
        """Let go of the cluster; what still runs there for us is given up."""
        self.ray.shutdown()

    def _alive(self) -> set[str]:
        try:
            return {node["NodeID"] for node in self.ray.nodes() if node["Alive"]}
        except Exception as exc:  # Ray raises RuntimeErrors of many kinds here
            raise ServiceError(f"the Ray cluster does not answer: {exc}", hint="ray status", retryable=True) from exc

    def _check_version(self) -> None:
        """A node with another version would cut documents in another way."""
        ask = self.ray.remote(num_cpus=0)(_version)
        strategy: Any = importlib.import_module("ray.util.scheduling_strategies")
        cure = "pip install the same phidex on every node"
        for node in self._nodes:
            at = strategy.NodeAffinitySchedulingStrategy(node_id=node, soft=False)
            try:
                found = self.ray.get(ask.options(scheduling_strategy=at).remote(), timeout=_CONNECT_S)
            except self.ray.exceptions.RayError as exc:
                cause = str(exc).strip().splitlines()[-1]
                raise ConfigError(f"a node of the Ray cluster cannot run Phidex: {cause}", hint=cure) from exc
            if found != version("phidex"):
                raise ConfigError(f"a node of the Ray cluster has Phidex {found}, we {version('phidex')}", hint=cure)


class ClusterPool:
    """See `Pool`: results of a Ray cluster.

    Args:
        workers: jobs that run at the same time; 0: one for each core of the cluster.
        memory_mb, timeout_s: the limits of one worker process, see `WorkerPool`.
    """

    def __init__(self, cluster: Cluster, *, workers: int = 0, memory_mb: int = 2048, timeout_s: float = 120.0) -> None:
        self.limit = workers or cluster.cores
        self._cluster = cluster
        self._ray = cluster.ray
        self._run_job = self._ray.remote(num_cpus=1, max_retries=_TRIES)(_run_job)
        self._limits = (memory_mb, timeout_s)
        self._replaced = 0
        self._out: dict[Any, _Job] = {}
        self._waiting: list[_Job] = []

    @property
    def replaced(self) -> int:
        """Worker processes that were lost, and nodes."""
        return self._replaced + self._cluster.lost

    def close(self) -> None:
        """Give up what still runs."""
        for reference in self._out:
            with contextlib.suppress(Exception):
                self._ray.cancel(reference, force=True)
        self._out.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, tasks: Iterator[Task | None]) -> Iterator[Event]:
        """See `Pool`.

        Raises:
            ServiceError: the cluster is lost.
        """
        more = True
        while True:
            while more and len(self._waiting) < self.limit and self._has_room():
                job, more = _next_job(tasks)
                if job is None:
                    break
                self._waiting.append(job)
            self._send()
            if not self._out:
                if not more:
                    return
                yield None
                continue
            ready, _ = self._ray.wait(list(self._out), num_returns=1, timeout=_LOOK_S)
            if not ready:
                yield None
            for reference in ready:
                yield from self._take(reference)

    def _has_room(self) -> bool:
        return sum(job.size_bytes for job in (*self._out.values(), *self._waiting)) < _BYTES_AWAY

    def _send(self) -> None:
        while self._waiting and len(self._out) < _JOBS_A_CORE * self.limit:
            job = self._waiting.pop(0)
            loaded, failed = _loaded(job.tasks)
            self._out[self._run_job.remote(loaded, failed, *self._limits)] = job

    def _take(self, reference: Any) -> Iterator[Event]:
        """The results of a job; one that was lost as often as Ray tries is split, until the file at fault is alone."""
        job = self._out.pop(reference)
        left = {task.number: task for task in job.tasks}
        try:
            results, replaced = self._ray.get(reference)
            self._replaced += replaced
            for result, blobs in results:
                self._put(left[result.number], blobs)
                yield result
                del left[result.number]
        except self._ray.exceptions.RayTaskError as exc:
            raise ServiceError(f"the cluster's worker failed: {exc.cause}", hint="see Ray's logs") from exc
        except self._ray.exceptions.RayError as exc:
            log.warning("job lost tasks=%d error=%s", len(left), type(exc).__name__)
            if len(job.tasks) > 1 or job.lost < _TRIES_ALONE:
                self._waiting += [_Job([task], job.lost + (len(job.tasks) == 1)) for task in left.values()]
                return
            yield Failed(job.tasks[0].number, f"lost with its node or process again and again ({type(exc).__name__})")

    def _put(self, task: Task, blobs: Sequence[tuple[str, Any]]) -> None:
        """Put the blobs that have come back where they belong, each before the next is fetched."""
        place = Blobs(task.recipe.blobs)
        for identity, reference in blobs:
            stem, dot, suffix = identity.rpartition("/")[2].partition(".")
            place.put(task.source_id, self._ray.get(reference), dot + suffix, sha256=stem)


def _connected(address: str) -> Any:
    """Ray, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a cluster that is started here reports nothing to Ray's makers
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # the coming default; silences a warning about it
    try:
        ray: Any = importlib.import_module("ray")
    except ImportError as exc:
        raise ConfigError("Ray is not installed", hint='pip install "phidex[ray]"') from exc
    if ray.is_initialized():
        raise ConfigError("this process is connected to a Ray cluster already", hint="ray.shutdown() first")
    _knock(address)
    try:
        ray.init(
            address=address or "local",
            namespace="phidex",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, RuntimeError, ValueError, OSError) as exc:
        cause = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
        raise ConfigError(f"no Ray cluster at {address or 'this machine'}: {cause}", hint="ray start --head") from exc
    return ray


def _knock(address: str) -> None:
    """Raises ConfigError where nobody listens: Ray itself would try for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
    except OSError as exc:
        raise ConfigError(f"no Ray cluster at {address}: {exc.strerror or exc}", hint="ray start --head") from exc


def _next_job(tasks: Iterator[Task | None]) -> tuple[_Job | None, bool]:
    """Some small files or a large one, and whether there may be more."""
    taken: list[Task] = []
    size = 0
    for task in tasks:
        if task is None:
            return (_Job(taken) if taken else None), True
        taken.append(task)
        size += task.size_bytes
        if len(taken) == _JOB_TASKS or size >= _JOB_BYTES:
            return _Job(taken), True
    return (_Job(taken) if taken else None), False


def _loaded(tasks: Sequence[Task]) -> tuple[list[Task], list[Failed]]:
    """The tasks with their bytes, and those whose file cannot be read any more."""
    loaded: list[Task] = []
    failed: list[Failed] = []
    for task in tasks:
        try:
            loaded.append(carried(task))
        except InputError as exc:
            failed.append(Failed(task.number, exc.message, exc.hint))
        except OSError as exc:
            hint = "check that it exists and that you may read it"
            failed.append(Failed(task.number, f"cannot be read: {exc.strerror}", hint))
    return loaded, failed


# On the nodes


def _version() -> str:
    return version("phidex")


@lru_cache(maxsize=1)
def _pool(memory_mb: int, timeout_s: float) -> WorkerPool:
    """The one worker beside this process of Ray's; it stays for the next jobs."""
    pool = WorkerPool(workers=1, memory_mb=memory_mb, timeout_s=timeout_s)
    atexit.register(pool.close)
    return pool


def _run_job(tasks: list[Task], failed: list[Failed], memory_mb: int, timeout_s: float) -> tuple[list[_Result], int]:
    """The results of all tasks, each with its blobs, and how many workers were replaced for them."""
    pool = _pool(memory_mb, timeout_s)
    before = pool.replaced
    results: list[_Result] = [(one, []) for one in failed]
    with tempfile.TemporaryDirectory(prefix="phidex-blobs-") as aside:
        for event in pool.run(_stored_aside(task, aside) for task in tasks):
            if isinstance(event, Prepared):
                with contextlib.suppress(LostWorkerError):  # the pool tells what becomes of its task
                    results.append((replace(event, pieces=tuple(event.pieces)), _carried(event, aside)))
            elif event is not None and not isinstance(event, Page):
                results.append((event, []))
    return results, pool.replaced - before


def _stored_aside(task: Task, aside: str) -> Task:
    """The task with a folder of the node in place of one that only the sender is sure to see."""
    place = task.recipe.blobs
    return replace(task, recipe=replace(task.recipe, blobs=aside)) if place and "://" not in place else task


def _carried(prepared: Prepared, aside: str) -> list[tuple[str, Any]]:
    """Ids of the blobs that were stored aside, and where Ray has their bytes; the files are gone then."""
    ray: Any = importlib.import_module("ray")
    carried: list[tuple[str, Any]] = []
    for identity in prepared.blobs:
        path = Path(aside) / identity
        if path.exists():
            carried.append((identity, ray.put(path.read_bytes())))
            path.unlink()
    return carried
