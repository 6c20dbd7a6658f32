"""faster-whisper on this machine: a real CTranslate2 model, made up to say one word, through the code that real models run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.ingest.recorded import tones
from tests.vllm import tiny_whisper

from phidex.errors import ConfigError
from phidex.ingest.speech.options import SpeechOptions
from phidex.ingest.speech.recognise import recognise_speech
from phidex.ingest.speech.silence import find_loud

pytest.importorskip("faster_whisper")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whisper")
    return tiny_whisper.convert_whisper(tiny_whisper.write_whisper(folder / "hf"), folder / "ct2")


def test_a_model_in_a_folder_recognises(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phidex.ingest.speech.silence.speech_finder", lambda: find_loud)
    monkeypatch.setattr("phidex.ingest.speech.local.VOICED_ONLY", False)  # tones are no voices
    beats: list[None] = []
    found = recognise_speech([tones((4, True))], SpeechOptions(model=str(model)), lambda: beats.append(None))
    assert set(found.utterances[0].text.split()) == {tiny_whisper.WORD}
    assert 0 <= found.utterances[0].start_s < found.utterances[0].end_s <= 4.1
    assert (found.language in tiny_whisper.LANGUAGES, found.lost, bool(beats)) == (True, 0, True)
    assert str(model) in found.origin


def test_a_folder_without_a_model_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="it lacks model") as caught:
        recognise_speech([], SpeechOptions(model=str(tmp_path)), lambda: None)
    assert "ct2-transformers-converter" in caught.value.hint


def test_nothing_is_downloaded_unasked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="the speech model tiny-none cannot be loaded") as caught:
        recognise_speech([], SpeechOptions(model="tiny-none"), lambda: None)
    assert "ALLOW_DOWNLOAD" in caught.value.hint
