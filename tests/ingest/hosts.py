"""What ingest reaches over the network, on this machine: an https server with documents and git; and repositories."""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
import subprocess
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

from phidex.ingest.sources.discover import Discovery, discover
from phidex.ingest.sources.found import Found
from phidex.settings import IngestSettings

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Host:
    """A server on this machine.

    Args:
        pages: by path, what to answer with, or a function of the request's headers.
        repositories: the folder whose repositories it serves under /git/.
        login: "user:password" asked for under /git/; "" for none.
        asked: every request so far, as "METHOD path".
    """

    url: str = ""
    certificate: Path = Path()
    pages: dict[str, Reply | Callable[[dict[str, str]], Reply]] = field(default_factory=dict[str, Any])
    repositories: Path = Path()
    login: str = ""
    asked: list[str] = field(default_factory=list[str])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])


def _handler(host: Host) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            host.asked.append(f"{self.command} {path}")
            host.headers.append({key.lower(): value for key, value in self.headers.items()})
            if path.startswith("/git/"):
                self._git(path, query)
                return
            page = host.pages.get(path, (404, {}, b"nothing here"))
            status, headers, body = page(host.headers[-1]) if callable(page) else page
            self._reply(status, headers, body)

        def do_POST(self) -> None:
            self.do_GET()

        def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(body)

        def _git(self, path: str, query: str) -> None:
            given = self.headers.get("Authorization", "")
            if host.login and given != "Basic " + base64.b64encode(host.login.encode()).decode():
                self._reply(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
                return
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(host.repositories),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "safe.directory",
                "GIT_CONFIG_VALUE_0": "*",
                "PATH_INFO": path.removeprefix("/git"),
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"], input=self._body(), env=environment, capture_output=True, check=False
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self._reply(int(headers.pop("Status", "200").split()[0]), headers, body)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is what some tests are about."""


@contextlib.contextmanager
def serve(folder: Path, *, tls: bool = True) -> Generator[Host]:
    """A server for localhost; its authority's certificate lies in `folder`."""
    host = Host(certificate=folder / "authority.pem")
    server = _Quiet(("127.0.0.1", 0), _handler(host))
    if tls:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(host.certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # OpenSSL's are optional
        server.socket = context.wrap_socket(server.socket, server_side=True)
    host.url = f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield host
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def git(folder: Path, *arguments: str) -> str:
    """What git prints, as a user runs it."""
    who = ("-c", "user.name=Jo", "-c", "user.email=jo@example.com", "-c", "protocol.file.allow=always")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *who, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    """Files with these contents, in folders as needed."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def make_repository(folder: Path, files: dict[str, str | bytes], *, message: str = "first") -> str:
    """A repository with one commit on `main`; returns its id."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "uploadpack.allowFilter", "true")
    return commit(folder, files, message=message)


def commit(folder: Path, files: dict[str, str | bytes], *, message: str = "more") -> str:
    """One more commit; returns its id."""
    write(folder, files)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


def find(*targets: str | Path, workspace: Path, settings: IngestSettings | None = None, **more: object) -> Discovery:
    """A discovery with what the tests need by default."""
    return discover(targets, exclude=None, workspace=workspace, settings=settings or IngestSettings(), **more)  # type: ignore[arg-type]  # keywords of discover


def read_all(discovery: Discovery) -> dict[str, tuple[Found, bytes]]:
    """What was found by its place, with its bytes, each released once read."""
    files: dict[str, tuple[Found, bytes]] = {}
    with discovery:
        for found in discovery:
            data = b"" if found.reason else found.path.read_bytes()
            files[found.place or found.shown or found.path.name] = (found, data)
            if found.keep:
                discovery.release(found)
    return files
