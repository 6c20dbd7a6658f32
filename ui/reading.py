"""How one document was read: its page with the passages marked, or its passages in order."""

from __future__ import annotations

from html import escape

import streamlit as st

from phidex.errors import PhidexError
from phidex.ingest.records import Chunk, PageLocator, Source
from phidex.retrieval.catalogue import SourceEntry
from phidex.ui.desk import Desk, PageShown, Visit, draw, show_problem
from phidex.ui.link import Place
from phidex.ui.look import passage_block
from phidex.ui.prose import plain
from phidex.ui.words import say

_A_PAGE = 20  # passages of a document without pages that are shown at once


@st.fragment
def show_source(desk: Desk, here: Visit, collection: str, entry: SourceEntry) -> None:
    """Runs alone when pages are turned."""
    source = entry.source
    st.subheader(plain(source.title or source.name))
    passages = desk.phidex.passages(source.id, collection)
    pages = sorted({chunk.locator.page_number for chunk in passages if isinstance(chunk.locator, PageLocator)})
    if pages:
        _show_page(desk, here, collection, source, passages)
    elif passages:
        _show_run(source, passages)


def _show_page(desk: Desk, here: Visit, collection: str, source: Source, passages: list[Chunk]) -> None:
    count = max(1, source.page_count)
    key = f"page-{source.id}"
    if key not in st.session_state:
        asked = here.place.page_number if here.place.source == source.id else 1
        st.session_state[key] = min(max(1, asked), count)
    number = int(st.number_input(say("library.pages"), 1, count, key=key, width=160)) if count > 1 else 1
    st.caption(
        f"{say('library.page', number=number, count=count)} · [{say('library.link')}]({_address(collection, source, number)})"
    )
    shown = [chunk for chunk in passages if isinstance(chunk.locator, PageLocator) and chunk.locator.page_number == number]
    left, right = st.columns([10, 11], gap="large")
    with left, st.container(key="page"):
        try:
            boxes = tuple(box for chunk in shown if isinstance(chunk.locator, PageLocator) for box in chunk.locator.boxes)
            st.image(
                draw(desk, source, PageShown(collection, number, boxes)),
                width="stretch",
                alt=say("library.page", number=number, count=count),
            )
        except PhidexError as exc:
            st.caption(say("library.cannot_draw"))
            show_problem(exc)
    with right:
        _show_passages(shown)


def _show_run(source: Source, passages: list[Chunk]) -> None:
    count = -(-len(passages) // _A_PAGE)
    number = 1
    if count > 1:
        number = int(st.number_input(say("library.pages"), 1, count, key=f"run-{source.id}", width=160))
    _show_passages(passages[(number - 1) * _A_PAGE : number * _A_PAGE])


def _show_passages(passages: list[Chunk]) -> None:
    for chunk in passages:
        head = say("library.passage", number=chunk.order + 1, place=chunk.locator, tokens=chunk.token_count)
        st.html(passage_block(escape(f"{' › '.join(chunk.heading)} · {head}" if chunk.heading else head), chunk.text))


def _address(collection: str, source: Source, number: int) -> str:
    return Place(collection, source.id, number).link("library")
