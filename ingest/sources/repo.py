"""The files of git repositories: of a working tree as they lie, or of a commit without any checkout.

    working tree   git ls-files (tracked, and new but not ignored) -> rules -> the files themselves, by file:// uris
    commit         git ls-tree -> rules -> git cat-file -> the spool, by git+https://host/owner/repo.git#path

A user's working tree and index are only read. A file is said to be of a commit only when its content is what the commit holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from phidex.errors import InputError, NotFoundError, PhidexError
from phidex.ingest.sources.attributes import Attributes, batched
from phidex.ingest.sources.clone import Way, open_clone
from phidex.ingest.sources.found import Found, Scope
from phidex.ingest.sources.git import Git
from phidex.ingest.sources.remote import GitUrl, clean_remote, web_link
from phidex.ingest.sources.rules import HEAD_BYTES, rule_by_head, rule_by_name
from phidex.ingest.sources.worktree import worktree_files

_LINK, _SUBMODULE = b"120000", b"160000"
_RULES = {_LINK: "symbolic link", _SUBMODULE: "submodule"}
_NESTED = 5  # submodules in submodules


@dataclass(frozen=True, slots=True)
class Commit:
    """The files of one commit, and how they are named.

    Args:
        uri: what stands before `#path` in a document's uri.
        shown: the same, in reports.
        inside: the folder that was named, as `folder/`; b"" for the whole repository.
        mounted: where a submodule stands in the repository above it, as `folder/`.
    """

    git: Git
    commit: str
    branch: str
    remote: str
    uri: str
    shown: str
    inside: bytes = b""
    mounted: bytes = b""


def remote_files(url: GitUrl, scope: Scope) -> Iterator[Found]:
    """The files of a remote repository at `scope.ref`.

    Raises:
        InputError, ServiceError: it cannot be reached; or it is not to be, where repositories are guarded.
    """
    way = None
    if scope.settings.guard_repositories:
        from phidex.ingest.sources.submodule import checked_way  # httpx: 0.1 s to import

        way = checked_way(url, None, scope.settings)
    yield from _remote_files(url, scope, _Place(url, scope.ref, way=way))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the repository that a user named another one stands.

    Args:
        named: the address that the user named.
        ref: what is read of this one.
        mounted: where it stands, as `folder/`; b"" for the one that was named.
        way: how to reach it, where that was looked up.
        depth: how many repositories are above it.
    """

    named: GitUrl
    ref: str
    mounted: bytes = b""
    way: Way | None = None
    depth: int = 0


def _remote_files(url: GitUrl, scope: Scope, place: _Place) -> Iterator[Found]:
    timeout_s = scope.settings.git_timeout_s
    with open_clone(url, ref=place.ref, workspace=scope.workspace, timeout_s=timeout_s, way=place.way) as clone:
        if clone is None:
            yield Found(Path(url.remote), shown=url.remote, reason="the repository is empty")
            return
        git = clone.git.offline()
        commit = Commit(git, clone.commit, clone.branch, url.remote, url.uri, url.remote, mounted=place.mounted)
        listing = _list(commit, scope)
        commit = replace(commit, git=clone.fetch_blobs(listing.wanted))
        if listing.has_attributes and (rest := _wanted_after_all(commit, scope, listing.doubtful)):
            clone.fetch_blobs(rest)
        yield from _commit_files(commit, scope, listing.has_attributes, apart=scope.settings.submodules)
        if scope.settings.submodules and place.depth < _NESTED:
            for path, oid in listing.submodules:
                yield from _submodule(commit, path, oid, scope=scope, url=url, above=place)


def _submodule(commit: Commit, path: bytes, oid: str, *, scope: Scope, url: GitUrl, above: _Place) -> Iterator[Found]:
    """The files of a submodule at the commit that the repository above it names; its failure costs itself alone."""
    from phidex.ingest.sources.submodule import checked_way, submodule_url  # httpx: 0.1 s to import

    shown = f"{commit.shown}#{_text(commit.mounted + path)}"
    try:
        target = submodule_url(commit.git, commit.commit, path, url)
        way = checked_way(target, above.named, scope.settings)
        yield from _remote_files(target, scope, _Place(above.named, oid, commit.mounted + path + b"/", way, above.depth + 1))
    except PhidexError as exc:
        name = f"{commit.uri}#{quote(commit.mounted + path)}"
        yield Found(Path(shown), name, shown=shown, reason=f"submodule: {exc.message}", failed=True, hint=exc.hint)


def local_files(folder: Path, scope: Scope) -> Iterator[Found] | None:
    """The files of a folder under git; None where there is no git, or where git ignores the very folder that was named."""
    if is_bare(folder):
        git = Git(folder, timeout_s=scope.settings.git_timeout_s)
        return _local_commit(git, folder, inside=b"", scope=scope)
    top = find_top(folder)
    if top is None:
        return None
    git = Git(top / ".git", work_tree=top, timeout_s=scope.settings.git_timeout_s)
    here = os.fsencode(os.path.relpath(os.path.realpath(folder), os.path.realpath(top)))
    inside = b"" if here == b"." else here + b"/"
    if scope.ref:
        return _local_commit(git, folder, inside=inside, scope=scope)
    if inside and git.run("check-ignore", "-z", "--stdin", feed=b"./" + here + b"\0", ok=(0, 1)):
        return None
    all_of_it = replace(scope, only=())
    return worktree_files(git, folder, inside, scope=scope, nested=lambda path: local_files(path, all_of_it))


