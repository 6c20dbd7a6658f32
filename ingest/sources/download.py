"""A document from the web: streamed into the spool, within limits of size and time, never from a private network by accident.

Each hop of a redirect is checked anew, and the address that was checked is the one connected to. What was downloaded before
comes from the workspace when the server says that it has not changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import ssl
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, unquote, urlencode

import httpx

from phidex.errors import InputError, NotFoundError, PhidexError, ServiceError
from phidex.ingest.parse import SUFFIXES
from phidex.ingest.sources.address import resolve
from phidex.ingest.sources.archive import is_packed
from phidex.ingest.sources.found import Found, Scope
from phidex.ingest.sources.spool import Spool, safe_name

_REDIRECTS = 5
_PAUSES_S = (0.5, 1.5)  # between attempts
_KEPT_BYTES = 2 << 30  # of former downloads, the oldest go first
_TRANSIENT = frozenset((429, 500, 502, 503, 504))
# Signatures and tokens in a query: they expire, and are nobody's business; without them the document keeps its name.
_SECRET = re.compile(
    r"^(x-(amz|goog|oss|cos)-.*|signature|sig|awsaccesskeyid|googleaccessid|.*token.*|api_?key|password|secret)$",
    re.IGNORECASE,
)
# What stands beside a signature and says for whom and how long it holds. Where there is none, these are names like any others.
_SIGNED = {
    "sig": frozenset(("se", "sp", "sv", "sr", "st", "spr", "sip", "skoid", "sktid", "skt", "ske", "sks", "skv")),  # of Azure
    "signature": frozenset(("expires", "key-pair-id", "policy")),  # of CloudFront, and the older ones of S3
}
_SUFFIXES = {
    "application/pdf": ".pdf",
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "application/json": ".json",
    "application/xml": ".xml",
    "text/xml": ".xml",
    "application/zip": ".zip",
    "application/x-zip-compressed": ".zip",
    "application/x-tar": ".tar",
    "application/gzip": ".gz",
    "application/x-gzip": ".gz",
    "application/epub+zip": ".epub",
    "application/rtf": ".rtf",
    "message/rfc822": ".eml",
    "application/msword": ".doc",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.ms-powerpoint": ".ppt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.oasis.opendocument.spreadsheet": ".ods",
    "application/vnd.oasis.opendocument.presentation": ".odp",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/tiff": ".tiff",
}


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered of a download."""

    name: str
    etag: str = ""
    last_modified: str = ""
    fetched: str = ""


def download(text: str, scope: Scope) -> Found:
    """The document at a URL, in the spool.

    Raises:
        InputError: the address is not taken, leads to a private network, asks for a login, or holds too much.
        NotFoundError: there is nothing.
        ServiceError: the server or the way to it fails; trying again may help.
    """
    url = parse_url(text)
    uri = document_uri(url)
    deadline = time.monotonic() + scope.settings.download_timeout_s
    with httpx.Client(verify=trusted_certificates(), trust_env=False, timeout=httpx.Timeout(30, connect=10)) as client:
        path, kept = _persist(lambda: _Download(client, scope, uri, deadline).get(url), deadline)
    metadata = {"fetched": kept.fetched, "etag": kept.etag, "last_modified": kept.last_modified}
    return Found(path, uri, uri, kept.name, {key: value for key, value in metadata.items() if value}, keep=True)


def _persist(attempt: Callable[[], tuple[Path, _Kept]], deadline: float) -> tuple[Path, _Kept]:
    """The outcome of the first attempt that does not fail in passing."""
    for pause_s in _PAUSES_S:
        try:
            return attempt()
        except ServiceError as exc:
            if not exc.retryable or time.monotonic() + pause_s > deadline:
                raise
            time.sleep(pause_s)
    return attempt()


def trusted_certificates() -> ssl.SSLContext:
    """The certificates that this machine trusts, and those that browsers do."""
    context = httpx.create_ssl_context(trust_env=False)  # with certifi's
    context.load_default_certs()
    return context


def parse_url(text: str) -> httpx.URL:
    """The address of a document.

    Raises:
        InputError: it is none.
    """
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, UnicodeError) as exc:
        raise InputError(f"not a URL: {exc}", hint="for example https://example.com/report.pdf") from exc
    if not url.host:
        raise InputError("the URL has no host", hint="for example https://example.com/report.pdf")
    return url


