"""EPUB: the spine in order, chapters by the table of contents, notes, tables and pictures."""

from __future__ import annotations

import pytest
from tests.ingest.packages import chunks_of, parse, png_bytes, texts, zip_bytes

from phidex.errors import InputError
from phidex.ingest.records import PartLocator

CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
ONE = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.1//EN" "http://www.w3.org/TR/xhtml11/DTD/xhtml11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>skip</title></head><body>
<h1>The river</h1><p>It&nbsp;rose<a epub:type="noteref" href="#n">1</a> &amp; fell.</p>
<aside epub:type="footnote" id="n"><p>In spring.</p></aside>
<table><tr><th>year</th><th>level</th></tr><tr><td rowspan="2">1900</td><td>3</td></tr><tr><td>4</td></tr></table>
<ol start="3"><li>three</li><li>four</li></ol><pre>a  b
c</pre><img src="../img/a.png" alt="a map"/><p style="display:none">unseen</p></body></html>"""
TWO = """<html xmlns="http://www.w3.org/1999/xhtml"><body><p>still the river</p><div id="two"><h1>The sea</h1></div>
<p>unclosed<br>line<p>end</body></html>"""


def book(nav: str, extra: dict[str, str | bytes] | None = None, properties: str = "") -> bytes:
    items = {"one": "text/one%20a.xhtml", "two": "text/two.xhtml"}
    manifest = "".join(f'<item id="{i}" href="{href}" media-type="application/xhtml+xml"/>' for i, href in items.items())
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>Waters</dc:title><dc:creator>Ann Lee</dc:creator><dc:creator>Bo</dc:creator><dc:language>en</dc:language>"
        "</metadata><manifest>"
        f'{manifest}{nav}<item id="i" href="img/a.png" media-type="image/png"/></manifest><spine>'
        '<itemref idref="one"/><itemref idref="two"/><itemref idref="missing"/></spine></package>'
    )
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": opf,
        "OPS/text/one a.xhtml": ONE,
        "OPS/text/two.xhtml": TWO,
        "OPS/img/a.png": png_bytes(),
    }
    return zip_bytes(parts | (extra or {}))


NAV = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="toc"><ol>'
    '<li><a href="text/one%20a.xhtml">I. River</a></li><li><a href="text/two.xhtml#two">II. Sea</a></li></ol></nav></body>'
    "</html>"
)
NCX = (
    '<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><navMap><navPoint><navLabel><text>I. River</text></navLabel>'
    '<content src="text/one%20a.xhtml"/></navPoint><navPoint><navLabel><text>II. Sea</text></navLabel>'
    '<content src="text/two.xhtml#two"/></navPoint></navMap></ncx>'
)


@pytest.mark.parametrize(
    ("item", "part", "content"),
    [
        ('<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>', "OPS/nav.xhtml", NAV),
        ('<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/>', "OPS/toc.ncx", NCX),
    ],
)
def test_chapters_come_from_either_table_of_contents(item: str, part: str, content: str) -> None:
    parsed = parse("a.epub", book(item, {part: content}))
    assert (parsed.kind, parsed.title) == ("book", "Waters")
    assert parsed.metadata == {"author": "Ann Lee, Bo", "lang": "en"}
    assert [block.part for block in parsed.blocks].count("II. Sea") == 3
    chunks = chunks_of(parsed, 300)
    assert [str(chunk.locator) for chunk in chunks] == [
        "I. River, paragraphs 1-9",
        "I. River, paragraph 10",  # a picture
        "I. River, paragraph 11",
        "II. Sea, paragraphs 1-3",
    ]
    assert chunks[3].locator == PartLocator("II. Sea", 1, 3)
    assert chunks[3].heading == ("The sea",)


def test_what_a_chapter_holds() -> None:
    parsed = parse("a.epub", book(""))
    assert [(block.kind, block.text) for block in parsed.blocks] == [
        ("heading", "The river"),
        ("paragraph", "It rose[^1] & fell."),
        ("footnote", "In spring."),
        ("table", "| year | level |\n|---|---|\n| 1900 | 3 |\n| 1900 | 4 |"),
        ("list_item", "3. three"),
        ("list_item", "4. four"),
        ("code", "a  b\nc"),
        ("figure", "a map"),
        ("paragraph", "still the river"),
        ("heading", "The sea"),
        ("paragraph", "unclosed line"),
        ("paragraph", "end"),
    ]
    assert parsed.images[0].mime == "image/png"


def test_protected_books_are_named_and_obscured_fonts_are_no_protection() -> None:
    def encryption(algorithm: str) -> dict[str, str | bytes]:
        return {"META-INF/encryption.xml": f'<e><EncryptedData><EncryptionMethod Algorithm="{algorithm}"/></EncryptedData></e>'}

    with pytest.raises(InputError, match="protected"):
        parse("a.epub", book("", encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc")))
    assert texts(parse("a.epub", book("", encryption("http://www.idpf.org/2008/embedding"))))[0] == "The river"


def test_entities_are_not_expanded_and_nothing_is_fetched() -> None:
    bomb = (
        '<!DOCTYPE html [<!ENTITY a "boom boom boom"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><body><p>before &b; &c; after</p></body></html>'
    )
    found = texts(parse("a.epub", book("", {"OPS/text/two.xhtml": bomb})))[-1]
    assert "before" in found
    assert "after" in found
    assert "boom" not in found
    assert "root:" not in found


def test_a_book_without_its_list_of_chapters_is_damaged() -> None:
    with pytest.raises(InputError, match="damaged"):
        parse("a.epub", zip_bytes({"mimetype": "application/epub+zip", "META-INF/container.xml": "<container/>"}))
