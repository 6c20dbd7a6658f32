"""Which hits go into a context: best first while they fit, each text once, with a share kept for every language and source.

Passages are weighed (counted) only while there is room for them: of 2,000 hits some 500 fill 128K tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from phidex.retrieval.context.block import block_header
from phidex.retrieval.context.ledger import Status, Why
from phidex.retrieval.count import CountEach
from phidex.retrieval.hit import Hit

_BLOCK_OVERHEAD = 2  # the empty line between blocks
_SEAM = 2  # a line break between passages of one block
_FENCE = '<source number="000" from="">\n</source>'
_MOST_GROUPS = 24  # of each kind that a share is kept for: of more, each would get less than a passage
_LEAST_ROOM = 24  # tokens that no passage with its header stays under
_FULL = 200  # a room is full when less than one part in so many is left: the rest is not worth weighing more passages
_LEAST_BATCH = 8  # passages counted at a time
_WORTH = 0.5  # a share is not spent on hits below this part of their list: they are there by chance


@dataclass(slots=True)
class Selection:
    """What was chosen of `hits`, in the order of choosing, and every hit's fate."""

    hits: Sequence[Hit]
    taken: list[Hit] = field(default_factory=list[Hit])
    costs: dict[str, int] = field(default_factory=dict[str, int])
    status: dict[str, Status] = field(default_factory=dict[str, Status])
    why: dict[str, Why] = field(default_factory=dict[str, Why])

    @property
    def used(self) -> int:
        """Tokens of what was chosen."""
        return sum(self.costs[hit.chunk.id] for hit in self.taken)

    def by_rank(self) -> list[Hit]:
        """What was chosen, best first."""
        return [hit for hit in self.hits if self.status.get(hit.chunk.id) == "packed"]

    def drop(self, tokens: int) -> None:
        """Takes out the weakest until `tokens` less are used; at least one."""
        ranked = self.by_rank()
        # Those in by a share go last: else the smallest language would be the first to go.
        left = [hit for hit in ranked if self.why[hit.chunk.id] == "quota"]
        left += [hit for hit in ranked if self.why[hit.chunk.id] != "quota"]
        while left and tokens > 0:
            hit = left.pop()
            tokens -= self.costs[hit.chunk.id]
            self.status[hit.chunk.id] = "budget"
            self.why.pop(hit.chunk.id, None)
        self.taken = left


class Scales:
    """Weighs hits in batches, as far ahead as there is room for."""

    def __init__(self, hits: Sequence[Hit], count: CountEach) -> None:
        self._hits, self._count = hits, count
        self._at = {hit.chunk.id: at for at, hit in enumerate(hits)}
        self._text: dict[str, int] = {}
        self._head: dict[str, int] = {}
        self._fence: int | None = None
        self._counted = self._guessed = 0

    def weigh(self, hit: Hit, room: int, following: Sequence[Hit] | None = None) -> tuple[int, int]:
        """Tokens of the text, and of a header of its own.

        Args:
            room: as many of those that follow as may go into it are counted along.
            following: the hit and what is likely asked for next; the hits behind it in their list without it.
        """
        if hit.chunk.id not in self._text:
            batch = self._ahead(islice(self._hits, self._at[hit.chunk.id], None) if following is None else following, room)
            pieces = [one.chunk.text for one in batch] + [block_header(one.source, [one.chunk]) for one in batch]
            counts = self._count(pieces if self._fence is not None else [*pieces, _FENCE])
            if self._fence is None:
                self._fence = counts.pop()
            for one, text, head in zip(batch, counts[: len(batch)], counts[len(batch) :], strict=True):
                self._counted += text
                self._guessed += _size(one)
                self._text[one.chunk.id] = text
                self._head[one.chunk.id] = head + self._fence + _BLOCK_OVERHEAD
        return self._text[hit.chunk.id], self._head[hit.chunk.id]

    def guess(self, hit: Hit) -> int:
        """Tokens; without counting, where that was not done, and rather too few then."""
        known = self._text.get(hit.chunk.id)
        return known if known is not None else int(_size(hit) * max(1.0, 0.8 * self._ratio))

    @property
    def _ratio(self) -> float:
        """Tokens of the model for one of the chunker's."""
        return self._counted / self._guessed if self._guessed else 1.0

    def _ahead(self, following: Iterable[Hit], room: int) -> list[Hit]:
        batch: list[Hit] = []
        if not self._guessed:
            room //= 4  # what a token of the chunker is worth is seen by these
        for hit in following:
            if hit.chunk.id not in self._text:
                if room <= 0 and len(batch) >= _LEAST_BATCH:
                    break
                batch.append(hit)
                room -= int(_size(hit) * self._ratio)
        return batch


