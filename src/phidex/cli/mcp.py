"""Serving a program of this machine over the Model Context Protocol: `phidex mcp`."""

from __future__ import annotations

import importlib.util

from phidex.cli.options import DataOption
from phidex.cli.session import open_phidex
from phidex.errors import ConfigError


def mcp(data: DataOption = None) -> None:
    """Serve the documents as tools (search, ask, read, list) over standard input and output: for assistants that start this.

    Over HTTP the same is at /mcp of `phidex serve`.
    """
    if importlib.util.find_spec("mcp") is None:
        raise ConfigError("this needs mcp, which is not installed", hint="pip install 'phidex[server]'")
    import asyncio

    from phidex.server.tools import serve_stdio

    with open_phidex(data) as phidex:
        asyncio.run(serve_stdio(phidex))
