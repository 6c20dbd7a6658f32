"""The site of docs/: built strictly, every page in it, and nothing that a browser would fetch from elsewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_LOADED = re.compile(  # scripts, styles, fonts, pictures, frames and hints to connect; not links that a reader follows
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\bsrc=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b(?![^>]*rel=[\"']?canonical)[^>]*?\bhref=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|url\(\s*[\"']?((?:https?:)?//[^\"')]+)"
    r"|@import\s+[\"']((?:https?:)?//[^\"']+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("material") is None or importlib.util.find_spec("mkdocstrings") is None:
        pytest.skip("needs the docs extra")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_every_page_is_built(site: Path) -> None:
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert sorted(str(page) for page in pages if not (site / page).is_file()) == []


@pytest.mark.slow
def test_the_reference_is_made_of_the_docstrings(site: Path) -> None:
    sdk = (site / "reference/sdk.html").read_text("utf-8")
    assert 'id="phidex.Phidex.ingest"' in sdk
    assert 'id="phidex.Phidex.search"' in sdk  # of the half that reads
    assert "An unchanged document is skipped" in sdk
    adapters = (site / "reference/adapters.html").read_text("utf-8")
    assert "phidex.adapters.llamaindex.vector_store.PhidexVectorStore.query" in adapters


@pytest.mark.slow
def test_nothing_is_fetched_from_outside(site: Path) -> None:
    fetched: dict[str, str] = {}
    for path in site.rglob("*"):
        if path.suffix in (".html", ".css"):
            for match in _LOADED.finditer(path.read_text("utf-8")):
                fetched[next(filter(None, match.groups()))] = path.name
    assert fetched == {}
    assert "fonts.g" not in (site / "index.html").read_text("utf-8")


def test_what_would_be_fetched_is_seen() -> None:
    bad = '<link rel=preconnect href=https://fonts.gstatic.com crossorigin><script src="//cdn.example/x.js"></script>'
    assert len(_LOADED.findall(bad)) == 2
    assert _LOADED.findall('<link rel="canonical" href="https://a.example/"><a href="https://b.example">b</a>') == []