def local_file(path: Path, top: Path, scope: Scope) -> Iterator[Found]:
    """A file of a working tree at `scope.ref`."""
    git = Git(top / ".git", work_tree=top, timeout_s=scope.settings.git_timeout_s)
    inside = os.fsencode(os.path.relpath(os.path.realpath(path.parent) + os.sep + path.name, os.path.realpath(top)))
    return _local_commit(git, path.parent, inside=inside, scope=replace(scope, only=()))


def is_bare(folder: Path) -> bool:
    """Whether a folder is a bare repository."""
    try:
        return (folder / "HEAD").is_file() and (folder / "objects").is_dir() and (folder / "refs").is_dir()
    except OSError:  # a folder that cannot be entered
        return False


def find_top(folder: Path) -> Path | None:
    """The top of the working tree that a folder lies in; None where it lies in none."""
    real = Path(os.path.realpath(folder))
    for top in (real, *real.parents):
        try:
            mark = (top / ".git").is_dir() and (top / ".git" / "HEAD").is_file()
            if mark or ((top / ".git").is_file() and (top / ".git").read_bytes()[:7] == b"gitdir:"):
                return top
        except OSError:
            return None
    return None


def _local_commit(git: Git, folder: Path, *, inside: bytes, scope: Scope) -> Iterator[Found]:
    ref = scope.ref or "HEAD"
    if ref.startswith("-") or re.search(r"[\x00-\x1f:]", ref):
        raise InputError(f"{ref!r} is not the name of a branch, tag or commit", hint="for example main, v1.2 or a commit id")
    commit = git.text("rev-parse", "--verify", "-q", "--end-of-options", f"{ref}^{{commit}}", ok=(0, 1, 128))
    if not commit:
        if not scope.ref:
            yield Found(folder, reason="the repository is empty")
            return
        raise NotFoundError(f"{folder} has no branch, tag or commit {ref!r}", hint="see git branch -a and git tag")
    branch = git.text("rev-parse", "--symbolic-full-name", "-q", "--verify", "--end-of-options", ref, ok=(0, 1, 128))
    name = branch.removeprefix("refs/heads/") if branch.startswith("refs/heads/") else ""
    top = git.work_tree or folder
    uri = "git+" + Path(os.path.realpath(top)).as_uri()
    found = Commit(git, commit, name, remote_of(git, name), uri, f"{top}@{ref}", inside)
    listing = _list(found, scope)
    yield from _commit_files(found, scope, listing.has_attributes)


def remote_of(git: Git, branch: str) -> str:
    """The address that a repository's branch comes from, without credentials; "" when there is none."""
    listed = git.run("config", "-z", "--get-regexp", r"^(remote\..*\.url|branch\..*\.remote)$", ok=(0, 1))
    pairs = (record.decode("utf-8", "replace").partition("\n") for record in listed.split(b"\0") if record)
    values = {key: value for key, _, value in pairs}
    upstream = values.get(f"branch.{branch}.remote", "origin")
    urls = [values[key] for key in (f"remote.{upstream}.url", "remote.origin.url") if key in values]
    others = [value for key, value in values.items() if key.startswith("remote.")]
    return clean_remote((urls or others or [""])[0])


@dataclass(frozen=True, slots=True)
class _Listing:
    wanted: set[str]  # the contents to fetch where they are not at hand
    doubtful: list[tuple[bytes, str]]  # those that attributes may make wanted after all
    submodules: list[tuple[bytes, str]]
    has_attributes: bool


def _list(commit: Commit, scope: Scope) -> _Listing:
    """What a commit holds, looked through once before its files are read.

    Raises:
        NotFoundError: nothing in it is named so.
    """
    wanted: set[str] = set()
    doubtful: list[tuple[bytes, str]] = []
    submodules: list[tuple[bytes, str]] = []
    has_attributes, count = False, 0
    for mode, oid, path in _entries(commit):
        attributes = path.rpartition(b"/")[2] == b".gitattributes"
        has_attributes |= attributes
        needed = attributes or path == b".gitmodules"
        chosen = is_wanted(path[len(commit.inside) :], () if commit.mounted else scope.only)
        count += chosen
        if mode == _SUBMODULE:
            if chosen:
                submodules.append((path, oid))
        elif needed:
            wanted.add(oid)
        elif mode != _LINK and chosen:
            rule = rule_by_name(path, take=scope.settings.take)
            if not rule:
                wanted.add(oid)
            elif rule in ("vendored", "generated"):
                doubtful.append((path, oid))
    if not count and (scope.only or commit.inside) and not commit.mounted:
        names = ", ".join(scope.only) or _text(commit.inside)
        raise NotFoundError(f"there is nothing under {names} at {commit.commit[:12]}", hint="check the path and the ref")
    return _Listing(wanted, doubtful, submodules, has_attributes)


