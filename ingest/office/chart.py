"""Charts of Office documents: their title and the values they were drawn from, as a table."""

from __future__ import annotations

from phidex.ingest.clean import clean_line
from phidex.ingest.office.package import Element

_C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_MOST_POINTS = 500


def chart_title(root: Element) -> str:
    """The chart's title; "" when it has none."""
    title = root.find(f"{_C}chart/{_C}title")
    if title is None:
        return ""
    return clean_line(" ".join(element.text or "" for element in title.iter(f"{_A}t", f"{_C}v")))


def chart_rows(root: Element) -> list[list[str]]:
    """A header row with the series' names, then a row a category; from the values stored in the chart, at most 500 rows."""
    names: list[str] = []
    labels: dict[int, str] = {}
    columns: list[dict[int, str]] = []
    for series in root.iter(f"{_C}ser"):
        names.append(next(iter(_points(series.find(f"{_C}tx")).values()), ""))
        for index, label in _points(_first(series, "cat", "xVal")).items():
            labels.setdefault(index, label)
        columns.append(_points(_first(series, "val", "yVal")))
    if not columns:
        return []
    order = sorted(set(labels).union(*columns))[:_MOST_POINTS]
    return [["", *names], *([labels.get(index, ""), *(column.get(index, "") for column in columns)] for index in order)]


def _first(series: Element, *names: str) -> Element | None:
    return next((found for name in names if (found := series.find(f"{_C}{name}")) is not None), None)


def _points(element: Element | None) -> dict[int, str]:
    """The stored values by their index."""
    if element is None:
        return {}
    found: dict[int, str] = {}
    for number, point in enumerate(element.iter(f"{_C}pt")):
        value = clean_line(point.findtext(f"{_C}v") or "")
        index = point.get("idx", "")
        found[int(index) if index.isdecimal() else number] = _short(value)
    return found or ({0: text} if (text := clean_line(element.findtext(f"{_C}v") or "")) else {})


def _short(value: str) -> str:
    """A number without the noise of binary fractions: "4.3" for "4.2999999999999998"."""
    try:
        return f"{float(value):.10g}" if "." in value else value
    except ValueError:
        return value
