"""Saved conversations: one JSON file each, in a folder of the data folder, or wherever a path says."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, cast

from phidex.errors import InputError, NotFoundError
from phidex.generation.conversation import Conversation, Turn

FOLDER = "conversations"
"""In the data folder."""

_SUFFIX = ".json"
_MOST_BYTES = 200  # of a name: with what is put around it while it is written, file systems take 255
_TITLE_CHARS = 80
_MARKER = re.compile(r"\[\s*(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\s*\]")
_NAMES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SavedConversation:
    """One of the saved ones, without its evidence.

    Args:
        title: as people named it; otherwise its first question.
        collection: that it is over; empty where that was not said.
        changed_at: seconds since 1970.
        fault: why it cannot be read; empty where it can.
    """

    name: str
    title: str
    collection: str
    turns: int
    changed_at: float
    fault: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {name: getattr(self, name) for name in ("name", "title", "collection", "turns", "changed_at", "fault")}


class ConversationStore:
    """The conversations of one data folder. Nothing is made in it before one is saved; safe to share between threads.

    A name is a file's without its ending. Where a path is given instead (with a slash, an ending `.json`, or of a file that
    exists), that file is meant.

    Args:
        folder: that they lie in.

    Example:
        >>> import tempfile
        >>> store = ConversationStore(Path(tempfile.mkdtemp()))
        >>> _ = store.save("lease", Conversation())
        >>> [entry.name for entry in store.list()]
        ['lease']
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"ConversationStore({str(self.folder)!r})"

    def list(self) -> list[SavedConversation]:
        """All of them, the latest first; one that is damaged says so."""
        try:
            paths = [path for path in self.folder.iterdir() if path.suffix == _SUFFIX and not path.name.startswith(".")]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as exc:
            raise InputError(f"{self.folder} cannot be read: {exc.strerror}", hint="see its permissions") from exc
        found = [entry for path in paths if (entry := _entry(path)) is not None]
        return sorted(found, key=lambda entry: (-entry.changed_at, entry.name))

    def load(self, name: str | Path) -> Conversation:
        """The conversation.

        Raises:
            NotFoundError: there is none of that name.
            InputError: it is damaged, or no name can be that.
        """
        path = self.path_of(name)
        try:
            data = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            raise NotFoundError(f"there is no conversation {str(name)!r}", hint=self._nearest(name)) from None
        except OSError as exc:
            raise InputError(f"{path} holds no conversation: {exc.strerror}", hint="name another one") from exc
        except ValueError as exc:
            raise InputError(f"{path} holds no conversation: it is no JSON", hint="name another one") from exc
        return Conversation.from_dict(data)

    def resume(self, name: str | Path) -> Conversation:
        """The conversation of that name; a new one where there is none yet.

        Raises:
            InputError: see `load`; or its folder does not exist.
        """
        path = self.path_of(name)
        if path.parent != self.folder and not path.parent.is_dir():
            raise InputError(f"there is no folder {path.parent}", hint="make it, or name another file")
        return self.load(name) if path.exists() else Conversation()

    def save(self, name: str | Path, conversation: Conversation) -> Path:
        """Writes it, whole or not at all, for its owner's eyes only: it holds the documents' words.

        Raises:
            InputError: it cannot be written, no name can be that, or it would take the place of a file that is something else.
        """
        path = self.path_of(name)
        if path.parent != self.folder and path.exists() and (entry := _entry(path)) is not None and entry.fault:
            raise InputError(f"{path} is no saved conversation, and is not overwritten", hint="choose another name")
        try:
            if path.parent == self.folder:
                self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, json.dumps(conversation.to_dict(), ensure_ascii=False))
        except OSError as exc:
            hint = "name another file, or see the folder's permissions"
            raise InputError(f"the conversation cannot be kept in {path}: {exc.strerror}", hint=hint) from exc
        return path

    def rename(self, name: str, to: str) -> None:
        """Gives it another name.

        Raises:
            NotFoundError: there is none of that name.
            InputError: the other name is taken, or none can be that.
        """
        path, goal = self._kept(name), self.path_of(to)
        if goal.parent != self.folder:
            raise InputError(f"{to!r} is no name of a conversation", hint="write it without a slash and an ending")
        if goal.exists() and not goal.samefile(path):
            raise InputError(f"there is a conversation {to!r} already", hint="delete it first, or choose another name")
        try:
            path.rename(goal)
        except OSError as exc:
            raise InputError(f"{name!r} cannot be renamed: {exc.strerror}", hint="see the folder's permissions") from exc

    def delete(self, name: str) -> None:
        """Removes it for good.

        Raises:
            NotFoundError: there is none of that name.
        """
        try:
            self._kept(name).unlink()
        except OSError as exc:
            raise InputError(f"{name!r} cannot be deleted: {exc.strerror}", hint="see the folder's permissions") from exc

    def export(self, name: str | Path) -> str:
        """The conversation as Markdown: questions, answers, and the places that they name. Raises: as `load`."""
        return markdown_of(self.load(name))

    def free_name(self, conversation: Conversation) -> str:
        """A name that is not taken, by the first question; nor that of a file in the working directory (see `path_of`)."""
        words = re.sub(r"[^\w]+", "-", _title(conversation.title, [turn.question for turn in conversation.turns])).strip("-")
        stem = (words[:40].strip("-") or "conversation").lower()
        taken = {entry.name for entry in self.list()}
        names = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
        return next(name for name in names if name not in taken and not Path(name).is_file())

    def path_of(self, name: str | Path) -> Path:
        """The file that a name or a path means.

        Raises:
            InputError: no name can be that.
        """
        text = str(name)
        if "/" in text or os.sep in text or text.endswith(_SUFFIX):
            return Path(text).expanduser()
        if not text.strip() or text.startswith(".") or not text.isprintable() or len(text.encode()) > _MOST_BYTES:
            hint = f"letters, digits and spaces, at most {_MOST_BYTES} bytes"
            raise InputError(f"{text!r} is no name of a conversation", hint=hint)
        if Path(text).is_file() and not self._has(text):
            return Path(text)
        return self.folder / f"{text}{_SUFFIX}"

    def _has(self, name: str) -> bool:
        return (self.folder / f"{name}{_SUFFIX}").is_file()

    def _kept(self, name: str) -> Path:
        path = self.path_of(name)
        if path.parent != self.folder or not path.is_file():
            raise NotFoundError(f"there is no conversation {name!r}", hint=self._nearest(name))
        return path

    def _nearest(self, name: str | Path) -> str:
        names = [entry.name for entry in self.list()]
        near = difflib.get_close_matches(str(name), names, _NAMES_SHOWN, 0.4) or names[:_NAMES_SHOWN]
        return f"there are: {', '.join(near)}" if near else "`phidex chat --resume NAME` keeps one"


