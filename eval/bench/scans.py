"""Scans with known text in 23 languages: real prose, set in Noto type, drawn at 200 dpi and spoiled as a scanner does.

Texts come from translated documents in two of Debian's packages (GNOME's help, the Debian handbook; both free, neither is kept
here), Hebrew and Thai from `eval/data/ocr.jsonl`. Fonts are Debian's too. What is not installed is fetched to the cache.
"""

from __future__ import annotations

import html
import io
import json
import random
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import lxml.html as _lxml_html  # pyright: ignore[reportMissingTypeStubs]  # lxml ships none
import numpy as np
import pymupdf as _pymupdf
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from phidex.eval.bench.corpus import require_clients, run
from phidex.ingest.language import detect_language

lxml_html: Any = _lxml_html
pymupdf: Any = _pymupdf  # its own types are incomplete

DPI = 200
OWN_TEXTS = Path(__file__).resolve().parents[1] / "data" / "ocr.jsonl"
LATIN = ("cs", "da", "de", "en", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "sv", "tr")
OTHERS = ("ar", "he", "ja", "ko", "ru", "th", "uk", "zh", "zh-TW")
_HANDBOOK = {"ar": "ar-MA", "en": "en-US", "no": "nb-NO", "tr": "tr-TR", "zh": "zh-CN", "zh-TW": "zh-TW"}
_CJK_FACE = {"ja": 0, "ko": 1, "zh": 2, "zh-TW": 3}  # in the collection of faces
_FACES = {
    "ar": ("NotoNaskhArabic", "NotoSansArabic"),
    "he": ("NotoSerifHebrew", "NotoSansHebrew"),
    "th": ("NotoSerifThai", "NotoSansThai"),
}
_WIDTH_PT, _HEIGHT_PT, _MARGIN_PT, _SIZE_PT = 595, 842, 60, 11
_LETTERS = 2400  # a page, half of it where a character is a syllable
_FOREIGN_SHARE = 0.05  # Latin letters in running text of other scripts
_LATIN_LETTER = re.compile("[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Scan:
    """A page as a scanner gives it (JPEG), and what stands on it."""

    language: str
    jpeg: bytes
    text: str


def make_scans(language: str, cache: Path, count: int = 2) -> list[Scan]:
    """Pages of running text, by turns in a type with serifs and without; the same ones each time.

    Raises:
        RuntimeError: texts or fonts can neither be found nor fetched.
    """
    texts = paragraphs(language, cache)
    scans: list[Scan] = []
    for number in range(count):
        chance = random.Random(f"{language} {number}")
        chosen = _page_of(chance.sample(texts, len(texts)), _LETTERS // (2 if language in _CJK_FACE else 1))
        drawn = draw(language, chosen, cache, serif=number % 2 == 0)
        scans.append(Scan(language, spoil(drawn, chance), "\n".join(chosen)))
    return scans


def scanned_pdf(scans: list[Scan]) -> bytes:
    """A PDF whose pages are pictures."""
    with pymupdf.open() as document:
        for scan in scans:
            page = document.new_page(width=_WIDTH_PT, height=_HEIGHT_PT)
            page.insert_image(page.rect, stream=scan.jpeg)
        return document.tobytes()


def paragraphs(language: str, cache: Path) -> list[str]:
    """Running text of one language, without repetitions."""
    code = language.partition("-")[0]
    for line in OWN_TEXTS.read_text("utf-8").splitlines():
        own = json.loads(line)
        if own["language"] == language:
            return own["paragraphs"]
    found = _handbook(_HANDBOOK[language], cache) if language in _HANDBOOK else _gnome(language, cache)
    least = 50 if language in _CJK_FACE else 150
    return [text for text in dict.fromkeys(found) if least <= len(text) <= 800 and _is_prose(text, code)]


def draw(language: str, texts: list[str], cache: Path, *, serif: bool) -> Image.Image:
    """A page of A4 at 200 dpi, black on white."""
    if language in _CJK_FACE:
        return _draw_cjk(language, texts, cache, serif=serif)
    family = _FACES.get(language, ("NotoSerif", "NotoSans"))[0 if serif else 1]
    folder = debian_tree("fonts-noto-core", cache) / "usr/share/fonts/truetype/noto"
    direction = ' dir="rtl"' if language in ("ar", "he") else ""
    body = "".join(f"<p>{html.escape(text)}</p>" for text in texts)
    style = (
        f"@font-face {{font-family: F; src: url({family}-Regular.ttf)}} * {{font-family: F}} "
        f"p {{font-size: {_SIZE_PT}pt; line-height: 1.3; margin: 0 0 8pt 0}}"
    )
    with pymupdf.open() as document:
        page = document.new_page(width=_WIDTH_PT, height=_HEIGHT_PT)
        frame = pymupdf.Rect(_MARGIN_PT, _MARGIN_PT, _WIDTH_PT - _MARGIN_PT, _HEIGHT_PT - _MARGIN_PT)
        page.insert_htmlbox(
            frame, f"<div{direction}>{body}</div>", css=style, archive=pymupdf.Archive(str(folder)), scale_low=0.5
        )
        drawn = page.get_pixmap(dpi=DPI, colorspace=pymupdf.csGRAY)
        return Image.frombytes("L", (drawn.width, drawn.height), drawn.samples)


def spoil(page: Image.Image, chance: random.Random) -> bytes:
    """The page a little askew, blurred, greyed, with noise, as JPEG."""
    askew = page.rotate(chance.uniform(-0.8, 0.8), Image.Resampling.BICUBIC, fillcolor=255)
    blurred = askew.filter(ImageFilter.GaussianBlur(chance.uniform(0.4, 0.7)))
    values = np.asarray(blurred, dtype=np.float32) * 0.92 + 14
    values += np.random.default_rng(chance.randrange(1 << 30)).normal(0, chance.uniform(6, 10), values.shape)
    file = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=chance.randint(60, 80), dpi=(DPI, DPI))
    return file.getvalue()


@lru_cache(maxsize=8)
def debian_tree(package: str, cache: Path) -> Path:
    """The folder that stands for `/` to a Debian package's files: `/` where it is installed, otherwise unpacked in the cache.

    Raises:
        RuntimeError: it cannot be fetched.
    """
    listed = subprocess.run(["dpkg-query", "-W", "-f", "${Status}", package], capture_output=True, text=True, check=False)
    if listed.stdout.endswith("ok installed"):
        return Path("/")
    tree = cache / "debian" / package
    if not tree.exists():
        require_clients()
        part = tree.with_name(f"{package}.part")
        part.mkdir(parents=True, exist_ok=True)
        try:
            run(["apt-get", "download", "--quiet", package], cwd=str(part))
            archive = next(part.glob("*.deb"))
            run(["dpkg", "-x", archive.name, "."], cwd=str(part))
        except subprocess.CalledProcessError as exc:
            raise RuntimeError(f"{package} cannot be fetched (is `apt-get update` needed?): {str(exc.stderr).strip()}") from exc
        archive.unlink()
        part.rename(tree)
    return tree


def _is_prose(text: str, code: str) -> bool:
    """Whether a text is in the language, without much of another script."""
    language, score = detect_language(text)
    if code not in LATIN and len(_LATIN_LETTER.findall(text)) > _FOREIGN_SHARE * len(text):
        return False
    return score > 0.7 and (language == code or (code == "no" and language in ("nb", "nn")))


def _gnome(language: str, cache: Path) -> Iterator[str]:
    folder = debian_tree("gnome-user-docs", cache) / "usr/share/help" / language / "gnome-help"
    for path in sorted(folder.glob("*.page")):
        for element in _tree(path).iter("p"):
            yield " ".join(element.text_content().split())


def _handbook(name: str, cache: Path) -> Iterator[str]:
    folder = debian_tree("debian-handbook", cache) / "usr/share/doc/debian-handbook/html" / name
    for path in sorted(folder.glob("*.html")):
        for element in _tree(path).find_class("para"):
            yield " ".join(element.text_content().split())


def _tree(path: Path) -> Any:
    return lxml_html.fromstring(path.read_bytes(), parser=lxml_html.HTMLParser(encoding="utf-8"))


def _page_of(texts: list[str], letters: int) -> list[str]:
    chosen: list[str] = []
    for text in texts:
        chosen.append(text)
        letters -= len(text)
        if letters <= 0:
            break
    return chosen


def _draw_cjk(language: str, texts: list[str], cache: Path, *, serif: bool) -> Image.Image:
    """As `draw`; by Pillow, since HTML cannot choose among the faces of a collection."""
    scale = DPI / 72
    name = f"usr/share/fonts/opentype/noto/Noto{'Serif' if serif else 'Sans'}CJK-Regular.ttc"
    font = ImageFont.truetype(
        str(debian_tree("fonts-noto-cjk", cache) / name), round(_SIZE_PT * scale), index=_CJK_FACE[language]
    )
    page = Image.new("L", (round(_WIDTH_PT * scale), round(_HEIGHT_PT * scale)), 255)
    pen = ImageDraw.Draw(page)
    left, y, step = _MARGIN_PT * scale, _MARGIN_PT * scale, 1.5 * _SIZE_PT * scale
    for text in texts:
        line = ""
        for piece in re.findall(r"\S+ ?" if language == "ko" else r"[!-~]+|.", text):
            if pen.textlength((line + piece).rstrip(), font=font) > page.width - 2 * left:
                pen.text((left, y), line, font=font, fill=0)
                y, line = y + step, ""
            line += piece
        pen.text((left, y), line, font=font, fill=0)
        y += 1.5 * step
    return page
