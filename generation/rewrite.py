"""Question -> the texts that are searched for it, with a model's help: completed, taken apart, translated, guessed.

None of it is needed: without a model follow-ups are joined with words of an earlier question
(`retrieval/query/followup.py`), and whatever fails leaves the question as it is, with a warning.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, cast

from phidex.errors import InputError, PhidexError
from phidex.generation.chat import ChatModel, takes_extra
from phidex.generation.chat_wire import Done, Message
from phidex.generation.rewrite_prompts import Task, rewrite_messages, schema
from phidex.ingest.language import detect_language
from phidex.retrieval.embed import EmbedderIdentity
from phidex.retrieval.query.followup import hangs_on, with_context
from phidex.retrieval.query.words import all_words
from phidex.settings import SearchSettings

log = logging.getLogger(__name__)

_MOST_PARTS = 4
_MOST_LANGUAGES = 3
_MAIN_SHARE = 0.1  # of the passages: what a main language of a collection has
_MAX_CHARS: dict[Task, int] = {"complete": 600, "parts": 400, "translate": 600, "guess": 1600}
_MAX_TOKENS: dict[Task, int] = {"complete": 200, "parts": 400, "translate": 500, "guess": 400}
_TURNS = 6
_TURN_CHARS = 600
_LEAD = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):]|[A-Za-z ]{2,20}:(?=\s))\s*")
_SURE = 0.7


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What is searched for a question.

    Args:
        asked: the question as it was asked.
        question: the same, complete in itself; shown to the user where it differs (`is_changed`).
        search: what is searched for it: `question`, or its words with those of an earlier question.
        by: "model" or "words", where it is a follow-up that was completed.
        parts: simpler questions, at least two, each to be searched on its own.
        translations: by language.
        guesses: passages that might answer.
        warnings: what failed, in sentences for people.
    """

    asked: str
    question: str
    search: str
    by: str = ""
    parts: tuple[str, ...] = ()
    translations: Mapping[str, str] = field(default_factory=dict[str, str])
    guesses: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether a model put another question in the place of the one that was asked."""
        return self.question != self.asked

    @property
    def wordings(self) -> tuple[str, ...]:
        """Further texts that ask for the same."""
        return (*self.translations.values(), *self.guesses)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "asked": self.asked,
            "question": self.question,
            "search": self.search,
            "by": self.by,
            "parts": list(self.parts),
            "translations": dict(self.translations),
            "guesses": list(self.guesses),
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class _Reply:
    """The texts that a model gave, or why there are none."""

    texts: tuple[str, ...] = ()
    warning: str = ""


class Rewriter:
    """Rewrites questions as the settings say. Safe to share between threads.

    Args:
        chat: the endpoint; None leaves follow-ups to their words, and all else out.
        model: a served name.
    """

    def __init__(self, settings: SearchSettings, chat: ChatModel | None = None, *, model: str = "") -> None:
        self._settings = settings
        self._chat = chat if model else None
        self._model = model
        self._structured = chat is not None and takes_extra(chat)

    def rewrite(self, question: str, history: Sequence[Message] = (), *, languages: Sequence[str] = ()) -> Rewritten:
        """What to search for a question; never fails.

        Args:
            history: the turns before it, oldest first.
            languages: ISO 639-1 codes to translate it into (`languages_to_cover`).
        """
        asked = question.strip()
        whole, search, by, warnings = self._completed(asked, history)
        if self._chat is None or not asked:
            return Rewritten(asked, whole, search, by, warnings=warnings)
        jobs: dict[Task, tuple[int, str]] = {}
        if self._settings.decompose:
            jobs["parts"] = (_MOST_PARTS, "")
        if self._settings.translate and languages:
            jobs["translate"] = (len(languages), ", ".join(f"{_name(code)} ({code})" for code in languages))
        if self._settings.hypothetical:
            jobs["guess"] = (1, "")
        if not jobs:
            return Rewritten(asked, whole, search, by, warnings=warnings)
        with ThreadPoolExecutor(len(jobs)) as pool:
            asking = {task: pool.submit(self._ask, task, whole, most, about=about) for task, (most, about) in jobs.items()}
            replies = {task: future.result() for task, future in asking.items()}
        parts = replies.get("parts", _Reply()).texts
        return Rewritten(
            asked,
            whole,
            search,
            by,
            parts=parts if len(parts) > 1 else (),
            translations=_translations(replies.get("translate", _Reply()).texts, languages),
            guesses=replies.get("guess", _Reply()).texts,
            warnings=(*warnings, *(reply.warning for reply in replies.values() if reply.warning)),
        )

    def _completed(self, asked: str, history: Sequence[Message]) -> tuple[str, str, str, tuple[str, ...]]:
        """The question complete in itself, what is searched for it, by what it was completed, and warnings."""
        how = self._settings.rewrite
        earlier = [turn.content for turn in history if turn.role == "user" and turn.content.strip()]
        if how == "off" or not earlier or not asked:
            return asked, asked, "", ()
        joined = with_context(asked, earlier)
        warnings: tuple[str, ...] = ()
        wants_model = self._chat is not None and (how == "model" or (how == "auto" and hangs_on(asked, earlier[-1])))
        if wants_model:
            turns = [Message(turn.role, turn.content[:_TURN_CHARS]) for turn in history[-_TURNS:] if turn.role != "system"]
            reply = self._ask("complete", asked, 1, before=turns)
            if reply.texts and _keeps_language(reply.texts[0], asked, earlier[-1]):
                whole = reply.texts[0]
                return (whole, whole, "model", ()) if _changes(whole, asked) else (asked, asked, "", ())
            warnings = (reply.warning or "the model rewrote the question in another language: it is searched as it was asked",)
        return asked, joined or asked, "words" if joined else "", warnings

    def _ask(self, task: Task, question: str, most: int, *, before: Sequence[Message] = (), about: str = "") -> _Reply:
        """A model's texts for a task, or a warning."""
        try:
            if self._structured:
                try:
                    return self._read(task, self._reply(task, question, before, about, most), most)
                except InputError:  # a server that knows no schema refuses the request
                    self._structured = False
            return self._read(task, self._reply(task, question, before, about, 0), most)
        except PhidexError as exc:
            log.warning("rewrite failed task=%s error=%s", task, type(exc).__name__)
            return _Reply(warning=f"{_WHAT[task]} failed: {exc.message}; the question is searched as it was asked")

    def _reply(self, task: Task, question: str, before: Sequence[Message], about: str, most: int) -> str | None:
        """What the model says; None where it took too long. With `most`, it is held to a schema."""
        chat = self._chat
        assert chat is not None
        messages = rewrite_messages(task, question, before=before, about=about, structured=most > 0)
        cancelled = threading.Event()
        deadline = time.monotonic() + self._settings.rewrite_timeout_s
        timer = threading.Timer(self._settings.rewrite_timeout_s, cancelled.set)
        timer.daemon = True
        timer.start()
        limits: dict[str, Any] = {
            "model": self._model,
            "max_tokens": _MAX_TOKENS[task],
            "temperature": 0.0,
            "cancelled": cancelled,
        }
        if most and self._structured:
            limits["extra"] = schema(most)
        text: list[str] = []
        done = False
        try:
            with closing(chat.stream(messages, **limits)) as events:
                for event in events:
                    if isinstance(event, Done):
                        done = True
                    else:
                        text.append(event.text)
                    if time.monotonic() > deadline:
                        break
        finally:
            timer.cancel()
        return "".join(text) if done else None

    def _read(self, task: Task, reply: str | None, most: int) -> _Reply:
        if reply is None:
            seconds = self._settings.rewrite_timeout_s
            return _Reply(warning=f"{_WHAT[task]} took longer than {seconds:g} s; the question is searched as it was asked")
        texts = read_texts(reply, most, max_chars=_MAX_CHARS[task], is_passage=task == "guess")
        return (
            _Reply(texts)
            if texts
            else _Reply(warning=f"{_WHAT[task]} gave nothing usable; the question is searched as it was asked")
        )


