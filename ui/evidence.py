"""The cited place beside the answers: the page with its boxes marked, or the lines of a text file; quote and check."""

from __future__ import annotations

from html import escape

import streamlit as st

from phidex.errors import PhidexError
from phidex.generation.answer import Citation
from phidex.ingest.records import LineLocator, PageLocator
from phidex.ui.desk import Desk, Shown, draw, show_problem
from phidex.ui.look import line_block, quote_block
from phidex.ui.picture import PageView
from phidex.ui.place import read_lines
from phidex.ui.prose import plain


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
            case locator:
                st.caption(f"at {locator}")
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
            help_text = "The quote stands in the stored passage."
            st.badge("verified", icon=":material/verified:", color="green", help=help_text)
        else:
            help_text = "The passage does not clearly support what the answer says."
            st.badge("not verified", icon=":material/help:", color="orange", help=help_text)


def _show_page(desk: Desk, shown: Shown, citation: Citation, locator: PageLocator) -> None:
    count = citation.source.page_count
    crop = _toolbar(shown, locator, count)
    is_cited = shown.page_number == locator.page_number
    view = PageView(
        path=citation.source.local_path(),
        page_number=shown.page_number,
        boxes=locator.boxes if is_cited else (),
        quote=citation.quote if is_cited else "",
        crop=crop and is_cited,
        sha256=citation.source.sha256,
    )
    with st.container(key="page"):
        st.image(draw(desk.painter, view), width="stretch", alt=f"Page {shown.page_number} of {citation.source.name}")


def _toolbar(shown: Shown, locator: PageLocator, count: int) -> bool:
    """Previous and next page, and how much of it is shown; returns whether only the passage is."""

    def turn_to(page_number: int) -> None:
        shown.page_number = page_number

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        here = shown.page_number
        st.button(
            "",
            icon=":material/chevron_left:",
            help="Previous page",
            key="previous",
            disabled=here <= 1,
            on_click=turn_to,
            args=(here - 1,),
        )
        st.button(
            "",
            icon=":material/chevron_right:",
            help="Next page",
            key="next",
            disabled=here >= count,
            on_click=turn_to,
            args=(here + 1,),
        )
        st.markdown(f":gray[page {here} of {count}]", width="content")
        if here != locator.page_number:
            st.button(
                f"Back to {plain(str(locator))}",
                icon=":material/undo:",
                type="tertiary",
                key="back",
                on_click=turn_to,
                args=(locator.page_number,),
            )
        st.space("stretch")
        chosen = st.segmented_control(
            "View", ("Page", "Passage"), default="Page", required=True, key="view", label_visibility="collapsed"
        )
    return chosen == "Passage"
