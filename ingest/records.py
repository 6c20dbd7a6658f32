"""The records of ingest: what a document is, what it is made of, and where in it a text stands.

    bytes -> Parsed (blocks in reading order) -> Chunk          Source names the document they came from

All are frozen. Page numbers are 1-based; boxes are in PDF points, origin at the top left of the page as shown.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import unquote, unquote_to_bytes, urlparse

from phidex.errors import InputError

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in points; origin top left, y grows downwards."""

Cells = tuple[int, int, int, int]
"""First row, first column, last row, last column; 1-based, both ends included."""

Times = tuple[float, float]
"""Start and end in seconds from the start of a recording."""

BlockKind = Literal["heading", "paragraph", "list_item", "code", "table", "caption", "footnote", "figure", "frame", "turn"]
Unit = Literal["page", "slide", "line", "paragraph", "item"]
Modality = Literal["text", "table", "code", "image", "frame", "speech"]
SourceKind = Literal["pdf", "text", "markdown", "html", "code", "video", "audio", "image", "office", "book", "email", "data"]
KINDS: tuple[str, ...] = get_args(SourceKind)


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where a piece of a block's text stands: from `start` (an offset into the block's text) to the next anchor.

    Exactly one of them is set: `box` on a page or slide, `line` (1-based; a paragraph's or item's number where `Parsed.unit`
    says so), `cells` of a sheet (first row, first column, last row, last column, 1-based), `time` of a recording.
    """

    start: int
    box: Box | None = None
    line: int | None = None
    cells: Cells | None = None
    time: Times | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """One paragraph, heading, list item, code block or table, in reading order.

    Args:
        text: its text, normalised; never empty but for a frame without text; lines inside a paragraph are joined.
        kind: what it is.
        anchors: at least one, ascending by `start`, the first at 0.
        level: heading level from 1 (a title) to 6; 0 for all else.
        page_number: 1-based page or slide for paged documents, otherwise None.
        part: the part of the document it stands in, where it has parts: a sheet, a chapter, an attachment, a JSON pointer; of a
            frame, the title on it.
        symbol: of code, the dotted name of what is defined here ("Collection.replace"); such a block is a chunk of its own.
        links: of code, names that it imports and calls; of a frame, the page of the deck that it shows (`page_link`).
        image: of a figure or frame, its index in `Parsed.images`.
        times: of a recording: when a turn was said, when a frame was shown.
        speaker: of a turn, who said it; "" where that is not known.
    """

    text: str
    kind: BlockKind
    anchors: tuple[Anchor, ...]
    level: int = 0
    page_number: int | None = None
    part: str = ""
    symbol: str = ""
    links: tuple[str, ...] = ()
    image: int | None = None
    times: tuple[Times, ...] = ()
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture cut out of a document: an image file in memory (PNG or JPEG), and its size in pixels."""

    data: bytes
    mime: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a parser returns for one file.

    Args:
        kind: the kind of document found in the bytes (not guessed from the name alone).
        blocks: all text in reading order, without running headers and footers.
        title: from the document's own metadata or first heading; empty when it has none.
        mime: media type.
        page_count: pages of a paged document; 0 otherwise.
        page_labels: the label printed for each page ("iv", "12"), by page index; empty when labels equal numbers.
        furniture: running headers, footers and page numbers that were kept out of `blocks`.
        warnings: what was lost or repaired, in sentences for people.
        metadata: author, date and the like, as strings.
        unit: what `Anchor.line` and `Block.page_number` count.
        images: the pictures that blocks of kind "figure" and "frame" show.
        lacks_tesseract: pages were left unread because recognition, or a language's pack, is not installed.
        lacks_speech: what was said had to be recognised, or would have to be: "" where it did not depend on how that is set up,
            "set-up" where it did, "pieces" where some of it failed and is to be tried again.
    """

    kind: SourceKind
    blocks: tuple[Block, ...]
    title: str = ""
    mime: str = "text/plain"
    page_count: int = 0
    page_labels: tuple[str, ...] = ()
    furniture: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    unit: Unit = "line"
    images: tuple[Picture, ...] = ()
    lacks_tesseract: bool = False
    lacks_speech: Literal["", "set-up", "pieces"] = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One document of a collection.

    Args:
        id: UUIDv5 of collection and uri: stable when the content changes.
        uri: `file:///…` or another URI that names the document.
        sha256: of the bytes, and of what is read with them (a recording's subtitles); what makes a second ingest cheap.
        language: ISO 639-1 code of most of its text; "und" when undetermined.
        blob: id of its bytes among the blobs (`ingest/run/blobs.py`), where the uri is no file of this machine.
        also: uris of other documents with the same bytes.
    """

    id: str
    uri: str
    kind: SourceKind
    title: str
    sha256: str
    language: str
    mime: str
    page_count: int = 0
    size_bytes: int = 0
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    blob: str = ""
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file name at the end of the uri; of what lies in a repository or archive, its path in there."""
        inner = self.metadata.get("path") or unquote(self.uri.partition("#")[2])
        return inner or unquote(self.uri.rstrip("/").rsplit("/", 1)[-1])

    def local_path(self) -> Path:
        """The file that the uri names; it may be gone by now.

        Raises:
            InputError: the source is no file of this machine.
        """
        parsed = urlparse(self.uri)
        if parsed.scheme != "file" or parsed.fragment:
            raise InputError(f"{self.name} is not a file on this machine", hint="only its stored passages can be shown")
        return Path(os.fsdecode(unquote_to_bytes(parsed.path)))

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready values, with `name` added."""
        return {
            "id": self.id,
            "uri": self.uri,
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "sha256": self.sha256,
            "language": self.language,
            "mime": self.mime,
            "page_count": self.page_count,
            "size_bytes": self.size_bytes,
            "tags": list(self.tags),
            "metadata": dict(self.metadata),
            "blob": self.blob,
            "also": list(self.also),
        }


