"""Speech to text on this machine: faster-whisper (Whisper on CTranslate2), in the worker process of the file."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from phidex.errors import ConfigError, ServiceError
from phidex.ingest.speech.options import SpeechOptions
from phidex.ingest.speech.silence import Piece
from phidex.ingest.speech.tongues import language_code
from phidex.ingest.speech.transcript import Utterance

_FILES = ("model.bin", "config.json", "tokenizer.json")  # without the last, faster-whisper asks the hub
VOICED_ONLY = True
"""Whether stretches without a voice are left out: of them, Whisper makes words up."""

_INSTALL = "pip install 'phidex[speech]'"


class LocalWhisper:
    """A Whisper model in this process.

    Raises:
        ConfigError: faster-whisper is not installed, or the model is not there.
    """

    def __init__(self, options: SpeechOptions) -> None:
        self._model = _load(options.model, options.compute_type, options.allow_download)
        self.name = options.model

    def close(self) -> None:
        """The model stays for the next file of this process."""

    def recognise(self, piece: Piece, language: str, beat: Callable[[], None]) -> tuple[list[Utterance], str]:
        """See `Endpoint.recognise`.

        Raises:
            ServiceError: the model failed over it.
        """
        audio = piece.samples.astype(np.float32) / 32768.0
        found: list[Utterance] = []
        try:
            segments, info = self._model.transcribe(
                audio, language=language or None, vad_filter=VOICED_ONLY, condition_on_previous_text=False
            )
            for segment in segments:  # decoded one by one, as they are asked for
                beat()
                text = " ".join(str(segment.text).split())
                if text:
                    found.append(Utterance(round(float(segment.start), 3), round(float(segment.end), 3), text))
        except (RuntimeError, ValueError, IndexError) as exc:  # CTranslate2's, and of a damaged tokenizer
            raise ServiceError(f"speech recognition failed: {exc}", hint="try another PHIDEX_SPEECH__MODEL") from exc
        return found, language or language_code(str(info.language or ""))


@lru_cache(maxsize=1)
def _load(model: str, compute_type: str, allow_download: bool) -> Any:
    try:
        whisper: Any = importlib.import_module("faster_whisper")  # 2 s; it declares no types
    except ImportError as exc:
        raise ConfigError(f"recognising speech on this machine needs: {_INSTALL}", hint="or set PHIDEX_SPEECH__URL") from exc
    folder = Path(model).expanduser()
    if folder.is_dir():
        lacking = [name for name in _FILES if not (folder / name).is_file()]
        if lacking:
            hint = "convert it: ct2-transformers-converter --model … --copy_files tokenizer.json preprocessor_config.json"
            raise ConfigError(f"{model} is no model for faster-whisper: it lacks {', '.join(lacking)}", hint=hint)
    try:
        return whisper.WhisperModel(
            str(folder) if folder.is_dir() else model, compute_type=compute_type, local_files_only=not allow_download
        )
    except (OSError, ValueError, RuntimeError) as exc:  # the hub's errors are such; a compute type that the machine lacks
        more = "" if allow_download else "; PHIDEX_SPEECH__ALLOW_DOWNLOAD=true fetches it"
        hint = f"PHIDEX_SPEECH__MODEL names a folder, or a model of the hub such as small{more}"
        raise ConfigError(f"the speech model {model} cannot be loaded: {type(exc).__name__}", hint=hint) from exc
