"""Word: what a reader sees is read, once, in order, and every paragraph can be found again by its number."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import docx as _docx
import pytest
from tests.ingest.packages import chunks_of, p, parse, png_bytes, saved, texts, word_bytes

from phidex.errors import InputError
from phidex.ingest.records import PartLocator

docx: Any = _docx  # its own types are incomplete
HEADINGS = """<w:styles>
<w:style w:type="paragraph" w:styleId="berschrift1"><w:name w:val="Überschrift 1"/></w:style>
<w:style w:type="paragraph" w:styleId="own"><w:name w:val="Section"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:type="paragraph" w:styleId="ours"><w:name w:val="Ours"/><w:basedOn w:val="own"/></w:style>
</w:styles>"""


def report() -> bytes:
    document = docx.Document()
    document.core_properties.title, document.core_properties.author = "Pump report", "Ann Lee"
    document.sections[0].header.paragraphs[0].text = "CONFIDENTIAL"
    document.add_heading("Findings", 1)
    document.add_paragraph("The pump was repaired in spring.")
    document.add_paragraph("first", style="List Number")
    document.add_paragraph("second", style="List Number")
    document.add_paragraph("a point", style="List Bullet")
    table = document.add_table(3, 3)
    for row in range(3):
        for column in range(3):
            table.cell(row, column).text = f"{'head' if row == 0 else 'cell'} {row}{column}"
    table.cell(1, 0).merge(table.cell(2, 0)).text = "both rows"
    table.cell(0, 1).merge(table.cell(0, 2)).text = "both columns"
    document.add_heading("Costs", 2)
    document.add_paragraph("It cost 40 €.")
    document.add_picture(io.BytesIO(png_bytes()))
    return saved(document)


def test_a_document_made_by_a_word_library() -> None:
    parsed = parse("report.docx", report())
    assert (parsed.kind, parsed.title, parsed.unit) == ("office", "Pump report", "paragraph")
    assert parsed.metadata["author"] == "Ann Lee"
    assert parsed.furniture == ("CONFIDENTIAL",)
    assert parsed.warnings == ()
    assert [(block.kind, block.level) for block in parsed.blocks] == [
        ("heading", 1),
        ("paragraph", 0),
        ("list_item", 0),
        ("list_item", 0),
        ("list_item", 0),
        ("table", 0),
        ("heading", 2),
        ("paragraph", 0),
        ("figure", 0),
    ]
    assert texts(parsed)[2:5] == ["1. first", "2. second", "a point"]
    assert parsed.blocks[5].text.splitlines() == [
        "| head 00 | both columns | both columns |",
        "|---|---|---|",
        "| both rows | cell 11 | cell 12 |",
        "| both rows | cell 21 | cell 22 |",
    ]
    assert [anchor.line for block in parsed.blocks for anchor in block.anchors] == list(range(1, 12))
    assert parsed.images[parsed.blocks[-1].image or 0].width == 64


def test_places_are_headings_and_paragraph_numbers() -> None:
    chunks = chunks_of(parse("report.docx", report()), 40)
    costs = next(chunk for chunk in chunks if "40 €" in chunk.text)
    assert costs.locator == PartLocator("Findings › Costs", 9, 10)
    assert str(costs.locator) == "Findings › Costs, paragraphs 9-10"


def test_headings_by_localised_name_outline_level_and_inheritance() -> None:
    body = "".join(p(style, f'<w:pStyle w:val="{style}"/>') for style in ("berschrift1", "own", "ours", "unknown"))
    body += p("by itself", '<w:outlineLvl w:val="2"/>')
    parsed = parse("a.docx", word_bytes(body, {"s": ("styles", "styles.xml", HEADINGS)}))
    assert [block.level for block in parsed.blocks] == [1, 2, 2, 0, 3]


def test_without_heading_styles_short_bold_lines_are_headings() -> None:
    bold = "<w:p><w:r><w:rPr><w:b/></w:rPr><w:t>Our aims</w:t></w:r></w:p>"
    parsed = parse("a.docx", word_bytes(bold + p("We aim high.") + bold.replace("Our aims", "A bold sentence.") + p("End.")))
    assert [block.kind for block in parsed.blocks] == ["heading", "paragraph", "paragraph", "paragraph"]


def test_tracked_changes_count_as_accepted() -> None:
    body = (
        "<w:p><w:r><w:t>The </w:t></w:r><w:ins w:id='1'><w:r><w:t>new </w:t></w:r></w:ins>"
        "<w:del w:id='2'><w:r><w:delText>old </w:delText></w:r></w:del>"
        "<w:moveFrom w:id='3'><w:r><w:t>gone </w:t></w:r></w:moveFrom><w:moveTo w:id='4'><w:r><w:t>came </w:t></w:r></w:moveTo>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:t>end</w:t></w:r></w:p>"
    )
    assert texts(parse("a.docx", word_bytes(body))) == ["The new came end"]


def test_notes_comments_links_fields_and_boxes() -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>boxed</w:t></w:r></w:p></w:txbxContent>"
    body = (
        "<w:p><w:r><w:t>Text</w:t><w:footnoteReference w:id='2'/><w:commentReference w:id='0'/>"
        "<w:endnoteReference w:id='2'/></w:r>"
        "<w:hyperlink r:id='x'><w:r><w:t> linked</w:t></w:r></w:hyperlink>"
        "<w:r><w:instrText>PAGEREF secret</w:instrText></w:r><w:r><mc:AlternateContent><mc:Choice Requires='wps'>"
        f"<w:drawing><wps:txbx>{box}</wps:txbx></w:drawing></mc:Choice>"
        f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>"
    )
    notes = "<w:{0}s><w:{0} w:id='2'><w:p><w:r><w:t>{1}</w:t></w:r></w:p></w:{0}></w:{0}s>"
    comment = "<w:comments><w:comment w:id='0' w:author='Bob'><w:p><w:r><w:t>why?</w:t></w:r></w:p></w:comment></w:comments>"
    parsed = parse(
        "a.docx",
        word_bytes(
            body,
            {
                "f": ("footnotes", "footnotes.xml", notes.format("footnote", "below")),
                "e": ("endnotes", "endnotes.xml", notes.format("endnote", "behind")),
                "c": ("comments", "comments.xml", comment),
            },
        ),
    )
    assert texts(parsed) == ["Text[^1][^i] linked", "[^1] below", "[comment by Bob] why?", "[^i] behind", "boxed"]
    assert [block.kind for block in parsed.blocks[1:4]] == ["footnote"] * 3


def test_numbered_headings_carry_their_numbers() -> None:
    level = '<w:lvl w:ilvl="{0}"><w:start w:val="1"/><w:numFmt w:val="{1}"/><w:lvlText w:val="{2}"/></w:lvl>'
    numbering = (
        '<w:numbering><w:abstractNum w:abstractNumId="0">'
        + level.format(0, "decimal", "%1.")
        + level.format(1, "lowerLetter", "%1.%2")
        + '</w:abstractNum><w:num w:numId="5"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
    )
    item = '<w:numPr><w:ilvl w:val="{0}"/><w:numId w:val="5"/></w:numPr>'
    body = "".join(p(f"level {at}", item.format(at)) for at in (0, 1, 1, 0, 1))
    parsed = parse("a.docx", word_bytes(body, {"n": ("numbering", "numbering.xml", numbering)}))
    assert texts(parsed) == ["1. level 0", "1.a level 1", "1.b level 1", "2. level 0", "2.a level 1"]


def test_contents_are_furniture_and_formulas_keep_their_structure() -> None:
    formula = (
        "<w:p><m:oMath><m:r><m:t>x=</m:t></m:r><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den>"
        "</m:f><m:sSup><m:e><m:r><m:t>y</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></w:p>"
    )
    contents = (
        "<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val='Table of Contents'/></w:docPartObj></w:sdtPr>"
        f"<w:sdtContent>{p('1 Findings 3')}</w:sdtContent></w:sdt>"
    )
    parsed = parse("a.docx", word_bytes(contents + formula))
    assert texts(parsed) == ["x=(a+b)/2y^2"]
    assert parsed.furniture == ("1 Findings 3",)


def test_macro_template_and_strict_documents_are_read() -> None:
    strict = word_bytes(p("strict text"))
    with zipfile.ZipFile(io.BytesIO(strict)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            data = data.replace(
                b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
                b"http://purl.oclc.org/ooxml/wordprocessingml/main",
            )
            archive.writestr(name, data)
    assert texts(parse("a.dotm", file.getvalue())) == ["strict text"]


def test_a_dangling_relation_and_a_damaged_part_cost_only_themselves() -> None:
    body = p("kept") + "<w:p><w:r><w:drawing><a:blip r:embed='gone'/></w:drawing></w:r></w:p>"
    data = word_bytes(body, {"s": ("styles", "styles.xml", b"<w:styles>not closed"), "gone": ("image", "../NULL", b"")})
    parsed = parse("a.docx", data)
    assert texts(parsed) == ["kept"]
    assert any("styles.xml" in warning for warning in parsed.warnings)


def test_a_cut_document_part_is_read_as_far_as_it_goes() -> None:
    whole = word_bytes(p("first") + p("second"))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        body = archive.read("word/document.xml")
    cut = word_bytes("")
    with zipfile.ZipFile(io.BytesIO(cut)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, body[: body.index(b"second") + 3] if name == "word/document.xml" else data)
    parsed = parse("a.docx", file.getvalue())
    assert texts(parsed)[0] == "first"
    assert any("damaged" in warning for warning in parsed.warnings)


def test_a_document_without_text_is_named() -> None:
    with pytest.raises(InputError, match=r"empty\.docx has no text"):
        parse("empty.docx", word_bytes("<w:p/>"))
