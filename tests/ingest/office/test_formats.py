"""Kinds by bytes, and everything hostile: bombs, entities, encryption, damage; every file is read or named."""

from __future__ import annotations

import io
import random
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import docx as _docx
import msoffcrypto.format.ooxml as _ooxml  # pyright: ignore[reportMissingTypeStubs]
import openpyxl as _openpyxl
import pptx as _pptx
import pytest
from tests.ingest.packages import Compound, p, parse, saved, texts, word_bytes, wrapped, zip_bytes

from phidex.errors import InputError
from phidex.ingest.office.package import Package
from phidex.ingest.options import ParseOptions
from phidex.ingest.parse import SUFFIXES, parse_file, sniff

docx: Any = _docx  # their own types are incomplete
openpyxl: Any = _openpyxl
pptx: Any = _pptx
ooxml: Any = _ooxml


def small_files() -> dict[str, bytes]:
    document, book, deck = docx.Document(), openpyxl.Workbook(), pptx.Presentation()
    document.add_paragraph("words of a document")
    book.active.append(["words", "of", "a", "sheet"])
    deck.slides.add_slide(deck.slide_layouts[5]).shapes.title.text = "words of a slide"
    return {"a.docx": saved(document), "a.xlsx": saved(book), "a.pptx": saved(deck)}


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.pptx"])
def test_the_bytes_decide_not_the_name(name: str) -> None:
    data = small_files()[name]
    assert sniff(Path("a.txt"), data[:8192]) == "package"
    for other in ("a.docx", "a.xlsx", "a.pptx", "a.bin", "a.zip"):
        assert "words" in "".join(texts(parse(other, data)))


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.csv", b"a,b", "table"),
        ("a.csv", b"<!DOCTYPE html><p>error page", "html"),
        ("a.json", b"{}", "json"),
        ("a.jsonl", b"{}", "json_lines"),
        ("a.rtf", b"{\\rtf1", "rtf"),
        ("a.doc", b"{\\rtf1", "rtf"),
        ("a.eml", b"From: a\nTo: b\n\nx", "mail"),
        ("cur", b"From: a\nTo: b\n\nx", "mail"),
        ("a.mbox", b"From a@b Wed\nTo: b\n\nx", "mailbox"),
        ("a.txt", b"From: a\nTo: b\n\nx", "text"),
        ("a.fodt", b'<?xml version="1.0"?><office:document x="">', "flat"),
    ],
)
def test_kinds(name: str, head: bytes, kind: str) -> None:
    assert sniff(Path(name), head) == kind
    assert Path(name).suffix in SUFFIXES | {""}


