"""API keys: what each may do, kept as hashes in a file of the data folder, which every server of the folder reads.

A key is `phidex_<id>_<secret>`, its secret 256 random bits. SHA-256 is the right hash for that: nobody can try 2**256 secrets,
so that a slow hash or a salt would protect nothing that it does not, and would cost every request its time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from phidex.errors import ConfigError, InputError, NotFoundError
from phidex.retrieval.checks import check_name
from phidex.server.files import write_whole

Scope = Literal["read", "ingest", "admin"]
"""read: search, ask, look; ingest: add and remove documents; admin: remove collections, read metrics, and all the rest."""

SCOPES: tuple[Scope, ...] = get_args(Scope)
EVERY = "*"
"""The grant that means all collections."""

_PREFIX = "phidex"
_NOBODY = hashlib.sha256(b"").hexdigest()  # compared with where there is no such key, so that the time is the same


@dataclass(frozen=True, slots=True)
class Key:
    """What is kept of a key.

    Args:
        hash: SHA-256 of the whole key, in hexadecimal digits.
        collections: that it is for; `EVERY` for all.
        expires_at, revoked_at: seconds since 1970; 0 for never.
        requests_per_minute, max_upload_mb: in place of the settings'; None for theirs.
    """

    id: str
    name: str
    hash: str
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...]
    created_at: float
    expires_at: float = 0.0
    revoked_at: float = 0.0
    requests_per_minute: int | None = None
    max_upload_mb: int | None = None

    @property
    def is_valid(self) -> bool:
        """Whether it is neither revoked nor expired."""
        return not self.revoked_at and (not self.expires_at or time.time() < self.expires_at)

    def has(self, *scopes: Scope) -> bool:
        """Whether it has one of the scopes; admin has them all."""
        return "admin" in self.scopes or any(scope in self.scopes for scope in scopes)

    @property
    def opens_all(self) -> bool:
        """Whether it is for all collections."""
        return EVERY in self.collections

    def opens(self, collection: str) -> bool:
        """Whether it is for this collection."""
        return self.opens_all or collection in self.collections

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, without the hash."""
        return {name: value for name, value in asdict(self).items() if name != "hash"}


class KeyFile:
    """The keys of a data folder. Thread-safe; several processes may use and change them."""

    def __init__(self, data: Path) -> None:
        self.path = data / "server" / "keys.json"
        self._lock = threading.Lock()
        self._read: tuple[tuple[int, int, int], dict[str, Key]] = ((0, 0, 0), {})

    def all(self) -> dict[str, Key]:
        """Every key by its id, revoked ones too, oldest first. Read again whenever the file is another.

        Raises:
            ConfigError: the file is damaged or cannot be read: nobody is let in by guess.
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return {}
        except OSError as exc:
            raise ConfigError(f"{self.path} cannot be read: {exc.strerror}", hint="check its permissions") from exc
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        with self._lock:
            if self._read[0] != stamp:
                self._read = (stamp, self._load())
            return self._read[1]

    def find(self, token: str) -> Key | None:
        """The valid key that `token` is; None where there is none. Takes as long whether it nearly fits or not."""
        parts = token.split("_")
        key = self.all().get(parts[1]) if len(parts) == 3 and parts[0] == _PREFIX else None
        same = hmac.compare_digest(_hash(token), key.hash if key else _NOBODY)
        return key if key and same and key.is_valid else None

    def create(
        self,
        name: str,
        scopes: Sequence[str],
        collections: Sequence[str],
        *,
        days: float | None = None,
        requests_per_minute: int | None = None,
        max_upload_mb: int | None = None,
    ) -> tuple[Key, str]:
        """A new key and its token, which is kept nowhere.

        Args:
            days: after which it expires; None for never.

        Raises:
            InputError: the name is taken or none, there is no scope or no collection, or one is none.
        """
        if not (name.strip() and len(name) <= 100 and name.isprintable()):
            raise InputError(f"{name!r} is no name for a key", hint="1 to 100 characters that say who uses it")
        unknown = [scope for scope in scopes if scope not in SCOPES]
        known: tuple[Scope, ...] = tuple(scope for scope in SCOPES if scope in scopes)
        if unknown or not known:
            raise InputError(f"there is no scope {(unknown or [''])[0]!r}", hint=f"scopes are: {', '.join(SCOPES)}")
        if not collections:
            raise InputError("a key needs collections", hint=f"name them, or {EVERY!r} for all")
        for collection in collections:
            if collection != EVERY:
                check_name(collection)
        with self._changing() as keys:
            if any(key.name == name and key.is_valid for key in keys.values()):
                raise InputError(f"there is a key {name!r} already", hint="choose another name, or revoke it first")
            identity = secrets.token_hex(6)
            token = f"{_PREFIX}_{identity}_{secrets.token_hex(32)}"
            now = time.time()
            made = Key(
                identity,
                name,
                _hash(token),
                known,
                tuple(dict.fromkeys(collections)),
                now,
                now + days * 86_400 if days else 0.0,
                0.0,
                requests_per_minute,
                max_upload_mb,
            )
            keys[identity] = made
        return made, token

    def revoke(self, name: str) -> Key:
        """End a key, given by id or name, at once.

        Raises:
            NotFoundError: no key is called so, or it is revoked already.
        """
        with self._changing() as keys:
            found = [key for key in keys.values() if name in (key.id, key.name) and not key.revoked_at]
            if found:  # an expired one may have been called the same
                key = next((key for key in found if key.is_valid), found[0])
                keys[key.id] = replace(key, revoked_at=time.time())
                return keys[key.id]
        raise NotFoundError(f"there is no key {name!r}", hint="`phidex keys list` lists them")

    @contextlib.contextmanager
    def _changing(self) -> Generator[dict[str, Key]]:
        """The keys, to be changed by one process at a time; written when the block ends well."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self._load()
            yield keys
            write_whole(self.path, json.dumps({"version": 1, "keys": [asdict(key) for key in keys.values()]}, indent=1))

    def _load(self) -> dict[str, Key]:
        try:
            found: list[Mapping[str, Any]] = json.loads(self.path.read_text("utf-8"))["keys"]
            return {key["id"]: _key(key) for key in found}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as exc:
            raise ConfigError(f"the keys in {self.path} cannot be read", hint="put the file back from a backup") from exc


def _hash(token: str) -> str:
    return hashlib.sha256(os.fsencode(token)).hexdigest()


def _key(data: Mapping[str, Any]) -> Key:
    values = dict(data)
    values["scopes"], values["collections"] = tuple(data["scopes"]), tuple(data["collections"])
    return Key(**values)
