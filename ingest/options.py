"""What a parser is told beside the bytes: how much care to take, how to read scans, and the limits of one document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from phidex.ingest.speech.options import SpeechOptions

Quality = Literal["fast", "balanced", "layout"]
Ocr = Literal["auto", "off", "always"]


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """How to parse; can be pickled when `on_page` is None.

    Args:
        quality: "fast" reads text alone; "balanced" also looks for tables and figures where a page's evidence says so;
            "layout" asks a layout model for every page.
        ocr: "auto" recognises pages that have no text of their own, "always" every page, "off" none.
        ocr_languages: ISO 639-1 codes to expect on scans; empty: found out page by page.
        passwords: tried on encrypted documents, in order.
        max_pages: a document with more is refused.
        on_page: called with pages done and pages in all, where a document takes long; also what keeps a worker's clock from
            running out.
        timeout_s: seconds without such a call after which a worker is taken to hang (`file_limit_s` is for the whole file).
            Recognition keeps within both, and names the pages that it leaves; what is read otherwise does not depend on it.
        speech: of recordings, how speech is recognised.
        companions: of a recording, the files beside it that are read with it (`ingest/speech/beside.py`).
        deck_id: of a recording, the source that the slide deck among its companions is.
    """

    quality: Quality = "balanced"
    ocr: Ocr = "auto"
    ocr_languages: tuple[str, ...] = ()
    passwords: tuple[str, ...] = field(default=(), repr=False)  # never shown
    max_pages: int = 50_000
    on_page: Callable[[int, int], None] | None = None
    timeout_s: float = 120.0
    speech: SpeechOptions = field(default=SpeechOptions())
    companions: tuple[Path, ...] = ()
    deck_id: str = ""


DEFAULT = ParseOptions()

_LIMIT_SHARE = 10.0  # of the longest silence
_MB_S = 60.0
_RECORDED_MB_S = 2400.0  # a MB may hold 20 minutes of speech, and recognising may take twice that


def file_limit_s(timeout_s: float, size_bytes: int, *, recording: bool = False) -> float:
    """Seconds that a file may take in all, given the longest silence: large ones take longer.

    >>> file_limit_s(120, 5 << 20)
    1500.0
    """
    return _LIMIT_SHARE * timeout_s + (_RECORDED_MB_S if recording else _MB_S) * size_bytes / (1 << 20)
