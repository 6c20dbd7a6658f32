"""Documents from a real https server on this machine: limits, names, errors, and no way into a private network."""

from __future__ import annotations

import gzip
import ipaddress
import socket
import threading
import time
import zipfile
from collections.abc import Generator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.ingest.hosts import Host, find, read_all, serve

from phidex.errors import InputError
from phidex.ingest.sources import address, download
from phidex.ingest.sources.address import is_public, resolve
from phidex.ingest.sources.download import document_uri, file_name
from phidex.ingest.sources.found import Found
from phidex.settings import IngestSettings

OPEN = IngestSettings(allow_private_urls=True)
PDF = {"Content-Type": "application/pdf"}


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Host]:
    monkeypatch.setattr(download, "_PAUSES_S", (0.01, 0.01))
    with serve(tmp_path) as host:
        monkeypatch.setenv("SSL_CERT_FILE", str(host.certificate))
        yield host


def get(url: str, folder: Path, settings: IngestSettings = OPEN, **more: Any) -> tuple[Found, bytes]:
    """What one URL gives."""
    ((found, data),) = read_all(find(url, workspace=folder / "w", settings=settings, **more)).values()
    return found, data


def test_a_document_comes_with_what_is_known_of_it(host: Host, tmp_path: Path) -> None:
    host.pages["/docs/report.pdf"] = (
        200,
        PDF | {"ETag": '"one"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"},
        b"%PDF-1.7",
    )
    told: list[tuple[str, int, int]] = []

    def tell(name: str, done: int, total: int) -> None:
        told.append((name, done, total))

    url = f"{host.url}/docs/report.pdf"
    found, data = get(url + "#page=2", tmp_path, on_progress=tell)
    assert data == b"%PDF-1.7"
    assert (found.uri, found.shown, found.place, found.keep) == (url, url, "report.pdf", True)
    assert found.path.name == "report.pdf"
    assert found.metadata["etag"] == '"one"'
    assert found.metadata["last_modified"].startswith("Mon")
    assert found.metadata["fetched"].startswith("20")
    assert told[-1] == (url, 8, 8)


def test_an_unchanged_document_is_not_downloaded_again(host: Host, tmp_path: Path) -> None:
    content, tag = b"first " * 1000, '"one"'

    def page(headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        if headers.get("if-none-match") == tag:
            return 304, {"ETag": tag}, b""
        return 200, {"ETag": tag, "Content-Disposition": "attachment; filename=notes.md"}, content

    host.pages["/notes"] = page
    first, data = get(f"{host.url}/notes", tmp_path)
    again, same = get(f"{host.url}/notes", tmp_path)
    assert (data, same) == (content, content)
    assert again.metadata == first.metadata  # fetched then, and not now
    assert again.path.name == "notes.md"
    content, tag = b"second", '"two"'
    assert get(f"{host.url}/notes", tmp_path)[1] == b"second"
    assert get(f"{host.url}/notes", tmp_path)[1] == b"second"
    for kept in (tmp_path / "w/urls").glob("*.json"):
        kept.write_text("{}")
    assert get(f"{host.url}/notes", tmp_path)[1] == b"second"


@pytest.mark.parametrize(
    ("status", "reason", "hint"),
    [
        (404, "there is nothing", "address"),
        (410, "there is nothing", "address"),
        (401, "not give it to everyone", "login"),
        (403, "not give it to everyone", "login"),
        (429, "cannot answer now", "later"),
        (503, "cannot answer now", "later"),
        (418, "no document", "browser"),
        (206, "no document", "browser"),
    ],
)
def test_statuses(host: Host, tmp_path: Path, status: int, reason: str, hint: str) -> None:
    host.pages["/x.pdf"] = (status, {}, b"x")
    found, _ = get(f"{host.url}/x.pdf", tmp_path)
    assert found.failed
    assert reason in found.reason
    assert str(status) in found.reason
    assert hint in found.hint
    assert len(host.asked) == (3 if status in (429, 503) else 1)


def test_a_failure_in_passing_is_tried_again(host: Host, tmp_path: Path) -> None:
    host.pages["/x.md"] = lambda _: (200, {}, b"there") if len(host.asked) == 3 else (502, {}, b"")
    assert get(f"{host.url}/x.md", tmp_path)[1] == b"there"


def test_redirects(host: Host, tmp_path: Path) -> None:
    host.pages["/a"] = (302, {"Location": "/b"}, b"")
    host.pages["/b"] = (301, {"Location": f"{host.url}/final/report.md"}, b"")
    host.pages["/final/report.md"] = (200, {}, b"there")
    found, data = get(f"{host.url}/a", tmp_path)
    assert (data, found.uri, found.place) == (b"there", f"{host.url}/a", "report.md")
    host.pages["/loop"] = (302, {"Location": "/loop"}, b"")
    assert "redirects" in get(f"{host.url}/loop", tmp_path)[0].reason
    assert host.asked.count("GET /loop") == 6
    for target, reason in (
        ("http://localhost/x", "http:// is not taken"),
        ("file:///etc/passwd", "no host"),
        ("ftp://localhost/x", "not taken"),
    ):
        host.pages["/away"] = (302, {"Location": target}, b"")
        found = get(f"{host.url}/away", tmp_path)[0]
        assert found.failed
        assert reason in found.reason


def _is_taken_for_public(one: object) -> bool:
    return str(one) == "127.0.0.1"


def test_private_addresses_are_refused_at_every_hop(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = host.url.rpartition(":")[2]
    for name in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0", "2130706433", "169.254.169.254", "[::ffff:127.0.0.1]"):
        found, _ = get(f"https://{name}:{port}/x.pdf", tmp_path, IngestSettings())
        assert "leads to a private address" in found.reason, name
        assert "ALLOW_PRIVATE_URLS" in found.hint
    assert host.asked == []
    # A public host that sends on to a private one: here, the first name is taken for public.
    monkeypatch.setattr(address, "is_public", _is_taken_for_public)
    host.pages["/x.md"] = (302, {"Location": f"https://[::1]:{port}/secret.md"}, b"")
    found, _ = get(f"https://localhost:{port}/x.md", tmp_path, IngestSettings())
    assert "leads to a private address" in found.reason
    assert host.asked == ["GET /x.md"]


def test_the_address_that_was_checked_is_the_one_connected_to(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.pages["/x.md"] = (200, {}, b"there")
    port = int(host.url.rpartition(":")[2])
    asked: list[Any] = []

    def rebinding(name: Any, *args: Any, **more: Any) -> Any:
        asked.append(name)
        first = asked.count(name) == 1 or name != "localhost"
        answer = "127.0.0.1" if first else "127.0.0.2"  # another answer the second time
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, port))]

    monkeypatch.setattr(address.socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(address, "is_public", _is_taken_for_public)
    assert get(f"{host.url}/x.md", tmp_path, IngestSettings())[1] == b"there"
    assert [name for name in asked if name == "localhost"] == ["localhost"]
    assert host.headers[0]["host"] == f"localhost:{port}"


def test_what_is_public() -> None:
    private = (
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "127.0.0.1", "0.0.0.0", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::", "::1", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "2001:0:0:0:0:0:f5ff:fffe", "2001:db8::1", "fec0::1",
    )  # fmt: skip
    assert [text for text in private if is_public(ipaddress.ip_address(text))] == []
    public = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")
    assert [text for text in public if not is_public(ipaddress.ip_address(text))] == []
    with pytest.raises(InputError, match="private"):
        resolve("127.0.0.1", 443, allow_private=False)


def test_plain_http_is_taken_only_when_allowed(tmp_path: Path) -> None:
    with serve(tmp_path, tls=False) as host:
        host.pages["/x.md"] = (200, {}, b"plain")
        assert "http:// is not taken" in get(f"{host.url}/x.md", tmp_path)[0].reason
        allowed = IngestSettings(allow_private_urls=True, allow_http=True)
        assert get(f"{host.url}/x.md", tmp_path, allowed)[1] == b"plain"


def test_a_certificate_that_nobody_knows(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    found, _ = get(f"{host.url}/x.md", tmp_path)
    assert "certificate" in found.reason
    monkeypatch.setenv("SSL_CERT_FILE", str(host.certificate))
    found, _ = get(host.url.replace("localhost", "127.0.0.1") + "/x.md", tmp_path)  # a good one, of another name
    assert "certificate" in found.reason
    assert host.asked == []


def test_too_large_and_too_slow(host: Host, tmp_path: Path) -> None:
    tight = IngestSettings(allow_private_urls=True, max_file_mb=1, download_timeout_s=1)
    host.pages["/told.pdf"] = (200, {"Content-Length": str(5 << 20)}, b"")
    host.pages["/untold.pdf"] = (200, {"Transfer-Encoding": "chunked"}, b"%x\r\n%s\r\n0\r\n\r\n" % (3 << 20, b"x" * (3 << 20)))
    for page in ("told", "untold"):
        assert get(f"{host.url}/{page}.pdf", tmp_path, tight)[0].reason == "larger than 1 MB"
    zeros = gzip.compress(b"\0" * (3 << 20))
    host.pages["/bomb.pdf"] = (200, {"Content-Encoding": "gzip"}, zeros)
    assert get(f"{host.url}/bomb.pdf", tmp_path, tight)[0].reason == "larger than 1 MB"
    assert list((tmp_path / "w/spool").iterdir()) == [tmp_path / "w/spool/.lock"]


def test_a_server_that_drips(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                for _ in range(100):
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                return

    thread = threading.Thread(target=drip)
    thread.start()
    slow = IngestSettings(allow_private_urls=True, allow_http=True, download_timeout_s=1)
    started = time.monotonic()
    found, _ = get(f"http://127.0.0.1:{listener.getsockname()[1]}/x.pdf", tmp_path, slow)
    listener.close()
    thread.join()
    assert found.reason == "not there after 1 s"
    assert time.monotonic() - started < 3


def test_a_connection_that_breaks_off(host: Host, tmp_path: Path) -> None:
    host.pages["/x.pdf"] = (200, {"Content-Length": "1000", "Connection": "close"}, b"half")
    found, _ = get(f"{host.url}/x.pdf", tmp_path)
    assert "broke off" in found.reason or "did not answer" in found.reason
    assert "nothing" in get(f"{host.url}/missing", tmp_path)[0].reason
    host.pages["/empty.pdf"] = (200, {}, b"")
    assert "sent nothing" in get(f"{host.url}/empty.pdf", tmp_path)[0].reason
    assert "cannot be reached" in get("https://127.0.0.1:9/x.pdf", tmp_path)[0].reason


def test_an_archive_from_the_web(host: Host, tmp_path: Path) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/a.md", "inside")
    host.pages["/docs"] = (200, {"Content-Type": "application/zip", "ETag": '"z"'}, packed.getvalue())
    found, data = get(f"{host.url}/docs", tmp_path)
    assert data == b"inside"
    assert (found.uri, found.place) == (f"{host.url}/docs#in/a.md", "in/a.md")
    assert found.metadata["etag"] == '"z"'
    assert found.metadata["member"] == "in/a.md"


@pytest.mark.parametrize(
    ("path", "headers", "name"),
    [
        ("/pdf/2404.14219", {"content-type": "application/pdf"}, "2404.14219.pdf"),
        ("/a.pdf", {"content-type": "application/octet-stream"}, "a.pdf"),
        ("/", {"content-type": "text/html; charset=utf-8"}, "index.html"),
        ("/about", {"content-type": "text/html"}, "about.html"),
        ("/a%20b.md", {}, "a b.md"),
        ("/x", {"content-disposition": 'attachment; filename="r\\"x.pdf"'}, 'r"x.pdf'),
        ("/x", {"content-disposition": "attachment; filename*=UTF-8''%e2%82%ac.pdf; filename=e.pdf"}, "€.pdf"),
        ("/x", {"content-disposition": 'attachment; filename="../../etc/passwd"'}, "passwd"),
        ("/x", {"content-disposition": "attachment; filename*=no-such''..%2f..%2fa.pdf"}, "a.pdf"),
        ("/..%2f..%2fetc%2fpasswd", {"content-type": "text/plain"}, "passwd.txt"),
        ("/" + "x" * 900 + ".pdf", {}, "x" * 196 + ".pdf"),
    ],
)
def test_names(path: str, headers: dict[str, str], name: str) -> None:
    assert file_name(httpx.URL(f"https://example.com{path}"), httpx.Headers(headers)) == name


def test_uris_keep_no_secrets() -> None:
    signed = "https://jo:pw@Example.com/a.pdf?v=2&X-Amz-Signature=abc&X-Amz-Expires=60&access_token=t&sig=s&lang=de#p"
    assert document_uri(httpx.URL(signed)) == "https://example.com/a.pdf?v=2&lang=de"
    assert document_uri(httpx.URL("https://example.com/a.pdf")) == "https://example.com/a.pdf"


def test_names_that_signatures_use_are_kept_where_there_is_none() -> None:
    for name in ("st", "sr", "se", "sp", "sv", "policy", "expires"):
        one, two = (document_uri(httpx.URL(f"https://example.com/doc?{name}={value}")) for value in (1, 2))
        assert one != two, name
        assert one == f"https://example.com/doc?{name}=1"
    azure = "https://example.com/a.pdf?id=7&sv=2022-11-02&st=1&se=2&sr=b&sp=r&sig=s3cret"
    front = "https://example.com/a.pdf?Id=7&Expires=1&Policy=x&Signature=s3cret&Key-Pair-Id=K"
    assert document_uri(httpx.URL(azure)) == "https://example.com/a.pdf?id=7"
    assert document_uri(httpx.URL(front)) == "https://example.com/a.pdf?Id=7"


def test_a_url_that_is_named_twice_is_told_once_and_fetched_once(host: Host, tmp_path: Path) -> None:
    host.pages["/x.md"] = (200, {}, b"there")
    urls = [f"{host.url}/x.md", f"{host.url}/x.md?sig=1", f"{host.url}/x.md#two"]
    with find(*urls, workspace=tmp_path / "w", settings=OPEN) as files:
        first, again = files
    assert (first.duplicate, first.reason) == (False, "")
    assert (again.duplicate, again.reason, again.uri) == (True, "named more than once", first.uri)
    assert host.asked == ["GET /x.md"]


def test_a_login_in_the_url_is_used_and_not_kept(host: Host, tmp_path: Path) -> None:
    host.pages["/x.md"] = lambda headers: (
        (200, {}, b"in") if headers.get("authorization") == "Basic am86cHc=" else (401, {}, b"")
    )
    found, data = get(host.url.replace("https://", "https://jo:pw@") + "/x.md", tmp_path)
    assert data == b"in"
    assert "pw@" not in str(found)
    refused, _ = get(host.url.replace("https://", "https://jo:s3cret@") + "/x.md?token=s3cret", tmp_path)
    assert refused.failed
    assert "s3cret" not in str(refused)
