"""The static embedder against sentence-transformers' own on a model made here, and how fast it is."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phidex.errors import ConfigError
from phidex.retrieval.choose import FAST_MODEL, choose_embedder, open_embedder
from phidex.retrieval.embed import Embedder
from phidex.retrieval.known import hub_id, known_model
from phidex.settings import EmbedSettings

pytest.importorskip("sentence_transformers", reason="makes the tiny model")
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::FutureWarning")]
TEXTS = ["where is the cat", "rain " * 900 + "car", "港 дождь", "boiler", "unknown words only"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.retrieval.tiny_models import make_tiny_static

    return make_tiny_static(tmp_path_factory.mktemp("static") / "model")


def chosen(cache: Path, **values: Any) -> Embedder:
    embedder = choose_embedder(EmbedSettings(**values), cache).embedder
    assert embedder is not None
    return embedder


def test_vectors_are_those_of_sentence_transformers(tiny: Path, tmp_path: Path) -> None:
    embedder = chosen(tmp_path, model=str(tiny))
    sentence: Any = importlib.import_module("sentence_transformers")
    model = sentence.SentenceTransformer(str(tiny), device="cpu")
    model[0].tokenizer.no_truncation()
    expected = model.encode(TEXTS, normalize_embeddings=True)
    assert np.allclose(embedder.embed_passages(TEXTS), expected, atol=1e-6)
    assert np.allclose(np.stack([embedder.embed_query(text) for text in TEXTS]), expected, atol=1e-6)


def test_a_text_without_tokens_has_a_direction_too(tiny: Path, tmp_path: Path) -> None:
    embedder = chosen(tmp_path, model=str(tiny))
    assert np.allclose(np.linalg.norm(embedder.embed_passages(["", " "]), axis=1), 1)
    assert embedder.embed_passages([]).shape == (0, 64)


def test_identity_and_shortened_vectors(tiny: Path, tmp_path: Path) -> None:
    whole, short = chosen(tmp_path, model=str(tiny)), chosen(tmp_path, model=str(tiny), dimensions=16)
    assert (whole.identity.dim, whole.identity.languages, short.identity.dim) == (64, ("en", "ru"), 16)
    cut = whole.embed_passages(TEXTS)[:, :16]
    assert np.allclose(short.embed_passages(TEXTS), cut / np.linalg.norm(cut, axis=1, keepdims=True), atol=1e-6)
    opened = open_embedder(short.identity, EmbedSettings(), tmp_path).embedder  # the collection knows its length
    assert opened is not None
    assert opened.embed_query("cat").shape == (16,)


def test_the_folder_of_a_model2vec(tiny: Path, tmp_path: Path) -> None:
    safetensors: Any = importlib.import_module("safetensors.numpy")  # partly untyped
    weights: Any = safetensors.load_file(tiny / "model.safetensors")["embedding.weight"]
    shutil.copy(tiny / "tokenizer.json", tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "model2vec"}')
    random = np.random.default_rng(1)
    mapping, factors = np.array([0, 1] * 7), random.random(14).astype(np.float32)
    safetensors.save_file(
        {"embeddings": weights.astype(np.float16), "mapping": mapping, "weights": factors}, tmp_path / "model.safetensors"
    )
    found = chosen(tmp_path, model=str(tmp_path)).embed_passages(["cat", "the cat"])
    cat, the = weights[1].astype(np.float16) * factors[5], weights[1].astype(np.float16) * factors[7]
    for row, expected in zip(found, (cat, (cat + the) / 2), strict=True):
        assert float(row @ (expected / np.linalg.norm(expected))) > 0.9999


def test_damaged_files_are_said(tiny: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(tiny, folder)
    (weights,) = folder.rglob("model.safetensors")
    weights.write_bytes(weights.read_bytes()[:300])
    with pytest.raises(ConfigError, match="download it again"):
        chosen(tmp_path, model=str(folder)).embed_query("cat")


def test_it_needs_no_torch_and_thousands_of_passages_take_a_second(tiny: Path, tmp_path: Path) -> None:
    program = (
        "import json, sys, time; from pathlib import Path\n"
        "from phidex.retrieval.choose import choose_embedder; from phidex.settings import EmbedSettings\n"
        "embedder = choose_embedder(EmbedSettings(model=sys.argv[1]), Path(sys.argv[2])).embedder\n"
        "embedder.embed_query('cat')\n"
        "started = time.process_time(); embedder.embed_passages(['where is the cat in the rain ' * 30] * 2000)\n"
        "seconds = time.process_time() - started\n"
        "heavy = {'torch', 'sentence_transformers', 'transformers', 'onnxruntime'} & set(sys.modules)\n"
        "print(json.dumps({'rate': 2000 / seconds, 'heavy': sorted(heavy)}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tiny), str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert found["rate"] > 1000  # a CPU second


def test_fast_is_taken_from_the_local_cache(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    folder = tmp_path / "hub" / f"models--{FAST_MODEL.replace('/', '--')}"
    shutil.copytree(tiny, folder / "snapshots" / "abc")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    started = time.monotonic()
    embedder = chosen(tmp_path, model="fast", hub_timeout_s=1)
    assert embedder.identity.model == FAST_MODEL
    assert embedder.embed_query("cat").shape == (64,)
    with pytest.raises(ConfigError, match="asks for sentence-transformers/static"):
        open_embedder(chosen(tmp_path, model=str(tiny)).identity, EmbedSettings(model="fast"), tmp_path)
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("name", "query", "passage"),
    [
        ("intfloat/multilingual-e5-base", "query: ", "passage: "),
        ("/models/multilingual-e5-small/", "query: ", "passage: "),
        ("somebody/my-e5-tuned", "query: ", "passage: "),
        ("BAAI/bge-m3", "", ""),
        ("bge-m3:latest", "", ""),
        ("BAAI/bge-small-en-v1.5", "Represent this sentence for searching relevant passages: ", ""),
        ("nomic-embed-text", "search_query: ", "search_document: "),
        ("all-MiniLM-L6-v2", "", ""),
    ],
)
def test_prompts_of_known_models(name: str, query: str, passage: str) -> None:
    known = known_model(name)
    assert known is not None
    assert (known.query_prompt, known.passage_prompt) == (query, passage)
    assert known.card.startswith("https://")


def test_short_names_of_known_models() -> None:
    assert hub_id("bge-m3") == "BAAI/bge-m3"
    assert hub_id("auto") == "auto"
    assert hub_id("other/bge-m3") == "other/bge-m3"
    assert known_model("me5") is None
