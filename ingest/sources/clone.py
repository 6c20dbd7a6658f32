"""Clones of remote repositories, kept in the workspace: the first ingest fetches one commit, the next only what is new.

A clone is bare, its history one commit deep, and it holds a file's content only once that was asked for (where the server can
do so). Nothing is ever checked out. One process fetches at a time; a killed one leaves nothing that the next cannot go on from.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from phidex.errors import InputError, NotFoundError, PhidexError, ServiceError
from phidex.ingest.sources.git import Git
from phidex.ingest.sources.remote import GitUrl
from phidex.ingest.sources.spool import locked

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_FULL = (40, 64)  # hexadecimal digits of a whole commit id, SHA-1 and SHA-256
_REF = re.compile(r"(?![-/.])(?!.*(?:\.\.|@\{|//|\.lock$|[/.]$))[^\x00-\x20\x7f~^:?*\[\\]+")
_DAMAGED = re.compile(
    r"not a git repository|bad object|corrupt|unable to read|is empty|inflate|bad (tree|signature)|missing blob"
)
_UNNAMED = re.compile(r"not our ref|unadvertised object|does not allow")  # servers that give only what they name
_FETCH = ("fetch", "-q", "--no-tags", "--force", "--no-write-fetch-head")
_STALE_S = 5.0
_MAX_PACKS = 60
_EVER = "--depth=2147483647"  # git's word for the whole history, shallow before or not


@dataclass(frozen=True, slots=True)
class Way:
    """How a repository is reached whose address nobody vouches for.

    Args:
        url: where to go, behind all redirects.
        addresses: the only ones of its host to connect to.
        anonymous: by https alone, and without the credentials of whoever runs this.
    """

    url: GitUrl
    addresses: tuple[str, ...]
    anonymous: bool = False

    def config(self) -> dict[str, str]:
        """git's settings that hold it to this."""
        _, host, port = self.url.place
        addresses = ",".join(f"[{address}]" if ":" in address else address for address in self.addresses)
        held = {"http.followRedirects": "false", "http.curloptResolve": f"{host}:{port}:{addresses}"}
        return held | {"credential.helper": "", "core.askPass": ""} if self.anonymous else held


@dataclass(frozen=True, slots=True)
class Clone:
    """A clone that holds `commit`.

    Args:
        name: the full name of the branch or tag it was asked for by; the commit's id where there is none.
    """

    git: Git
    commit: str
    name: str
    whole: Git

    @property
    def branch(self) -> str:
        """The branch it was asked for by; "" for tags and commits."""
        return self.name.removeprefix("refs/heads/") if self.name.startswith("refs/heads/") else ""

    def fetch_blobs(self, wanted: set[str]) -> Git:
        """Bring the contents among `wanted` that are not here yet, in one request; returns where to read them, offline."""
        with locked(self.git.git_dir.with_suffix(".lock"), wait_s=self.git.timeout_s):
            arguments = ("rev-list", "--objects", "--missing=print", "--no-object-names", "--no-walk", self.commit)
            listed = self.git.offline().run(*arguments)
            absent = {line[1:].decode() for line in listed.splitlines() if line.startswith(b"?")}
            missing = sorted(absent & wanted)
            if missing:
                flags = ("--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none", "--stdin")
                feed = "".join(f"{oid}\n" for oid in missing).encode()
                try:
                    self.git.run("-c", "fetch.negotiationAlgorithm=noop", "fetch", "-q", "origin", *flags, feed=feed)
                except InputError as exc:
                    if not _UNNAMED.search(str(exc)):
                        raise
                    return self._fetch_whole()
        return self.git.offline()

    def _fetch_whole(self) -> Git:
        """All of the commit, from a server that hands out a part of it only at first (protocol versions before 2)."""
        if not (self.whole.git_dir / "HEAD").exists():
            self.whole.offline().run("-c", "init.templateDir=", "init", "-q", "--bare")
        if not _resolve(self.whole, self.commit):
            self.whole.run(*_FETCH, "--depth=1", "origin", f"+{self.name}:refs/phidex/{_key(self.name)}")
        return self.whole.offline()


@contextmanager
def open_clone(url: GitUrl, *, ref: str, workspace: Path, timeout_s: float, way: Way | None = None) -> Generator[Clone | None]:
    """The clone of `url` at a branch, tag or commit ("" = the default branch), up to date; None when it has no commit at all.

    Args:
        way: how to reach it; None: as git does.

    Raises:
        NotFoundError: it has no such branch, tag or commit.
        InputError, ServiceError: it cannot be reached, or not with the credentials at hand.
    """
    if ref and not _REF.fullmatch(ref):
        raise InputError(f"{ref!r} is not the name of a branch, tag or commit", hint="for example main, v1.2 or a commit id")
    parent = workspace / "git"
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / hashlib.sha256(url.uri.encode()).hexdigest()[:24]
    with locked(folder.with_suffix(".lock"), wait_s=timeout_s):
        try:
            clone = _update(url, folder, ref, timeout_s, way)
        except PhidexError as exc:
            if not _DAMAGED.search(str(exc)) or not _remove(folder):
                raise
            clone = _update(url, folder, ref, timeout_s, way)
    with locked(folder.with_suffix(".use"), shared=True, wait_s=timeout_s):
        yield clone


