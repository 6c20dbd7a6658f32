"""The layout model that comes with PyMuPDF 2: what it sees on a page. For `--quality layout`; 0.3 s of CPU a page.

Its weights are in PyMuPDF's wheel (ONNX, run by onnxruntime): nothing is downloaded. It says where things are; text, tables'
cells and pictures are read by the same code as in the other qualities.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from phidex.errors import ConfigError
from phidex.ingest.records import Box

if TYPE_CHECKING:
    from phidex.ingest.pdf.lines import Page


@dataclass(slots=True)
class Regions:
    """The boxes that the model draws on one page, in its reading order, each with its label."""

    labelled: list[tuple[Box, str]] = field(default_factory=list[tuple[Box, str]])

    def of(self, *labels: str) -> list[Box]:
        """The boxes with one of these labels."""
        return [box for box, label in self.labelled if label in labels]

    @property
    def tables(self) -> list[Box]:
        """Where tables stand."""
        return self.of("table")

    @property
    def pictures(self) -> list[Box]:
        """Where pictures stand."""
        return self.of("picture", "figure")


def require_model() -> None:
    """Nothing; loads the model (2 s) where it has not been loaded.

    Raises:
        ConfigError: this PyMuPDF has none.
    """
    try:
        importlib.import_module("pymupdf.layout")
    except ImportError as exc:
        raise ConfigError(
            f"quality `layout` needs the layout model of PyMuPDF 2, which cannot be loaded: {exc}",
            hint='pip install "pymupdf>=2", or choose the quality `balanced`',
        ) from exc


def read_regions(shown: Any) -> Regions:
    """What the model sees on a `pymupdf.Page`; `require_model` comes first."""
    shown.get_layout()
    turn = shown.rotation_matrix if shown.rotation else None
    labelled: list[tuple[Box, str]] = []
    for x0, y0, x1, y1, label in shown.layout_information or ():
        if turn is not None:
            import pymupdf

            x0, y0, x1, y1 = pymupdf.Rect(x0, y0, x1, y1) * turn
        labelled.append(((float(x0), float(y0), float(x1), float(y1)), str(label)))
    return Regions(labelled)


def sort_lines(page: Page) -> None:
    """Put the lines of a page into the model's reading order; those outside all its boxes stay with the line before them."""
    if page.regions is None or not page.regions.labelled:
        return
    boxes = [box for box, _ in page.regions.labelled]
    keys: dict[int, int] = {}
    last = -1
    for line in page.lines:
        x, y = (line.x0 + line.x1) / 2, (line.y0 + line.y1) / 2
        last = next((i for i, (x0, y0, x1, y1) in enumerate(boxes) if x0 <= x <= x1 and y0 <= y <= y1), last)
        keys[id(line)] = last
    page.lines.sort(key=lambda line: keys[id(line)])
