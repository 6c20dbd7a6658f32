"""What a Word paragraph is, by its style and its own properties: heading, list item, caption, code, table of contents."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from phidex.ingest.office.numbering import W, value_of
from phidex.ingest.office.package import Element

_MOST_LEVEL = 6
# Word stores built-in styles under their English names; other programs store the names that they show.
_HEADING = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|titel|kop|rubrik|overskrift|otsikko|nagłówek|nadpis|címsor|başlık|заголовок|"
    r"επικεφαλίδα|標題|标题|見出し|제목|כותרת|عنوان|หัวเรื่อง)\s*([1-9])",
    re.IGNORECASE,
)
_TITLE = frozenset(("title", "titel", "titre", "título", "titolo", "название", "標題", "标题", "表題", "제목"))
_CAPTION = frozenset(
    ("caption", "beschriftung", "légende", "leyenda", "didascalia", "bijschrift", "legenda", "название объекта")
)
_CODE = re.compile(r"\bcode\b|source|quelltext|listing|preformatted|html preformatted|plain text", re.IGNORECASE)
_CONTENTS = re.compile(r"(?:toc|verzeichnis|contents)\s*[1-9]$|table of figures", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Style:
    """What a paragraph is; `level` is a heading's, 0 for all else; `list_id` names the list that it is an item of."""

    level: int = 0
    list_id: str = ""
    list_level: int = 0
    is_caption: bool = False
    is_code: bool = False
    is_contents: bool = False


class Styles:
    """The paragraph styles of a document.

    Args:
        root: the root of the styles part; None where there is none.
    """

    def __init__(self, root: Element | None) -> None:
        self._elements: dict[str, Element] = {}
        self._known: dict[str, Style] = {}
        self._default = ""
        for element in root.iterchildren(f"{W}style") if root is not None else ():
            if element.get(f"{W}type", "paragraph") == "paragraph":
                identity = element.get(f"{W}styleId", "")
                self._elements[identity] = element
                if element.get(f"{W}default") in ("1", "true", "on"):
                    self._default = identity

    def of(self, paragraph: Element) -> Style:
        """What the paragraph is, its own properties before its style's."""
        about = paragraph.find(f"{W}pPr")
        if about is None:
            return self._named(self._default)
        return _with_properties(self._named(value_of(about, "pStyle") or self._default), about)

    def _named(self, identity: str, depth: int = 0) -> Style:
        if identity in self._known:
            return self._known[identity]
        element = self._elements.get(identity)
        name = (value_of(element, "name") if element is not None else "") or identity
        based_on = value_of(element, "basedOn")
        style = self._named(based_on, depth + 1) if based_on and depth < 20 else Style()
        lowered = name.strip().lower()
        if found := _HEADING.fullmatch(lowered):
            style = replace(style, level=min(int(found[1]), _MOST_LEVEL))
        elif lowered in _TITLE:
            style = replace(style, level=1)
        elif _CONTENTS.match(lowered):
            style = replace(style, level=0, is_contents=True)
        elif lowered in _CAPTION:
            style = replace(style, is_caption=True)
        elif _CODE.search(lowered):
            style = replace(style, is_code=True)
        about = element.find(f"{W}pPr") if element is not None else None
        style = _with_properties(style, about) if about is not None else style
        self._known[identity] = style
        return style


def _with_properties(style: Style, about: Element) -> Style:
    """The style with the outline level and list that the properties set."""
    outline = value_of(about, "outlineLvl")
    if outline.isdecimal() and not style.is_contents:
        style = replace(style, level=min(int(outline) + 1, _MOST_LEVEL) if int(outline) < 9 else 0)
    numbers = about.find(f"{W}numPr")
    if numbers is not None:
        level = value_of(numbers, "ilvl")
        identity = value_of(numbers, "numId")
        style = replace(
            style,
            list_id="" if identity == "0" else identity or style.list_id,
            list_level=int(level) if level.isdecimal() and len(level) < 3 else style.list_level,
        )
    return style
