"""API keys of the server: `phidex keys create | list | revoke`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from phidex.cli.options import DataOption, JsonOption
from phidex.cli.session import print_json, read_settings

if TYPE_CHECKING:
    from phidex.server.keys import Key

keys = typer.Typer(help="Keys for the server: who may do what with which collection.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="Who or what will use it.", metavar="NAME")]
KeyArgument = Annotated[str, typer.Argument(help="Name or id of the key.", metavar="NAME|ID")]
ScopeOption = Annotated[
    list[str] | None,
    typer.Option("--scope", help="read, ingest (add and remove documents) or admin (everything); repeatable. Default: read."),
]
CollectionsOption = Annotated[
    list[str] | None, typer.Option("--collection", "-c", help="Collection that it is for; repeatable. Default: all of them.")
]
DaysOption = Annotated[float | None, typer.Option("--days", min=0.001, max=36_500, help="Days after which it expires.")]
RateOption = Annotated[
    int | None,
    typer.Option("--requests-per-minute", min=0, max=1_000_000, help="Its own limit; 0: none. Default: the server's."),
]
SizeOption = Annotated[
    int | None, typer.Option("--max-upload-mb", min=1, max=1_048_576, help="Its own limit. Default: the server's.")
]


@keys.command()
def create(
    name: NameArgument,
    scope: ScopeOption = None,
    collection: CollectionsOption = None,
    days: DaysOption = None,
    requests_per_minute: RateOption = None,
    max_upload_mb: SizeOption = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it: it is shown this once, and kept as a hash alone."""
    from phidex.server.keys import EVERY, KeyFile

    key, token = KeyFile(read_settings(data).data).create(
        name,
        scope or ["read"],
        collection or [EVERY],
        days=days,
        requests_per_minute=requests_per_minute,
        max_upload_mb=max_upload_mb,
    )
    if as_json:
        print_json({**key.to_dict(), "token": token})
    else:
        print(token)
        print(f"for {_told(key)}; it is shown this once", file=sys.stderr)


@keys.command("list")
def list_keys(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the keys with what they are for."""
    from phidex.server.keys import KeyFile

    found = list(KeyFile(read_settings(data).data).all().values())
    if as_json:
        print_json([key.to_dict() for key in found])
        return
    for key in found:
        print(f"{key.id}  {key.name}  {_told(key)}")
    if not found:
        print("no keys yet: phidex keys create NAME")


@keys.command()
def revoke(key: KeyArgument, data: DataOption = None) -> None:
    """End a key at once, on servers that run too."""
    from phidex.server.keys import KeyFile

    ended = KeyFile(read_settings(data).data).revoke(key)
    print(f"{ended.name} ({ended.id}) is revoked")


def _told(key: Key) -> str:
    """What a key is for, in words."""
    what = f"{', '.join(key.scopes)} on {'all collections' if key.opens_all else ', '.join(key.collections)}"
    if key.revoked_at:
        return f"{what}, revoked"
    until = f", until {time.strftime('%Y-%m-%d %H:%M', time.localtime(key.expires_at))}" if key.expires_at else ""
    return f"{what}{until}{'' if key.is_valid else ' (expired)'}"
