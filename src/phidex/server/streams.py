"""Server-sent events."""

from __future__ import annotations

import json
from typing import Any

KEEP_ALIVE = b": so that nobody takes the connection for dead\n\n"
IDLE_S = 10.0
"""Seconds of silence after which `KEEP_ALIVE` is sent."""


def event(name: str, data: str | dict[str, Any]) -> bytes:
    r"""One event; without a name, as OpenAI's clients read it.

    >>> event("delta", {"text": "a\nb"})
    b'event: delta\ndata: {"text":"a\\nb"}\n\n'
    """
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {text}\n\n".encode("utf-8", "replace")
