"""Questions rewritten with a model's help: with a scripted model for what it may say, and a real vLLM for how it is asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.generation.faulty import chat_settings
from tests.generation.scripted import Said, Scripted

from phidex.errors import ServiceError
from phidex.generation.chat import Delta, Message, OpenAIChat
from phidex.generation.rewrite import Rewriter, languages_to_cover, read_texts
from phidex.generation.rewrite_prompts import rewrite_messages, schema
from phidex.retrieval.embed import EmbedderIdentity
from phidex.settings import SearchSettings

HISTORY = [
    Message("user", "How much does the Aquila pump cost?"),
    Message("assistant", "It costs 340 euros [1]. <|end|>"),
]
TASKS = {"rewrite": "understood without", "parts": "apart", "translate": "translate a", "guess": "the passage of"}


class ByTask(Scripted):
    """Answers by task, and keeps what it was asked; a callable may fail or wait."""

    def __init__(self, **replies: str | Callable[[], str]) -> None:
        super().__init__(prompt_tokens=None)
        self.replies = replies
        self.tasks: dict[str, Sequence[Message]] = {}

    def say(self, messages: Sequence[Message], model: str) -> Said:
        task = next(name for name, words in TASKS.items() if words in messages[0].content)
        self.tasks[task] = messages
        reply = self.replies[task]
        return reply if isinstance(reply, str) else reply()


def settings(**values: Any) -> SearchSettings:
    return SearchSettings(**values)


def rewriter(chat: Any, **values: Any) -> Rewriter:
    return Rewriter(settings(**values), chat, model="m")


def test_a_follow_up_is_completed_by_the_model_and_shown() -> None:
    chat = ByTask(rewrite="What does the Aquila pump weigh?")
    found = rewriter(chat).rewrite("And what does it weigh?", HISTORY)
    assert (found.question, found.search, found.by) == ("What does the Aquila pump weigh?",) * 2 + ("model",)
    assert found.is_changed
    assert found.asked == "And what does it weigh?"
    sent = chat.tasks["rewrite"][1].content
    assert "User: How much does the Aquila pump cost?" in sent
    assert "<|end|>" not in sent


def test_a_question_that_stands_alone_is_not_given_to_the_model_unless_asked_for() -> None:
    chat = ByTask(rewrite="What is the tax on books in Germany?")
    alone = "What is the tax on books in Germany?"
    assert rewriter(chat).rewrite(alone, HISTORY).by == ""
    assert rewriter(chat, rewrite="off").rewrite("And what does it weigh?", HISTORY).search == "And what does it weigh?"
    assert not chat.tasks
    always = rewriter(chat, rewrite="model").rewrite(alone, HISTORY)
    assert chat.tasks
    assert (always.by, always.is_changed) == ("", False)


@pytest.mark.parametrize("chat", [None, ByTask(rewrite="…")])
def test_without_a_model_the_words_of_the_question_before_are_searched(chat: Any) -> None:
    found = rewriter(chat, rewrite="words").rewrite("And what does it weigh?", HISTORY)
    assert (found.question, found.search, found.by) == (
        "And what does it weigh?",
        "And what does it weigh? Aquila pump",
        "words",
    )
    assert not found.is_changed
    assert found.warnings == ()


def fail() -> str:
    raise ServiceError("the endpoint is down")


def wait() -> str:
    time.sleep(0.3)
    return "What does the Aquila pump weigh?"


@pytest.mark.parametrize(
    ("reply", "warning"),
    [
        (fail, "the endpoint is down"),
        (wait, "longer than 0.1 s"),
        ("", "nothing usable"),
        ("?!", "nothing usable"),
        ("one?\ntwo?", "nothing usable"),
        ("x" * 1000, "nothing usable"),
        ('{"texts": "a"}', "nothing usable"),
        ('{"texts": [', "nothing usable"),
        ("Wie viel wiegt die Pumpe Aquila denn eigentlich genau?", "another language"),
    ],
)
def test_whatever_fails_leaves_the_question_as_it_was_with_a_warning(reply: Any, warning: str) -> None:
    seconds = 0.1 if reply is wait else 20.0
    found = rewriter(ByTask(rewrite=reply), rewrite_timeout_s=seconds).rewrite("And what does it weigh?", HISTORY)
    assert (found.question, found.search, found.by) == (
        "And what does it weigh?",
        "And what does it weigh? Aquila pump",
        "words",
    )
    assert warning in found.warnings[0]


def test_a_question_is_taken_apart_translated_and_guessed_at() -> None:
    chat = ByTask(
        parts='{"texts": ["When was the bridge built?", "Who paid for it?"]}',
        translate="1. Wer hat die Brücke bezahlt und gebaut?\n2. Qui a payé et construit le grand pont ?",
        guess="The bridge was built in 1911.\nThe city paid for it.",
    )
    asking = rewriter(chat, decompose=True, translate=True, hypothetical=True)
    found = asking.rewrite("When was the bridge built and who paid for it?", languages=("de", "fr"))
    assert found.parts == ("When was the bridge built?", "Who paid for it?")
    assert found.translations == {
        "de": "Wer hat die Brücke bezahlt und gebaut?",
        "fr": "Qui a payé et construit le grand pont ?",
    }
    assert found.guesses == ("The bridge was built in 1911. The city paid for it.",)
    assert found.wordings == (*found.translations.values(), *found.guesses)
    assert "German (de), French (fr)" in chat.tasks["translate"][1].content
    assert json.loads(json.dumps(found.to_dict()))["parts"] == list(found.parts)


def test_one_failure_does_not_take_the_others_along() -> None:
    chat = ByTask(parts=fail, translate="Wer hat die Brücke gebaut und bezahlt?", guess="The city built it.")
    found = rewriter(chat, decompose=True, translate=True, hypothetical=True).rewrite("Who built it?", languages=("de",))
    assert (found.parts, len(found.translations), len(found.guesses)) == ((), 1, 1)
    assert found.warnings == (
        "taking the question apart failed: the endpoint is down; the question is searched as it was asked",
    )


def test_parts_are_four_at_most_and_a_simple_question_has_none() -> None:
    five = ByTask(parts="\n".join(f"{number}. what is {number}?" for number in range(1, 6)))
    found = rewriter(five, decompose=True).rewrite("What are they?")
    assert found.parts == ()
    assert "nothing usable" in found.warnings[0]
    same = rewriter(ByTask(parts="Who built it?"), decompose=True).rewrite("Who built it?")
    assert (same.parts, same.warnings) == ((), ())


def test_a_translation_in_a_wrong_language_is_left_out() -> None:
    chat = ByTask(translate="Who has built the old bridge over the river?")
    assert rewriter(chat, translate=True).rewrite("Who built it?", languages=("de",)).translations == {}


def test_nothing_is_asked_that_was_not_switched_on() -> None:
    chat = ByTask()
    assert rewriter(chat).rewrite("Who built it?", languages=("de",)).wordings == ()
    assert not chat.tasks


def test_a_server_that_knows_no_schema_is_asked_without_one_from_then_on() -> None:
    bodies: list[dict[str, Any]] = []

    def serve(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        if "response_format" in bodies[-1]:
            return httpx.Response(400, json={"error": {"message": "response_format is not supported"}})
        event = {"choices": [{"delta": {"content": "What does the Aquila pump weigh?"}, "finish_reason": "stop"}]}
        text = f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n"
        return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})

    with OpenAIChat(chat_settings("http://127.0.0.1:1/v1"), transport=httpx.MockTransport(serve)) as chat:
        asking = Rewriter(settings(), chat, model="m")
        for _ in range(2):
            assert asking.rewrite("And what does it weigh?", HISTORY).question == "What does the Aquila pump weigh?"
    assert ["response_format" in body for body in bodies] == [True, False, False]
    assert "JSON" in bodies[0]["messages"][0]["content"]
    assert "JSON" not in bodies[1]["messages"][0]["content"]
    assert bodies[0]["response_format"]["json_schema"]["schema"]["properties"]["texts"]["maxItems"] == 1


@given(st.text(max_size=200) | st.from_regex(r'\A\{"texts": \[("[a-z?]*",? ?)*\]\}?\Z'), st.integers(1, 4), st.booleans())
def test_any_reply_is_read_as_few_short_texts_or_none(reply: str, most: int, is_passage: bool) -> None:
    texts = read_texts(reply, most, max_chars=50, is_passage=is_passage)
    assert len(texts) <= most
    assert all(0 < len(text) <= 50 and "\n" not in text for text in texts)


IN_ENGLISH = EmbedderIdentity("a", 3, "0", ("en",))
EVERYWHERE = EmbedderIdentity("b", 3, "0", None)


@pytest.mark.parametrize(
    ("languages", "identity", "wanted"),
    [
        ({"en": 50, "de": 30, "fr": 20}, IN_ENGLISH, ("de", "fr")),
        ({"en": 50, "de": 30, "fr": 20}, None, ("de", "fr")),
        ({"en": 50, "de": 30, "fr": 20}, EVERYWHERE, ()),
        ({"en": 95, "de": 5}, None, ()),
        ({"de": 30, "fr": 25, "it": 25, "es": 20}, None, ("de", "fr", "it")),
        ({"und": 60, "en": 40}, None, ()),
        ({}, None, ()),
    ],
)
def test_which_languages_a_question_does_not_reach(
    languages: Mapping[str, int], identity: EmbedderIdentity | None, wanted: tuple[str, ...]
) -> None:
    assert languages_to_cover("Who has built the old bridge over the river?", languages, identity) == wanted


@pytest.mark.vllm
def test_a_real_server_is_held_to_the_schema(vllm: str) -> None:
    """Its tiny model writes noise: the form, the limits and the fall back are what is tested."""
    with OpenAIChat(chat_settings(vllm)) as chat:
        asking = Rewriter(
            settings(decompose=True, translate=True, hypothetical=True, rewrite_timeout_s=60), chat, model="phi-3.5-mini"
        )
        found = asking.rewrite("And what does it weigh?", HISTORY, languages=("de", "fr"))
        assert found.question
        assert len(found.parts) <= 4
        assert len(found.translations) <= 2
        assert len(found.guesses) <= 1
        assert all("failed" not in warning for warning in found.warnings)
        reply = chat.stream(
            rewrite_messages("parts", "Who?", structured=True), model="phi-3.5-mini", extra=schema(2), max_tokens=40
        )
        assert "".join(event.text for event in reply if isinstance(event, Delta)).lstrip().startswith("{")
        slow = Rewriter(settings(rewrite_timeout_s=0.05), chat, model="phi-3.5-mini")
        started = time.monotonic()
        late = slow.rewrite("And what does it weigh?", HISTORY)
        assert time.monotonic() - started < 5
        assert late.search == "And what does it weigh? Aquila pump"
        assert "longer than 0.05 s" in late.warnings[0]


@pytest.mark.vllm
def test_an_unknown_model_is_a_warning(vllm: str) -> None:
    with OpenAIChat(chat_settings(vllm)) as chat:
        found = Rewriter(settings(), chat, model="phi-9").rewrite("And what does it weigh?", HISTORY)
        assert "phi-9" in found.warnings[0]
        assert found.by == "words"
