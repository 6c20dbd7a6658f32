"""Properties of chunking: nothing lost, nothing invented, sizes kept, every place true."""

from __future__ import annotations

import re
import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from phidex.ingest.chunk import chunk_document
from phidex.ingest.records import Anchor, Block, BlockKind, LineLocator, PageLocator, Parsed
from phidex.ingest.tokens import piece_starts

SOURCE = str(uuid.uuid5(uuid.NAMESPACE_URL, "source"))
WORDS = st.sampled_from(
    [
        "alpha",
        "Größe",
        "Σύστημα",
        "правило",
        "مرحبا",
        "שלום",
        "日本語の文章です。",
        "中文。",
        "ภาษาไทย",
        "x",
        "12,5",
        "end.",
        "Why?",
        "한국어",
    ]
)


@st.composite
def blocks(draw: st.DrawFn, *, paged: bool) -> list[Block]:
    found: list[Block] = []
    page = 1
    for number in range(draw(st.integers(1, 12))):
        kind: BlockKind = draw(st.sampled_from(["heading", "paragraph", "paragraph", "list_item", "code", "table"]))
        lines = draw(st.lists(st.lists(WORDS, min_size=1, max_size=30).map(" ".join), min_size=1, max_size=4))
        anchors: list[Anchor] = []
        text = ""
        for index, line in enumerate(lines):
            start = len(text) + (1 if text else 0)
            place = (10.0, 10.0 + 12 * index, 300.0, 20.0 + 12 * index)
            anchors.append(Anchor(start, box=place) if paged else Anchor(start, line=number * 10 + index + 1))
            text = f"{text} {line}" if text else line
        level = draw(st.integers(1, 6)) if kind == "heading" else 0
        page += draw(st.integers(0, 1))
        found.append(Block(text, kind, tuple(anchors), level, page if paged else None))
    return found


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


@settings(max_examples=150, deadline=None)
@given(blocks(paged=True), st.integers(8, 200))
def test_no_text_is_lost_invented_or_moved(found: list[Block], limit: int) -> None:
    chunks = chunk_document(Parsed("pdf", tuple(found)), source_id=SOURCE, path="x.pdf", language="en", limit_tokens=limit)
    assert squeeze("".join(chunk.text for chunk in chunks)) == squeeze("".join(block.text for block in found))
    assert [chunk.order for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.id for chunk in chunks}) == len(chunks)


@settings(max_examples=150, deadline=None)
@given(blocks(paged=True), st.integers(8, 200))
def test_chunks_keep_the_limit_and_one_page(found: list[Block], limit: int) -> None:
    chunks = chunk_document(Parsed("pdf", tuple(found)), source_id=SOURCE, path="x.pdf", language="en", limit_tokens=limit)
    pages = {
        block.page_number: squeeze("".join(b.text for b in found if b.page_number == block.page_number)) for block in found
    }
    for chunk in chunks:
        assert isinstance(chunk.locator, PageLocator)
        assert len(piece_starts(chunk.text)) <= limit
        assert squeeze(chunk.text) in pages[chunk.locator.page_number]
        assert chunk.locator.boxes


@settings(max_examples=100, deadline=None)
@given(blocks(paged=False))
def test_line_locators_cover_the_lines_of_the_text(found: list[Block]) -> None:
    chunks = chunk_document(Parsed("text", tuple(found)), source_id=SOURCE, path="x.txt", language="en", limit_tokens=40)
    lines = {
        anchor.line: squeeze(block.text[anchor.start : end])
        for block in found
        for anchor, end in zip(block.anchors, [*(a.start for a in block.anchors[1:]), len(block.text)], strict=True)
    }
    for chunk in chunks:
        assert isinstance(chunk.locator, LineLocator)
        inside = "".join(
            lines[line] for line in sorted(filter(None, lines)) if chunk.locator.start_line <= line <= chunk.locator.end_line
        )
        assert squeeze(chunk.text) in inside


