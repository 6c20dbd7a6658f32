"""What a PDF says about itself beside its pages: outline, page labels, metadata, attached files.

Each part may be broken while the pages are well: then it is empty, and the document is read without it.
"""

from __future__ import annotations

from typing import Any

from phidex.ingest.clean import clean_line
from phidex.ingest.pdf.file import PAGE_ERRORS

_ROMAN = tuple(
    zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    )
)
_NOT_KEPT = frozenset(("trapped", "encryption", "format"))
_MAX_NAMED = 10  # attached files that a warning lists


def read_outline(document: Any) -> list[tuple[int, str, int]]:
    """The outline as (level, title, 1-based page); empty when it is broken."""
    try:
        return [(int(level), str(title), int(page)) for level, title, page in document.get_toc(simple=True)]
    except PAGE_ERRORS:
        return []


def read_labels(document: Any) -> tuple[str, ...]:
    """The printed label of every page; empty when each equals the page's number.

    Made here from the document's rules, since PyMuPDF's `get_label` reads the rules anew for every page.
    """
    labels = [str(index + 1) for index in range(document.page_count)]
    try:
        rules: list[dict[str, Any]] = sorted(document.get_page_labels(), key=lambda rule: rule["startpage"])
        ends = [rule["startpage"] for rule in rules[1:]] + [len(labels)]
        for rule, end in zip(rules, ends, strict=False):
            start = rule["startpage"]
            for index in range(max(start, 0), min(end, len(labels))):
                number = rule.get("firstpagenum", 1) + index - start
                labels[index] = clean_line(rule.get("prefix", "") + _numeral(number, rule.get("style", "")))
    except PAGE_ERRORS:
        return ()
    return () if all(label == str(number) for number, label in enumerate(labels, 1)) else tuple(labels)


def _numeral(number: int, style: str) -> str:
    """A page number in the style of a PDF page label: D decimal, R and r Roman, A and a letters, otherwise none.

    >>> _numeral(14, "r"), _numeral(28, "A"), _numeral(3, "")
    ('xiv', 'BB', '')
    """
    if style in ("A", "a"):
        text = chr(ord("A") + (number - 1) % 26) * min((number - 1) // 26 + 1, 40)
    elif style in ("R", "r"):
        text, rest = "", min(number, 9999)
        for value, numeral in _ROMAN:
            count, rest = divmod(rest, value)
            text += numeral * count
    else:
        return str(number) if style == "D" else ""
    return text.lower() if style.islower() else text


def read_metadata(document: Any) -> dict[str, str]:
    """Title, author, dates and the like, cleaned; without what is empty."""
    metadata: dict[str, str | None] = document.metadata or {}
    found = ((key, clean_line(str(value))) for key, value in metadata.items() if value and key not in _NOT_KEPT)
    return {key: value for key, value in found if value}


def read_hints(document: Any) -> list[str]:
    """Warnings about what the document holds beside its pages and what is not read here: attached files, XFA forms."""
    warnings: list[str] = []
    try:
        names = [clean_line(str(name)) for name in document.embfile_names()]
    except PAGE_ERRORS:
        names = []
    if names:
        listed = ", ".join(names[:_MAX_NAMED]) + (" …" if len(names) > _MAX_NAMED else "")
        files = f"{len(names)} attached files that are" if len(names) > 1 else "an attached file that is"
        warnings.append(f"The PDF carries {files} not read here; save and ingest on their own: {listed}.")
    if _is_xfa(document):
        warnings.append(
            "The PDF is a dynamic XFA form: its pages hold a notice alone, and only Adobe Reader shows the form; "
            "print it to a PDF there."
        )
    return warnings


def _is_xfa(document: Any) -> bool:
    """Whether the real content is an XFA form, drawn by the viewer, and the pages are a stand-in."""
    try:
        catalog = document.pdf_catalog()
        if not catalog or document.xref_get_key(catalog, "NeedsRendering")[1] != "true":
            return False
        return document.xref_get_key(catalog, "AcroForm/XFA")[0] != "null"
    except PAGE_ERRORS:
        return False
