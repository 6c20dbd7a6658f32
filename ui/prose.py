"""Text of documents and models as markdown that shows it and does nothing else.

Documents are not trusted: an image in a quoted text would make the browser fetch it from wherever it points.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&=])")
_CODE = re.compile(r"(```.*?(?:```|\Z)|`[^`\n]*`)", re.DOTALL)
_MARKER = re.compile(r"\\?\[(\d{1,4}(?:\s*[,;]\s*\d{1,4})*)\\?\](?![(:])")


def plain(text: str) -> str:
    r"""Markdown that shows `text` as it is.

    >>> plain("costs *$5* (net)")
    'costs \\*\\$5\\* \\(net\\)'
    """
    return _SPECIAL.sub(r"\\\1", text)


def sentence(text: str) -> str:
    """With a capital letter and a full stop.

    >>> sentence("it has 2 pages")
    'It has 2 pages.'
    """
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def quoted(text: str) -> str:
    """An answer of quotations as markdown: nothing in it is formatted but its markers."""
    return "\n\n".join(_marked(plain(part)) for part in text.split("\n\n"))


def written(text: str) -> str:
    r"""A model's answer as markdown: formatting stays; images, HTML, formulas and Streamlit's directives show as text.

    A bare address can still be clicked; nothing is fetched before that.

    >>> written("**12** pages ![x](http://evil.example/p.png), `$HOME`")
    '**12** pages !\\[x\\](http\\://evil.example/p.png), `$HOME`'
    """
    parts = _CODE.split(text)
    return "".join(_unpictured(part) if index % 2 else _marked(_disarmed(part)) for index, part in enumerate(parts))


def _unpictured(code: str) -> str:
    """Without images, should CommonMark not take for code what `_CODE` does (an escaped backtick, a fence within a line)."""
    return code.replace("![", "!\u200b[")


def _disarmed(text: str) -> str:
    text = re.sub(r"\\+(?=[<$\[\]:])", "", text)  # or an escape of ours would be undone by one before it
    text = re.sub(r"([<$])", r"\\\1", text)
    text = re.sub(r":(?=[a-z/])", r"\\:", text, flags=re.IGNORECASE)  # :red[…], :material/…:, https://…
    return re.sub(r"([\[\]])", r"\\\1", text)


def _marked(text: str) -> str:
    """With its citation markers as badges."""
    return _MARKER.sub(lambda match: "".join(f":orange-badge[{n}]" for n in re.findall(r"\d+", match[1])), text)
