"""Bounded threads, and calls that end with their request."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from phidex.server.faults import RefusedError
from phidex.server.lanes import Lane, follow
from phidex.server.run import listening


def test_more_than_wait_are_refused() -> None:
    async def main() -> None:
        lane, go = Lane("test", 1, 1), threading.Event()
        first, second = (asyncio.ensure_future(lane(go.wait, 5)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(RefusedError) as caught:
            await lane(int)
        assert (caught.value.status, caught.value.retry_s) == (503, 1)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        go.set()
        assert await first
        assert await lane(int) == 0, "there is room again"
        lane.close()

    asyncio.run(main())


def test_lane_that_is_closed_refuses() -> None:
    lane = Lane("test", 1, 1)
    lane.close()
    with pytest.raises(RefusedError) as caught:
        lane.submit(int)
    assert (caught.value.status, caught.value.code, lane.there) == (503, "shutting_down", 0)


def test_leaving_a_stream_ends_the_work_behind_it() -> None:
    seen: list[threading.Event] = []

    def count(cancelled: threading.Event) -> Iterator[int]:
        seen.append(cancelled)
        yield 1
        cancelled.wait(10)

    async def main() -> None:
        lane = Lane("test", 1, 1)
        events = follow(lane, count, timeout_s=10, closing=asyncio.Event(), idle_s=0.01)
        assert await anext(events) == 1
        assert await anext(events) is None, "nothing came for a while"
        await events.aclose()
        assert seen[0].is_set()
        lane.close()

    asyncio.run(main())


@pytest.mark.parametrize(("timeout_s", "ends", "status"), [(0.05, False, 504), (10, True, 503)])
def test_time_and_the_end_of_the_server_end_a_stream(timeout_s: float, ends: bool, status: int) -> None:
    def silent(cancelled: threading.Event) -> Iterator[int]:
        cancelled.wait(10)
        yield 1

    async def main() -> None:
        lane, closing = Lane("test", 1, 1), asyncio.Event()
        if ends:
            asyncio.get_running_loop().call_later(0.05, closing.set)
        events = follow(lane, silent, timeout_s=timeout_s, closing=closing, idle_s=5)
        with pytest.raises(RefusedError) as caught:
            await anext(events)
        assert caught.value.status == status
        lane.close()

    asyncio.run(main())


def test_connections_send_small_answers_at_once() -> None:
    """Nagle's algorithm holds them back for 40 ms; asyncio switches it off where the socket says that it speaks TCP."""
    with listening("127.0.0.1", 0) as sock:
        sock.listen()
        with socket.create_connection(sock.getsockname()):
            accepted, _ = sock.accept()
            with accepted:
                assert accepted.proto == socket.IPPROTO_TCP
