"""Who is at work: this process, another, one that was killed, one on another machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time

from phidex.retrieval.lease import at_work, is_gone

EARLIER = 1.0  # by time.time()
LATER = time.time() + 1e6  # collecting and running all tests takes a while
_TELL = "import sys\nfrom phidex.retrieval.lease import at_work\nwith at_work() as t: print(t, flush=True); sys.stdin.read()"


def test_in_this_process() -> None:
    with at_work() as token, at_work() as other:
        assert token != other
        assert not is_gone(token, LATER)
        assert not is_gone(token, EARLIER)  # it is known to be at work
    assert is_gone(token, LATER)


def test_in_another_process() -> None:
    with subprocess.Popen([sys.executable, "-c", _TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        token = process.stdout.readline().strip()
        assert not is_gone(token, LATER)
        assert is_gone(token, EARLIER)
        process.kill()
    assert is_gone(token, LATER)


def test_a_process_id_that_came_again() -> None:
    with at_work() as token:
        host, pid, birth, rest = token.split("/")
    if birth:  # where the system tells it
        assert is_gone(f"{host}/{os.getppid()}/{birth}9/{rest}", LATER)
    assert pid == str(os.getpid())


def test_on_another_machine() -> None:
    token = f"not-{socket.gethostname()}/1/2/3"
    assert not is_gone(token, LATER)
    assert is_gone(token, EARLIER)


def test_no_token() -> None:
    assert is_gone("", LATER)
    assert is_gone("host/x/1/2", EARLIER)
