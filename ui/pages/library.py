"""What a collection holds: adding to it, its documents as a table, and how each of them was read."""

from __future__ import annotations

import contextlib
from pathlib import Path

import streamlit as st

from phidex.errors import InputError, PhidexError
from phidex.retrieval.catalogue import SourceEntry
from phidex.ui.collection import Chosen
from phidex.ui.desk import Desk, Visit
from phidex.ui.intake import show_jobs, show_upload
from phidex.ui.prose import plain
from phidex.ui.reading import show_source
from phidex.ui.table import pick_rows
from phidex.ui.words import say

_NAMED = 12  # documents named before they are removed


def draw(desk: Desk, here: Visit, chosen: Chosen) -> None:
    """The page."""
    with st.expander(say("library.add"), expanded=not chosen.entries, icon=":material/add:"):
        show_upload(desk, here, chosen.name)
        _show_address(desk, chosen.name)
    show_jobs(desk, here, chosen.name)
    if not chosen.entries:
        return
    _show_pending(desk, chosen)
    marked = _show_table(here, chosen.entries)
    _show_tools(desk, here, chosen, marked)
    if len(marked) == 1:
        show_source(desk, here, chosen.name, marked[0])
    elif not marked:
        st.caption(say("library.choose"))


def _show_address(desk: Desk, collection: str) -> None:
    """A folder of this machine, a repository or an address: looked at first, or added at once."""
    with st.form("address", border=False):
        target = st.text_input(say("library.address"), placeholder=say("library.address_placeholder"))
        sync = st.checkbox(say("library.sync"))
        with st.container(horizontal=True):
            is_added = st.form_submit_button(say("library.begin"), type="primary", icon=":material/add:")
            is_checked = st.form_submit_button(say("library.check"), icon=":material/difference:")
    if target.strip() and (is_added or is_checked):
        desk.jobs.add(collection, [target.strip()], sync=sync, dry_run=is_checked)


def _show_pending(desk: Desk, chosen: Chosen) -> None:
    pending = sum(entry.pending for entry in chosen.entries)
    if not pending or desk.jobs.active(chosen.name):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(say("library.pending", count=pending), width="content")
        if st.button(say("library.complete_now"), icon=":material/play_arrow:"):
            desk.jobs.add(chosen.name)
            st.rerun()


def _show_table(here: Visit, entries: list[SourceEntry]) -> list[SourceEntry]:
    """The documents that fit what is looked for; returns those that are marked."""
    wanted = st.text_input(
        say("library.find"), placeholder=say("library.find_placeholder"), key="find", label_visibility="collapsed"
    ).casefold()
    fitting = [entry for entry in entries if wanted in f"{entry.source.name} {entry.source.title}".casefold()]
    if not fitting:
        st.caption(say("library.none"))
        return []
    columns = {
        say("library.name"): [entry.source.name for entry in fitting],
        say("library.title"): [entry.source.title for entry in fitting],
        say("library.kind"): [entry.source.kind for entry in fitting],
        say("library.language"): [entry.source.language for entry in fitting],
        say("library.pages"): [entry.source.page_count or None for entry in fitting],
        say("library.passages"): [entry.chunk_count for entry in fitting],
        say("library.size"): [entry.source.size_bytes for entry in fitting],
        say("library.state"): [say(f"library.{entry.state}") for entry in fitting],
    }
    rows = pick_rows(columns, "sources", sizes=[say("library.size")])
    if rows:
        here.take("source")
        return [fitting[row] for row in rows]
    return [entry for entry in fitting if entry.source.id == here.place.source][:1]


def _show_tools(desk: Desk, here: Visit, chosen: Chosen, marked: list[SourceEntry]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        if marked:
            if st.button(say("library.remove"), icon=":material/delete:", key="remove"):
                _confirm_removal(desk, here, chosen.name, marked)
            files = [path for entry in marked if (path := _file_of(entry))]
            if st.button(say("library.again"), icon=":material/refresh:", key="again", disabled=not files):
                desk.jobs.add(chosen.name, files)
                st.rerun()
        st.space("stretch")
        if st.button(say("library.drop"), type="tertiary", icon=":material/delete_forever:", key="drop"):
            _confirm_drop(desk, here, chosen.name)


def _file_of(entry: SourceEntry) -> Path | None:
    """The file that it was read from, where it is one of this machine."""
    with contextlib.suppress(PhidexError):
        return entry.source.local_path()
    return None


@st.dialog(" ")
def _confirm_removal(desk: Desk, here: Visit, collection: str, marked: list[SourceEntry]) -> None:
    names = plain(", ".join(entry.source.name for entry in marked[:_NAMED])) + " …" * (len(marked) > _NAMED)
    st.markdown(say("library.remove_what", collection=plain(collection), names=f"**{names}**"))

    def remove() -> None:
        try:
            for entry in marked:
                desk.phidex.remove(entry.source.id, collection=collection)
            here.problem = None
        except PhidexError as exc:
            here.problem = exc

    if st.button(say("library.remove"), type="primary", on_click=remove, key="remove-confirmed"):
        st.rerun()


@st.dialog(" ")
def _confirm_drop(desk: Desk, here: Visit, collection: str) -> None:
    st.markdown(say("library.drop_what", collection=f"**{plain(collection)}**"))

    def drop() -> None:
        try:
            if st.session_state["drop-name"].strip() != collection:
                raise InputError("the collection was not deleted: another name was typed", hint=f"type {collection}")
            desk.phidex.drop(collection)
            here.problem, here.shown = None, None
            del st.session_state["collection"]
        except PhidexError as exc:
            here.problem = exc

    with st.form("drop-form", border=False):
        st.text_input(say("shell.collection"), label_visibility="collapsed", key="drop-name")
        if st.form_submit_button(say("library.drop"), type="primary", on_click=drop, key="drop-confirmed"):
            st.rerun()
