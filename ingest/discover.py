"""Finds the files of an ingest: what was named, and what lies under named folders."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from phidex.errors import NotFoundError
from phidex.ingest.parse import SUFFIXES

_NAMESPACE = uuid.UUID("6c0e1a6e-2f0b-5c0f-9d0a-70686964ff78")
_HIDDEN_FOLDERS = {"__pycache__", "node_modules"}
_DATA_FOLDER = "engine.lock"  # stands in a data folder of ours (retrieval/runtime.py)


@dataclass(frozen=True, slots=True)
class Found:
    """A file to ingest, or one to leave out and why.

    Args:
        failed: what it holds is missed: a folder that cannot be read.
    """

    path: Path
    reason: str = ""
    failed: bool = False


def check_paths(paths: Sequence[Path]) -> None:
    """Raises NotFoundError when a path does not exist, before anything is made for it."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise NotFoundError(f"no such file or folder: {missing[0]}", hint="check the path")


def discover(paths: Sequence[Path], exclude: Path | None = None) -> Iterator[Found]:
    """Every file once, in the order of `paths`, folders sorted by name.

    Under a folder, hidden files and folders and data folders of ours are passed over, and files of unknown kind come with the
    reason; a file that is named itself is always tried. Folders that cannot be read come after the rest.

    Args:
        exclude: a folder that is never walked: our own data folder may lie among the documents.

    Raises:
        NotFoundError: a path does not exist.
    """
    check_paths(paths)
    seen: set[Path] = set()
    for path in paths:
        for found in _walk(path, exclude) if path.is_dir() else [Found(path)]:
            resolved = found.path.resolve()
            if resolved not in seen:
                seen.add(resolved)
                yield found


def _walk(folder: Path, exclude: Path | None) -> Iterator[Found]:
    own = exclude.resolve() if exclude else None
    errors: list[OSError] = []
    for root, folders, files in os.walk(folder, onerror=errors.append):
        if Path(root).resolve() == own:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not _is_passed_over(Path(root, name)))
        for name in sorted(files):
            if name.startswith("."):
                continue
            path = Path(root, name)
            yield Found(path, "" if path.suffix.lower() in SUFFIXES else "not a kind of document that is read here")
    for error in errors:
        yield Found(Path(error.filename), f"cannot be read: {error.strerror}", failed=True)


def _is_passed_over(folder: Path) -> bool:
    if folder.name.startswith(".") or folder.name in _HIDDEN_FOLDERS:
        return True
    try:
        return (folder / _DATA_FOLDER).exists()
    except OSError:  # the walk itself meets this too, and reports it
        return False


def source_id(collection: str, path: Path) -> str:
    """UUIDv5 of collection and place: stable when the content changes."""
    return str(uuid.uuid5(_NAMESPACE, f"{collection}\x1f{path.resolve().as_uri()}"))
