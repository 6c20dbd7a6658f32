"""Meetings with planted decisions and tasks, summarised without a model: how many are found, with the right time and owner.

The meetings are made from `eval/data/meetings.toml`, whose sentences were written without a look at any cue phrases: planted
ones, sentences that look like them and are none, and talk. Seven languages; the truth is known to the second. Found counts
what `Phidex.summarize` lists as `decisions` and `actions` (each with `owner` and a place in time); what it does not list is not
found, whatever its sentences say.
"""

from __future__ import annotations

import json
import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from phidex.eval.bench.options import Options
from phidex.eval.bench.scratch import scratch_folder
from phidex.eval.bench.table import Cell, Check, Outcome, Table
from phidex.sdk import Phidex
from phidex.settings import EmbedSettings, Settings

DATA = Path(__file__).resolve().parents[1] / "data" / "meetings.toml"
MEETINGS = 3  # in each language
_DECISIONS, _TASKS, _NEAR, _TALK = 3, 5, 4, 26  # in each meeting
_NEARBY_S = 5.0  # how far from the truth a time may lie
FOUND, PRECISE = 0.7, 0.7


@dataclass(frozen=True, slots=True)
class Planted:
    """A decision or task, as it was said; the owner of a decision is ""."""

    kind: Literal["decision", "action"]
    start_s: float
    end_s: float
    text: str
    owner: str = ""
    due: str = ""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A transcript as WebVTT, and what was planted in it."""

    name: str
    language: str
    vtt: str
    truth: tuple[Planted, ...]

    def write(self, folder: Path) -> Path:
        """The transcript in a file, the truth beside it as JSON."""
        path = folder / f"{self.name}.vtt"
        path.write_text(self.vtt, "utf-8")
        truth = {"language": self.language, "planted": [asdict(one) for one in self.truth]}
        path.with_suffix(".json").write_text(json.dumps(truth, ensure_ascii=False, indent=1), "utf-8")
        return path


@dataclass(frozen=True, slots=True)
class Item:
    """A decision or task as a summary lists it."""

    kind: str
    start_s: float
    owner: str


@dataclass(frozen=True, slots=True)
class Score:
    """What was planted, what of it was found in time and with its owner, and how many items were listed in all."""

    planted: int
    found: int
    listed: int

    def __add__(self, other: Score) -> Score:
        return Score(self.planted + other.planted, self.found + other.found, self.listed + other.listed)

    @property
    def recall(self) -> float:
        """Share of what was planted."""
        return self.found / self.planted if self.planted else 0.0

    @property
    def precision(self) -> float:
        """Share of what was listed."""
        return self.found / self.listed if self.listed else 0.0


def make_meetings() -> list[Meeting]:
    """The meetings, always the same."""
    spoken = tomllib.loads(DATA.read_text("utf-8"))
    return [_meeting(language, said, number) for language, said in spoken.items() for number in range(MEETINGS)]


def score(items: Sequence[Item], truth: Sequence[Planted]) -> Score:
    """Each item finds one planted sentence at most: of its kind, at its time, with its owner."""
    left = list(truth)
    found = 0
    for item in items:
        for planted in left:
            in_time = planted.start_s - _NEARBY_S <= item.start_s <= planted.end_s + _NEARBY_S
            if planted.kind == item.kind and in_time and (not planted.owner or planted.owner == item.owner):
                left.remove(planted)
                found += 1
                break
    return Score(len(truth), found, len(items))


def items_of(summary: Mapping[str, Any]) -> list[Item]:
    """What a summary lists as decisions and actions (`Summary.to_dict`)."""
    found: list[Item] = []
    for key, kind in (("decisions", "decision"), ("actions", "action")):
        for one in summary.get(key, ()):
            places = [cited["locator"]["start_s"] for cited in one.get("citations", ()) if cited["locator"]["type"] == "time"]
            if places:
                found.append(Item(kind, float(places[0]), str(one.get("owner") or "")))
    return found


def run(options: Options) -> Outcome:
    """Recall and precision by language."""
    meetings = make_meetings()
    scores: dict[str, Score] = {}
    settings = EmbedSettings(model="none")
    with scratch_folder() as folder, Phidex(settings=Settings(data=folder / "data", embed=settings)) as phidex:
        paths = [meeting.write(folder) for meeting in meetings]
        phidex.ingest(*paths)
        for meeting, path in zip(meetings, paths, strict=True):
            options.say(meeting.name)
            summary = phidex.summarize(path.name, length="long").to_dict()
            scores[meeting.language] = scores.get(meeting.language, Score(0, 0, 0)) + score(items_of(summary), meeting.truth)
    total = sum(scores.values(), Score(0, 0, 0))
    rows: list[Sequence[Cell]] = [
        (language, one.planted, one.found, one.listed, round(one.recall, 3), round(one.precision, 3))
        for language, one in (*scores.items(), ("all", total))
    ]
    return Outcome(
        name="meetings",
        title="Decisions and tasks in meetings, without a model",
        tables=(Table("by language", ("language", "planted", "found", "listed", "recall", "precision"), rows),),
        checks=(
            Check("found, with time and owner", round(total.recall, 3), ">=", FOUND),
            Check("precision", round(total.precision, 3), ">=", PRECISE),
        ),
    )


def _meeting(language: str, said: Mapping[str, Sequence[str]], number: int) -> Meeting:
    random_ = random.Random(f"{language}/{number}")
    people = random_.sample(said["names"], 3)
    plan = ["decision"] * _DECISIONS + ["action"] * _TASKS + ["near"] * _NEAR + ["talk"] * _TALK
    random_.shuffle(plan)
    left = {key: random_.sample(said[key], len(said[key])) for key in ("tasks", "matters", "near")}
    at, cues, truth = 2.0, list[str](), list[Planted]()
    for kind in plan:
        speaker = random_.choice(people)
        text, owner, due = _sentence(kind, said, left, speaker, people, random_)
        end = round(at + 1.0 + 0.06 * len(text.encode()) ** 0.9, 3)
        if kind in ("decision", "action"):
            truth.append(Planted("decision" if kind == "decision" else "action", at, end, text, owner, due))
        cues.append(f"{_stamp(at)} --> {_stamp(end)}\n<v {speaker}>{text}")
        at = round(end + random_.uniform(0.1, 2.5), 3)
    return Meeting(f"meeting-{language}-{number}", language, "WEBVTT\n\n" + "\n\n".join(cues) + "\n", tuple(truth))


def _sentence(
    kind: str,
    said: Mapping[str, Sequence[str]],
    left: Mapping[str, list[str]],
    speaker: str,
    people: Sequence[str],
    random_: random.Random,
) -> tuple[str, str, str]:
    """What is said, whose task it is, and when it is due."""
    if kind == "decision":
        return random_.choice(said["decided"]).format(task=left["matters"].pop()), "", ""
    if kind == "near":
        return left["near"].pop(), "", ""
    if kind == "talk":
        return random_.choice(said["talk"]), "", ""
    task, due = left["tasks"].pop(), random_.choice(said["due"])
    if random_.random() < 0.5:
        return random_.choice(said["mine"]).format(task=task, due=due), speaker, due
    other = random_.choice([one for one in people if one != speaker])
    return random_.choice(said["yours"]).format(who=other, task=task, due=due), other, due


def _stamp(seconds: float) -> str:
    return f"{int(seconds) // 3600:02d}:{int(seconds) // 60 % 60:02d}:{seconds % 60:06.3f}"
