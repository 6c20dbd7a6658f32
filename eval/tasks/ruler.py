"""Long-context tasks made offline, after RULER: needles, chains of variables, common and frequent words, questions among
distracting paragraphs; at any length in tokens, in eight languages.

Source: Hsieh et al., RULER: What's the Real Context Size of Your Long-Context Language Models? (2024). Our own texts and words.
"""

from __future__ import annotations

import random
import tomllib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, cast, get_args

from phidex.errors import InputError
from phidex.eval.records import TestSet
from phidex.retrieval.count import estimate_tokens

TaskKind = Literal[
    "single",
    "single_uuid",
    "multi_key",
    "multi_key_dense",
    "multi_value",
    "multi_query",
    "variables",
    "common",
    "frequent",
    "qa",
]
TASKS: tuple[TaskKind, ...] = get_args(TaskKind)
WITHOUT_PLACE = ("variables", "common", "frequent")
"""Tasks whose answer stands in no one place."""

LENGTHS = (4_096, 8_192, 16_384, 32_768, 65_536, 131_072)

Count = Callable[[str], int]
"""The tokens of a text."""

_ROOM = 128  # tokens for the question and the markup around it
_FULL, _CAREFUL, _TRIES = 0.95, 0.99, 4
_FEW = 4  # distracting keys, values of a key, and keys of a question
_HOPS = 4
_COMMON, _COMMON_TIMES, _RARE_TIMES = 10, 30, 3
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True, slots=True)
class LongTask:
    """A text, what is asked of it, and the strings that a right answer holds.

    Args:
        depth: where the (first) needle stands, in [0, 1] of the text; -1 where nothing stands in one place.
        match: "all" of the outputs are wanted, or "any" of them.
    """

    id: str
    task: str
    language: str
    length_tokens: int
    context: str
    question: str
    outputs: tuple[str, ...]
    depth: float = -1.0
    match: Literal["all", "any"] = "all"

    def score(self, answer: str) -> float:
        """The share of wanted strings that stand in the answer, in [0, 1], as RULER counts.

        >>> LongTask("", "", "en", 0, "", "?", ("12", "34")).score("It is 12.")
        0.5
        """
        found = [output.casefold() in answer.casefold() for output in self.outputs]
        return float(any(found)) if self.match == "any" else sum(found) / len(found)

    def to_dict(self) -> dict[str, Any]:
        """A row of RULER's JSON lines (`input`, `outputs`, `length`) with our own fields beside them."""
        fields = asdict(self)
        return {"index": self.id, "input": f"{self.context}\n\n{self.question}", "length": self.length_tokens} | fields


@dataclass(frozen=True, slots=True)
class Words:
    """A language's sentences and nouns (`languages.toml`)."""

    noise: tuple[str, ...]
    needle: str
    ask: str
    variable: str
    copy: str
    ask_variable: str
    ask_common: str
    ask_frequent: str
    nouns: tuple[str, ...]

    @property
    def gap(self) -> str:
        """What stands between sentences: nothing in Chinese and Japanese."""
        return "" if self.noise[0].endswith("。") else " "


@lru_cache(maxsize=1)
def languages() -> dict[str, Words]:
    """The words by language."""
    data = tomllib.loads((Path(__file__).parent / "languages.toml").read_text("utf-8"))
    for row in data.values():
        row |= {"noise": tuple(row["noise"]), "nouns": tuple(row["nouns"].split())}
    return {language: Words(**row) for language, row in data.items()}


