"""The SDK's calls in threads: so many at a time, the rest in a queue of bounded length; the event loop never waits.

A call whose client has left is cancelled: one that still waits is never begun, one that runs is told by its event.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from starlette.requests import ClientDisconnect, Request

from phidex.server.faults import RefusedError

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """Threads for one kind of work.

    Args:
        queue: calls that wait; more are refused.
    """

    def __init__(self, name: str, threads: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"phidex-{name}")
        self._most = threads + queue
        self._lock = threading.Lock()
        self._there = 0

    @property
    def there(self) -> int:
        """Calls that run or wait."""
        return self._there

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns.

        Raises:
            RefusedError: too many wait.
        """
        return await asyncio.wrap_future(self.submit(partial(function, *args, **kwargs)))

    def submit(self, function: Callable[[], T]) -> Future[T]:
        """The call, begun when a thread is free. Raises: RefusedError where too many wait, or the lane is closed."""
        with self._lock:
            if self._there >= self._most:
                raise RefusedError(503, "busy", "the server has too much to do", hint="try again in a moment", retry_s=1)
            self._there += 1
        try:
            future = self._pool.submit(function)
        except RuntimeError as exc:
            with self._lock:
                self._there -= 1
            raise _ended() from exc
        future.add_done_callback(self._left)
        return future

    def close(self) -> None:
        """Begin nothing more; what runs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _left(self, _: Future[Any]) -> None:
        with self._lock:
            self._there -= 1


async def run_cancellable(
    request: Request, lane: Lane, function: Callable[[threading.Event], T], *, timeout_s: float, closing: asyncio.Event
) -> T:
    """What the function returns; its event is set when the client leaves, time is up or the server must end.

    Raises:
        ClientDisconnect: nobody is there to be told.
        RefusedError: time is up, or the server ends.
    """
    cancelled = threading.Event()
    task = asyncio.ensure_future(lane(function, cancelled))
    left, ending = asyncio.ensure_future(_wait_until_left(request)), asyncio.ensure_future(closing.wait())
    try:
        done, _ = await asyncio.wait({task, left, ending}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            return task.result()
        if left in done:
            raise ClientDisconnect
        raise _ended() if ending in done else _too_long(timeout_s)
    finally:
        cancelled.set()
        for one in (task, left, ending):
            one.cancel()


async def follow(
    lane: Lane, begin: Callable[[threading.Event], Iterator[T]], *, timeout_s: float, closing: asyncio.Event, idle_s: float
) -> AsyncGenerator[T | None]:
    """The items of an iterator that a thread walks; None whenever nothing came for `idle_s`.

    Closing it sets the iterator's event, and so ends the work behind it.

    Raises:
        RefusedError: time is up, or the server ends.
    """
    loop, items, cancelled = (
        asyncio.get_running_loop(),
        asyncio.Queue[tuple[T | None, BaseException | None]](),
        threading.Event(),
    )

    def tell(item: T | None, fault: BaseException | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(items.put_nowait, (item, fault))

    def walk() -> None:
        try:
            for item in begin(cancelled):
                tell(item, None)
            tell(None, StopIteration())
        except Exception as exc:  # noqa: BLE001  told to the other side
            tell(None, exc)

    future = lane.submit(walk)
    deadline = loop.time() + timeout_s
    ending = asyncio.ensure_future(closing.wait())
    getting: asyncio.Task[tuple[T | None, BaseException | None]] | None = None
    try:
        while True:
            getting = getting or asyncio.ensure_future(items.get())
            wait_s = min(idle_s, deadline - loop.time())
            done, _ = await asyncio.wait({getting, ending}, timeout=max(0.0, wait_s), return_when=asyncio.FIRST_COMPLETED)
            if getting in done:
                (item, fault), getting = getting.result(), None
                if isinstance(fault, StopIteration):
                    return
                if fault is not None:
                    raise fault
                yield item
            elif ending in done:
                raise _ended()
            elif loop.time() >= deadline:
                raise _too_long(timeout_s)
            else:
                yield None
    finally:
        cancelled.set()
        future.cancel()
        ending.cancel()
        if getting is not None:
            getting.cancel()


async def _wait_until_left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _too_long(timeout_s: float) -> RefusedError:
    hint = "ask for less, or raise PHIDEX_SERVER__ANSWER_TIMEOUT_S"
    return RefusedError(504, "timeout", f"it was not done within {timeout_s:g} s", hint=hint)


def _ended() -> RefusedError:
    return RefusedError(503, "shutting_down", "the server is shutting down", hint="ask again in a moment", retry_s=2)
