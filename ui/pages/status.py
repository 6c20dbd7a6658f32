"""What is there, what is missing and how to get it: parts, models, collections."""

from __future__ import annotations

from typing import Any

import streamlit as st

from phidex.doctor import Finding, examine
from phidex.generation.models.health import RoleHealth, examine_roles
from phidex.settings import Settings
from phidex.ui.collection import Chosen
from phidex.ui.desk import Desk, Visit
from phidex.ui.table import show_table
from phidex.ui.words import say

_MARKS = {"ok": "✓", "missing": "–", "broken": "✗", "off": "–"}


def draw(desk: Desk, here: Visit, chosen: Chosen) -> None:
    """The page."""
    del here, chosen
    settings = desk.phidex.settings
    if st.button(say("status.again"), icon=":material/refresh:"):
        _findings.clear()
        _roles.clear()
    st.subheader(say("status.collections"))
    _show_collections(desk)
    st.subheader(say("status.models"))
    _show_roles(_roles(settings))
    st.subheader(say("status.parts"))
    _show_findings(_findings(settings))


@st.cache_data(show_spinner=True, ttl=300)
def _findings(_settings: Settings) -> list[Finding]:
    return examine(_settings)


@st.cache_data(show_spinner=True, ttl=60)
def _roles(_settings: Settings) -> list[RoleHealth]:
    return examine_roles(_settings)


def _show_collections(desk: Desk) -> None:
    status = desk.phidex.status()
    collections: dict[str, dict[str, Any]] = status["collections"]
    show_table(
        {
            say("shell.collection"): list(collections),
            say("status.sources"): [one.get("sources") for one in collections.values()],
            say("library.passages"): [one.get("chunks") for one in collections.values()],
            say("library.language"): [", ".join(one.get("languages", {})) for one in collections.values()],
            say("status.cure"): [one.get("fault", "") for one in collections.values()],
        }
    )
    st.caption(f"{say('status.data')}: `{status['data']}` · {say('status.store')}: `{status['store']}`")


def _show_roles(roles: list[RoleHealth]) -> None:
    show_table(
        {
            say("status.role"): [role.role for role in roles],
            say("status.state"): [_state(role.state) for role in roles],
            say("status.model"): [role.served or role.model for role in roles],
            say("status.window"): [f"{role.window_tokens:,}" if role.window_tokens else "" for role in roles],
            say("status.detail"): [role.detail for role in roles],
            say("status.cure"): [role.cure for role in roles],
        }
    )


def _show_findings(findings: list[Finding]) -> None:
    order = {"broken": 0, "missing": 1, "ok": 2}
    shown = sorted(findings, key=lambda finding: order[finding.state])
    show_table(
        {
            say("status.part"): [finding.part for finding in shown],
            say("status.state"): [_state(finding.state) for finding in shown],
            say("status.detail"): [finding.detail for finding in shown],
            say("status.cure"): [finding.cure for finding in shown],
        }
    )


def _state(state: str) -> str:
    return f"{_MARKS[state]} {say(f'status.{state}')}"
