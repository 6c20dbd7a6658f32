"""Plain text: decoded, cut at blank lines, each block with the lines it came from.

Prose is joined; data and logs (by suffix) and indented listings keep their lines.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from phidex.errors import InputError
from phidex.ingest.clean import clean_line, clean_text, glue, is_spaceless
from phidex.ingest.records import Anchor, Block, BlockKind, Parsed

VERBATIM = frozenset(
    (
        ".csv",
        ".tsv",
        ".json",
        ".jsonl",
        ".ndjson",
        ".xml",
        ".log",
        ".srt",
        ".vtt",
        ".tex",
        ".bib",
    )
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its first half
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NEWLINE = re.compile(r"\r\n?|\n")
_ITEM = re.compile(r"\s{0,3}(?:[-*+•–]|\(?\d{1,3}[.)])\s+\S")
_BULLET = re.compile(r"^[-*+•–]\s+")
_RULE = re.compile(r"(=|-|~|\^|\*|#|\+)\1{2,}\s*")
_LISTING_LINES = 100  # lines a block of a log or data file, so that one file is not one block

_Numbered = list[tuple[int, str]]  # 1-based line number and text


def decode_text(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a warning where its encoding had to be guessed.

    Raises:
        InputError: it cannot be decoded.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), ()
            except UnicodeDecodeError as exc:
                hint = "save it as UTF-8"
                raise InputError(f"{name} is marked as {encoding.upper()} but is not valid.", hint=hint) from exc
    try:
        return data.decode("utf-8"), ()
    except UnicodeDecodeError:
        return _guess(data, name)


def _guess(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The most probable decoding; slow, so only where UTF-8 fails."""
    from charset_normalizer import from_bytes

    best = from_bytes(data[:200_000]).best()
    if best is not None:
        try:
            text = data.decode(best.encoding)
        except (UnicodeDecodeError, LookupError):
            text = data.decode(best.encoding, errors="replace")
        if text.count("\ufffd") <= len(text) // 100:
            return text, (f"The encoding is not declared and is not UTF-8; read as {best.encoding}, a guess.",)
    raise InputError(f"{name} is text in an unknown encoding.", hint="save it as UTF-8")


def parse_text(data: bytes, path: Path) -> Parsed:
    """The paragraphs, list items, headings and listings of a plain text file.

    Raises:
        InputError: no text in it, or it cannot be decoded.
    """
    text, warnings = decode_text(data, path.name)
    lines = NEWLINE.split(text)
    verbatim = path.suffix.lower() in VERBATIM
    blocks: list[Block] = []
    for part in _parts(lines):
        if verbatim:
            blocks += [make_listing(part[at : at + _LISTING_LINES], "code") for at in range(0, len(part), _LISTING_LINES)]
        else:
            blocks += _prose(part)
    blocks = [block for block in blocks if block.text]
    if not blocks:
        raise InputError(f"{path.name} has no text.", hint="check that it is the right file")
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    return Parsed(kind="text", blocks=tuple(blocks), title=title, warnings=warnings)


def _parts(lines: list[str]) -> Iterator[_Numbered]:
    """Runs of lines between blank ones."""
    part: _Numbered = []
    for number, line in enumerate(lines, 1):
        # A line of invisible characters only is blank as well.
        if line.strip() and (line.isascii() or clean_text(line).strip()):
            part.append((number, line))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _prose(part: _Numbered) -> Iterator[Block]:
    """The blocks of a run of lines: underlined headings, list items, listings, paragraphs."""
    if all(line.startswith(("    ", "\t")) for _, line in part) and not _ITEM.match(part[0][1].lstrip()):
        yield make_listing(part, "code")
        return
    pending: _Numbered = []
    index = 0
    while index < len(part):
        line = part[index][1]
        is_rule = _RULE.fullmatch(line.strip()) is not None
        is_title = not is_rule and index + 1 < len(part) and _is_underlined(line, part[index + 1][1])
        if pending and (is_rule or is_title or _ITEM.match(line)):
            yield _flow(pending)
            pending = []
        if is_title:
            yield _joined(part[index : index + 1], "heading", _level(part[index + 1][1]))
            index += 1  # the rule under it
        elif not is_rule:
            pending.append(part[index])
        index += 1
    if pending:
        yield _flow(pending)


def _flow(part: _Numbered) -> Block:
    return _joined(part, "list_item" if _ITEM.match(part[0][1]) else "paragraph")


def _level(rule: str) -> int:
    """The heading level that a rule stands for, as most writers use them."""
    return {"=": 1, "#": 1, "*": 1, "-": 2, "~": 3}.get(rule.strip()[0], 3)


def _is_underlined(line: str, rule: str) -> bool:
    """Whether `rule` underlines `line`, and is about as wide as it, as under a heading."""
    above, below = line.strip(), rule.strip()
    if not _RULE.fullmatch(below) or _ITEM.match(line) or len(above) > 120:
        return False
    wide = sum(2 if is_spaceless(char) else 1 for char in above)
    return min(len(above), 4) <= len(below) <= wide + 12


def _joined(part: _Numbered, kind: BlockKind, level: int = 0) -> Block:
    """A block of running text with an anchor for each line."""
    anchors: list[Anchor] = []
    parts: list[str] = []
    length = 0
    for number, line in part:
        clean = clean_line(line)
        if kind == "list_item" and not parts:
            clean = _BULLET.sub("", clean) or clean
        if not clean:
            continue
        between = glue(parts[-1], clean) if parts else ""
        anchors.append(Anchor(length + len(between), line=number))
        parts += [between, clean] if parts else [clean]
        length += len(between) + len(clean)
    return Block("".join(parts), kind, tuple(anchors), level)


def make_listing(numbered: _Numbered, kind: BlockKind, *, is_exact: bool = False) -> Block:
    """A block of lines kept as they are, blank ones inside included; its text is empty when all are blank.

    Common indentation is taken off and tabs are widened, unless `is_exact`.
    """
    lines = [(number, clean_text(line).rstrip()) for number, line in numbered]
    if not is_exact:
        lines = [(number, line.expandtabs(4)) for number, line in lines]
    while lines and not lines[0][1]:
        lines.pop(0)
    while lines and not lines[-1][1]:
        lines.pop()
    indent = 0 if is_exact else min((len(line) - len(line.lstrip()) for _, line in lines if line), default=0)
    anchors: list[Anchor] = []
    length = 0
    for number, line in lines:
        anchors.append(Anchor(length, line=number))
        length += max(len(line) - indent, 0) + 1
    return Block("\n".join(line[indent:] for _, line in lines), kind, tuple(anchors))
