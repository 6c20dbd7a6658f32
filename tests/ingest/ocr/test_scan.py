"""Scanned pages of PDFs: recognised page by page, with boxes where the words stand on the page as shown."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pymupdf as _pymupdf
import pytest
from PIL import Image
from tests.ingest.scanned import ARTICLE, DPI, boxes_of, likeness, pdf_of, picture_of, scan_of, set_page, text_of

from phidex.errors import InputError
from phidex.ingest.ocr.foreign import read_foreign
from phidex.ingest.ocr.image import parse_image
from phidex.ingest.ocr.raster import Raster, gray_raster
from phidex.ingest.ocr.scan import Scans
from phidex.ingest.ocr.tesseract import Tesseract
from phidex.ingest.options import ParseOptions
from phidex.ingest.pdf.document import parse_pdf
from phidex.ingest.pdf.lines import Fonts
from phidex.ingest.records import Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete


def parse(document: Any, **options: Any) -> Parsed:
    return parse_pdf(Path("scan.pdf"), document.tobytes(), ParseOptions(**options))


def add_text(document: Any, text: str, **options: Any) -> Any:
    page = document.new_page()
    page.insert_textbox(pymupdf.Rect(60, 60, 500, 700), text, fontsize=11, **options)
    return page


def test_a_mixed_document_is_read_page_by_page(tesseract: Tesseract) -> None:
    document = pdf_of(scan_of(ARTICLE["de"], ARTICLE["de"]))
    add_text(document, "A page with text of its own, which is left as it is.")
    document.new_page()
    for language in ("de", "fr", "ar"):
        page = document.new_page(width=420, height=300)
        page.insert_image(page.rect, pixmap=set_page([ARTICLE[language]]).get_pixmap(dpi=DPI))
    done: list[tuple[int, int]] = []

    def on_page(number: int, count: int) -> None:
        done.append((number, count))

    parsed = parse(document, on_page=on_page)
    by_page = {
        number: " ".join(block.text for block in parsed.blocks if block.page_number == number)
        for number in range(1, parsed.page_count + 1)
    }
    assert likeness(ARTICLE["de"] * 2, by_page[1]) > 0.98
    assert by_page[2] == "A page with text of its own, which is left as it is."
    assert by_page[3] == ""
    for number, language in ((4, "de"), (5, "fr"), (6, "ar")):
        assert likeness(ARTICLE[language], by_page[number]) > 0.95, language
    assert parsed.warnings == ("No text on 1 of 6 pages (images or blank): page 3.",)
    assert [entry for entry in done if entry != (0, 0)] == [(number, 6) for number in range(1, 7)]
    assert (0, 0) in done


@pytest.mark.parametrize("turn", [0, 90, 180, 270, 2.5])
def test_boxes_stand_where_the_words_are_however_the_page_lies(tesseract: Tesseract, turn: float) -> None:
    texts = (ARTICLE["en"], ARTICLE["de"])
    source = set_page(texts, size=12)
    picture = picture_of(source).rotate(turn, Image.Resampling.BICUBIC, expand=turn % 90 == 0, fillcolor=255)
    document = pdf_of(picture)
    parsed = parse(document)
    assert likeness("".join(texts), text_of(parsed)) > 0.98
    assert len(parsed.blocks) == 2
    # White out the boxes on the picture: no ink must be left, and together they must not cover much more than the lines.
    pixels = np.asarray(picture).copy()
    covered = np.zeros(pixels.shape, bool)
    scale = DPI / 72
    for x0, y0, x1, y1 in boxes_of(parsed):
        covered[int(y0 * scale) - 2 : int(y1 * scale) + 3, int(x0 * scale) - 2 : int(x1 * scale) + 3] = True
    ink = pixels < 128
    assert np.count_nonzero(ink & ~covered) < 0.005 * np.count_nonzero(ink)
    assert covered.mean() < 0.6


def test_a_scan_set_in_a_rotated_page_is_found_as_shown(tesseract: Tesseract) -> None:
    document = pdf_of(scan_of(ARTICLE["en"]).rotate(90, expand=True))
    document[0].set_rotation(90)
    parsed = parse(document)
    assert likeness(ARTICLE["en"], text_of(parsed)) > 0.98
    width, height = document[0].rect.width, document[0].rect.height
    assert all(0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height for x0, y0, x1, y1 in boxes_of(parsed))
    assert all(x1 - x0 > y1 - y0 for x0, y0, x1, y1 in boxes_of(parsed))


def test_headings_and_paragraphs_come_out_as_such(tesseract: Tesseract) -> None:
    page = pymupdf.open().new_page(width=420, height=400)
    page.insert_text((40, 60), "Annual report", fontsize=24)
    page.insert_textbox(pymupdf.Rect(40, 90, 380, 200), ARTICLE["en"] + " " + ARTICLE["en"], fontsize=11)
    page.insert_text((40, 230), "Results", fontsize=17)
    page.insert_textbox(pymupdf.Rect(40, 250, 380, 380), ARTICLE["en"] + " The end.", fontsize=11)
    parsed = parse(pdf_of(picture_of(page)))
    assert [(block.kind, block.text.split()[0]) for block in parsed.blocks] == [
        ("heading", "Annual"),
        ("paragraph", "All"),
        ("heading", "Results"),
        ("paragraph", "All"),
    ]
    assert parsed.title == "Annual report"


def test_two_columns_are_read_one_after_the_other(tesseract: Tesseract) -> None:
    page = pymupdf.open().new_page(width=520, height=400)
    page.insert_textbox(pymupdf.Rect(30, 40, 245, 390), ARTICLE["en"] * 4, fontsize=10)
    page.insert_textbox(pymupdf.Rect(275, 40, 490, 390), ARTICLE["fr"] * 4, fontsize=10)
    read = text_of(parse(pdf_of(picture_of(page)), ocr_languages=("en",)))
    assert read.rindex("brotherhood") < read.index("naissent")


def test_cells_of_a_table_stay_apart(tesseract: Tesseract) -> None:
    page = pymupdf.open().new_page(width=420, height=300)
    rows = [
        ("Product", "Price", "Weight"),
        ("Apples", "2.40", "1000"),
        ("Walnuts", "7.90", "500"),
        ("Honey", "5.20", "250"),
    ]
    for number, row in enumerate(rows):
        for x, cell in zip((40, 180, 300), row, strict=True):
            page.insert_text((x, 60 + 22 * number), cell, fontsize=12)
    parsed = parse(pdf_of(picture_of(page)), ocr_languages=("en",))
    assert [block.text for block in parsed.blocks if block.kind == "table"] == ["\n".join("\t".join(row) for row in rows)]


def test_text_behind_a_scan_is_kept_unless_it_is_junk_or_a_stamp(tesseract: Tesseract) -> None:
    hidden = "All human beings are born free and equal, says the layer that another program put behind the picture. " * 3
    for layer, kept in ((hidden, True), ("~|. ;,'·¦ )( §'^ ,.- " * 15, False), ("Copy 7 of 12", False)):
        document = pdf_of(scan_of(ARTICLE["en"], ARTICLE["en"]))
        document[0].insert_textbox(pymupdf.Rect(30, 30, 390, 290), layer, fontsize=9, render_mode=3)
        read = text_of(parse(document))
        assert ("another program" in read) is kept
        assert ("conscience" in read) is not kept
    assert "conscience" in text_of(parse(pdf_of(scan_of(ARTICLE["en"])), ocr="always"))


def test_always_reads_pages_that_have_text_and_keeps_the_better(tesseract: Tesseract) -> None:
    document = pymupdf.open()
    add_text(document, ARTICLE["en"])
    assert "conscience" in text_of(parse(document, ocr="always"))


def test_off_reads_no_scan() -> None:
    with pytest.raises(InputError, match="looks like a scan"):
        parse(pdf_of(scan_of(ARTICLE["en"])), ocr="off")


def test_without_tesseract_other_pages_are_read_and_scans_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    document = pdf_of(scan_of(ARTICLE["en"]), scan_of(ARTICLE["de"]))
    with pytest.raises(InputError, match=r"scan\.pdf is a scan.*not installed") as caught:
        parse(document)
    assert "install tesseract" in caught.value.hint
    add_text(document, "Text of its own.")
    (warning,) = parse(document).warnings
    assert warning.startswith("Pages 1-2 could not be recognised: Tesseract, which reads scans, is not installed (")


def test_a_missing_pack_names_its_pages(tesseract: Tesseract, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link_packs(tesseract, tmp_path, {"eng", "osd"})
    monkeypatch.setenv("TESSDATA_PREFIX", str(tmp_path))
    document = pdf_of(scan_of(ARTICLE["pl"]), scan_of(ARTICLE["en"]), scan_of(ARTICLE["ru"], ARTICLE["ru"]))
    parsed = parse(document)
    assert "brotherhood" in text_of(parsed)
    assert len(parsed.warnings) == 2
    assert parsed.warnings[0].startswith("Page 1 could not be recognised: Tesseract's language pack for Polish (pol)")
    assert parsed.warnings[1].startswith("Page 3 could not be recognised: Tesseract's language pack for Russian (rus)")
    with pytest.raises(InputError, match="Polish"):
        parse(pdf_of(scan_of(ARTICLE["pl"])))


def test_a_picture_without_text_is_a_page_without_text(tesseract: Tesseract) -> None:
    noise = np.random.default_rng(7).integers(0, 255, (60, 80), np.uint8)
    picture = Image.fromarray(noise).resize((800, 600), Image.Resampling.BICUBIC)
    document = pdf_of(picture)
    add_text(document, "Text of its own.")
    parsed = parse(document)
    assert [block.page_number for block in parsed.blocks] == [2]
    assert parsed.warnings == ("No text on 1 of 2 pages (images or blank): page 1.",)


def test_latin_words_among_arabic_ones_are_read_as_latin(tesseract: Tesseract) -> None:
    text = ARTICLE["ar"] + " وقد نشرت المنظمة النص في موقع Wikipedia وفي مجلة Science العلمية."
    raster = gray_raster(scan_of(text), DPI)
    alone = tesseract.read(raster, "ara")
    both = read_foreign(alone, raster, "ara", tesseract)
    read = [word.text for line in both for word in line.words]
    assert "Wikipedia" in " ".join(read)
    assert "Wikipedia" not in " ".join(word.text for line in alone for word in line.words)
    assert read_foreign(alone, raster, "deu", tesseract) is alone


def test_an_empty_page_is_not_even_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(_: Any) -> Raster:
        pytest.fail("the page was drawn")

    monkeypatch.setattr("phidex.ingest.pdf.document.draw_raster", draw)
    document = pymupdf.open()
    add_text(document, "The only page with words on it, and the next one has nothing at all.")
    document.new_page()
    parsed = parse(document)
    assert parsed.warnings == ("No text on 1 of 2 pages (images or blank): page 2.",)


def test_blank_paper_costs_no_recognition() -> None:
    scans = Scans(ParseOptions(on_page=lambda number, count: pytest.fail("Tesseract was called")))
    page = scans.read(Raster(np.full((1000, 700), 250, np.uint8), 100.0), 0, Fonts())
    assert page.lines == []
    assert scans.warnings() == []


def link_packs(tesseract: Tesseract, folder: Path, packs: set[str]) -> None:
    """A folder of language packs with only these."""
    found = [path for root in ("/usr/share", "/usr/local/share", "/opt") for path in Path(root).rglob("eng.traineddata")]
    if not found:
        pytest.skip("the packs lie in an unusual place")
    for pack in packs:
        (folder / f"{pack}.traineddata").symlink_to(found[0].with_name(f"{pack}.traineddata"))
    (folder / "configs").symlink_to(found[0].with_name("configs"))


_HOCR = """<html><body><div class='ocr_page'>
<p id='par_1'><span class='ocr_line' title='bbox 60 60 600 100; baseline 0 -8; x_size 40; x_descenders 8'>
<span title='bbox 60 60 600 100; x_wconf 95'>Recognisable</span></span></p>
  </div>
