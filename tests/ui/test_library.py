"""The library and the status page in Streamlit's test driver."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from tests.ui.test_app import html_of, make_pdf, open_app, settle

from phidex.sdk import Phidex
from phidex.settings import load_settings


@pytest.fixture
def mill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A collection `mill` of one PDF in a folder, and another file in it that is not ingested yet."""
    monkeypatch.setenv("PHIDEX_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PHIDEX_EMBED__MODEL", "none")
    monkeypatch.setenv("PHIDEX_STORE__IDLE_S", "5")
    folder = tmp_path / "papers"
    folder.mkdir()
    with Phidex(settings=load_settings()) as phidex:
        phidex.ingest(make_pdf(folder / "lease.pdf"), collection="mill")
    (folder / "notes.md").write_text("# Roof\n\nThe roof is sound.\n")
    yield folder
    st.cache_resource.clear()


def column(frame: Any, name: str) -> list[Any]:
    return frame.value[name].tolist()


def lease_of(collection: str) -> str:
    with Phidex(settings=load_settings()) as phidex:
        return phidex.sources(collection)[0].source.id


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def test_the_documents_stand_in_a_table_with_their_state(mill: Path) -> None:
    shown = open_app("library").dataframe[0]
    assert column(shown, "Name") == ["lease.pdf"]
    assert column(shown, "Pages") == [3]
    assert column(shown, "State") == ["complete"]


def test_what_is_looked_for_narrows_the_table(mill: Path) -> None:
    app = open_app("library")
    app.text_input(key="find").set_value("boiler").run()
    assert not app.dataframe
    assert "No document fits." in [element.value for element in app.caption]


def test_an_address_opens_a_document_at_its_page_with_its_passages(mill: Path) -> None:
    app = open_app("library", collection="mill", source=lease_of("mill"), page="2")
    assert app.get("image")[0].proto.imgs[0].alt == "Page 2 of 3"
    assert "signed by Ada Byron" in html_of(app)
    assert "water wheels" not in html_of(app)
    app.number_input[0].set_value(3).run()
    assert "water wheels" in html_of(app)


def test_what_would_change_is_said_before_it_is_done(mill: Path) -> None:
    app = open_app("library")
    app.text_input[0].set_value(str(mill))
    next(button for button in app.button if button.label == "What would change?").click().run()
    settle(app)
    assert "To be added: 1" in app.info[0].value
    assert column(open_app("library").dataframe[0], "Name") == ["lease.pdf"]
    app.text_input[0].set_value(str(mill))
    next(button for button in app.button if button.label == "Add").click().run()
    settle(app)
    assert column(open_app("library").dataframe[0], "Name") == ["lease.pdf", "notes.md"]


def test_an_address_that_leads_nowhere_is_an_error_with_its_cure(mill: Path) -> None:
    app = open_app("library")
    app.text_input[0].set_value(str(mill / "gone"))
    next(button for button in app.button if button.label == "Add").click().run()
    settle(app)
    assert "No such file or folder" in app.error[0].value


def test_a_document_is_removed_once_that_is_confirmed(mill: Path) -> None:
    app = open_app("library", source=lease_of("mill"))
    press(app, "remove")
    assert r"lease\.pdf" in "".join(element.value for element in app.markdown)
    press(app, "remove-confirmed")
    assert not open_app("library").dataframe
    assert (mill / "lease.pdf").exists()


def test_a_collection_is_deleted_once_its_name_is_typed(mill: Path) -> None:
    app = press(open_app("library"), "drop")
    app.text_input(key="drop-name").set_value("mile")
    press(app, "drop-confirmed")
    assert "another name was typed" in app.error[0].value
    press(app, "drop")
    app.text_input(key="drop-name").set_value("mill")
    press(app, "drop-confirmed")
    with Phidex(settings=load_settings()) as phidex:
        assert phidex.collections() == []


def test_the_status_names_collections_models_and_parts(mill: Path) -> None:
    app = open_app("status")
    collections, models, parts = app.table
    assert column(collections, "Collection") == ["mill"]
    assert "mini" in column(models, "Role")
    assert "pymupdf" in column(parts, "Part")


def test_the_interface_speaks_the_language_that_is_chosen(mill: Path) -> None:
    app = open_app("library")
    app.radio(key="language").set_value("de").run()
    assert column(app.dataframe[0], "Stand") == ["vollständig"]
    app.radio(key="language").set_value("ar").run()
    assert "direction: rtl" in html_of(app)
