"""Follows files and folders: tells when it is time for another round of ingest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.sources.remote import target_kind

_QUIET_MS = 400  # a round begins when nothing has changed for so long,
_BATCH_MS = 5_000  # and at the latest so long after the first change
_LOOK_MS = 500
_RETRY_S = 5.0


def rounds(
    targets: Sequence[str | Path], *, exclude: Path | None = None, stop: threading.Event | None = None
) -> Iterator[Callable[[], None]]:
    """Yields at once, then after each change below the targets, until `stop` is set; to be left by its interrupt otherwise.

    What is yielded may be called to ask for another round without a change, a little later. What changes during a round is told
    behind it. Hidden files and `exclude` are not looked at.

    Raises:
        InputError: a target is no path of this machine.
    """
    from watchfiles import watch  # Rust: it is only loaded by those who follow

    if strange := [target for target in targets if target_kind(target) != "path"]:
        raise InputError(f"{strange[0]} cannot be followed", hint="name files and folders of this machine")
    stop = stop or threading.Event()
    own = str(exclude.resolve()) if exclude else None
    roots = [Path(target).resolve() for target in targets]

    def is_ours(_: object, path: str) -> bool:
        if own and (path == own or path.startswith(f"{own}/")):
            return False
        found = Path(path)
        inside = [found.relative_to(root).parts for root in roots if found.is_relative_to(root)]
        return any(not any(part.startswith(".") for part in parts) for parts in inside)

    wanted = True  # the first round, once changes are noticed
    pauses = 0

    def again() -> None:
        nonlocal wanted, pauses
        wanted, pauses = True, int(_RETRY_S * 1000 / _LOOK_MS)

    for changes in watch(
        *{root if root.is_dir() else root.parent for root in roots},  # a file may be replaced by another: its folder stays
        watch_filter=is_ours,
        debounce=_BATCH_MS,
        step=_QUIET_MS,
        stop_event=stop,
        rust_timeout=_LOOK_MS,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        pauses -= 1
        if changes or (wanted and pauses < 0):
            wanted = False
            yield again
            if stop.is_set():
                return
