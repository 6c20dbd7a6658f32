"""Pictures that are wanted -> the pictures: figures and frames from the blobs, photos from their files, pages drawn.

What cannot be had (a file that is gone, a damaged page) is left out with its reason: a question has an answer without it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from phidex.errors import InputError, PhidexError
from phidex.generation.models.table import image_pixels
from phidex.generation.vision.picture import read_pictures
from phidex.generation.vision.wanted import Files, Wanted
from phidex.ingest.pdf.drawing import Sheet, draw_pages
from phidex.ingest.records import Picture, Source

_SHEET_POINTS = 700.0  # of a page's longer side, less than of A4: drawn a little larger, then made smaller


@dataclass(frozen=True, slots=True)
class Loader:
    """Reads pictures for a model that is served with so many crops.

    Args:
        files: the blobs of the collection.
        passwords: tried on encrypted PDFs.
    """

    files: Files
    crops: int
    passwords: tuple[str, ...] = ()

    def load(self, wanted: Sequence[Wanted]) -> tuple[dict[str, Picture], list[str]]:
        """The pictures by their key, and for each that cannot be had a sentence that says why."""
        found: dict[str, Picture] = {}
        troubles: list[str] = []
        for one in wanted:
            if one.picture is not None:
                found[one.key] = one.picture
            elif one.kind != "page":
                try:
                    found[one.key] = self._read(one)
                except PhidexError as exc:
                    troubles.append(_trouble(one, exc))
        pages = [one for one in wanted if one.kind == "page"]
        if pages:
            drawn, failed = self._draw(pages)
            found |= drawn
            troubles += failed
        return found, troubles

    def _read(self, one: Wanted) -> Picture:
        source = one.hit.source
        if one.blob:
            return read_pictures(self.files.get(one.blob), source.name, crops=self.crops)[0]
        return read_pictures(self._original(source), source.name, crops=self.crops, numbers=(one.page_number,))[0]

    def _draw(self, pages: Sequence[Wanted]) -> tuple[dict[str, Picture], list[str]]:
        zoom = min(4.0, max(1.0, max(image_pixels(1, 1, self.crops)) * 1.25 / _SHEET_POINTS))
        found: dict[str, Picture] = {}
        troubles: list[str] = []
        sheets: list[tuple[Wanted, Sheet]] = []
        with ExitStack() as stack:
            places: dict[str, Path | PhidexError] = {}
            for one in pages:
                source = one.hit.source
                if source.id not in places:
                    places[source.id] = self._place(source, stack)
                place = places[source.id]
                if isinstance(place, PhidexError):
                    troubles.append(_trouble(one, place))
                else:
                    sheets.append((one, Sheet(place, one.page_number, zoom, source.sha256, self.passwords)))
            for (one, _), drawn in zip(sheets, draw_pages([sheet for _, sheet in sheets]), strict=True):
                if isinstance(drawn, InputError):
                    troubles.append(_trouble(one, drawn))
                else:
                    found[one.key] = read_pictures(drawn, one.hit.source.name, crops=self.crops)[0]
        return found, troubles

    def _place(self, source: Source, stack: ExitStack) -> Path | PhidexError:
        """A file with the document's bytes: its own, or a copy for as long as the stack is open; or why there is none."""
        try:
            if not source.blob:
                return source.local_path()
            path = Path(stack.enter_context(tempfile.TemporaryDirectory()), "document" + Path(source.name).suffix[:16])
            path.write_bytes(self.files.get(source.blob))
            return path
        except PhidexError as exc:
            return exc

    def _original(self, source: Source) -> bytes:
        """The document's bytes, as they were when it was read.

        Raises:
            InputError: they are gone, or others.
        """
        if source.blob:
            return self.files.get(source.blob)
        path = source.local_path()
        try:
            data = path.read_bytes()
        except OSError as exc:
            raise InputError(f"{path.name} cannot be read: {exc.strerror}", hint="put it back, or ingest it again") from exc
        if hashlib.sha256(data).hexdigest() != source.sha256:
            raise InputError(f"{path.name} has changed since it was ingested", hint="ingest it again")
        return data


def _trouble(one: Wanted, exc: PhidexError) -> str:
    return f"the picture of {one.hit.source.name}, {one.hit.chunk.locator}, was not looked at: {exc}"
