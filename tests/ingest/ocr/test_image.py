"""Image files: every format, every page, and those that are refused."""

from __future__ import annotations

import contextlib
import io
import random
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf as _pymupdf
import pytest
from PIL import Image
from tests.ingest.scanned import ARTICLE, DPI, HEIGHT_PT, WIDTH_PT, boxes_of, image_bytes, likeness, scan_of, text_of

from phidex.errors import InputError
from phidex.ingest.ocr.image import image_pdf, parse_image
from phidex.ingest.ocr.scan import Scans
from phidex.ingest.ocr.tesseract import Tesseract
from phidex.ingest.options import ParseOptions
from phidex.ingest.parse import SUFFIXES, parse_file, sniff
from phidex.ingest.pdf.lines import Page
from phidex.ingest.records import Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete
ENGLISH = ParseOptions(ocr_languages=("en",))  # leaves out the search for the language


def parse(data: bytes, name: str = "scan.png", options: ParseOptions = ENGLISH) -> Parsed:
    return parse_image(data, Path(name), options)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_every_format_is_told_from_its_bytes_and_read(tesseract: Tesseract, kind: str) -> None:
    data = image_bytes(scan_of(ARTICLE["en"]), kind)
    assert sniff(Path("unnamed"), data[:8192]) == "image"
    parsed = parse_file(Path("unnamed"), data, ENGLISH)
    assert (parsed.kind, parsed.page_count) == ("image", 1)
    assert parsed.mime == f"image/{kind.lower()}"
    assert likeness(ARTICLE["en"], text_of(parsed)) > 0.98
    for x0, y0, x1, y1 in boxes_of(parsed):
        assert 0 <= x0 < x1 <= 843
        assert 0 <= y0 < y1 <= 842


def test_suffixes_of_images_are_offered() -> None:
    assert {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif"} <= SUFFIXES


def test_a_text_that_begins_like_a_bitmap_is_a_text() -> None:
    assert sniff(Path("notes.txt"), b"BMW built its first motorcycle in 1923, and others followed.") == "text"


def test_boxes_are_in_points_of_the_printed_page(tesseract: Tesseract) -> None:
    for dpi, scale in ((150, 1.0), (300, 0.5)):
        parsed = parse(image_bytes(scan_of(ARTICLE["en"]), dpi=(dpi, dpi)))
        x0, y0, x1, y1 = boxes_of(parsed)[0]
        assert x0 == pytest.approx(30 * scale, abs=2)
        assert 25 * scale < y0 < y1 < 60 * scale
        assert x1 <= (WIDTH_PT - 25) * scale


def test_every_page_of_a_tiff_is_read(tesseract: Tesseract) -> None:
    pages = [scan_of(ARTICLE[language]) for language in ("it", "sv", "it")]
    done: list[int] = []
    data = image_bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_deflate")
    parsed = parse(data, "three.tif", ParseOptions(on_page=lambda number, count: done.append(number)))
    assert parsed.page_count == 3
    for number, language in enumerate(("it", "sv", "it"), 1):
        read = " ".join(block.text for block in parsed.blocks if block.page_number == number)
        assert likeness(ARTICLE[language], read) > 0.97
    assert [number for number in done if number] == [1, 2, 3]


def test_more_pages_than_allowed_are_refused() -> None:
    pages = [Image.new("L", (40, 40), 255)] * 3
    data = image_bytes(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="3 pages"):
        parse(data, "three.tif", ParseOptions(max_pages=2))


def test_of_an_animation_the_first_frame_is_read(tesseract: Tesseract) -> None:
    data = image_bytes(scan_of(ARTICLE["en"]), "GIF", save_all=True, append_images=[scan_of(ARTICLE["de"])])
    parsed = parse(data, "moving.gif")
    assert likeness(ARTICLE["en"], text_of(parsed)) > 0.98
    assert parsed.warnings == ("Only the first frame of the animation was read.",)


def test_a_photograph_is_turned_as_its_camera_says(tesseract: Tesseract) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    data = image_bytes(scan_of(ARTICLE["en"]).rotate(90, expand=True), "JPEG", exif=exif)
    parsed = parse(data)
    assert likeness(ARTICLE["en"], text_of(parsed)) > 0.98
    assert all(x1 - x0 > y1 - y0 for x0, y0, x1, y1 in boxes_of(parsed))


def test_boxes_land_on_the_pdf_made_for_showing(tesseract: Tesseract) -> None:
    data = image_bytes(scan_of(ARTICLE["en"]))
    boxes = boxes_of(parse(data))
    with pymupdf.open("pdf", image_pdf(data, Path("scan.png"))) as document:
        assert document.page_count == 1
        assert document[0].rect.width == pytest.approx(WIDTH_PT, abs=1)
        assert document[0].rect.height == pytest.approx(HEIGHT_PT, abs=1)
        drawn = document[0].get_pixmap(dpi=72, colorspace=pymupdf.csGRAY)
    pixels = np.frombuffer(drawn.samples, np.uint8).reshape(drawn.height, drawn.width).copy()
    ink = np.count_nonzero(pixels < 128)
    for x0, y0, x1, y1 in boxes:
        pixels[int(y0) - 1 : int(y1) + 2, int(x0) - 1 : int(x1) + 2] = 255
    assert np.count_nonzero(pixels < 128) < 0.01 * ink


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(7501))) + chunk(b"IEND", b"")
    with pytest.raises(InputError, match="too large an image"):
        parse(data)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.4, 0.9])
