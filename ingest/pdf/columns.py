"""The columns of a table: borders where lines are drawn, and where white runs down through most of its text lines."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from phidex.ingest.pdf.rulings import Rulings, positions
from phidex.ingest.pdf.textlines import TextLine, Word, is_typed
from phidex.ingest.records import Box

_GUTTER = 0.45  # of the type size: the least white between two columns
_BLOCKED = 0.25  # share of the lines around a gutter that may run across it


@dataclass(slots=True)
class Cell:
    """A stretch of one text line and the columns that it covers, both included."""

    first: int
    last: int
    x0: float
    x1: float
    words: list[Word]

    @property
    def text(self) -> str:
        """Its words."""
        return " ".join(word[4] for word in self.words)


class Borders:
    """The borders between columns: where they are, and at which heights a line is drawn there.

    Args:
        at: x of each, ascending.
    """

    def __init__(self, lines: list[TextLine], box: Box, rulings: Rulings, em: float) -> None:
        self.em = em
        self._down = rulings.down
        self._left, self._right = box[0], box[2]
        height = max(box[3] - box[1], 1.0)
        xs = positions((line[0] + line[2]) / 2 for line in self._down)
        ruled = [
            x
            for x in xs
            if box[0] + 4 < x < box[2] - 4
            and sum(min(d[3], box[3]) - max(d[1], box[1]) for d in self._down if abs((d[0] + d[2]) / 2 - x) < 3)
            >= 0.35 * height
        ]
        framed = len(xs) >= 2 and xs[0] < box[0] + 5 and xs[-1] > box[2] - 5 and bool(ruled)
        edges = [box[0], *ruled, box[2]]
        gutters = [x for left, right in pairwise(edges) for x in self._gutters(lines, left, right, framed)]
        self.at = sorted(ruled + gutters)
        self.ruled = frozenset(ruled)
        self._drop_empty(lines)

    def _drop_empty(self, lines: list[TextLine]) -> None:
        """Take out the columns without text, as between double lines."""
        used = {cell.first for line in lines for cell in self.cells(line)}
        for column in range(len(self.at), -1, -1):
            if column in used:
                continue
            if column in (0, len(self.at)):
                self.at = self.at[1:] if column == 0 else self.at[:-1]
                continue
            pair = self.at[column - 1 : column + 1]
            middle = sum(pair) / 2
            self.at[column - 1 : column + 1] = [middle]
            if not self.ruled.isdisjoint(pair):
                self.ruled |= {middle}

    def _gutters(self, lines: list[TextLine], left: float, right: float, framed: bool) -> list[float]:
        """The middles of the gaps that run through the lines between two ruled borders."""
        rows = [spans for line in lines if (spans := [(p.x0, p.x1) for p in line.pieces if left <= (p.x0 + p.x1) / 2 <= right])]
        several = [spans for spans in rows if len(spans) > 1]
        if len(several) < (4 if framed else 2) or (framed and len(several) < 0.8 * len(rows)):
            return []
        least = (1.2 if framed else _GUTTER) * self.em
        return gutters(rows, least, max(2, round(0.2 * len(rows))))

    def column(self, x: float) -> int:
        """The column (0-based) in which `x` lies."""
        return sum(x > border for border in self.at)

    def span(self, column: int) -> tuple[float, float]:
        """Where a column begins and ends."""
        at = [self._left, *self.at, self._right]
        return at[column], at[column + 1]

    def is_drawn(self, border: int, y: float) -> bool:
        """Whether a line is drawn at a border (0-based, between columns `border` and `border` + 1) at height `y`."""
        x = self.at[border]
        return any(abs((d[0] + d[2]) / 2 - x) < 4 and d[1] - 1 <= y <= d[3] + 1 for d in self._down)

    def cells(self, line: TextLine) -> list[Cell]:
        """The pieces of a line, parted where a border goes between their words."""
        found: list[Cell] = []
        for piece in line.pieces:
            part: list[Word] = []
            least = min((b[0] - a[2] for a, b in pairwise(piece.words)), default=0.0)
            for word in piece.words:
                if part and self._parts(part[-1], word, least, line.mid):
                    found.append(self._cell(part))
                    part = []
                part.append(word)
            found.append(self._cell(part))
        return found

    def _parts(self, left: Word, right: Word, least: float, y: float) -> bool:
        """Whether a border goes between two words of a piece."""
        typed = is_typed(left, right)
        for index, x in enumerate(self.at):
            if left[2] - 1 <= x <= right[0] + 1:
                wide = right[0] - left[2] > max(0.42 * self.em, 1.35 * least if len(self.at) > 1 else 0.0)
                return (wide and not typed) or self.is_drawn(index, y)
            if (left[0] + left[2]) / 2 < x < (right[0] + right[2]) / 2 and self.is_drawn(index, y):
                return True
        return False

    def _cell(self, words: list[Word]) -> Cell:
        x0, x1 = words[0][0], max(word[2] for word in words)
        first, last = self.column(x0 + 1), self.column(x1 - 1)
        if first != last:
            shares = [min(x1, b) - max(x0, a) for a, b in map(self.span, range(first, last + 1))]
            best = max(range(len(shares)), key=lambda index: shares[index])
            if shares[best] >= 0.6 * (x1 - x0) or len(words) == 1:  # it hangs over
                first = last = first + best
        return Cell(first, last, x0, x1, words)


def gutters(rows: list[list[tuple[float, float]]], least: float, support: int) -> list[float]:
    """Where white runs down through rows of spans, at least `least` wide and with text on both sides in `support` rows.

    >>> gutters([[(0, 10), (20, 30)], [(0, 12), (18, 30)], [(0, 30)], [(0, 29)]], 4, 2)
    []
    >>> gutters([[(0, 10), (20, 30)], [(0, 12), (18, 30)]] * 3 + [[(0, 30)]], 4, 2)
    [15.0]
    """
    events: list[tuple[float, float, int]] = []
    most = max(map(len, rows), default=0)
    for spans in rows:
        weight = 1.0 if 2 * len(spans) > most else 0.5  # alone on its line or nearly so, it may be a title
        for x0, x1 in spans:
            events += [(x0, weight, 0), (x1, -weight, 0)]
        for (_, end), (start, _) in pairwise(spans):
            events += [(end, 0, 1), (start, 0, -1)]
    events.sort()
    runs: list[list[tuple[float, float, float]]] = []  # of white: stretches with how many spans cross them
    crossing, parted = 0.0, 0
    before, open_run = 0.0, False
    for x, cross, part in events:
        if x > before:
            if parted >= support and crossing <= _BLOCKED * parted:
                if not open_run:
                    runs.append([])
                runs[-1].append((before, x, crossing))
                open_run = True
            else:
                open_run = False
            before = x
        crossing += cross
        parted += part
    found: list[float] = []
    for run in runs:
        found += _middles(run, [span for spans in rows for span in spans], least)
    return found


def _middles(run: list[tuple[float, float, float]], spans: list[tuple[float, float]], least: float) -> list[float]:
    """The gutters of one run of white: a seldom filled column parts it in two."""
    start, end = run[0][0], run[-1][1]
    islands: list[list[float]] = []
    for x0, x1 in sorted(span for span in spans if span[0] >= start and span[1] <= end):
        if islands and x0 < islands[-1][1] + least:
            islands[-1][1] = max(islands[-1][1], x1)
        else:
            islands.append([x0, x1])
    found: list[float] = []
    for a, b in zip([start, *(i[1] for i in islands)], [*(i[0] for i in islands), end], strict=True):
        stretches = [(max(x, a), min(y, b), crossing) for x, y, crossing in run if x < b and y > a]
        if b - a < least:
            continue
        for most in sorted({crossing for _, _, crossing in stretches}):
            joined: list[list[float]] = []
            for x, y, crossing in stretches:
                if crossing <= most:
                    if joined and joined[-1][1] == x:
                        joined[-1][1] = y
                    else:
                        joined.append([x, y])
            x, y = max(joined, key=lambda stretch: stretch[1] - stretch[0])
            if y - x >= least:
                found.append((x + y) / 2)
                break
    return found
