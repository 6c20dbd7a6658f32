"""Ask on the left, see the cited place on the right."""

from __future__ import annotations

import streamlit as st

from phidex.ui.answers import show_past, show_turn
from phidex.ui.collection import Chosen
from phidex.ui.conversations import show_conversations
from phidex.ui.desk import Desk, Visit
from phidex.ui.evidence import show_evidence
from phidex.ui.intake import show_jobs, show_upload
from phidex.ui.look import welcome
from phidex.ui.talk import Talk
from phidex.ui.words import say


def draw(desk: Desk, here: Visit, chosen: Chosen) -> None:
    """The page."""
    collection = chosen.name
    if chosen.entries and here.place.ask and here.take("ask"):
        here.shown = None
        here.talk(collection).ask(here.place.ask, desk.phidex)
    with st.sidebar:
        if chosen.entries:
            show_jobs(desk, here, collection)
            st.caption(say("ask.documents", count=len(chosen.entries)))
        show_conversations(desk, here, collection)
    talk = here.talk(collection)
    if talk.turns or talk.earlier:
        _show_talk(desk, here, talk)
    elif chosen.entries:
        _show_start(desk, here, chosen)
    else:
        _show_empty(desk, here, collection)


def _show_empty(desk: Desk, here: Visit, collection: str) -> None:
    _, middle, _ = st.columns([1, 3, 1])
    with middle:
        st.html(welcome(say("ask.empty_title"), say("ask.empty_what", collection=collection), say("ask.empty_then")))
        show_upload(desk, here, collection)
        show_jobs(desk, here, collection)


def _show_start(desk: Desk, here: Visit, chosen: Chosen) -> None:
    _, middle, _ = st.columns([1, 3, 1])
    titles = ", ".join(entry.source.title for entry in chosen.entries[:3])
    left = len(chosen.entries) - 3
    with middle:
        st.html(welcome(say("ask.start_title"), say("ask.more", titles=titles, count=left) if left > 0 else f"{titles}."))
        _question(desk, here, chosen.name)


def _show_talk(desk: Desk, here: Visit, talk: Talk) -> None:
    st.empty()  # takes the place of the start's columns, whose box would show beside the answer while it comes
    left, right = st.columns([10, 11], gap="large")
    with right:
        place = st.empty()
    with left:
        _question(desk, here, talk.collection)
        for index, turn in enumerate(talk.turns):
            if index:
                st.divider()
            show_turn(desk, here, talk, turn, is_newest=index == 0)
        for past in talk.earlier:
            st.divider()
            show_past(past)
    if here.shown is not None:
        with place.container():
            show_evidence(desk, here.shown)


def _question(desk: Desk, here: Visit, collection: str) -> None:
    """The box to ask in; the question is taken before the page is drawn, so that the page is drawn with its answer."""

    def ask() -> None:
        asked = st.session_state["question"]
        question = str(asked.text if asked else "").strip()
        if question:
            here.shown = None
            here.talk(collection).ask(question, desk.phidex, images=[file.getvalue() for file in asked.files])

    st.chat_input(
        say("ask.placeholder", collection=collection),
        key="question",
        on_submit=ask,
        accept_file="multiple",
        file_type=["png", "jpg", "jpeg", "webp", "tif", "tiff"],
    )
