"""Follow-ups without a model: "and in Germany?" is searched with what the question before it was about.

Only what is searched changes; the question stays as it was asked. A question that stands on its own is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from phidex.ingest.language import detect_language
from phidex.retrieval.query.words import Words, all_words

_WORD = re.compile(r"[\w\u0591-\u05c7]+(?:['’\-.][\w]+)*")
_SPACELESS = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
_MARKS = " ?？!！。.,،؟¿¡\"'“”„«»"
_MOST_WORDS = 9  # a longer question says what it is about
_MOST_SIGNS = 24  # the same, in a script without spaces
_SURE = 0.5
_JOINTS = re.compile("[-'’]")
_PARTICLES = re.compile(
    r"[的是のはがをにでと、，。？！?!\s]|(?:ですか|ますか|でしょうか|くらい|する|しました|します|です|ます)"
)
_KATAKANA = re.compile("[\u30a1-\u30fa]{2}")
_ARTICLES_TEXT = """
the a an der die das den dem ein eine einen einer le la les l un une el los las una il lo gli i o os as um uma het de een
"""
_ARTICLES = frozenset(_ARTICLES_TEXT.split())


def with_context(question: str, earlier: Sequence[str]) -> str | None:
    """What to search for a question that hangs on an earlier one; None where it stands on its own.

    It borrows from the last question that stood on its own: what lay between asked about the same.

    Args:
        earlier: the questions before it, oldest first.

    >>> with_context("And in Germany?", ["What is the tax on books in France?"])
    'And in Germany? tax books'
    >>> with_context("How long is the warranty of the pump?", ["What is the tax on books?"]) is None
    True
    """
    if not earlier or not hangs_on(question, earlier[-1]):
        return None
    subject = next(
        (
            asked
            for before, asked in zip(reversed(["", *earlier[:-1]]), reversed(earlier), strict=True)
            if not _hangs(asked, before)
        ),
        earlier[0],
    )
    terms = _telling(subject, question)
    return f"{question.strip()} {' '.join(terms)}" if terms else question.strip()


def hangs_on(question: str, before: str) -> bool:
    """Whether a question cannot be understood without the one before it."""
    languages = [language for language, score in map(detect_language, (before, question)) if score >= _SURE]
    known = [all_words()[language] for language in dict.fromkeys(languages) if language in all_words()]
    bare = question.strip(_MARKS)
    if not bare or len(bare) > 200:
        return False
    if _SPACELESS.search(bare):
        return any(_hangs_spaceless(bare, words) for words in known or all_words().values())
    return any(_hangs_spaced(question, bare, words) for words in known or [all_words()["en"]])


def _hangs(question: str, before: str) -> bool:
    return bool(before) and hangs_on(question, before)


def _hangs_spaced(question: str, bare: str, words: Words) -> bool:
    tokens = _WORD.findall(bare)
    if not tokens or len(tokens) > _MOST_WORDS:
        return False
    low = [token.lower() for token in tokens]
    content = [token for token in low if token not in words.vague and token not in words.refers]
    if not content and (low[0] in words.asks or len(low) > 1):
        return True  # "Why?", "How much is it?"
    joined = bare.lower() + " "
    if len(content) <= 4 and any(_begins(joined, low[0], beginning, words) for beginning in words.goes_on):
        return True
    if words.dangles and len(tokens) <= 2 and low[-1].endswith(words.dangles):
        return True
    subjects = [token for at, token in enumerate(tokens) if at and token[:1].isupper() and low[at] in content]
    # German "Sie" is no "sie": all but the first word count as they are written.
    if any(_refers(token, words) for token in (low[0], *tokens[1:]) if token.islower()):
        return len(content) <= 3 and not (subjects and len(content) > 2)
    weak = [at for at, token in enumerate(low) if token in words.refers and token in words.vague]
    if weak and (weak[-1] == len(low) - 1 or len(content) == 1):
        return len(content) <= 2 and not subjects
    asked = question.rstrip().endswith(("?", "؟"))
    return asked and len(content) <= 2 and len(low) <= 4 and low[0] in words.vague and low[0] not in words.asks


def _begins(joined: str, first: str, beginning: str, words: Words) -> bool:
    """Whether a question begins so; a single letter is written together with the next word, and counts before such words."""
    if len(beginning) == 1:
        return first[:1] == beginning and (first[1:] in words.vague or first[1:] in words.asks or first[1:] in words.refers)
    return joined.startswith(beginning if beginning.endswith(" ") else beginning + " ")


def _hangs_spaceless(bare: str, words: Words) -> bool:
    if len(bare) > _MOST_SIGNS:
        return False
    if bare.startswith(words.goes_on) and words.goes_on:
        return True
    if words.dangles and bare.endswith(words.dangles) and len(bare) <= 12:
        return True
    return any(0 <= bare.find(word) <= 2 for word in words.refers if len(word) > 1 or bare.startswith(word))


def _telling(subject: str, question: str) -> list[str]:
    """The words of an earlier question that belong to the new one: what it was about, or what it asked of something else."""
    language, _ = detect_language(subject)
    words = all_words().get(language, all_words()["en"])
    bare = question.strip(_MARKS)
    opening = max((len(one) for one in words.goes_on if bare.lower().startswith(one)), default=0)
    if _SPACELESS.search(subject):
        return _segments_kept(subject, bare[opening:], words)
    tokens, own = _WORD.findall(subject), ["", *_WORD.findall(bare[opening:])] if opening else _WORD.findall(bare)
    pronoun = any(_refers(token, words) for token in own)
    names = [at for at, token in enumerate(tokens) if token[:1].isupper() and token.lower() not in words.vague | words.asks]
    if not pronoun and (swapped := _swapped(tokens, own, names, words)):
        kept = [at for at in range(len(tokens)) if at not in swapped]
    elif names:  # a new thing is asked of what has a name: the name, and the word beside it ("Aquila pump")
        kept = sorted({near for at in names for near in (at - 1, at, at + 1) if 0 <= near < len(tokens)})
    else:
        kept = list(range(len(tokens)))
    low = {token.lower() for token in own}
    silent = words.vague | words.refers | words.asks | low
    return [tokens[at] for at in kept if tokens[at].lower() not in silent]


def _swapped(tokens: Sequence[str], own: Sequence[str], names: Sequence[int], words: Words) -> set[int]:
    """The words that a new name takes the place of: what stands behind the same preposition, or the last name."""
    behind = {one.lower() for one, two in pairwise(own) if one.lower() in words.vague and two.lower() not in words.vague}
    for at, (previous, token) in enumerate(pairwise(tokens), 1):
        if at > 1 and previous.lower() in behind - _ARTICLES and token.lower() not in words.vague:
            return {at}
    named = [
        token
        for previous, token in pairwise(own)
        if token[:1].isupper() and token.lower() not in words.vague and previous.lower() not in _ARTICLES
    ]
    return {names[-1]} if names and named else set()


def _segments_kept(subject: str, question: str, words: Words) -> list[str]:
    """The same in a script without spaces, by the particles between the parts of a question.

    The new part takes the place of the one that looks like it (written in the same script, or with a sign in common), and
    else of the last: what was asked.
    """
    asking = sorted({*words.asks, *words.tail, *words.refers, *words.goes_on}, key=len, reverse=True)
    old = _parted(subject, asking)
    new = _parted(question, asking)
    if len(old) < 2 or not new:
        return old
    pronoun = any(word in question for word in words.refers if len(word) > 1 or question.startswith(word))
    likeness = [0 if pronoun else max(_likeness(part, one) for one in new) for part in old]
    out = likeness.index(max(likeness)) if max(likeness) > 1 else len(old) - 1
    return [part for at, part in enumerate(old) if at != out]


def _parted(text: str, asking: Sequence[str]) -> list[str]:
    for word in asking:
        text = text.replace(word, " ")
    return [part for part in _PARTICLES.sub(" ", text).split() if part.strip(_MARKS)]


def _likeness(one: str, other: str) -> int:
    shared = len(set(one) & set(other))
    is_kana = bool(_KATAKANA.search(one)) and bool(_KATAKANA.search(other))
    return 2 * shared + 2 * is_kana


def _refers(token: str, words: Words) -> bool:
    """Whether a word stands for something named before; of "coûte-t-elle", the part behind the verb counts too."""
    low = token.lower()
    parts = {low, *_JOINTS.split(low)[1:]}
    return any(part in words.refers and part not in words.vague for part in parts)
