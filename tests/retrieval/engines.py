"""Ends the engines that tests start, and makes the points they write."""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phidex.retrieval import runtime
from phidex.retrieval.edge import EdgeStore
from phidex.retrieval.store import Point, Schema, SparseVector
from phidex.settings import StoreSettings

SCHEMA = Schema(8, sparse=True, indexes={"k": "keyword"})


def settings(**values: Any) -> StoreSettings:
    """The store's settings, the rest at its defaults."""
    return StoreSettings(**values)


def id_of(number: int) -> str:
    return str(uuid.UUID(int=number))


def points_of(numbers: range, *, text: str = "x") -> list[Point]:
    """One point a number, with both vectors."""
    ones = np.ones(8, np.float32)
    return [
        Point(id_of(n), {"n": n, "k": "a", "text": text}, ones, SparseVector(np.array([n], np.uint32), ones[:1]))
        for n in numbers
    ]


def pid_of(data: Path) -> int:
    return runtime.read_note(data / runtime.NOTE).get("pid", 0)


def wait_until_left(data: Path, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while runtime.is_held(data):
        assert time.monotonic() < deadline, f"the engine of {data} did not leave"
        time.sleep(0.02)


def end_engine(data: Path, seconds: float = 15) -> None:
    """Tell the engine to leave, and any that was waiting for its place."""
    deadline = time.monotonic() + seconds
    while runtime.is_held(data):
        assert time.monotonic() < deadline, f"the engine of {data} did not leave"
        if pid := pid_of(data):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        time.sleep(0.05)


class Opened:
    """Stores on one data folder, closed at the end of the test together with the folder's engine."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._stores: list[EdgeStore] = []

    def __call__(self, *, idle_s: float = 30, min_free_mb: int = 1, timeout_s: float = 20) -> EdgeStore:
        store = EdgeStore(self.data, settings(idle_s=idle_s, min_free_mb=min_free_mb, timeout_s=timeout_s))
        self._stores.append(store)
        return store

    def end(self) -> None:
        for store in self._stores:
            store.close()
        end_engine(self.data)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    opened = Opened(tmp_path / "data")
    yield opened
    opened.end()
