"""The files of a working tree as they lie: tracked ones, and new ones that are not ignored.

The index, which git keeps with each file's size and times, tells which files are still what was committed, without reading
them; where it cannot tell, the content is hashed as git does. Filters of the repository are never run for that.
"""

from __future__ import annotations

import hashlib
import heapq
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from phidex.ingest.sources.attributes import Attributes, batched
from phidex.ingest.sources.found import Found, Scope
from phidex.ingest.sources.git import Git
from phidex.ingest.sources.remote import web_link
from phidex.ingest.sources.rules import HEAD_BYTES, rule_by_head, rule_by_name
from phidex.ingest.sources.walk import NOT_REGULAR, is_data_folder

_SUBMODULE = b"160000"
_LITERAL = b":(literal)"  # what follows is a path, whatever characters it has
_DEBUG = re.compile(rb"  ctime: \d+:\d+\n  mtime: (\d+):(\d+)\n.*\n.*\n  size: (\d+)\tflags: [0-9a-f]+\n")


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    """A file by its path from the top; `oid` and `mode` are b"" for one that is not tracked."""

    path: bytes
    mode: bytes = b""
    oid: bytes = b""
    mtime_ns: int = -1
    size: int = -1


@dataclass(frozen=True, slots=True)
class _Tree:
    """A working tree and what is recorded of all its files."""

    git: Git
    top: bytes
    commit: str
    branch: str
    remote: str
    staged: frozenset[bytes]
    index_ns: int


def worktree_files(
    git: Git, folder: Path, inside: bytes, *, scope: Scope, nested: Callable[[Path], Iterator[Found] | None]
) -> Iterator[Found]:
    """The files under `folder`, which lies at `inside` in the working tree, in the order of their paths.

    Args:
        nested: reads a repository that lies in this one.
    """
    tree = _read_tree(git)
    walk = _Walk(tree, folder, inside, scope)
    for batch in batched(_entries(git, inside), 1000):
        entries = [entry for entry in batch if walk.is_wanted(entry)]
        marks = Attributes(git).of([entry.path for entry in entries])
        for entry, (vendored, generated) in zip(entries, marks, strict=True):
            if entry.path.endswith(b"/") or entry.mode == _SUBMODULE:
                yield from walk.repository(entry, vendored, nested)
            else:
                yield from walk.file(entry, vendored, generated)


def named_files(git: Git, paths: Sequence[Path], *, scope: Scope) -> Iterator[Found]:
    """Files of one working tree that were named themselves: each is taken, with what is recorded of it."""
    tree = _read_tree(git)
    for batch in batched(paths, 500):
        names = [_from_top(tree, path) for path in batch]
        tracked = {entry.path: entry for entry in _tracked(git, "--", *(_LITERAL + name for name in names))}
        for path, name in zip(batch, names, strict=True):
            try:
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    metadata = _metadata(tree, tracked.get(name, _Entry(name)), path, status=status, scope=scope)
                    yield Found(path, place=_text(name), metadata=metadata)
                    continue
            except OSError:  # reading it meets the same, and says so
                pass
            yield Found(path)


def _from_top(tree: _Tree, path: Path) -> bytes:
    """A file's path in its working tree."""
    return os.fsencode(os.path.join(os.path.realpath(path.parent), path.name))[len(tree.top) :].lstrip(b"/")  # noqa: PTH118  a link stays itself


