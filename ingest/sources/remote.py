"""Addresses of repositories: which text names one, what git is asked with, how it is recorded, and its web links.

Only https, ssh and scp-like addresses (`git@host:owner/repo.git`) are taken. Credentials in an address are given to git in a
header of their own, and never reach a record, a report, a log or a file.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from phidex.errors import InputError

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*):(?:/{2}|:)")  # `https://` and `ext::`
_SCP = re.compile(r"^(?P<user>[A-Za-z0-9_][\w.+-]*)@(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(?P<path>(?!//).+)$", re.ASCII)
_HOST = re.compile(r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:.]+$")
_USER = re.compile(r"^[A-Za-z0-9_~%][\w.+~%$-]*$", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x20\x7f]|%(?:0[0-9a-f]|1[0-9a-f]|7f)", re.IGNORECASE)
_PLACE = re.compile(r"^(localhost|[\w-]+(\.[\w-]+)+|\[[0-9A-Fa-f:.]+\])(:\d*)?$")  # what can be nothing but a host
_HIDDEN_HOST = re.compile(r"[^/]@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}(:\d+)?/")  # behind a password with a "/"
_FORGES = frozenset(("github.com", "gitlab.com", "bitbucket.org", "codeberg.org", "gitea.com", "git.sr.ht"))
PORTS = {"https": 443, "ssh": 22}

Kind = Literal["path", "git", "url"]


@dataclass(frozen=True, slots=True)
class GitUrl:
    """Where a repository is cloned from.

    Args:
        user, password: as in the address, still percent-encoded; a password is never shown.
        port: 0 for the scheme's own.
        path: from the first slash on.
        relative: an scp-like address whose path starts in the user's folder on the host.
    """

    scheme: Literal["https", "ssh"]
    host: str
    path: str
    user: str = ""
    password: str = ""
    port: int = 0
    relative: bool = False

    def __repr__(self) -> str:
        return f"GitUrl({self.remote!r})"

    @property
    def place(self) -> tuple[str, str, int]:
        """Scheme, host and port: who is talked to, and how."""
        return self.scheme, self.host, self.port or PORTS[self.scheme]

    @property
    def _authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host

    @property
    def address(self) -> str:
        """What git is given: without the password, and without the user where a password goes with it (see `header`)."""
        user = f"{self.user}@" if self.user and (self.scheme == "ssh" or not self.password) else ""
        return self._spelt(user)

    @property
    def header(self) -> tuple[str, str] | None:
        """git's configuration key and value that carry the credentials of an https address, if it has some."""
        if not self.password or self.scheme != "https":
            return None
        pair = f"{unquote(self.user)}:{unquote(self.password)}".encode()
        return f"http.https://{self._authority}/.extraHeader", f"Authorization: Basic {base64.b64encode(pair).decode()}"

    @property
    def remote(self) -> str:
        """The address as it is recorded: an ssh user stays, since it is no secret; nothing else of the credentials does."""
        return self._spelt(f"{self.user}@" if self.user and self.scheme == "ssh" else "")

    def _spelt(self, user: str) -> str:
        return (
            f"{user}{self._authority}:{self.path[1:]}"
            if self.relative
            else f"{self.scheme}://{user}{self._authority}{self.path}"
        )

    @property
    def uri(self) -> str:
        """What the repository's documents are named by, before `#path`: the same however the address was spelt."""
        path = re.sub(r"(\.git)?/*$", "", self.path)
        return f"git+{self.scheme}://{self._authority}{path}.git"


def target_kind(target: str | Path) -> Kind:
    """Whether a target of an ingest is a path, a repository elsewhere, or the URL of a document.

    A URL names a repository when it says so (`git+https://…`), ends in `.git`, or has exactly the two parts of a repository at
    a well-known host; when unclear, it names a document.

    >>> target_kind("https://github.com/owner/repo"), target_kind("https://github.com/owner/repo/raw/main/a.pdf")
    ('git', 'url')

    Raises:
        InputError: the scheme is one that is not taken.
    """
    text = str(target)
    found = _SCHEME.match(text)
    if isinstance(target, Path) or not found:
        return "git" if not isinstance(target, Path) and _SCP.match(text) and not Path(text).exists() else "path"
    scheme = found[1].lower()
    if scheme.startswith("git+") or scheme == "ssh":
        return "git"
    if scheme in ("https", "http"):
        parts = urlsplit(text)
        return "git" if parts.path.rstrip("/").endswith(".git") or _is_forge(parts.hostname or "", parts.path) else "url"
    raise InputError(f"{_clean(text)}: the scheme {scheme} is not taken", hint="use https://, ssh:// or a local path")


def _is_forge(host: str, path: str) -> bool:
    parts = [part for part in path.split("/") if part]
    if host.lower() in ("dev.azure.com",):
        return len(parts) == 4 and parts[2] == "_git"
    return host.lower() in _FORGES and len(parts) == 2


