"""Decisions, tasks and open questions in what was said, without a model: by phrases (`phrases.toml`) and a few rules.

    decision   "we decided …", unless it is denied, only supposed, asked, or told of another time
    task       "I will …" is the speaker's; "Bob, can you …", "Bob sends …" is Bob's; the date stands in the sentence
    open       what is said not to be settled, and questions that got no answer

A sentence is one of these at most, and stands for itself: it is quoted, not reworded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from phidex.generation.summary.people import Named, People
from phidex.generation.summary.phrases import NAME, NEVER, Phrases, folded, phrases
from phidex.generation.summary.spoken import Utterance
from phidex.ingest.language import UNDETERMINED

Kind = Literal["decision", "action", "question"]

_ASKS = re.compile(r"[?？؟][\"'»”」』)]*$|(?:か|ですか|ますか|까요|습니까|ไหม|มั้ย|หรือเปล่า|吗|呢)[。.]?$")
_CLAUSE = re.compile(r"[,，、;；:：،]")
_NEAR_BEFORE, _NEAR_BEHIND = 28, 12  # characters of a clause in which a denial tells
_PAST_BEHIND = 30
_REPLY_S = 6.0  # a question that nobody takes up for so long, or to whose end nobody speaks, got no answer
_LEAST_CHARS = 6


@dataclass(frozen=True, slots=True)
class Found:
    """A sentence that is a decision, a task or an open question.

    Args:
        owner: of a task; "" where nobody is named.
        due: as it is said ("by Friday"); "" where no date is.
    """

    kind: Kind
    said: Utterance
    owner: str = ""
    due: str = ""


def find_items(said: Sequence[Utterance], participants: Sequence[str], language: str = UNDETERMINED) -> list[Found]:
    """What was decided, taken on and left open, in order of time.

    About 0.05 ms a sentence, ten times that where its language is not known.

    Args:
        said: all that was said, in order.
        language: of most of it, for passages whose own is not known.
    """
    people = People(participants)
    found: list[Found] = []
    for at, one in enumerate(said):
        if len(one.text) < _LEAST_CHARS:
            continue
        for spoken in _languages(one, language):
            item = _item(one, people, spoken, participants)
            if item is None and _is_unanswered(said, at, spoken):
                item = Found("question", one)
            if item is not None:
                found.append(item)
                break
    return found


def is_done(text: str, language: str) -> bool:
    """Whether a sentence says that something is finished."""
    return any(one.done.search(folded(text)) and not one.no.search(folded(text)) for one in phrases(language))


def due_of(text: str, language: str) -> str:
    """The date that a sentence names for something, as it is said; "" for none."""
    return next((due for one in phrases(language) if (due := _due(text, folded(text), one))), "")


def _languages(one: Utterance, main: str) -> list[Phrases]:
    own = one.chunk.language
    listed = [*dict.fromkeys((main, own))] if own != UNDETERMINED else [main]
    return [spoken for language in listed for spoken in phrases(language)]


def _item(one: Utterance, people: People, spoken: Phrases, participants: Sequence[str]) -> Found | None:
    named = people.named(one.text, spoken)
    asks = _ASKS.search(one.text) is not None
    if spoken.open.search(named.text) and not spoken.past.search(named.text):
        return Found("question", one)
    if (owner := _owner(one, named, spoken, asks=asks, participants=participants)) is not None:
        return Found("action", one, owner, _due(one.text, folded(one.text), spoken))
    if not asks and (match := _counts(named.text, spoken.decided, spoken)):
        return Found("decision", one) if not _is_past(named.text, match, spoken) else None
    if not asks and any(_denied(named.text, match, spoken) for match in spoken.decided.finditer(named.text)):
        return Found("question", one) if not spoken.past.search(named.text) else None
    return None


def _owner(one: Utterance, named: Named, spoken: Phrases, *, asks: bool, participants: Sequence[str]) -> str | None:
    """Whose task a sentence is; None where it is none."""
    text = named.text
    idle = [match.span() for match in spoken.idle.finditer(text)]
    cues = [*spoken.mine.finditer(text), *(spoken.dated.finditer(text) if spoken.due.search(text) else ())]
    taken = [match for match in cues if not any(_overlap(match.span(), span) for span in idle)]
    mine = next((match for match in taken if _holds(text, match, spoken)), None)
    due = spoken.due.search(text) is not None
    if (owner := _other(one, named, spoken, taken, asks=asks, due=due)) is not None:
        return owner
    if mine is not None and not asks and not _is_past(text, mine, spoken) and not spoken.decided.search(text):
        return one.speaker
    asked = _free(text, spoken.asked, taken)
    if not named.people and asked and due and _holds(text, asked, spoken, supposed=False) and not spoken.decided.search(text):
        others = [name for name in participants if name != one.speaker]
        return others[0] if len(participants) == 2 and len(others) == 1 else ""
    return None


def _other(
    one: Utterance, named: Named, spoken: Phrases, taken: Sequence[re.Match[str]], *, asks: bool, due: bool
) -> str | None:
    """The name of whoever is asked or is to do something."""
    text = named.text
    for name, at, spoken_to in named.people:
        if name == one.speaker:
            continue
        first = next((match for match in taken if match.start() < at), None)
        if first and not spoken_to and first.end() - first.start() < at:  # "I will tell Bob"
            continue
        asked = _free(text, spoken.asked, taken)
        if asked and (spoken_to or NAME in asked.group()) and _holds(text, asked, spoken, supposed=False):
            return name
        to_do = _free(text, spoken.duty, taken, at)
        if to_do and not asks and _holds(text, to_do, spoken) and not _is_past(text, to_do, spoken):
            return name
        if spoken_to and due and not asks and not taken and not spoken.past.search(text):
            return name
    return None


def _free(text: str, pattern: re.Pattern[str], taken: Sequence[re.Match[str]], holding: int = -1) -> re.Match[str] | None:
    """The first match that is no part of what the speaker takes on, and that holds a place."""
    for match in pattern.finditer(text):
        if holding >= 0 and not match.start() <= holding < match.end():
            continue
        if NAME in match.group() or not any(_overlap(match.span(), mine.span()) for mine in taken):
            return match
    return None


def _counts(text: str, pattern: re.Pattern[str], spoken: Phrases) -> re.Match[str] | None:
    return next((match for match in pattern.finditer(text) if _holds(text, match, spoken, behind=False)), None)


def _holds(text: str, match: re.Match[str], spoken: Phrases, *, supposed: bool = True, behind: bool = True) -> bool:
    """Whether what was found is neither denied nor only supposed."""
    if _denied(text, match, spoken, behind=behind):
        return False
    return not supposed or spoken.supposed.search(text[: match.end()]) is None


def _denied(text: str, match: re.Match[str], spoken: Phrases, *, behind: bool = False) -> bool:
    """A denial in the same clause before a cue, or in it; of a task, also right behind its verb."""
    if spoken.is_verb_last:
        return False
    clause = _CLAUSE.split(text[: match.start()])[-1][-_NEAR_BEFORE:]
    if spoken.no.search(clause + match.group()):
        return True
    rest = _CLAUSE.split(text[match.end() :])[0]
    near = rest if spoken.denies_behind else rest[:_NEAR_BEHIND]
    return behind and spoken.no.search(near) is not None


def _is_past(text: str, match: re.Match[str], spoken: Phrases) -> bool:
    return spoken.past.search(text[: match.end() + _PAST_BEHIND]) is not None


def _due(text: str, small: str, spoken: Phrases) -> str:
    match = spoken.due.search(small) or (spoken.when or NEVER).search(small)
    if match is None:
        return ""
    shown = text if len(text) == len(small) else small
    return shown[match.start() : match.end()].strip(" ,.;。、，")


def _is_unanswered(said: Sequence[Utterance], at: int, spoken: Phrases) -> bool:
    """A question that the next speaker has no answer to, or that nobody takes up."""
    one = said[at]
    if not _ASKS.search(one.text):
        return False
    rest = [other for other in _next(said, at) if other.speaker != one.speaker or not one.speaker]
    if not rest:
        return True
    reply = rest[0]
    return spoken.unsure.search(folded(reply.text)) is not None or reply.start_s - one.end_s > _REPLY_S


def _next(said: Sequence[Utterance], at: int) -> Iterator[Utterance]:
    """The sentences behind one, up to the next question."""
    for other in said[at + 1 : at + 4]:
        yield other
        if _ASKS.search(other.text):
            return


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]
