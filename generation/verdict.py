"""Whether passages bear a statement out, without a model: quoted, in other words, with other facts, or not at all; and why.

    words      enough of the statement's telling words stand in one sentence and its neighbours
    numbers    each of the statement's stands there, however it is written
    names      so does each name; where a passage in other words puts another name in its place, it is another statement
    negation   one of two sentences that are nearly the same is negated

What a passage says in words of its own (synonyms, conclusions) is not recognised: then the statement counts as unsupported.
A passage in another language can be compared by its numbers and names alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from phidex.generation.facts import is_named, names, negations, numbers_missing
from phidex.generation.support import CJK, Rarity, terms
from phidex.ingest.language import UNDETERMINED
from phidex.ingest.sentences import sentence_spans

SUPPORTED = 0.5
"""Share of a claim's telling terms that one sentence with its neighbours must have."""

_NEAR_COPY = 0.65  # share from which two sentences differ in a detail, so that a negation or a name in another's place tells
_SAME = 0.8  # share from which a sentence and a claim are the same but for a detail
_AROUND_WORDS, _AROUND_CHARS = 3, 4  # beside the words that two sentences share, where a negation may stand
_QUOTED = re.compile(r"[\"“„«「『]([^\"“”„«»「」『』]{8,400})[\"”“»」』]")
_QUOTE_ALIKE = 0.9  # of a quotation's words, in their order
_UNSPACED = re.compile(rf"{CJK.pattern}|[\u0e00-\u0eff]")
_HANGUL, _WITHOUT_CAPITALS = re.compile(r"[가-힣]"), re.compile(r"[\u0590-\u06ff]")
_SWAPPED_CHARS = 5  # at most, of a name in a script without capitals and spaces
# The most frequent ones, in Chinese, Japanese and Korean.
_SURNAMES = (
    *"王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何林高罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾",
    *"萧蕭董潘袁蔡蒋蔣余于杜叶葉程魏苏蘇吕呂丁任卢盧姚沈钟鐘姜崔谭譚김이박최정강조윤장임한오서신권황안송류홍",
    *re.findall(
        r"\w+",
        "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 斎藤 清水 山崎 "
        "池田 橋本 阿部 石川 前田 藤田 小川 後藤 岡田 長谷川 村上 近藤 石井 坂本 遠藤 青木 藤井 西村 福田 太田 "
        "三浦 藤原 岡本 松田 中川 中野 原田 小野 田村 竹内 金子 和田 中山 石田 上田 森田",
    ),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one statement.

    Args:
        is_borne_out: the passages say it.
        reason: what speaks against it; of one that is borne out, what could not be compared; otherwise empty.
        score: the share of its telling terms that the evidence has, in [0, 1].
        quote: the sentence that says most of it, verbatim; empty where none has any of it.
        at: index of the passage that holds the quote.
        is_comparable: False where the passage is in another language and there was nothing to compare.
    """

    is_borne_out: bool
    reason: str
    score: float
    quote: str
    at: int = 0
    is_comparable: bool = True


def judge(
    claim: str, passages: Sequence[str], rarity: Rarity, *, language: str = UNDETERMINED, written: str = UNDETERMINED
) -> Verdict:
    """What the passages say of a claim.

    About a millisecond for a page.

    Args:
        passages: texts that belong together: neighbours of one document.
        language: of the claim, ISO 639-1, as far as it is known.
        written: of the passages.
    """
    whole = "\n".join(passages)
    quote, score, at = _best(claim, passages, rarity)
    missing = numbers_missing(claim, whole)
    if UNDETERMINED not in (language, written) and language != written and score < SUPPORTED:
        return _of_another_language(claim, whole, missing, Verdict(False, "", score, quote, at), language)
    if quoted := _QUOTED.findall(claim):
        lost = [words for words in quoted if words.count(" ") > 1 and not _stands_in(words, whole)]
        if lost:
            return Verdict(False, f"the passage does not have the words “{_short(lost[0])}”", score, quote, at)
        found = [words for words in quoted if _folded(words) in _folded(whole)]
        if found and not missing and (exact := _verbatim(max(found, key=len), passages)):
            return Verdict(True, "", 1.0, *exact)
    if missing:
        return Verdict(False, f"the passage does not have the number {missing[0]}", score, quote, at)
    if score < SUPPORTED:
        return Verdict(False, "the passage does not say so in these words", score, quote, at)
    if other := _other_name(claim, quote, whole, score, language):
        return Verdict(False, f"the passage does not name {other}", score, quote, at)
    if score >= _NEAR_COPY and (other := _other_number(claim, quote, rarity)):
        return Verdict(False, f"the passage has another number where the answer has {other}", score, quote, at)
    if score >= _NEAR_COPY and _denies(claim, quote, language):
        return Verdict(False, "the passage denies it, or says what the answer denies", score, quote, at)
    return Verdict(True, "", score, quote, at)


def _other_number(claim: str, quote: str, rarity: Rarity) -> str:
    """A number of the claim that stands elsewhere in the passage, while the same sentence has another one; empty for none."""
    ours, theirs = numbers_missing(claim, quote), numbers_missing(quote, claim)
    if not (ours and theirs) or rarity.support(terms(claim), terms(quote)) < _SAME:
        return ""
    return ours[0]


def _denies(claim: str, quote: str, language: str) -> bool:
    """Whether one of two sentences is negated; of a longer one, as far as the other has its words."""
    is_unspaced = _UNSPACED.search(claim) is not None
    ours, theirs = _units(claim, is_unspaced=is_unspaced), _units(quote, is_unspaced=is_unspaced)
    blocks = SequenceMatcher(None, theirs, ours, autojunk=False).get_matching_blocks()[:-1]
    if not blocks:
        return False
    around = _AROUND_CHARS if is_unspaced else _AROUND_WORDS
    stretch = theirs[max(0, blocks[0].a - around) : blocks[-1].a + blocks[-1].size + around]
    compared = ("" if is_unspaced else " ").join(stretch)
    return (negations(claim, language) > 0) != (negations(compared, language) > 0)


def _units(text: str, *, is_unspaced: bool) -> list[str]:
    """Words; characters where words are not spaced."""
    return [*text.casefold()] if is_unspaced else text.casefold().split()


def _best(claim: str, passages: Sequence[str], rarity: Rarity) -> tuple[str, float, int]:
    """The sentence that has most of the claim, what it and its neighbours have of it, and its passage."""
    wanted = terms(claim)
    best, most, at = "", 0.0, 0
    shared = 0.0
    for index, passage in enumerate(passages):
        sentences, listed = _sentences(passage)
        alone = [rarity.support(wanted, one) for one in listed]
        for place, covered in enumerate(alone):
            if not covered:
                continue
            around = frozenset[int]().union(*listed[max(0, place - 1) : place + 2])
            together = rarity.support(wanted, around)
            if (covered, together) > (most, shared):
                best, most, shared, at = sentences[place], covered, together, index
    # Neighbours complete a sentence that says a good part by itself; scattered words are no statement.
    return best, (shared if most >= SUPPORTED / 2 else most), at


@lru_cache(maxsize=512)
def _sentences(passage: str) -> tuple[tuple[str, ...], tuple[frozenset[int], ...]]:
    """The sentences of a passage, and their terms; the claims of one answer ask for the same."""
    sentences = tuple(passage[start:end] for start, end in sentence_spans(passage))
    return sentences, tuple(terms(sentence) for sentence in sentences)


def _of_another_language(claim: str, whole: str, missing: Sequence[str], found: Verdict, language: str) -> Verdict:
    """By numbers and names alone."""
    if missing:
        return _with(found, False, f"the passage does not have the number {missing[0]}")
    named = [name for name in names(claim, language) if _same_script(name, whole)]
    kept = [name for name in named if is_named(name, whole)]
    numbered = any(char.isdigit() for char in claim)
    if len(kept) < len(named) - len(kept):
        lost = next(name for name in named if name not in kept)
        return _with(found, False, f"the passage does not name {lost}")
    if not kept and not numbered:
        said = "the passage is in another language and has no number or name to compare"
        return Verdict(False, said, found.score, found.quote, found.at, is_comparable=False)
    return _with(found, True, "the passage is in another language: only numbers and names could be compared")


def _with(found: Verdict, is_borne_out: bool, reason: str) -> Verdict:
    return Verdict(is_borne_out, reason, found.score, found.quote, found.at)


def _other_name(claim: str, quote: str, whole: str, score: float, language: str) -> str:
    """A name of the claim that the passages do not have; empty where they have all."""
    lost = [name for name in names(claim, language) if not is_named(name, whole)]
    if lost:
        return lost[0]
    if score < SUPPORTED:
        return ""
    if _UNSPACED.search(claim) or _HANGUL.search(claim):
        return _swapped(claim, quote, whole)
    return _unknown_pair(claim, whole) if _WITHOUT_CAPITALS.search(claim) else ""


def _swapped(claim: str, quote: str, whole: str) -> str:
    """A short stretch of a near copy that stands in another's place and begins as names do in East Asia."""
    for action, first, last, start, end in SequenceMatcher(None, quote, claim, autojunk=False).get_opcodes():
        changed = claim[start:end]
        is_short = action == "replace" and max(last - first, end - start) <= _SWAPPED_CHARS and changed not in whole
        if is_short and changed.startswith(_SURNAMES) and quote[first:last].startswith(_SURNAMES):
            return changed
    return ""


def _unknown_pair(claim: str, whole: str) -> str:
    """Two words in a row that the passages do not have: in scripts without capitals, most likely a name."""
    known = [is_named(word, whole) for word in claim.split()]
    words = claim.split()
    pairs = (at for at in range(1, len(words)) if not known[at] and not known[at - 1])
    return next((f"{words[at - 1]} {words[at]}" for at in pairs), "")


def _same_script(name: str, text: str) -> bool:
    """Whether a name could stand in the text as it is."""
    return any(char.isascii() and char.isalpha() for char in text) if name.isascii() else name[0] in text


def _stands_in(quoted: str, whole: str) -> bool:
    """Whether the words of a quotation stand there in their order, but for a few."""
    words, have = _folded(quoted).split(), _folded(whole).split()
    if " ".join(words) in " ".join(have):
        return True
    matched = sum(block.size for block in SequenceMatcher(None, have, words, autojunk=False).get_matching_blocks())
    return matched >= _QUOTE_ALIKE * len(words)


def _verbatim(words: str, passages: Sequence[str]) -> tuple[str, int] | None:
    """The words as a passage has them, white space apart, and its index."""
    wanted = " ".join(words.split())
    return next(((wanted, at) for at, passage in enumerate(passages) if wanted in " ".join(passage.split())), None)


@lru_cache(maxsize=256)
def _folded(text: str) -> str:
    """For comparing: letters and digits in lower case, one space between words."""
    return " ".join("".join(char if char.isalnum() else " " for char in text.casefold()).split())


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:59]}…"
