"""Original documents as HTTP serves them: in parts, by range, from a folder or an object store; never read whole."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import BinaryIO
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from phidex.ingest.records import Source
from phidex.server.faults import RefusedError
from phidex.server.lanes import Lane

_PART = 1 << 20  # bytes read at a time
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_SHOWN = ("application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp", "video/", "audio/")
"""What a browser may show on our address; anything else could be a page with a script in it, and is saved."""


async def serve_file(request: Request, lane: Lane, file: BinaryIO, source: Source) -> Response:
    """The file or the range that is asked for; the file is closed behind it. Several ranges at once are served as the whole.

    Raises:
        RefusedError: the range lies behind the end (416).
    """
    try:
        return await _serve(request, lane, file, source)
    except BaseException:
        file.close()
        raise


async def _serve(request: Request, lane: Lane, file: BinaryIO, source: Source) -> Response:
    size = await lane(file.seek, 0, 2)
    etag = f'"{source.sha256}"'
    headers = {
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, no-cache",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Content-Disposition": _disposition(source),
    }
    if etag in request.headers.get("if-none-match", ""):
        await lane(file.close)
        return Response(status_code=304, headers=headers)
    wanted = _range(request, size, etag)
    start, end = wanted or (0, size)
    headers["Content-Length"] = str(end - start)
    if wanted:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    kind = source.mime or "application/octet-stream"
    return StreamingResponse(_parts(lane, file, start, end), 206 if wanted else 200, headers, kind)


async def _parts(lane: Lane, file: BinaryIO, start: int, end: int) -> AsyncIterator[bytes]:
    try:
        await lane(file.seek, start)
        while start < end:
            part = await lane(file.read, min(_PART, end - start))
            if not part:  # it was cut meanwhile: the client sees that less came than was said
                return
            start += len(part)
            yield part
    finally:
        file.close()


def _range(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """First byte and the one behind the last; None for all."""
    asked = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if asked is None or request.headers.get("if-range", etag) != etag or asked[0] == "bytes=-":
        return None
    if not asked[1]:  # the last so many
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size
    if start >= end:
        hint, more = "ask for a range within it", {"Content-Range": f"bytes */{size}"}
        raise RefusedError(416, "no_such_range", f"the document has {size} bytes", hint=hint, more=more)
    return start, end


def _disposition(source: Source) -> str:
    how = "inline" if source.mime.startswith(_SHOWN) else "attachment"
    return f"{how}; filename*=UTF-8''{quote(source.name.rsplit('/', 1)[-1], safe='')}"
