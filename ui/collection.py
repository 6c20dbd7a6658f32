"""The sidebar's first part, on every page: which collection is looked at."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from phidex.retrieval.catalogue import SourceEntry
from phidex.retrieval.checks import check_name
from phidex.ui.desk import Desk, Visit
from phidex.ui.words import say


@dataclass(frozen=True, slots=True)
class Chosen:
    """A collection and its sources; none where it is not there yet."""

    name: str
    entries: list[SourceEntry]


def choose_collection(desk: Desk, here: Visit) -> Chosen:
    """The collection that is chosen, from those that exist or a new one.

    Raises:
        InputError: no collection may be called so.
    """
    names = desk.phidex.collections()
    asked = here.place.collection
    if asked in names and here.take("collection"):
        st.session_state["collection"] = asked
    chosen = st.selectbox(
        say("shell.collection"),
        names,
        index=0 if names else None,
        key="collection",
        accept_new_options=True,
        placeholder="default",
        help=say("shell.collection_help"),
    )
    name = check_name((chosen or (names[0] if names else "default")).strip().lower().replace(" ", "-"))
    entries = desk.phidex.sources(name) if name in names else []
    if entries:
        desk.warm_up(name)
    return Chosen(name, entries)