</body></html>
Recognisable
"""


@pytest.fixture
def sluggish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Tesseract that reads every page alike, and never ends on one that is 800 pixels wide."""
    (tmp_path / "output").write_text(_HOCR)
    program = tmp_path / "tesseract"
    program.write_text(
        f"""#!/bin/sh
[ "$1" = --list-langs ] && {{ echo Languages:; echo eng; exit; }}
read magic width rest
[ "$width" = 800 ] && exec sleep 60
cat > /dev/null
exec cat {tmp_path}/output
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


def scans_of(widths: Iterable[int]) -> bytes:
    """A TIFF with a page of each width, in pixels."""
    pages = [scan_of(ARTICLE["en"]).resize((width, 1000)) for width in widths]
    file = io.BytesIO()
    pages[0].save(file, "TIFF", save_all=True, append_images=pages[1:], dpi=(DPI, DPI))
    return file.getvalue()


@pytest.mark.usefixtures("sluggish")
def test_a_slow_page_is_named_and_the_others_are_kept() -> None:
    parsed = parse_image(scans_of((700, 800, 720)), Path("slow.tif"), ParseOptions(ocr_languages=("en",), timeout_s=4))
    assert [block.page_number for block in parsed.blocks] == [1, 3]
    (warning,) = parsed.warnings
    assert warning.startswith("Page 2 could not be recognised: recognising its text took longer than 3 s")
    assert "PHIDEX_INGEST__TIMEOUT_S" in warning


@pytest.mark.usefixtures("sluggish")
def test_slow_pages_together_do_not_use_up_the_time_of_their_file() -> None:
    scans = Scans(ParseOptions(ocr_languages=("en",), timeout_s=0.2))
    raster = gray_raster(scan_of(ARTICLE["en"]).resize((800, 1000)), DPI)
    for index in range(100):
        scans.read(raster, index, Fonts())
    warnings = scans.warnings()
    assert len(scans.unread_pages) == 100
    assert any("took longer than 0.15 s" in warning for warning in warnings)
    assert any("100 could not be recognised: the time for its file was used up" in warning for warning in warnings)
