"""Where the engine of a data folder is found: its socket in a private folder of the user, its lock and its note in the data.

Paths of Unix sockets are limited to about 107 bytes, so the socket's name is a hash of the data folder. The note
`engine.json` says where the socket is, for a client whose environment would put it elsewhere; it is removed by a clean exit,
so that one found under a free lock means a crash.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import socket
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

from phidex.errors import ConfigError

_PLACE_BYTES = 50  # what the name of the folder and the socket leave of the 103 bytes that macOS allows
LOCK = "engine.lock"
NOTE = "engine.json"
LOG = "engine.log"
CRASH = "engine.crash.json"
UNREACHABLE = 75  # the engine's exit code where another process holds the folder and does not answer here


def runtime_folder() -> Path:
    """This user's folder for sockets, 0700, made when missing.

    Raises: ConfigError when what stands in its place belongs to someone else or is open to others.
    """
    # The one variable read outside the settings: a convention of the system, not a choice of ours.
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    if given and _is_private(Path(given)):
        folder = Path(given) / "phidex"
    else:
        place = tempfile.gettempdir()
        folder = Path(place if len(os.fsencode(place)) <= _PLACE_BYTES else "/tmp") / f"phidex-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"the folder {folder} for the engine's socket cannot be made: {exc.strerror}") from exc
    if not _is_private(folder):
        hint = f"remove {folder}, or set TMPDIR or XDG_RUNTIME_DIR to a folder of yours"
        raise ConfigError(f"the folder {folder} for the engine's socket is not yours alone", hint=hint)
    return folder


def socket_path(data: Path) -> Path:
    """Where the engine of this data folder listens, as this process's environment has it."""
    name = hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:24]
    return runtime_folder() / f"{name}.sock"


def noted_socket(data: Path) -> Path | None:
    """Where the running engine says that it listens; None without a note or where others could have put the socket."""
    note = read_note(data / NOTE)
    path = Path(str(note.get("socket", "")))
    return path if path.is_absolute() and _is_private(path.parent) else None


def is_held(data: Path) -> bool:
    """Whether an engine lives that serves this data folder: its lock is held."""
    with contextlib.suppress(FileNotFoundError), (data / LOCK).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def read_note(path: Path) -> dict[str, Any]:
    """The JSON object in the file; empty when it is missing or broken (a full disk may cut it short)."""
    try:
        note = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}  # pyright: ignore[reportUnknownVariableType]  # a JSON object


def write_note(path: Path, note: dict[str, Any]) -> None:
    """Replace the file in one step."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


def peer_is_me(connection: socket.socket) -> bool:
    """Whether the process at the other end runs as this user; True where the system cannot say (the folder guards)."""
    if sys.platform != "linux":
        return True
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid == os.getuid()


def _is_private(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
