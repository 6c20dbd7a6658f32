"""Tables on a PDF page: where cheap evidence hints at one, its grid is built and judged.

    ruling lines -> frames, stacks of horizontal lines \\
    lines of text -> runs of rows with aligned pieces    > candidates -> Grid (`grid`) -> Table, or not one after all

Evidence comes from what reading the page gave anyway; its words are asked for only where there is some. PyMuPDF's own finder
is not used: it costs more than reading the page twenty times over (`eval/bench/tables.py` compares the two).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median
from typing import ClassVar, Literal

from phidex.ingest.pdf.captions import caption_of
from phidex.ingest.pdf.grid import build_grid
from phidex.ingest.pdf.lines import Insert, Line, Page
from phidex.ingest.pdf.rulings import Rulings, around, frames, read_rulings
from phidex.ingest.pdf.tablecheck import is_table
from phidex.ingest.pdf.textlines import Word, text_lines
from phidex.ingest.records import Box

_CONTENTS = re.compile(r".* … ?(?:\d{1,4}|[ivxlc]{1,6})?$")
_MIN_WIDTH, _MIN_HEIGHT = 40.0, 12.0
_CAPTION_REACH = 6.0  # lines of its own size
_MARGIN = 0.08  # of the page's height: above it stands a running head
_MAX_TABLES = 40  # a page with more candidates is a drawing
_ALIGNED_ROWS = 3  # of several pieces that a table without lines has at least
_PAGE_SHARE = 0.9  # of width and height: a larger frame is the page's own


@dataclass(slots=True)
class Table(Insert):
    """A table found on a page.

    Args:
        rows: the texts of its cells, the header first; all rows are equally long.
        boxes: where each row stands.
        borders: x of the borders between its columns.
        named: whether the first row is known to be its header.
        lined: whether a line is drawn below every row.
        title: what stands alone above the header, inside the table.
    """

    kind: ClassVar[Literal["table", "figure"]] = "table"
    rows: list[list[str]]
    boxes: list[Box]
    borders: list[float]
    named: bool
    lined: bool = False
    title: str = ""

    def describe(self) -> tuple[str, list[int], list[Box]]:
        """Its Markdown, by row, below its title."""
        text, starts = to_markdown(self.rows)
        if not self.title:
            return text, starts, self.boxes
        shift = len(self.title) + 2
        top = (self.box[0], self.box[1], self.box[2], max(self.boxes[0][1], self.box[1] + 1))
        return f"{self.title}\n\n{text}", [0, *(start + shift for start in starts)], [top, *self.boxes]


def find_tables(page: Page, words: Callable[[], Sequence[Word]], regions: Sequence[Box] | None = None) -> list[Table]:
    """The tables of a page from top to bottom; their lines are still among the page's.

    Args:
        words: gives the page's words; called at most once, and only when there is evidence of a table.
        regions: where a layout model sees tables; None to look for evidence here.
    """
    finder = _Finder(page, words)
    return finder.tables() if regions is None else finder.tables_in(regions)


def to_markdown(rows: Sequence[Sequence[str]]) -> tuple[str, list[int]]:
    """A table as Markdown, its first row as the header, and the offset at which each row starts.

    >>> to_markdown([["a", "b|c"], ["1", ""]])
    ('| a | b\\\\|c |\\n| --- | --- |\\n| 1 |  |', [0, 27])
    """
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    lines.insert(1, "|" + " --- |" * len(rows[0]))
    starts: list[int] = []
    length = 0
    for index, line in enumerate(lines):
        if index != 1:
            starts.append(length)
        length += len(line) + 1
    return "\n".join(lines), starts


class _Finder:
    def __init__(self, page: Page, words: Callable[[], Sequence[Word]]) -> None:
        self._page = page
        self._read_words = words
        self._rulings = read_rulings(page.vectors) if page.vectors else Rulings()
        self._curves = [v for v in page.vectors if not v[5]]
        self._free = [line for line in page.lines if line.upright]
        self._found: list[Table] = []

    @cached_property
    def _words(self) -> tuple[list[float], list[Word]]:
        """The words of the page by the height of their middle, and these heights."""
        words = sorted(self._read_words(), key=lambda word: word[1] + word[3])
        return [(word[1] + word[3]) / 2 for word in words], words

    def tables_in(self, regions: Sequence[Box]) -> list[Table]:
        """The tables that stand in the regions, whatever lines are drawn there."""
        for box in regions:
            self._try(box, "seen")
        boxes, loose = frames(self._rulings)
        for box in boxes[:_MAX_TABLES]:
            self._try(box, "framed")
        for box in self._stacks(loose):
            self._try(box, "ruled")
        return sorted(self._found, key=lambda found: found.box[1])

    def tables(self) -> list[Table]:
        """The tables for which the page gives evidence."""
        loose = self._rulings.across
        if self._rulings.down:
            boxes, loose = frames(self._rulings)
            for box in boxes[:_MAX_TABLES]:
                self._try(box, "framed")
        for box in self._stacks(loose):
            self._try(box, "ruled")
        if sum(" … " in line.text and _CONTENTS.match(line.text) is not None for line in self._free) < 4:
            for box in self._runs():
                self._try(box, "bare")
        return sorted(self._found, key=lambda found: found.box[1])

    def _try(self, box: Box, kind: str) -> None:
        """Add the table in the box, if there is one."""
        page = self._page
        width, height = box[2] - box[0], box[3] - box[1]
        if width < _MIN_WIDTH or height < _MIN_HEIGHT:
            return
        if width > _PAGE_SHARE * page.width and height > _PAGE_SHARE * page.height:
            return
        left, top, right, bottom = 2 * box[0], 2 * box[1], 2 * box[2], 2 * box[3]
        lines = [line for line in self._free if top <= line.y0 + line.y1 <= bottom and left <= line.x0 + line.x1 <= right]
        if len(lines) < 2 or max(_row_sizes(lines)) < 2:
            return
        if kind == "framed" and not self._has_columns(box):
            kind = "ruled"  # a frame around text, as boxes and listings have
        typed = _is_listing(lines)
        if typed and (kind == "bare" or (kind == "ruled" and not self._has_rule(box))):
            return
        if sum(_crosses(box, curve) for curve in self._curves) > (2 if kind == "bare" else 4 + len(lines)):
            return  # a drawing with labels
        if kind == "bare" and any(_crosses(box, image) for image in page.images):
            return
        if kind == "ruled":
            lines = [*self._beyond(box, lines, up=True), *lines, *self._beyond(box, lines, up=False)]
        full = around([box, *((line.x0, line.y0, line.x1, line.y1) for line in lines)])
        grid = build_grid(self._words_of(lines), full, self._rulings, em=_type_size(lines))
        if grid is None or (typed and kind == "ruled" and not grid.named):
            return
        if not is_table(grid, kind if grid.named or kind != "ruled" else "bare", captioned=self._is_captioned(full)):
            return
        claimed = set(map(id, lines))
        self._free = [line for line in self._free if id(line) not in claimed]
        self._found.append(Table(full, lines, grid.rows, grid.boxes, grid.borders, grid.named, grid.lined, grid.title))

    def _has_columns(self, box: Box) -> bool:
        """Whether vertical lines are drawn inside the box."""
        least = 0.3 * (box[3] - box[1])
        return any(
            box[0] + 8 < line[0] and line[2] < box[2] - 8 and min(line[3], box[3]) - max(line[1], box[1]) > least
            for line in self._rulings.down
        )

    def _has_rule(self, box: Box) -> bool:
        """Whether a horizontal line is drawn through the box, between top and bottom."""
        least = 0.6 * (box[2] - box[0])
        return any(
            box[1] + 5 < line[1] and line[3] < box[3] - 5 and min(line[2], box[2]) - max(line[0], box[0]) > least
            for line in self._rulings.across
        )

    def _beyond(self, box: Box, lines: list[Line], *, up: bool) -> list[Line]:
        """The rows that go on above the first of the lines drawn, or below the last."""
        found: list[Line] = []
        size = lines[0].size
        free = [line for line in self._free if line.x0 > box[0] - 5 and line.x1 < box[2] + 5]
        if up:
            margin = _MARGIN * self._page.height
            free = sorted(
                (line for line in free if margin < line.y0 and line.y0 + line.y1 < 2 * box[1]),
                key=lambda line: -line.y0 - line.y1,
            )
        else:
            free = sorted((line for line in free if line.y0 + line.y1 > 2 * box[3]), key=lambda line: line.y0 + line.y1)
        end = box[1] if up else box[3]
        while free:
            row = [line for line in free if abs(line.y0 + line.y1 - free[0].y0 - free[0].y1) < 0.8 * size]
            gap = end - max(line.y1 for line in row) if up else min(line.y0 for line in row) - end
            if len(row) < 2 or gap > size or (up and any(caption_of(line.text) for line in row)):
                break
            found += row
            end = min(line.y0 for line in row) if up else max(line.y1 for line in row)
            taken = set(map(id, row))
            free = [line for line in free if id(line) not in taken]
        return found

    def _words_of(self, lines: Sequence[Line]) -> list[Word]:
        """The words that these lines hold."""
        heights, words = self._words
        found: list[Word] = []
        seen: set[int] = set()
        for line in lines:
            first = bisect_left(heights, line.y0 - 1)
            for index in range(first, bisect_right(heights, line.y1 + 1, first)):
                word = words[index]
                if word[0] < line.x1 and word[2] > line.x0 and index not in seen:
                    seen.add(index)
                    # A word after a dot leader is said to begin where the leader ends.
                    found.append(word[:5] if word[0] > line.x0 - 1 else (line.x0, *word[1:5]))
        return found

    def _is_captioned(self, box: Box) -> bool:
        """Whether the caption of a table stands right above or below the box."""
        for line in self._page.lines:
            if line.x0 >= box[2] or line.x1 <= box[0] or caption_of(line.text) != "table":
                continue
            ends = [other.y1 for other in self._page.lines if other.group == line.group and other.y1 < box[1] + line.size]
            end = max(ends, default=line.y1)
            if min(abs(end - box[1]), abs(line.y0 - box[3])) < _CAPTION_REACH * line.size:
                return True
        return False

    def _stacks(self, rules: list[Box]) -> Iterator[Box]:
        """Boxes between horizontal lines of the same width with tabular text between them."""
        spans: list[list[Box]] = []
        for rule in rules:
            if rule[2] - rule[0] < _MIN_WIDTH:
                continue
            for span in spans:
                if abs(span[0][0] - rule[0]) < 4 and abs(span[0][2] - rule[2]) < 4:
                    span.append(rule)
                    break
            else:
                spans.append([rule])
        for span in sorted(spans, key=lambda span: span[0][0] - span[0][2]):
            top, bottom = span[0][1], span[-1][3]
            inside = [line for line in self._free if top < (line.y0 + line.y1) / 2 < bottom]
            if len(span) > 1 and max(_row_sizes(inside), default=0) > 1:
                yield from self._bands(span)

    def _bands(self, rules: list[Box]) -> Iterator[Box]:
        """The runs of bands between the lines that hold tabular text."""
        start: Box | None = None
        end = rules[0]
        tabular = 0
        for above, below in pairwise(rules):
            kind = self._band_kind(above, below)
            if kind == "other":
                if start is not None and tabular:
                    yield around([start, end])
                start, tabular = None, 0
                continue
            start = start or above
            end = below
            tabular += kind == "tabular"
        if start is not None and tabular:
            yield around([start, end])

    def _band_kind(self, above: Box, below: Box) -> str:
        """What stands between two rules: "tabular", "title" (a line or nothing), or "other"."""
        box = (above[0] - 3, above[1], above[2] + 3, below[3])
        lines = [line for line in self._free if _holds(box, line)]
        if any(caption_of(line.text) for line in lines):
            return "other"
        if any(table.box[1] > above[1] and table.box[3] < below[3] for table in self._found):
            return "other"
        if len(lines) < 2:
            return "title"
        sizes = _row_sizes(lines)
        wide, count = sum(size > 1 for size in sizes), len(sizes)
        if 0.25 * count < wide < 0.4 * count and not _is_listing(lines):  # words may stand apart where lines do not
            rows = text_lines(self._words_of(lines), _type_size(lines))
            wide, count = sum(len(row.pieces) > 1 for row in rows), len(rows)
        if wide and wide >= (0.6 if _is_listing(lines) else 0.4) * count:
            return "tabular"
        return "title" if count < 3 else "other"

    def _runs(self) -> Iterator[Box]:
        """Boxes around consecutive rows of several pieces that are aligned with each other."""
        rows: list[list[Line]] = []
        free = sorted((line for line in self._free if not line.mono), key=lambda line: line.y0 + line.y1)
        for line in free:
            if rows and (line.y0 + line.y1 - rows[-1][0].y0 - rows[-1][0].y1) / 2 < 0.4 * line.size:
                rows[-1].append(line)
            else:
                rows.append([line])
        if sum(len(row) > 1 for row in rows) < _ALIGNED_ROWS:
            return
        run: list[list[Line]] = []
        for row in rows:
            wide = len(row) > 1 and not any(" … " in line.text for line in row) and not any(line.math for line in row)
            if run and row[0].y0 - max(line.y1 for line in run[-1]) > 1.6 * row[0].size:
                yield from _aligned(run)
                run = []
            if wide or (run and len(run[-1]) > 1 and len(row) == 1 and len(row[0].text) < 60 and not caption_of(row[0].text)):
                run.append(row)
            else:
                yield from _aligned(run)
                run = []
        yield from _aligned(run)


def _row_sizes(lines: Sequence[Line]) -> list[int]:
    """How many lines stand side by side in each row."""
    sizes: list[int] = []
    before = float("-inf")
    for mid, size in sorted(((line.y0 + line.y1) / 2, line.size) for line in lines):
        if mid - before < 0.4 * size:
            sizes[-1] += 1
        else:
            sizes.append(1)
            before = mid
    return sizes


def _is_listing(lines: Sequence[Line]) -> bool:
    """Whether most lines are typewritten, as listings are."""
    return sum(line.mono for line in lines) > 0.5 * len(lines)


def _aligned(run: list[list[Line]]) -> Iterator[Box]:
    """The box of a run of rows, when enough of its rows have two edges in common."""
    while run and len(run[-1]) < 2:
        run = run[:-1]
    wide = [row for row in run if len(row) > 1]
    if len(wide) < _ALIGNED_ROWS:
        return
    edges: dict[int, int] = {}
    for row in wide:
        for edge in {round(line.x0 / 3) for line in row}:
            edges[edge] = edges.get(edge, 0) + 1
        for edge in {-round(line.x1 / 3) - 1 for line in row}:
            edges[edge] = edges.get(edge, 0) + 1
    if sum(count >= max(_ALIGNED_ROWS, 0.5 * len(wide)) for count in edges.values()) >= 2:
        yield around([(line.x0, line.y0, line.x1, line.y1) for row in run for line in row])


def _type_size(lines: Sequence[Line]) -> float:
    """The size in which most lines are set."""
    return median(line.size for line in lines)


def _holds(box: Box, item: Line | Word | Box) -> bool:
    """Whether the middle of a line or word lies in the box."""
    x0, y0, x1, y1 = (item.x0, item.y0, item.x1, item.y1) if isinstance(item, Line) else item[:4]
    return box[0] <= (x0 + x1) / 2 <= box[2] and box[1] <= (y0 + y1) / 2 <= box[3]


def _crosses(box: Box, vector: Iterable[float | bool]) -> bool:
    x0, y0, x1, y1, *_ = vector
    return x0 < box[2] and x1 > box[0] and y0 < box[3] and y1 > box[1]
