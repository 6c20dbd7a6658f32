"""Starts the web app: `phidex ui`. The process becomes Streamlit, so that signals and the exit code are its own."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path

from phidex.errors import ConfigError

APP = Path(__file__).with_name("app.py")
HERE = "127.0.0.1"

# Theme and the rest stand in ui/.streamlit/config.toml, which holds for `streamlit run ui/app.py` too.
# What keeps the app on this machine is said here as well, where no configuration of the user's can undo it by accident.
_FLAGS = (
    ("server.headless", "true"),  # asks for no e-mail address at the first start
    ("browser.gatherUsageStats", "false"),
)


def command(port: int, address: str = HERE) -> list[str]:
    """The command line that serves the app."""
    hosts = (("server.allowedHosts", HERE), ("server.allowedHosts", "localhost")) if address == HERE else ()  # DNS rebinding
    flags = [part for key, value in (("server.address", address), *hosts, *_FLAGS) for part in (f"--{key}", value)]
    # -P: the working folder stays off sys.path, where a file typer.py of the user's would be imported in place of ours.
    return [sys.executable, "-P", "-m", "streamlit", "run", str(APP), "--server.port", str(port), *flags]


def launch(data: Path, port: int = 8501, address: str = HERE) -> int:
    """Serve the app for a data folder; does not return, since the process becomes Streamlit.

    Args:
        address: what it listens on; anything but 127.0.0.1 is open to the network, without a login.

    Raises:
        ConfigError: Streamlit is not installed, or the port is taken.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise ConfigError("the web app needs Streamlit, which is not installed", hint="pip install 'phidex[ui]'")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as exc:
            raise ConfigError(f"{address}:{port} cannot be had: {exc.strerror}", hint="choose another with --port") from exc
    sys.stdout.flush()
    sys.stderr.flush()
    environment = {**os.environ, "PHIDEX_DATA": str(data.expanduser().resolve())}
    os.execve(sys.executable, command(port, address), environment)
