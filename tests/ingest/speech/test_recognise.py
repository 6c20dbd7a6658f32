"""Speech to text at an endpoint that checks every form: cuts at silences, one language, lost pieces, nothing paid for twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.ingest.recorded import speech, tones
from tests.ingest.speech.transcriber import Answer, Request, Transcriber, serve

from phidex.errors import ConfigError
from phidex.ingest.speech.options import SpeechOptions
from phidex.ingest.speech.recognise import recognise_speech
from phidex.ingest.speech.silence import RATE, Samples, cut_at_silences, find_loud


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Transcriber]:
    monkeypatch.setattr("phidex.ingest.speech.recognise.speech_finder", lambda: find_loud)  # tones are no voices
    monkeypatch.setattr("phidex.ingest.speech.silence.speech_finder", lambda: find_loud)
    monkeypatch.setattr("phidex.ingest.speech.endpoint._BACKOFF_S", 0.01)
    with serve() as server:
        yield server


def sound() -> list[Samples]:
    """95 s in blocks of one second: tones, with a pause at 24, 52 and 81 s."""
    whole = tones((23.5, True), (1, False), (27, True), (1, False), (28, True), (1, False), (13.5, True))
    return [whole[at : at + RATE] for at in range(0, len(whole), RATE)]


def options(endpoint: Transcriber, **more: object) -> SpeechOptions:
    return SpeechOptions(**{"url": endpoint.url, "piece_s": 30.0, "retries": 1, **more})  # pyright: ignore[reportArgumentType]


def quietly() -> None:
    """No sign of life is needed."""


def test_pieces_end_in_pauses_and_offsets_are_added(endpoint: Transcriber) -> None:
    found = recognise_speech(sound(), options(endpoint, api_key="secret"), quietly)
    lengths = [asked.seconds for asked in endpoint.requests]
    assert lengths == pytest.approx([24, 28, 29, 14], abs=0.3)
    starts = [one.start_s for one in found.utterances if "begins" in one.text]
    assert starts == pytest.approx([0, 24, 52, 81], abs=0.3)
    assert found.utterances[-1].end_s == pytest.approx(95, abs=0.1)
    assert {asked.key for asked in endpoint.requests} == {"Bearer secret"}
    assert {asked.fields["response_format"] for asked in endpoint.requests} == {"verbose_json"}


def test_the_language_is_found_out_once(endpoint: Transcriber) -> None:
    found = recognise_speech(sound(), options(endpoint), quietly)
    assert [asked.fields.get("language") for asked in endpoint.requests] == [None, "en", "en", "en"]
    assert found.language == "en"


def test_a_piece_that_fails_costs_itself(endpoint: Transcriber) -> None:
    def answer(asked: Request, number: int) -> Answer | None:
        return (500, {"error": {"message": "out of memory"}}) if 28.5 < asked.seconds < 29.5 else None

    endpoint.answer = answer
    found = recognise_speech(sound(), options(endpoint), quietly)
    assert [round(one.start_s) for one in found.utterances if "begins" in one.text] == [0, 24, 81]
    assert found.lost == 1
    assert found.warnings[0].startswith("What is said from 0:52 to 1:2")
    assert "out of memory" in found.warnings[0]
    assert len(endpoint.requests) == 5  # one was tried again


def test_a_hiccup_costs_nothing(endpoint: Transcriber) -> None:
    endpoint.answer = lambda _asked, number: (503, {"error": "busy"}) if number == 2 else None
    found = recognise_speech(sound(), options(endpoint), quietly)
    assert (found.lost, len(endpoint.requests)) == (0, 5)


def test_a_killed_run_pays_for_no_piece_twice(endpoint: Transcriber, tmp_path: Path) -> None:
    kept = options(endpoint, kept=str(tmp_path / "speech"))

    def stops(asked: Request, number: int) -> Answer | None:
        return (401, {"error": "Unauthorized"}) if number == 3 else None

    endpoint.answer = stops
    first = recognise_speech(sound(), kept, quietly)
    assert first.lost
    endpoint.answer = lambda _asked, _number: None
    asked = len(endpoint.requests)
    second = recognise_speech(sound(), kept, quietly)
    assert len(endpoint.requests) - asked == 2
    assert (second.lost, second.utterances[: len(first.utterances)]) == (0, first.utterances)
    recognise_speech(sound(), kept, quietly)
    assert len(endpoint.requests) - asked == 2
    assert (tmp_path / "speech").stat().st_mode & 0o077 == 0


def test_without_times_pieces_are_short(endpoint: Transcriber) -> None:
    def answer(asked: Request, number: int) -> Answer | None:
        verbose = asked.fields["response_format"] != "json"
        return (400, {"error": {"message": "verbose_json is not supported by this model"}}) if verbose else None

    endpoint.answer = answer
    found = recognise_speech(sound(), options(endpoint, piece_s=60.0), quietly)
    assert found.lost == 0
    assert max(asked.seconds for asked in endpoint.requests[1:]) <= 30
    assert [round(one.start_s) for one in found.utterances] == pytest.approx([0, 24, 52, 81], abs=1)


def test_a_short_recording_without_times_is_recognised(endpoint: Transcriber) -> None:
    endpoint.answer = lambda asked, _number: (
        (400, {"error": {"message": "verbose_json is not supported"}}) if asked.fields["response_format"] != "json" else None
    )
    found = recognise_speech([tones((20, True))], options(endpoint), quietly)
    assert (found.lost, [asked.fields["response_format"] for asked in endpoint.requests]) == (0, ["verbose_json", "json"])
    assert [one.text for one in found.utterances] == ["piece 2 begins here piece 2 ends here"]


def test_what_is_too_long_is_cut_in_two(endpoint: Transcriber) -> None:
    endpoint.answer = lambda asked, _number: (413, {"error": "too large"}) if asked.seconds > 50 else None
    found = recognise_speech(sound(), options(endpoint, piece_s=90.0), quietly)
    assert found.lost == 0
    assert sum(asked.seconds for asked in endpoint.requests if asked.seconds <= 50) == pytest.approx(95, abs=0.5)


def test_silence_is_not_sent(endpoint: Transcriber) -> None:
    assert recognise_speech([np.zeros(40 * RATE, np.int16)], options(endpoint), quietly).utterances == ()
    assert not endpoint.requests


def test_nothing_set_says_what_to_set() -> None:
    with pytest.raises(ConfigError, match="nothing is set") as caught:
        recognise_speech([], SpeechOptions(), quietly)
    assert "PHIDEX_SPEECH__URL" in caught.value.hint


def test_all_audio_is_in_the_pieces() -> None:
    samples = np.random.default_rng(3).integers(-9000, 9000, 100 * RATE, np.int16)  # nobody ever pauses
    pieces = list(cut_at_silences([samples[at : at + 7_777] for at in range(0, len(samples), 7_777)], 30.0, find_loud))
    assert np.array_equal(np.concatenate([piece.samples for piece in pieces]), samples)
    assert all(15 <= len(piece.samples) / RATE <= 30 for piece in pieces[:-1])


def test_voices_are_told_from_pauses() -> None:
    pytest.importorskip("faster_whisper")
    from phidex.ingest.speech.silence import speech_finder

    said = speech("This is the first sentence of the meeting, and it is rather long.")
    if said is None:
        pytest.skip("espeak-ng is not installed")
    pause = np.zeros(2 * RATE, np.int16)
    found = speech_finder()(np.concatenate([pause, said, pause, said]))
    length = len(said) / RATE
    assert found[0][0] == pytest.approx(2.0, abs=0.5)
    assert any(begin == pytest.approx(4.0 + length, abs=0.6) for begin, _ in found)
    assert not any(begin < 3.5 + length - 0.3 < end and begin < 2.5 + length < end for begin, end in found)
