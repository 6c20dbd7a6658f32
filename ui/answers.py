"""Questions and their answers, newest first: text, citations to choose from, warnings, and how the answer came about."""

from __future__ import annotations

import streamlit as st

from phidex.generation.answer import Answer, Citation, Route
from phidex.generation.extract import NOTICE, NOTICE_DOWN
from phidex.ui.desk import Visit, show_problem
from phidex.ui.look import ledger_bar
from phidex.ui.prose import plain, quoted, sentence, written
from phidex.ui.turn import Turn

_WHO = {"extractive": "Quotations", "mini": "Phi-3.5-mini", "moe": "Phi-3.5-MoE"}


def show_turn(turn: Turn, visit: Visit, *, is_newest: bool) -> None:
    """One question with its answer, followed while it comes."""
    st.markdown(f"#### {plain(turn.question)}")
    if not turn.is_done:
        _follow(turn)
    if turn.route:
        _show_route(turn.route)
    if turn.error:
        if turn.text:
            st.markdown(written(turn.text))
        show_problem(turn.error)
    if turn.answer is None:
        return
    st.markdown(answer_markdown(turn.answer))
    _show_citations(turn, turn.answer, visit, is_newest=is_newest)
    if turn.answer.warnings:
        st.warning("  \n".join(plain(sentence(warning)) for warning in turn.answer.warnings), icon=":material/info:")
    with st.expander("How this answer came about", expanded=is_newest, type="compact"):
        _show_account(turn.answer)


def answer_markdown(answer: Answer) -> str:
    """The answer's text, safe to show; without the notice that the route says already."""
    text = answer.text.removesuffix(NOTICE).removesuffix(NOTICE_DOWN).strip()
    return quoted(text) if answer.route.role == "extractive" else written(text)


def _follow(turn: Turn) -> None:
    """Shows the text while it comes; a click anywhere ends this run of the script, and the next one follows again."""
    place, tools = st.empty(), st.empty()
    tools.button("Stop", key=f"stop-{turn.number}", icon=":material/stop_circle:", on_click=turn.stop)
    place.markdown(":gray[Searching …]")
    for text in turn.follow():
        if text:
            place.markdown(written(text))
    place.empty()
    tools.empty()


def _show_route(route: Route) -> None:
    st.markdown(f":gray-badge[{_WHO.get(route.role, route.role)}]  :gray[:small[{plain(route.reason)}]]")


def _show_citations(turn: Turn, answer: Answer, visit: Visit, *, is_newest: bool) -> None:
    citations = answer.citations
    if not citations:
        return
    key = f"citations-{turn.number}"

    def choose() -> None:
        index: int | None = st.session_state[key]  # None: the chosen one was clicked again
        if index is not None:
            visit.show(citations[index])
        elif visit.shown is not None:
            visit.show(visit.shown.citation)

    if is_newest and visit.shown is None:
        visit.show(citations[0])
    shown = visit.shown.citation if visit.shown is not None else None
    st.session_state[key] = next((index for index, citation in enumerate(citations) if citation is shown), None)
    st.pills(
        "Citations",
        list(range(len(citations))),
        format_func=lambda index: _chip(citations[int(index)]),
        key=key,
        on_change=choose,
        label_visibility="collapsed",
    )


def _chip(citation: Citation) -> str:
    mark = ":material/verified:" if citation.verified else ":material/help:"
    return f"{mark} **{citation.marker}** {plain(f'{citation.source.name}, {citation.locator}')}"


def _show_account(answer: Answer) -> None:
    ledger = answer.ledger
    st.html(ledger_bar(answer))
    left_out = sum(entry.status == "budget" for entry in ledger.entries)
    packed = sum(entry.status == "packed" for entry in ledger.entries)
    seconds = " · ".join(f"{stage} {spent:.2f} s" for stage, spent in answer.timings.items())
    budget = f"{packed} passages within {ledger.budget_tokens:,} tokens, {left_out or 'none'} left out for want of room"
    st.html(f'<div class="phidex-small">{budget} · counted by {ledger.counted_by}<br>{seconds}</div>')
