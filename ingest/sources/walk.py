"""The files of a plain folder, by name; what is a repository or an archive in it is handed on to who can read it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from phidex.ingest.parse import SUFFIXES
from phidex.ingest.sources.found import Found, Scope

UNKNOWN = "not a kind of document that is read here"
NOT_REGULAR = "not a regular file"

_HIDDEN_FOLDERS = frozenset(("__pycache__", "node_modules"))
_DATA_FOLDER = "engine.lock"  # stands in a data folder of ours (retrieval/runtime.py)

Opened = Callable[[Path], Iterator[Found] | None]
"""Reads a folder or file that is more than that; None where it is not."""


def walk_folder(folder: Path, scope: Scope, *, open_folder: Opened, open_file: Opened) -> Iterator[Found]:
    """Every file under a folder, sorted by name, the files of a folder before its subfolders.

    Hidden files and folders and data folders of ours are passed over; links to folders are not followed; files of unknown kind
    and what is no regular file come with the reason. Folders that cannot be read come after the rest.

    Args:
        open_folder: asked for each subfolder: one that is a repository is read as such.
        open_file: asked for each file of unknown kind: it may be an archive.
    """
    errors: list[OSError] = []
    own = os.path.realpath(scope.exclude) if scope.exclude else ""
    pending = [folder]
    while pending:
        here = pending.pop()
        if own and os.path.realpath(here) == own:
            continue
        nested = open_folder(here) if here != folder else None
        if nested is not None:
            yield from nested
            continue
        files, folders = _entries(here, scope, errors)
        for path in files:
            yield from _file(path, open_file)
        pending += reversed(folders)
    for error in errors:
        reason, hint = f"cannot be read: {error.strerror}", "check its permissions"
        yield Found(Path(os.fsdecode(error.filename or folder)), reason=reason, failed=True, hint=hint)


def _entries(folder: Path, scope: Scope, errors: list[OSError]) -> tuple[list[Path], list[Path]]:
    """The files and the subfolders to look at, each sorted by name."""
    files: list[str] = []
    folders: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                elif entry.is_symlink() and _is_folder(entry):
                    scope.skips.add("link to a folder", str(folder / entry.name))
                else:
                    files.append(entry.name)
    except OSError as exc:
        errors.append(exc)
    wanted = (folder / name for name in sorted(folders) if not name.startswith(".") and name not in _HIDDEN_FOLDERS)
    return (
        [folder / name for name in sorted(files) if not name.startswith(".")],
        [path for path in wanted if not is_data_folder(path)],
    )


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle; told as a file
        return False


def is_data_folder(folder: Path) -> bool:
    """Whether it is a data folder of ours."""
    try:
        return (folder / _DATA_FOLDER).exists()
    except OSError:  # the walk itself meets this too, and reports it
        return False


def _file(path: Path, open_file: Opened) -> Iterator[Found]:
    if reason := why_not_a_file(path):
        yield Found(path, reason=reason)
    elif path.suffix.lower() in SUFFIXES:
        yield Found(path)
    else:
        inner = open_file(path)
        yield from inner if inner is not None else (Found(path, reason=UNKNOWN),)


def why_not_a_file(path: Path) -> str:
    """Why a path is nothing to open (a pipe, a socket, a device, a link to nothing); "" for a regular file.

    It is never opened to find out: opening a pipe waits for its writer.
    """
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        if exc.errno == errno.ELOOP:
            return "a symbolic link that leads in a circle"
        return "a symbolic link to nothing" if path.is_symlink() else f"cannot be read: {exc.strerror}"
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISBLK, "a device"), (stat.S_ISCHR, "a device"))
    named = next((f" ({name})" for test, name in kinds if test(mode)), "")
    return "" if stat.S_ISREG(mode) else NOT_REGULAR + named
