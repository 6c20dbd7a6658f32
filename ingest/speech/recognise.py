"""Audio -> transcript: pieces cut at silences, recognised one after the other, each kept by its content.

What was recognised is kept in a folder by the hash of the samples and of how they were recognised: a run that is killed goes on
behind its last piece, and nobody pays twice. A piece that fails costs that piece, and is named; three in a row end it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from phidex.errors import ConfigError, PhidexError
from phidex.ingest.language import detect_language
from phidex.ingest.speech.endpoint import UNTIMED_S, Endpoint, TooLongError, UntimedError
from phidex.ingest.speech.options import MOST_PIECE_S, SpeechOptions
from phidex.ingest.speech.silence import RATE, Piece, Samples, cut_at_silences, speech_finder
from phidex.ingest.speech.transcript import Transcript, Utterance

_GIVE_UP = 3  # failures in a row: it is down
_SHORTEST_S = 20.0  # a piece that is refused as too long is cut down to this
_TELLING_CHARS = 40  # of text that tells its language
_TELLING = 0.6
_KEPT_DAYS = 90.0


class Recogniser(Protocol):
    """What turns a piece of audio into words: an endpoint, or a model of this machine."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def recognise(self, piece: Piece, language: str, beat: Callable[[], None]) -> tuple[list[Utterance], str]:
        """What is said in the piece, times from its start, and its language, "" where that is not known.

        Raises:
            TooLongError, UntimedError: it must be cut.
            ServiceError: it failed.
            ConfigError: it will never work.
        """
        ...

    def close(self) -> None:
        """Nothing more is to be recognised."""
        ...


def recognise_speech(
    blocks: Iterable[Samples], options: SpeechOptions, beat: Callable[[], None], recogniser: Recogniser | None = None
) -> Transcript:
    """What is said in the audio.

    Args:
        blocks: mono samples of 16 kHz, in order, from the start of the recording.
        beat: called again and again.

    Raises:
        ConfigError: nothing is set that could recognise speech, or it cannot be had.
    """
    if not (options.is_set or recogniser):
        raise ConfigError("nothing is set that recognises speech", hint=SET_UP)
    model: Recogniser = recogniser or (Endpoint(options) if options.url else _local(options))
    with contextlib.closing(_Session(model, options, beat)) as session:
        for piece in cut_at_silences(_beating(blocks, beat), min(options.piece_s, MOST_PIECE_S)):
            session.take(piece)
        return session.transcript()


SET_UP = "set PHIDEX_SPEECH__URL to a server of a speech model, or PHIDEX_SPEECH__MODEL to one for faster-whisper"


def _local(options: SpeechOptions) -> Recogniser:
    """faster-whisper with the model of the options."""
    from phidex.ingest.speech.local import LocalWhisper

    return LocalWhisper(options)


