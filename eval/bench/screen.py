"""What recordings show, drawn with its text known: slides in themes and languages, whiteboards, long pages, people on camera.

Pictures are planes of luma and colour (`Planes`), as video is coded, so that thousands of frames are put together quickly.
"""

from __future__ import annotations

import html
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pymupdf as _pymupdf
from PIL import Image, ImageDraw

pymupdf: Any = _pymupdf  # its own types are incomplete

Plane = npt.NDArray[np.uint8]
Planes = tuple[Plane, Plane, Plane]
"""Y at full size, U and V at half of it."""

_WORDS = [
    "budget",
    "review",
    "market",
    "share",
    "growth",
    "planning",
    "customer",
    "support",
    "release",
    "schedule",
    "hiring",
    "security",
    "network",
    "storage",
    "latency",
    "throughput",
    "migration",
    "database",
    "contract",
    "supplier",
    "quality",
    "testing",
    "deployment",
    "training",
    "research",
    "energy",
    "transport",
    "climate",
    "health",
    "insurance",
    "logistics",
    "warehouse",
    "forecast",
    "revenue",
    "margin",
    "inventory",
    "product",
    "design",
    "interview",
    "survey",
    "result",
    "method",
    "evidence",
    "summary",
    "decision",
    "owner",
    "deadline",
    "action",
    "risk",
    "option",
    "proposal",
    "estimate",
    "capacity",
    "pipeline",
    "analysis",
    "report",
]


