"""The sidebar's conversations over a collection: begin, resume, rename, export, delete."""

from __future__ import annotations

import streamlit as st

from phidex.errors import PhidexError
from phidex.generation.conversations import SavedConversation
from phidex.ui.desk import Desk, Visit
from phidex.ui.prose import plain
from phidex.ui.talk import Talk
from phidex.ui.words import say

_LISTED = 15


def show_conversations(desk: Desk, here: Visit, collection: str) -> None:
    """The latest ones, and a button for a new one."""
    saved = [entry for entry in desk.phidex.conversations.list() if entry.collection == collection]
    talk = here.talk(collection)
    if not saved and not talk.turns:
        return
    st.button(say("talk.new"), icon=":material/add_comment:", on_click=here.begin, args=(Talk(collection),), key="talk-new")
    for entry in saved[:_LISTED]:
        _show_entry(desk, here, talk, entry)
    if len(saved) > _LISTED:
        st.caption(say("job.more", count=len(saved) - _LISTED))


def _show_entry(desk: Desk, here: Visit, talk: Talk, entry: SavedConversation) -> None:
    def resume() -> None:
        try:
            here.begin(Talk.resumed(desk.phidex, entry.name, talk.collection))
        except PhidexError as exc:
            here.problem = exc

    with st.container(horizontal=True, vertical_alignment="center", gap=None):
        st.button(
            plain(entry.title),
            key=f"talk-{entry.name}",
            type="tertiary",
            width="stretch",
            disabled=bool(entry.fault) or entry.name == talk.name,
            help=entry.fault or None,
            on_click=resume,
        )
        with st.popover("", icon=":material/more_vert:", type="tertiary"):
            _show_tools(desk, here, talk, entry)


def _show_tools(desk: Desk, here: Visit, talk: Talk, entry: SavedConversation) -> None:
    key = f"talk-name-{entry.name}"

    def rename() -> None:
        wanted = str(st.session_state[key]).strip()
        try:
            conversation = talk.conversation if entry.name == talk.name else desk.phidex.conversations.load(entry.name)
            conversation.title = wanted
            desk.phidex.conversations.save(entry.name, conversation)
        except PhidexError as exc:
            here.problem = exc

    def delete() -> None:
        try:
            if entry.name == talk.name:
                talk.forget()
                here.begin(Talk(talk.collection))
            desk.phidex.conversations.delete(entry.name)
        except PhidexError as exc:
            here.problem = exc

    st.text_input(say("talk.rename"), entry.title, key=key, on_change=rename)
    st.download_button(
        say("talk.export"),
        lambda: desk.phidex.conversations.export(entry.name),
        file_name=f"{entry.name}.md",
        mime="text/markdown",
        key=f"talk-export-{entry.name}",
        icon=":material/download:",
        disabled=bool(entry.fault),
    )
    st.button(say("talk.delete"), key=f"talk-delete-{entry.name}", icon=":material/delete:", on_click=delete)
