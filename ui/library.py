"""The sidebar: which collection, its documents, and adding to it."""

from __future__ import annotations

import streamlit as st

from phidex.errors import PhidexError
from phidex.retrieval.catalogue import SourceEntry
from phidex.retrieval.checks import check_name
from phidex.ui.desk import Desk, Visit, show_problem
from phidex.ui.jobs import Job, save_upload
from phidex.ui.look import source_row
from phidex.ui.prose import plain

_LISTED = 40
_SUFFIXES = "PDF, HTML, Markdown, text"


def library(desk: Desk, visit: Visit) -> tuple[str, list[SourceEntry]]:
    """Draws the sidebar; returns the chosen collection and its sources (none where it is not there yet)."""
    names = desk.phidex.collections()
    collection = _choose(names)
    entries = desk.phidex.sources(collection) if collection in names else []
    if entries:
        desk.warm_up(collection)
    _upload(desk, visit, collection)
    _progress(desk, visit, collection)
    _sources(desk, visit, collection, entries)
    return collection, entries


def _choose(names: list[str]) -> str:
    """The collection's name, from those that exist or a new one.

    Raises:
        InputError: no collection may be called so.
    """
    chosen = st.selectbox(
        "Collection",
        names,
        index=0 if names else None,
        key="collection",
        accept_new_options=True,
        placeholder="default",
        help="Type a new name to begin a new collection.",
    )
    name = chosen or (names[0] if names else "default")
    return check_name(name.strip().lower().replace(" ", "-"))


def _upload(desk: Desk, visit: Visit, collection: str) -> None:
    key = f"upload-{visit.uploads}"

    def receive() -> None:
        files = st.session_state[key]
        try:
            paths = [save_upload(desk.data, collection, file.name, file.getvalue()) for file in files]
            visit.problem = None
        except PhidexError as exc:
            visit.problem = exc
            return
        visit.uploads += 1
        if paths:
            desk.jobs.add(collection, paths)

    st.file_uploader("Add documents", accept_multiple_files=True, key=key, on_change=receive, help=_SUFFIXES)
    if visit.problem:
        show_problem(visit.problem)


def _progress(desk: Desk, visit: Visit, collection: str) -> None:
    """The jobs of the collection, looked at twice a second while there are any."""
    busy = bool(desk.jobs.active(collection))

    @st.fragment(run_every=0.5 if busy else None)
    def progress() -> None:
        active = desk.jobs.active(collection)
        for job in active[:2]:
            _show_job(job)
        if len(active) > 2:
            st.caption(f"{len(active) - 2} more waiting")
        if busy and not active:
            st.rerun()

    progress()
    done = [job for job in desk.jobs.of(collection) if job.state == "done"]
    if done and not busy:
        _show_outcome(done[-1], visit)


def _show_job(job: Job) -> None:
    share = min(1.0, job.done / job.total) if job.total else 0.0
    match job.state:
        case "waiting":
            st.progress(0.0, "Waiting for another ingest")
        case "reading":
            st.progress(share, f"Reading, {job.done} of {job.total} files")
        case _:
            st.progress(share, f"Searchable; learning meanings, {job.done:,} of {job.total:,} passages")


def _show_outcome(job: Job, visit: Visit) -> None:
    """What came of the last job, until it is dismissed."""
    if job.number <= visit.jobs_seen:
        return
    if job.error:
        show_problem(job.error)
    for file in job.refused[:10]:
        name = file.path.rsplit("/", 1)[-1]
        st.warning(f"**{plain(name)}** was not taken: {plain(file.reason)}  \n{plain(file.hint)}", icon=":material/block:")
    if len(job.refused) > 10:
        st.caption(f"and {len(job.refused) - 10} more")
    if (job.error or job.refused) and st.button("Dismiss", type="tertiary"):
        visit.jobs_seen = job.number
        st.rerun()


def _sources(desk: Desk, visit: Visit, collection: str, entries: list[SourceEntry]) -> None:
    if not entries:
        return
    pending = sum(entry.pending for entry in entries)
    st.markdown(f"**{len(entries):,} document{'s' * (len(entries) != 1)}**")
    if pending and not desk.jobs.active(collection):
        text = f"{pending:,} passages are found by their words only, not yet by meaning."
        st.html(f'<div class="phidex-small">{text}</div>')
        if st.button("Complete now", icon=":material/play_arrow:", width="stretch"):
            desk.jobs.add(collection)
            st.rerun()
    wanted = ""
    if len(entries) > 12:
        wanted = st.text_input("Find a document", placeholder="part of its name", label_visibility="collapsed").casefold()
    fitting = [entry for entry in entries if wanted in f"{entry.source.name} {entry.source.title}".casefold()]
    with st.container(key="sources"):
        for entry in fitting[:_LISTED]:
            _source(desk, visit, collection, entry)
    if len(fitting) > _LISTED:
        st.caption(f"and {len(fitting) - _LISTED:,} more")


def _source(desk: Desk, visit: Visit, collection: str, entry: SourceEntry) -> None:
    row, tool = st.columns([6, 1], vertical_alignment="center", gap="small")
    row.html(source_row(entry.source.name, _details(entry)))
    label = f"Remove {entry.source.name} from the collection"
    if tool.button("", key=f"remove-{entry.source.id}", icon=":material/close:", type="tertiary", help=plain(label)):
        _confirm_removal(desk, visit, collection, entry)


def _details(entry: SourceEntry) -> str:
    source = entry.source
    parts = [f"{source.page_count} page{'s' * (source.page_count != 1)}" if source.page_count else source.kind]
    parts.append(f"{entry.chunk_count:,} passage{'s' * (entry.chunk_count != 1)}")
    match entry.state:
        case "incomplete":
            parts.append("not ingested completely")
        case "searchable":
            parts.append("searchable")
        case _:
            parts.append("complete")
    return " · ".join(parts)


@st.dialog("Remove a document")
def _confirm_removal(desk: Desk, visit: Visit, collection: str, entry: SourceEntry) -> None:
    st.markdown(f"**{plain(entry.source.name)}** will no longer be found in *{plain(collection)}*. The file itself stays.")

    def remove() -> None:
        try:
            desk.phidex.remove(entry.source.id, collection=collection)
            visit.problem = None
        except PhidexError as exc:
            visit.problem = exc

    if st.button("Remove", type="primary", on_click=remove):
        st.rerun()
