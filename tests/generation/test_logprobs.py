"""How sure a model was of its words: asked for where wanted, read from the stream, and never the reason of a failure."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from tests.generation.faulty import QUESTION, Peer, Script, chat_settings, faulty_server, reply
from tests.generation.structured.served import Model

from phidex.errors import InputError
from phidex.generation.chat import Done, OpenAIChat
from phidex.generation.chat_wire import AnswerReader

WANTED = {"logprobs": True}


def ask(chat: OpenAIChat, extra: dict[str, Any] | None = None) -> Done:
    *_, last = chat.stream(QUESTION, model="phi-3.5-mini", max_tokens=24, extra=WANTED if extra is None else extra)
    assert isinstance(last, Done)
    return last


def read(*tokens: tuple[str, float | None]) -> float | None:
    """What a stream of tokens with these log-probabilities tells."""
    reader = AnswerReader()
    for text, logprob in tokens:
        weighed: dict[str, Any] = {"content": [{"token": text, "logprob": logprob, "top_logprobs": []}]}
        choice: dict[str, Any] = {"delta": {"content": text}, "logprobs": weighed, "finish_reason": None}
        list(reader.feed(f"data: {json.dumps({'choices': [choice]})}\n\n".encode()))
    list(reader.feed(b'data: {"choices": [{"delta": {}, "logprobs": null, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'))
    return reader.done().confidence


def test_the_mean_is_of_the_tokens_that_say_something() -> None:
    assert read(("So", math.log(0.9)), ("be", math.log(0.4))) == pytest.approx(math.sqrt(0.36))
    assert read(("So", math.log(0.9)), (".", -9.0), ("\n\n", -9.0), ("<|", -9.0)) == pytest.approx(0.9)
    assert read(("So", -9999.0)) == pytest.approx(math.exp(-20))
    assert read((".", -1.0)) is None
    assert read(("So", None)) is None


def test_a_server_that_refuses_them_is_asked_without_from_then_on() -> None:
    model = Model("The harbour is deep.", refuses=["logprobs"])
    bodies: list[dict[str, Any]] = []

    def serve(peer: Peer) -> None:
        if "/chat/completions" in peer.request.line:
            bodies.append(peer.request.json)
        model(peer)

    with faulty_server(serve) as server, OpenAIChat(chat_settings(server.url)) as chat:
        assert ask(chat).confidence is None
        assert ask(chat).finish_reason == "stop"
    assert ["logprobs" in body for body in bodies] == [True, False, False]


def test_what_is_refused_for_another_reason_says_nothing_of_them() -> None:
    refused: Script = reply(400, {"error": {"message": "the messages are malformed"}})
    asked: list[bool] = []

    def serve(peer: Peer) -> None:
        asked.append("logprobs" in peer.request.json)
        refused(peer)

    with faulty_server(serve) as server, OpenAIChat(chat_settings(server.url)) as chat:
        for _ in range(2):
            with pytest.raises(InputError, match="malformed"):
                ask(chat)
    assert asked == [True, False, True, False]


@pytest.mark.vllm
def test_a_real_server_tells_them_where_they_are_wanted(vllm: str) -> None:
    with OpenAIChat(chat_settings(vllm)) as chat:
        told = ask(chat).confidence
        assert told is not None
        assert 0 < told <= 1
        assert ask(chat, {}).confidence is None
