"""docs/settings.md: every variable, from the fields themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from phidex.settings.load import Settings
from phidex.settings.secret_files import is_secret
from phidex.settings.sections import section_of

_PREAMBLE = """# Settings

Each setting is an environment variable. With the SDK it is an argument as well: `PHIDEX_PACK__BUDGET_TOKENS=16000` is
`Settings(pack=PackSettings(budget_tokens=16000))` of `phidex.settings`. A variable that starts with `PHIDEX_` and is not on
this page is refused, with the nearest name in the message. Keys are never shown or logged.

A secret can lie in a file, as Docker and Kubernetes hand secrets over: `PHIDEX_CHAT__API_KEY_FILE=/run/secrets/model_key`
stands for `PHIDEX_CHAT__API_KEY`. Every variable marked secret has such a twin with `_FILE`; of a list, each line is a value.

This page is printed by `python -m phidex.settings`.
"""


def settings_page() -> str:
    """docs/settings.md: every variable with its default, what it is and its bounds, one table a section."""
    fields = Settings.model_fields.items()
    lines = [_PREAMBLE, "## General", "", *_table((name, field) for name, field in fields if not section_of(field))]
    for name, field in fields:
        if section := section_of(field):
            inner = ((f"{name}__{key}", inside) for key, inside in section.model_fields.items())
            lines += ["", f"## {name.capitalize()}", "", (section.__doc__ or "").strip(), "", *_table(inner)]
    return "\n".join(lines) + "\n"


def _table(fields: Iterator[tuple[str, FieldInfo]]) -> Iterator[str]:
    yield "| variable | default | what it is | allowed |"
    yield "|---|---|---|---|"
    for name, field in fields:
        default = "" if field.default in (None, "", ()) else f"`{str(field.default).lower()}`"
        what = (field.description or "").replace("|", "\\|")
        yield f"| `PHIDEX_{name.upper()}` | {default} | {what} | {_allowed(field)} |"


def _allowed(field: FieldInfo) -> str:
    """The kind of value and its bounds: "whole number, 32 to 8192"."""
    inner = () if get_origin(field.annotation) is tuple else get_args(field.annotation)
    kinds: set[Any] = set(inner) - {type(None)} or {field.annotation}
    if all(isinstance(kind, str) for kind in kinds):  # a Literal
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    names = {
        int: "whole number",
        float: "number",
        bool: "`true` or `false`",
        Path: "path",
        SecretStr: "text, secret",
        str: "text",
    }
    kind = next((names[kind] for kind in kinds if kind in names), "list, secret" if is_secret(field) else "list")
    found = {sign: getattr(bound, sign) for bound in field.metadata for sign in ("ge", "gt", "le") if hasattr(bound, sign)}
    low = f"above {found['gt']}" if "gt" in found else f"from {found['ge']}" if "ge" in found else ""
    return ", ".join(part for part in (kind, f"{low} to {found['le']}" if low and "le" in found else low) if part)