def parse_git_url(text: str) -> GitUrl:
    """The parts of a repository's address.

    Raises:
        InputError: its scheme is not https or ssh, or it has parts that could mean something else to git or ssh.
    """
    shown = _clean(text)
    if text.startswith("-") or _CONTROL.search(text):
        raise InputError(f"{shown!r} is not the address of a repository", hint="no leading dash, no blanks in it")
    scp = None if _SCHEME.match(text) else _SCP.match(text)
    if scp:
        url = f"ssh://{scp['user']}@{scp['host']}/{scp['path'].removeprefix('/')}"
    else:
        url = re.sub(r"^git\+", "", text, flags=re.IGNORECASE)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
    except ValueError as exc:
        raise InputError(f"{shown} is not an address", hint="for example https://github.com/owner/repo.git") from exc
    scheme = parts.scheme.lower()
    if scheme not in ("https", "ssh"):
        raise InputError(f"{shown}: repositories are not taken over {scheme or 'this'}", hint="use https:// or ssh://")
    user = parts.username or ""
    if not _HOST.match(host) or (user and not _USER.match(user)) or parts.query or parts.fragment:
        raise InputError(f"{shown} is not the address of a repository", hint="for example https://github.com/owner/repo.git")
    path = parts.path.rstrip("/")
    if _HIDDEN_HOST.search(path):
        raise InputError(f"{shown}: a password with a slash in it", hint="write / as %2F in a password")
    if path in ("", "/.git") or path.startswith("/-") or "//" in path or "/../" in f"{path}/":
        raise InputError(f"{shown} names no repository", hint="for example https://github.com/owner/repo.git")
    kind: Literal["https", "ssh"] = "https" if scheme == "https" else "ssh"
    relative = bool(scp) and not scp["path"].startswith("/")
    return GitUrl(kind, host.lower(), path, user, parts.password or "", 0 if port == PORTS[kind] else port, relative)


def clean_remote(text: str) -> str:
    """A remote as some repository's configuration names it, without credentials; "" for none.

    >>> clean_remote("https://jo:secret@example.com/a.git"), clean_remote("git@example.com:a/b.git")
    ('https://example.com/a.git', 'git@example.com:a/b.git')
    """
    try:
        return parse_git_url(text).remote if "://" in text else _clean(text)
    except InputError:
        return _clean(text)


def _clean(text: str) -> str:
    """Any address without what may be secret in it."""
    bare = _without_credentials(text).split("?", 1)[0].split("#", 1)[0]
    return re.sub(r"[\x00-\x1f\x7f]", "\N{REPLACEMENT CHARACTER}", bare)


def _without_credentials(text: str) -> str:
    """An address without what may be a user and a password, also where they hold a "/" that should have been written as %2F.

    >>> _without_credentials("ftp://jo:pa/ss@example.com/a"), _without_credentials("http://example.com:80/@jo/a")
    ('ftp://example.com/a', 'http://example.com:80/@jo/a')
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        return text
    place = re.split(r"[/?#]", rest, maxsplit=1)[0]
    is_host = bool(_PLACE.match(place)) and not _HIDDEN_HOST.search(re.split(r"[?#]", rest, maxsplit=1)[0])
    return scheme + separator + (rest if is_host else rest[rest.rfind("@") + 1 :])


def clean_message(text: str) -> str:
    """git's own words without credentials."""
    return re.sub(r"://[^\s'\"]+", lambda found: _without_credentials(found[0]), text)


def web_link(remote: str, commit: str, path: bytes) -> str:
    """The page of a file at a commit, with `{start}` and `{end}` for its lines; "" where the host is not a known one.

    >>> web_link("git@github.com:owner/repo.git", "c0ffee", b"src/a b.py")
    'https://github.com/owner/repo/blob/c0ffee/src/a%20b.py#L{start}-L{end}'
    """
    try:
        url = parse_git_url(remote)
    except InputError:
        return ""
    host, repo, name = url.host, re.sub(r"\.git$", "", url.path), quote(path, safe="/")
    site = f"https://{host}{repo}"
    if host in ("dev.azure.com", "ssh.dev.azure.com"):
        return _azure(repo, commit, name)
    match host.removeprefix("www.").split(".")[0]:
        case "github":
            return f"{site}/blob/{commit}/{name}#L{{start}}-L{{end}}"
        case "gitlab":
            return f"{site}/-/blob/{commit}/{name}#L{{start}}-{{end}}"
        case "bitbucket" if host == "bitbucket.org":
            return f"{site}/src/{commit}/{name}#lines-{{start}}:{{end}}"
        case "codeberg" | "gitea" | "forgejo":
            return f"{site}/src/commit/{commit}/{name}#L{{start}}-L{{end}}"
        case "git" if host == "git.sr.ht":
            return f"{site}/tree/{commit}/item/{name}#L{{start}}-{{end}}"
        case _:
            return ""


def _azure(repo: str, commit: str, name: str) -> str:
    parts = repo.strip("/").split("/")
    if len(parts) == 4 and parts[0] == "v3":  # git@ssh.dev.azure.com:v3/org/project/repo
        parts = [parts[1], parts[2], "_git", parts[3]]
    if len(parts) != 4 or parts[2] != "_git":
        return ""
    lines = "line={start}&lineEnd={end}&lineStartColumn=1&lineEndColumn=1"
    return f"https://dev.azure.com/{'/'.join(parts)}?path=/{name}&version=GC{commit}&{lines}"
