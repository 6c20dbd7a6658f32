"""Recordings made by a script, with what is shown in them known to the frame: screens of talks and meetings as they come.

A `Script` names what happens; `film` draws and encodes it, and returns the `Truth`. The same script gives the same recording.
`make` makes it once into a folder, with the truth beside it as JSON. The benchmark's set is in `talks.py`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av as _av
import numpy as np

from phidex.eval.bench.screen import (
    Person,
    Planes,
    Slide,
    blend,
    draw_cursor,
    draw_page,
    draw_popup,
    draw_slide,
    draw_strokes,
    make_slides,
    paste,
    pushed,
    to_frame,
    to_planes,
    window,
)

av: Any = _av  # its encoders' options are not in its types
VERSION = "1"
Kind = Literal["slide", "build", "scroll", "board", "camera", "revisit", "film"]
Inset = Literal["", "corner", "head", "gallery", "wandering"]


@dataclass(frozen=True, slots=True)
class Script:
    """What is recorded and how.

    Args:
        scenes: what is shown, one after another; "revisit" shows an earlier slide, "film" a slide with a clip playing on it.
        scene_s: shortest and longest time of a scene.
        transition: "cut", or "fade" or "push" now and then.
        inset: a webcam in a corner, a talking head whose speaker changes, a gallery down the side, or one that changes place.
        flashes: how many flashes (0.1 to 0.8 s) and popups (3 to 4 s) there are.
        group: frames from one I-frame to the next at most.
    """

    name: str
    scenes: tuple[Kind, ...]
    seed: int
    width: int = 1280
    height: int = 720
    rate: int = 25
    scene_s: tuple[float, float] = (8.0, 24.0)
    theme: str = "light"
    transition: Literal["cut", "fade", "push"] = "cut"
    inset: Inset = ""
    cursor: bool = False
    flashes: int = 0
    crf: int = 26
    group: int = 250
    codec: str = "libx264"
    suffix: str = ".mp4"
    sound: bool = True


@dataclass(slots=True)
class Shown:
    """A scene as it was shown: `until_s` is when it is there in full, after its transition; `builds` when it grew."""

    picture: int
    kind: Kind
    start_s: float
    until_s: float
    end_s: float
    text: str
    builds: list[float] = field(default_factory=list[float])


@dataclass(slots=True)
class Truth:
    """What happens in a recording. `disturbed`: stretches in which something lies over the picture."""

    name: str
    duration_s: float
    shown: list[Shown]
    disturbed: list[tuple[float, float]]

    @classmethod
    def read(cls, path: Path) -> Truth:
        """From its JSON."""
        data = json.loads(path.read_text("utf-8"))
        return cls(
            data["name"], data["duration_s"], [Shown(**one) for one in data["shown"]], [(a, b) for a, b in data["disturbed"]]
        )


@dataclass(slots=True)
class _Scene:
    shown: Shown
    at: Callable[[float], tuple[Planes, object]]  # of a time in seconds: the picture, and a key that tells it from others


def film(script: Script, path: Path) -> Truth:
    """The recording, written to `path`, and its truth."""
    chance = random.Random(script.seed)
    scenes = list(_scenes(script, chance))
    duration_s = scenes[-1].shown.end_s
    overlays = _flashes(script, scenes, chance)
    truth = Truth(script.name, duration_s, [scene.shown for scene in scenes], [(start, end) for start, end, _ in overlays])
    part = path.with_name(f"part-{path.name}")
    with av.open(str(part), "w") as container:
        stream = container.add_stream(script.codec, rate=script.rate)
        stream.width, stream.height, stream.pix_fmt = script.width, script.height, "yuv420p"
        stream.options = _options(script)
        stream.thread_count = 2
        sound = (
            container.add_stream("aac" if script.suffix == ".mp4" else "libopus", rate=48000, layout="mono")
            if script.sound
            else None
        )
        tone = _tone(duration_s) if sound is not None else iter(())
        heard_s = 0.0
        for number, planes in enumerate(_frames(script, scenes, overlays)):
            frame = av.VideoFrame.from_ndarray(to_frame(planes), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, script.rate)
            container.mux(stream.encode(frame))
            while sound is not None and heard_s <= number / script.rate:
                block = next(tone, None)
                if block is None:
                    break
                heard_s += block.samples / 48000
                container.mux(sound.encode(block))
        container.mux(stream.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))
    part.rename(path)
    return truth


def make(script: Script, folder: Path) -> tuple[Path, Truth]:
    """The recording in `folder`, made when it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    path, told = folder / f"{script.name}{script.suffix}", folder / f"{script.name}.json"
    wanted = f"{VERSION} {script!r}"
    mark = folder / f"{script.name}.script"
    if not (path.exists() and told.exists() and mark.exists() and mark.read_text("utf-8") == wanted):
        truth = film(script, path)
        told.write_text(json.dumps(asdict(truth), indent=1) + "\n", "utf-8")
        mark.write_text(wanted, "utf-8")
    return path, Truth.read(told)


