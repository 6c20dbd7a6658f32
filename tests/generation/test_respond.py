"""The path from hits to an answer: with no model, with a scripted one where a reply must be forced, and with a real vLLM."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.generation.passages import BOILER, GERMAN, LEASE, hit
from tests.generation.scripted import Said, Scripted

from phidex.errors import BudgetError, ConfigError, InputError, PhidexError, ServiceError
from phidex.generation.answer import Answer, AnswerEvent, Citation, Notice, Role, Route, event_name
from phidex.generation.chat import Delta, Message, OpenAIChat
from phidex.generation.endpoints.state import RoleState
from phidex.generation.prompt import ABSENT
from phidex.generation.respond import Responder
from phidex.generation.routing.escalate import LEAST_CONFIDENCE
from phidex.ingest.records import Chunk
from phidex.retrieval.pack import Context
from phidex.settings import ChatSettings, PackSettings

HITS = (LEASE, BOILER, GERMAN)


def stored(ids: Sequence[str]) -> list[Chunk]:
    return [one.chunk for one in HITS if one.chunk.id in ids]


def responder(chat: Scripted | OpenAIChat | None, **pack: int) -> Responder:
    settings = ChatSettings(url="http://127.0.0.1:9/v1" if chat else "", repair=False)  # pyright: ignore[reportCallIssue]
    return Responder(PackSettings(**{"order": "rank", **pack}), settings, chat, None, stored)  # type: ignore[arg-type]


def whole(chat: Scripted | None, question: str = "Who signed the lease?", **pack: int) -> Answer:
    *_, last = responder(chat, **pack).events(question, HITS)
    assert isinstance(last, Answer)
    return last


def test_events_come_in_order_and_the_text_is_the_sum_of_its_pieces() -> None:
    events = list(
        responder(Scripted("Maria Okafor signed the lease on 14 May 2021 [1].")).events("Who signed the lease?", HITS)
    )
    assert [type(event) for event in events[:2]] == [Route, Context]
    assert {type(event) for event in events[2:-1]} == {Delta, Citation}
    assert [event_name(event) for event in events[:3]] == ["route", "evidence", "token"]
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.text == "".join(event.text for event in events[2:-1] if isinstance(event, Delta))
    assert [citation.verified for citation in answer.citations] == [True]
    assert set(answer.timings) == {"pack", "answer"}
    assert answer.to_dict()["route"]["role"] == "mini"


def test_without_a_model_the_answer_says_so() -> None:
    answer = whole(None)
    assert answer.route.role == "extractive"
    assert "PHIDEX_CHAT__URL" in answer.text
    assert answer.citations[0].quote.startswith("The lease was signed")
    assert answer.usage is None


def test_a_model_that_finds_nothing() -> None:
    answer = whole(Scripted(f"{ABSENT}"))
    assert not answer.found
    assert answer.text == "The answer is not in these documents."
    assert answer.citations == ()


@pytest.mark.parametrize(
    ("chat", "warning"),
    [
        (Scripted("Maria Okafor signed the lease."), "cites nothing"),
        (Scripted("The moon is made of cheese [1]."), "does not clearly support"),
        (Scripted("It is so [7]."), "names no source"),
        (Scripted("Maria Okafor signed the lease on 14 May 2021 [1].", finish="length"), "cut at its token limit"),
        (Scripted("Maria Okafor signed [1].", counted=True, prompt_tokens=10), "cut the context"),
    ],
)
def test_doubts_are_said(chat: Scripted, warning: str) -> None:
    assert any(warning in found for found in whole(chat).warnings)


@pytest.mark.parametrize("budget", [600, 800, 1200, 3000])
def test_the_prompt_fits_by_the_models_own_count(budget: int) -> None:
    chat = Scripted("x [1]", counted=True)
    hits = [hit("a", f"Sentence number {i} says something of its own. " * 6, order=3 * i) for i in range(30)]
    *_, answer = responder(chat, budget_tokens=budget, reserve_tokens=200).events("What is said?", hits)
    assert isinstance(answer, Answer)
    sent = chat.count_tokens(chat.asked, model="m")
    assert sent is not None
    assert sent + 200 <= budget
    assert answer.ledger.counted_by == "server"


@pytest.mark.parametrize(("budget", "reserve"), [(1500, 16), (1200, 64), (3000, 1024)])
def test_prompt_and_answer_together_keep_the_budget(budget: int, reserve: int) -> None:
    chat = Scripted("x [1]", counted=True)
    hits = [hit("a", f"Sentence number {i} says something of its own. " * 6, order=3 * i) for i in range(30)]
    greedy = ChatSettings(url="u", max_answer_tokens=4096)
    asked = replace(responder(chat, budget_tokens=budget, reserve_tokens=reserve), settings=greedy)
    *_, answer = asked.events("What is said?", hits)
    assert isinstance(answer, Answer)
    sent = [chat.count_tokens(prompt, model="m") or 0 for prompt in chat.prompts]  # the second asks for a correction
    assert all(tokens + limit <= budget for tokens, limit in zip(sent, chat.limits, strict=True))
    assert answer.ledger.prompt_tokens + answer.ledger.context_tokens == sent[0]


def test_a_small_window_of_the_server_is_the_budget() -> None:
    chat = Scripted("x [1]", counted=True)
    chat.window = 900
    hits = [hit("a", f"Sentence number {i} says something of its own. " * 6, order=3 * i) for i in range(30)]
    *_, answer = responder(chat, reserve_tokens=100).events("What is said?", hits)
    assert isinstance(answer, Answer)
    assert answer.ledger.budget_tokens == 900
    assert (chat.count_tokens(chat.asked, model="m") or 0) + 100 <= 900
    chat.window = 90
    with pytest.raises(BudgetError, match="window of 90"):
        list(responder(chat, reserve_tokens=100).events("What?", hits))


def test_the_word_for_absence_is_never_shown() -> None:
    events = list(responder(Scripted(f" {ABSENT}.")).events("Why?", HITS))
    assert "".join(event.text for event in events if isinstance(event, Delta)) == "The answer is not in these documents."
    events = list(responder(Scripted("NOT so: Maria Okafor signed [1].")).events("Why?", HITS))
    assert "".join(event.text for event in events if isinstance(event, Delta)).startswith("NOT so: Maria")


def test_an_answer_that_was_stopped_at_once_claims_nothing() -> None:
    answer = whole(Scripted("", finish="content_filter"))
    assert answer.text == ""
    assert any("empty" in warning for warning in answer.warnings)


def test_a_question_over_the_budget() -> None:
    with pytest.raises(BudgetError):
        whole(Scripted("x"), "why " * 2000, budget_tokens=300, reserve_tokens=100)


class Several(Scripted):
    """Two models: what each says, or why it cannot be asked; and how they are."""

    def __init__(self, replies: dict[str, Said], **options: Any) -> None:
        super().__init__(replies, **options)
        self.allowed = 9

    def states(self) -> dict[Role, RoleState]:
        return {}

    def may_escalate(self) -> bool:
        self.allowed -= 1
        return self.allowed >= 0

    def answered(self) -> None:
        pass


def ask_both(
    chat: Several, question: str = "Who signed the lease?", role: Role | None = None, **settings: bool
) -> list[AnswerEvent]:
    given = ChatSettings(url="u", mini="small", moe="large", **{"repair": False, **settings})  # type: ignore[arg-type]
    return list(Responder(PackSettings(order="rank"), given, chat, None, stored, chat).events(question, HITS, role=role))


DOWN = ServiceError("it does not answer", hint="start it", retryable=True)
GOOD = "Maria Okafor signed the lease on 14 May 2021 [1]."


def test_another_role_answers_where_one_cannot_be_asked() -> None:
    chat = Several({"small": DOWN, "large": GOOD})
    *_, answer = ask_both(chat)
    assert isinstance(answer, Answer)
    assert (answer.route.role, answer.text) == ("moe", GOOD)
    assert "small could not be asked" in answer.route.reason
    assert "start it" in answer.warnings[0]


def test_the_extractive_answerer_is_the_last_resort() -> None:
    events = ask_both(Several({"small": DOWN, "large": DOWN}))
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert answer.route.role == "extractive"
    assert answer.citations[0].quote.startswith("The lease was signed")
    assert "none is configured" not in answer.text
    assert len(answer.warnings) == 2
    last = max(at for at, event in enumerate(events) if isinstance(event, Route))
    assert "".join(event.text for event in events[last:] if isinstance(event, Delta)) == answer.text


def test_a_role_that_is_asked_for_has_no_substitute() -> None:
    with pytest.raises(ServiceError, match="does not answer"):
        ask_both(Several({"small": GOOD, "large": DOWN}), role="moe")


@pytest.mark.parametrize(
    ("reply", "doubt"),
    [
        (ABSENT, "found no answer in passages that seem to hold one"),
        ("Maria Okafor did.", "cited nothing"),
        ("The moon is made of cheese [1].", "do not bear it out"),
    ],
)
def test_a_doubtful_answer_is_asked_for_again(reply: str, doubt: str) -> None:
    chat = Several({"small": reply, "large": GOOD})
    events = ask_both(chat)
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert chat.models == ["small", "large"]
    assert (answer.route.role, answer.text) == ("moe", GOOD)
    assert doubt in answer.route.reason
    assert doubt in answer.warnings[0]
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 200  # of both
    assert sum(isinstance(event, Route) for event in events) == 2


def test_a_model_that_was_unsure_of_its_words_is_doubted() -> None:
    unsure, sure, silent = (
        Several({"small": GOOD, "large": GOOD}, confidence=value) for value in (LEAST_CONFIDENCE - 0.1, 0.9, None)
    )
    *_, answer = ask_both(unsure)
    assert isinstance(answer, Answer)
    assert unsure.models == ["small", "large"]
    assert "small was unsure of its words (40% a token)" in answer.route.reason
    *_, answer = ask_both(sure)
    assert isinstance(answer, Answer)
    assert (sure.models, answer.confidence) == (["small"], 0.9)
    assert answer.to_dict()["confidence"] == 0.9
    ask_both(silent)
    assert silent.models == ["small"]
    assert sure.extras == [{"logprobs": True}]
    alone = Scripted(GOOD, confidence=0.1)
    assert whole(alone).confidence is None
    assert alone.extras == [{}]  # nothing could come of it


def test_a_doubtful_answer_that_stays_faulty_is_corrected_by_the_larger_model() -> None:
    wrong = f"{GOOD} The rent is 9,999 euros a month [1]."
    replies = iter([wrong, GOOD])

    class Improving(Several):
        def say(self, messages: Sequence[Message], model: str) -> Said:
            return "Maria Okafor did." if model == "small" else next(replies)

    chat = Improving({})
    *_, answer = ask_both(chat, repair=True)
    assert isinstance(answer, Answer)
    assert chat.models == ["small", "large", "large"]
    assert (answer.text, answer.route.role) == (GOOD, "moe")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == 300


def test_warnings_are_told_as_soon_as_they_are_known_and_once() -> None:
    events = list(
        responder(Scripted("The moon is made of green cheese [1]. Maria Okafor signed the lease [1].")).events("Who?", HITS)
    )
    answer = events[-1]
    assert isinstance(answer, Answer)
    told = [event.text for event in events if isinstance(event, Notice)]
    assert sorted(told) == sorted(answer.warnings)
    first = next(at for at, event in enumerate(events) if isinstance(event, Notice))
    assert any(isinstance(event, Delta) for event in events[first:])


def test_no_second_answer_where_none_is_wanted_or_allowed() -> None:
    reply = "Maria Okafor did."
    sure, forced, switched_off = (Several({"small": said, "large": GOOD}) for said in (GOOD, reply, reply))
    ask_both(sure)
    ask_both(forced, role="mini")
    ask_both(switched_off, escalate=False)
    assert sure.models == forced.models == switched_off.models == ["small"]
    spent = Several({"small": reply, "large": GOOD})
    spent.allowed = 0
    ask_both(spent)
    assert spent.models == ["small"]


def test_an_answer_that_was_stopped_is_no_doubtful_one() -> None:
    chat = Several({"small": "Maria Okafor did, and said so.", "large": GOOD})
    stop = threading.Event()
    given = ChatSettings(url="u", mini="small", moe="large")  # pyright: ignore[reportCallIssue]
    answering = Responder(PackSettings(order="rank"), given, chat, None, stored, chat)  # pyright: ignore[reportCallIssue]
    for event in answering.events("Who signed the lease?", HITS, cancelled=stop):
        if isinstance(event, Delta):
            stop.set()
    assert chat.models == ["small"]


@pytest.mark.parametrize(("reply", "finish"), [("", "length"), ("Maria Oka", "length"), ("Maria Oka", "")])
def test_the_first_answer_stands_where_the_second_does_not_come_whole(reply: str, finish: str) -> None:
    class CutOff(Several):
        def say(self, messages: Sequence[Message], model: str) -> Said:
            self.finish = finish if model == "large" else "stop"
            return super().say(messages, model)

    *_, answer = ask_both(CutOff({"small": "Maria Okafor did.", "large": reply}))
    assert isinstance(answer, Answer)
    assert (answer.route.role, answer.text) == ("mini", "Maria Okafor did.")
    assert any("did not come to its end" in warning for warning in answer.warnings)


@pytest.mark.parametrize("fault", [DOWN, ConfigError("wrong key"), BudgetError("too long"), InputError("refused")])
def test_the_first_answer_stands_whatever_is_wrong_with_the_second_model(fault: PhidexError) -> None:
    events = ask_both(Several({"small": "Maria Okafor did.", "large": fault}))
    answer = events[-1]
    assert isinstance(answer, Answer)
    assert (answer.route.role, answer.text) == ("mini", "Maria Okafor did.")
    assert any("large could not be asked" in warning for warning in answer.warnings)
    last = max(at for at, event in enumerate(events) if isinstance(event, Route))
    assert isinstance(events[last + 1], Context)  # the evidence of the first answer, again
    last = max(at for at, event in enumerate(events) if isinstance(event, Route))
    assert "".join(event.text for event in events[last:] if isinstance(event, Delta)) == answer.text


@pytest.mark.vllm
def test_a_real_server_answers_within_the_window(vllm: str) -> None:
    settings = ChatSettings(url=vllm, max_answer_tokens=32)  # pyright: ignore[reportCallIssue]
    hits = [
        hit("a", f"Sentence {i} says something of its own. Ещё одно предложение. 这里还有一句。 " * 4, order=3 * i)
        for i in range(40)
    ]
    with OpenAIChat(settings) as chat:
        pack = PackSettings(budget_tokens=4000, reserve_tokens=64)  # pyright: ignore[reportCallIssue]
        *_, answer = Responder(pack, settings, chat, None, stored).events("What is said?", hits)
    assert isinstance(answer, Answer)
    assert answer.ledger.counted_by == "server"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens + 64 <= 4000
    assert answer.usage.prompt_tokens > 2500
    # The ledger's sum of pieces and the server's count of the whole differ by what joins at the seams.
    counted = answer.ledger.prompt_tokens + answer.ledger.context_tokens
    assert abs(answer.usage.prompt_tokens - counted) < 0.1 * counted


@pytest.mark.vllm
def test_leaving_the_stream_stops_a_real_server(vllm: str) -> None:
    settings = ChatSettings(url=vllm, max_answer_tokens=4096)  # pyright: ignore[reportCallIssue]
    with OpenAIChat(settings) as chat:
        pack = PackSettings()  # pyright: ignore[reportCallIssue]
        events = Responder(pack, settings, chat, None, stored).events("Who signed the lease?", HITS)
        for event in events:
            if isinstance(event, Delta):
                break
        started = time.monotonic()
        events.close()  # type: ignore[attr-defined]
        assert time.monotonic() - started < 5


def test_a_server_that_is_down_is_a_service_error_with_its_url() -> None:
    settings = ChatSettings(url="http://127.0.0.1:9/v1", retries=0)  # pyright: ignore[reportCallIssue]
    with OpenAIChat(settings) as chat, pytest.raises(ServiceError, match=r"127\.0\.0\.1:9"):
        list(Responder(PackSettings(), settings, chat, None, stored).events("Who?", HITS, role="mini"))  # pyright: ignore[reportCallIssue]
