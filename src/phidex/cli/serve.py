"""Serving: `phidex serve`."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from phidex.cli.options import DataOption
from phidex.cli.session import read_settings
from phidex.errors import ConfigError

HostOption = Annotated[str | None, typer.Option("--host", help="Address to listen on; others than this machine's need keys.")]
PortOption = Annotated[int | None, typer.Option("--port", help="Port to listen on.", min=1, max=65535)]
WithoutKeysOption = Annotated[
    bool, typer.Option("--without-keys", help="Let everybody in who can reach it, to read, add and remove everything.")
]


def serve(
    data: DataOption = None, host: HostOption = None, port: PortOption = None, without_keys: WithoutKeysOption = False
) -> None:
    """Serve REST, and OpenAI's clients, over a data folder.

    On this machine's own addresses no key is needed until `phidex keys create` makes the first one.
    """
    missing = [name for name in ("fastapi", "uvicorn", "python_multipart") if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(f"the server needs {missing[0]}, which is not installed", hint="pip install 'phidex[server]'")
    settings = read_settings(data)
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update={"server": settings.server.model_copy(update=given)})
    from phidex.server.run import serve as run

    run(settings, without_keys=without_keys)
