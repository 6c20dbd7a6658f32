"""OpenDocument: text, slides and sheets as their own programs show them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from odf import draw as _draw  # pyright: ignore[reportMissingTypeStubs]
from odf import opendocument as _opendocument  # pyright: ignore[reportMissingTypeStubs]
from odf import style as _style  # pyright: ignore[reportMissingTypeStubs]
from odf import table as _table  # pyright: ignore[reportMissingTypeStubs]
from odf import text as _text  # pyright: ignore[reportMissingTypeStubs]
from odf.namespaces import PRESENTATIONNS as _PRESENTATIONNS  # pyright: ignore[reportMissingTypeStubs]
from tests.ingest.packages import chunks_of, parse, png_bytes, texts, zip_bytes

from phidex.errors import InputError
from phidex.ingest.records import CellLocator, PageLocator, PartLocator

draw: Any = _draw  # odfpy has no types
PRESENTATIONNS: Any = _PRESENTATIONNS
opendocument: Any = _opendocument
style: Any = _style
table: Any = _table
text: Any = _text


def written(document: Any) -> bytes:
    file = io.BytesIO()
    document.write(file)
    return file.getvalue()


def cell(*lines: str, **about: Any) -> Any:
    made = table.TableCell(**about)
    for line in lines:
        made.addElement(text.P(text=line))
    return made


def row(*cells: Any, **about: Any) -> Any:
    made = table.TableRow(**about)
    for one in cells:
        made.addElement(one if not isinstance(one, str) else cell(one))
    return made


def letter() -> Any:
    document = opendocument.OpenDocumentText()
    document.text.addElement(text.H(outlinelevel=1, text="Findings"))
    paragraph = text.P(text="The pump")
    note = text.Note(noteclass="footnote")
    note.addElement(text.NoteCitation(text="1"))
    body = text.NoteBody()
    body.addElement(text.P(text="a small one"))
    note.addElement(body)
    paragraph.addElement(note)
    paragraph.addElement(text.S(c=2))
    paragraph.addText("works.")
    document.text.addElement(paragraph)
    numbers = text.ListStyle(name="Numbers")
    numbers.addElement(text.ListLevelStyleNumber(level="1", numformat="1"))
    document.automaticstyles.addElement(numbers)
    for name in ("Numbers", "Bullets"):
        items = text.List(stylename=name)
        for word in ("one", "two"):
            item = text.ListItem()
            item.addElement(text.P(text=word))
            items.addElement(item)
        document.text.addElement(items)
    grid = table.Table(name="T")
    grid.addElement(row("head a", "head b"))
    grid.addElement(row(cell("both", numberrowsspanned=2), "x"))
    grid.addElement(row(table.CoveredTableCell(), "y"))
    document.text.addElement(grid)
    frame = draw.Frame(width="3cm", height="3cm")
    frame.addElement(draw.Image(href=document.addPicture("a.png", "image/png", png_bytes())))
    around = text.P()
    around.addElement(frame)
    document.text.addElement(around)
    return document


def test_text_documents() -> None:
    parsed = parse("letter.odt", written(letter()))
    assert [(block.kind, block.text) for block in parsed.blocks if block.kind != "table"] == [
        ("heading", "Findings"),
        ("paragraph", "The pump[^1] works."),
        ("footnote", "[^1] a small one"),
        ("list_item", "1. one"),
        ("list_item", "2. two"),
        ("list_item", "one"),
        ("list_item", "two"),
        ("figure", "Picture 1"),
    ]
    grid = next(block for block in parsed.blocks if block.kind == "table")
    assert grid.text.splitlines() == ["| head a | head b |", "|---|---|", "| both | x |", "| both | y |"]
    assert chunks_of(parsed, 200)[0].locator == PartLocator("Findings", 1, 10)


def test_flat_files_are_read_too() -> None:
    flat = letter().xml()
    assert b"<office:document " in flat[:4000]
    assert texts(parse("letter.fodt", flat))[:2] == ["Findings", "The pump[^1] works."]


def test_presentations_have_boxes() -> None:
    document = opendocument.OpenDocumentPresentation()
    layout = style.PageLayout(name="L")
    document.automaticstyles.addElement(layout)
    master = style.MasterPage(name="M", pagelayoutname=layout)
    document.masterstyles.addElement(master)
    page = draw.Page(name="p", masterpagename=master)
    document.presentation.addElement(page)
    for words, x, kind in (("right", "10cm", None), ("left", "1cm", None), ("A title", "1cm", "title")):
        frame = draw.Frame(x=x, y="1in" if kind else "5in", width="2in", height="1in")
        if kind:
            frame.setAttrNS(PRESENTATIONNS, "class", kind)
        box = draw.TextBox()
        box.addElement(text.P(text=words))
        frame.addElement(box)
        page.addElement(frame)
    parsed = parse("a.odp", written(document))
    assert [(block.kind, block.text, block.page_number) for block in parsed.blocks] == [
        ("heading", "A title", 1),
        ("paragraph", "left", 1),
        ("paragraph", "right", 1),
    ]
    locator = chunks_of(parsed)[0].locator
    assert isinstance(locator, PageLocator)
    assert (locator.unit, str(locator)) == ("slide", "slide 1")
    assert locator.boxes[1] == pytest.approx((28.3, 360, 172.3, 432), abs=0.1)


def test_spreadsheets_show_what_their_cells_show() -> None:
    document = opendocument.OpenDocumentSpreadsheet()
    hidden = style.Style(name="gone", family="table")
    hidden.addElement(style.TableProperties(display="false"))
    document.automaticstyles.addElement(hidden)
    sheet = table.Table(name="Budget")
    sheet.addElement(row("item", "share", "due"))
    share = cell("25 %", valuetype="percentage", value="0.25")
    due = cell("01.05.24", valuetype="date", datevalue="2024-05-01")
    sheet.addElement(row("pump", share, due))
    sheet.addElement(row(table.TableCell(numbercolumnsrepeated=3), numberrowsrepeated=1000))
    sheet.addElement(row("late", "x", cell("y", numbercolumnsrepeated=2)))
    document.spreadsheet.addElement(sheet)
    second = table.Table(name="Notes", stylename=hidden)
    second.addElement(row("alone"))
    document.spreadsheet.addElement(second)
    parsed = parse("a.ods", written(document))
    assert parsed.blocks[1].text.splitlines()[2] == "| pump | 25 % | 2024-05-01 |"
    assert parsed.blocks[2].anchors[0].cells == (1003, 1, 1003, 4)
    assert chunks_of(parsed, 200)[-1].locator == CellLocator("Notes", "A1")
    assert parsed.warnings == ("Hidden sheets were read too: Notes.",)


def test_encrypted_and_foreign_kinds_are_named() -> None:
    kind = "application/vnd.oasis.opendocument.text"
    manifest = (
        '<m:manifest xmlns:m="urn:x"><m:file-entry m:full-path="content.xml"><m:encryption-data/></m:file-entry></m:manifest>'
    )
    locked = zip_bytes({"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": b"\x01\x02"})
    with pytest.raises(InputError, match=r"a\.odt is encrypted"):
        parse("a.odt", locked)
    drawing = zip_bytes({"mimetype": "application/vnd.oasis.opendocument.graphics", "content.xml": "<x/>"})
    with pytest.raises(InputError, match="not read"):
        parse("a.odg", drawing)
