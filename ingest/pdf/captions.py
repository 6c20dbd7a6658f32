"""Which lines are captions, in the languages Phidex reads: "Table 3", "Abb. 2.1:", "表 4", "Рис. 5"."""

from __future__ import annotations

import re
from typing import Literal

_TABLE = (
    r"tab(?:le|elle|leau|la|ela|ella|ell|el|ulka|ula|lo|\.)?|taulukko|cuadro|quadro|táblázat|таблица|таблиця|табл\.?|جدول|טבלה|"
    r"טבלא|ตารางที่|ตาราง|表格|表|표"
)
_FIGURE = (
    r"fig(?:ure|ur|uur|ura|\.)?|abb(?:ildung|\.)?|afb(?:eelding|\.)?|illustration|kuva|kuvio|obrázek|obr\.|rysunek|rys\.|ábra|"
    r"şekil|рисунок|рис\.|мал\.|شكل|איור|תרשים|รูปที่|รูป|ภาพที่|chart|plate|scheme|graph|diagram|grafik|schaubild|図|圖|图|그림|bild"
)
_NUMBER = r"(?:[A-Z]{1,2}[.-]?)?\d{1,4}(?:[.\-–]\d{1,3})*[a-z]?|[IVXLC]{1,6}|[A-Z](?=[.:])"
_CAPTION = re.compile(
    rf"[\[(]?(?:(?P<table>{_TABLE})|(?P<figure>{_FIGURE}))\s?(?P<number>{_NUMBER})(?P<mark>\s*[.:：．。)\]—–|]|\s*$|\s(?=\S))(?P<rest>.?)",
    re.IGNORECASE,
)
# Hungarian puts the number first ("3. táblázat"), Turkish may ("3. Tablo").
_NUMBER_FIRST = re.compile(r"\d{1,3}(?:\.\d{1,3})*\.?\s(?:(?P<table>táblázat|tablo)|(?P<figure>ábra|şekil))\b", re.IGNORECASE)
_INITIALS = frozenset("TFAIKORÁŞCQPSGDBТРМجשתטאشตรภ表表图圖図표그0123456789([")  # with which a caption may begin
_MAX_LENGTH = 600

CaptionOf = Literal["table", "figure"]


def caption_of(text: str) -> CaptionOf | None:
    """What a line or paragraph is the caption of, or None; a sentence that begins with "Table 3 shows" is none.

    >>> caption_of("Table 3: Results"), caption_of("Abb. 2.1 Aufbau"), caption_of("表 4 結果"), caption_of("Table 3 shows that")
    ('table', 'figure', 'table', None)
    """
    first = text[0]
    if first not in _INITIALS or len(text) > _MAX_LENGTH:
        return None
    found = _CAPTION.match(text)
    if found is None:
        found = _NUMBER_FIRST.match(text) if first.isdigit() else None
        return None if found is None else "table" if found["table"] else "figure"
    if not found["mark"].strip() and (found["rest"].islower() and found["rest"].isascii()):
        return None  # without a colon, "Figure 4 illustrates" is a sentence
    return "table" if found["table"] else "figure"


def label_of(caption: str) -> str:
    """The name by which the text speaks of what a caption stands under; "" for none.

    >>> label_of("Figure 3: The pipeline"), label_of("A picture")
    ('Figure 3', '')
    """
    found = _CAPTION.match(caption) if caption else None
    return caption[found.start() : found.end("number")].lstrip("[(") if found else ""