def document_uri(url: httpx.URL) -> str:
    """What a document is named by: its URL without credentials, fragment, and signatures that expire.

    >>> document_uri(httpx.URL("https://example.com/a.pdf?sp=r&se=2026&sig=x")), document_uri(httpx.URL("https://a.com/?st=2"))
    ('https://example.com/a.pdf', 'https://a.com/?st=2')
    """
    pairs = parse_qsl(url.query.decode("ascii", "replace"), keep_blank_values=True)
    names = {name.lower() for name, _ in pairs}
    passing = {name for signature, beside in _SIGNED.items() if signature in names for name in beside}
    query = [(name, value) for name, value in pairs if not _SECRET.match(name) and name.lower() not in passing]
    return str(url.copy_with(userinfo=b"", fragment=None, query=urlencode(query).encode() or None))


class _Download:
    """One attempt at a document."""

    def __init__(self, client: httpx.Client, scope: Scope, uri: str, deadline: float) -> None:
        self._client, self._scope, self._uri, self._deadline = client, scope, uri, deadline
        self._cache = scope.workspace / "urls" / hashlib.sha256(uri.encode()).hexdigest()[:24]

    def get(self, url: httpx.URL) -> tuple[Path, _Kept]:
        """The document's file and what is known of it."""
        former = _read_kept(self._cache)
        headers = {"Accept-Encoding": "identity", "User-Agent": "phidex", "Accept": "*/*"}
        if former and former.etag:
            headers["If-None-Match"] = former.etag
        if former and former.last_modified:
            headers["If-Modified-Since"] = former.last_modified
        for _ in range(_REDIRECTS + 1):
            with self._request(url, headers) as response:
                if response.status_code == 304 and former:
                    return _hand_out(self._cache.with_suffix(".bin"), former.name, self._scope.spool), former
                if response.is_redirect:
                    url = parse_url(str(url.copy_with(userinfo=b"").join(response.headers.get("location", ""))))
                    continue
                _check_status(response)
                return self._save(response, url)
        raise InputError(f"more than {_REDIRECTS} redirects", hint="open it in a browser and take the final address")

    @contextmanager
    def _request(self, url: httpx.URL, headers: dict[str, str]) -> Generator[httpx.Response]:
        """The answer of the very address that was checked."""
        settings = self._scope.settings
        if url.scheme != "https" and not (url.scheme == "http" and settings.allow_http):
            hint = "use https, or set PHIDEX_INGEST__ALLOW_HTTP=true"
            raise InputError(f"{url.scheme}:// is not taken for documents", hint=hint)
        host = url.raw_host.decode("ascii")
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = resolve(host, port, allow_private=settings.allow_private_urls)
        with _translated(host):
            response = self._connect(url, addresses[:4], headers | {"Host": url.netloc.decode("ascii")}, host)
            try:
                yield response
            finally:
                response.close()

    def _connect(self, url: httpx.URL, addresses: list[str], headers: dict[str, str], host: str) -> httpx.Response:
        for number, address in enumerate(addresses, 1):
            pinned = url.copy_with(host=address)
            request = self._client.build_request("GET", pinned, headers=headers, extensions={"sni_hostname": host})
            try:
                return self._client.send(request, stream=True, follow_redirects=False)
            except (httpx.ConnectError, httpx.ConnectTimeout) as exc:
                if number == len(addresses) or isinstance(exc.__cause__, ssl.SSLError) or "CERTIFICATE" in str(exc):
                    raise
        raise AssertionError("a host without addresses")  # resolve() gives at least one

    def _save(self, response: httpx.Response, url: httpx.URL) -> tuple[Path, _Kept]:
        name = file_name(url, response.headers)
        path = self._scope.spool.write(name, self._pieces(response))
        if not path.stat().st_size:
            raise InputError("the server sent nothing", hint="open it in a browser to see what is there")
        etag, last_modified = response.headers.get("etag", ""), response.headers.get("last-modified", "")
        kept = _Kept(name, etag[:500], last_modified[:100], datetime.now(UTC).isoformat(timespec="seconds"))
        if etag or last_modified:
            _keep(path, self._cache, kept)
        return path, kept

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        limit = self._scope.settings.max_file_mb
        length = response.headers.get("content-length", "")
        total = int(length) if length.isdigit() else 0
        too_large = InputError(f"larger than {limit} MB", hint="raise PHIDEX_INGEST__MAX_FILE_MB to take it")
        if total > limit << 20:
            raise too_large
        done = 0
        for piece in response.iter_bytes():
            done += len(piece)
            if done > limit << 20:
                raise too_large
            if time.monotonic() > self._deadline:
                hint = "raise PHIDEX_INGEST__DOWNLOAD_TIMEOUT_S to wait longer"
                raise ServiceError(f"not there after {self._scope.settings.download_timeout_s:g} s", hint=hint)
            if self._scope.on_progress:
                self._scope.on_progress(self._uri, done, total)
            yield piece


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    told = f"HTTP {status}" + (f" {response.reason_phrase}" if response.reason_phrase else "")
    if status in (404, 410):
        raise NotFoundError(f"there is nothing at this address ({told})", hint="check the address")
    if status in (401, 403, 407):
        raise InputError(
            f"the server does not give it to everyone ({told})", hint="download it with your login, and name the file"
        )
    if status in _TRANSIENT:
        raise ServiceError(f"the server cannot answer now ({told})", hint="try again later", retryable=True)
    if status != 200:
        raise InputError(f"the server gives no document ({told})", hint="open it in a browser to see what is there")