def markdown_of(conversation: Conversation) -> str:
    """The conversation as Markdown."""
    lines = [f"# {_title(conversation.title, [turn.question for turn in conversation.turns])}"]
    if conversation.collection:
        lines.append(f"Collection: {conversation.collection}")
    for turn in conversation.turns:
        lines += [f"## {' '.join(turn.question.split())}", turn.answer.strip()]
        if places := list(_places(conversation, turn)):
            lines.append("\n".join(places))
    return "\n\n".join(lines) + "\n"


def _places(conversation: Conversation, turn: Turn) -> Iterator[str]:
    numbers = {int(number) for group in _MARKER.findall(turn.answer) for number in re.findall(r"\d+", group)}
    for number in sorted(numbers & conversation.blocks.keys()):
        block = conversation.blocks[number]
        yield f"- [{number}] {block.source.name}, {block.chunks[0].locator}"


def _entry(path: Path) -> SavedConversation | None:
    """None where it was deleted in the meantime."""
    try:
        changed_at = path.stat().st_mtime
        data: Any = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        return SavedConversation(path.stem, path.stem, "", 0, 0.0, f"it cannot be read: {type(exc).__name__}")
    try:
        questions = [str(turn["question"]) for turn in data["turns"]]
        fields = cast("dict[str, Any]", data)
        title, collection = str(fields.get("title", "")), str(fields.get("collection", ""))
    except (AttributeError, KeyError, TypeError):
        return SavedConversation(path.stem, path.stem, "", 0, changed_at, "it is no saved conversation")
    return SavedConversation(path.stem, _title(title, questions), collection, len(questions), changed_at)


def _title(title: str, questions: list[str]) -> str:
    text = title or (" ".join(questions[0].split()) if questions else "Conversation")
    return text if len(text) <= _TITLE_CHARS else f"{text[: _TITLE_CHARS - 1]}…"


def _write(path: Path, text: str) -> None:
    """Through a file beside it, which has a name of its own: two that save at once do not mix."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:20]}.", suffix=".new", dir=path.parent)  # 0600
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise
