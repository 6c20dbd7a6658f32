"""What a command prints, read with patience that ends: a command that hangs does not hang who reads it."""

from __future__ import annotations

import os
import selectors
import subprocess

from phidex.errors import ServiceError

_PIECE = 1 << 16


class Pipe:
    """The standard output of a running command.

    Args:
        timeout_s: seconds that it may be silent.
    """

    def __init__(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        assert process.stdout is not None
        self._file, self._timeout_s = process.stdout.fileno(), timeout_s
        self._ahead = b""

    def some(self, size: int = _PIECE) -> bytes:
        """What comes next, `size` bytes at most; b"" at the end.

        Raises:
            ServiceError: nothing came for too long.
        """
        data = self._ahead or self._receive(max(size, _PIECE))
        self._ahead = data[size:]
        return data[:size]

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes; fewer where it ends before.

        Raises:
            ServiceError: nothing came for too long.
        """
        parts: list[bytes] = []
        while size and (data := self.some(size)):
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def line(self) -> bytes:
        """Up to the next newline, without it; what is left where there is none.

        Raises:
            ServiceError: nothing came for too long.
        """
        parts: list[bytes] = []
        while data := self.some():
            whole, newline, rest = data.partition(b"\n")
            parts.append(whole)
            if newline:
                self._ahead = rest + self._ahead
                break
        return b"".join(parts)

    def _receive(self, size: int) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._file, selectors.EVENT_READ)
            if not selector.select(self._timeout_s):
                hint = "try again, or raise PHIDEX_INGEST__GIT_TIMEOUT_S"
                raise ServiceError(f"git said nothing for {self._timeout_s:g} s", hint=hint, retryable=True)
        return os.read(self._file, size)
