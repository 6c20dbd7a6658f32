"""Any LLM of LlamaIndex as the chat model: streamed, counted, limited as it can be, and its failures told as ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("llama_index.core", reason="needs the llamaindex extra")

from llama_index.core.llms import CompletionResponse, CompletionResponseGen, CustomLLM, LLMMetadata, MockLLM
from pydantic import BaseModel
from tests.builders import settings_for

from phidex import Answer, BudgetError, ConfigError, Delta, Filters, IncompleteAnswerError, Phidex, Route, ServiceError
from phidex.adapters.llamaindex import LlamaIndexChat
from phidex.generation.chat_wire import Done, ImagePart, Message, Usage

ASKED = (Message("system", "Be brief."), Message("user", "How much is the rent?"))


class Told(CustomLLM):
    """Says what it is told to, word by word, and keeps what it was asked."""

    reply: str = "The rent is 2,400 euros a month [1]."
    window: int = 4096
    asked: list[Any] = []  # noqa: RUF012  pydantic's
    max_tokens: int = 256

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(context_window=self.window, model_name="told-1")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise AssertionError("it is streamed")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        self.asked.append((prompt, kwargs))
        for word in self.reply.split(" "):
            if word == "BREAK":
                raise RuntimeError("connection reset")
            yield CompletionResponse(text=word, delta=f"{word} ")


def asked_of(notes: Phidex, llm: Any, **options: Any) -> Phidex:
    return Phidex(settings=settings_for(notes.settings.data), chat=LlamaIndexChat(llm, **options))


def test_it_writes_the_answers_with_checked_citations(notes: Phidex) -> None:
    llm = Told()
    with asked_of(notes, llm) as phidex:
        answer = phidex.ask("How much is the rent?", "notes", filters=Filters(names=("lease.md",)))
        events = list(phidex.ask("How much is the rent?", "notes", stream=True))
    assert answer.text == "The rent is 2,400 euros a month [1]."
    assert (answer.route.role, answer.route.model, answer.ledger.counted_by) == ("mini", "told-1", "estimate")
    assert [one.verified for one in answer.citations] == [True]
    assert isinstance(events[0], Route)
    assert sum(isinstance(event, Delta) for event in events) > 3
    assert isinstance(events[-1], Answer)
    prompt, options = llm.asked[0]
    assert "2,400 euros" in prompt
    assert set(options) == {"max_tokens"}  # it has a field of that name, and none for the temperature


def test_the_settings_say_who_answers(notes: Phidex) -> None:
    with asked_of(notes, Told(), name="phi-3.5 here") as phidex:
        assert phidex.settings.chat.mini == "phi-3.5 here"
        assert phidex.status()["chat"].startswith("given:")
        assert phidex.summarize("lease.md", "notes").route.model == "phi-3.5 here"


def test_a_schema_is_held_to_once_the_reply_has_come(notes: Phidex) -> None:
    class Rent(BaseModel):
        euros: int

    with asked_of(notes, Told(reply='{"euros": 2400}')) as phidex:
        found = phidex.ask("How much is the rent?", "notes", schema=Rent)
    assert found.data == Rent(euros=2400)


def _words(text: str) -> int:
    return len(text.split())


def test_tokens_are_counted_where_a_tokenizer_is_given_and_the_window_is_kept(notes: Phidex) -> None:
    chat = LlamaIndexChat(Told(), count_tokens=lambda text: len(text.split()))
    assert chat.count_each(["a b", "c"], model="") == [2, 1]
    assert chat.count_tokens("a b c", model="") == 3
    assert chat.count_tokens(ASKED, model="") is None
    assert LlamaIndexChat(Told()).count_each(["a"], model="") is None
    assert (chat.window_tokens(""), LlamaIndexChat(Told(), window_tokens=99).window_tokens("")) == (4096, 99)
    with asked_of(notes, Told(), count_tokens=_words) as phidex:
        assert phidex.ask("How much is the rent?", "notes").ledger.counted_by == "server"
    with asked_of(notes, Told(window=500)) as phidex, pytest.raises(BudgetError, match="window of 500"):
        phidex.ask("How much is the rent?", "notes")


def test_failures_are_ours(notes: Phidex) -> None:
    with asked_of(notes, Told(reply="BREAK")) as phidex:
        answer = phidex.ask("How much is the rent?", "notes")  # the best passages are quoted in its place
        assert answer.route.role == "extractive"
        assert "connection reset" in answer.warnings[0]
        with pytest.raises(ServiceError, match="connection reset") as down:
            phidex.ask("How much is the rent?", "notes", role="mini")
        assert down.value.retryable
    with asked_of(notes, Told(reply="The rent BREAK")) as phidex, pytest.raises(IncompleteAnswerError) as broken:
        phidex.ask("How much is the rent?", "notes")
    assert broken.value.partial.strip() == "The rent"
    with pytest.raises(ConfigError, match="an image"):
        next(LlamaIndexChat(Told()).stream([Message("user", "?", (ImagePart("data:image/png;base64,"),))], model=""))


def test_a_cancelled_answer_ends_without_a_done_and_closes_the_stream() -> None:
    llm, cancelled = Closable(), threading.Event()
    events = LlamaIndexChat(llm).stream(ASKED, model="", cancelled=cancelled)
    assert next(events) == Delta("a")
    cancelled.set()
    assert list(events) == []
    assert llm.closed
    llm = Closable()
    events = LlamaIndexChat(llm).stream(ASKED, model="")
    next(events)
    events.close()
    assert llm.closed


@dataclass
class Closable:
    """An LLM whose pieces have no `delta`, and end with what servers say of usage."""

    metadata: Any = field(default_factory=lambda: SimpleNamespace(model_name="unknown", context_window=-1))
    closed: bool = False

    def stream_chat(self, messages: Any, **kwargs: Any) -> Iterator[Any]:
        assert kwargs == {}
        assert [(one.role.value, one.content) for one in messages] == [(one.role, one.content) for one in ASKED]
        told = {"usage": {"prompt_tokens": 7, "completion_tokens": 2}, "choices": [{"finish_reason": "length"}]}
        try:
            for text, raw in (("a", None), ("ab", told)):
                yield SimpleNamespace(message=SimpleNamespace(content=text), delta=None, raw=raw, additional_kwargs={})
        finally:
            self.closed = True


def test_what_a_reply_says_of_itself_is_read() -> None:
    chat = LlamaIndexChat(Closable())
    assert chat.name == "Closable"
    assert chat.window_tokens("") is None
    assert list(chat.stream(ASKED, model="m")) == [Delta("a"), Delta("b"), Done("length", Usage(7, 2), "m")]
    assert LlamaIndexChat(MockLLM()).name == "MockLLM"
