"""What the benchmark of summaries counts as a topic, and as touched."""

from __future__ import annotations

from pathlib import Path

from phidex.eval.bench.summary import measure, topics_of
from phidex.ingest.records import Chunk, PageLocator

ROOT = Path(__file__).resolve().parents[2]


def test_topics_are_titles_without_numbers_and_contents() -> None:
    topics = topics_of(ROOT / "examples" / "debmake-doc.en.pdf")
    assert len(topics) > 30
    assert not {"contents", "references"} & set(topics)
    assert not any(topic[0].isdigit() for topic in topics)


def test_a_spread_summary_touches_more_topics_than_the_beginning() -> None:
    words = ["harbour", "market", "school", "bridge", "tower", "quarry", "garden", "station"] * 2
    chunks = [
        Chunk(
            f"c{at}",
            "s",
            PageLocator(at + 1),
            " ".join(
                f"The {word} of part {at} is looked after by the {who} of the old town." for who in ("smith", "baker", "cook")
            ),
            "text",
            "en",
            at,
            (f"{at} {word}",),
        )
        for at, word in enumerate(words)
    ]
    ways, seconds, room = measure(chunks, [*dict.fromkeys(words)])
    assert ways["key sentences"].touched == 1
    assert ways["first"].touched < 1
    assert 0 <= ways["key sentences"].divergence < ways["first"].divergence <= 1
    assert seconds > 0
    assert room > 500
