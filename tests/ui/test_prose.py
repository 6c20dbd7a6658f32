"""What documents and models say, as the browser would get it: no image is fetched."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from phidex.ui.prose import plain, quoted, written

IMAGE = "![x](http://evil.example/p.png)"


@pytest.mark.parametrize(
    "text",
    [
        IMAGE,
        f"\\`{IMAGE}`",  # an escaped backtick begins no code
        f"a ```` {IMAGE} ``` ````",
        f"a ``` b\n\n{IMAGE}\n\nc ```",  # a fence in the middle of a line is none
        f"`` a ` {IMAGE} ` b ``",
        f"```\n{IMAGE}",
        "\\`![x][y]`\n\n[y]: http://evil.example/p.png",
    ],
)
def test_no_image_of_a_model_gets_through(text: str) -> None:
    for shown in (written(text), quoted(text), plain(text)):
        assert "<img" not in MarkdownIt().render(shown)
        assert "![" not in shown


def test_code_stays_code() -> None:
    assert written("see `a[0]` and\n```\nif x != y[1]:\n```") == "see `a[0]` and\n```\nif x != y[1]:\n```"


@pytest.mark.parametrize(
    "text", ["\\[the minutes\\](https://evil.example)", "\\\\[a](b.example)", "[a](b.example)", "\\[a][b]\n\n[b]: c.example"]
)
def test_no_link_hides_where_it_leads(text: str) -> None:
    assert "<a " not in MarkdownIt().render(written(text))
