"""Where each role is served, as the settings say: the one reading of them."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from phidex.settings import ChatSettings

ChatRole = Literal["mini", "moe", "vision"]


def endpoint_of(settings: ChatSettings, role: ChatRole) -> tuple[str, SecretStr | None]:
    """A role's own URL and key, or those of `url`; a key is never sent to another server than it was given for."""
    url, key = {
        "mini": ("", None),
        "moe": (settings.moe_url, settings.moe_api_key),
        "vision": (settings.vision_url, settings.vision_api_key),
    }[role]
    if not url:
        return settings.url, key or settings.api_key
    same = urlsplit(url)[:2] == urlsplit(settings.url)[:2]  # scheme, host and port
    return url, key or (settings.api_key if same else None)
