"""The frame of every page: navigation, collection and language in the sidebar, and what is said when something goes wrong.

Nothing of it is reachable from other machines, and it loads nothing from elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import streamlit as st

from phidex.errors import PhidexError
from phidex.ui.collection import Chosen, choose_collection
from phidex.ui.desk import Desk, Visit, open_desk, show_problem, visit
from phidex.ui.link import read_place
from phidex.ui.look import CSS, LOGO, RIGHT_TO_LEFT_CSS
from phidex.ui.pages import ask, library, status
from phidex.ui.words import RIGHT_TO_LEFT, choose_language, language, say

log = logging.getLogger(__name__)

Body = Callable[[Desk, Visit, Chosen], None]

_PAGES: dict[str, tuple[str, Body]] = {  # by their address: icon, and what draws it
    "ask": (":material/forum:", ask.draw),
    "library": (":material/library_books:", library.draw),
    "status": (":material/monitor_heart:", status.draw),
}


def show() -> None:
    """One run of the app."""
    st.set_page_config(page_title="Phidex", page_icon="📖", layout="wide")
    pages = {
        name: st.Page(partial(framed, body), title=say(f"shell.{name}"), icon=icon, url_path=name, default=body is ask.draw)
        for name, (icon, body) in _PAGES.items()
    }
    page = st.navigation(list(pages.values()))
    framed(next(body for name, (_, body) in _PAGES.items() if pages[name] == page))


def framed(body: Body) -> None:
    """One page in its frame; what the sidebar holds is drawn on every page, so that choices stay when pages change."""
    st.logo(LOGO, size="large")
    st.html(CSS + RIGHT_TO_LEFT_CSS * (language() in RIGHT_TO_LEFT))
    try:
        desk, here = open_desk(), visit()
        here.arrive(read_place(st.query_params.to_dict()))
        with st.sidebar, st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            chosen = choose_collection(desk, here)
            choose_language()
        if here.problem is not None:
            show_problem(here.problem)
            here.problem = None
        body(desk, here, chosen)
    except PhidexError as exc:
        show_problem(exc)
    except Exception as exc:
        log.exception("page failed")
        show_problem(PhidexError(f"this did not work: {type(exc).__name__}", hint="the log of the app says more"))