_WHAT: dict[Task, str] = {
    "complete": "completing the question",
    "parts": "taking the question apart",
    "translate": "translating the question",
    "guess": "guessing an answer",
}


def read_texts(reply: str, most: int, *, max_chars: int, is_passage: bool = False) -> tuple[str, ...]:
    """The texts in a model's reply, JSON or one a line; none where it is something else.

    >>> read_texts('{"texts": ["one?", "two?"]}', 4, max_chars=100)
    ('one?', 'two?')
    >>> read_texts("Sure, here you go:\\n1. one?\\n2. two?", 4, max_chars=100)
    ('one?', 'two?')
    """
    reply = reply.strip()
    if reply.startswith("```"):
        reply = reply.strip("`").removeprefix("json").strip()
    if reply.startswith(("{", "[")):
        return _from_json(reply, most, max_chars)
    if is_passage:
        lines = [" ".join(reply.split())]
    else:
        lines = [
            _LEAD.sub("", line).strip().strip('"“”').strip() for line in reply.splitlines() if not line.rstrip().endswith(":")
        ]
    return _fit(lines, most, max_chars)


def _from_json(reply: str, most: int, max_chars: int) -> tuple[str, ...]:
    try:
        found: Any = json.loads(reply)
    except ValueError:
        return ()
    texts = cast("dict[str, Any]", found).get("texts") if isinstance(found, dict) else found
    if not isinstance(texts, list):
        return ()
    return _fit([" ".join(text.split()) for text in cast("list[Any]", texts) if isinstance(text, str)], most, max_chars)


