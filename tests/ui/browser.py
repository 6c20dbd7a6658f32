"""Chromium over its own DevTools protocol: enough to open a page, type, look and take a picture. No driver is needed."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-port=0", "--no-first-run")


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """One tab."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self.hosts: set[str] = set()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol; requests that the page makes meanwhile are noted in `hosts`."""
        self._number += 1
        self._connection.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(60))
            if message.get("method") == "Network.requestWillBeSent":
                url = str(message["params"]["request"]["url"])
                self.hosts.add(url.split("/")[2] if "://" in url[:8] else "")
            if message.get("id") == self._number:
                return message.get("result", {})

    def read(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait(self, expression: str, seconds: float = 60) -> Any:
        """Its value as soon as that is true."""
        deadline = time.monotonic() + seconds
        while not (value := self.read(expression)):
            assert time.monotonic() < deadline, f"{expression} stayed false; the page reads {self.text()!r}"
            time.sleep(0.2)
        return value

    def text(self) -> str:
        """What the page reads."""
        return str(self.read("document.body.innerText"))

    def type_into(self, selector: str, text: str) -> None:
        """Type and press Enter."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait(f"{element} !== null")
        self.read(f"{element}.focus()")
        self.call("Input.insertText", text=text)
        self.wait(f"{element}.value == {json.dumps(text)}")
        for kind, typed in (("keyDown", "\r"), ("keyUp", "")):
            self.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text=typed)

    def picture(self, path: Path) -> None:
        """Save what is seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def open_page(chromium: str, url: str, profile: Path, *, width: int = 1400, height: int = 1000) -> Generator[Page]:
    """The page in a browser of its own."""
    command = [chromium, *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
    browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = _port(profile / "DevToolsActivePort", browser)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as reply:
            targets: list[dict[str, str]] = json.load(reply)
        address = next(target["webSocketDebuggerUrl"] for target in targets if target["type"] == "page")
        with connect(address, max_size=None, compression=None) as connection:
            page = Page(connection)
            page.call("Network.enable")
            page.call("Emulation.setFocusEmulationEnabled", enabled=True)
            page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
            page.call("Page.navigate", url=url)
            yield page
    finally:
        browser.terminate()
        browser.wait(20)


def _port(file: Path, browser: subprocess.Popen[bytes]) -> int:
    deadline = time.monotonic() + 60
    while not file.exists() or not file.read_text():
        assert browser.poll() is None, "Chromium did not start"
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return int(file.read_text().split()[0])