def bomb(name: str, size: int) -> bytes:
    return zip_bytes({"_rels/.rels": "", name: b"<w:p/>" * (size // 6)})


def test_a_zip_bomb_is_refused_before_anything_is_unpacked() -> None:
    data = bomb("word/document.xml", 300 << 20)
    assert len(data) < 1 << 20
    tracemalloc.start()
    with pytest.raises(InputError, match=r"a\.docx would unpack to .* times its size: a ZIP bomb"):
        parse("a.docx", data)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_a_part_that_declares_less_than_it_holds_is_damaged() -> None:
    data = bytearray(zip_bytes({"a.xml": b"x" * 100_000}))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", 1000)
    with pytest.raises(InputError, match="damaged"):
        Package(bytes(data), "a.docx").read("a.xml")


def test_a_part_larger_than_its_limit_and_too_many_parts_are_refused() -> None:
    package = Package(zip_bytes({"a.xml": bytes(2 << 20)}), "a.docx")
    with pytest.raises(InputError, match=r"a\.docx: its part a\.xml unpacks to more than 1 MB"):
        package.read("a.xml", 1 << 20)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(50_001):
            archive.writestr(f"{number}", b"")
    with pytest.raises(InputError, match="50,001 parts"):
        Package(file.getvalue(), "a.docx")


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE x [<!ENTITY e "boom"><!ENTITY f "&e;&e;&e;&e;"><!ENTITY g "&f;&f;&f;&f;">]>',
        '<!DOCTYPE x [<!ENTITY g SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd" [<!ENTITY % p SYSTEM "http://127.0.0.1:9/y"> %p; <!ENTITY g "boom">]>',
    ],
)
def test_entities_are_neither_expanded_nor_fetched(declaration: str) -> None:
    root = wrapped(f"<w:document><w:body>{p('before')}{p('&g;')}{p('after')}</w:body></w:document>")
    with zipfile.ZipFile(io.BytesIO(word_bytes(""))) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    parts["word/document.xml"] = f"{declaration}{root if isinstance(root, str) else ''}"
    found = " ".join(texts(parse("a.docx", zip_bytes(parts))))
    assert "before" in found
    assert "boom" not in found
    assert "root:" not in found


def encrypted(name: str) -> bytes:
    file = io.BytesIO()
    ooxml.OOXMLFile(io.BytesIO(small_files()[name])).encrypt("secret", file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.pptx"])
def test_encrypted_documents_are_named_and_opened_with_their_password(name: str) -> None:
    data = encrypted(name)
    with pytest.raises(InputError, match="is encrypted") as caught:
        parse(name, data)
    assert "password" in caught.value.hint
    with pytest.raises(InputError, match="none of the passwords"):
        parse(name, data, ParseOptions(passwords=("wrong",)))
    assert "words" in "".join(texts(parse(name, data, ParseOptions(passwords=("wrong", "secret")))))


@pytest.mark.parametrize(
    ("stream", "message", "hint"),
    [
        ("WordDocument", "old Word document", "soffice --headless --convert-to docx 'a.doc'"),
        ("PowerPoint Document", "old PowerPoint document", "soffice --headless --convert-to pptx 'a.doc'"),
        ("Something", "compound file of a kind that is not read", "save it as"),
    ],
)
@pytest.mark.parametrize("with_olefile", [True, False])
def test_old_documents_say_how_to_convert_them(
    stream: str, message: str, hint: str, with_olefile: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not with_olefile:
        monkeypatch.setitem(sys.modules, "olefile", None)
    with pytest.raises(InputError, match=message) as caught:
        parse("a.doc", Compound({stream: b"x" * 100}).to_bytes())
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "modules", "data"),
    [
        ("a.xls", ["python_calamine"], Compound({"Workbook": b"x" * 100}).to_bytes()),
        ("a.msg", ["olefile"], Compound({"__properties_version1.0": b"x" * 100}).to_bytes()),
        ("a.rtf", ["striprtf.striprtf"], b"{\\rtf1 x}"),
    ],
)
def test_a_missing_extra_is_named_with_its_command(
    name: str, modules: list[str], data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError) as caught:
        parse(name, data)
    assert caught.value.hint == "pip install 'phidex[office]'"


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.zip", zip_bytes({"a.txt": "x"}), "ZIP archive, not a document"),
        ("a.pages", zip_bytes({"Index/Document.iwa": "x"}), "Apple Pages"),
        ("a.vsdx", zip_bytes({"[Content_Types].xml": "<Types/>"}), "Office file of a kind"),
        ("a.docx", b"PK\x03\x04\x14\x00", "damaged or cut off"),
        ("a.docx", small_files()["a.docx"][:2000], "damaged or cut off"),
        ("a.rtf", b"{\\rtf1 }", "no text"),
    ],
)
def test_other_containers_are_named(name: str, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(name, data)
    assert caught.value.hint


def test_rtf_has_paragraphs_and_table_rows() -> None:
    data = rb"{\rtf1\ansi\ansicpg1252{\info{\title Pumps}{\author Ann}}First {\b bold} line\par Gr\'f6\'dfe\par"
    data += rb"\trowd a\cell b\cell\row \trowd 1\cell 2\cell\row Last\par}"
    parsed = parse("a.rtf", data)
    assert (parsed.title, parsed.metadata) == ("Pumps", {"author": "Ann"})
    assert texts(parsed) == ["First bold line", "Größe", "| a | b |\n|---|---|\n| 1 | 2 |", "Last"]


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.pptx", "a.msg", "a.doc"])
def test_damaged_files_are_read_or_named(name: str) -> None:
    whole = {
        **small_files(),
        "a.msg": Compound({"__properties_version1.0": bytes(48)}).to_bytes(),
        "a.doc": encrypted("a.docx"),
    }[name]
    chance = random.Random(7)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 8, 64))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            del data[chance.randrange(len(data)) :]
        failure: InputError | None = None
        try:
            assert parse_file(Path(name), bytes(data), ParseOptions(passwords=("secret",))).blocks
        except InputError as exc:
            failure = exc
        assert failure is None or (name in failure.message and failure.hint)


def test_damaged_properties_and_an_empty_main_part() -> None:
    with zipfile.ZipFile(io.BytesIO(small_files()["a.docx"])) as archive:
        parts: dict[str, str | bytes] = {name: archive.read(name) for name in archive.namelist()}
    title = "<cp:coreProperties><dc:title>kept</dc:title></cp:coreProperties>"  # prefixes that are nowhere declared
    assert parse("a.docx", zip_bytes({**parts, "docProps/core.xml": title})).title == "kept"
    with pytest.raises(InputError, match=r"a\.docx is damaged: its part word/document\.xml"):
        parse("a.docx", zip_bytes({**parts, "word/document.xml": b""}))
    del parts["_rels/.rels"]
    assert texts(parse("a.docx", zip_bytes(parts)))  # the usual name stands in for the lost relation
