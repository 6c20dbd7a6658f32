"""The app as people use it: questions, evidence, uploads and errors in Streamlit's test driver, and one real browser."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pymupdf as _pymupdf
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from tests.ui.browser import find_chromium, open_page

from phidex.sdk import Phidex
from phidex.settings import load_settings
from phidex.ui import launch

pymupdf: Any = _pymupdf  # its own types are incomplete

LEASE = "The lease of the mill was signed by Ada Byron on 3 May 2021. The rent is 900 pounds a month."
NOTES = "# Boiler\n\nThe boiler was replaced in March 2021 by Ohm Ltd.\n\n# Roof\n\nThe roof is sound.\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A data folder that the app will open, without a dense model."""
    monkeypatch.setenv("PHIDEX_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PHIDEX_EMBED__MODEL", "none")
    monkeypatch.setenv("PHIDEX_STORE__IDLE_S", "5")
    yield tmp_path / "data"
    st.cache_resource.clear()


def make_pdf(path: Path) -> Path:
    document = pymupdf.open()
    for text in ("The history of the mill, with nothing about its rent.", LEASE, "An appendix on water wheels."):
        document.new_page(width=400, height=300).insert_textbox((40, 40, 360, 260), text, fontsize=11)
    document.save(path)
    return path


@pytest.fixture
def mill(data: Path, tmp_path: Path) -> Path:
    """The data folder with a collection `mill` of a PDF and a text file."""
    (tmp_path / "notes.md").write_text(NOTES)
    with Phidex(settings=load_settings()) as phidex:
        phidex.ingest(make_pdf(tmp_path / "lease.pdf"), tmp_path / "notes.md", collection="mill")
    return data


