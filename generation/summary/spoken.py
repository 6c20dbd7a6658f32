"""What was said in a recording, sentence by sentence: verbatim, with who said it and when; without names and slides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from phidex.ingest.records import Chunk, Cue, TimeLocator
from phidex.ingest.sentences import sentence_spans

_BY_CUE = re.compile(r"[\u0e00-\u0eff]")  # spaces tell phrases there, not sentences
_LONG = 320  # characters without a full stop: captions that have none are cut where they were


@dataclass(frozen=True, slots=True)
class Utterance:
    """One sentence.

    Args:
        text: as it stands in the passage but for white space; without the speaker's name.
        speaker: "" where that is not known.
        place: its number in the recording, from 0.
    """

    text: str
    chunk: Chunk
    start_s: float
    end_s: float
    speaker: str
    place: int

    @property
    def locator(self) -> TimeLocator:
        """Its seconds, and what was shown meanwhile."""
        whole = self.chunk.locator
        shown = (whole.frame, whole.slide) if isinstance(whole, TimeLocator) else ("", "")
        return TimeLocator(self.start_s, self.end_s, *shown)


def utterances(chunks: Sequence[Chunk]) -> list[Utterance]:
    """The sentences of a recording, in order.

    Args:
        chunks: in order of time; those without cues say nothing.
    """
    found: list[Utterance] = []
    for chunk in chunks:
        for start, end in spoken_spans(chunk):
            said = [cue for cue in chunk.cues if cue.start < end and start < cue.end]
            text = " ".join(chunk.text[start:end].split())
            found.append(Utterance(text, chunk, said[0].start_s, said[-1].end_s, said[0].speaker, len(found)))
    return found


def spoken_spans(chunk: Chunk) -> Iterator[tuple[int, int]]:
    """Where the sentences that were said stand in a passage of speech, as offsets into its text."""
    for turn in _turns(chunk):
        start, end = turn[0].start, turn[-1].end
        if _BY_CUE.search(chunk.text, start, end):
            yield from ((cue.start, cue.end) for cue in turn)
            continue
        for begin, stop in sentence_spans(chunk.text, start, end):
            parts = [cue for cue in turn if cue.start < stop and begin < cue.end]
            if stop - begin > _LONG and len(parts) > 1:
                yield from ((max(begin, cue.start), min(stop, cue.end)) for cue in parts)
            else:
                yield begin, stop


def _turns(chunk: Chunk) -> Iterator[list[Cue]]:
    """The cues that one speaker said without another between them."""
    turn: list[Cue] = []
    for before, cue in pairwise((None, *chunk.cues)):
        assert cue is not None
        joined = before is not None and before.speaker == cue.speaker and not chunk.text[before.end : cue.start].strip()
        if turn and not joined:
            yield turn
            turn = []
        turn.append(cue)
    if turn:
        yield turn
