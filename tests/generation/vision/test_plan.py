"""Which pictures fit: limits, room, order; what a picture costs and how large it is sent."""

from __future__ import annotations

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from phidex.generation.models.table import image_pixels, image_tokens
from phidex.generation.vision.plan import (
    WRAP_TOKENS,
    Offer,
    PictureKind,
    groups_of,
    plan_pictures,
    room_for_pictures,
    sent_pixels,
)

PAGE = Offer("page", 1_240, 1_754, 0)
sizes = st.integers(8, 5_000)
kinds: st.SearchStrategy[PictureKind] = st.sampled_from(get_args(PictureKind))
offers = st.lists(st.tuples(kinds, sizes, sizes), max_size=30).map(
    lambda found: [Offer(kind, width, height, rank, 20) for rank, (kind, width, height) in enumerate(found)]
)


@given(offers, st.sampled_from([1, 4, 16]), st.integers(1, 20), st.integers(0, 30_000))
def test_a_plan_keeps_both_limits_and_accounts_for_every_picture(
    wanted: list[Offer], crops: int, limit: int, room: int
) -> None:
    plan = plan_pictures(wanted, crops=crops, limit=limit, room_tokens=room)
    assert plan.tokens + 20 * len(plan.shown) <= max(room, 0)
    assert len(plan.shown) <= limit
    assert sorted(one.index for one in (*plan.shown, *plan.left_out)) == list(range(len(wanted)))
    ranks = [wanted[one.index].rank for one in plan.shown]
    assert ranks == sorted(ranks)
    for one in plan.shown:
        assert one.tokens == image_tokens(one.width, one.height, crops) + WRAP_TOKENS
    for one in plan.left_out:  # it would not have fitted behind those that are shown
        assert len(plan.shown) == limit or plan.tokens + one.tokens + 20 * (len(plan.shown) + 1) > room


def test_what_is_attached_goes_first_and_stays_in_its_place() -> None:
    wanted = [PAGE, Offer("figure", 640, 480, 1), Offer("attached", 640, 480, 2)]
    plan = plan_pictures(wanted, crops=4, limit=2, room_tokens=10_000)
    assert [one.index for one in plan.shown] == [0, 2]
    assert [(one.index, one.why) for one in plan.left_out] == [(1, "limit")]


def test_no_room_is_told_from_too_many() -> None:
    assert [one.why for one in plan_pictures([PAGE], crops=4, limit=9, room_tokens=700).left_out] == ["budget"]


@given(sizes, sizes, st.sampled_from([1, 4, 16]))
def test_a_picture_is_sent_no_larger_than_it_is_used_and_keeps_its_shape(width: int, height: int, crops: int) -> None:
    sent = sent_pixels(width, height, crops)
    most = image_pixels(width, height, crops)
    assert sent[0] <= max(width, 1)
    assert sent[1] <= max(height, 1)
    assert sent == (width, height) or sent == most
    columns, rows = (-(-side // 336) for side in image_pixels(*sent, crops))
    assert columns * rows <= crops


def test_shapes_near_two_to_one_cost_what_the_processor_makes_of_them() -> None:
    # 672 by 336.3 pixels are 672 by 336: two tiles, where the ratio alone would say four.
    assert image_tokens(999, 500, 4) == image_tokens(2_000, 1_000, 4) == 457
    assert image_tokens(997, 500, 4) == 757


def test_text_keeps_a_quarter_of_the_room_where_it_needs_it() -> None:
    assert room_for_pictures(8_000, 0) == 8_000
    assert room_for_pictures(8_000, 1_000) == 7_000
    assert room_for_pictures(8_000, 9_999) == 6_000
    assert room_for_pictures(-5, 10) == 0


@given(st.integers(0, 300), st.integers(1, 20), st.integers(1, 6))
def test_groups_hold_each_picture_once_as_far_as_they_may(count: int, size: int, most: int) -> None:
    groups = groups_of(count, size, most)
    assert [index for group in groups for index in group] == list(range(min(count, size * most)))
    assert len(groups) <= most
    assert all(0 < len(group) <= size for group in groups)
    assert not groups or max(map(len, groups)) - min(map(len, groups)) <= 1
