"""A stage function for the pool's tests, which does to its worker what the file says: parsers that go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from phidex.ingest.records import Chunk, LineLocator, Source
from phidex.ingest.run.prepare import Failed, OnPage, Prepared, Task


def stage(task: Task, on_page: OnPage | None = None) -> Prepared | Failed:
    """What the first word of the file asks for; the file's words come back as chunks."""
    assert on_page is not None
    word, *rest = task.path.read_text().split()
    match word:
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "segfault-once":
            marker = Path(rest[0])
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(3)
        case "hang":
            time.sleep(3600)
        case "child":  # what parsers start must end with them
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
            Path(rest[0]).write_text(str(child.pid))
            time.sleep(3600)
        case "beat":
            for page in range(int(rest[0])):
                on_page(page, int(rest[0]))
                time.sleep(0.1)
        case "swell":
            held = bytearray(int(rest[0]) << 20)
            held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])
        case "swell-children":  # each below the limit, which it inherits
            code = (
                f"import time; held = bytearray({int(rest[0])} << 20); held[::4096] = b'x' * len(held[::4096]); time.sleep(60)"
            )
            children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
            for child in children:
                child.wait()
        case "raise":
            raise RuntimeError("broken")
        case "lambda":
            return _prepared(task, [lambda: None])
        case "many":
            return _prepared(task, list(range(int(rest[0]))))
        case "litter":
            Path(os.environ["TMPDIR"], "left.bin").write_bytes(b"x")
        case _:
            pass
    return _prepared(task, rest)


def _prepared(task: Task, extras: Sequence[object]) -> Prepared:
    source = Source(task.source_id, task.uri, "text", task.path.name, "0" * 64, "en", "text/plain")
    chunk = Chunk("c", task.source_id, LineLocator(task.path.name, 1, 1), "text", "text", "en", 0)
    return Prepared(task.number, source, "d", [(chunk, extra) for extra in extras])
