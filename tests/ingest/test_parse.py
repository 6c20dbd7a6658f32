"""One door: the kind is told from bytes before names, and every failure says what is wrong and what to do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phidex.errors import InputError, NotFoundError
from phidex.ingest.parse import SUFFIXES, parse_file, sniff

pymupdf: Any = _pymupdf  # its own types are incomplete

HTML = b"<!DOCTYPE html>\n<html><body><p>" + b"A page that is not a PDF at all. " * 10 + b"</p></body></html>"


def pdf_bytes() -> bytes:
    document = pymupdf.open()
    document.new_page().insert_text((72, 72), "Hello from a PDF")
    return document.tobytes()


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.pdf", pdf_bytes(), "pdf"),
        ("a.txt", pdf_bytes(), "pdf"),
        ("a.pdf", b"\n\n" + pdf_bytes(), "pdf"),
        ("a.pdf", HTML, "html"),
        ("a.pdf", b"only text", "text"),
        ("a.html", HTML, "html"),
        ("a.htm", b"<p>fragment</p>", "html"),
        ("a.txt", b"\xef\xbb\xbf" + HTML, "html"),
        ("a.html", "<html><body>x</body></html>".encode("utf-16"), "html"),
        ("a.xhtml", b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">', "html"),
        ("README.MD", b"<h1 align=center>x</h1>", "markdown"),
        ("a.mdx", b"# x", "markdown"),
        ("a.rst", b"Title\n=====", "text"),
        ("a.json", b'{"a": 1}', "json"),
        ("a.unknown", b"plain words", "text"),
        ("a.txt", "日本語".encode("utf-16"), "text"),
        ("a.txt", b"PK is not a magic number here", "text"),
        ("a.txt", b"MZ, BZh and ID3 begin this line", "text"),
    ],
)
def test_kind_from_bytes_then_name(name: str, data: bytes, kind: str) -> None:
    assert sniff(Path(name), data) == kind


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.pdf", b"", "empty"),
        ("a.txt", b"", "empty"),
        ("a.docx", b"PK\x03\x04\x14\x00", "damaged or cut off"),
        ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00", "damaged or no image"),
        ("a.pdf", bytes(range(256)), "not a PDF"),
        ("a.bin", bytes(range(256)), "unknown kind"),
        ("a.pdf", b"%PDF-1.7\n" + b"garbage " * 50, "truncated"),
        ("a.pdf", pdf_bytes()[:300], "truncated|no text"),
    ],
)
def test_failures_are_named_with_a_cure(name: str, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_file(Path(name), data)
    assert name in caught.value.message
    assert caught.value.hint


def test_files_are_read_from_disk(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(HTML)
    assert parse_file(tmp_path / "a.pdf").kind == "html"
    (tmp_path / "b.pdf").write_bytes(pdf_bytes())
    assert parse_file(tmp_path / "b.pdf").blocks[0].text == "Hello from a PDF"
    (tmp_path / "c.md").write_text("# T\n\ntext")
    assert parse_file(tmp_path / "c.md").title == "T"
    with pytest.raises(NotFoundError, match="does not exist"):
        parse_file(tmp_path / "none.txt")
    with pytest.raises(InputError, match="cannot be read"):
        parse_file(tmp_path)


def test_suffixes_are_lower_case_and_dotted() -> None:
    assert {".pdf", ".md", ".markdown", ".mdx", ".html", ".txt", ".rst", ".log", ".csv", ".json"} <= SUFFIXES
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in SUFFIXES)


def test_parsers_are_imported_only_when_needed() -> None:
    heavy = ("pymupdf", "trafilatura", "lxml", "markdown_it")
    code = f"import sys, phidex.ingest.parse; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300), st.sampled_from(sorted(SUFFIXES)))
def test_any_bytes_give_blocks_or_an_input_error(data: bytes, suffix: str) -> None:
    try:
        parsed = parse_file(Path(f"a{suffix}"), data)
    except InputError:
        return
    assert parsed.blocks
    assert all(block.text and block.anchors for block in parsed.blocks)
