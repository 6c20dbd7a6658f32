"""What lies beside a recording and belongs to it by its name: subtitles (`talk.vtt`, `talk.de.srt`), a deck (`talk.pdf`).

talk.mp4  +  talk.en.vtt, talk.de.vtt  ->  one of them, by the languages that the settings want
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from phidex.errors import InputError

SUBTITLES = (".vtt", ".srt")
DECKS = (".pptx", ".pdf", ".odp", ".ppt")
_LANGUAGE = re.compile(r"\.([a-zA-Z]{2,3})(?:[-_][a-zA-Z0-9]{2,8})*$")
_THREE = {  # ISO 639-2 codes as containers and file names have them, of the languages with a code of two letters that we meet
    **{"ara": "ar", "bul": "bg", "cat": "ca", "ces": "cs", "cze": "cs", "chi": "zh", "zho": "zh", "dan": "da", "deu": "de"},
    **{"dut": "nl", "nld": "nl", "ell": "el", "gre": "el", "eng": "en", "est": "et", "fas": "fa", "per": "fa", "fin": "fi"},
    **{"fra": "fr", "fre": "fr", "ger": "de", "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "ind": "id", "ita": "it"},
    **{"jpn": "ja", "kor": "ko", "lav": "lv", "lit": "lt", "msa": "ms", "nob": "no", "nor": "no", "pol": "pl", "por": "pt"},
    **{"ron": "ro", "rum": "ro", "rus": "ru", "slk": "sk", "slo": "sk", "slv": "sl", "spa": "es", "srp": "sr", "swe": "sv"},
    **{"tha": "th", "tur": "tr", "ukr": "uk", "vie": "vi", "nno": "no"},
}


def companions_of(recording: Path) -> tuple[Path, ...]:
    """The files beside a recording that are read with it, subtitles first, each kind sorted by name."""
    stem = recording.stem.casefold()
    near = _files_near(recording)
    subtitles = [path for path in near if _is_subtitle_of(path.name, stem)]
    decks = [path for kind in DECKS for path in near if (path.stem.casefold(), path.suffix.lower()) == (stem, kind)]
    return (*subtitles, *decks[:1])


def recordings_of(subtitles: Path, suffixes: Iterable[str]) -> list[Path]:
    """The recordings beside a subtitle file that it would be read with."""
    kinds = frozenset(suffixes)
    near = (path for path in _files_near(subtitles) if path.suffix.lower() in kinds)
    return [path for path in near if _is_subtitle_of(subtitles.name, path.stem.casefold())]


def choose_language(languages: Sequence[str], wanted: Sequence[str]) -> int:
    """The index of the transcript to read, given the language of each ("" where it is not said) and those that are wanted.

    The first wanted one that there is; otherwise one of which no language is said, otherwise the first.

    >>> choose_language(["de", "en"], ["fr", "en"]), choose_language(["de", ""], [])
    (1, 1)
    """
    for language in wanted:
        if language in languages:
            return languages.index(language)
    return languages.index("") if "" in languages else 0


def language_of(subtitles: Path) -> str:
    """The language in a subtitle file's name, ISO 639-1; "" where there is none.

    >>> language_of(Path("talk.de-DE.vtt")), language_of(Path("talk.vtt"))
    ('de', '')
    """
    match = _LANGUAGE.search(subtitles.stem)
    return short_code(match[1]) if match else ""


def short_code(code: str) -> str:
    """An ISO 639 code as ISO 639-1 has it, where it does; "" for what says nothing ("und").

    >>> short_code("ger"), short_code("EN"), short_code("und")
    ('de', 'en', '')
    """
    code = code.lower().partition("-")[0].partition("_")[0]
    return "" if code in ("und", "mul", "zxx", "mis") else _THREE.get(code, code)


def hash_companions(sha256: str, companions: Sequence[Path]) -> str:
    """The hash of a recording with what is read with it; that of the recording alone where there is nothing.

    Raises:
        InputError: one cannot be read.
    """
    if not companions:
        return sha256
    whole = hashlib.sha256(sha256.encode())
    for path in companions:
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            raise InputError(f"{path.name} beside it cannot be read: {exc.strerror}", hint="check its permissions") from exc
        whole.update(f"\x1f{''.join(path.suffixes)}\x1f{digest}".encode("utf-8", "replace"))
    return whole.hexdigest()


def _files_near(path: Path) -> list[Path]:
    """The files of its folder, sorted by name."""
    try:
        return sorted(near for near in path.parent.iterdir() if near.is_file())
    except OSError:
        return []


def _is_subtitle_of(name: str, stem: str) -> bool:
    own, dot, suffix = name.casefold().rpartition(".")
    if dot + suffix not in SUBTITLES:
        return False
    return own == stem or (own.startswith(f"{stem}.") and _LANGUAGE.fullmatch(own[len(stem) :]) is not None)
