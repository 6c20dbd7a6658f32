"""The cited place beside the answers: the page with its boxes marked, or the lines of a text file; quote and check."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import streamlit as st

from phidex.errors import PhidexError
from phidex.generation.answer import Citation
from phidex.ingest.records import LineLocator, PageLocator, TimeLocator
from phidex.ui.desk import Desk, PageShown, Shown, draw, show_problem
from phidex.ui.look import line_block, quote_block
from phidex.ui.place import read_lines
from phidex.ui.prose import plain
from phidex.ui.words import say


@st.fragment
def show_evidence(desk: Desk, shown: Shown) -> None:
    """Runs alone when pages are turned: answers and sidebar stay as they are."""
    citation = shown.citation
    _show_head(citation)
    if citation.quote:
        st.html(quote_block(citation.quote))
    try:
        match citation.locator:
            case PageLocator(unit="page") as locator:
                _show_page(desk, shown, citation, locator)
            case LineLocator() as locator:
                st.html(line_block(read_lines(citation.source, locator)))
            case TimeLocator() as locator:
                _show_moment(desk, shown, citation, locator)
            case locator:
                st.caption(plain(str(locator)))
    except PhidexError as exc:
        show_problem(exc)


def _show_head(citation: Citation) -> None:
    source = citation.source
    title = source.title or source.name
    name, mark = st.columns([3, 1], vertical_alignment="top")
    name.html(
        f'<div class="phidex-name phidex-title" title="{escape(title, quote=True)}">{escape(title)}</div>'
        f'<div class="phidex-small">{escape(f"{source.name}, {citation.locator}")}</div>'
    )
    with mark.container(horizontal=True, horizontal_alignment="right"):
        if citation.verified:
            help_text = citation.reason or say("evidence.verified_help")
            st.badge(say("evidence.verified"), icon=":material/verified:", color="green", help=plain(help_text))
        else:
            help_text = citation.reason or say("evidence.unsupported_help")
            st.badge(say("evidence.unsupported"), icon=":material/help:", color="orange", help=plain(help_text))


def _show_moment(desk: Desk, shown: Shown, citation: Citation, locator: TimeLocator) -> None:
    """What was on the screen at that second."""
    st.caption(f"{locator} – {replace(locator, start_s=locator.end_s)}")
    if locator.frame:
        with st.container(key="page"):
            picture = desk.phidex.blob(locator.frame, shown.collection)
            st.image(picture, width="stretch", alt=f"{citation.source.name}, {locator}")


def _show_page(desk: Desk, shown: Shown, citation: Citation, locator: PageLocator) -> None:
    count = citation.source.page_count
    crop = _toolbar(shown, locator, count)
    is_cited = shown.page_number == locator.page_number
    page = PageShown(
        shown.collection,
        shown.page_number,
        locator.boxes if is_cited else (),
        citation.quote if is_cited else "",
        crop and is_cited,
    )
    with st.container(key="page"):
        st.image(draw(desk, citation.source, page), width="stretch", alt=_place(shown.page_number, citation))


def _toolbar(shown: Shown, locator: PageLocator, count: int) -> bool:
    """Previous and next page, and how much of it is shown; returns whether only the passage is."""

    def turn_to(page_number: int) -> None:
        shown.page_number = page_number

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        here = shown.page_number
        st.button(
            "",
            icon=":material/chevron_left:",
            help=say("evidence.previous"),
            key="previous",
            disabled=here <= 1,
            on_click=turn_to,
            args=(here - 1,),
        )
        st.button(
            "",
            icon=":material/chevron_right:",
            help=say("evidence.next"),
            key="next",
            disabled=here >= count,
            on_click=turn_to,
            args=(here + 1,),
        )
        st.markdown(f":gray[{say('evidence.page', number=here, count=count)}]", width="content")
        if here != locator.page_number:
            st.button(
                say("evidence.back", place=plain(str(locator))),
                icon=":material/undo:",
                type="tertiary",
                key="back",
                on_click=turn_to,
                args=(locator.page_number,),
            )
        st.space("stretch")
        chosen = st.segmented_control(
            say("evidence.view"),
            ("page", "passage"),
            format_func=lambda part: say(f"evidence.view_{part}"),
            default="page",
            required=True,
            key="view",
            label_visibility="collapsed",
        )
    return chosen == "passage"


def _place(page_number: int, citation: Citation) -> str:
    return f"{citation.source.name}, {say('evidence.page', number=page_number, count=citation.source.page_count)}"