@given(blocks(paged=True))
@settings(max_examples=30, deadline=None)
def test_the_same_input_gives_the_same_ids(found: list[Block]) -> None:
    one, two = (
        chunk_document(Parsed("pdf", tuple(found)), source_id=SOURCE, path="x", language="en", limit_tokens=50)
        for _ in range(2)
    )
    assert one == two


def paragraph(text: str, page: int = 1) -> Block:
    return Block(text, "paragraph", (Anchor(0, box=(0, 0, 100, 10)),), 0, page)


def heading(text: str, level: int = 1, page: int = 1) -> Block:
    return Block(text, "heading", (Anchor(0, box=(0, 0, 100, 10)),), level, page)


def cut(*found: Block, limit: int = 64) -> list[tuple[str, tuple[str, ...]]]:
    chunks = chunk_document(Parsed("pdf", found), source_id=SOURCE, path="x", language="en", limit_tokens=limit)
    return [(chunk.text, chunk.heading) for chunk in chunks]


def test_a_section_opens_a_chunk_and_names_its_path() -> None:
    long = "Some words that fill a section well enough to stand alone, again and again and again. " * 2
    found = cut(heading("Manual"), paragraph(long), heading("Install", 2), paragraph(long), heading("Use", 2), paragraph(long))
    assert [path for _, path in found] == [("Manual",), ("Manual", "Install"), ("Manual", "Use")]
    assert found[1][0].startswith("Install\n\nSome words")


def test_short_sections_of_a_page_share_a_chunk() -> None:
    found = cut(heading("A"), paragraph("One."), heading("B"), paragraph("Two."), limit=256)
    assert found == [("A\n\nOne.\n\nB\n\nTwo.", ("A",))]


def test_a_heading_is_not_left_behind_at_the_end() -> None:
    filling = " ".join(["word"] * 50)
    found = cut(paragraph(filling), heading("Next"), paragraph(filling), limit=60)
    assert [text.split("\n")[0] for text, _ in found] == [filling, "Next"]


def test_a_long_section_is_cut_into_equal_parts() -> None:
    found = cut(paragraph("This is one of many sentences here. " * 40), limit=100)
    sizes = [len(piece_starts(text)) for text, _ in found]
    assert len(sizes) == 4
    assert max(sizes) - min(sizes) <= 12


def test_a_giant_line_without_spaces_is_cut_in_linear_time() -> None:
    found = cut(paragraph("x" * 2_000_000), limit=256)
    assert "".join(text for text, _ in found) == "x" * 2_000_000


def test_references_and_hard_wrapped_lines_are_cut_in_linear_time() -> None:
    assert len(cut(paragraph("See p. 3 and Fig. 4 in " * 20_000))) > 1000
    line = "a line of forty characters without a stop"
    anchors = tuple(Anchor(len(line) * i + i, line=i + 1) for i in range(20_000))
    text = "\n".join([line] * 20_000)
    chunks = chunk_document(Parsed("text", (Block(text, "paragraph", anchors),)), source_id=SOURCE, path="x", language="en")
    assert squeeze("".join(chunk.text for chunk in chunks)) == squeeze(text)
    assert len(cut(*(paragraph(f"Number {i}.") for i in range(40_000)))) > 1000


def test_the_same_words_twice_are_two_chunks() -> None:
    chunks = chunk_document(
        Parsed("pdf", (paragraph("Same."), paragraph("Same.", 2))), source_id=SOURCE, path="x", language="en", limit_tokens=64
    )
    assert len({chunk.id for chunk in chunks}) == 2


def test_adjoining_lines_become_one_box_and_columns_stay_apart() -> None:
    lines = tuple(Anchor(5 * i, box=(10, 10 + 12 * i, 100, 20 + 12 * i)) for i in range(3))
    right = (Anchor(0, box=(200, 10, 300, 20)),)
    found = (Block("aaaa bbbb cccc", "paragraph", lines, 0, 1), Block("dddd", "paragraph", right, 0, 1))
    (chunk,) = chunk_document(Parsed("pdf", found), source_id=SOURCE, path="x", language="en")
    assert isinstance(chunk.locator, PageLocator)
    assert chunk.locator.boxes == ((10, 10, 100, 44), (200, 10, 300, 20))
