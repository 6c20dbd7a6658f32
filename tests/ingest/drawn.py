"""PDFs drawn for a test, and what must hold of every parsed one: each place maps back to the text it came from."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf

from phidex.ingest.options import ParseOptions
from phidex.ingest.pdf.document import parse_pdf
from phidex.ingest.records import Block, Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete

PROSE = (
    "The engine reads each page once and keeps where every line stands. A reader who follows a citation sees the "
    "exact place and can judge the answer alone. Nothing is guessed that the document does not say, and what was "
    "lost on the way is named in a warning."
)


PLAIN = ParseOptions(ocr="off")


def parse(document: Any, options: ParseOptions = PLAIN, **saving: Any) -> Parsed:
    return parse_pdf(Path("made.pdf"), document.tobytes(**saving), options)


def text_of(parsed: Parsed) -> str:
    return "\n".join(block.text for block in parsed.blocks)


def kinds(parsed: Parsed) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in parsed.blocks]


def find(parsed: Parsed, part: str) -> Block:
    return next(block for block in parsed.blocks if part in block.text)


def squeeze(text: str) -> str:
    return re.sub(r"[\W_]+", "", text).casefold()


def grown(box: Any) -> Any:
    """The box with a margin of one point."""
    return pymupdf.Rect(box.x0 - 1, box.y0 - 1, box.x1 + 1, box.y1 + 1)


def check(parsed: Parsed, data: bytes) -> None:
    """All invariants of a parsed PDF, against the PDF itself."""
    document = pymupdf.open("pdf", data)
    assert parsed.page_count == document.page_count
    for block in parsed.blocks:
        assert block.text
        assert block.text == block.text.strip() or block.kind == "code"
        assert block.page_number is not None
        starts = [anchor.start for anchor in block.anchors]
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert starts[-1] < len(block.text)
        page = document[block.page_number - 1]
        for anchor, end in zip(block.anchors, [*starts[1:], len(block.text)], strict=True):
            assert anchor.box is not None
            box = pymupdf.Rect(anchor.box)
            assert box in grown(page.rect)
            assert not box.is_empty
            there = page.get_textbox(grown(box) * page.derotation_matrix)
            assert squeeze(block.text[anchor.start : end]) in squeeze(there)


def write(page: Any, box: tuple[float, float, float, float], text: str, **options: Any) -> None:
    assert page.insert_textbox(box, text, **options) >= 0


def book(document: Any, pages: int = 6, *, alternating: bool = False) -> None:
    for number in range(1, pages + 1):
        page = document.new_page()
        left = alternating and number % 2 == 0
        page.insert_text((72, 40), "A Book of Tests" if left or not alternating else f"Chapter {number // 4 + 1}", fontsize=9)
        write(page, (72, 90, 500, 700), f"Page content number {'abcdefghijkl'[number - 1]}. {PROSE}", fontsize=11)
        page.insert_text((290, 810), f"- {number} -", fontsize=9)


def raw_pdf(content: bytes, *, box: str = "0 0 595 842", page: str = "", font: str = "Helvetica") -> bytes:
    """A PDF of one page, written by hand, whose content is `content`; `page` are more entries of the page's dictionary."""
    resources = "/Resources<</Font<</F 5 0 R>>>>"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R{resources}{page}>>".encode(),
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content),
        f"<</Type/Font/Subtype/Type1/BaseFont/{font}>>".encode(),
    ]
    out, places = b"%PDF-1.4\n", list[int]()
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Root 1 0 R/Size %d>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def shown(text: str, x: float, y: float, size: float = 10) -> bytes:
    """The operators that show `text` at a place of the page."""
    return f"BT /F {size:g} Tf {x:g} {y:g} Td ({text}) Tj ET\n".encode()
