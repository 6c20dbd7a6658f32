"""Whole documents: in one prompt, or in parts that each fit; and prompts that only the server refuses."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from tests.generation.passages import hit
from tests.generation.scripted import Said, Scripted
from tests.generation.test_conversation import responder

from phidex.errors import BudgetError, IncompleteAnswerError
from phidex.generation.answer import Answer, AnswerEvent
from phidex.generation.chat import Message, OpenAIChat
from phidex.generation.conversation import Conversation
from phidex.generation.extract import NOTICE
from phidex.generation.prompt import ABSENT, NOTES_SYSTEM, PART_SYSTEM, SYSTEM
from phidex.generation.respond import Responder
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context
from phidex.settings import ChatSettings, PackSettings

BOOK = [hit("book", f"Page {at} tells of harbour {at} in words of its own. " * 10, order=at) for at in range(40)]
BOOK[33] = hit("book", "The lighthouse was built in 1887 by Ada Brandt.", order=33)


class Reader(Scripted):
    """Notes what a part says about the lighthouse, and answers from notes."""

    def __init__(self, note: str = "") -> None:
        super().__init__(counted=True)
        self.note = note

    def say(self, messages: Sequence[Message], model: str) -> Said:
        content = messages[1].content
        if messages[0].content == PART_SYSTEM and self.note and "<notes" not in content:
            return self.note
        if messages[0].content == PART_SYSTEM and "1887" not in content:
            return ABSENT
        marker = next((number for number in range(200) if f"[{number}]" in content), 0)
        found = content.partition("1887")[0].rpartition('<source number="')[2].partition('"')[0]
        return f"The lighthouse was built in 1887 by Ada Brandt [{found if found.isdigit() else marker}]."


def ask(chat: Scripted | None, hits: Sequence[Hit], **pack: int) -> tuple[list[AnswerEvent], Context, Answer]:
    events = list(responder(chat, hits, mode="whole", **pack).events("When was the lighthouse built?", hits))
    context = next(event for event in events if isinstance(event, Context))
    answer = events[-1]
    assert isinstance(answer, Answer)
    return events, context, answer


def test_what_fits_is_read_in_one_prompt_in_document_order() -> None:
    chat = Reader()
    _, context, answer = ask(chat, BOOK[::-1], long_tokens=50_000)
    assert context.plan is None
    assert [chunk.order for block in context.blocks for chunk in block.chunks] == list(range(40))
    assert {entry.why for entry in answer.ledger.entries} == {"order"}
    assert [prompt[0].content for prompt in chat.prompts] == [SYSTEM]


def test_what_does_not_fit_is_read_in_parts_that_each_do() -> None:
    chat = Reader()
    events, context, answer = ask(chat, BOOK, long_tokens=2_000, reserve_tokens=200, note_tokens=100)
    plan = context.plan
    assert plan is not None
    assert [type(event).__name__ for event in events[:2]] == ["Route", "Context"]
    assert [identity for part in plan.parts for identity in part.chunk_ids] == [one.chunk.id for one in BOOK]
    assert len(plan.parts) > 3
    asked = {prompt[0].content for prompt in chat.prompts}
    assert asked == {PART_SYSTEM, NOTES_SYSTEM}
    for prompt in chat.prompts:
        assert (chat.count_tokens(prompt, model="m") or 0) + 100 <= 2_000
    (citation,) = answer.citations
    assert (citation.verified, citation.chunk_id) == (True, "book-33")
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5 * len(chat.prompts)  # of all parts together
    assert json.loads(json.dumps(plan.to_dict()))["parts"][0]["place"].startswith("Book, p. 1 to p. ")
    assert len(answer.ledger.entries) == len(BOOK)


def test_notes_that_are_too_many_are_noted_again() -> None:
    chat = Reader("This part says that it was built in 1887 by Ada Brandt [1]. " * 14)
    _, context, answer = ask(chat, BOOK, long_tokens=1_600, reserve_tokens=200, note_tokens=100)
    assert context.plan is not None
    assert any("<notes" in prompt[1].content and prompt[0].content == PART_SYSTEM for prompt in chat.prompts)
    assert all((chat.count_tokens(prompt, model="m") or 0) + 100 <= 1_600 for prompt in chat.prompts)
    assert len([prompt for prompt in chat.prompts if prompt[0].content == NOTES_SYSTEM]) == 1
    assert answer.text.startswith("The lighthouse")


def test_a_passage_longer_than_any_prompt_is_left_out_and_told() -> None:
    hits = [BOOK[0], hit("book", "endless " * 3_000, order=1), *BOOK[2:]]
    _, context, answer = ask(Reader(), hits, long_tokens=2_000, reserve_tokens=200)
    assert context.plan is not None
    assert [entry.chunk_id for entry in answer.ledger.entries if entry.status == "budget"] == ["book-1"]
    assert len([entry for entry in answer.ledger.entries if entry.status == "packed"]) == len(hits) - 1


def test_parts_that_say_nothing_make_an_absent_answer() -> None:
    _, _, answer = ask(Reader(), BOOK[:30], long_tokens=2_000, reserve_tokens=200)
    assert not answer.found


def test_a_note_that_breaks_off_is_no_answer() -> None:
    class Breaking(Reader):
        def say(self, messages: Sequence[Message], model: str) -> Said:
            return IncompleteAnswerError("the engine died", partial="The light")

    _, _, answer = ask(Breaking(), BOOK, long_tokens=2_000, reserve_tokens=200, note_tokens=100)
    assert answer.route.role == "extractive"
    assert any("the engine died" in warning for warning in answer.warnings)


def test_without_a_model_the_whole_document_is_searched_for_its_sentences() -> None:
    _, _, answer = ask(None, BOOK, long_tokens=50_000)
    assert answer.citations[0].quote == "The lighthouse was built in 1887 by Ada Brandt."
    assert answer.text.endswith(NOTICE)


def test_a_document_read_in_parts_within_a_conversation_takes_no_number_away() -> None:
    chat, conversation = Reader(), Conversation()
    list(responder(chat, BOOK).events("What is told first?", BOOK[:2], conversation=conversation))
    before = dict(conversation.blocks)
    whole = responder(chat, BOOK, mode="whole", long_tokens=2_000, reserve_tokens=200, note_tokens=100)
    *_, answer = whole.events("When was the lighthouse built?", BOOK, conversation=conversation)
    assert isinstance(answer, Answer)
    assert answer.plan is not None
    assert answer.to_dict()["plan"]["parts"]
    assert {marker: conversation.blocks[marker] for marker in before} == before
    assert all(citation.marker > len(before) for citation in answer.citations)
    list(responder(chat, BOOK).events("And then?", BOOK[:2], conversation=conversation))
    assert chat.prompts[-1][1].content.startswith("Earlier in this conversation:")


class Refusing(Scripted):
    """Cannot count, and takes so many characters at most."""

    def __init__(self, most: int) -> None:
        super().__init__("Maria Okafor signed [1].")
        self.most, self.refused = most, 0

    def say(self, messages: Sequence[Message], model: str) -> Said:
        if sum(len(message.content) for message in messages) > self.most:
            self.refused += 1
            return BudgetError("the prompt is longer than the window")
        return super().say(messages, model)


def test_a_server_that_cannot_count_and_refuses_gets_less() -> None:
    chat = Refusing(12_000)
    *_, answer = responder(chat, BOOK).events("What is told?", BOOK)
    assert isinstance(answer, Answer)
    assert chat.refused >= 1
    assert answer.text.startswith("Maria")
    assert answer.ledger.budget_tokens < 8_000
    with pytest.raises(BudgetError):
        list(responder(Refusing(10), BOOK).events("What is told?", BOOK))


@pytest.mark.vllm
def test_a_real_server_reads_a_document_in_parts(vllm: str) -> None:
    settings = ChatSettings(url=vllm, max_answer_tokens=16)
    pack = PackSettings(mode="whole", long_tokens=2_500, reserve_tokens=64, note_tokens=64)
    with OpenAIChat(settings) as chat:
        *_, answer = Responder(pack, settings, chat, None, lambda _: []).events("What is told?", BOOK)
    assert isinstance(answer, Answer)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 5_000
    assert answer.ledger.counted_by == "server"