def _read_tree(git: Git) -> _Tree:
    from phidex.ingest.sources.repo import remote_of

    assert git.work_tree is not None
    commit = git.text("rev-parse", "--verify", "-q", "HEAD^{commit}", ok=(0, 1, 128))
    branch = git.text("symbolic-ref", "-q", "--short", "HEAD", ok=(0, 1, 128))
    staged: frozenset[bytes] = frozenset()
    if commit:
        options = ("--cached", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--ignore-submodules=all")
        staged = frozenset(git.records("diff-index", *options, commit))
    try:
        index = git.work_tree / git.text("rev-parse", "--git-path", "index")
        index_ns = index.stat().st_mtime_ns
    except OSError:  # nothing is tracked yet
        index_ns = 0
    return _Tree(git, os.fsencode(os.path.realpath(git.work_tree)), commit, branch, remote_of(git, branch), staged, index_ns)


def _entries(git: Git, inside: bytes) -> Iterator[_Entry]:
    """Tracked and new files in one order, each path once."""
    under = ("--", _LITERAL + inside.rstrip(b"/")) if inside else ()
    new = (_Entry(path) for path in git.records("ls-files", "-o", "--exclude-standard", "-z", *under))
    last = b""
    for entry in heapq.merge(_tracked(git, *under), new, key=lambda entry: entry.path):
        if entry.path != last:  # one in conflict is listed three times
            yield entry
        last = entry.path


def _tracked(git: Git, *under: str | bytes) -> Iterator[_Entry]:
    """The tracked files. What git knows of a file follows its record, before the next one."""
    before: _Entry | None = None
    for record in git.records("ls-files", "-c", "-s", "--debug", "-z", *under):
        known = _DEBUG.match(record)
        if before is not None:
            yield _with_times(before, known)
        rest = record[known.end() :] if known else re.sub(rb"\A(?:  [^\n]*\n)+", b"", record)
        fields, tab, path = rest.partition(b"\t")
        before = None
        if tab:
            mode, oid, stage = fields.split(b" ")
            before = _Entry(path, mode, oid if stage == b"0" else b"")
    if before is not None:
        yield before


def _with_times(entry: _Entry, known: re.Match[bytes] | None) -> _Entry:
    if known is None:  # an unknown form of what git says for people's eyes: the content decides
        return entry
    return _Entry(entry.path, entry.mode, entry.oid, int(known[1]) * 1_000_000_000 + int(known[2]), int(known[3]))


class _Walk:
    """Turns the entries of one listing into files."""

    def __init__(self, tree: _Tree, folder: Path, inside: bytes, scope: Scope) -> None:
        self._tree, self._folder, self._inside, self._scope = tree, folder, inside, scope
        self._own = os.fsencode(os.path.realpath(scope.exclude)) + b"/" if scope.exclude else b"\0"
        self._links: dict[bytes, bool] = {}
        self._data: dict[bytes, bool] = {}

    def is_wanted(self, entry: _Entry) -> bool:
        """Whether an entry is asked for, and no part of a data folder of ours."""
        from phidex.ingest.sources.repo import is_wanted

        if not is_wanted(entry.path.rstrip(b"/")[len(self._inside) :], self._scope.only):
            return False
        return bool(entry.mode) or not self._is_data(entry.path.rstrip(b"/").rpartition(b"/")[0])

    def _is_data(self, folder: bytes) -> bool:
        """Whether a folder is, or lies in, one of our data folders."""
        if len(folder) < len(self._inside):
            return False
        if folder not in self._data:
            here = self._tree.top + b"/" + folder
            own = (here + b"/").startswith(self._own) or (folder != b"" and is_data_folder(Path(os.fsdecode(here))))
            self._data[folder] = own or (folder != b"" and self._is_data(folder.rpartition(b"/")[0]))
        return self._data[folder]

    def _path(self, entry: _Entry) -> Path:
        return self._folder / os.fsdecode(entry.path[len(self._inside) :])

    def repository(
        self, entry: _Entry, vendored: bool | None, nested: Callable[[Path], Iterator[Found] | None]
    ) -> Iterator[Found]:
        """The files of a repository inside: one that merely lies there, or a submodule where those are asked for."""
        path = self._path(entry)
        rule = rule_by_name(entry.path.rstrip(b"/") + b"/x.txt", vendored, take=self._scope.settings.take)
        if entry.mode and not self._scope.settings.submodules:
            rule = "submodule"
        files = None if rule or self._is_through_link(entry.path.rstrip(b"/") + b"/x") else nested(path)
        if rule:
            self._scope.skips.add(rule, str(path))
        elif files is not None:
            yield from files

    def file(self, entry: _Entry, vendored: bool | None, generated: bool | None) -> Iterator[Found]:
        """The file of an entry, unless a rule leaves it out or it is gone."""
        path = self._path(entry)
        rule = rule_by_name(entry.path, vendored, generated, take=self._scope.settings.take)
        if not entry.mode and any(part.startswith(b".") for part in entry.path[len(self._inside) :].split(b"/")):
            rule = "hidden"
        if self._is_through_link(entry.path):
            rule = "symbolic link"
        if rule:
            self._scope.skips.add(rule, str(path))
            return
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode):
                if stat.S_ISLNK(status.st_mode):
                    self._scope.skips.add("symbolic link", str(path))
                else:
                    yield Found(path, reason=NOT_REGULAR)
                return
            with path.open("rb") as file:
                if rule := rule_by_head(entry.path, file.read(HEAD_BYTES), generated, take=self._scope.settings.take):
                    self._scope.skips.add(rule, str(path))
                    return
            yield Found(
                path, place=_text(entry.path), metadata=_metadata(self._tree, entry, path, status=status, scope=self._scope)
            )
        except FileNotFoundError:  # deleted, and the index does not know yet
            return
        except OSError as exc:
            yield Found(path, reason=f"cannot be read: {exc.strerror}", failed=True, hint="check its permissions")

    def _is_through_link(self, path: bytes) -> bool:
        """Whether a folder on the way to a path is a link: what lies behind it is not of this tree."""
        folder = path.rpartition(b"/")[0]
        if folder not in self._links:
            whole = self._tree.top + b"/" + folder if folder else self._tree.top
            self._links[folder] = os.path.realpath(whole) != whole
        return self._links[folder]


def _metadata(tree: _Tree, entry: _Entry, path: Path, *, status: os.stat_result, scope: Scope) -> dict[str, str]:
    blob = _blob(tree, entry, path, status=status, limit=scope.settings.max_file_mb << 20)
    metadata = {"branch": tree.branch, "remote": tree.remote, "path": _text(entry.path), "blob": blob}
    if tree.commit and blob and blob == entry.oid.decode() and entry.path not in tree.staged:
        metadata |= {"commit": tree.commit, "web": web_link(tree.remote, tree.commit, entry.path)}
    else:
        metadata["modified"] = "true"
    return {key: value for key, value in metadata.items() if value}


def _blob(tree: _Tree, entry: _Entry, path: Path, *, status: os.stat_result, limit: int) -> str:
    """git's id of the content as it lies there; "" when that is not known."""
    fresh = (entry.size, entry.mtime_ns) == (status.st_size, status.st_mtime_ns) and entry.mtime_ns < tree.index_ns
    if entry.oid and fresh:
        return entry.oid.decode()
    if status.st_size > limit or not entry.oid:
        return ""
    return _hash_as_git(path, status.st_size, entry.oid.decode())


def _hash_as_git(path: Path, size: int, known: str) -> str:
    """git's id of a file's content; `known` where only the line ends differ, which git may turn on its way."""
    algorithm = "sha1" if len(known) == 40 else "sha256"
    digest = hashlib.new(algorithm, b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    if digest.hexdigest() == known or size > 16 << 20:
        return digest.hexdigest()
    turned = path.read_bytes().replace(b"\r\n", b"\n")
    other = hashlib.new(algorithm, b"blob %d\0" % len(turned) + turned, usedforsecurity=False).hexdigest()
    return known if other == known else digest.hexdigest()


def _text(path: bytes) -> str:
    return path.decode("utf-8", "replace")
