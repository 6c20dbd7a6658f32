from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phidex.eval.bench.keyframes import complete, score
from phidex.eval.bench.recordings import Script, Truth, make
from phidex.eval.bench.screen import draw_slide, make_slides
from phidex.ingest.video.keyframes import find_keyframes
from phidex.ingest.video.records import Recording

TALK = Script(
    "talk", ("slide", "build", "slide", "slide", "revisit"), 7, 640, 360, 10, scene_s=(11.0, 13.0), inset="corner",
    transition="fade", flashes=4, group=60, theme="corporate",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def talk(folder: Path) -> tuple[Path, Truth, Recording]:
    path, truth = make(TALK, folder)
    return path, truth, find_keyframes(path)


def test_each_slide_starts_once_whatever_flashes_and_moves_beside_it(talk: tuple[Path, Truth, Recording]) -> None:
    _, truth, recording = talk
    found, wrong, error_s = score(truth, recording.starts)
    assert (found, wrong) == (len(truth.shown), 0)
    assert error_s < 0.6


def test_a_slide_that_is_built_up_is_one_picture_of_its_last_state(talk: tuple[Path, Truth, Recording]) -> None:
    _, truth, recording = talk
    built = next(one for one in truth.shown if one.kind == "build")
    frame = next(one for one in recording.keyframes if one.spans[0].start_s <= built.builds[0] < one.spans[0].end_s)
    assert frame.at_s > built.builds[-1]
    assert frame.at_s <= built.end_s - 0.5
    assert len(frame.builds) >= 1


def test_all_pictures_are_whole_and_taken_before_the_next_change(talk: tuple[Path, Truth, Recording]) -> None:
    _, truth, recording = talk
    count, good = complete(truth, recording)
    assert count == good == len(recording.keyframes)


def test_a_slide_shown_again_is_the_same_keyframe_with_two_spans(talk: tuple[Path, Truth, Recording]) -> None:
    _, truth, recording = talk
    again = truth.shown[-1]
    assert again.kind == "revisit"
    frame = next(one for one in recording.keyframes if any(abs(span.start_s - again.start_s) < 2 for span in one.spans))
    assert len(frame.spans) == 2
    assert len(recording.keyframes) == len(truth.shown) - 1


def test_every_second_belongs_to_a_keyframe(talk: tuple[Path, Truth, Recording]) -> None:
    _, truth, recording = talk
    spans = sorted((span for frame in recording.keyframes for span in frame.spans), key=lambda span: span.start_s)
    assert spans[0].start_s == 0
    assert spans[-1].end_s == pytest.approx(truth.duration_s, abs=0.2)
    assert all(abs(before.end_s - after.start_s) < 0.01 for before, after in pairwise(spans))


def test_the_picture_is_the_slide_at_full_size(talk: tuple[Path, Truth, Recording]) -> None:
    import random

    _, _, recording = talk
    slide = make_slides(len(TALK.scenes), TALK.theme, random.Random(TALK.seed))[0]
    drawn = np.asarray(draw_slide(slide, 640, 360).convert("L"), dtype=np.int16)
    picture = recording.keyframes[0].picture
    assert (picture.width, picture.height, picture.mime) == (640, 360, "image/jpeg")
    shown = np.asarray(Image.open(io.BytesIO(picture.data)).convert("L"), dtype=np.int16)
    assert np.abs(shown - drawn)[:240, :500].mean() < 4


def test_the_webcam_is_masked_and_the_text_is_not(talk: tuple[Path, Truth, Recording]) -> None:
    _, _, recording = talk
    for frame in recording.keyframes:
        (box,) = frame.masked
        assert box[0] < 564 < box[2]  # the middle of the webcam lies in it
        assert box[1] < 300 < box[3]
        assert box[0] > 400
        assert box[1] > 200


def test_facts_of_the_recording(talk: tuple[Path, Truth, Recording]) -> None:
    _, truth, recording = talk
    assert recording.has_video
    assert recording.has_audio
    assert recording.duration_s == pytest.approx(truth.duration_s, abs=0.2)
    assert recording.lost == ()


def test_progress_is_told_in_seconds(talk: tuple[Path, Truth, Recording]) -> None:
    path, truth, _ = talk
    told: list[tuple[int, int]] = []
    find_keyframes(path, lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert {total for _, total in told} == {int(truth.duration_s)}
    assert len(told) > 3


@pytest.mark.parametrize("group", [10, 1000])
def test_the_distance_of_i_frames_does_not_matter(group: int, folder: Path) -> None:
    script = replace(TALK, name=f"group{group}", group=group, scenes=("slide", "slide", "build"), flashes=0)
    path, truth = make(script, folder)
    assert score(truth, find_keyframes(path).starts)[:2] == (3, 0)


def test_camera_shots_are_scenes_of_their_own(folder: Path) -> None:
    script = replace(TALK, name="camera", scenes=("slide", "camera", "slide"), inset="", transition="cut", flashes=0)
    path, truth = make(script, folder)
    recording = find_keyframes(path)
    assert score(truth, recording.starts)[:2] == (3, 0)
    assert [frame.kind for frame in recording.keyframes] == ["slide", "camera", "slide"]
    assert recording.keyframes[1].masked == ()


def test_a_scrolled_page_starts_once_and_is_shown_as_a_whole(folder: Path) -> None:
    script = replace(TALK, name="scroll", scenes=("slide", "scroll", "slide"), scene_s=(30.0, 30.0), seed=3, flashes=0)
    path, truth = make(script, folder)
    recording = find_keyframes(path)
    assert score(truth, recording.starts)[:2] == (3, 0)
    assert len(recording.starts) == 3
    assert sum(frame.continues for frame in recording.keyframes) >= 1


def test_strokes_on_a_whiteboard_are_no_slides(folder: Path) -> None:
    script = replace(TALK, name="board", scenes=("slide", "board", "slide"), scene_s=(20.0, 25.0), theme="plain", flashes=0)
    path, truth = make(script, folder)
    recording = find_keyframes(path)
    assert score(truth, recording.starts)[:2] == (3, 0)
    assert complete(truth, recording) == (3, 3)