def make_task(
    kind: TaskKind,
    length_tokens: int,
    language: str = "en",
    *,
    seed: int = 0,
    depth: float | None = None,
    count: Count = estimate_tokens,
    test_set: TestSet | None = None,
) -> LongTask:
    """A task of a length: its text and question together have at most `length_tokens`, and nearly so many. The same seed gives
    the same task.

    Args:
        depth: where the needle stands, in [0, 1]; None for anywhere. Of needles in one place alone.
        count: weighs texts; best the served model's own tokenizer.
        test_set: where `qa` takes its paragraphs and questions from (SQuAD's form).

    Raises:
        InputError: there are no words of this language, the length holds no task, or `qa` has no questions.
    """
    words = languages().get(language)
    if words is None and kind != "qa":
        raise InputError(f"no long-context words in {language!r}", hint=f"there are: {', '.join(languages())}")
    room, wanted = length_tokens - _ROOM, length_tokens - _ROOM

    def made(size: int) -> _Made:
        maker = _Maker(random.Random(f"{kind} {language} {length_tokens} {seed}"), words, size, depth, count)
        match kind:
            case "variables":
                return maker.variables()
            case "common":
                return maker.common()
            case "frequent":
                return maker.frequent()
            case "qa":
                return maker.answers(test_set, language)
            case _:
                return maker.needles(kind)

    found = made(room)
    for _ in range(_TRIES):  # pieces cost more than the whole: what they leave over is filled
        used = count(found[0])
        if used > wanted * _FULL:
            break
        room = int(room * wanted / max(used, 1) * _CAREFUL)
        fuller = made(room)
        if not used < count(fuller[0]) <= wanted:
            break
        found = fuller
    context, question, outputs, place = found
    match_kind: Literal["all", "any"] = "any" if kind == "qa" else "all"
    name = f"{kind}-{language}-{length_tokens}-{seed}"
    return LongTask(name, kind, language, length_tokens, context, question, tuple(outputs), place, match_kind)


_Made = tuple[str, str, Sequence[str], float]
"""Text, question, outputs, depth."""


