"""Image files as they are sent: upright, on white, small enough, in the smaller of two encodings; and what is refused."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image, ImageDraw
from tests.generation.vision.drawn import image, noise, opened

from phidex.errors import InputError
from phidex.generation.vision.picture import read_pictures
from phidex.ingest.records import Picture


def read(data: bytes, crops: int = 4) -> Picture:
    (found,) = read_pictures(data, "photo.png", crops=crops)
    assert opened(found.data).size == (found.width, found.height)
    return found


def saved(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(("crops", "size"), [(1, (336, 252)), (4, (672, 504)), (16, (1344, 1008))])
def test_a_large_picture_is_sent_at_the_size_that_the_crops_use(crops: int, size: tuple[int, int]) -> None:
    found = read(image(4032, 3024, "JPEG"), crops)
    assert (found.width, found.height) == size


def test_a_picture_is_turned_as_its_camera_says_and_loses_what_else_the_camera_wrote() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Maker"
    found = read(image(400, 300, "JPEG", exif=exif))
    assert (found.width, found.height) == (300, 400)
    assert not opened(found.data).getexif()


def test_lines_on_a_transparent_ground_stay_visible() -> None:
    drawing = Image.new("RGBA", (100, 100), (0, 0, 0, 0))
    ImageDraw.Draw(drawing).line((0, 50, 99, 50), fill=(0, 0, 0, 255), width=3)
    sent = opened(read(saved(drawing)).data)
    assert (sent.getpixel((50, 50)), sent.getpixel((50, 10))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16"])
def test_every_kind_of_pixels_becomes_colours(mode: str) -> None:
    if mode == "I;16":
        picture = Image.new("I;16", (64, 64))
        picture.putdata([65_535 if x < 32 else 0 for _ in range(64) for x in range(64)])
    else:
        picture = Image.new("RGB", (64, 64), "black")
        picture.paste("white", (0, 0, 32, 64))
        picture = picture.convert(mode)
    sent = opened(read(saved(picture, "TIFF")).data)
    assert sent.mode == "RGB"
    assert (sent.getpixel((8, 8)), sent.getpixel((56, 8))) == ((255, 255, 255), (0, 0, 0))


def test_drawings_are_png_to_the_pixel_and_photos_jpeg() -> None:
    drawing = Image.new("RGB", (300, 200), "white")
    ImageDraw.Draw(drawing).text((20, 20), "Depth 12.5 m", fill="black")
    sent = read(saved(drawing))
    assert sent.mime == "image/png"
    assert opened(sent.data).tobytes() == drawing.tobytes()
    photo = noise(400, 300)
    found = read(photo)
    assert found.mime == "image/jpeg"
    assert len(found.data) < len(photo)


def test_a_thin_strip_is_set_on_white() -> None:
    found = read(saved(Image.new("RGB", (3000, 1), "black")))
    assert found.width > 300
    assert found.height >= 5
    assert opened(found.data).getpixel((found.width // 2, 0)) == (255, 255, 255)


def test_the_pages_of_a_tiff_are_pictures_each() -> None:
    pages = [Image.new("RGB", (80, 60), colour) for colour in ("red", "green", "blue")]
    data = saved(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    assert len(read_pictures(data, "scan.tif", crops=4)) == 3
    (second,) = read_pictures(data, "scan.tif", crops=4, numbers=(2,))
    assert opened(second.data).getpixel((5, 5)) == (0, 128, 0)
    with pytest.raises(InputError, match="no page 4"):
        read_pictures(data, "scan.tif", crops=4, numbers=(4,))


def bomb(width: int, height: int) -> bytes:
    """A PNG that says it is huge."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + head
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    body = zlib.compress(b"\0" * 1000)
    return data + struct.pack(">I", len(body)) + b"IDAT" + body + struct.pack(">I", zlib.crc32(b"IDAT" + body))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no image"),
        (b"%PDF-1.7 no image", "no image"),
        (bomb(20_000, 10_000), "100 megapixels are the limit"),
        (bomb(60_000, 60_000), "megapixels are the limit"),
        (image(500, 500)[:300], "damaged"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no image"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        read_pictures(data, "photo.png", crops=4)
    assert "photo.png" in caught.value.message
    assert caught.value.hint