def loop(path: Path, target: Path, duration_s: float) -> None:
    """The recording over and over until it lasts that long, its packets copied."""
    part = target.with_name(f"part-{target.name}")
    with av.open(str(part), "w") as written:
        streams: dict[int, Any] = {}
        shift_s = 0.0
        while shift_s < duration_s:
            with av.open(str(path)) as read:
                streams = streams or {one.index: written.add_stream_from_template(one) for one in read.streams}
                for packet in read.demux():
                    if packet.dts is None:
                        continue
                    by = round(shift_s / packet.time_base)
                    packet.pts, packet.dts = packet.pts + by, packet.dts + by
                    packet.stream = streams[packet.stream.index]
                    written.mux(packet)
                shift_s += read.duration / 1e6
    part.rename(target)


def _options(script: Script) -> dict[str, str]:
    match script.codec:
        case "libx264":
            return {"crf": str(script.crf), "preset": "veryfast", "g": str(script.group)}
        case "libsvtav1":
            return {"crf": str(script.crf + 10), "preset": "12", "g": str(script.group)}
        case "libvpx-vp9":
            return {"crf": str(script.crf + 6), "b": "0", "deadline": "realtime", "cpu-used": "8", "g": str(script.group)}
        case "libx265":
            return {"crf": str(script.crf), "preset": "ultrafast", "g": str(script.group), "x265-params": "log-level=error"}
        case _:
            return {"g": str(script.group), "b": "1500000"}


