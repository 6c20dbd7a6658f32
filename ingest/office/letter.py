"""A message being put together: its heading and head lines, its text, and what is attached, each in a part of its own.

`mail.py` and `outlook.py` bring the pieces. Attachments go through the same door as files; one that cannot be read is named in
a warning and costs nothing else.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from itertools import groupby
from pathlib import Path, PurePosixPath

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.office.epub import place_piece
from phidex.ingest.office.flow import parse_soup, read_flow
from phidex.ingest.options import ParseOptions
from phidex.ingest.records import Anchor, Block, BlockKind, Parsed, Picture
from phidex.ingest.text import NEWLINE, parse_text

log = logging.getLogger(__name__)

MIME = "message/rfc822"
MAX_DEPTH = 3  # messages in messages
_MOST_ATTACHMENTS = 500
_MOST_BYTES = 512 << 20  # of all attachments together
_nesting: ContextVar[int] = ContextVar("nesting", default=0)  # files in files, through any number of letters
_QUOTE = re.compile(r"^((?:> ?)+)")


class Letter:
    """Blocks, pictures and warnings of a file of one or many messages.

    Args:
        name: the file's name, for messages.
    """

    def __init__(self, name: str, options: ParseOptions) -> None:
        self.name = name
        self.options = options
        self.blocks: list[Block] = []
        self.images: list[Picture] = []
        self.warnings: list[str] = []
        self._numbers: dict[str, int] = {}
        self._attachments = 0
        self._bytes = 0

    def add_head(self, fields: dict[str, str], part: str, *, level: int = 1) -> None:
        """The subject as a heading, and who wrote to whom and when as one paragraph."""
        if subject := fields.get("Subject"):
            self._add(subject, "heading", part, level)
        if lines := [f"{name}: {value}" for name, value in fields.items() if value]:
            self._add("\n".join(lines), "paragraph", part)

    def add_text(self, text: str, part: str) -> None:
        """The paragraphs of a plain body; those quoted from another message keep their ">"."""
        for quoted, group in groupby(NEWLINE.split(text), key=_quote_depth):
            lines = [_QUOTE.sub("", line) if quoted else line for line in group]
            try:
                blocks = parse_text("\n".join(lines).encode("utf-8", "replace"), Path("body.txt")).blocks
            except InputError:  # blank lines only
                continue
            for block in blocks:
                text = f"{'>' * quoted} {block.text}" if quoted else block.text
                kind: BlockKind = "paragraph" if quoted and block.kind == "heading" else block.kind
                level = 0 if quoted else min(block.level + 1, 6) if block.level else 0
                self._add(text, kind, part, level)

    def add_html(self, source: bytes | str, part: str) -> bool:
        """The paragraphs of an HTML body; False when nothing is in it."""
        root = parse_soup(source)
        count = len(self.blocks)
        for piece in read_flow(root) if root is not None else ():
            if piece.quoted and piece.kind not in ("table", "code"):
                piece = replace(piece, text=f"> {piece.text}", kind="paragraph", level=0)
            elif piece.level:
                piece = replace(piece, level=min(piece.level + 1, 6))
            self.blocks.append(place_piece(piece, part, self._numbers))
        return len(self.blocks) > count

    def add_attachment(self, name: str, data: bytes, part: str) -> None:
        """The blocks of an attached file, under its name."""
        self._attachments += 1
        self._bytes += len(data)
        if self._attachments > _MOST_ATTACHMENTS or self._bytes > _MOST_BYTES:
            self.warnings.append(f"The attachment {name} was not read: the file has too many attachments.")
            return
        if (depth := _nesting.get()) >= MAX_DEPTH:
            self.warnings.append(f"The attachment {name} was not read: it is attached more than {MAX_DEPTH} deep.")
            return
        from phidex.ingest.parse import parse_file  # which imports the readers, this one among them

        token = _nesting.set(depth + 1)
        try:
            parsed = parse_file(Path(name), data, replace(self.options, on_page=self._beat))
        except InputError as exc:
            self.warnings.append(f"Attachment not read: {exc.message}")
            return
        except MemoryError:
            raise
        except Exception as exc:  # one attachment never takes the letter, or a box of them, with it
            log.warning("attachment failed error=%s", type(exc).__name__, exc_info=True)
            self.warnings.append(f"The attachment {name} was not read: {type(exc).__name__}.")
            return
        finally:
            _nesting.reset(token)
        self.warnings += [f"Attachment {name}: {warning}" for warning in parsed.warnings]
        self._take_over(parsed, self.part_name(name, part), name)

    def _beat(self, *_: int) -> None:
        """A sign of life: the attachment's pages are not the letter's."""
        if self.options.on_page:
            self.options.on_page(0, 0)

    def part_name(self, name: str, part: str) -> str:
        """The part of what is attached in a part."""
        return f"{part} / {name}" if part else name

    def _take_over(self, parsed: Parsed, part: str, name: str) -> None:
        """The blocks of another document, numbered anew: its pages, sheets and chapters become parts of the attachment."""
        self._add(name, "heading", part, 2)
        for block in parsed.blocks:
            unit = "slide" if parsed.unit == "slide" else "p."
            inner = (
                f"{part}, {unit} {block.page_number}" if block.page_number else f"{part}: {block.part}" if block.part else part
            )
            anchors = tuple(
                anchor if anchor.cells else Anchor(anchor.start, line=self._next(inner))
                for anchor in (block.anchors if block.kind == "table" else block.anchors[:1])
            )
            image = None if block.image is None else len(self.images) + block.image
            level = min(block.level + 2, 6) if block.level else 0
            self.blocks.append(replace(block, anchors=anchors, level=level, page_number=None, part=inner, image=image))
        self.images += parsed.images

    def _next(self, part: str) -> int:
        self._numbers[part] = self._numbers.get(part, 0) + 1
        return self._numbers[part]

    def _add(self, text: str, kind: BlockKind, part: str, level: int = 0) -> None:
        self.blocks.append(Block(text, kind, (Anchor(0, line=self._next(part)),), level, part=part))

    def finished(self, title: str, metadata: dict[str, str], mime: str = MIME) -> Parsed:
        """What was put together.

        Raises:
            InputError: there is no text.
        """
        if not self.blocks:
            raise InputError(f"{self.name} has no text.", hint="check that it is the right file")
        return Parsed(
            kind="email",
            blocks=tuple(self.blocks),
            title=title,
            mime=mime,
            warnings=tuple(dict.fromkeys(self.warnings)),
            metadata=metadata,
            unit="paragraph",
            images=tuple(self.images),
        )


def file_name(name: str, number: int, suffix: str) -> str:
    """An attachment's name without folders, or one made of its number."""
    plain = PurePosixPath(clean_line(name).replace("\\", "/")).name
    return plain or f"attachment {number}{suffix}"


def _quote_depth(line: str) -> int:
    match = _QUOTE.match(line)
    return match[1].count(">") if match else 0


def unflow(text: str, *, delete_space: bool) -> Iterator[str]:
    """The lines of format=flowed text (RFC 3676) with soft line breaks taken out."""
    held = ""
    depth = 0
    for line in NEWLINE.split(text):
        quoted = _quote_depth(line)
        body = _QUOTE.sub("", line) if quoted else line.removeprefix(" ")
        if held and quoted != depth:
            yield held
            held = ""
        marks = f"{'>' * quoted} " if quoted and not held else ""
        whole, depth = held + marks + body, quoted
        if body.endswith(" ") and body != "-- ":
            held = whole[:-1] if delete_space else whole
        else:
            yield whole
            held = ""
    if held:
        yield held
