"""A real vLLM that serves a tiny Whisper: the form that we send is the one that it takes; its limits are what we keep to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator
from contextlib import closing

import numpy as np
import pytest
from tests.vllm import server, tiny_whisper

from phidex.errors import ConfigError, ServiceError
from phidex.ingest.speech.endpoint import Endpoint, TooLongError
from phidex.ingest.speech.options import SpeechOptions
from phidex.ingest.speech.silence import RATE, Piece
from phidex.ingest.speech.transcript import Utterance

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    reason = _lacking()
    if reason:
        if os.environ.get("CI") or os.environ.get("PHIDEX_TEST_REQUIRE_VLLM"):
            pytest.fail(reason)
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("whisper")
    model = tiny_whisper.write_whisper(folder / "model")
    with server.serve(model, folder / "server.log", names=("whisper",), window_tokens=448, flags=()) as url:
        yield url


def _lacking() -> str:
    """Why no vLLM can serve speech here; "" where one can."""
    if not server.is_installed():
        return f"vLLM for the CPU is not installed: run `{server.INSTALL}` (2.5 GB)"
    python = server.PROGRAM.with_name("python")
    found = subprocess.run([python, "-c", "import soundfile"], capture_output=True, check=False)
    return "" if found.returncode == 0 else f"{python} lacks soundfile, by which vLLM reads audio"


def noise(seconds: float) -> Piece:
    samples = (np.random.default_rng(1).standard_normal(int(seconds * RATE)) * 3000).astype(np.int16)
    return Piece(0.0, samples, ((0.0, seconds),))


def hear(url: str, piece: Piece, language: str = "", **more: object) -> tuple[list[Utterance], str]:
    options = SpeechOptions(**{"url": url, "retries": 0, **more})  # pyright: ignore[reportArgumentType]
    with closing(Endpoint(options)) as endpoint:
        return endpoint.recognise(piece, language, lambda: None)


def test_the_form_with_times_is_taken(whisper: str) -> None:
    said, language = hear(whisper, noise(40))
    assert all(0 <= one.start_s <= one.end_s <= 40 for one in said)  # made-up weights close no segment: there may be none
    assert language in ("", *tiny_whisper.LANGUAGES)


def test_text_comes_back(whisper: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(_: Endpoint) -> str:
        return "json"

    monkeypatch.setattr(Endpoint, "_format", plain)
    said, language = hear(whisper, noise(20), "de", model="whisper")
    assert set(said[0].text.split()) == {tiny_whisper.WORD}
    assert (said[0].start_s, said[0].end_s, language) == (0.0, 20.0, "de")


def test_its_limit_is_told_apart(whisper: str) -> None:
    with pytest.raises(TooLongError):
        hear(whisper, noise(620), "de", model="whisper")


def test_what_it_does_not_serve_is_named(whisper: str) -> None:
    with pytest.raises((ConfigError, ServiceError), match="other"):
        hear(whisper, noise(5), "de", model="other")
