"""The rows of a table's body: which of its text lines belong to one row."""

from __future__ import annotations

from phidex.ingest.clean import is_spaceless
from phidex.ingest.pdf.columns import Borders, Cell
from phidex.ingest.pdf.textlines import TextLine


class Body:
    """The text lines below the header, to be gathered into rows."""

    def __init__(self, lines: list[TextLine], cells: list[list[Cell]], borders: Borders, rules: list[float]) -> None:
        self._lines, self._cells, self._borders = lines, cells, borders
        counts = [0] * (len(borders.at) + 1)
        for row in cells:
            for column in {cell.first for cell in row}:
                counts[column] += 1
        self._step = 1.2 * borders.em  # from line to line of running text
        self._bands = self._split(rules)
        self._closed = len(self._bands) > max(1, 0.3 * len(lines))
        often = [column for column, count in enumerate(counts) if count >= 0.5 * len(lines)]
        if self._closed:
            filled = [{cell.first for index in band for cell in cells[index]} for band in self._bands]
            often = [n for n in range(len(counts)) if sum(n in columns for columns in filled) >= 0.6 * len(filled)]
        self._key = often[0] if often else max(range(len(counts)), key=lambda column: (counts[column], -column))
        edge = borders.span(self._key)[1]
        beside = [cell.x0 for row in cells for cell in row if cell.first == self._key + 1]
        self._limit = edge if edge in borders.ruled or not beside else min(beside)  # where text of the key column has to turn

    def _split(self, rules: list[float]) -> list[list[int]]:
        """The lines between each two horizontal rules."""
        bands: list[list[int]] = []
        for index, line in enumerate(self._lines):
            if not bands or any(self._lines[index - 1].mid < y < line.mid for y in rules):
                bands.append([])
            bands[-1].append(index)
        return bands

    def rows(self) -> list[list[list[Cell]]]:
        """The cells of the lines of each row."""
        return [[self._cells[index] for index in group] for band in self._bands for group in self._groups(band)]

    def _groups(self, band: list[int]) -> list[list[int]]:
        """The lines of a band by row: one row for each line that has a key, unless the key goes on in the next line."""
        keyed = [index for index in band if self._key_cell(index)]
        if keyed and keyed[0] != band[0] and self._is_title(band[0]):
            return [[band[0]], *self._groups(band[1:])]
        if self._closed and len(keyed) < 2:
            return [band]
        groups: list[list[int]] = []
        waiting: list[int] = []
        for index in band:
            if index in keyed:
                if groups and not waiting and self._goes_on(groups[-1], index):
                    groups[-1].append(index)
                else:
                    groups.append([*waiting, index])
                waiting = []
                continue
            if self._is_full(index):
                groups.append([*waiting, index])
                waiting = []
                continue
            below = next((other for other in keyed if other > index), None)
            near = below is not None and self._lines[below].mid - self._lines[index].mid < 0.75 * self._step
            if groups and not near and self._lines[index].mid - self._lines[index - 1].mid < 1.8 * self._step:
                groups[-1].append(index)
            elif near or (below is not None and not groups):
                waiting.append(index)
            else:
                groups.append([index])
        if waiting:
            groups.append(waiting)
        return groups

    def _is_full(self, index: int) -> bool:
        """Whether a line without a key fills so many columns that it does not go on with another one."""
        filled = len({cell.first for cell in self._cells[index]})
        return filled > 2 and filled >= 0.6 * (len(self._borders.at) + 1)

    def _is_title(self, index: int) -> bool:
        """Whether a line holds the title of a section: one text across columns, or in the middle of the table."""
        cells = self._cells[index]
        if len(cells) != 1 or self._lines[index + 1].mid - self._lines[index].mid < 0.8 * self._step:
            return False
        left, right = self._borders.span(0)[0], self._borders.span(len(self._borders.at))[1]
        off = abs(cells[0].x0 + cells[0].x1 - left - right) / 2
        return cells[0].last > cells[0].first or off < 0.04 * (right - left)

    def _key_cell(self, index: int) -> Cell | None:
        return next((cell for cell in self._cells[index] if cell.first == self._key), None)

    def _goes_on(self, group: list[int], index: int) -> bool:
        """Whether the key at `index` continues that of the row before: its first word did not fit on the line above."""
        above, key = self._key_cell(group[-1]), self._key_cell(index)
        if above is None or key is None or self._lines[index].mid - self._lines[group[-1]].mid > 1.5 * self._step:
            return False
        alone = all(cell.first == self._key for i in group for cell in self._cells[i])
        if not (alone or len(self._cells[index]) == 1) or key.x0 - above.x0 < -0.5 * self._step:
            return False
        first = key.words[0]
        width = (first[3] - first[1]) * 0.8 if is_spaceless(first[4][0]) else first[2] - first[0]
        return above.x1 + width + 2 > self._limit
