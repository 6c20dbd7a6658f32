"""PDFs that are locked, cut off, damaged or something else: read where that is possible, otherwise named with the cure."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ingest.drawn import PLAIN, book, parse, raw_pdf, shown, text_of

from phidex.errors import InputError
from phidex.ingest.options import ParseOptions
from phidex.ingest.parse import parse_file
from phidex.ingest.pdf.document import parse_pdf

pymupdf: Any = _pymupdf  # its own types are incomplete


@pytest.fixture
def document() -> Any:
    return pymupdf.open()


LOCKED: dict[str, Any] = {"encryption": pymupdf.PDF_ENCRYPT_AES_256, "user_pw": "user", "owner_pw": "owner"}


def test_a_password_of_the_user_or_the_owner_opens(document: Any) -> None:
    document.new_page().insert_text((72, 72), "secret")
    for password in ("user", "owner"):
        assert text_of(parse(document, ParseOptions(passwords=("wrong", password)), **LOCKED)) == "secret"


def test_locked_files_are_named_and_passwords_are_not(document: Any) -> None:
    document.new_page().insert_text((72, 72), "secret")
    with pytest.raises(InputError, match=r"encrypted and needs a password\.") as caught:
        parse(document, **LOCKED)
    assert "--ask-password" in caught.value.hint
    assert "PHIDEX_INGEST__PASSWORDS" in caught.value.hint
    options = ParseOptions(passwords=("hunter2", "pässwörd😀" * 50))
    with pytest.raises(InputError, match="none of the 2 given fits") as caught:
        parse(document, options, **LOCKED)
    assert "hunter2" not in f"{caught.value} {options}"


def test_a_password_of_the_owner_alone_locks_nobody_out(document: Any) -> None:
    document.new_page().insert_text((72, 72), "secret")
    saving: dict[str, Any] = LOCKED | {"user_pw": ""}
    assert text_of(parse(document, PLAIN, **saving)) == "secret"


def test_encryption_for_certificates_is_named(document: Any) -> None:
    document.new_page()
    data = document.tobytes(**LOCKED).replace(b"/Filter/Standard", b"/Filter/Adobe.PubSec")
    with pytest.raises(InputError, match="certificates"):
        parse_pdf(Path("sealed.pdf"), data)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9, 0.99])
def test_truncated_is_named_or_repaired_with_a_warning(document: Any, share: float, capfd: pytest.CaptureFixture[str]) -> None:
    book(document, 6)
    data = document.tobytes()
    cut = data[: int(share * len(data))]
    try:
        said = " ".join(parse_pdf(Path("cut.pdf"), cut, PLAIN).warnings)
    except InputError as error:
        said = str(error)
    assert re.search("truncated|no text|repaired", said)
    assert capfd.readouterr().err == ""


def test_no_text_and_some_pages_without_text(document: Any) -> None:
    document.new_page()
    document.new_page()
    with pytest.raises(InputError, match="is blank: 2 pages have no text"):
        parse(document)
    document[0].insert_text((72, 72), "Only the first page has text.")
    assert any("1 of 2 pages" in warning and "page 2" in warning for warning in parse(document).warnings)


@pytest.mark.parametrize(("what", "message"), [("picture", "looks like a scan: Its one page"), ("drawing", "shows drawings")])
def test_pages_without_text_say_what_they_show(document: Any, what: str, message: str) -> None:
    page = document.new_page()
    if what == "picture":
        page.insert_image((0, 0, 300, 300), pixmap=pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 9, 9), False))
    else:
        page.draw_circle((100, 100), 50)
    with pytest.raises(InputError, match=message) as caught:
        parse(document, PLAIN)
    assert "--ocr" in caught.value.hint


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x00" * 3000, "holds nothing"),
        (bytes(range(256)) * 20, "not a PDF"),
        (b"%PDF-1.7\n" + b"garbage " * 50, "truncated: its end is missing"),
        (b"%PDF-1.7\n" + b"garbage " * 50 + b"\n%%EOF", "damaged"),
        (b"%FDF-1.2\n1 0 obj<</FDF<</Fields[<</T(a)/V(b)>>]>>>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF", "FDF"),
        (
            raw_pdf(b"").replace(b"/Kids[3 0 R]/Count 1", b"/Kids[]/Count 0     ").replace(b"/Type/Page/", b"/Type/None/"),
            "no pages",
        ),
        (raw_pdf(b"q " * 200_000 + shown("too deep", 10, 10)), "damaged: no page"),
    ],
)
@pytest.mark.parametrize("from_disk", [False, True])
def test_what_cannot_be_read_is_named(tmp_path: Path, data: bytes, message: str, from_disk: bool) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message) as caught:
        parse_pdf(path, None if from_disk else data, PLAIN)
    assert "bad.pdf" in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("length", [3, 1000, 1100, 9000, 200_000])
@pytest.mark.parametrize("junk", [b"\xff\x00", b"A letter around it. "])
def test_bytes_before_the_header_are_passed_over(tmp_path: Path, document: Any, length: int, junk: bytes) -> None:
    document.new_page().insert_text((72, 72), "Behind foreign bytes")
    path = tmp_path / "wrapped.pdf"
    path.write_bytes((junk * length)[:length] + b"\n" + document.tobytes())
    for data in (None, path.read_bytes()):
        parsed = parse_file(path, data)
        assert text_of(parsed) == "Behind foreign bytes"
        assert parsed.warnings == ()  # places fit again, so that nothing had to be repaired


def test_a_file_without_its_header_is_read(document: Any) -> None:
    document.new_page().insert_text((72, 72), "Beheaded")
    assert text_of(parse_file(Path("a.pdf"), document.tobytes()[9:])) == "Beheaded"
    assert text_of(parse_file(Path("a.pdf"), gzip.compress(document.tobytes()))) == "Beheaded"


@pytest.mark.parametrize("count", [b"1000", b"-3", b"0", b"99999999999"])
def test_a_wrong_number_of_pages_is_mended(document: Any, count: bytes) -> None:
    for number in range(3):
        document.new_page().insert_text((72, 72), f"Text {'abc'[number]}")
    parsed = parse_pdf(Path("a.pdf"), document.tobytes().replace(b"/Count 3", b"/Count " + count))
    assert text_of(parsed) == "Text a\nText b\nText c"
    assert "repaired" in parsed.warnings[0]


def test_documents_with_too_many_pages_are_refused(document: Any) -> None:
    book(document, 4)
    with pytest.raises(InputError, match="has 4 pages, more than the 3") as caught:
        parse(document, ParseOptions(max_pages=3))
    assert "MAX_PAGES" in caught.value.hint


def test_what_mupdf_reads_as_something_else_is_read_and_said() -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"><text x="9" y="20">Drawn</text></svg>'
    parsed = parse_pdf(Path("x.pdf"), drawing)
    assert text_of(parsed) == "Drawn"
    assert "is SVG" in parsed.warnings[0]


def test_path_is_read_and_missing_files_are_named(tmp_path: Path, document: Any) -> None:
    document.new_page().insert_text((72, 72), "From a file")
    document.save(tmp_path / "a.pdf")
    assert text_of(parse_pdf(tmp_path / "a.pdf")) == "From a file"
    with pytest.raises(InputError):
        parse_pdf(tmp_path / "none.pdf")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 1500))
def test_damage_raises_nothing_but_input_errors(noise: bytes, at: int) -> None:
    data = _sample()
    broken = data[:at] + noise + data[at + len(noise) :]
    try:
        parsed = parse_pdf(Path("x.pdf"), broken, PLAIN)
    except InputError:
        return
    assert parsed.blocks


def _cached(make: Callable[[], bytes]) -> Callable[[], bytes]:
    kept: list[bytes] = []

    def once() -> bytes:
        if not kept:
            kept.append(make())
        return kept[0]

    return once


@_cached
def _sample() -> bytes:
    document = pymupdf.open()
    book(document, 3)
    return document.tobytes()
