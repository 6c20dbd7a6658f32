"""The generated meetings: their truth stands in their transcripts, and the score counts time and owner."""

from __future__ import annotations

from dataclasses import replace

from phidex.eval.bench.meetings import Item, Score, items_of, make_meetings, score
from phidex.ingest.speech.captions import read_captions


def test_the_truth_is_what_is_said() -> None:
    meetings = make_meetings()
    assert len({meeting.language for meeting in meetings}) >= 6
    assert meetings == make_meetings()
    for meeting in meetings:
        said = {(one.start_s, one.text): one for one in read_captions(meeting.vtt.encode(), meeting.name).utterances}
        people = {one.speaker for one in said.values()}
        assert len(meeting.truth) == 8
        for planted in meeting.truth:
            assert (planted.start_s, planted.text) in said
            assert planted.owner in {"", *people}
            assert planted.due in planted.text
            assert "{" not in planted.text


def test_an_item_counts_once_with_its_time_and_owner() -> None:
    truth = make_meetings()[0].truth
    items = [Item(one.kind, one.start_s + 3, one.owner) for one in truth]
    assert score(items, truth) == Score(8, 8, 8)
    assert score([*items, *items], truth).precision == 0.5
    assert score([replace(item, start_s=item.start_s + 400) for item in items], truth).found == 0
    mistaken = [replace(item, owner="Nobody") for item in items]
    assert score(mistaken, truth).found == sum(one.kind == "decision" for one in truth)


def test_items_are_read_from_a_summary() -> None:
    place = {"locator": {"type": "time", "start_s": 12.5, "end_s": 14.0, "frame": ""}}
    found = items_of({"decisions": [{"text": "x", "citations": [place]}], "actions": [{"owner": "Ada", "citations": [place]}]})
    assert found == [Item("decision", 12.5, ""), Item("action", 12.5, "Ada")]
