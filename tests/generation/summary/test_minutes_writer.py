"""Minutes that a model writes: what the transcript does not bear out is left out, and phrases stand in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.generation.scripted import Said, Scripted
from tests.generation.summary.spoken_chunk import spoken

from phidex.errors import ServiceError
from phidex.generation.answer import Route
from phidex.generation.chat import Message
from phidex.generation.summary.meeting import meetings_of
from phidex.generation.summary.minutes_writer import with_written_minutes
from phidex.generation.summary.spoken import Utterance
from phidex.generation.summary.summary import Summary
from phidex.generation.summary.writer import Wished
from phidex.settings import Settings

TURNS = [
    ("Ada", "We decided that Ohm Ltd repairs the gutters before winter."),
    ("Bob", "Good, I will call them by Monday."),
    ("Ada", "Who pays for the scaffolding?"),
    ("Bob", "I don't know."),
]
ROUTE = Route("mini", "phi-3.5-mini", "it is the model that is configured")
DECIDED = {"text": "Ohm Ltd repairs the gutters before winter.", "quote": "we decided that Ohm Ltd repairs the gutters"}
CALLS = {"text": "Bob will call them by Monday.", "quote": TURNS[1][1], "owner": "bob", "due": "by Monday"}
INVENTED = {
    "text": "The castle is sold for 900 euros.",
    "quote": "We sell the castle for 900 euros.",
    "owner": "Eve",
    "due": "",
}


def written(reply: Any, *, language: str = "en") -> Summary:
    def say(messages: Sequence[Message]) -> Said:
        assert "JSON schema" in messages[0].content
        return reply if isinstance(reply, Exception | str) else json.dumps(reply)

    hit = spoken(TURNS)
    meetings = meetings_of([("Talk", [hit])])
    found = Summary("Talk", (), "prose", "medium", language, ROUTE)
    markers: dict[str, int] = {}

    def number(one: Utterance) -> int:
        return markers.setdefault(one.text, len(markers) + 1)

    wished = Wished("Talk", language, "prose", "medium")
    return with_written_minutes(Settings(), Scripted(say), wished, found, meetings, number)


def test_items_that_the_transcript_bears_out_are_kept_with_their_second() -> None:
    found = written({"decisions": [DECIDED], "actions": [CALLS], "questions": []})
    [decision], [action] = found.decisions, found.actions
    assert (decision.text, decision.is_written, decision.start_s) == (DECIDED["text"], True, 10.0)
    assert decision.citations[0].quote == TURNS[0][1]
    assert (action.owner, action.due, action.start_s, action.speaker) == ("Bob", "by Monday", 15.0, "Bob")
    assert [(one.text, one.is_written) for one in found.questions] == [("Who pays for the scaffolding?", False)]
    assert found.warnings == ()


def test_what_is_invented_is_left_out_and_phrases_stand_in() -> None:
    found = written({"decisions": [{**DECIDED, "text": "Ohm Ltd repairs 17 windows."}], "actions": [CALLS, INVENTED]})
    assert [(one.text, one.is_written) for one in found.decisions] == [(TURNS[0][1], False)]
    assert [one.text for one in found.actions] == [CALLS["text"]]
    assert found.warnings == ("2 items of the model were left out: the transcript does not bear them out",)


def test_an_owner_that_nobody_named_is_none_of_the_transcript() -> None:
    found = written({"actions": [{**CALLS, "owner": "Eve", "due": "by Christmas"}]})
    assert [(one.owner, one.due) for one in found.actions] == [("Bob", "by Monday")]


def test_a_reply_that_is_no_list_and_a_server_that_is_down_leave_what_was_said() -> None:
    said = [TURNS[0][1], TURNS[1][1], TURNS[2][1]]
    silent = written("I am sorry.")
    assert [one.text for one in (*silent.decisions, *silent.actions, *silent.questions)] == said
    assert "the reply was no list" in silent.warnings[0]
    down = written(ServiceError("no answer", retryable=True))
    assert [one.text for one in (*down.decisions, *down.actions, *down.questions)] == said
    assert "the model did not list them" in down.warnings[0]


def test_items_in_another_language_rest_on_their_quotation() -> None:
    found = written({"actions": [{**CALLS, "text": "Bob ruft sie bis Montag an."}]}, language="de")
    assert [(one.text, one.start_s, one.owner) for one in found.actions] == [("Bob ruft sie bis Montag an.", 15.0, "Bob")]
