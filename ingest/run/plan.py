"""Decides for each file that was found what is to be done with it, by its bytes and by what the sink has.

    Found -> hash -> unchanged | the same bytes under another name | a task for a worker

A source keeps its id when its file is renamed; a file with the bytes of another becomes an alias of that one's source, until
its bytes differ. The same bytes under another suffix are read in another way, and are another document.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlparse

from phidex.errors import InputError
from phidex.ingest.code.source import is_code
from phidex.ingest.run.prepare import Recipe, Task, hash_file, is_current, printable, suffix_of
from phidex.ingest.run.report import FileReport, Outcome
from phidex.ingest.run.sink import Details, Known
from phidex.ingest.sources.found import Found
from phidex.ingest.sources.remote import target_kind
from phidex.ingest.speech.beside import DECKS, companions_of, hash_companions
from phidex.ingest.video.containers import RECORDINGS
from phidex.ingest.video.speakers import corrected_names

Hashes = dict[Path, tuple[tuple[int, int, int], str]]
"""What was hashed before: size, time of change and inode, and the SHA-256. For one process that looks again and again."""


@dataclass(frozen=True, slots=True)
class Work:
    """A file to read; `outcome` is what it comes to when all goes well."""

    found: Found
    shown: str
    task: Task
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Alias:
    """A file with the bytes of a source that there is, or that is being read; `uri` is to be cited beside that one's."""

    shown: str
    source_id: str
    uri: str
    reason: str
    found: Found


@dataclass(frozen=True, slots=True)
class Done:
    """A file that need not be read; `details` where they are others than the sink has."""

    report: FileReport
    found: Found
    details: Details | None = None


Step = Work | Alias | Done


@dataclass(slots=True)
class _Entry:
    """A source, as it will be behind this run; its metadata only where it is not read."""

    digest: str
    uri: str
    also: tuple[str, ...]
    tags: tuple[str, ...]
    sha256: str
    metadata: Mapping[str, str] | None = None