@dataclass(frozen=True, slots=True)
class PageLocator:
    """A place on a page: the boxes that hold the text (one a run of lines). `page_label` is what is printed there."""

    page_number: int
    boxes: tuple[Box, ...] = ()
    page_label: str = ""
    unit: Literal["page", "slide"] = "page"

    def __str__(self) -> str:
        number = f"{'slide' if self.unit == 'slide' else 'p.'} {self.page_number}"
        return f"{number} (printed {self.page_label})" if self.page_label else number

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with `type` = "page"."""
        return {
            "type": "page",
            "page_number": self.page_number,
            "page_label": self.page_label or str(self.page_number),
            "boxes": [list(box) for box in self.boxes],
            "unit": self.unit,
        }


@dataclass(frozen=True, slots=True)
class LineLocator:
    """Lines of a text file, 1-based, both ends included; `commit` pins a version of a repository."""

    path: str
    start_line: int
    end_line: int
    commit: str = ""

    def __str__(self) -> str:
        return f"lines {self.start_line}-{self.end_line}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with `type` = "lines"."""
        return {
            "type": "lines",
            "path": self.path,
            "start_line": self.start_line,
            "end_line": self.end_line,
            "commit": self.commit,
        }


@dataclass(frozen=True, slots=True)
class PartLocator:
    """A stretch of a document without pages and lines: paragraphs or items `start` to `end` (1-based, both included).

    `part` is the chapter, attachment or JSON pointer they stand in; "" for the document itself.
    """

    part: str
    start: int
    end: int
    unit: Literal["paragraph", "item"] = "paragraph"

    def __str__(self) -> str:
        stretch = f"{self.unit} {self.start}" if self.start == self.end else f"{self.unit}s {self.start}-{self.end}"
        return f"{self.part}, {stretch}" if self.part else stretch

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with `type` = "part"."""
        return {"type": "part", "part": self.part, "start": self.start, "end": self.end, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class CellLocator:
    """A range of cells as a spreadsheet names it: sheet "Budget", cells "A2:F40"; the sheet of a CSV file is ""."""

    sheet: str
    cells: str

    def __str__(self) -> str:
        return f"{self.sheet}!{self.cells}" if self.sheet else self.cells

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with `type` = "cells"."""
        return {"type": "cells", "sheet": self.sheet, "cells": self.cells}