def app_of(name: str, /, **query: str) -> AppTest:
    """One page as the test driver can run it: it knows no navigation; the real browser below does."""
    lines = ("from phidex.ui.page import framed", f"from phidex.ui.pages import {name}", f"framed({name}.draw)")
    script = "\n    ".join(("if __name__ == '__main__':", *lines))  # as in app.py: the painter's process imports it again
    app = AppTest.from_string(script, default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    return app


def open_app(name: str = "ask", /, **query: str) -> AppTest:
    app = app_of(name, **query).run()
    assert not app.exception
    return app


def ask(app: AppTest, question: str) -> AppTest:
    app.chat_input[0].set_value(question).run()
    assert not app.exception
    return app


def html_of(app: AppTest) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def settle(app: AppTest) -> AppTest:
    """Runs the app until its jobs are done."""
    deadline = time.monotonic() + 60
    while app.get("progress"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
        app.run()
    assert not app.exception
    return app


def test_an_empty_collection_says_what_to_do(data: Path) -> None:
    app = open_app()
    assert "Nothing to ask yet" in html_of(app)
    assert not app.chat_input


def test_an_answer_shows_the_cited_page_and_its_check(mill: Path) -> None:
    app = ask(open_app(), "Who signed the lease of the mill?")
    shown = " ".join(element.value for element in app.markdown)
    assert "signed by Ada Byron" in shown
    assert "no model is configured" in shown
    assert "lease\\.pdf" in app.pills[0].options[0]
    assert app.get("image")[0].proto.imgs[0].alt == "lease.pdf, page 2 of 3"
    assert "signed by Ada Byron" in html_of(app)  # the quote beside the page
    assert ":green-badge[:material/verified: verified]" in shown
    assert "kept for the answer 1,024" in html_of(app)


def test_pages_can_be_turned_and_the_passage_looked_at(mill: Path) -> None:
    app = ask(open_app(), "Who signed the lease of the mill?")
    app.button(key="next").click().run()
    assert app.get("image")[0].proto.imgs[0].alt == "lease.pdf, page 3 of 3"
    assert app.button(key="back").label == r"Back to p\. 2"  # labels are markdown
    assert app.button(key="next").disabled
    app.button(key="back").click().run()
    assert app.get("image")[0].proto.imgs[0].alt == "lease.pdf, page 2 of 3"
    app.segmented_control(key="view").set_value("passage").run()
    assert app.get("image")
    assert not app.exception


def test_a_text_file_shows_the_cited_lines(mill: Path) -> None:
    app = ask(open_app(), "When was the boiler replaced?")
    assert not app.get("image")
    assert "<div class=cited><b>3</b>The boiler was replaced" in html_of(app)


def test_questions_stay_newest_first(mill: Path) -> None:
    app = ask(ask(open_app(), "Who signed the lease of the mill?"), "When was the boiler replaced?")
    titles = [element.value for element in app.markdown if element.value.startswith("####")]
    assert titles == ["#### When was the boiler replaced?", "#### Who signed the lease of the mill?"]
    assert app.pills(key="citations-mill-1").value is None  # only what is shown is marked as chosen
    app.pills(key="citations-mill-1").set_value(0).run()
    assert app.get("image")
    assert app.pills(key="citations-mill-2").value is None


def test_what_is_not_in_the_documents_is_said(mill: Path) -> None:
    app = ask(open_app(), "Quel est le prix du vin en Bourgogne?")
    assert any("not in these documents" in element.value for element in app.markdown)
    assert not app.pills


def test_a_changed_document_is_an_error_with_its_cure(mill: Path, tmp_path: Path) -> None:
    (tmp_path / "lease.pdf").write_bytes(b"something else")
    app = ask(open_app(), "Who signed the lease of the mill?")
    assert "has changed since it was ingested" in app.error[0].value
    assert "Ingest it again" in app.error[0].value


def test_a_server_that_is_down_is_named_beside_the_quotations(mill: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_CHAT__URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("PHIDEX_CHAT__RETRIES", "0")
    app = ask(open_app(), "Who signed the lease of the mill?")
    assert not app.error
    assert "127\\.0\\.0\\.1" in app.warning[0].value
    assert any("quoted in its place" in element.value for element in app.markdown)


def test_a_wrong_setting_is_an_error_with_its_cure(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHIDEX_PACK__HITS", "many")
    app = open_app()
    assert "PHIDEX\\_PACK\\_\\_HITS" in app.error[0].value


def test_an_upload_is_kept_ingested_and_can_be_asked(data: Path, tmp_path: Path) -> None:
    app = open_app()
    pdf = make_pdf(tmp_path / "lease.pdf").read_bytes()
    app.file_uploader[0].set_value(
        [("lease.pdf", pdf, "application/pdf"), ("song.mp3", b"ID3\x04\x00\x00" * 99, "audio/mpeg")]
    ).run()
    settle(app)
    assert (data / "uploads/default/lease.pdf").read_bytes() == pdf
    assert "“song\\.mp3” was not taken" in app.warning[0].value
    ask(app, "Who signed the lease of the mill?")
    assert app.get("image")


def test_an_address_with_a_question_asks_it_once(mill: Path) -> None:
    app = open_app(collection="mill", ask="Who signed the lease of the mill?").run()
    titles = [element.value for element in app.markdown if element.value.startswith("####")]
    assert titles == ["#### Who signed the lease of the mill?"]


def test_a_new_collection_begins_with_its_name(mill: Path) -> None:
    for name, heading in (("New Project", "Add documents to “new-project”"), ("../etc", "is no name for a collection")):
        app = app_of("ask")
        app.session_state["collection"] = name  # the driver cannot type into a selectbox
        app.run()
        assert heading in html_of(app) + "".join(error.value for error in app.error)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_files_of_the_working_folder_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text("raise SystemExit('not ours')")
    command = launch.command(8501)
    code = "import sys; print(sys.path[0] in ('', sys.argv[1]))"  # by -m the working folder comes first
    at = command.index("-m")
    (tmp_path / "where.py").write_text(code)
    done = subprocess.run([*command[:at], "-c", code, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.fixture
def url(mill: Path, tmp_path: Path) -> Generator[str]:
    """A served app."""
    port = _free_port()
    environment = {**os.environ, "HOME": str(tmp_path)}
    with (tmp_path / "app.log").open("wb") as log:
        server = subprocess.Popen(launch.command(port), env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=5) as reply:
                    assert reply.read() == b"ok"
                break
            except OSError:
                assert server.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def test_a_real_browser_shows_answer_and_page_and_asks_no_other_host(url: str, tmp_path: Path) -> None:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with open_page(chromium, url, tmp_path / "profile") as page:
        page.wait("document.body.innerText.includes('Ask your documents')")
        assert "lease, Boiler" in page.text()
        page.type_into("[data-testid=stChatInput] textarea", "Who signed the lease of the mill?")
        page.wait("document.querySelector('.st-key-page img')?.naturalWidth > 0")
        assert "signed by Ada Byron" in page.text()
        assert page.read("document.querySelectorAll('[data-testid=stException], [data-testid=stAlert]').length") == 0
        assert page.hosts == {url.removeprefix("http://"), ""}  # "" is data: and blob:


def test_a_conversation_is_kept_listed_and_resumed(mill: Path) -> None:
    ask(open_app(), "Who signed the lease of the mill?")
    with Phidex(settings=load_settings()) as phidex:
        (saved,) = phidex.conversations.list()
    assert (saved.collection, saved.turns) == ("mill", 1)
    app = open_app()  # another visit
    app.button(key=f"talk-{saved.name}").click().run()
    shown = [element.value for element in app.markdown]
    assert "#### Who signed the lease of the mill?" in shown
    ask(app, "When was the boiler replaced?")
    with Phidex(settings=load_settings()) as phidex:
        assert [entry.turns for entry in phidex.conversations.list()] == [2]
    app.text_input(key=f"talk-name-{saved.name}").set_value("About the mill").run()
    assert "About the mill" in [button.label for button in app.button]
    app.button(key=f"talk-delete-{saved.name}").click().run()
    with Phidex(settings=load_settings()) as phidex:
        assert phidex.conversations.list() == []