class _Maker:
    def __init__(self, chance: random.Random, words: Words | None, room: int, depth: float | None, count: Count) -> None:
        self.chance, self.room, self.depth, self.count = chance, room, depth, count
        self.words = cast("Words", words)
        if room < 64:
            raise InputError(f"{room + _ROOM} tokens are too few for a long-context task", hint="256 at least")

    def needles(self, kind: TaskKind) -> _Made:
        """Keys with values among noise, or among other needles."""
        few = min(_FEW, max(1, self.room // 256))
        keys, value = (
            self._keys(few + 1, coded=kind == "multi_key_dense"),
            self._uuid if kind == "single_uuid" else self._number,
        )
        asked, values = keys[:1], 1
        if kind == "multi_query":
            asked = keys[:few]
        elif kind == "multi_value":
            values = few
        wanted = [(key, value()) for key in asked for _ in range(values)]
        others = [(key, value()) for key in keys if key not in asked] if kind.startswith("multi_key") else []
        needles = [self.words.needle.format(key=key, value=number) for key, number in (*wanted, *others)]
        if kind == "multi_key_dense":
            filler = self._fill(lambda _: self.words.needle.format(key=self._uuid(), value=self._number()), needles)
        else:
            filler = self._fill(lambda at: self.words.noise[at % len(self.words.noise)], needles)
        context, depth = self._hide(filler, needles)
        joined = ", ".join(asked)
        return context, self.words.ask.format(keys=joined), [number for _, number in wanted], depth

    def variables(self) -> _Made:
        """A chain of variables that hand on a value, among noise."""
        names = [f"{self._coded(2).upper()}{at}" for at in range(_HOPS + 1)]
        value = self._number()
        steps = [self.words.variable.format(name=names[0], value=value)]
        steps += [self.words.copy.format(name=name, other=before) for before, name in pairwise(names)]
        filler = self._fill(lambda at: self.words.noise[at % len(self.words.noise)], steps)
        places = sorted(self.chance.sample(range(len(filler) + 1), min(len(steps), len(filler) + 1)))
        for place, step in reversed(list(zip(places, steps, strict=False))):
            filler.insert(place, step)
        return self.words.gap.join(filler), self.words.ask_variable.format(value=value), names, -1.0

    def common(self) -> _Made:
        """A numbered list in which ten words come often and the others seldom."""
        often, seldom = (_COMMON_TIMES, _RARE_TIMES) if self.room > 4_000 else (6, 1)
        common = self._distinct(_COMMON)
        listed = common * often
        while self.count(_numbered([*listed, *listed[:50]])) < self.room and len(listed) < 200_000:
            fresh = [self._coded(3) for _ in range(max(20, len(listed) // 8))]
            extended = listed + [word for word in fresh if word not in common] * seldom
            if self.count(_numbered(extended)) > self.room:
                break
            listed = extended
        self.chance.shuffle(listed)
        context = _numbered(listed)
        if self.count(context) > self.room:
            raise InputError(f"{self.room} tokens hold no list of common words", hint="512 at least")
        return context, self.words.ask_common, common, -1.0

    def frequent(self) -> _Made:
        """Coded words whose frequencies fall as Zipf's law has it (exponent 2); the three most frequent are asked for."""
        vocabulary = self._distinct(200)
        weights = [1 / (rank + 1) ** 2 for rank in range(len(vocabulary))]
        per_word = self.count(" ".join(vocabulary)) / len(vocabulary)
        number = int(self.room / (per_word + 0.5))
        counts = [round(number * weight / sum(weights)) for weight in weights]
        drawn = [word for word, times in zip(vocabulary, counts, strict=True) for _ in range(times)]
        self.chance.shuffle(drawn)
        while self.count(" ".join(drawn)) > self.room:  # the rarest leave: the order of the first three stands
            rare = vocabulary[-1]
            vocabulary.pop()
            drawn = [word for word in drawn if word != rare]
        return " ".join(drawn), self.words.ask_frequent, vocabulary[:3], -1.0

    def answers(self, test_set: TestSet | None, language: str) -> _Made:
        """A paragraph that answers among others that do not."""
        asked = [one for one in test_set.questions if one.answers and one.language in (language, "und")] if test_set else []
        if test_set is None or not asked:
            raise InputError(f"the task qa has no questions in {language!r}", hint="give a set with paragraphs (SQuAD, XQuAD)")
        question = self.chance.choice(asked)
        gold = test_set.documents[question.gold[0].document]
        of_language = {name.document for one in asked for name in one.gold}
        others = [text for name, text in test_set.documents.items() if name in of_language and text != gold]
        self.chance.shuffle(others)
        chosen: list[str] = []
        left = self.room - self.count(gold)
        for text in others:
            left -= self.count(text) + 2
            if left < 0:
                break
            chosen.append(text)
        place = round((self.chance.random() if self.depth is None else self.depth) * len(chosen))
        depth = place / len(chosen) if chosen else 0.0
        return "\n\n".join([*chosen[:place], gold, *chosen[place:]]), question.text, question.answers, depth

    def _fill(self, sentence: Callable[[int], str], needles: Sequence[str]) -> list[str]:
        """As many sentences as the room holds beside the needles."""
        left = self.room - sum(self.count(needle) + 1 for needle in needles)
        found: list[str] = []
        while True:
            more = [sentence(at) for at in range(len(found), len(found) + 64)]
            cost = self.count(self.words.gap.join(more)) + 1
            if cost > left:
                break
            found += more
            left -= cost
        for text in more:  # the last stretch one by one
            left -= self.count(text) + 1
            if left < 0:
                break
            found.append(text)
        return found

    def _hide(self, filler: list[str], needles: Sequence[str]) -> tuple[str, float]:
        """The needles among the filler, the first at the depth that is wanted, and that depth."""
        depth = self.chance.random() if self.depth is None else self.depth
        first = round(depth * len(filler))
        text = list(filler)
        for needle in needles[1:]:
            text.insert(self.chance.randint(0, len(text)), needle)
        text.insert(min(len(text), round(first * (len(text) / max(1, len(filler))))), needles[0])
        return self.words.gap.join(text), depth

    def _keys(self, number: int, *, coded: bool) -> list[str]:
        if coded:
            return [self._uuid() for _ in range(number)]
        pairs = {"-".join(self.chance.sample(self.words.nouns, 2)) for _ in range(4 * number)}
        return sorted(pairs)[:number]

    def _number(self) -> str:
        return str(self.chance.randint(1_000_000, 9_999_999))

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def _coded(self, syllables: int) -> str:
        return "".join(self.chance.choice(_CONSONANTS) + self.chance.choice(_VOWELS) for _ in range(syllables))

    def _distinct(self, number: int) -> list[str]:
        found: dict[str, None] = {}
        while len(found) < number:
            found.setdefault(self._coded(3))
        return list(found)


def _numbered(words: Sequence[str]) -> str:
    return " ".join(f"{at}. {word}" for at, word in enumerate(words, 1))