@contextmanager
def _translated(host: str) -> Generator[None]:
    """Raises our error in the place of any of httpx's."""
    try:
        yield
    except PhidexError:
        raise
    except httpx.TimeoutException as exc:
        raise ServiceError(f"{host} did not answer in time", hint="try again later", retryable=True) from exc
    except httpx.ConnectError as exc:
        if "SSL" in str(exc) or "CERTIFICATE" in str(exc):
            told = re.sub(r"^\[SSL[^\]]*\]\s*|\s*\(_ssl.*$", "", str(exc))
            hint = "check the address; SSL_CERT_FILE names further authorities"
            raise InputError(f"{host} has no certificate that is trusted here ({told})", hint=hint) from exc
        raise ServiceError(
            f"{host} cannot be reached ({exc})", hint="check the address and the network", retryable=True
        ) from exc
    except (httpx.NetworkError, httpx.RemoteProtocolError) as exc:
        raise ServiceError(f"{host} broke off ({exc})", hint="try again", retryable=True) from exc
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as exc:
        raise InputError(f"{host} sent what cannot be read ({exc})", hint="open it in a browser to see what is there") from exc


def file_name(url: httpx.URL, headers: httpx.Headers) -> str:
    """A harmless file name: the server's, else the last part of the URL, with a suffix that fits the content's type.

    >>> file_name(httpx.URL("https://example.com/pdf/2404.14219"), httpx.Headers({"content-type": "application/pdf"}))
    '2404.14219.pdf'
    """
    name = safe_name(_disposition(headers.get("content-disposition", "")) or unquote(url.path) or "")
    name = "index" if name == "file" else name
    mime = headers.get("content-type", "").split(";")[0].strip().lower()
    known = PurePosixPath(name).suffix.lower() in SUFFIXES or is_packed(name)
    return name if known or mime not in _SUFFIXES else name + _SUFFIXES[mime]


def _disposition(header: str) -> str:
    """The file name of a Content-Disposition header (RFC 6266); "" when there is none."""
    if extended := re.search(r"filename\*\s*=\s*([\w-]*)'[^']*'([^;\s]+)", header, re.IGNORECASE):
        try:
            return unquote(extended[2], encoding=extended[1] or "utf-8", errors="replace")
        except LookupError:
            return unquote(extended[2])
    plain = re.search(r'filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))', header, re.IGNORECASE)
    return re.sub(r"\\(.)", r"\1", plain[1] or plain[2] or "") if plain else ""


def _read_kept(cache: Path) -> _Kept | None:
    try:
        values = json.loads(cache.with_suffix(".json").read_text("utf-8"))
        kept = _Kept(**{key: str(value) for key, value in values.items()})
        return kept if cache.with_suffix(".bin").stat().st_size else None
    except (OSError, ValueError, TypeError, AttributeError):  # none, or of another version
        return None


def _keep(path: Path, cache: Path, kept: _Kept) -> None:
    """Remember a download; where that fails, it is downloaded again next time."""
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.with_suffix(".json").unlink(missing_ok=True)  # never beside a content that it does not describe
        fresh = cache.with_suffix(f".{os.getpid()}")
        _link(path, fresh)
        fresh.replace(cache.with_suffix(".bin"))
        fresh.write_text(json.dumps(asdict(replace(kept, name=safe_name(kept.name)))), "utf-8")
        fresh.replace(cache.with_suffix(".json"))
        _prune(cache.parent)
    except OSError:
        cache.with_suffix(".json").unlink(missing_ok=True)


def _prune(folder: Path) -> None:
    left = _KEPT_BYTES
    contents = [(path.stat(), path) for path in folder.glob("*.bin")]
    for status, path in sorted(contents, key=lambda pair: -pair[0].st_mtime):
        left -= status.st_size
        if left < 0:
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def _hand_out(content: Path, name: str, spool: Spool) -> Path:
    path = spool.place(name)
    try:
        _link(content, path)
    except OSError as exc:
        raise InputError(f"cannot be put aside: {exc.strerror}", hint="check the free space of the data folder") from exc
    return path


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)