def _fit(texts: Sequence[str], most: int, max_chars: int) -> tuple[str, ...]:
    """Those that say something and are no longer than a question is; too many of them are none at all."""
    kept = tuple(dict.fromkeys(text for text in texts if any(map(str.isalpha, text))))
    return kept if len(kept) <= most and all(len(text) <= max_chars for text in kept) else ()


def languages_to_cover(question: str, languages: Mapping[str, int], identity: EmbedderIdentity | None) -> tuple[str, ...]:
    """The main languages of a collection that a question does not reach: neither its own, nor crossed to by the dense model.

    Args:
        languages: passages in each language, as `CollectionReader.languages` tells.
        identity: of the dense model; None without one.
    """
    own, score = detect_language(question)
    total = sum(languages.values()) or 1
    reaches = identity is not None and identity.knows(own)
    found = [
        language
        for language, count in sorted(languages.items(), key=lambda item: -item[1])
        if count / total >= _MAIN_SHARE
        and language not in ("und", own if score >= _SURE / 2 else "")
        and not (reaches and identity is not None and identity.knows(language))
    ]
    return tuple(found[:_MOST_LANGUAGES])


def _translations(texts: Sequence[str], languages: Sequence[str]) -> dict[str, str]:
    """Each text by its language; one that is clearly in another language is left out."""
    found: dict[str, str] = {}
    for text, wanted in zip(texts, languages, strict=False):
        language, score = detect_language(text)
        if language == wanted or score < _SURE:
            found[wanted] = text
    return found


def _keeps_language(text: str, asked: str, before: str) -> bool:
    """Whether a rewritten question is still in the language of the conversation, as far as short texts tell."""
    language, score = detect_language(text)
    return score < _SURE or language in {detect_language(asked)[0], detect_language(before)[0]}


def _changes(whole: str, asked: str) -> bool:
    return [*filter(str.isalnum, whole.casefold())] != [*filter(str.isalnum, asked.casefold())]


def _name(code: str) -> str:
    words = all_words().get(code)
    return words.names[0].title() if words else code
