"""Questions and their answers, newest first: text, citations to choose from, warnings, and how the answer came about."""

from __future__ import annotations

from html import escape

import streamlit as st

from phidex.generation.answer import Answer, Citation, Role
from phidex.generation.conversation import Turn as PastTurn
from phidex.generation.extract import NOTICE, NOTICE_DOWN
from phidex.generation.routing.route import seeing_model, served_roles
from phidex.ui.desk import Desk, Visit, show_problem
from phidex.ui.look import ledger_bar
from phidex.ui.prose import plain, quoted, sentence, written
from phidex.ui.talk import Talk
from phidex.ui.turn import Turn
from phidex.ui.words import say

_WHO = {"mini": "Phi-3.5-mini", "moe": "Phi-3.5-MoE", "vision": "Phi-3.5-vision"}


def show_turn(desk: Desk, here: Visit, talk: Talk, turn: Turn, *, is_newest: bool) -> None:
    """One question with its answer, followed while it comes."""
    st.markdown(f"#### {plain(turn.question)}")
    if turn.images:
        st.image(list(turn.images), width=160)
    if not turn.is_done:
        _follow(turn)
    if turn.route:
        st.markdown(f":gray-badge[{_who(turn.route.role)}]  :gray[:small[{plain(turn.route.reason)}]]")
    if turn.error:
        if turn.text:
            st.markdown(written(turn.text))
        show_problem(turn.error)
    if turn.answer is not None:
        st.markdown(answer_markdown(turn.answer))
        _show_citations(turn, turn.answer, here, is_newest=is_newest)
        _show_doubts(turn.answer)
        _show_account(turn.answer, is_newest=is_newest)
    if turn.answer is not None or turn.error:
        _show_tools(desk, here, talk, turn)


def show_past(turn: PastTurn) -> None:
    """One of a resumed conversation's: its words alone."""
    st.markdown(f"#### {plain(turn.question)}")
    st.markdown(written(turn.answer))


def answer_markdown(answer: Answer) -> str:
    """The answer's text, safe to show; without the notice that the route says already."""
    text = answer.text.removesuffix(NOTICE).removesuffix(NOTICE_DOWN).strip()
    return quoted(text) if answer.route.role == "extractive" else written(text)


def _who(role: str) -> str:
    return _WHO.get(role) or say("answer.quotations")


def _follow(turn: Turn) -> None:
    """Shows the text while it comes; a click anywhere ends this run of the script, and the next one follows again."""
    place, tools = st.empty(), st.empty()
    tools.button(say("answer.stop"), key=f"stop-{turn.number}", icon=":material/stop_circle:", on_click=turn.stop)
    place.markdown(f":gray[{say('answer.searching')}]")
    for text in turn.follow():
        if text:
            place.markdown(written(text))
    place.empty()
    tools.empty()


def _show_citations(turn: Turn, answer: Answer, here: Visit, *, is_newest: bool) -> None:
    citations = answer.citations
    if not citations:
        return
    key = f"citations-{turn.collection}-{turn.number}"

    def choose() -> None:
        index: int | None = st.session_state[key]  # None: the chosen one was clicked again
        if index is not None:
            here.show(citations[index], turn.collection)
        elif here.shown is not None:
            here.show(here.shown.citation, turn.collection)

    if is_newest and here.shown is None:
        here.show(citations[0], turn.collection)
    shown = here.shown.citation if here.shown is not None else None
    st.session_state[key] = next((index for index, citation in enumerate(citations) if citation is shown), None)
    st.pills(
        say("answer.citations"),
        list(range(len(citations))),
        format_func=lambda index: _chip(citations[int(index)]),
        key=key,
        on_change=choose,
        label_visibility="collapsed",
    )


def _chip(citation: Citation) -> str:
    mark = ":material/verified:" if citation.verified else ":material/help:"
    return f"{mark} **{citation.marker}** {plain(f'{citation.source.name}, {citation.locator}')}"


def _show_doubts(answer: Answer) -> None:
    """What people should know, and each sentence that its sources do not bear out or that names none."""
    doubts = [plain(sentence(warning)) for warning in answer.warnings]
    for claim in answer.claims:
        if claim.status != "verified":
            reason = f" ({plain(claim.reason)})" if claim.reason else ""
            doubts.append(f"{say(f'answer.{claim.status}')}{reason}: *{plain(claim.text)}*")
    if doubts:
        st.warning("  \n".join(doubts), icon=":material/info:")


def _show_account(answer: Answer, *, is_newest: bool) -> None:
    ledger = answer.ledger
    with st.expander(say("answer.account"), expanded=is_newest, type="compact"):
        st.html(ledger_bar(answer))
        left_out = sum(entry.status == "budget" for entry in ledger.entries)
        packed = sum(entry.status == "packed" for entry in ledger.entries)
        seconds = " · ".join(f"{stage} {spent:.2f} s" for stage, spent in answer.timings.items())
        budget = say("answer.packed", packed=packed, budget=ledger.budget_tokens, left_out=left_out)
        told = f"{escape(budget)} · {escape(say('answer.counted', by=ledger.counted_by))}<br>{escape(seconds)}"
        st.html(f'<div class="phidex-small">{told}</div>')


def _show_tools(desk: Desk, here: Visit, talk: Talk, turn: Turn) -> None:
    """Copy the text, or have another role answer."""

    def again(role: Role) -> None:
        here.shown = None
        talk.ask(turn.question, desk.phidex, role=role, images=turn.images)

    with st.container(horizontal=True):
        with st.popover(say("answer.copy"), icon=":material/content_copy:", type="tertiary"):
            st.code(turn.text, language=None, wrap_lines=True)
        if roles := _others(desk, turn):
            with st.popover(say("answer.again"), icon=":material/replay:", type="tertiary"):
                for role in roles:
                    st.button(_who(role), key=f"again-{turn.collection}-{turn.number}-{role}", on_click=again, args=(role,))


def _others(desk: Desk, turn: Turn) -> list[Role]:
    """Who else could answer."""
    chat = desk.phidex.settings.chat
    able: list[Role] = ["extractive", *served_roles(chat)]
    able += ("vision",) if seeing_model(chat) else ()
    return [role for role in able if turn.route is None or role != turn.route.role]
