"""How speech is recognised: what workers are told of the settings' section `speech`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

MOST_PIECE_S = 600.0
"""Longer audio is refused by vLLM; and 25 MB, which 16-bit audio of 16 kHz reaches after 780 s."""


@dataclass(frozen=True, slots=True)
class SpeechOptions:
    """How to recognise speech; can be pickled.

    Args:
        url: of an OpenAI-compatible endpoint, with `/v1`; "" for none.
        model: at the endpoint; without one, a folder or hub id of a model for faster-whisper; "" for the endpoint's only one.
        api_key: bearer key of the endpoint.
        language: ISO 639-1, spoken in all recordings; "" where it is to be found out.
        languages: of subtitles, where there are several: the first of these that there is.
        diarize: ask the endpoint for speakers (`diarized_json`).
        piece_s: length of the pieces that are sent.
        timeout_s: for one piece, each attempt.
        compute_type: of faster-whisper.
        allow_download: whether faster-whisper may fetch a model of the hub.
        kept: folder in which what was recognised is kept by content; "" keeps nothing.
    """

    url: str = ""
    model: str = ""
    api_key: str = field(default="", repr=False)
    language: str = ""
    languages: tuple[str, ...] = ()
    diarize: bool = False
    piece_s: float = 540.0
    timeout_s: float = 300.0
    retries: int = 2
    compute_type: str = "int8"
    allow_download: bool = False
    kept: str = ""

    @property
    def is_set(self) -> bool:
        """Whether anything is named that could recognise speech."""
        return bool(self.url or self.model)

    def identity(self) -> str:
        """Names what the words of a recording depend on where they are recognised; a file read with another is read again."""
        model = f"served\x1f{self.model or self.url}" if self.url else f"local\x1f{self.model}\x1f{self.compute_type}"
        parts = (model, self.language, str(self.diarize), f"{self.piece_s:g}")
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:12] if self.is_set else "none"
