"""HTML pages: main content by trafilatura as Markdown, then our Markdown parser; anchors name lines of the HTML source.

Nothing is fetched: scripts, frames and images are left alone.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import lxml.html as _lxml_html  # pyright: ignore[reportMissingTypeStubs]  # lxml ships none
import trafilatura

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.markdown import markdown_blocks
from phidex.ingest.marks import Marks, annotate, etree
from phidex.ingest.records import Anchor, Block, Parsed
from phidex.ingest.text import NEWLINE, decode_text

lxml_html: Any = _lxml_html
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,100}encoding=["']([\w.-]+)""", re.I)
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")
_DELIMITER = re.compile(r"\|(?:\s*-+\s*\|)+\s*$")
_MOST = 0.6  # of the text outside navigation, headers and footers: less than that kept is worth a warning
_META = {"author": "author", "description": "description", "date": "date", "keywords": "keywords"}


def parse_html(data: bytes, path: Path) -> Parsed:
    """The main content of a page; all of its visible text, with a warning, where no main content is found.

    Raises:
        InputError: no text in it, or it cannot be decoded.
    """
    text, warnings = _decode(data, path.name)
    tree = _tree(text, path.name)
    title, metadata = _about(tree)
    marks = Marks.unused_in(text)
    bodies: list[Any] = tree.xpath("//body") or [tree]
    annotate(bodies[0], marks)
    markdown: str | None = trafilatura.extract(
        tree,
        output_format="markdown",
        favor_recall=True,
        include_comments=False,
        include_formatting=True,
        include_tables=True,
        deduplicate=False,
    )
    blocks = _blocks(markdown or "", marks)
    if not blocks:
        blocks = _all_text(_tree(text, path.name))
        warnings = (*warnings, "No main content was found; all visible text of the page was taken.")
    elif (share := marks.kept(markdown or "")) < _MOST:
        warnings = (*warnings, f"About {1 - share:.0%} of the page's text was taken for something else than main content.")
    if not blocks:
        raise InputError(f"{path.name} has no text.", hint="pages that scripts fill must be saved after they are shown")
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    return Parsed("html", tuple(blocks), title or first, "text/html", warnings=warnings, metadata=metadata)


def _decode(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text by its declared encoding where that works, otherwise by its bytes; lines end in line feeds."""
    declared = _CHARSET.search(data[:4096])
    warnings: tuple[str, ...] = ()
    text = None
    if declared and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            text = data.decode((declared[1] or declared[2]).decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            text = None
    if text is None:
        text, warnings = decode_text(data, name)
    return NEWLINE.sub("\n", text.replace("\x00", "")), warnings


def _tree(text: str, name: str) -> Any:
    parser = lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)
    source = _DECLARATION.sub(lambda match: "\n" * match[0].count("\n"), text)
    try:
        return lxml_html.document_fromstring(source.encode("utf-8", "ignore"), parser=parser)
    except etree.ParserError as exc:
        raise InputError(f"{name} has no text.", hint="check that it is the right file") from exc


def _about(tree: Any) -> tuple[str, dict[str, str]]:
    """Title, and language and the usual `<meta>` fields as metadata."""
    titles = [clean_line(element.text_content()) for element in tree.xpath("//head/title | //h1")]
    metadata: dict[str, str] = {}
    language = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or tree.get("xml:lang")
    if language:
        metadata["lang"] = clean_line(language)
    for meta in tree.xpath("//meta[@name and @content]"):
        if (key := _META.get(meta.get("name").lower())) and (value := clean_line(meta.get("content"))):
            metadata.setdefault(key, value)
    return next(filter(None, titles), ""), metadata


def _blocks(markdown: str, marks: Marks) -> list[Block]:
    """The blocks of trafilatura's Markdown, with source lines for anchors and all stand-ins resolved."""
    source, lines = _resolve(_complete_tables(_unfold(markdown, marks)), marks)
    blocks: list[Block] = []
    for block in markdown_blocks(source):
        starts = [anchor.start for anchor in block.anchors]
        pieces = [block.text[a:b] for a, b in pairwise([*starts, len(block.text)])]
        if block.kind == "table":  # stays Markdown, where a bar inside a cell is escaped
            pieces = [piece.replace(marks.shield("|"), "\\|") for piece in pieces]
        ends = list(accumulate(map(len, pieces), initial=0))
        anchors = [Anchor(start, line=lines[(old.line or 1) - 1]) for start, old in zip(ends, block.anchors, strict=False)]
        blocks.append(replace(block, text=marks.unshield("".join(pieces)), anchors=tuple(anchors)))
    return blocks


def _complete_tables(markdown: str) -> str:
    """Every table with the delimiter row that makes it one: trafilatura writes none where a table has no header."""
    lines: list[str] = []
    inside = False
    for line in markdown.split("\n"):
        is_row = line.startswith("|")
        if is_row and inside and _DELIMITER.match(line):
            continue
        lines.append(line.rstrip() if is_row else line)
        if is_row and not inside:
            lines.append("|" + "---|" * max(1, line.count("|") - 1))
        inside = is_row
    return "\n".join(lines)


def _unfold(markdown: str, marks: Marks) -> str:
    """Listings put back as fenced code, each of their lines marked; inside a table they stay one line."""

    def fenced(match: re.Match[str]) -> str:
        line, listing = marks.entry(match[1])
        start = markdown.rfind("\n", 0, match.start()) + 1
        if not listing or markdown.startswith("|", start):
            return match[1] + match[2]
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", listing)), default=0))
        code = "\n".join(part + marks.make(line + n) for n, part in enumerate(listing.split("\n")))
        return f"\n\n{fence}\n{code}\n{fence}\n\n"

    return re.sub(rf"`*\s*({marks.pattern})`*\s*([^{marks.digits}{marks.end}]*){marks.end}\s*`*", fenced, markdown)


def _resolve(markdown: str, marks: Marks) -> tuple[str, list[int]]:
    """Markdown without marks, and for each of its lines the source line of its first mark, or the one before it."""
    mark = re.compile(rf"(?P<lead>^\s*)?(?P<mark>{marks.pattern})(?(lead)\s*)")
    stray = re.compile(f"[{marks.digits}{marks.end}]")
    lines: list[int] = []
    parts: list[str] = []
    current = 1
    for part in markdown.split("\n"):
        found = mark.search(part)
        current = (marks.entry(found["mark"])[0] or current) if found else current
        part = stray.sub("", mark.sub(lambda match: match["lead"] or "", part))
        parts.append(part)
        lines.append(current)
    return "\n".join(parts), lines


def _all_text(tree: Any) -> list[Block]:
    """Every visible piece of text of the page as a paragraph, in order."""
    bodies: list[Any] = tree.xpath("//body") or [tree]
    etree.strip_elements(bodies[0], "script", "style", "template", "noscript", etree.Comment, with_tail=False)
    blocks: list[Block] = []
    for element in bodies[0].iter(etree.Element):
        pieces = [(element.text, element.sourceline)] + [(child.tail, child.sourceline) for child in element]
        for raw, line in pieces:
            if raw and (text := clean_line(raw)):
                blocks.append(Block(text, "paragraph", (Anchor(0, line=line or 1),)))
    return blocks
