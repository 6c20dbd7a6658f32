"""Secrets that lie in files: `PHIDEX_CHAT__API_KEY_FILE=/run/secrets/model_key` stands for `PHIDEX_CHAT__API_KEY`.

Docker, Kubernetes and systemd hand secrets over in files, where no listing of processes or containers shows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from phidex.errors import ConfigError

FILE = "_FILE"
_MOST_BYTES = 64 * 1024  # a key has some hundred


def is_secret(field: FieldInfo) -> bool:
    """Whether its value is a secret, or a list of them."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


def with_secret_files(environment: Mapping[str, str | None], fields: Iterable[tuple[str, FieldInfo]]) -> dict[str, str | None]:
    """The environment (names in lower case) with what the named files hold in place of the files' variables.

    Raises:
        ConfigError: a file cannot be read or is empty, or its variable is set as well. The message never shows its content.
    """
    found = dict(environment)
    for name, field in fields:
        path = found.pop((name + FILE).lower(), None) if is_secret(field) else None
        if path is None:
            continue
        if name.lower() in found:
            raise ConfigError(f"{name} and {name}{FILE} are both set", hint="set one of them")
        text = _read(name + FILE, path)
        many = get_origin(field.annotation) is tuple
        lines = [line for line in text.splitlines() if line.strip()]
        found[name.lower()] = json.dumps(lines) if many else text.strip()
    return found


def _read(name: str, path: str) -> str:
    hint = f"{name} is the path of a file with the secret alone in it"
    try:
        with Path(path).expanduser().open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        text = content.decode("utf-8-sig")
    except UnicodeError:  # it would show the secret's bytes
        raise ConfigError(f"{name}: {path!r} is no file of text", hint=hint) from None
    except (OSError, ValueError) as exc:  # ValueError: a null byte in the path
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise ConfigError(f"{name}: {path!r} cannot be read: {reason}", hint=hint) from exc
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"{name}: {path!r} is too large for a secret", hint=hint)
    if not text.strip():
        raise ConfigError(f"{name}: {path!r} is empty", hint=hint)
    return text