def _update(url: GitUrl, folder: Path, ref: str, timeout_s: float, way: Way | None) -> Clone | None:
    if len(list(folder.glob("objects/pack/*.pack"))) > _MAX_PACKS:
        _remove(folder)  # what old commits left can go only with the whole
    git, whole = _prepare(url, folder, timeout_s, way)
    name, oid = _choose(git, ref)
    if not name and not oid:
        if ref:
            raise _no_such_ref(git, ref)
        return None
    if not _has(git, oid):
        _fetch(git, name or oid, ref)
        oid = oid if not name else _resolve(git, "refs/phidex/" + _key(name))
    commit = _resolve(git, oid)
    if not commit:
        raise _no_such_ref(git, ref)
    return Clone(git, commit, name or commit, whole)


def _prepare(url: GitUrl, folder: Path, timeout_s: float, way: Way | None) -> tuple[Git, Git]:
    """git in a clone that is there, complete and not locked by the dead; and in one beside it that holds all contents."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "whole").mkdir(exist_ok=True)
    plain = Git(folder, timeout_s=timeout_s)
    if not (folder / "complete").exists():
        plain.run("-c", "init.templateDir=", "init", "-q", "--bare")
        plain.run("config", "extensions.partialClone", "origin")
        plain.run("config", "core.repositoryFormatVersion", "1")
        (folder / "complete").touch()
    _clear(folder)
    config = {"remote.origin.url": way.url.address, **way.config()} if way else {"remote.origin.url": url.address}
    if url.header:
        config[url.header[0]] = url.header[1]
    partial = config | {"remote.origin.promisor": "true", "remote.origin.partialCloneFilter": "blob:none"}
    ssh = plain.text("config", "--get", "core.sshCommand", ok=(0, 1))
    protocols, home = ("https", "ssh"), None
    if way and way.anonymous:
        protocols, home = ("https",), folder / "nobody"
        home.mkdir(exist_ok=True)
    git = Git(folder, protocols=protocols, config=partial, ssh=ssh, home=home, timeout_s=timeout_s)
    return git, Git(folder / "whole", protocols=protocols, config=config, ssh=ssh, home=home, timeout_s=timeout_s)


def _clear(folder: Path) -> None:
    """Remove what a killed git left: its locks, after a while in which it may still be going down, and half a pack."""
    until = time.monotonic() + _STALE_S
    while stale := list(folder.rglob("*.lock")):
        if time.monotonic() > until:  # no git of ours runs that long beside the lock we hold
            for path in stale:
                path.unlink(missing_ok=True)
        time.sleep(0.05)
    for path in folder.rglob("objects/pack/tmp_*"):
        path.unlink(missing_ok=True)


def _choose(git: Git, ref: str) -> tuple[str, str]:
    """The full name and the object of what `ref` names on the server; a name "" for a bare commit id, both "" for nothing."""
    short = re.sub(r"^refs/(heads|tags)/", "", ref)
    names = [name for name in (f"refs/heads/{short}", f"refs/tags/{short}") if ref in (short, name)] if ref else ["HEAD"]
    listed: dict[str, str] = {}
    head = ""
    for line in git.text("ls-remote", "--symref", "origin", *names).splitlines():
        value, _, name = line.partition("\t")
        if value.startswith("ref: "):
            head = value.removeprefix("ref: ") if name == "HEAD" else head
        else:
            listed[name] = value
    if not ref:
        return (head or "HEAD", listed["HEAD"]) if "HEAD" in listed else ("", "")
    for name in names:
        if name in listed:
            return name, listed[name]
    return "", ref if _COMMIT.fullmatch(ref) else ""


def _fetch(git: Git, what: str, ref: str) -> None:
    flags = (*_FETCH, "--filter=blob:none")
    if what.startswith("refs/") or what == "HEAD" or len(what) in _FULL:
        try:
            git.run(*flags, "--depth=1", "origin", f"+{what}:refs/phidex/{_key(what)}")
        except InputError as exc:
            if what != ref or not _UNNAMED.search(str(exc)):
                raise
        else:
            return
    # A part of a commit's id, or a server that hands out only what it names: the history has to be searched.
    git.run(*flags, _EVER, "origin", "+refs/heads/*:refs/phidex/all/heads/*", "+refs/tags/*:refs/phidex/all/tags/*")


def _has(git: Git, oid: str) -> bool:
    return len(oid) in _FULL and bool(_resolve(git, oid))


def _resolve(git: Git, name: str) -> str:
    """The commit that a name of the clone stands for; "" when it has none."""
    found = git.offline().run("cat-file", "--batch-check", feed=f"{name}^{{commit}}\n".encode()).split()
    return found[0].decode() if len(found) == 3 and found[1] == b"commit" else ""


def _key(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def _no_such_ref(git: Git, ref: str) -> NotFoundError:
    known = [line.rpartition("\t")[2] for line in git.text("ls-remote", "--heads", "--tags", "--refs", "origin").splitlines()]
    names = [re.sub(r"^refs/(heads|tags)/", "", name) for name in known]
    close = difflib.get_close_matches(ref, names, 3)
    hint = f"did you mean {' or '.join(close)}?" if close else "check the name with git ls-remote"
    return NotFoundError(f"the repository has no branch, tag or commit {ref!r}", hint=hint)


def _remove(folder: Path) -> bool:
    """Whether a clone could be removed: not while another process reads it."""
    try:
        with locked(folder.with_suffix(".use"), wait_s=0):
            trash = folder.with_suffix(f".old{os.getpid()}")
            with suppress(FileNotFoundError):
                folder.rename(trash)
            shutil.rmtree(trash, ignore_errors=True)
    except ServiceError:
        return False
    return True