_MARKS = ".,;:!?()[]«»“”„‘’\"'•*…-–،؛؟"


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours (CSS) and ornaments of a deck."""

    paper: str
    ink: str
    title: str
    bar: str = ""  # a bar across the top
    side: str = ""  # a bar down the left side
    footer: str = ""


THEMES = {
    "light": Theme("#ffffff", "#222222", "#103a71", footer="Quarterly report"),
    "dark": Theme("#14161c", "#e8e8ea", "#7fc4ff", side="#2b3350"),
    "beige": Theme("#f3ead8", "#3b3026", "#8a3a12", bar="#d9c7a0"),
    "blue": Theme("#0d2c54", "#f4f7fb", "#ffd166", bar="#123f77", footer="Internal"),
    "plain": Theme("#ffffff", "#000000", "#000000"),
    "corporate": Theme("#ffffff", "#30363d", "#0b6e4f", bar="#0b6e4f", side="#d8eee5", footer="Confidential"),
}


@dataclass(frozen=True, slots=True)
class Slide:
    """What stands on a slide; `chart` seeds a bar chart beside the text, 0 draws none."""

    title: str
    bullets: tuple[str, ...]
    theme: str = "light"
    language: str = "en"
    number: int = 0
    chart: int = 0

    def text(self, bullets: int | None = None) -> str:
        """Title and (the first) bullets, a line each."""
        return "\n".join((self.title, *self.bullets[:bullets]))


def make_slides(count: int, theme: str, chance: random.Random) -> list[Slide]:
    """Different English slides of one deck."""
    slides: list[Slide] = []
    for number in range(1, count + 1):
        title = " ".join(chance.sample(_WORDS, chance.randint(2, 3))).capitalize()
        bullets = tuple(" ".join(chance.sample(_WORDS, chance.randint(3, 6))).capitalize() for _ in range(chance.randint(2, 6)))
        slides.append(Slide(title, bullets, theme, number=number, chart=chance.randint(1, 999) if chance.random() < 0.3 else 0))
    return slides


def draw_slide(
    slide: Slide, width: int, height: int, *, bullets: int | None = None, face: str = "", folder: str = ""
) -> Image.Image:
    """The slide as RGB.

    Args:
        bullets: only so many of them, in the places they have on the whole slide.
        face: a font file in `folder`; otherwise PyMuPDF's own fonts, which know all scripts.
    """
    theme = THEMES[slide.theme]
    with pymupdf.open() as document:
        page = document.new_page(width=960, height=540)
        page.draw_rect(page.rect, color=None, fill=_rgb(theme.paper))
        if theme.bar:
            page.draw_rect(pymupdf.Rect(0, 0, 960, 26), color=None, fill=_rgb(theme.bar))
        if theme.side:
            page.draw_rect(pymupdf.Rect(0, 0, 30, 540), color=None, fill=_rgb(theme.side))
        direction = ' dir="rtl"' if slide.language in ("ar", "he") else ""
        font = (
            f"@font-face {{font-family: F; src: url({face})}} * {{font-family: F}} " if face else "* {font-family: sans-serif} "
        )
        archive = {"archive": pymupdf.Archive(folder)} if folder else {}
        right = 560 if slide.chart else 910
        css = f"{font} p {{color: {theme.title}; font-size: 34px; margin: 0}}"
        page.insert_htmlbox(
            pymupdf.Rect(60, 40, right, 96), f"<div{direction}><p>{html.escape(slide.title)}</p></div>", css=css, **archive
        )
        shown = len(slide.bullets) if bullets is None else bullets
        step = min(66, 370 // max(1, len(slide.bullets)))
        css = f"{font} p {{color: {theme.ink}; font-size: 24px; margin: 0}}"
        for row, text in enumerate(slide.bullets[:shown]):
            rect = pymupdf.Rect(80, 118 + row * step, right, 118 + (row + 1) * step)
            body = f"<div{direction}><p>{'• ' if slide.language == 'en' else ''}{html.escape(text)}</p></div>"
            page.insert_htmlbox(rect, body, css=css, **archive)
        if slide.chart:
            _draw_chart(page, slide.chart, theme)
        if theme.footer and slide.number:
            page.insert_text((60, 526), f"{theme.footer}   {slide.number}", fontsize=12, color=_rgb(theme.ink))
        drawn = page.get_pixmap(matrix=pymupdf.Matrix(width / 960, height / 540), alpha=False)
        return Image.frombytes("RGB", (drawn.width, drawn.height), drawn.samples).resize((width, height))


def draw_page(lines: int, width: int, theme: str, chance: random.Random) -> Image.Image:
    """A long page of text, to be scrolled: about 26 pixels a line at a width of 960."""
    colours, scale = THEMES[theme], width / 960
    with pymupdf.open() as document:
        page = document.new_page(width=960, height=lines * 26 + 80)
        page.draw_rect(page.rect, color=None, fill=_rgb(colours.paper))
        for row in range(lines):
            heading = row % 9 == 0
            text = " ".join(chance.choices(_WORDS, k=3 if heading else chance.randint(5, 11))).capitalize()
            size, ink = (22, colours.title) if heading else (16, colours.ink)
            page.insert_text((60, 60 + row * 26), text, fontsize=size, color=_rgb(ink))
        drawn = page.get_pixmap(matrix=pymupdf.Matrix(scale, scale), alpha=False)
        image = Image.frombytes("RGB", (drawn.width, drawn.height), drawn.samples)
        return image.resize((width, image.height // 2 * 2))


def draw_strokes(width: int, height: int, count: int, chance: random.Random, paper: str = "#fbfbf8") -> list[Image.Image]:
    """A whiteboard, empty at first, with one stroke more on each picture: words in a hand, boxes, arrows."""
    board = Image.new("RGB", (width, height), paper)
    pictures = [board.copy()]
    for number in range(count):
        pen = ImageDraw.Draw(board)
        ink = chance.choice(("#15327a", "#111111", "#a01818"))
        x, y = width * (0.06 + 0.3 * (number % 3)), height * (0.08 + 0.17 * (number // 3 % 5))
        points = [(x, y)]
        reach = height * 0.035
        points += [(x + step * width * 0.009, y + chance.uniform(-1, 1) * reach) for step in range(chance.randint(14, 26))]
        pen.line(points, fill=ink, width=max(2, width // 320), joint="curve")
        if number % 4 == 3:
            pen.rectangle(
                (x - 8, y - height * 0.05, x + width * 0.24, y + height * 0.06), outline=ink, width=max(2, width // 400)
            )
        pictures.append(board.copy())
    return pictures


def draw_popup(width: int, height: int, chance: random.Random) -> Image.Image:
    """A notification of about 28 by 16 % of the screen."""
    box = Image.new("RGB", (width * 28 // 200 * 2, height * 16 // 200 * 2), "#fdfdfd")
    pen = ImageDraw.Draw(box)
    pen.rectangle((0, 0, box.width - 1, box.height - 1), outline="#888888", width=2)
    for row in range(3):
        pen.text((12, 8 + row * box.height // 4), " ".join(chance.sample(_WORDS, 4)), fill="#222222")
    return box


def to_planes(image: Image.Image) -> Planes:
    """An RGB picture of even sides as planes."""
    luma, blue, red = (np.asarray(band) for band in image.convert("YCbCr").split())
    y = (16 + luma.astype(np.uint16) * 219 // 255).astype(np.uint8)
    halves = [band.reshape(band.shape[0] // 2, 2, band.shape[1] // 2, 2).mean(axis=(1, 3)) for band in (blue, red)]
    u, v = ((128 + (half - 128) * 224 / 255).astype(np.uint8) for half in halves)
    return y, u, v


def to_frame(planes: Planes) -> Plane:
    """Planes as PyAV takes them (`yuv420p`)."""
    return np.concatenate([planes[0].reshape(-1), planes[1].reshape(-1), planes[2].reshape(-1)]).reshape(-1, planes[0].shape[1])


def blend(a: Planes, b: Planes, share: float) -> Planes:
    """`share` of b over a."""
    weight = round(share * 256)
    mixed = [
        ((x.astype(np.uint16) * (256 - weight) + y.astype(np.uint16) * weight) >> 8).astype(np.uint8)
        for x, y in zip(a, b, strict=True)
    ]
    return mixed[0], mixed[1], mixed[2]


def pushed(a: Planes, b: Planes, share: float) -> Planes:
    """b pushing a out to the left."""
    at = round(share * a[0].shape[1] / 2) * 2
    joined = [
        np.concatenate([x[:, at // step :], y[:, : at // step]], axis=1) for x, y, step in zip(a, b, (1, 2, 2), strict=True)
    ]
    return joined[0], joined[1], joined[2]


def window(page: Planes, top: int, height: int) -> Planes:
    """A part of a long page."""
    top = top // 2 * 2
    return page[0][top : top + height], page[1][top // 2 : (top + height) // 2], page[2][top // 2 : (top + height) // 2]


def paste(below: Planes, above: Planes, x: int, y: int) -> Planes:
    """A smaller picture laid over one, at even coordinates."""
    x, y = x // 2 * 2, y // 2 * 2
    copies = [plane.copy() for plane in below]
    for copy, part, step in zip(copies, above, (1, 2, 2), strict=True):
        rows, columns = min(part.shape[0], copy.shape[0] - y // step), min(part.shape[1], copy.shape[1] - x // step)
        copy[y // step : y // step + rows, x // step : x // step + columns] = part[:rows, :columns]
    return copies[0], copies[1], copies[2]


class Person:
    """Somebody on camera: a head that moves before a wall, with a sensor's noise; each seed is another room.

    Args:
        lively: how much moves: 1 is a talking head, 3 a camera that pans too.
    """

    def __init__(self, width: int, height: int, seed: int, lively: float = 1.0) -> None:
        self._chance = np.random.default_rng(seed)
        self._width, self._height, self._lively = width // 4, height // 4, lively
        self._size = height // 4 * 4, width // 4 * 4
        wall = self._chance.integers(50, 190)
        ys, xs = np.mgrid[0 : self._height, 0 : self._width]
        self._ys, self._xs = ys / self._height, xs / self._width
        self._wall = wall + 40 * np.sin(self._xs * self._chance.uniform(2, 9) + self._chance.uniform(0, 6)) * np.cos(
            self._ys * self._chance.uniform(2, 7)
        )
        self._skin, self._shirt = self._chance.integers(90, 220), self._chance.integers(30, 200)
        self._phase, self._tint = self._chance.uniform(0, 6), self._chance.integers(112, 144, 2)
        self._noise = self._chance.normal(0, 5, (8, self._height, self._width))
        self._count = 0

    def at(self, time_s: float) -> Planes:
        """The picture at a time."""
        sway = 0.05 * self._lively * np.sin(1.7 * time_s + self._phase) + 0.03 * np.sin(4.1 * time_s)
        nod = 0.03 * self._lively * np.sin(2.3 * time_s + self._phase)
        wall = np.roll(self._wall, round(self._width * 0.2 * np.sin(time_s * 0.9)), axis=1) if self._lively > 2 else self._wall
        head = ((self._xs - 0.5 - sway) / 0.16) ** 2 + ((self._ys - 0.42 - nod) / 0.26) ** 2 < 1
        body = ((self._xs - 0.5 - sway / 2) / 0.36) ** 2 + ((self._ys - 1.05) / 0.38) ** 2 < 1
        mouth = ((self._xs - 0.5 - sway) / 0.06) ** 2 + (
            (self._ys - 0.54 - nod) / (0.02 + 0.03 * abs(np.sin(7 * time_s)))
        ) ** 2 < 1
        luma = np.where(body, self._shirt, wall)
        luma = np.where(head, self._skin, luma)
        luma = np.where(mouth, 40, luma) + self._noise[self._count % 8]
        self._count += 1
        small = luma.clip(16, 235).astype(np.uint8)
        y = np.repeat(np.repeat(small, 4, axis=0), 4, axis=1)
        half = (self._size[0] // 2, self._size[1] // 2)
        return y, np.full(half, self._tint[0], np.uint8), np.full(half, self._tint[1], np.uint8)


def draw_cursor() -> Planes:
    """A mouse pointer."""
    image = Image.new("RGB", (14, 20), "#ffffff")
    ImageDraw.Draw(image).polygon([(1, 1), (1, 16), (5, 12), (8, 19), (11, 18), (8, 11), (13, 11)], fill="#000000")
    return to_planes(image)


def _draw_chart(page: Any, seed: int, theme: Theme) -> None:
    chance = random.Random(seed)
    for bar in range(6):
        height = chance.randint(40, 300)
        page.draw_rect(pymupdf.Rect(600 + bar * 50, 480 - height, 636 + bar * 50, 480), color=None, fill=_rgb(theme.title))
    page.draw_line((590, 480), (905, 480), color=_rgb(theme.ink), width=2)


def _rgb(colour: str) -> tuple[float, float, float]:
    return int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255


def words_of(texts: Sequence[str]) -> list[str]:
    """Their words in lower case, without marks around them."""
    return [word for text in texts for raw in text.split() if (word := raw.strip(_MARKS).lower())]
