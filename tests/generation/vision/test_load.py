"""Where pictures come from: blobs, files, drawn pages; and what is said of those that cannot be had."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
from tests.generation.vision.drawn import image, opened

from phidex.errors import NotFoundError
from phidex.generation.vision.load import Loader
from phidex.generation.vision.wanted import Wanted
from phidex.ingest.records import Chunk, PageLocator, Source, TimeLocator
from phidex.retrieval.hit import Hit

pymupdf: Any = _pymupdf  # its own types are incomplete


class Files(dict[str, bytes]):
    """Blobs in memory."""

    def get(self, identity: str) -> bytes:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]  of Files
        if identity not in self:
            raise NotFoundError(f"there is no blob {identity}")
        return self[identity]


def source(path: Path, data: bytes, **values: Any) -> Source:
    path.write_bytes(data)
    made = Source("s", path.as_uri(), "pdf", "Report", hashlib.sha256(data).hexdigest(), "en", "")
    return replace(made, **values)


def wanted(kind: Any, origin: Source, locator: Any, blob: str = "", order: int = 0) -> Wanted:
    chunk = Chunk(f"c{order}", origin.id, locator, "text", "text", "en", order)
    return Wanted(kind, Hit(chunk, origin, 1.0, {}), blob)


def pdf(pages: int) -> bytes:
    with pymupdf.open() as document:
        for number in range(pages):
            document.new_page(width=300 + 100 * number, height=300)
        return bytes(document.tobytes(encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="open", owner_pw="open"))


def test_each_kind_is_read_from_its_place(tmp_path: Path) -> None:
    files = Files({"s/figure.png": image(200, 100), "s/frame.jpg": image(1280, 720, "JPEG"), "s/original": pdf(1)})
    document = source(tmp_path / "a.pdf", pdf(2))
    photo = source(tmp_path / "b.png", image(300, 900), id="p", kind="image")
    remote = replace(document, id="r", uri="https://example.org/r.pdf", blob="s/original", sha256="")
    asked = [
        wanted("figure", document, PageLocator(1), "s/figure.png", 0),
        wanted("frame", document, TimeLocator(1.0, 2.0, "s/frame.jpg"), "s/frame.jpg", 1),
        wanted("photo", photo, PageLocator(1), order=2),
        wanted("page", document, PageLocator(2), order=3),
        wanted("page", remote, PageLocator(1), order=4),
    ]
    found, troubles = Loader(files, 4, ("wrong", "open")).load(asked)
    assert troubles == []
    sizes = [opened(found[one.key].data).size for one in asked]
    assert sizes == [(200, 100), (672, 378), (300, 900), (480, 360), (360, 360)]


def test_what_cannot_be_had_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    document = source(tmp_path / "a.pdf", pdf(1))
    photo = source(tmp_path / "b.png", image(30, 30), id="p", kind="image")
    (tmp_path / "b.png").write_bytes(image(40, 40))
    gone = source(tmp_path / "c.png", image(30, 30), id="q", kind="image")
    (tmp_path / "c.png").unlink()
    inside = replace(document, id="z", uri="file:///x.zip#inner.pdf")
    asked = [
        wanted("figure", document, PageLocator(1), "s/none.png", 0),
        wanted("photo", photo, PageLocator(1), order=1),
        wanted("photo", gone, PageLocator(1), order=2),
        wanted("page", inside, PageLocator(1), order=3),
        wanted("page", document, PageLocator(7), order=4),
        wanted("page", document, PageLocator(1), order=5),
    ]
    found, troubles = Loader(Files(), 4, ("open",)).load(asked)
    assert list(found) == [asked[-1].key]
    told = sorted(troubles)
    assert len(told) == 5
    assert all("was not looked at: " in text for text in told)
    for part in ("no blob s/none.png", "b.png has changed", "c.png cannot be read", "not a file on this machine", "no page 7"):
        assert any(part in text for text in told), (part, told)
