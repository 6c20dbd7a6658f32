"""Following folders: a round at once, one behind each change, none for what is hidden or ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from phidex.errors import InputError
from phidex.ingest.run.watch import rounds


class Rounds:
    """The rounds of a thread, counted as they come."""

    def __init__(self, *targets: Path, exclude: Path | None = None) -> None:
        self.stop = threading.Event()
        self._came = threading.Semaphore(0)
        self.again: Callable[[], None] | None = None
        self._rounds = rounds(targets, exclude=exclude, stop=self.stop)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Rounds:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def comes(self, timeout_s: float = 10) -> bool:
        return self._came.acquire(timeout=timeout_s)

    def _run(self) -> None:
        for self.again in self._rounds:  # noqa: B020  the last one is kept
            self._came.release()


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Rounds]:
    with Rounds(tmp_path, exclude=tmp_path / "data") as found:
        assert found.comes()
        yield found


def test_a_round_behind_each_change(following: Rounds, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    assert following.comes()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.md").write_text("x")
    assert following.comes()
    assert not following.comes(1.5)
    (tmp_path / "a.md").unlink()
    assert following.comes()


def test_hidden_files_and_our_own_folder_are_left_alone(following: Rounds, tmp_path: Path) -> None:
    (tmp_path / ".a.md.new").write_text("x")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "engine.json").write_text("x")
    assert not following.comes(1.5)


def test_a_file_that_is_replaced_is_followed_on(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("one")
    with Rounds(path) as following:
        assert following.comes()
        for text in ("two", "three"):
            (tmp_path / "fresh").write_text(text)
            (tmp_path / "fresh").replace(path)
            assert following.comes()
        (tmp_path / "other.md").write_text("x")
        assert not following.comes(1.5)


def test_a_round_that_failed_comes_again(following: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phidex.ingest.run.watch._RETRY_S", 0.5)
    assert following.again is not None
    following.again()
    assert following.comes()
    assert not following.comes(1.5)


def test_only_what_lies_here_can_be_followed() -> None:
    with pytest.raises(InputError, match="cannot be followed"):
        next(rounds(["https://example.org/doc.pdf"]))
