"""Adding documents, and how far their ingest is: shown beside an empty collection and in the library."""

from __future__ import annotations

import streamlit as st

from phidex.errors import PhidexError
from phidex.ui.desk import Desk, Visit, show_problem
from phidex.ui.jobs import Job, save_upload
from phidex.ui.prose import plain
from phidex.ui.words import say

_SHOWN = 10


def show_upload(desk: Desk, here: Visit, collection: str) -> None:
    """Where files are dropped; they are saved and ingested in the background."""
    key = f"upload-{here.uploads}"

    def receive() -> None:
        files = st.session_state[key]
        try:
            paths = [save_upload(desk.data, collection, file.name, file.getvalue()) for file in files]
            here.problem = None
        except PhidexError as exc:
            here.problem = exc
            return
        here.uploads += 1
        if paths:
            desk.jobs.add(collection, paths)

    st.file_uploader(say("library.add"), accept_multiple_files=True, key=key, on_change=receive, help=say("library.add_help"))


def show_jobs(desk: Desk, here: Visit, collection: str) -> None:
    """The jobs of the collection, looked at twice a second while there are any; then what came of the last one."""
    busy = bool(desk.jobs.active(collection))

    @st.fragment(run_every=0.5 if busy else None)
    def progress() -> None:
        active = desk.jobs.active(collection)
        for job in active[:2]:
            _show_job(job)
        if len(active) > 2:
            st.caption(say("job.more", count=len(active) - 2))
        if busy and not active:
            st.rerun()

    progress()
    done = [job for job in desk.jobs.of(collection) if job.state == "done"]
    if done and not busy:
        _show_outcome(done[-1], here)


def _show_job(job: Job) -> None:
    share = min(1.0, job.done / job.total) if job.total else 0.0
    match job.state:
        case "waiting":
            st.progress(0.0, say("job.waiting"))
        case "reading":
            st.progress(share, say("job.reading", done=job.done, total=job.total))
        case _:
            st.progress(share, say("job.embedding", done=job.done, total=job.total))


def _show_outcome(job: Job, here: Visit) -> None:
    """What came of the last job, until it is dismissed."""
    if job.number <= here.jobs_seen:
        return
    if job.error:
        show_problem(job.error)
    if job.dry_run and job.report:
        counts = {outcome: job.report.count(outcome) for outcome in ("added", "replaced", "removed", "unchanged", "failed")}
        st.info(say("library.changes", changed=counts.pop("replaced"), **counts), icon=":material/difference:")
    for file in job.refused[:_SHOWN]:
        name, reason = plain(file.path.rsplit("/", 1)[-1]), plain(file.reason)
        st.warning(f"{say('job.not_taken', name=name, reason=reason)}  \n{plain(file.hint)}", icon=":material/block:")
    if len(job.refused) > _SHOWN:
        st.caption(say("job.more", count=len(job.refused) - _SHOWN))
    is_told = bool(job.error or job.refused or job.dry_run)
    if is_told and st.button(say("job.dismiss"), type="tertiary", key=f"dismiss-{job.number}"):
        here.jobs_seen = job.number
        st.rerun()
