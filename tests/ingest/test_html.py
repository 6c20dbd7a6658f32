"""HTML: main content, true source lines, and text that looks like Markdown left alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from phidex.errors import InputError
from phidex.ingest.html import parse_html
from phidex.ingest.records import Parsed

PAGE = """\
<!DOCTYPE html>
<html lang="de"><head><title>The   page title</title>
<meta name="author" content="A. Writer">
<script>var x = "<p>not text</p>";</script></head>
<body>
<nav><ul><li><a href="/">Home</a></li><li><a href="/x">About us</a></li></ul></nav>
<main><article>
<h1>Main heading</h1>
<p>First paragraph with <a href="http://x.y/z">a link</a> and <b>bold</b> text,
going over two lines of the source. It is long enough to be kept.</p>
<h2>Section two</h2>
<ul>
<li>item one is here</li>
<li>item <em>two</em> is here</li>
</ul>
<pre><code>def f(x):
    return x * 2   # &lt;b&gt; ```

print(f(3))
</code></pre>
<p>Write &lt;div&gt; and *args, a_b_c, &amp;amp; [x](y) | z, C:\\dir
1. which is not a list</p>
<table><tr><th>Name</th><th>Value</th></tr>
<tr><td>alpha</td><td>1 | C:\\x</td></tr></table>
<ol><li>first step</li><li>second step</li></ol>
</article></main>
<footer><p>Copyright 2020 Someone. All rights reserved.</p></footer>
</body></html>
"""


def parse(text: str | bytes) -> Parsed:
    return parse_html(text if isinstance(text, bytes) else text.encode(), Path("a.html"))


def check(parsed: Parsed, source: str) -> None:
    """All invariants: what an anchor names is on that line of the source."""
    lines = source.split("\n")
    for block in parsed.blocks:
        assert block.text.strip()
        starts = [anchor.start for anchor in block.anchors]
        assert starts[0] == 0
        assert starts == sorted(set(starts))
        assert starts[-1] < len(block.text)
        for anchor, end in zip(block.anchors, [*starts[1:], len(block.text)], strict=True):
            assert anchor.line is not None
            first = re.findall(r"\w+", block.text[anchor.start : end])[:1]
            assert not first or first[0] in lines[anchor.line - 1]


def test_everything_at_once() -> None:
    parsed = parse(PAGE)
    assert [(b.kind, b.level, b.text, [a.line for a in b.anchors]) for b in parsed.blocks] == [
        ("heading", 1, "Main heading", [8]),
        (
            "paragraph",
            0,
            "First paragraph with a link and bold text, going over two lines of the source. It is long enough to be kept.",
            [9, 10],
        ),
        ("heading", 2, "Section two", [11]),
        ("list_item", 0, "item one is here", [13]),
        ("list_item", 0, "item two is here", [14]),
        ("code", 0, "def f(x):\n    return x * 2   # <b> ```\n\nprint(f(3))", [16, 17, 18, 19]),
        ("paragraph", 0, "Write <div> and *args, a_b_c, &amp; [x](y) | z, C:\\dir 1. which is not a list", [21]),
        ("table", 0, "| Name | Value |\n|---|---|\n| alpha | 1 \\| C:\\x |", [23, 23, 24]),
        ("list_item", 0, "1. first step", [25]),
        ("list_item", 0, "2. second step", [25]),
    ]
    assert (parsed.kind, parsed.title, parsed.mime) == ("html", "The page title", "text/html")
    assert parsed.metadata == {"lang": "de", "author": "A. Writer"}
    assert parsed.warnings == ()


def test_without_main_content_all_text_is_taken() -> None:
    parsed = parse("<html><body>\n<script>x()</script><span>One</span>\n<b>two</b></body></html>")
    assert [block.text for block in parsed.blocks] in (["One", "two"], ["One two"])
    check(parsed, "<html><body>\n<script>x()</script><span>One</span>\n<b>two</b></body></html>")


@pytest.mark.parametrize("source", ["<html><body></body></html>", "<script>x</script>", "   ", "<!-- c -->"])
def test_nothing_in_it(source: str) -> None:
    with pytest.raises(InputError, match="no text"):
        parse(source)


def test_encodings() -> None:
    body = "<body><p>Größe und Straße überraschen viele Leute auf der Brücke.</p></body></html>"
    declared = f'<html><head><meta charset="iso-8859-1"></head>{body}'
    assert "Größe" in parse(declared.encode("latin-1")).blocks[0].text
    assert "Größe" in parse(f"<html>{body}").blocks[0].text
    assert "Größe" in parse(f"<html>{body}".encode("utf-16")).blocks[0].text
    xml = f'<?xml version="1.0" encoding="UTF-8"?>\n<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="de">{body}'
    assert parse(xml).metadata["lang"] == "de"


def test_text_left_out_is_said_to_be() -> None:
    source = "<html><body><article><p>" + "Main words of it. " * 30 + "</p></article>{}</body></html>"
    assert parse(source.format("<nav><ul>" + "<li><a href='x'>Go there</a></li>" * 90 + "</ul></nav>")).warnings == ()
    hidden = "<div class='comments'>" + "<p>Many a remark of readers.</p>" * 90 + "</div>"
    assert "main content" in parse(source.format(hidden)).warnings[0]


def test_symbols_used_for_marks_survive() -> None:
    text = "Byzantine \U0001d000\U0001d001\U0001d002 notation is written with symbols that nearly nobody else uses at all."
    assert parse(f"<html><body><p>{text}</p></body></html>").blocks[0].text == text


def test_short_repeated_paragraphs_are_kept() -> None:
    source = (
        "<html><body><article>" + "<p>Same words here.</p>" * 3 + "<p>" + "Other words. " * 30 + "</p></article></body></html>"
    )
    assert sum(block.text == "Same words here." for block in parse(source).blocks) == 3


def squeeze(text: str) -> str:
    """Without white space, and without bars and backslashes, which stand for each other in tables (see the page above)."""
    return re.sub(r"[\s|\\]", "", text)


inline = st.text(st.sampled_from("abc 12*_`<>&|[]#-.\n日\\~"), min_size=1, max_size=30)
escape = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;"})


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["p", "li", "pre", "blockquote"]), inline), min_size=1, max_size=8))
def test_any_text_comes_through(parts: list[tuple[str, str]]) -> None:
    lead = "<p>" + "An introduction that is long enough to be main content. " * 6 + "</p>"
    body = "\n".join(f"<{tag}>word{text.translate(escape)}</{tag}>" for tag, text in parts)
    body = body.replace("<li>", "<ul><li>").replace("</li>", "</li></ul>")
    source = f"<html><body><article>{lead}\n{body}\n<p>A closing paragraph after all of it.</p></article></body></html>"
    parsed = parse(source)
    check(parsed, source)
    kept = "".join(squeeze(block.text) for block in parsed.blocks)
    assert all(squeeze(f"word{text}") in kept for _, text in parts)
