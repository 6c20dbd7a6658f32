"""Conversations: what was sent stays where it was, evidence comes once, numbers stay valid, and the record survives a save."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.generation.passages import BOILER, GERMAN, LEASE, hit
from tests.generation.scripted import Scripted

from phidex.errors import InputError
from phidex.generation.answer import Answer
from phidex.generation.conversation import Conversation
from phidex.generation.extract import NOTICE
from phidex.generation.prompt import ABSENT
from phidex.generation.respond import Responder
from phidex.ingest.records import Chunk, Cue, Source, TimeLocator
from phidex.retrieval.hit import Hit
from phidex.retrieval.pack import Context, PackedBlock
from phidex.settings import ChatSettings, PackSettings

POOL = [
    hit(name, f"{name} number {i} tells of the harbour in its own words. " * 8, order=3 * i)
    for name in "abcd"
    for i in range(20)
]


def responder(chat: Scripted | None, hits: Sequence[Hit], **pack: int | str) -> Responder:
    def stored(ids: Sequence[str]) -> list[Chunk]:
        return [one.chunk for one in hits if one.chunk.id in ids]

    settings = ChatSettings(url="http://127.0.0.1:9/v1" if chat else "", repair=False)  # pyright: ignore[reportCallIssue]
    return Responder(PackSettings(**pack), settings, chat, None, stored)  # type: ignore[arg-type]


def ask(chat: Scripted | None, conversation: Conversation, question: str, hits: Sequence[Hit], **pack: int | str) -> Answer:
    *_, answer = responder(chat, [*hits, *POOL, LEASE, BOILER, GERMAN], **pack).events(
        question, hits, conversation=conversation
    )
    assert isinstance(answer, Answer)
    return answer


def sent(chat: Scripted) -> str:
    return "\x1f".join(f"{message.role}:{message.content}" for message in chat.asked)


def test_later_turns_only_append() -> None:
    chat, conversation = Scripted("So it is [1].", counted=True), Conversation()
    before = ""
    for turn in range(6):
        hits = POOL[5 * turn : 5 * turn + 12]
        ask(chat, conversation, f"Question {turn}?", hits, budget_tokens=3000, reserve_tokens=100)
        assert sent(chat).startswith(before)
        before = sent(chat)
    assert len(chat.asked) == 12


def test_evidence_is_sent_once_and_numbers_run_on() -> None:
    chat, conversation = Scripted("So it is [1].", counted=True), Conversation()
    ask(chat, conversation, "First?", POOL[:4])
    answer = ask(chat, conversation, "Second?", POOL[2:6])
    assert [entry.status for entry in answer.ledger.entries] == ["sent", "sent", "packed", "packed"]
    assert [entry.marker for entry in answer.ledger.entries] == [3, 4, 5, 6]
    assert all(sent(chat).count(one.chunk.text) == 1 for one in POOL[:6])
    assert answer.ledger.history_tokens > 0
    assert answer.ledger.to_dict()["counts"] == {"sent": 2, "packed": 2}


def test_an_answer_may_cite_what_an_earlier_question_brought() -> None:
    conversation = Conversation()
    ask(Scripted("It ends in 2031 [1].", counted=True), conversation, "Warranty?", [BOILER])
    answer = ask(Scripted("The boiler was replaced in March 2021 by Ohm Ltd [1].", counted=True), conversation, "Who?", [LEASE])
    assert [(one.source.id, one.verified) for one in answer.citations] == [("boiler", True)]
    assert not any("names no source" in warning for warning in answer.warnings)


def test_when_the_window_is_full_one_compaction_starts_afresh() -> None:
    chat, conversation = Scripted("So it is [1].", counted=True), Conversation()
    pack = {"budget_tokens": 1500, "reserve_tokens": 100, "conversation_tokens": 2600, "follow_up_tokens": 500}
    compacted: list[bool] = []
    for turn in range(10):
        hits = POOL[6 * turn : 6 * turn + 8]
        answer = ask(chat, conversation, f"Question {turn}?", hits, **pack)
        compacted.append(answer.ledger.compacted)
        assert (chat.count_tokens(chat.asked, model="m") or 0) + 100 <= 2600
    assert not compacted[0]
    assert 1 <= sum(compacted) <= 4
    last = len(compacted) - 1 - compacted[::-1].index(True)
    assert conversation.start == last
    first_user = chat.asked[1].content
    assert first_user.startswith("Earlier in this conversation:")
    assert f"Question {last - 1}?" in first_user
    assert "<source " in first_user


def test_numbers_stay_valid_over_a_compaction() -> None:
    chat, conversation = Scripted("So it is [1].", counted=True), Conversation()
    pack = {"budget_tokens": 1500, "reserve_tokens": 100, "conversation_tokens": 2600, "follow_up_tokens": 500}
    names: dict[int, tuple[str, ...]] = {}
    for turn in range(10):
        ask(chat, conversation, f"Question {turn}?", POOL[6 * turn % 20 : 6 * turn % 20 + 8], **pack)
        for marker, block in conversation.blocks.items():
            ids = tuple(chunk.id for chunk in block.chunks)
            assert names.setdefault(marker, ids) == ids
    assert conversation.start > 0


def test_a_saved_conversation_goes_on_byte_for_byte() -> None:
    chat, conversation = Scripted("So it is [1].", counted=True), Conversation()
    ask(chat, conversation, "First?", [LEASE, BOILER])
    resumed = Conversation.from_dict(json.loads(json.dumps(conversation.to_dict())))
    ask(chat, conversation, "Second?", [GERMAN])
    one = sent(chat)
    ask(chat, resumed, "Second?", [GERMAN])
    assert sent(chat) == one
    assert resumed.to_dict() == conversation.to_dict()


@pytest.mark.parametrize("spoil", ["version", "blocks", "turns"])
def test_what_is_no_saved_conversation_is_refused(spoil: str) -> None:
    saved = Conversation().to_dict()
    saved[spoil] = 7 if spoil == "version" else [{"marker": 1}]
    with pytest.raises(InputError, match="conversation"):
        Conversation.from_dict(saved)


def test_a_saved_turn_that_names_no_block_is_refused() -> None:
    conversation = Conversation()
    ask(Scripted("So [1].", counted=True), conversation, "First?", [LEASE])
    saved = conversation.to_dict()
    saved["blocks"] = []
    with pytest.raises(InputError, match="damaged"):
        Conversation.from_dict(saved)


def test_absence_and_stopped_answers() -> None:
    conversation = Conversation()
    ask(Scripted(ABSENT, counted=True), conversation, "First?", [LEASE])
    assert (conversation.turns[0].found, conversation.turns[0].reply) == (False, ABSENT)
    ask(Scripted("", counted=True, finish="content_filter"), conversation, "Second?", [LEASE])
    assert len(conversation) == 1


def test_another_model_begins_afresh_and_a_served_one_goes_on() -> None:
    conversation = Conversation()
    chat = Scripted("So it is [1].", counted=True)
    ask(chat, conversation, "Wer hat den Vertrag unterschrieben und wann?", [LEASE])
    both = ChatSettings(url="u", moe="phi-3.5-moe")
    asked = replace(responder(chat, [LEASE]), settings=both)
    first, *_ = asked.events("Wann wurde der Vertrag unterschrieben?", [LEASE], conversation=conversation)
    assert getattr(first, "model", "") == "phi-3.5-mini"  # the language alone would have it read by the other
    assert conversation.start == 0
    other = replace(responder(chat, [LEASE]), settings=ChatSettings(url="u", mini="", moe="phi-3.5-moe"))
    list(other.events("And then?", [LEASE], conversation=conversation))
    assert (conversation.model, conversation.start) == ("phi-3.5-moe", 2)


def test_without_a_model_numbers_run_on_too() -> None:
    conversation = Conversation()
    first = ask(None, conversation, "Who signed the lease?", [LEASE, BOILER])
    second = ask(None, conversation, "When was the boiler replaced?", [BOILER, LEASE])
    again = ask(None, conversation, "What is the rent of the lease?", [LEASE, BOILER])
    assert [{one.marker for one in answer.citations if one.source.id == "lease"} for answer in (first, again)] == [{1}, {1}]
    assert {one.marker for one in second.citations if one.source.id == "boiler"} <= {2}
    assert "[2]" in second.text
    assert second.text.endswith(NOTICE)
    assert conversation.turns[0].question == "Who signed the lease?"


def test_a_turn_without_the_model_leaves_the_conversation_its_own() -> None:
    conversation, chat = Conversation(), Scripted("Maria Okafor signed the lease [1].", counted=True)
    ask(chat, conversation, "Who signed the lease?", [LEASE])
    before = sent(chat)
    ask(None, conversation, "When was the boiler replaced?", [BOILER])
    assert conversation.model == "phi-3.5-mini"
    ask(chat, conversation, "And the rent?", [LEASE])
    assert sent(chat).startswith(before)
    assert len(chat.asked) == 6  # system, two turns, the question


def test_what_was_shown_is_not_shown_again_by_a_follow_up_of_text() -> None:
    conversation, chat = Conversation(), Scripted("So it is [1].", counted=True)
    ask(chat, conversation, "First?", [LEASE])
    conversation.blocks = {marker: replace(block, is_shown=True) for marker, block in conversation.blocks.items()}
    events = list(responder(chat, [LEASE, BOILER]).events("Second?", [BOILER], conversation=conversation))
    context = next(event for event in events if isinstance(event, Context))
    assert [block.is_shown for block in context.blocks] == [False, False]


def test_a_model_added_later_reads_what_was_said() -> None:
    conversation = Conversation()
    ask(None, conversation, "Who signed the lease?", [LEASE])
    chat = Scripted("So it is [1].", counted=True)
    ask(chat, conversation, "And the boiler?", [BOILER])
    assert "Question: Who signed the lease?" in chat.asked[1].content
    assert NOTICE not in chat.asked[1].content
    assert len(chat.asked) == 2


def test_a_context_of_a_turn_holds_all_that_the_model_has_before_it() -> None:
    chat, conversation = Scripted("So it is [1].", counted=True), Conversation()
    ask(chat, conversation, "First?", POOL[:3])
    events = list(responder(chat, POOL).events("Second?", POOL[2:6], conversation=conversation))
    context = next(event for event in events if isinstance(event, Context))
    assert [block.marker for block in context.blocks] == [1, 2, 3, 4, 5, 6]


def test_a_conversation_that_broke_off_stays_as_it_was() -> None:
    chat, conversation = Scripted("So it is [1] and more of it.", counted=True), Conversation()
    events = responder(chat, POOL).events("First?", POOL[:3], conversation=conversation)
    for _, event in zip(range(3), events, strict=False):
        assert event
    events.close()
    assert len(conversation) == 0


def test_what_was_said_when_survives_being_saved() -> None:
    conversation = Conversation()
    said = Chunk("c", "s", TimeLocator(0.0, 9.0), "Ada: Yes.", "speech", "en", 0, cues=(Cue(0, 9, 1.5, 2.0, "Ada"),))
    owner = Source("s", "file:///talk.vtt", "audio", "Talk", "0" * 64, "en", "text/vtt")
    conversation.blocks[1] = PackedBlock(1, owner, (said,), 3)
    resumed = Conversation.from_dict(json.loads(json.dumps(conversation.to_dict())))
    assert resumed.blocks[1].chunks == (said,)
    assert resumed.blocks[1].chunks[0].place_of("Yes.") == TimeLocator(1.5, 2.0)
