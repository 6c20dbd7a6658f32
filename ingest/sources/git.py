"""The one place where git is run: its output streamed, its environment made safe, its failures turned into errors of ours.

A repository that someone else made may carry a configuration that runs programs. Here, it cannot: hooks, the file system
monitor, filters, pagers and lazy fetches are switched off on the command line, which wins over any file; only commands that
start nothing else are used; no transport is allowed where none is needed. git never asks for a password: it uses the
credential helpers and keys that are set up, or fails.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from phidex.errors import ConfigError, InputError, ServiceError
from phidex.ingest.sources.pipe import Pipe
from phidex.ingest.sources.remote import clean_message

# Of git's many variables, those that say how to connect and who one is. The rest could point git at other files.
_KEPT = re.compile(
    r"^GIT_(SSL_\w+|SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|PROXY_COMMAND|HTTP_\w+|EXEC_PATH|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM))$"
)
SSH_OPTIONS = " -o BatchMode=yes -o ConnectTimeout=30"  # it never asks, and never waits long
_OPTIONS = (
    "--no-pager",
    "--no-optional-locks",
    *(
        part
        for option in (
            "core.fsmonitor=false",
            "core.hooksPath=/dev/null",
            "core.splitIndex=false",
            "core.untrackedCache=false",
            "core.quotePath=false",
            "core.alternateRefsCommand=true",  # the program `true`: runs, says nothing
            "protocol.ext.allow=never",
            "gc.auto=0",
            "maintenance.auto=false",
            "submodule.recurse=false",
            "fetch.recurseSubmodules=false",
            "log.showSignature=false",
            "filter.lfs.smudge=",
            "filter.lfs.process=",
            "filter.lfs.required=false",
            "http.lowSpeedLimit=500",
            "http.lowSpeedTime=60",
        )
        for part in ("-c", option)
    ),
)
_REASONS = (
    (
        r"Authentication failed|could not read (Username|Password)|prompts disabled|Access denied|error: 40[13]",
        "it asks for credentials that git does not have",
        "set up a credential helper (git help credentials), or use ssh",
    ),
    (r"Permission denied \(|publickey", "the ssh key was not accepted", "add your key to the host and to ssh-agent"),
    (r"Host key verification failed", "ssh does not know the host's key", "connect once with ssh and confirm the key"),
    (
        r"[Rr]epository .*not found|error: 404|does not appear to be a git repository|not found$",
        "there is no such repository, or you may not see it",
        "check the address and your credentials",
    ),
    (r"SSL|certificate", "the secure connection failed", "check the host's certificate, and http.sslCAInfo of git"),
)
_NETWORK = (
    r"Could not resolve|Connection (refused|reset|timed out|closed)|Failed to connect|timed out|Operation too slow|early EOF"
    r"|hung up|unexpected disconnect|error: 5\d\d|No route to host|unreachable"
)


class Git:
    """git in one repository.

    Args:
        git_dir: the repository's own folder (`.git`), or the file that stands for it.
        work_tree: where its files lie; None where only commits are read.
        protocols: transports that may be used; none where everything is at hand.
        config: further settings, passed where other users of the machine cannot see them.
        index: an index file of our own.
        ssh: the ssh command that is configured, where the environment names none.
        home: a folder in place of the user's own, whose configuration and credentials are not to be used.
        timeout_s: a command that takes longer is ended.
    """

    def __init__(
        self,
        git_dir: Path,
        *,
        work_tree: Path | None = None,
        protocols: Sequence[str] = (),
        config: Mapping[str, str] | None = None,
        index: Path | None = None,
        ssh: str = "",
        home: Path | None = None,
        timeout_s: float = 600,
    ) -> None:
        if shutil.which("git") is None:
            raise ConfigError("git is not installed", hint="install git; PHIDEX_INGEST__GIT=false reads folders without it")
        self.git_dir, self.work_tree, self.timeout_s = git_dir, work_tree, timeout_s
        self._cwd = work_tree or (git_dir if git_dir.is_dir() else git_dir.parent)
        self._environment = _environment(protocols, config or {}, index)
        if home is not None:
            self._environment |= {"HOME": str(home.absolute()), "GIT_ASKPASS": ""}
            for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"):
                self._environment.pop(name, None)
        if protocols:
            self._environment.setdefault("GIT_SSH_COMMAND", (ssh or "ssh") + SSH_OPTIONS)

    def offline(self, index: Path | None = None) -> Git:
        """The same repository with no transport: what is not here is missing."""
        return Git(self.git_dir, work_tree=self.work_tree, index=index, timeout_s=self.timeout_s)

    def command(self, *arguments: str | bytes) -> list[str | bytes]:
        """The whole command line."""
        place = [b"--git-dir=" + os.fsencode(self.git_dir.absolute())]
        if self.work_tree is not None:
            place.append(b"--work-tree=" + os.fsencode(self.work_tree.absolute()))
        return ["git", *_OPTIONS, *place, *arguments]

    def run(self, *arguments: str | bytes, feed: bytes = b"", ok: Sequence[int] = (0,)) -> bytes:
        """What a command prints.

        Raises:
            InputError, ServiceError: it fails; the message says why.
        """
        with self._started(*arguments, feeding=True) as (process, said):
            try:
                out, _ = process.communicate(feed, timeout=self.timeout_s)
            except subprocess.TimeoutExpired as exc:
                hint = "try again, or raise PHIDEX_INGEST__GIT_TIMEOUT_S"
                raise ServiceError(f"git took longer than {self.timeout_s:g} s", hint=hint, retryable=True) from exc
            if process.returncode not in ok:
                raise git_error(said())
        return out

    def text(self, *arguments: str | bytes, ok: Sequence[int] = (0,)) -> str:
        """What a command prints, as one line of text."""
        return self.run(*arguments, ok=ok).decode("utf-8", "replace").strip()

    def records(self, *arguments: str | bytes) -> Iterator[bytes]:
        """The NUL-terminated records that a command prints, as they come: memory does not grow with their number.

        Raises:
            InputError, ServiceError: it fails, or keeps us waiting for too long.
        """
        with self._started(*arguments) as (process, said):
            pipe, rest = Pipe(process, self.timeout_s), b""
            while piece := pipe.some():
                *whole, rest = (rest + piece).split(b"\0")
                yield from whole
            process.wait(self.timeout_s)
            if process.returncode:
                raise git_error(said())
            if rest:
                yield rest

    def blobs(self) -> Blobs:
        """A reader of file contents; a context manager."""
        return Blobs(self._start("cat-file", "--batch", feeding=True, errors=None), self.timeout_s)

    @contextmanager
    def _started(
        self, *arguments: str | bytes, feeding: bool = False
    ) -> Generator[tuple[subprocess.Popen[bytes], Callable[[], bytes]]]:
        """A running command and what reads its errors; ended when the block is left early."""
        with tempfile.TemporaryFile() as errors:

            def said() -> bytes:
                errors.seek(max(0, errors.seek(0, os.SEEK_END) - 8192))
                return errors.read()

            process = self._start(*arguments, feeding=feeding, errors=errors)
            try:
                yield process, said
            finally:
                end(process)

    def _start(self, *arguments: str | bytes, feeding: bool, errors: IO[bytes] | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self._cwd,
            env=self._environment,
            stdin=subprocess.PIPE if feeding else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors or subprocess.DEVNULL,
        )


class Blobs:
    """The contents of git objects, one after another from one process."""

    _PIECE = 1 << 20
    _AHEAD = 64  # requests under way: git reads while we do, and what it is told fits its pipe

    def __init__(self, process: subprocess.Popen[bytes], timeout_s: float) -> None:
        self._process, self._pipe = process, Pipe(process, timeout_s)

    def __enter__(self) -> Blobs:
        return self

    def __exit__(self, *exc: object) -> None:
        end(self._process)

    def each(self, oids: Sequence[str]) -> Iterator[tuple[int, Iterator[bytes]] | None]:
        """Of each object its size and its content in pieces; None for one that is not in the repository.

        What is left of one content is passed over when the next is asked for.
        """
        assert self._process.stdin is not None
        ahead = 0
        for number in range(len(oids)):
            while ahead < min(number + self._AHEAD, len(oids)):
                self._process.stdin.write(oids[ahead].encode() + b"\n")
                ahead += 1
            try:
                self._process.stdin.flush()
            except OSError as exc:
                raise _unreadable() from exc
            size = self._header()
            if size is None:
                yield None
                continue
            content = self._read(size)
            yield size, content
            for _ in content:
                continue

    def _header(self) -> int | None:
        header = self._pipe.line().split()
        if not header:
            raise _unreadable()
        return int(header[2]) if len(header) == 3 and header[1] == b"blob" else None

    def _read(self, size: int) -> Iterator[bytes]:
        left = size + 1  # a newline ends the content
        while left:
            piece = self._pipe.exactly(min(left, self._PIECE))
            if len(piece) < min(left, self._PIECE):
                raise _unreadable()
            left -= len(piece)
            yield piece if left else piece[:-1]


def _unreadable() -> InputError:
    return InputError("the repository cannot be read", hint="check it with git fsck")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a command of ours, and close its pipes."""
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # what was still to be written no longer matters
                continue
    if process.poll() is None:
        try:
            process.wait(0.2)  # closed pipes end most of them
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(2)  # it ends its helpers, and removes its temporary files
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def git_error(stderr: bytes) -> InputError | ServiceError:
    """What git's message means."""
    text = clean_message(stderr.decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("warning:", "hint:"))]

    def told(pattern: str) -> str:
        """The line that says it, without git's own label."""
        line = next((line for line in lines if re.search(pattern, line, re.IGNORECASE)), lines[-1] if lines else "it failed")
        return re.sub(r"^(fatal|error|remote|ssh): ", "", line)

    for pattern, reason, hint in _REASONS:
        if re.search(pattern, text, re.MULTILINE):
            return InputError(f"{reason} (git: {told(pattern)})", hint=hint)
    if re.search(_NETWORK, text, re.IGNORECASE):
        hint = "check the address and the network"
        return ServiceError(f"the host cannot be reached (git: {told(_NETWORK)})", hint=hint, retryable=True)
    return InputError(f"git: {told('^(fatal|error):')}", hint="try the same with git itself")


def _environment(protocols: Iterable[str], config: Mapping[str, str], index: Path | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or _KEPT.match(name)}
    kept |= {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": ":".join(protocols) or "none",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "SSH_ASKPASS_REQUIRE": "never",
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "C",
    }
    kept.setdefault("GIT_ASKPASS", "")  # nothing pops up; a helper that the user set stays
    if not protocols:
        kept["GIT_NO_LAZY_FETCH"] = "1"
    if "GIT_SSH_COMMAND" in kept:
        kept["GIT_SSH_COMMAND"] += SSH_OPTIONS
    elif "GIT_SSH" in kept:  # a program without options: it is the user's own
        kept["GIT_SSH_COMMAND"] = kept["GIT_SSH"]
    if index is not None:
        kept["GIT_INDEX_FILE"] = str(index)
    kept["GIT_CONFIG_COUNT"] = str(len(config))
    for number, (key, value) in enumerate(config.items()):
        kept[f"GIT_CONFIG_KEY_{number}"], kept[f"GIT_CONFIG_VALUE_{number}"] = key, value
    return kept