def test_cut_off_images_are_named(share: float) -> None:
    for kind in ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"):
        whole = image_bytes(scan_of(ARTICLE["en"]), kind)
        try:
            parsed = parse(whole[: 16 + int(share * len(whole))])
        except InputError as exc:
            assert "scan.png" in exc.message  # noqa: PT017  either outcome is right, not any other exception
        else:
            assert parsed.blocks


def test_an_image_without_text_says_so(tesseract: Tesseract) -> None:
    with pytest.raises(InputError, match="no text that could be recognised"):
        parse(image_bytes(Image.new("RGB", (400, 300), "white")))


def test_off_reads_no_image() -> None:
    with pytest.raises(InputError, match="recognition is off"):
        parse(image_bytes(scan_of("text")), options=ParseOptions(ocr="off"))


def test_without_tesseract_the_cure_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InputError, match="not installed") as caught:
        parse(image_bytes(scan_of(ARTICLE["en"])))
    assert "install tesseract" in caught.value.hint


def test_transparent_paper_is_white(tesseract: Tesseract) -> None:
    gray = scan_of(ARTICLE["en"])
    picture = Image.new("RGBA", gray.size, (0, 0, 0, 0))
    picture.putalpha(gray.point(lambda value: 255 - value))
    assert likeness(ARTICLE["en"], text_of(parse(image_bytes(picture)))) > 0.98


def test_sixteen_bits_a_pixel_are_read(tesseract: Tesseract) -> None:
    deep = Image.fromarray(np.asarray(scan_of(ARTICLE["en"])).astype(np.uint16) * 257)
    file = io.BytesIO()
    deep.save(file, "TIFF", dpi=(DPI, DPI))
    assert likeness(ARTICLE["en"], text_of(parse(file.getvalue()))) > 0.98


@pytest.fixture
def no_tesseract(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be decoded is then refused at once, for another reason."""
    monkeypatch.setenv("PATH", "/nowhere")


def damaged_images() -> Iterator[bytes]:
    """Small images of every format, cut off anywhere and with bytes changed at random."""
    rng = random.Random(17)
    page = Image.new("L", (24, 16), 255)
    page.paste(0, (4, 4, 20, 9))
    for kind, options in (
        ("PNG", {"dpi": (300, 300)}),
        ("JPEG", {"dpi": (300, 300)}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"save_all": True, "append_images": [page, page]}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
        ("GIF", {"save_all": True, "append_images": [page.rotate(90), page.rotate(180)]}),
    ):
        whole = image_bytes(page, kind, **options)
        yield from (whole[:size] for size in range(1, len(whole), 1 + len(whole) // 300))
        for _ in range(300):
            damaged = bytearray(whole)
            for _ in range(rng.choice((1, 2, 8))):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            yield bytes(damaged)


@pytest.mark.usefixtures("no_tesseract")
def test_damaged_images_give_nothing_but_their_error() -> None:
    for data in damaged_images():
        with pytest.raises(InputError):
            parse(data)
        with contextlib.suppress(InputError):
            image_pdf(data, Path("scan.png"))


def test_a_fault_of_our_own_is_not_taken_for_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Page:
        raise KeyError("a name that is not there")

    monkeypatch.setattr(Scans, "read", fail)
    with pytest.raises(KeyError):
        parse(image_bytes(scan_of("text")))
