"""Turns and frames become passages: cut at slides, topics and turns, within the limit, with who said what when."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from phidex.ingest.records import Block, Chunk, TimeLocator
from phidex.ingest.speech.transcript import Utterance, turn_blocks
from phidex.ingest.tokens import piece_starts
from phidex.ingest.video.deck import match_pages
from phidex.ingest.video.export import write_chapters
from phidex.ingest.video.segments import recording_chunks
from phidex.ingest.video.topics import topic_changes

SOURCE = "6c0e1a6e-2f0b-5c0f-9d0a-70686964ff78"


def frame(title: str, text: str, *times: tuple[float, float], image: int = 0) -> Block:
    return Block(text, "frame", (), part=title, image=image, times=times)


def segments(blocks: list[Block], limit: int = 256) -> list[Chunk]:
    return recording_chunks(
        blocks, source_id=SOURCE, language="en", limit_tokens=limit, token_starts=piece_starts, images=("a", "b", "c")
    )


def spoken(*lines: tuple[float, float, str, str]) -> list[Block]:
    return turn_blocks([Utterance(start, end, text, speaker) for start, end, speaker, text in lines])


def test_a_chapter_too_short_becomes_the_beginning_of_the_next() -> None:
    times = {"Costs": (0.0, 60.0), "Flash": (60.0, 65.0), "Risks": (65.0, 90.0), "Blink": (90.0, 94.0)}
    made = segments([frame(title, title, span, image=0) for title, span in times.items()])
    made += segments([frame("Risks", "Risks", (94.0, 120.0))])
    told = [line for line in write_chapters(made).split("\n") if line and not line.isdigit()]
    assert told == ["WEBVTT", "00:00:00.000 --> 00:01:00.000", "Costs", "00:01:00.000 --> 00:02:00.000", "Risks"]


def test_a_segment_says_what_was_shown_and_who_spoke() -> None:
    slides = [
        frame("Costs", "Costs\nRent 4,200", (0.0, 10.0), (20.0, 30.0)),
        frame("Risks", "Risks\nA leak", (10.0, 20.0), image=1),
    ]
    said = spoken(
        (0.5, 4.0, "Ada", "The rent went up."),
        (4.0, 8.0, "Bob", "By how much?"),
        (11.0, 15.0, "Ada", "Now the risks."),
        (21.0, 25.0, "Ada", "Back to the rent."),
    )
    made = segments([*slides, *said])
    assert [(chunk.modality, str(chunk.locator), chunk.text) for chunk in made] == [
        ("frame", "0:00", "[Slide: Costs]\nRent 4,200"),
        ("speech", "0:00", "[Slide: Costs]\nAda: The rent went up.\nBob: By how much?"),
        ("frame", "0:10", "[Slide: Risks]\nA leak"),
        ("speech", "0:11", "[Slide: Risks]\nAda: Now the risks."),
        ("frame", "0:20", "[Slide: Costs]\nRent 4,200"),
        ("speech", "0:21", "[Slide: Costs]\nAda: Back to the rent."),
    ]
    assert [chunk.image for chunk in made] == ["a", "a", "b", "b", "a", "a"]
    assert [chunk.heading for chunk in made] == [(title,) for title in ("Costs", "Costs", "Risks", "Risks", "Costs", "Costs")]
    assert made[1].links == (made[0].id,)
    assert made[0].links == (made[1].id,)
    assert [chunk.order for chunk in made] == list(range(6))


def test_a_quote_lies_at_its_second() -> None:
    [made] = segments(spoken((10.0, 14.0, "Ada", "We meet on Monday."), (14.0, 20.0, "Ada", "Bring the keys, please.")))
    place = made.place_of("Bring the  keys")
    assert isinstance(place, TimeLocator)
    assert (place.start_s, place.end_s) == (14.0, 20.0)
    assert made.place_of("nobody said this") == made.locator


def test_a_long_turn_is_cut_between_sentences_and_times_go_on() -> None:
    lines = [(float(n), n + 1.0, "Ada", f"Sentence number {n} of the long talk ends right here.") for n in range(60)]
    made = segments(spoken(*lines), limit=64)
    assert len(made) > 5
    assert all(chunk.text.endswith("here.") and chunk.text.startswith("Ada: ") for chunk in made)
    starts = [chunk.locator.start_s for chunk in made if isinstance(chunk.locator, TimeLocator)]
    assert starts == [float(chunk.text.split()[3]) for chunk in made]


def test_short_turns_are_never_cut() -> None:
    lines = [(float(n), n + 1.0, "AB"[n % 2], f"This is turn {n}. It has two sentences.") for n in range(80)]
    made = segments(spoken(*lines), limit=64)
    assert len(made) > 10
    for chunk in made:
        assert all(line.count(".") == 2 for line in chunk.text.splitlines())


def test_topics_part_what_has_no_slides() -> None:
    boiler = "The boiler in the cellar heats the water, and the boiler needs a new burner and a valve for the water pipes."
    garden = "The garden behind the house has old apple trees, and the trees in the garden want cutting before spring comes."
    lines = [(float(n), n + 1.0, "AB"[n % 2], boiler if n < 12 else garden) for n in range(24)]
    made = segments(spoken(*lines), limit=800)
    assert [("boiler" in chunk.text, "garden" in chunk.text) for chunk in made] == [(True, False), (False, True)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("锅炉在地下室加热水，需要新的燃烧器和阀门。", "花园里有老苹果树，春天之前要修剪树木。"),
        ("Котёл в подвале греет воду, ему нужна новая горелка.", "В саду за домом растут старые яблони и груши."),
        ("หม้อไอน้ำในห้องใต้ดินทำน้ำร้อน", "สวนหลังบ้านมีต้นแอปเปิลเก่าแก่"),
    ],
)
def test_topics_in_other_scripts(one: str, other: str) -> None:
    assert topic_changes([one] * 20 + [other] * 20) == {20}


def test_one_topic_is_not_parted() -> None:
    assert topic_changes(["The boiler in the cellar heats the water, and needs a new burner and a valve."] * 40) == set()


WORDS = st.sampled_from(["boiler", "Dach.", "garden", "水管", "costs", "Now.", "четыре", "extraordinarily", "is", "5,000"])
TURNS = st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=60), st.sampled_from(["", "Ada", "Bob Ohm"])), max_size=25)


@settings(max_examples=60, deadline=None)
@given(turns=TURNS, limit=st.sampled_from([32, 48, 256]), cut=st.floats(0, 100))
def test_no_word_is_lost_and_no_limit_broken(turns: list[tuple[list[str], str]], limit: int, cut: float) -> None:
    lines = [(4.0 * n, 4.0 * n + 3.0, speaker, " ".join(words)) for n, (words, speaker) in enumerate(turns)]
    slides = [frame("Costs in 2025", "Costs in 2025", (0.0, cut)), frame("Risks", "Risks", (cut, 200.0), image=1)]
    made = [chunk for chunk in segments([*slides, *spoken(*lines)], limit) if chunk.modality == "speech"]
    assert all(chunk.token_count <= limit for chunk in made)
    heard = "".join(chunk.text[cue.start : cue.end] for chunk in made for cue in chunk.cues)
    assert heard.replace(" ", "") == "".join("".join(words) for words, _ in turns)
    assert all(cue.start_s <= cue.end_s for chunk in made for cue in chunk.cues)
    assert {cue.speaker for chunk in made for cue in chunk.cues} == {speaker for _, speaker in turns}
    assert len({chunk.id for chunk in made}) == len(made)


def test_keyframes_find_their_pages() -> None:
    pages = ["Welcome", "Costs rise\nRent 4,200", "Risks\nA leak above the stairs", "Costs fall\nRent 3,900", "Thanks"]
    shown = [
        "Costs rise\nRent 4.200",
        "Ada Lovelace on camera",
        "Risks\nA leak abore the stairs",
        "Costs rise\nRent 4,200",
        "Thanks",
    ]
    assert match_pages(shown, pages) == [2, None, 3, 2, 5]


def test_order_decides_between_pages_that_are_alike() -> None:
    pages = ["Agenda\nBoiler", "Boiler\ncosts", "Agenda\nBoiler", "Roof\nleak"]
    assert match_pages(["Boiler\ncosts", "Agenda\nBoiler", "Roof\nleak"], pages) == [2, 3, 4]
