from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phidex.eval.bench.screen import Slide, draw_page, draw_slide
from phidex.ingest.video.blocks import difference, grown, is_blank, is_grown, parts, scrolled, share
from phidex.ingest.video.decode import Gray

NOTHING = np.zeros((18, 32), np.bool_)


def small(slide: Slide, bullets: int | None = None) -> Gray:
    return np.asarray(draw_slide(slide, 1280, 720, bullets=bullets).convert("L").resize((320, 180), 4))


SLIDE = Slide(
    "Budget review", ("Market share and growth", "Planning of the release", "Support of customers", "Risks"), "corporate"
)


def test_a_bullet_more_is_growth_and_other_bullets_are_not() -> None:
    other = Slide(
        "Budget review", ("Storage and network", "Contracts of suppliers", "Training of staff", "Next steps"), "corporate"
    )
    assert is_grown(small(SLIDE, 2), small(SLIDE, 3), NOTHING)
    assert not is_grown(small(SLIDE, 3), small(SLIDE, 2), NOTHING)
    assert not is_grown(small(SLIDE), small(other), NOTHING)


def test_blank_pictures() -> None:
    assert is_blank(np.full((180, 320), 240, np.uint8), NOTHING)
    assert not is_blank(small(SLIDE), NOTHING)


@settings(deadline=None)  # a busy machine is no fault of it
@given(st.integers(-50, 50).filter(lambda shift: abs(shift) > 1))
def test_a_scroll_is_measured_both_ways(shift: int) -> None:
    page = np.asarray(draw_page(40, 960, "light", random.Random(1)).convert("L").resize((320, 373), 4))
    assert scrolled(page[90:270], page[90 + shift : 270 + shift], NOTHING, 0.4) == shift


def test_two_slides_are_no_scroll() -> None:
    slides = [small(Slide(title, (one, two, "Risks of the plan"))) for title, one, two in (
        ("Training", "Energy and transport", "Logistics"), ("Health survey", "Methods of research", "Evidence and results"),
        ("Pipeline", "Capacity of the data", "Next year"))]  # fmt: skip
    assert [scrolled(a, b, NOTHING, 0.75, 0.6) for a in slides for b in slides] == [0] * 9


def test_parts_and_shares() -> None:
    blocks = NOTHING.copy()
    blocks[2:4, 2:5] = blocks[4, 5] = blocks[10, 20] = True
    assert sorted(int(part.sum()) for part in parts(blocks)) == [1, 7]
    assert share(blocks, NOTHING) == 8 / 576
    assert share(blocks, grown(blocks)) == 0
    assert difference(np.zeros((180, 320), np.uint8), np.full((180, 320), 9, np.uint8)).max() == 9