@dataclass(slots=True)
class Planner:
    """Plans one run, file after file.

    Args:
        tags: of the sources of this run; None keeps those that they have.
        source_id: of a collection's name and a uri, the id of a new source.
    """

    collection: str
    known: Mapping[str, Known]
    recipe: Recipe
    tags: tuple[str, ...] | None
    source_id: Callable[[str, str], str]
    hashes: Hashes | None = None
    seen: set[str] = field(default_factory=set[str])
    """Uris of all files that were found, left out or not."""
    blind: list[str] = field(default_factory=list[str])
    """What could not be looked into: which files it holds is not known."""
    _sources: dict[str, _Entry] = field(default_factory=dict[str, _Entry])
    _by_uri: dict[str, str] = field(default_factory=dict[str, str])
    _by_bytes: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _named: dict[str, tuple[str, ...]] = field(
        default_factory=dict[str, tuple[str, ...]]
    )  # aliases that the sink has, or is given
    _orphans: list[Path] = field(default_factory=list[Path])
    _number: int = 0

    def __post_init__(self) -> None:
        for identity, known in self.known.items():
            self._sources[identity] = _Entry(known.digest, known.uri, known.also, known.tags, known.sha256, known.metadata)
            self._named[identity] = known.also
            for uri in (known.uri, *known.also):
                self._by_uri.setdefault(uri, identity)
            if known.digest:
                self._by_bytes.setdefault((known.sha256, suffix_of(known.uri)), identity)

    def steps(self, found: Iterator[Found]) -> Iterator[Step]:
        """What is to be done with each file, in order."""
        for one in found:
            yield self._step(one)
        for path in self._orphans:  # they had the bytes of a file that has changed, and need a source of their own
            if path.as_uri() not in self._by_uri and path.exists():
                yield self._step(Found(path))

    def renamed(self) -> dict[str, tuple[str, ...]]:
        """The aliases of each source where they are not those that it has or was given with its task. Told once."""
        changed: dict[str, tuple[str, ...]] = {}
        for identity, entry in self._sources.items():
            if set(entry.also) != set(self._named[identity]):
                changed[identity] = self._named[identity] = entry.also
        return changed

    def forget_vanished(self, targets: Sequence[str | Path]) -> list[str]:
        """Ids of the sources that have no name left, once all files are planned; the others lose the names that vanished.

        Only what lies under a folder of `targets`, in an archive that was opened, or in a remote repository that is one of
        them can vanish; and a file that is there is there, whatever the rules of discovery say of it.
        """
        kinds = {target: target_kind(target) for target in targets}
        paths = [Path(target) for target, kind in kinds.items() if kind == "path"]
        folders = tuple(f"{path.resolve().as_uri().rstrip('/')}/" for path in paths if path.is_dir())
        containers = {uri.partition("#")[0] for uri in self.seen if "#" in uri}
        if "git" not in kinds.values():
            containers = {uri for uri in containers if not uri.startswith("git+")}  # a checkout, of which a part was named

        def is_there(uri: str) -> bool:
            if uri in self.seen:
                return True
            container, hash_sign, _ = uri.partition("#")
            if hash_sign and container in containers:
                return False
            return not (container.startswith(folders) and _is_gone(container))

        gone: list[str] = []
        for identity in self.known:
            entry = self._sources[identity]
            entry.also = tuple(filter(is_there, entry.also))
            if not entry.also and not is_there(entry.uri):
                gone.append(identity)
        return gone

    def _step(self, found: Found) -> Step:
        uri = found.uri or found.path.resolve().as_uri()
        shown = printable(found.shown or found.path)
        self.seen.add(uri)
        if found.reason:
            outcome: Outcome = "failed" if found.failed else "duplicate" if found.duplicate else "skipped"
            self.blind += [shown] if found.failed else []
            hint = found.hint or ("check its permissions" if found.failed else "")
            return Done(FileReport(shown, outcome, reason=printable(found.reason), hint=hint), found)
        try:
            sha256, size = self._hash(found.path)
            sha256 = hash_companions(sha256, _companions(found))
        except InputError as exc:
            return Done(FileReport(shown, "failed", reason=printable(exc.message), hint=exc.hint), found)
        own = self._by_uri.get(uri)
        if not size and not own and is_code(found.path, b""):  # packages of Python begin with one
            return Done(FileReport(shown, "skipped", reason="empty"), found)
        if own and uri != self._sources[own].uri and sha256 != self._sources[own].sha256:
            self._detach(own, uri)
            own = None
        if own:
            return self._step_known(found, uri, shown, own, sha256, size)
        return self._step_new(found, uri, shown, sha256, size)

    def _step_known(self, found: Found, uri: str, shown: str, own: str, sha256: str, size: int) -> Step:
        """Of the uri of a source, or of an alias that still has its bytes."""
        entry = self._sources[own]
        primary = entry.uri
        digest = self.recipe.digest(sha256, suffix_of(primary))
        moved = uri != primary and _is_gone(primary)
        if self._is_current(entry, digest) and not moved:
            return self._step_unread(found, uri, shown, own)
        if sha256 != entry.sha256:  # of a primary: its aliases have other bytes from now on
            self._orphans += [path for path in map(file_of, entry.also) if path]
            for alias in entry.also:
                self._by_uri.pop(alias, None)
            entry.also = ()
        elif uri != primary:  # the alias comes first, and takes the source over
            entry.uri = uri
            entry.also = tuple(alias for alias in entry.also if alias != uri) + (() if moved else (primary,))
        entry.digest, entry.sha256, entry.tags = digest, sha256, self._tags(entry)
        self._by_bytes[sha256, suffix_of(uri)] = own
        outcome: Outcome = "replaced" if own in self.known and self.known[own].digest else "added"
        return self._work(found, shown, own, size, outcome, f"was {_name(primary)}" if moved else "")

    def _step_unread(self, found: Found, uri: str, shown: str, own: str) -> Step:
        """Of bytes that are there: what is said of them may be new."""
        entry = self._sources[own]
        tags = self._tags(entry)
        metadata = entry.metadata
        if metadata is not None and uri == entry.uri:
            metadata = _renewed(metadata, found.metadata)
        if (tags, metadata) == (entry.tags, entry.metadata):
            return Done(FileReport(shown, "unchanged"), found)
        outcome: Outcome = "unchanged" if tags == entry.tags else "updated"
        entry.tags, entry.metadata = tags, metadata
        return Done(FileReport(shown, outcome), found, Details(own, tags, metadata or {}))

    def _step_new(self, found: Found, uri: str, shown: str, sha256: str, size: int) -> Step:
        """Of a uri that no source has."""
        same = self._by_bytes.get((sha256, suffix_of(uri)))
        if same and self._sources[same].sha256 == sha256:
            entry = self._sources[same]
            if _is_gone(entry.uri):  # renamed: the same source under its new name
                reason, entry.uri, entry.tags = f"was {_name(entry.uri)}", uri, self._tags(entry)
                entry.digest = self.recipe.digest(sha256, suffix_of(uri))
                self._by_uri[uri] = same
                return self._work(found, shown, same, size, "replaced", reason)
            if entry.tags == self._tags(entry) and self._is_current(entry, self.recipe.digest(sha256, suffix_of(uri))):
                entry.also = (*entry.also, uri)
                self._by_uri[uri] = same
                return Alias(shown, same, uri, f"the same bytes as {_name(entry.uri)}", found)
        identity = self._new_id(uri)
        tags = self.tags or ()
        self._sources[identity] = _Entry(self.recipe.digest(sha256, suffix_of(uri)), uri, (), tags, sha256)
        self._by_uri[uri] = identity
        self._by_bytes[sha256, suffix_of(uri)] = identity
        return self._work(found, shown, identity, size, "added", "")

    def _work(self, found: Found, shown: str, identity: str, size: int, outcome: Outcome, reason: str) -> Work:
        self._number += 1
        entry = self._sources[identity]
        companions = _companions(found)
        before = self.known.get(identity)
        entry.metadata = None
        self._named[identity] = entry.also
        task = Task(
            self._number,
            found.path,
            entry.uri,
            identity,
            self.recipe,
            size_bytes=size,
            place=found.place,
            metadata=found.metadata,
            keep=found.keep,
            tags=entry.tags,
            also=entry.also,
            companions=companions,
            deck_id=next((self._id_of(path) for path in companions if path.suffix.lower() in DECKS), ""),
            speakers=corrected_names(before.metadata) if before else {},
        )
        return Work(found, shown, task, outcome, reason)

    def _detach(self, own: str, uri: str) -> None:
        """The alias has other bytes than its source now."""
        entry = self._sources[own]
        entry.also = tuple(alias for alias in entry.also if alias != uri)
        del self._by_uri[uri]

    def _is_current(self, entry: _Entry, digest: str) -> bool:
        return is_current(entry.digest, digest, self.recipe.options.speech.identity())

    def _id_of(self, path: Path) -> str:
        """The id that a file has as a source, as an alias of one, or would get."""
        uri = path.resolve().as_uri()
        if own := self._by_uri.get(uri):
            return own
        with suppress(InputError):  # what is wrong with it is told of the file itself
            sha256 = self._hash(path)[0]
            same = self._by_bytes.get((sha256, suffix_of(uri)))
            if same and self._sources[same].sha256 == sha256:
                return same
        return self.source_id(self.collection, uri)

    def _tags(self, entry: _Entry) -> tuple[str, ...]:
        return entry.tags if self.tags is None else self.tags

    def _new_id(self, uri: str) -> str:
        """The id that belongs to the uri, or, where a source that was renamed still has that one, another."""
        identity, salt = self.source_id(self.collection, uri), 1
        while identity in self._sources:
            salt += 1
            identity = self.source_id(self.collection, f"{uri}\x1f{salt}")
        return identity

    def _hash(self, path: Path) -> tuple[str, int]:
        if self.hashes is None:
            return hash_file(path, self.recipe.most_mb(path))
        try:
            status = path.stat()
        except OSError:
            return hash_file(path, self.recipe.most_mb(path))  # which says what is wrong
        stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
        kept = self.hashes.get(path)
        if kept is None or kept[0] != stamp:
            kept = self.hashes[path] = (stamp, hash_file(path, self.recipe.most_mb(path))[0])
        return kept[1], status.st_size


def _companions(found: Found) -> tuple[Path, ...]:
    """What is read with a recording; what was unpacked or downloaded has nothing beside it."""
    return companions_of(found.path) if found.path.suffix.lower() in RECORDINGS and not found.keep else ()


def file_of(uri: str) -> Path | None:
    """The file that the uri names; None for what lies elsewhere, or inside a file."""
    parsed = urlparse(uri)
    return Path(os.fsdecode(unquote_to_bytes(parsed.path))) if parsed.scheme == "file" and not parsed.fragment else None


def _is_gone(uri: str) -> bool:
    """Whether the uri names a file that is not there; of what lies elsewhere, that is not known here."""
    path = file_of(uri)
    if path is None:
        return False
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # it cannot be looked for
        return False
    return False


def _renewed(metadata: Mapping[str, str], found: Mapping[str, str]) -> Mapping[str, str]:
    """What the document says of itself, with what is said of it now: an edited file may be as its commit has it again."""
    kept = {key: value for key, value in metadata.items() if (key, value) != ("modified", "true")}
    return {**kept, **found}


def _name(uri: str) -> str:
    return printable(os.fsdecode(unquote_to_bytes(uri.rstrip("/").rpartition("/")[2])))
