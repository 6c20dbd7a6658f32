"""Small real files to damage, each made here."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pymupdf as _pymupdf

pymupdf: Any = _pymupdf  # its own types are incomplete
_PROSE = "The engine reads each page once and keeps where every line stands, so that a reader can judge the answer. "


def make_seeds() -> dict[str, bytes]:
    """File names and bytes: PDFs of several builds, and one of each other kind."""
    plain = _book()
    seeds = {
        "plain.pdf": plain.tobytes(garbage=3, deflate_fonts=True),
        "packed.pdf": plain.tobytes(garbage=3, deflate=True, use_objstms=1),
        "locked.pdf": plain.tobytes(garbage=3, deflate_fonts=True, encryption=pymupdf.PDF_ENCRYPT_AES_256, owner_pw="owner"),
        "form.pdf": _form(),
        "page.html": f"<!DOCTYPE html><html><body><h1>Title</h1><p>{_PROSE * 4}</p></body></html>".encode(),
        "notes.md": f"# Title\n\n{_PROSE * 3}\n\n- one\n- two\n\n```python\nx = 1\n```\n".encode(),
        "text.txt": f"{_PROSE * 5}\n\nGrüße aus 東京\n".encode(),
        "picture.png": pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 30, 20), False).tobytes("png"),
        "letter.docx": _docx(),
    }
    # A text, a picture and a page that somebody called PDFs.
    return seeds | {f"{name}.pdf": seeds[name] for name in ("page.html", "text.txt", "letter.docx")}


def _book() -> Any:
    """Three pages with an outline, labels, a table's lines, a turned page and an attached file."""
    document = pymupdf.open()
    for number in range(3):
        page = document.new_page(width=400, height=500)
        page.insert_text((40, 40), f"Chapter {number + 1}", fontsize=18)
        page.insert_textbox((40, 60, 360, 300), _PROSE * 4, fontsize=10)
        page.insert_htmlbox((40, 320, 360, 400), "<p>Grüße, 日本語, שלום עולם</p>")
        page.insert_text((190, 480), str(number + 1), fontsize=9)
    document[1].set_rotation(90)
    document.set_toc([[1, "Chapter 1", 1], [1, "Chapter 2", 2], [2, "Chapter 3", 3]])
    document.set_page_labels([{"startpage": 0, "style": "r", "firstpagenum": 1}])
    document.embfile_add("data.csv", b"a,b\n1,2\n")
    document.subset_fonts()  # whole ones are megabytes of nothing to damage
    return document


def _form() -> bytes:
    """A page with a text field and a combo box, filled in, and a picture."""
    document = pymupdf.open()
    page = document.new_page(width=300, height=300)
    page.insert_text((20, 30), "Name:")
    for name, kind, top in (("name", pymupdf.PDF_WIDGET_TYPE_TEXT, 20), ("land", pymupdf.PDF_WIDGET_TYPE_COMBOBOX, 60)):
        field = pymupdf.Widget()
        field.field_name, field.field_type, field.rect = name, kind, pymupdf.Rect(80, top, 250, top + 20)
        if kind == pymupdf.PDF_WIDGET_TYPE_COMBOBOX:
            field.choice_values = [("de", "Germany"), ("fr", "France")]
        field.field_value = "Ada Lovelace" if name == "name" else "de"
        page.add_widget(field)
    page.insert_image((20, 100, 120, 160), pixmap=pymupdf.Pixmap(pymupdf.csGRAY, pymupdf.IRect(0, 0, 20, 12), False))
    return document.tobytes(garbage=3, expand=255)


def _docx() -> bytes:
    """The least that Word opens."""
    types = "http://schemas.openxmlformats.org/package/2006/content-types"
    word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{types}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
        f'package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{relations}"><Relationship Id="r1" Type="{office}" Target="word/document.xml"/>'
        "</Relationships>",
        "word/document.xml": f'<w:document xmlns:w="{word}"><w:body><w:p><w:r><w:t>{_PROSE}</w:t></w:r></w:p></w:body>'
        "</w:document>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()
