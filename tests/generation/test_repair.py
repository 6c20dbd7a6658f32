"""A model's own correction: asked for once, on top of what was sent, and kept only where it is better."""

from __future__ import annotations

import threading

import pytest
from tests.generation.passages import BOILER, LEASE
from tests.generation.scripted import Said, Scripted
from tests.generation.test_respond import stored

from phidex.errors import BudgetError, PhidexError, ServiceError
from phidex.generation.answer import Answer, AnswerEvent, Notice, Route
from phidex.generation.chat import Delta
from phidex.generation.conversation import Conversation
from phidex.generation.prompt import ABSENT
from phidex.generation.respond import Responder
from phidex.settings import ChatSettings, PackSettings

TRUE = "Maria Okafor signed the lease on 14 May 2021 [1]."
WRONG = f"{TRUE} The rent is 9,999 euros a month [1]."
RIGHT = f"{TRUE} The rent is 1,250 euros a month [1]."


def ask(
    *replies: Said, conversation: Conversation | None = None, chat: Scripted | None = None, **settings: bool
) -> tuple[list[AnswerEvent], Answer, Scripted]:
    chat = chat or Scripted(list(replies))
    given = ChatSettings(url="u", **settings)  # type: ignore[arg-type]
    responder = Responder(PackSettings(order="rank"), given, chat, None, stored)  # pyright: ignore[reportCallIssue]
    events = list(responder.events("What is in the lease?", [LEASE, BOILER], conversation=conversation))
    answer = events[-1]
    assert isinstance(answer, Answer)
    return events, answer, chat


def test_what_the_sources_do_not_bear_out_is_corrected_by_the_same_model() -> None:
    events, answer, chat = ask(WRONG, RIGHT)
    assert answer.text == RIGHT
    assert answer.unsupported == ()
    first, second = chat.prompts
    assert second[: len(first)] == first  # what a server has cached
    assert [message.role for message in second[len(first) :]] == ["assistant", "user"]
    assert second[-2].content == WRONG
    assert "- The rent is 9,999 euros a month. (the passage does not have the number 9,999)" in second[-1].content
    assert "Maria" not in second[-1].content
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 200  # of both
    assert answer.route.signals["repaired"] is True
    assert any("corrected its answer" in warning for warning in answer.warnings)
    assert not any("does not clearly support" in warning for warning in answer.warnings)
    routes = [at for at, event in enumerate(events) if isinstance(event, Route)]
    assert len(routes) == 2
    assert "".join(event.text for event in events[routes[1] :] if isinstance(event, Delta)) == RIGHT
    assert "repair" in answer.timings


def test_a_statement_without_a_source_gets_one() -> None:
    _, answer, chat = ask(f"{TRUE} The rent is 1,250 euros a month.", RIGHT)
    assert "names no source" in chat.prompts[1][-1].content
    assert answer.uncited == ()


@pytest.mark.parametrize(
    "second",
    [
        WRONG,  # no better
        "The rent is 1,250 euros [2].",  # says less that is borne out
        ABSENT,
        "",
        "Sorry.",
        ServiceError("it went away"),
        BudgetError("too long"),
    ],
)
def test_the_first_answer_stands_where_the_second_is_no_better(second: Said) -> None:
    events, answer, chat = ask(WRONG, second)
    assert len(chat.prompts) == 2
    assert answer.text == WRONG
    assert len(answer.unsupported) == 1
    assert sum(isinstance(event, Route) for event in events) == 1
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == (100 if isinstance(second, PhidexError) else 200)
    assert any("does not clearly support" in event.text for event in events if isinstance(event, Notice))


def test_what_is_borne_out_or_cannot_be_corrected_is_asked_once() -> None:
    for chat in (ask(RIGHT)[2], ask(ABSENT)[2], ask(WRONG, repair=False)[2]):
        assert len(chat.prompts) == 1
    _, _, cut = ask(chat=Scripted(WRONG, finish="length"))
    assert len(cut.prompts) == 1
    _, answer, small = ask(chat=Scripted([WRONG, RIGHT], counted=True, window=1_500))
    assert answer.text == RIGHT
    assert small.limits[1] + (small.count_tokens(small.prompts[1], model="m") or 0) <= 1_500


def test_a_conversation_goes_on_from_the_corrected_answer() -> None:
    conversation = Conversation()
    ask(WRONG, RIGHT, conversation=conversation)
    assert [turn.reply for turn in conversation.turns] == [RIGHT]
    _, _, chat = ask(TRUE, conversation=conversation)
    assert [message.content for message in chat.asked if message.role == "assistant"] == [RIGHT]


def test_no_correction_is_asked_for_once_the_answer_is_stopped() -> None:
    chat, stop = Scripted([WRONG, RIGHT]), threading.Event()
    given = ChatSettings(url="u")  # pyright: ignore[reportCallIssue]
    responder = Responder(PackSettings(order="rank"), given, chat, None, stored)  # pyright: ignore[reportCallIssue]
    for event in responder.events("What is in the lease?", [LEASE, BOILER], cancelled=stop):
        if isinstance(event, Delta) and "9,999" in event.text:
            stop.set()
    assert len(chat.prompts) <= 2 - stop.is_set()
