"""Chunks of tables and figures: rows never torn while they fit, caption and header in every part, nothing lost."""

from __future__ import annotations

import uuid

from hypothesis import given, settings
from hypothesis import strategies as st

from phidex.ingest.chunk import chunk_document
from phidex.ingest.pdf.tables import to_markdown
from phidex.ingest.records import Anchor, Block, Chunk, PageLocator, Parsed, Picture
from phidex.ingest.tokens import piece_starts

SOURCE = str(uuid.uuid5(uuid.NAMESPACE_URL, "source"))
CAPTION = Block("Table 7: Harvest by year", "caption", (Anchor(0, (10, 10, 200, 20)),), page_number=1)
CELL = st.text(st.sampled_from("abc ßжد日ภ12.,|-"), min_size=0, max_size=18).map(lambda text: " ".join(text.split()))


def table(rows: list[list[str]], page_number: int = 1) -> Block:
    text, starts = to_markdown(rows)
    anchors = tuple(Anchor(start, (10.0, 30.0 + 12 * row, 200.0, 40.0 + 12 * row)) for row, start in enumerate(starts))
    return Block(text, "table", anchors, page_number=page_number)


def chunks_of(*blocks: Block, limit: int = 64, images: tuple[str, ...] = ()) -> list[Chunk]:
    parsed = Parsed("pdf", blocks, page_count=2, images=tuple(Picture(b"", "image/png", 1, 1) for _ in images))
    return chunk_document(parsed, source_id=SOURCE, path="a.pdf", language="en", limit_tokens=limit, images=images)


def long_table(rows: int = 40) -> Block:
    return table([["Year", "Apples", "Plums"], *[[str(1980 + n), str(n * 7), str(n * 3)] for n in range(rows)]])


def test_a_short_table_is_one_chunk_with_its_caption() -> None:
    (chunk,) = chunks_of(CAPTION, long_table(3))
    assert chunk.text.startswith("Table 7: Harvest by year\n\n| Year | Apples | Plums |\n| --- |")
    assert chunk.modality == "table"
    assert isinstance(chunk.locator, PageLocator)
    assert chunk.locator.boxes[0][1] == 10  # the caption's


def test_every_part_of_a_long_table_has_caption_and_header() -> None:
    parts = chunks_of(CAPTION, long_table())
    assert len(parts) > 3
    for part in parts:
        assert part.text.startswith("Table 7: Harvest by year\n\n| Year | Apples | Plums |\n| --- | --- | --- |\n| ")
        assert part.token_count == len(piece_starts(part.text)) <= 64
        assert all(line.startswith("| ") and line.endswith(" |") for line in part.text.split("\n")[2:])
    rows = [line for part in parts for line in part.text.split("\n")[4:]]
    assert rows == long_table().text.split("\n")[2:]


def test_a_part_is_cited_by_its_own_rows() -> None:
    parts = chunks_of(CAPTION, long_table())
    last = parts[-1]
    rows = len(last.text.split("\n")) - 4
    assert isinstance(last.locator, PageLocator)
    ((_, top, _, bottom),) = last.locator.boxes
    assert bottom == 40 + 12 * 40
    assert top == 30 + 12 * (41 - rows)


def test_a_caption_stays_with_its_table_behind_long_prose() -> None:
    prose = Block("One sentence of prose. " * 12, "paragraph", (Anchor(0, (10, 0, 200, 9)),), page_number=1)
    found = chunks_of(prose, CAPTION, long_table(4))
    assert sum(CAPTION.text in chunk.text for chunk in found) == 1
    assert next(chunk for chunk in found if CAPTION.text in chunk.text).text.count("| 1980 |") == 1


def test_two_tables_in_one_chunk_stay_two() -> None:
    (chunk,) = chunks_of(long_table(1), long_table(1), limit=200)
    assert "|\n\n| Year" in chunk.text


def test_a_figure_is_a_chunk_of_its_own_and_shows_its_picture() -> None:
    caption = Block("Figure 1: The press", "caption", (Anchor(0, (10, 90, 200, 99)),), page_number=1)
    figure = Block("lever", "figure", (Anchor(0, (10, 100, 200, 300)),), page_number=1, image=1)
    prose = Block("Words around it.", "paragraph", (Anchor(0, (10, 0, 200, 9)),), page_number=1)
    found = chunks_of(prose, caption, figure, prose, images=("blob-a", "blob-b"))
    assert [(chunk.modality, chunk.image) for chunk in found] == [("text", ""), ("image", "blob-b"), ("text", "")]
    assert found[1].text == "Figure 1: The press\n\nlever"


def test_without_ids_a_figure_names_no_picture() -> None:
    figure = Block("lever", "figure", (Anchor(0, (10, 100, 200, 300)),), page_number=1, image=0)
    assert chunks_of(figure)[0].image == ""


@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), min_size=2, max_size=30)),
    st.booleans(),
)
def test_no_text_is_lost_when_a_table_is_split(rows: list[list[str]], captioned: bool) -> None:
    block = table(rows)
    parts = chunks_of(*([CAPTION] if captioned else []), block, limit=48)
    said = "".join(part.text for part in parts)
    header = "\n".join(block.text.split("\n")[:2])
    bare = "".join(
        part.text.replace(header, "") for part in parts
    )  # a word too long for a chunk goes on behind the next header
    assert all(part.token_count <= 48 for part in parts)
    for row in rows:
        for cell in row:
            for word in cell.replace("|", r"\|").split():
                assert word in said or "".join(word.split()) in "".join(bare.split())
    lines = block.text.split("\n")
    whole = [
        line for line in lines[2:] if len(piece_starts(line)) < 48 - len(piece_starts(CAPTION.text + "\n".join(lines[:2])))
    ]
    for line in whole:
        assert any(line in part.text.split("\n") for part in parts)
