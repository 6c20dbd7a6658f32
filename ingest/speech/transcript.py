"""The records of speech: an utterance (a subtitle, or what a recogniser calls a segment), and the turns that they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from phidex.ingest.clean import glue
from phidex.ingest.records import Anchor, Block

_PAUSE_S, _LONG_PAUSE_S = 2.0, 5.0  # a longer one ends the turn of somebody unnamed; of somebody known


@dataclass(frozen=True, slots=True)
class Utterance:
    """Some words, and when they were said; `speaker` is "" where that is not known. Can be pickled."""

    start_s: float
    end_s: float
    text: str
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was said, as far as it is known.

    Args:
        utterances: ascending by their start; none is empty.
        language: ISO 639-1 code, as the file's name or the recogniser says; "" where neither does.
        origin: where it comes from, for people: a file's name, "embedded subtitles (eng)", a model's name.
        warnings: what was repaired or lost, in sentences for people.
        lost: pieces that could not be recognised; they are tried again the next time.
    """

    utterances: tuple[Utterance, ...] = ()
    language: str = ""
    origin: str = ""
    warnings: tuple[str, ...] = field(default=())
    lost: int = 0


def told_of(transcript: Transcript, duration_s: float) -> dict[str, str]:
    """What a source's metadata says of its length and words."""
    told = {"duration_s": f"{duration_s:.3f}"}
    if transcript.utterances:
        told["transcript"] = transcript.origin
    if transcript.language:
        told["transcript_language"] = transcript.language
    return told


def turn_blocks(utterances: Sequence[Utterance]) -> list[Block]:
    """The turns: what one speaker says until another begins, or a pause; of unknown speakers, a short pause.

    Each utterance's start in the text is an anchor with its times, so that a turn can be cut, and quoted to the second.
    """
    return [_block(turn) for turn in _turns(utterances)]


def _turns(utterances: Sequence[Utterance]) -> Iterator[list[Utterance]]:
    turn: list[Utterance] = []
    for one in utterances:
        if turn:
            last = turn[-1]
            if one.speaker != last.speaker or one.start_s - last.end_s > (_LONG_PAUSE_S if one.speaker else _PAUSE_S):
                yield turn
                turn = []
        turn.append(one)
    if turn:
        yield turn


def _block(turn: Sequence[Utterance]) -> Block:
    text, anchors = "", list[Anchor]()
    for one in turn:
        text += glue(text, one.text) if text else ""
        anchors.append(Anchor(len(text), time=(one.start_s, one.end_s)))
        text += one.text
    times = (turn[0].start_s, max(one.end_s for one in turn))
    return Block(text, "turn", tuple(anchors), times=(times,), speaker=turn[0].speaker)