def _tone(duration_s: float) -> Iterator[Any]:
    """A soft tone that comes and goes."""
    for block in range(int(duration_s * 48000 / 1024)):
        times = (np.arange(1024) + block * 1024) / 48000
        wave = (1500 * np.sin(2 * np.pi * 220 * times) * (np.sin(times * 3) > 0)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, block * 1024, Fraction(1, 48000)
        yield frame


def _scenes(script: Script, chance: random.Random) -> Iterator[_Scene]:
    """What is shown, with its times."""
    deck = make_slides(len(script.scenes), script.theme, chance)
    seen: list[tuple[int, _Scene]] = []
    clock_s = 0.0
    for number, kind in enumerate(script.scenes):
        lasts_s = chance.uniform(*script.scene_s)
        if kind in ("build", "scroll", "board"):
            lasts_s = max(lasts_s, 24.0)
        lasts_s = round(lasts_s * script.rate) / script.rate
        fade_s = 0.0 if number == 0 or script.transition == "cut" or chance.random() < 0.4 else chance.choice((0.4, 0.6, 1.0))
        shown = Shown(number, kind, clock_s, clock_s + fade_s, clock_s + lasts_s, "")
        if kind == "revisit" and (earlier := [one for one in seen[:-1] if one[1].shown.kind in ("slide", "build")]):
            picture, before = chance.choice(earlier)
            shown.picture, shown.text = picture, before.shown.text
            whole, key = before.at(before.shown.end_s - 0.01)
            scene = _Scene(shown, lambda _, whole=whole, key=key: (whole, key))
        else:
            scene = _scene(script, shown, deck[number], chance)
        seen.append((shown.picture, scene))
        yield scene
        clock_s += lasts_s


def _scene(script: Script, shown: Shown, slide: Slide, chance: random.Random) -> _Scene:
    size, number = (script.width, script.height), shown.picture
    start_s, lasts_s = shown.until_s, shown.end_s - shown.until_s
    match shown.kind:
        case "camera":
            person = Person(*size, seed=chance.randrange(1 << 30), lively=3)
            return _Scene(shown, lambda time_s: (person.at(time_s), (number, time_s)))
        case "build":
            slide = replace(slide, bullets=(*slide.bullets, *slide.bullets)[: max(3, len(slide.bullets))])
            steps = len(slide.bullets)
            stages = [to_planes(draw_slide(slide, *size, bullets=count)) for count in range(1, steps + 1)]
            shown.builds = [round(start_s + lasts_s * 0.7 * step / steps, 2) for step in range(1, steps)]
            shown.text = slide.text()
        case "board":
            stages = [to_planes(image) for image in draw_strokes(*size, chance.randint(8, 14), chance)]
            shown.builds = [round(start_s + 2 + (lasts_s - 5) * step / (len(stages) - 1), 2) for step in range(len(stages) - 1)]
        case "scroll":
            page = to_planes(draw_page(70, script.width, script.theme, chance))
            room, pause_s = page[0].shape[0] - script.height, chance.choice((0.0, 4.0))
            shown.builds = [start_s, shown.end_s]
            speed = script.height / chance.uniform(10, 25)

            def scrolled(time_s: float) -> tuple[Planes, object]:
                moved = max(0.0, time_s - start_s - 3)
                if pause_s:
                    moved = moved // 10 * 6 + min(6.0, moved % 10)
                top = int(min(room, speed * moved)) // 2 * 2
                return window(page, top, script.height), (number, top)

            return _Scene(shown, scrolled)
        case "film":
            slide = replace(slide, chart=0)
            base = to_planes(draw_slide(slide, *size))
            clip = Person(script.width // 3 // 4 * 4, script.height // 3 // 4 * 4, seed=number + script.seed, lively=3)
            shown.text = slide.text()
            x, y = script.width * 6 // 10, script.height * 55 // 100
            return _Scene(shown, lambda time_s: (paste(base, clip.at(time_s), x, y), (number, time_s)))
        case _:
            stages = [to_planes(draw_slide(slide, *size))]
            shown.text = slide.text()

    def grown(time_s: float) -> tuple[Planes, object]:
        stage = sum(time_s >= at for at in shown.builds)
        return stages[stage], (number, stage)

    return _Scene(shown, grown)


def _flashes(script: Script, scenes: list[_Scene], chance: random.Random) -> list[tuple[float, float, Planes | None]]:
    """Start, end and what lies over the picture; None is a flash of white or black."""
    found: list[tuple[float, float, Planes | None]] = []
    for number in range(script.flashes):
        roomy = [
            one.shown for one in scenes if one.shown.end_s - one.shown.until_s > 9 and one.shown.kind in ("slide", "revisit")
        ]
        if not roomy:
            break
        scene = roomy[(number * 7 + 3) % len(roomy)]
        lasts_s = chance.uniform(3, 4) if number % 3 == 2 else chance.uniform(0.1, 0.8)
        start_s = chance.uniform(scene.until_s + 2, scene.end_s - 2 - lasts_s)
        if any(start_s < end + 4 and begin < start_s + lasts_s + 4 for begin, end, _ in found):
            continue
        popup = to_planes(draw_popup(script.width, script.height, chance)) if number % 3 == 2 else None
        found.append((start_s, start_s + lasts_s, popup))
    return found


def _frames(script: Script, scenes: list[_Scene], overlays: list[tuple[float, float, Planes | None]]) -> Iterator[Planes]:
    """Every frame of the recording."""
    dress = _Dress(script)
    gray = np.full((script.height // 2, script.width // 2), 128, np.uint8)
    flat: dict[int, Planes] = {
        value: (np.full((script.height, script.width), value, np.uint8), gray, gray) for value in (16, 235)
    }
    at = 0
    for number in range(round(scenes[-1].shown.end_s * script.rate)):
        time_s = number / script.rate
        while at + 1 < len(scenes) and time_s >= scenes[at].shown.end_s - 1e-9:
            at += 1
        shown = scenes[at].shown
        planes, _ = scenes[at].at(time_s)
        if time_s < shown.until_s - 1e-6 and at:
            share = (time_s - shown.start_s) / (shown.until_s - shown.start_s)
            before, _ = scenes[at - 1].at(shown.start_s - 0.01)
            planes = (blend if script.transition == "fade" else pushed)(before, planes, share)
        for start, end, popup in overlays:
            if start <= time_s < end:
                planes = (
                    flat[235 if round(start) % 2 else 16]
                    if popup is None
                    else paste(planes, popup, script.width * 7 // 10, script.height // 20)
                )
        yield dress.over(planes, time_s, at, full=shown.kind == "camera")


class _Dress:
    """What lies over every frame: webcams and the pointer."""

    def __init__(self, script: Script) -> None:
        self._script, self._cursor = script, draw_cursor() if script.cursor else None
        unit = script.height / 720
        size = {"corner": (240, 180), "wandering": (260, 192), "head": (320, 240), "gallery": (224, 168)}.get(
            script.inset, (0, 0)
        )
        self._size = int(size[0] * unit) // 8 * 8, int(size[1] * unit) // 8 * 8
        self._people = [Person(*self._size, seed=script.seed * 10 + index) for index in range(4)] if size[0] else []

    def over(self, planes: Planes, time_s: float, scene: int, *, full: bool) -> Planes:
        """The frame with all that lies over it."""
        if self._people and not full:
            for person, x, y in self._places(time_s, scene):
                planes = paste(planes, self._people[person].at(time_s), x, y)
        if self._cursor is not None and not full:
            active = np.sin(time_s / 5) > 0.2
            phase = time_s if active else time_s // 5 * 5
            x = self._script.width * (0.5 + 0.35 * np.sin(phase * 0.7))
            y = self._script.height * (0.5 + 0.3 * np.cos(phase * 0.43))
            planes = paste(planes, self._cursor, int(x), int(y))
        return planes

    def _places(self, time_s: float, scene: int) -> list[tuple[int, int, int]]:
        width, height = self._script.width, self._script.height
        right, bottom = width - self._size[0] - 16, height - self._size[1] - 16
        match self._script.inset:
            case "corner":
                return [(0, right, bottom)]
            case "head":
                return [(int(time_s / 17) % 4, right, 16)]
            case "wandering":
                return [(0, *((right, bottom), (right, 16), (16, bottom))[scene // 3 % 3])]
            case _:
                return [
                    (int(index + (time_s // 11 if index == 1 else 0)) % 4, right + 8, int(index * height / 4))
                    for index in range(4)
                ]
