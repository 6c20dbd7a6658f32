"""Running headers, footers and page numbers: which lines of a PDF repeat from page to page.

Three signs: the same text (numbers masked) at the same height on several pages; a page number that counts with the
pages; and a line that stands in a slot where most other pages carry such a line (running section titles).
"""

from __future__ import annotations

import re
from collections import defaultdict

from phidex.ingest.pdf.lines import Line, Page

_NUMBER = re.compile(r"\d+|\b[ivxlc]+\b", re.IGNORECASE)
_TOP, _BOTTOM = 0.12, 0.17  # zones, as shares of the page's height
_NEAR = 3.0  # points by which a slot may move
_CANDIDATES = 6  # lines a zone
_MOST = 0.5  # of all text: what is more cannot be furniture
_SHARE = 0.15  # of all pages: how many a slot of furniture takes at least

_Key = tuple[str, bool, int]
_Entry = tuple[Page, Line, bool, str]  # page, line, whether in the top zone, text with its numbers masked


def drop_furniture(pages: list[Page], body_size: float) -> tuple[str, ...]:
    """One example of each running header, footer or page number found; their lines are removed from `pages`.

    Documents of fewer than three pages have none. Nor has one of which little else would be left: that is its text.
    """
    if len(pages) < 3:
        return ()
    found = [entry for page in pages for entry in _candidates(page)]
    masks: dict[_Key, set[int]] = defaultdict(set)
    for page, line, is_top, mask in found:
        masks[mask, is_top, round(line.y0 / _NEAR)].add(page.index)
    repeated = [entry for entry in found if _repeats(entry, masks, body_size, len(pages))]
    taken, all_taken = _slots(repeated), _slots(found)
    enough = max(3, _SHARE * len(pages))
    # A slot of furniture holds little else; where body text begins on most pages, a repeated line is a coincidence.
    slots = {slot: n / all_taken[slot] for slot, n in taken.items() if n >= enough and n >= 0.5 * all_taken[slot]}
    repeated = [entry for entry in repeated if _slot(entry) in slots]
    known = {id(entry[1]) for entry in repeated}
    sizes = {(*_slot(entry), entry[1].size) for entry in repeated}
    repeated += [
        entry
        for entry in found
        if slots.get(_slot(entry), 0) >= 0.8 and (*_slot(entry), entry[1].size) in sizes and id(entry[1]) not in known
    ]
    if sum(len(entry[1].text) for entry in repeated) > _MOST * sum(len(line.text) for page in pages for line in page.lines):
        return ()
    doomed: dict[int, set[int]] = defaultdict(set)
    examples: dict[str, str] = {}
    for page, line, _, mask in repeated:
        doomed[page.index].add(id(line))
        examples.setdefault(mask, line.text)
    for page in pages:
        if gone := doomed.get(page.index):
            page.lines = [line for line in page.lines if id(line) not in gone]
    return tuple(examples.values())


def _candidates(page: Page) -> list[_Entry]:
    """The outermost lines in the zones at the top and bottom of a page, with their masked text."""
    low, high = page.height * _TOP, page.height * (1 - _BOTTOM)
    top = [line for line in page.lines if line.y1 < low]
    bottom = [line for line in page.lines if line.y0 > high]
    if len(top) > _CANDIDATES:
        top = sorted(top, key=lambda line: line.y0)[:_CANDIDATES]
    if len(bottom) > _CANDIDATES:
        bottom = sorted(bottom, key=lambda line: -line.y0)[:_CANDIDATES]
    entries: list[_Entry] = [(page, line, True, _mask(line.text)) for line in top]
    return entries + [(page, line, False, _mask(line.text)) for line in bottom]


def _mask(text: str) -> str:
    return _NUMBER.sub("#", text).casefold()


def _repeats(entry: _Entry, masks: dict[_Key, set[int]], body_size: float, page_count: int) -> bool:
    """Whether a line's masked text stands at its height on other pages too."""
    page, line, is_top, mask = entry
    if "#" not in mask and not any(map(str.isalnum, mask)):
        return False
    slot = round(line.y0 / _NEAR)
    at = set[int]().union(*(masks.get((mask, is_top, near), ()) for near in (slot - 1, slot, slot + 1)))
    if len(at) < 3:
        return False
    # Large type at the top of a chapter repeats with a number ("Chapter 1"): that is a heading.
    # So is the first of the lines in large type that stand on every page: it is the document's title.
    if line.size > 1.2 * body_size and (len(at) < 0.3 * page_count or page.index == min(at)):
        return False
    # Running heads stand on neighbouring pages, or on every other one.
    return len(at) >= 0.3 * page_count or any(0 < abs(other - page.index) <= 2 for other in at)


def _slot(entry: _Entry) -> tuple[bool, int]:
    return entry[2], round(entry[1].y0 / _NEAR)


def _slots(found: list[_Entry]) -> dict[tuple[bool, int], int]:
    """On how many pages each slot, or the one next to it, is taken."""
    taken: dict[tuple[bool, int], set[int]] = defaultdict(set)
    for entry in found:
        is_top, slot = _slot(entry)
        for near in (slot - 1, slot, slot + 1):
            taken[is_top, near].add(entry[0].index)
    return {slot: len(pages) for slot, pages in taken.items()}
