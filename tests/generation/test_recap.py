"""What a conversation carries on when its prompt begins afresh: the latest turns, and a running summary of the others."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.generation.passages import hit
from tests.generation.scripted import Said, Scripted
from tests.generation.test_conversation import POOL, ask

from phidex.errors import ServiceError
from phidex.generation.chat import Message
from phidex.generation.conversation import Conversation, Turn
from phidex.generation.recap import COMPACT_SYSTEM, Compactor, quote_turns, recap_of
from phidex.generation.weigh import Scale


def spoken(turns: int, words: int = 30) -> Conversation:
    found = Conversation()
    for at in range(turns):
        found.add(Turn(f"Question {at}?", f"Fact {at} stands here [{at}]. " + "More words. " * words, f"Fact {at}", ()), ())
    return found


SCALE = Scale(None, "", None)


def test_what_fits_is_carried_on_as_it_was() -> None:
    conversation = spoken(3, words=1)
    recap = recap_of(conversation, 400, SCALE)
    assert recap.startswith("Earlier in this conversation:\nQuestion: Question 0?")
    assert all(f"Fact {at} stands here [{at}]" in recap for at in range(3))
    assert conversation.summarized == 0
    assert recap_of(Conversation(), 400, SCALE) == ""


def test_older_turns_are_summed_up_once_and_the_summary_grows() -> None:
    conversation = spoken(12)
    asked: list[tuple[str, list[str]]] = []

    def compact(before: str, turns: Sequence[Turn], most_tokens: int) -> str:
        asked.append((before, [turn.question for turn in turns]))
        return f"sum {len(asked)} of {len(turns)}"

    first = recap_of(conversation, 500, SCALE, compact)
    assert first.splitlines()[1:3] == ["Summary of what was said first:", f"sum 1 of {conversation.summarized}"]
    assert "Question: Question 11?" in first
    assert recap_of(conversation, 500, SCALE, compact) == first
    assert len(asked) == 1  # once for each compaction
    for turn in spoken(20).turns[12:]:
        conversation.add(turn, ())
    recap_of(conversation, 500, SCALE, compact)
    before, questions = asked[1]
    assert before == first.splitlines()[2]
    assert questions[0] == f"Question {len(asked[0][1])}?"
    assert asked[0][1] + questions == [f"Question {at}?" for at in range(conversation.summarized)]


@pytest.mark.parametrize("room", [60, 200, 700])
def test_it_keeps_its_room(room: int) -> None:
    recap = recap_of(spoken(30), room, SCALE)
    assert recap
    assert SCALE.each([recap])[0] <= room + 24  # what stands around the parts


def test_without_a_model_the_sentences_that_answered_are_kept() -> None:
    turns = [
        Turn("Who signed?", "It is like this. Maria signed [1]. More.", "x", ()),
        Turn("Why?", "No.", "x", (), found=False),
    ]
    assert quote_turns("", turns) == "Who signed? Maria signed [1].\nWhy? (not in the documents)"
    down = Scripted(ServiceError("down"))
    assert Compactor(down, "m").compact("Before.", turns, 50).startswith("Before.\nWho signed?")
    assert Compactor(None, "").compact("", turns, 50) == quote_turns("", turns)


def test_a_conversation_that_outgrows_its_window_is_carried_on_by_a_summary() -> None:
    def reply(messages: Sequence[Message]) -> Said:
        if messages[0].content == COMPACT_SYSTEM:
            return "They asked about harbours [1]."
        return "So it is, and it takes many words to say how it is. " * 6 + "[1]."

    chat, conversation = Scripted(reply, counted=True), Conversation()
    options: dict[str, int | str] = {"budget_tokens": 2_000, "reserve_tokens": 100, "conversation_tokens": 2_400}
    hits = [hit("harbour", f"Harbour {at} is deep in its own way. " * 8, order=3 * at) for at in range(60)]
    answers = [
        ask(chat, conversation, f"Question {turn}?", [*POOL[:1], *hits[turn : turn + 5]], **options) for turn in range(14)
    ]
    compactions = [prompt for prompt in chat.prompts if prompt[0].content == COMPACT_SYSTEM]
    fresh = [at for at, answer in enumerate(answers) if answer.ledger.compacted]
    assert fresh
    assert 1 <= len(compactions) <= len(fresh)
    assert conversation.summary == "They asked about harbours [1]."
    begun = next(turn for turn in conversation.turns if "Summary of what was said first" in turn.recap)
    assert "They asked about harbours [1]." in begun.recap
    paid = answers[conversation.turns.index(begun)].usage
    assert paid is not None
    assert paid.prompt_tokens >= 200  # the summary's request is in it
    resumed = Conversation.from_dict(conversation.to_dict())
    assert (resumed.summary, resumed.summarized) == (conversation.summary, conversation.summarized)