def _size(hit: Hit) -> int:
    return max(1, hit.chunk.token_count or len(hit.chunk.text) // 4)


def select_hits(hits: Sequence[Hit], room: int, count: CountEach, *, quota: float = 0.0, in_order: bool = False) -> Selection:
    """The hits that `room` tokens hold.

    Args:
        hits: best first, or in document order.
        quota: the part of the room that is kept for languages, in equal shares, and as much for sources.
        in_order: end at the first hit that does not fit: what is chosen is a beginning of the list without gaps.
    """
    selection = Selection(hits)
    filling = _Filling(selection, Scales(hits, count), room)
    if quota > 0:
        filling.keep_shares(lambda hit: hit.chunk.language, quota)
        filling.keep_shares(lambda hit: hit.source.id, quota)
    by_share = sum(why == "quota" for why in selection.why.values())
    full = False
    lowest = max((at for at, hit in enumerate(hits) if selection.why.get(hit.chunk.id) == "quota"), default=-1)
    for at, hit in enumerate(hits):
        if hit.chunk.id in selection.status:
            continue
        status = "budget" if full else filling.try_hit(hit, "order" if in_order else "score")
        full = full or (in_order and status == "budget")
        if status == "budget" and by_share and at < lowest:
            status = "quota"  # a weaker hit of another language or source has its place
        selection.status[hit.chunk.id] = status
        selection.costs.setdefault(hit.chunk.id, filling.scales.guess(hit))
    return selection


class _Filling:
    """The room while it fills."""

    def __init__(self, selection: Selection, scales: Scales, room: int) -> None:
        self.selection, self.scales, self.left = selection, scales, room
        self._room = room
        self._full = max(_LEAST_ROOM, room // _FULL)
        self._places: dict[tuple[str, int], tuple[Hit, str]] = {}  # with its text, white space made single
        self._texts: set[str] = set()

    def keep_shares(self, group: Callable[[Hit], str], quota: float) -> None:
        """Fills each group's share with its best hits, the best group first."""
        good = self.selection.hits[: max(50, int(len(self.selection.hits) * _WORTH))]
        groups: dict[str, list[Hit]] = {}
        for hit in good:
            groups.setdefault(group(hit), []).append(hit)
        if len(groups) < 2:
            return
        share = int(self._room * quota) // min(len(groups), _MOST_GROUPS)
        for members in list(groups.values())[:_MOST_GROUPS]:
            left = share - sum(self.selection.costs[hit.chunk.id] for hit in members if self._is_in(hit))
            for at, hit in enumerate(members):
                if hit.chunk.id in self.selection.status:
                    continue
                if self.scales.guess(hit) > left or sum(self.scales.weigh(hit, left, members[at:])) > left:
                    break
                status = self.try_hit(hit, "quota")
                self.selection.status[hit.chunk.id] = status
                self.selection.costs.setdefault(hit.chunk.id, self.scales.guess(hit))
                left -= self.selection.costs[hit.chunk.id] if status == "packed" else 0

    def try_hit(self, hit: Hit, why: Why) -> Status:
        """Takes the hit if it fits and its text is not there yet; says its fate."""
        chunk = hit.chunk
        normal = ""
        if why != "order":  # what is read from its beginning to its end keeps its repetitions
            normal = " ".join(chunk.text.split())
            if normal in self._texts:
                return "duplicate"
            if self._lies_in_neighbour(hit, normal):
                return "overlap"
        if self.left < self._full or self.scales.guess(hit) > self.left:
            return "budget"
        text, head = self.scales.weigh(hit, self.left)
        cost = text + (_SEAM if self._continues(hit) else head)
        self.selection.costs[chunk.id] = cost
        if cost > self.left:
            return "budget"
        self.left -= cost
        self._texts.add(normal)
        self._places[chunk.source_id, chunk.order] = hit, normal
        self.selection.taken.append(hit)
        self.selection.status[chunk.id] = "packed"
        self.selection.why[chunk.id] = why
        return "packed"

    def _is_in(self, hit: Hit) -> bool:
        return self.selection.status.get(hit.chunk.id) == "packed"

    def _near(self, hit: Hit, distance: int) -> list[tuple[Hit, str]]:
        places = ((hit.chunk.source_id, hit.chunk.order + step) for step in range(-distance, distance + 1) if step)
        return [self._places[place] for place in places if place in self._places]

    def _continues(self, hit: Hit) -> bool:
        """Whether it joins a block whose header says its section: then it needs none of its own."""
        return any(near.chunk.heading == hit.chunk.heading for near, _ in self._near(hit, 1))

    def _lies_in_neighbour(self, hit: Hit, normal: str) -> bool:
        return any(normal in text for _, text in self._near(hit, 2))
