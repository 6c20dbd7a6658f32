"""Tables, by columns: what Streamlit's own types say of them is incomplete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as _streamlit

st: Any = _streamlit

_ROW = 35  # pixels
_TALLEST = 420

Columns = Mapping[str, Sequence[Any]]


def show_table(columns: Columns) -> None:
    """All rows, with their texts whole."""
    st.table(columns, hide_index=True)


def pick_rows(columns: Columns, key: str, sizes: Sequence[str] = ()) -> list[int]:
    """A table that scrolls, whose rows can be marked; returns those that are.

    Args:
        sizes: names of columns that count bytes.
    """
    count = max(map(len, columns.values()), default=0)
    state = st.dataframe(
        columns,
        hide_index=True,
        selection_mode="multi-row",
        on_select="rerun",
        key=key,
        height=min(_TALLEST, _ROW * (count + 1) + 3),
        column_config={name: st.column_config.NumberColumn(format="bytes") for name in sizes},
    )
    rows: list[int] = state["selection"]["rows"]
    return [row for row in rows if row < count]
