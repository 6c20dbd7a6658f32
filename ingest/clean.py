"""Text as it should be stored: one normal form for every parser.

Everything that a reader sees is kept; what only a typesetter or a terminal sees (ligatures, soft hyphens, control
characters, no-break spaces) is mapped or dropped. Line breaks and tabs are left to the caller.
"""

from __future__ import annotations

import re
import unicodedata

_ASCII_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# What differs from plain text: controls, odd spaces, invisible format characters, presentation forms, surrogates and
# non-characters. Zero-width (non-)joiners stay: Persian, Indic scripts and emoji are spelled with them.
_SPECIAL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u1680\u180e\u2000-\u200b\u200e\u200f\u2028-\u202f\u205f-\u2064\u2066-\u206f\u3000"
    "\ufb00-\ufdff\ufe10-\ufeff\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
    "\uf721\uf724\uf726\uf730-\uf739\uf73f\uf761-\uf77a\uf7e0-\uf7fe\uf8e7-\uf8fe]"
)
# What a font's names put into the private use area although Unicode has it: Adobe's old corporate use, F8E7 to F8FE.
_PIECES = dict(zip(map(chr, range(0xF8E7, 0xF8FF)), "⎯®©™⎛⎜⎝⎡⎢⎣⎧⎨⎩⎪⎮⎞⎟⎠⎤⎥⎦⎫⎬⎭", strict=True))
# Characters that stand for none: replacement, private use (but for bullets), unassigned planes, controls, lone surrogates.
_UNREADABLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd\ud800-\udfff\ue000-\uf06b\uf06d-\uf075\uf077-\uf0a6\uf0a8-\uf0b6"
    "\uf0b8-\uf0d7\uf0d9-\uf720\uf740-\uf760\uf77b-\uf7df\uf7ff-\uf8e6\uf8ff\ufdd0-\ufdef\ufffe\uffff\U000e1000-\U0010ffff]"
)
_GARBAGE_SHARE = 0.3
_SPACES = frozenset("\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | frozenset(
    map(chr, range(0x2000, 0x200B))
)
_CJK_GAP = re.compile(
    "(?<=[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uff60]) (?=[\u3000-\u30ff\u3400-\u9fff\uff00-\uff60])"
)


def clean_text(text: str) -> str:
    """`text` in NFC, with ligatures and Arabic presentation forms spelled out, without invisible characters.

    Tabs and line feeds are kept; other white space of one character becomes a space.

    >>> clean_text("e\\u0301 \\ufb01nd\\u00a0it, hy\\u00adphen\\x00")
    'é find it, hyphen'
    """
    if text.isascii():
        return text if text.isprintable() else _ASCII_CONTROL.sub(_plain, text)
    if _SPECIAL.search(text):
        text = _SPECIAL.sub(_plain, text)
    if unicodedata.is_normalized("NFC", text):
        return text
    # Composition can, rarely, put a character of the special ranges back: Hebrew letters with points.
    return unicodedata.normalize("NFC", text)


def clean_line(text: str) -> str:
    """One line of prose: cleaned, its white space collapsed, none at its ends."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join(clean_text(text).split())


def close_cjk(text: str) -> str:
    """`text` without the single spaces that typesetters put between two CJK characters.

    >>> close_cjk("日 本 語 text")
    '日本語 text'
    """
    return _CJK_GAP.sub("", text)


def is_garbage(text: str) -> bool:
    """Whether most readers would see boxes: much of it is replacement, private use or control characters.

    So comes text whose font does not say which letters its shapes are; the page is then one for recognition (OCR). Text of
    a PDF is best judged before it is cleaned, since cleaning drops control characters.

    >>> is_garbage("\\ufffd\\ufffd \\x03\\x11"), is_garbage("one \\ufffd in a line of text"), is_garbage("")
    (True, False, False)
    """
    return not (text.isascii() and text.isprintable()) and count_unreadable(text) > _GARBAGE_SHARE * len("".join(text.split()))


def count_unreadable(text: str) -> int:
    """How many characters of `text` stand for no character at all."""
    return len(_UNREADABLE.findall(text))


def is_spaceless(char: str) -> bool:
    """Whether `char` belongs to a script written without spaces between words (Han, kana, Thai, Khmer …).

    >>> is_spaceless("語"), is_spaceless("한"), is_spaceless("a")
    (True, False, False)
    """
    return char > "\u0dff" and (
        char <= "\u0eff"
        or "\u1000" <= char <= "\u109f"
        or "\u1780" <= char <= "\u17ff"
        or "\u2e80" <= char <= "\u9fff"
        or "\uf900" <= char <= "\ufaff"
        or "\uff00" <= char <= "\uff9f"
        or char >= "\U00020000"
    )


def glue(left: str, right: str) -> str:
    """What joins two lines of a paragraph: a space, or nothing between scripts that use none.

    >>> glue("one", "two"), glue("日本", "語")
    (' ', '')
    """
    return "" if is_spaceless(left[-1]) and is_spaceless(right[0]) else " "


def _plain(match: re.Match[str]) -> str:
    """The replacement for one special character."""
    char = match[0]
    if char in _SPACES:
        return " "
    if "\uf721" <= char <= "\uf7fe":  # small capitals and old-style figures
        return chr(ord(char) & 0xFF)
    if char in _PIECES:
        return _PIECES[char]
    if "\ufb00" <= char < "\ufeff" and not "\ufdd0" <= char <= "\ufdef":
        return unicodedata.normalize("NFKC", char)
    return ""
