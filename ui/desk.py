"""What one process shares (the SDK, its jobs, the painter), and what one visitor's session holds."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from phidex.errors import PhidexError
from phidex.generation.answer import Citation
from phidex.ingest.pdf.painter import PageView, Painter
from phidex.ingest.records import Box, Source
from phidex.originals import original_path
from phidex.sdk import Phidex
from phidex.settings import Settings, load_settings
from phidex.ui.jobs import Jobs
from phidex.ui.link import Place
from phidex.ui.prose import plain, sentence
from phidex.ui.talk import Talk


@dataclass(frozen=True, slots=True)
class Desk:
    """What all sessions of the process share."""

    phidex: Phidex
    jobs: Jobs
    painter: Painter
    warm: set[str] = field(default_factory=set[str])

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.phidex.settings.data

    def warm_up(self, collection: str) -> None:
        """Have the collection's dense model loaded while the first question is being typed; once, in a thread."""
        if collection not in self.warm:
            self.warm.add(collection)
            threading.Thread(target=self._search, args=(collection,), name="phidex-warm-up", daemon=True).start()

    def _search(self, collection: str) -> None:
        with contextlib.suppress(PhidexError):  # the first question will say it
            self.phidex.search("warm up", collection, limit=1)

    def close(self) -> None:
        """Let go of everything."""
        self.jobs.close()
        self.painter.close()
        self.phidex.close()


@dataclass(slots=True)
class Shown:
    """The citation beside the answers, of which collection, and the page that is looked at now."""

    citation: Citation
    collection: str
    page_number: int = 0


@dataclass(slots=True)
class Visit:
    """One visitor's session: what is talked about, and what is looked at.

    Args:
        talks: the conversation of each collection.
        uploads: counts uploads; part of the widget's key, so that it empties after each.
        jobs_seen: number of the last job whose end was shown.
        place: what the address names.
    """

    talks: dict[str, Talk] = field(default_factory=dict[str, Talk])
    shown: Shown | None = None
    uploads: int = 0
    jobs_seen: int = 0
    problem: PhidexError | None = None
    place: Place = field(default_factory=Place)
    _left: set[str] = field(default_factory=set[str])

    def arrive(self, place: Place) -> None:
        """Note what the address names; each part of a new one is followed once, and choices made afterwards stand."""
        if place != self.place:
            self.place = place
            self._left = set(place.query())

    def take(self, part: str) -> bool:
        """Whether that part of the address is still to be followed; it no longer is from here on."""
        is_left = part in self._left
        self._left.discard(part)
        return is_left

    def talk(self, collection: str) -> Talk:
        """The conversation over the collection; a new one where there is none."""
        return self.talks.setdefault(collection, Talk(collection))

    def begin(self, talk: Talk) -> None:
        """Go on with this conversation, and look at nothing yet."""
        self.talks[talk.collection] = talk
        self.shown = None

    def show(self, citation: Citation, collection: str) -> None:
        """Lay a citation's place beside the answers."""
        page_number = getattr(citation.locator, "page_number", 0)
        self.shown = Shown(citation, collection, page_number)


def open_desk() -> Desk:
    """The process's desk for the data folder that the settings name.

    Raises:
        ConfigError: a setting is wrong.
    """
    settings = load_settings()
    return _desk(str(settings.data.resolve()), settings)


def _close(desk: Desk) -> None:
    desk.close()


@st.cache_resource(show_spinner=False, on_release=_close)
def _desk(data: str, _settings: Settings) -> Desk:
    phidex = Phidex(data, settings=_settings)
    painter = Painter()
    painter.warm_up()
    return Desk(phidex, Jobs(phidex), painter)


def visit() -> Visit:
    """This session's state."""
    if "visit" not in st.session_state:
        st.session_state["visit"] = Visit()
    return st.session_state["visit"]


@dataclass(frozen=True, slots=True)
class PageShown:
    """A page of a document, with boxes and a quotation marked on it; see `PageView`."""

    collection: str
    page_number: int
    boxes: tuple[Box, ...] = ()
    quote: str = ""
    crop: bool = False


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs={Source: lambda source: (source.id, source.sha256)})
def draw(_desk: Desk, source: Source, shown: PageShown) -> bytes:
    """A picture of a page, drawn once.

    Raises:
        InputError, NotFoundError: the document is gone, or the page cannot be drawn.
    """
    passwords = tuple(one.get_secret_value() for one in _desk.phidex.settings.ingest.passwords)
    with original_path(_desk.phidex, source, shown.collection) as path:
        view = PageView(
            path,
            shown.page_number,
            shown.boxes,
            shown.quote,
            crop=shown.crop,
            sha256=source.sha256,
            passwords=passwords,
        )
        return _desk.painter.page(view)


def show_problem(problem: PhidexError) -> None:
    """The message with its cure."""
    hint = f"\n\n{plain(sentence(problem.hint))}" if problem.hint else ""
    st.error(f"**{plain(sentence(problem.message))}**{hint}", icon=":material/error:")
