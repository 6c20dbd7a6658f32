"""The page: ask on the left, see the cited place on the right, choose and add documents in the sidebar.

Nothing of it is reachable from other machines, and it loads nothing from elsewhere.
"""

from __future__ import annotations

import logging

import streamlit as st

from phidex.errors import PhidexError
from phidex.retrieval.catalogue import SourceEntry
from phidex.ui.answers import show_turn
from phidex.ui.desk import Desk, Visit, open_desk, show_problem, visit
from phidex.ui.evidence import show_evidence
from phidex.ui.library import library
from phidex.ui.look import CSS, LOGO, welcome

log = logging.getLogger(__name__)


def show() -> None:
    """One run of the page."""
    st.set_page_config(page_title="Phidex", page_icon="📖", layout="wide")
    st.logo(LOGO, size="large")
    st.html(CSS)
    try:
        desk, here = open_desk(), visit()
        with st.sidebar:
            collection, entries = library(desk, here)
        turns = [turn for turn in here.turns if turn.collection == collection]
        if turns:
            _show_talk(desk, here, collection)
        elif entries:
            _show_start(desk, here, collection, entries)
        else:
            _show_empty(collection)
    except PhidexError as exc:
        show_problem(exc)
    except Exception as exc:
        log.exception("page failed")
        show_problem(PhidexError(f"this did not work: {type(exc).__name__}", hint="the log of the app says more"))


def _show_empty(collection: str) -> None:
    st.html(
        welcome(
            "Nothing to ask yet",
            f"Add documents to “{collection}” on the left: PDF, HTML, Markdown or text, in any language.",
            "They can be asked within seconds, and every answer points at the page that it comes from.",
        )
    )


def _show_start(desk: Desk, here: Visit, collection: str, entries: list[SourceEntry]) -> None:
    _, middle, _ = st.columns([1, 3, 1])
    titles = ", ".join(entry.source.title for entry in entries[:3])
    more = f" and {len(entries) - 3} more" if len(entries) > 3 else ""
    with middle:
        st.html(welcome("Ask your documents", f"{titles}{more}."))
        _question(desk, here, collection)


def _show_talk(desk: Desk, here: Visit, collection: str) -> None:
    st.empty()  # takes the place of the start's columns, whose box would show beside the answer while it comes
    left, right = st.columns([10, 11], gap="large")
    with right:
        place = st.empty()
    with left:
        _question(desk, here, collection)
        for index, turn in enumerate(turn for turn in here.turns if turn.collection == collection):
            if index:
                st.divider()
            show_turn(turn, here, is_newest=index == 0)
    if here.shown is not None:
        with place.container():
            show_evidence(desk, here.shown)


def _question(desk: Desk, here: Visit, collection: str) -> None:
    """The box to ask in; the question is taken before the page is drawn, so that the page is drawn with its answer."""

    def ask() -> None:
        question = str(st.session_state["question"] or "").strip()
        if question:
            here.ask(question, collection, desk.phidex)

    st.chat_input(f"Ask {collection}", key="question", on_submit=ask)
