"""Pictures that are wanted, and the room for them -> which of them are shown, at what size and cost; a pure sum.

What a picture costs depends on its shape and on the crops that the server was started with (`image_tokens`), not on its size:
a small one is enlarged. So a plan never shrinks pictures; it shows the first ones that fit, and names the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from phidex.generation.models.table import image_pixels, image_tokens

PictureKind = Literal["attached", "figure", "photo", "frame", "page"]
"""Attached to the question, cut out of a document, an image that is a document itself, of a recording, a PDF's page."""

WRAP_TOKENS = 4
"""Around a picture in a prompt: the line that it stands on, and what begins the text behind it."""

_TEXT_SHARE = 0.25  # of the room that text keeps, where there is as much of it


@dataclass(frozen=True, slots=True)
class Offer:
    """A picture that is wanted.

    Args:
        width, height: in pixels.
        rank: its place among the wanted ones, the best 0.
        label_tokens: of the text that stands before it.
    """

    kind: PictureKind
    width: int
    height: int
    rank: int
    label_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Placed:
    """A picture that is shown: the index of its offer, the pixels that the model uses of it, and its tokens."""

    index: int
    width: int
    height: int
    tokens: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that is not shown: its prompt holds no more pictures ("limit"), or no room was left ("budget")."""

    index: int
    tokens: int
    why: Literal["limit", "budget"]


@dataclass(frozen=True, slots=True)
class PicturePlan:
    """Pictures in the order in which they were wanted."""

    shown: tuple[Placed, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def tokens(self) -> int:
        """Of all pictures that are shown, with what stands around them."""
        return sum(one.tokens for one in self.shown)


def plan_pictures(offers: Sequence[Offer], *, crops: int, limit: int, room_tokens: int) -> PicturePlan:
    """Which pictures fit: attached ones first, then by rank; one that is too dear for what is left does not bar a cheaper one.

    Args:
        crops: that the vision model is served with.
        limit: pictures in one prompt.

    >>> offers = [Offer("page", 595, 842, 0), Offer("figure", 800, 400, 1), Offer("attached", 640, 480, 2)]
    >>> plan = plan_pictures(offers, crops=4, limit=16, room_tokens=1_300)
    >>> [(one.index, one.width, one.height, one.tokens) for one in plan.shown], [(one.index, one.why) for one in plan.left_out]
    ([(1, 672, 336, 461), (2, 640, 480, 761)], [(0, 'budget')])
    """
    shown: list[Placed] = []
    left_out: list[LeftOut] = []
    order = sorted(range(len(offers)), key=lambda index: (offers[index].kind != "attached", offers[index].rank))
    for index in order:
        width, height = sent_pixels(offers[index].width, offers[index].height, crops)
        tokens = image_tokens(width, height, crops) + WRAP_TOKENS
        if len(shown) == limit:
            left_out.append(LeftOut(index, tokens, "limit"))
        elif tokens + offers[index].label_tokens > room_tokens:
            left_out.append(LeftOut(index, tokens, "budget"))
        else:
            room_tokens -= tokens + offers[index].label_tokens
            shown.append(Placed(index, width, height, tokens))
    by_rank = sorted(shown, key=lambda one: offers[one.index].rank)
    return PicturePlan(tuple(by_rank), tuple(sorted(left_out, key=lambda one: offers[one.index].rank)))


def sent_pixels(width: int, height: int, crops: int) -> tuple[int, int]:
    """The size at which a picture is sent: no larger than the model can use, and as it is where it is smaller.

    >>> sent_pixels(4032, 3024, 4), sent_pixels(300, 200, 4)
    ((672, 504), (300, 200))
    """
    most = image_pixels(width, height, crops)
    return most if most[0] < width or most[1] < height else (width, height)


def room_for_pictures(room_tokens: int, text_tokens: int) -> int:
    """What of the room pictures may take: all that the text does not need, and three quarters at least.

    >>> room_for_pictures(8_000, 500), room_for_pictures(8_000, 50_000)
    (7500, 6000)
    """
    return max(0, room_tokens - min(text_tokens, int(room_tokens * _TEXT_SHARE)))


def groups_of(count: int, size: int, most: int) -> list[range]:
    """Pictures 0 to `count` in at most `most` groups of `size` at most, as even as can be; what is beyond is in none.

    >>> groups_of(40, 16, 4), groups_of(40, 16, 2)
    ([range(0, 14), range(14, 27), range(27, 40)], [range(0, 16), range(16, 32)])
    """
    count = min(count, size * most)
    number = -(-count // size)
    edges = [-(-count * at // number) for at in range(number + 1)] if number else []
    return [range(first, last) for first, last in pairwise(edges)]