@dataclass(frozen=True, slots=True)
class TimeLocator:
    """A stretch of a recording in seconds, and the key frame shown in it (a blob id), if any.

    `slide` is the page of the slide deck that the frame shows (`page_link`), where the deck was given with the recording.
    """

    start_s: float
    end_s: float
    frame: str = ""
    slide: str = ""

    def __str__(self) -> str:
        minutes, seconds = divmod(int(self.start_s), 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with `type` = "time"."""
        shown = {"slide": self.slide} if self.slide else {}
        return {"type": "time", "start_s": self.start_s, "end_s": self.end_s, "frame": self.frame, **shown}


def page_link(source_id: str, page_number: int) -> str:
    """A page of another document, as `TimeLocator.slide` and `Chunk.links` name it.

    >>> page_link("6c0e1a6e-2f0b-5c0f-9d0a-70686964ff78", 7)
    '6c0e1a6e-2f0b-5c0f-9d0a-70686964ff78#page=7'
    """
    return f"{source_id}#page={page_number}"


Locator = PageLocator | LineLocator | PartLocator | CellLocator | TimeLocator


@dataclass(frozen=True, slots=True)
class Cue:
    """Who said a stretch of a passage, and when: `start` and `end` are offsets into its text."""

    start: int
    end: int
    start_s: float
    end_s: float
    speaker: str = ""

    def to_list(self) -> list[Any]:
        """JSON-ready: its fields in their order."""
        return [self.start, self.end, self.start_s, self.end_s, self.speaker]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage small enough to embed and cite.

    Args:
        id: UUIDv5 of source, place, heading and text: the same input gives the same id.
        text: as it stands in the document; the heading path is not part of it unless it stands there.
        language: ISO 639-1, or "und".
        order: position in its source, from 0.
        heading: titles of the sections it stands in, outermost first.
        token_count: by the chunker's own tokenizer.
        links: ids or names of related chunks: of code, what it imports and calls; of a recording, the frames shown meanwhile,
            what was said over a frame, and the page of the deck.
        symbol: of code, the dotted name of what is defined here.
        image: of a figure or frame, and of what was said over one, the id of the picture among the blobs.
        cues: of speech, who said what when.
    """

    id: str
    source_id: str
    locator: Locator
    text: str
    modality: Modality
    language: str
    order: int
    heading: tuple[str, ...] = ()
    token_count: int = 0
    links: tuple[str, ...] = ()
    symbol: str = ""
    image: str = ""
    cues: tuple[Cue, ...] = ()

    def place_of(self, quote: str) -> Locator:
        """Where a stretch of the text stands: of speech, the seconds in which it was said; otherwise the passage's place."""
        if not self.cues or not isinstance(self.locator, TimeLocator) or not quote.strip():
            return self.locator
        found = re.search(r"\s+".join(map(re.escape, quote.split())), self.text)
        said = [cue for cue in self.cues if found and cue.start < found.end() and found.start() < cue.end]
        return replace(self.locator, start_s=said[0].start_s, end_s=said[-1].end_s) if said else self.locator

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-ready values."""
        return {
            "id": self.id,
            "source_id": self.source_id,
            "locator": self.locator.to_dict(),
            "text": self.text,
            "modality": self.modality,
            "language": self.language,
            "order": self.order,
            "heading": list(self.heading),
            "token_count": self.token_count,
            "links": list(self.links),
            "symbol": self.symbol,
            "image": self.image,
            **({"cues": [cue.to_list() for cue in self.cues]} if self.cues else {}),
        }


def locator_from_dict(data: Mapping[str, Any]) -> Locator:
    """The locator that `to_dict` was called on.

    >>> locator_from_dict(PageLocator(3, ((0.0, 1.0, 2.0, 3.0),)).to_dict()).page_number
    3
    """
    match data["type"]:
        case "page":
            boxes = tuple((float(b[0]), float(b[1]), float(b[2]), float(b[3])) for b in data["boxes"])
            number, label = int(data["page_number"]), str(data["page_label"])
            return PageLocator(number, boxes, "" if label == str(number) else label, data.get("unit", "page"))
        case "lines":
            return LineLocator(data["path"], int(data["start_line"]), int(data["end_line"]), data["commit"])
        case "part":
            return PartLocator(data["part"], int(data["start"]), int(data["end"]), data["unit"])
        case "cells":
            return CellLocator(data["sheet"], data["cells"])
        case _:
            return TimeLocator(float(data["start_s"]), float(data["end_s"]), data["frame"], data.get("slide", ""))
