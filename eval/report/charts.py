"""Charts as SVG, without a library: bars with their intervals, and curves by position. Colours are the page's (`page.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from phidex.eval.metrics.doubt import Mean

_ROW, _LABEL, _BARS, _VALUE = 22, 190, 420, 120
_PLOT = (460, 200)
_MARGIN = 44


@dataclass(frozen=True, slots=True)
class Bar:
    """A labelled mean; `series` picks its colour."""

    label: str
    mean: Mean
    series: int = 0


@dataclass(frozen=True, slots=True)
class Curve:
    """A labelled line through (x, y, questions) with x and y in [0, 1]; `series` picks its colour."""

    label: str
    points: Sequence[tuple[float, float, int]]
    series: int = 0


def bars(title: str, rows: Sequence[Bar], *, top: float = 0.0) -> str:
    """Horizontal bars from 0 to `top` (default: 1, or the largest), each with its 95 % interval and the value beside it."""
    largest = top or max([1.0, *(row.mean.high for row in rows)])
    height, width = _ROW * len(rows) + 4, _LABEL + _BARS + _VALUE
    parts = [_open(title, width, height)]
    for at, row in enumerate(rows):
        y, middle = 2 + at * _ROW, 2 + at * _ROW + _ROW / 2
        end, low, high = (
            _LABEL + _BARS * min(1.0, max(0.0, value) / largest) for value in (row.mean.value, row.mean.low, row.mean.high)
        )
        parts += [
            f'<text x="{_LABEL - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(_short(row.label))}</text>',
            f'<rect class="rail" x="{_LABEL}" y="{y + 4}" width="{_BARS}" height="{_ROW - 8}" rx="3"/>',
            f'<rect class="s{row.series % 4}" x="{_LABEL}" y="{y + 4}" width="{end - _LABEL:.1f}" height="{_ROW - 8}" rx="3"/>',
            f'<path class="whisker" d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8M{high:.1f} '
            f'{middle - 4:.1f}v8"/>',
            f'<text class="value" x="{_LABEL + _BARS + 8}" y="{middle + 4:.1f}">{show(row.mean.value)} '
            f'<tspan class="faint">n {row.mean.count}</tspan></text>',
        ]
    return "".join([*parts, "</svg>"])


def curves(title: str, lines: Sequence[Curve]) -> str:
    """Lines by position in the context, from its beginning to its end."""
    width, height = _PLOT[0] + 2 * _MARGIN + 120, _PLOT[1] + 2 * _MARGIN
    parts = [_open(title, width, height)]
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _MARGIN + _PLOT[1] * (1 - tick)
        x = _MARGIN + _PLOT[0] * tick
        parts += [
            f'<path class="grid" d="M{_MARGIN} {y:.1f}h{_PLOT[0]}"/>',
            f'<text class="faint" x="{_MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>',
            f'<text class="faint" x="{x:.1f}" y="{_MARGIN + _PLOT[1] + 16}" text-anchor="middle">{tick:.0%}</text>',
        ]
    middle = _MARGIN + _PLOT[0] / 2
    parts.append(f'<text x="{middle}" y="{height - 6}" text-anchor="middle">place of the answer in the context</text>')
    for at, line in enumerate(lines):
        placed = [(_MARGIN + _PLOT[0] * x, _MARGIN + _PLOT[1] * (1 - y)) for x, y, _ in line.points]
        series = line.series % 4
        if placed:
            parts.append(f'<path class="line l{series}" d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in placed) + '"/>')
        for (x, y), (_, value, count) in zip(placed, line.points, strict=True):
            told = escape(f"{line.label}: {show(value)} ({count} questions)")
            parts.append(f'<circle class="s{series}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{told}</title></circle>')
        left, top = _MARGIN + _PLOT[0] + 16, _MARGIN + 10 + at * 20
        parts.append(f'<rect class="s{series}" x="{left}" y="{top - 9}" width="10" height="10" rx="2"/>')
        parts.append(f'<text x="{left + 16}" y="{top}">{escape(_short(line.label, 18))}</text>')
    return "".join([*parts, "</svg>"])


def show(value: float) -> str:
    """Three decimals below 10, fewer above.

    >>> show(0.12345), show(123.4), show(12345.6)
    ('0.123', '123.4', '12,346')
    """
    size = abs(value)
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def _open(title: str, width: float, height: float) -> str:
    label = escape(title, quote=True)
    return f'<svg viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" aria-label="{label}">'


def _short(text: str, most: int = 26) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
