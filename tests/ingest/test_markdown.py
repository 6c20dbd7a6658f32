"""Markdown: kinds, levels, plain text of markup, and the source line of each anchor."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.errors import InputError
from phidex.ingest.markdown import markdown_blocks, parse_markdown
from phidex.ingest.records import Block, Parsed

SAMPLE = """\
---
title: "Front title"
author: A. Writer
tags:
  - x
---
# Heading *one*

A paragraph with [a link](https://x.y), ![an image](i.png), `code`,
~~struck~~ and **bold** text.\\
After a break.

Setext
------

- first item
  goes on
- second

  own paragraph
  1. nested

> A quotation
> over two lines

```python
def f(x):

    return x
```

    indented code

| a | b |
|---|---|
| 1 | **2** |

<div>Some <b>HTML</b> &amp; more</div>

Last <span>inline</span> one.
"""


def parse(text: str) -> Parsed:
    return parse_markdown(text.encode(), Path("a.md"))


def rows(blocks: tuple[Block, ...] | list[Block]) -> list[tuple[str, int, str, list[int | None]]]:
    return [(b.kind, b.level, b.text, [a.line for a in b.anchors]) for b in blocks]


def check(blocks: tuple[Block, ...] | list[Block], line_count: int) -> None:
    for block in blocks:
        assert block.text.strip()
        starts = [anchor.start for anchor in block.anchors]
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert starts[-1] < len(block.text)
        assert all(anchor.line is not None and 1 <= anchor.line <= line_count for anchor in block.anchors)


def test_everything_at_once() -> None:
    parsed = parse(SAMPLE)
    assert rows(parsed.blocks) == [
        ("heading", 1, "Heading one", [7]),
        ("paragraph", 0, "A paragraph with a link, an image, code, struck and bold text. After a break.", [9, 10, 11]),
        ("heading", 2, "Setext", [13]),
        ("list_item", 0, "first item goes on", [16, 17]),
        ("list_item", 0, "second", [18]),
        ("paragraph", 0, "own paragraph", [20]),
        ("list_item", 0, "1. nested", [21]),
        ("paragraph", 0, "A quotation over two lines", [23, 24]),
        ("code", 0, "def f(x):\n\n    return x", [27, 28, 29]),
        ("code", 0, "indented code", [32]),
        ("table", 0, "| a | b |\n|---|---|\n| 1 | **2** |", [34, 35, 36]),
        ("paragraph", 0, "Some HTML & more", [38]),
        ("paragraph", 0, "Last inline one.", [40]),
    ]
    assert parsed.title == "Front title"
    assert parsed.metadata == {"author": "A. Writer"}
    check(parsed.blocks, SAMPLE.count("\n") + 1)


def test_title_is_the_highest_heading_where_front_matter_has_none() -> None:
    assert parse("## Sub\n\n# Top\n\ntext").title == "Top"
    assert parse("just text").title == ""


def test_code_is_kept_as_written() -> None:
    assert parse("```\n    deep\n\tshallow\n```").blocks[0].text == "    deep\n\tshallow"


def test_a_rule_is_not_front_matter() -> None:
    assert rows(parse("text\n\n---\n\nmore\n").blocks) == [("paragraph", 0, "text", [1]), ("paragraph", 0, "more", [5])]


@pytest.mark.parametrize("text", ["", "\n\n", "<!-- only a comment -->", "---\ntitle: x\n---\n", "```\n\n```"])
def test_nothing_in_it(text: str) -> None:
    with pytest.raises(InputError, match="no text"):
        parse(text)


pieces = st.sampled_from(
    ["# ", "- ", "1. ", "> ", "    ", "| a | b |", "|---|---|", "word", "**b**", "<b>", "\t", "日本", "[x](y)"]
)
lines = st.lists(pieces, max_size=4).map(" ".join) | st.just("```")  # a fence has no words beside it


@given(st.lists(lines, max_size=25).map("\n".join))
def test_invariants_hold_for_any_markdown(source: str) -> None:
    blocks = markdown_blocks(source)
    check(blocks, source.count("\n") + 1)
    assert sum(block.text.count("word") for block in blocks) == source.count("word")
