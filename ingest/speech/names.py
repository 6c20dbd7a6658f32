"""Who speaks, where subtitles say it in their text: "Ada Lovelace: text" at the start of a line, or ">>" for somebody else."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from phidex.ingest.speech.transcript import Utterance

_NAMED = re.compile(r"(?:>>+\s*|[-–—]\s+)?([^\W\d_][^:：<>\[\]{}\"“”!?。！？\n]{0,48}?)\s?[:：]\s*(?=\S)")
_CHANGED = re.compile(r"(?:>>+|[-–—](?=\s))\s*")
_MOST_WORDS = 5
_MOSTLY = 0.6  # of the lines begin with a name: then every such beginning is one
_OFTEN = 0.25  # likewise where the first line does
_TWICE = 2
_STAYS_S = 5.0  # a line without a name, so soon behind one with it, is the same speaker's


def name_speakers(lines: Sequence[Utterance]) -> list[Utterance]:
    """The utterances with the speakers that their texts name, and without those names.

    A colon alone makes no name: it must open many lines, or the first one, and be said again. Utterances that have a speaker
    already keep theirs.

    >>> [one.speaker for one in name_speakers([Utterance(0, 1, "Ada: Hello."), Utterance(1, 2, "Bob: Hi.")])]
    ['Ada', 'Bob']
    """
    found = [None if line.speaker else _name(line.text) for line in lines]
    counts = Counter(name for name in found if name)
    share = counts.total() / len(lines) if lines else 0.0
    opened = bool(found) and found[0] is not None
    if share >= _MOSTLY or (opened and share >= _OFTEN):
        names = set(counts)
    else:
        names = {name for name, count in counts.items() if count >= _TWICE and opened}
    named: list[Utterance] = []
    for line, name in zip(lines, found, strict=True):
        named.append(_one(line, name if name in names else None, named[-1] if named and names else None))
    return [line for line in named if line.text]


def _one(line: Utterance, name: str | None, before: Utterance | None) -> Utterance:
    if name:
        match = _NAMED.match(line.text)
        return replace(line, speaker=name, text=line.text[match.end() :] if match else line.text)
    changed = None if line.speaker else _CHANGED.match(line.text)
    if changed:
        return replace(line, text=line.text[changed.end() :])
    goes_on = before is not None and before.speaker and line.start_s - before.end_s < _STAYS_S
    return replace(line, speaker=before.speaker) if before and goes_on and not line.speaker else line


def _name(text: str) -> str | None:
    """What stands before a colon where it may be a name: few words, each with a capital or of a script that has none."""
    match = _NAMED.match(text)
    if match is None:
        return None
    name = " ".join(match[1].split())
    words = name.split()
    if len(words) > _MOST_WORDS or text[match.end() - 1 : match.end() + 1] == "//":
        return None
    big = [word for word in words if word[0].isalpha()]
    return name if big and not any(word[0].islower() for word in (big[0], big[-1])) else None