def _wanted_after_all(commit: Commit, scope: Scope, doubtful: list[tuple[bytes, str]]) -> set[str]:
    """The contents of files that no rule leaves out, once what the repository says of them is heard."""
    wanted: set[str] = set()
    with _attributes(commit, scope, has_attributes=True) as attributes:
        for batch in batched(doubtful, 1000):
            marks = attributes.of([path for path, _ in batch])
            for (path, oid), (vendored, generated) in zip(batch, marks, strict=True):
                if not rule_by_name(path, vendored, generated, take=scope.settings.take):
                    wanted.add(oid)
    return wanted


def _entries(commit: Commit) -> Iterator[tuple[bytes, str, bytes]]:
    """Mode, object and path of all that a commit holds under the folder that was named."""
    under = ("--", commit.inside.rstrip(b"/")) if commit.inside else ()
    for record in commit.git.records("ls-tree", "-r", "-z", "--full-tree", commit.commit, *under):
        fields, _, path = record.partition(b"\t")
        mode, _, oid = fields.split(b" ")
        yield mode, oid.decode(), path


def is_wanted(path: bytes, only: Sequence[str]) -> bool:
    """Whether a path is one of those asked for: a file, anything under a folder, or what a pattern matches.

    >>> is_wanted(b"docs/a.md", ["docs"]), is_wanted(b"docs/a.md", ["*.md"]), is_wanted(b"src/a.py", ["docs"])
    (True, True, False)
    """
    if not only:
        return True
    name = os.fsdecode(path)
    return any(name == one or name.startswith(f"{one}/") or fnmatchcase(name, one) for one in only)


def _commit_files(commit: Commit, scope: Scope, has_attributes: bool, *, apart: bool = False) -> Iterator[Found]:
    """The files that no rule leaves out. `apart`: submodules are read elsewhere."""
    with _attributes(commit, scope, has_attributes) as attributes, commit.git.blobs() as blobs:
        only = () if commit.mounted else scope.only
        entries = (entry for entry in _entries(commit) if is_wanted(entry[2][len(commit.inside) :], only))
        for batch in batched(entries, 1000):
            marks = attributes.of([path for _, _, path in batch])
            kept: list[tuple[str, bytes, bool | None]] = []
            for (mode, oid, path), (vendored, generated) in zip(batch, marks, strict=True):
                rule = _RULES.get(mode) or rule_by_name(path, vendored, generated, take=scope.settings.take)
                if not rule:
                    kept.append((oid, path, generated))
                elif mode != _SUBMODULE or not apart:
                    scope.skips.add(rule, f"{commit.shown}#{_text(commit.mounted + path)}")
            contents = blobs.each([oid for oid, _, _ in kept])
            for (oid, path, generated), content in zip(kept, contents, strict=True):
                yield from _commit_file(commit, path, oid, scope=scope, content=content, generated=generated)


@contextmanager
def _attributes(commit: Commit, scope: Scope, has_attributes: bool) -> Generator[Attributes]:
    """The attributes of a commit's files, by an index of our own: the repository's is not touched."""
    if not has_attributes:
        yield Attributes(None)
        return
    index = scope.spool.place("index")
    git = commit.git.offline(index)
    try:
        git.run("read-tree", commit.commit)
        yield Attributes(git, cached=True)
    finally:
        scope.spool.release(index)


def _commit_file(
    commit: Commit, path: bytes, oid: str, *, scope: Scope, content: tuple[int, Iterator[bytes]] | None, generated: bool | None
) -> Iterator[Found]:
    place = _text(commit.mounted + path)
    shown = f"{commit.shown}#{place}"
    found = Found(Path(shown), f"{commit.uri}#{quote(path)}", shown, place)
    if content is None:
        hint = "it may be a partial clone: fetch the commit, or ingest the remote itself"
        yield replace(found, reason="its content is not in the repository", failed=True, hint=hint)
        return
    size, pieces = content
    limit = scope.settings.max_file_mb
    if size > limit << 20:
        hint = "raise PHIDEX_INGEST__MAX_FILE_MB to take it"
        yield replace(found, reason=f"larger than {limit} MB", failed=True, hint=hint)
        return
    first = next(pieces)
    if rule := rule_by_head(path, first[:HEAD_BYTES], generated, take=scope.settings.take):
        scope.skips.add(rule, shown)
        return
    spooled = scope.spool.write(path.rpartition(b"/")[2], chain((first,), pieces))
    metadata = {"commit": commit.commit, "branch": commit.branch, "remote": commit.remote, "path": place, "blob": oid}
    metadata["web"] = web_link(commit.remote, commit.commit, path)
    yield replace(found, path=spooled, metadata={key: value for key, value in metadata.items() if value}, keep=True)


def _text(path: bytes) -> str:
    """A path of the repository as text that can be stored and shown."""
    return path.decode("utf-8", "replace")
