"""Who is at work on something right now: a token that others can tell a living writer from a killed one by.

A token names the host, the process and the piece of work. On its own host a writer is gone as soon as its process is; on
another host, when its lease has run out without being renewed.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Generator
from pathlib import Path

LEASE_S = 300.0  # a writer that said nothing for so long is given up: longer than any step between two renewals
RENEW_S = 20.0

_working: set[str] = set()  # tokens of this process


@contextlib.contextmanager
def at_work() -> Generator[str]:
    """The token of a piece of work, good until the block is left."""
    token = f"{_host()}/{os.getpid()}/{_birth(os.getpid())}/{uuid.uuid4().hex}"
    _working.add(token)
    try:
        yield token
    finally:
        _working.discard(token)


def is_gone(token: str, until: float) -> bool:
    """Whether the writer can be taken for dead, or done; `until` is when its lease ends, by time.time()."""
    host, pid, birth, _ = token.split("/") if token.count("/") == 3 else ("", "", "", "")
    if not host:
        return True
    if host == _host():
        if int(pid) == os.getpid() and birth == _birth(os.getpid()):
            return token not in _working
        if not _lives(int(pid)) or _birth(int(pid)) != birth:
            return True
    return time.time() > until


def _host() -> str:
    """This machine; of containers that share a name each one, since their process ids are their own."""
    try:
        return f"{socket.gethostname()}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return socket.gethostname()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and is someone else's
        return True
    return True


def _birth(pid: int) -> str:
    """When the process started, in the system's own count: process ids come again. Empty where the system does not say."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