class _Session:
    """One recording: what was recognised so far, in which language, and what was lost."""

    def __init__(self, model: Recogniser, options: SpeechOptions, beat: Callable[[], None]) -> None:
        self._model, self._options, self._beat = model, options, beat
        self._kept = _Kept(options.kept, options.identity())
        self._language = options.language
        self._found: list[Utterance] = []
        self._lost: list[tuple[float, float, str]] = []
        self._in_a_row = 0

    def close(self) -> None:
        self._model.close()

    def take(self, piece: Piece) -> None:
        """Recognise a piece, or note that it is lost; silence costs nothing."""
        self._beat()
        if not piece.speech:
            return
        if self._in_a_row >= _GIVE_UP:
            self._lose(piece, self._lost[-1][2])
            return
        try:
            self._found += self._recognised(piece)
            self._in_a_row = 0
        except PhidexError as exc:
            self._lose(piece, str(exc))
            self._in_a_row = _GIVE_UP if isinstance(exc, ConfigError) else self._in_a_row + 1

    def transcript(self) -> Transcript:
        """All of it."""
        found = tuple(sorted(self._found, key=lambda one: one.start_s))
        warnings = tuple(
            f"What is said from {clock(a)} to {clock(b)} could not be recognised: {why}." for a, b, why in self._lost
        )
        return Transcript(found, self._language, f"speech recognised by {self._model.name}", warnings, len(self._lost))

    def _recognised(self, piece: Piece) -> list[Utterance]:
        """The piece's utterances at their times in the recording."""
        key = self._kept.key(piece, self._language)
        said = self._kept.get(key)
        if said is None:
            try:
                utterances, language = self._asked(piece)
            except (TooLongError, UntimedError) as exc:
                longest_s = UNTIMED_S if isinstance(exc, UntimedError) else len(piece.samples) / RATE / 2
                if longest_s < _SHORTEST_S or longest_s >= len(piece.samples) / RATE:
                    raise
                return [one for part in _parts(piece, longest_s) if part.speech for one in self._recognised(part)]
            said = utterances, language or _language_of(utterances)
            self._kept.put(key, *said)
        utterances, language = said
        self._language = self._language or language
        at = piece.start_s
        return [Utterance(round(one.start_s + at, 3), round(one.end_s + at, 3), one.text, one.speaker) for one in utterances]

    def _asked(self, piece: Piece) -> tuple[list[Utterance], str]:
        """What the model makes of a piece; of one that needs no times, also where only its refusal tells that it has none."""
        try:
            return self._model.recognise(piece, self._language, self._beat)
        except UntimedError:
            if len(piece.samples) > UNTIMED_S * RATE:
                raise
            return self._model.recognise(piece, self._language, self._beat)

    def _lose(self, piece: Piece, reason: str) -> None:
        """Note what is lost; stretches that follow one another for one reason are told as one."""
        begin, end = piece.start_s, piece.end_s
        if self._lost and self._lost[-1][2] == reason and begin - self._lost[-1][1] < 1.0:
            begin = self._lost.pop()[0]
        self._lost.append((begin, end, reason.rstrip(".")))


class _Kept:
    """Recognised pieces by their content, in a folder that only its owner may read."""

    def __init__(self, folder: str, identity: str) -> None:
        self._folder = Path(folder) if folder else None
        self._identity = identity
        if self._folder is not None:
            _forget_old(self._folder)

    def key(self, piece: Piece, language: str) -> str:
        whole = hashlib.sha256(f"1\x1f{self._identity}\x1f{language}\x1f".encode())
        whole.update(piece.samples.astype("<i2").tobytes())
        return whole.hexdigest()

    def get(self, key: str) -> tuple[list[Utterance], str] | None:
        if self._folder is None:
            return None
        try:
            path = self._folder / f"{key}.json"
            data = json.loads(path.read_text("utf-8"))
            os.utime(path)
            return [Utterance(*one) for one in data["utterances"]], str(data["language"])
        except (OSError, ValueError, KeyError, TypeError):  # not there, or damaged: it is recognised again
            return None

    def put(self, key: str, utterances: list[Utterance], language: str) -> None:
        if self._folder is None:
            return
        rows = [[one.start_s, one.end_s, one.text, one.speaker] for one in utterances]
        fresh = self._folder / f".{key}.{uuid.uuid4().hex[:8]}"
        with contextlib.suppress(OSError):  # a full disk must not cost the words
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                fresh.write_text(json.dumps({"language": language, "utterances": rows}, ensure_ascii=False), "utf-8")
                fresh.replace(self._folder / f"{key}.json")
            finally:
                fresh.unlink(missing_ok=True)


def _forget_old(folder: Path) -> None:
    """Remove what nobody asked for in three months."""
    oldest = time.time() - _KEPT_DAYS * 86_400
    with contextlib.suppress(OSError):
        for path in folder.glob("*.json"):
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def _parts(piece: Piece, longest_s: float) -> Iterable[Piece]:
    find = speech_finder()
    for part in cut_at_silences([piece.samples], longest_s, find):
        yield Piece(piece.start_s + part.start_s, part.samples, part.speech)


def _beating(blocks: Iterable[Samples], beat: Callable[[], None]) -> Iterable[Samples]:
    for block in blocks:
        beat()
        yield block


def _language_of(utterances: Iterable[Utterance]) -> str:
    """What the text itself tells; "" where it is too short or unclear."""
    text = " ".join(one.text for one in utterances)
    language, score = detect_language(text) if len(text) >= _TELLING_CHARS else ("", 0.0)
    return language if score >= _TELLING else ""


def clock(seconds: float) -> str:
    """A time as people write it.

    >>> clock(750), clock(3723)
    ('12:30', '1:02:03')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
