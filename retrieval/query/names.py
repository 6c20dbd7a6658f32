"""The names in a question: what it quotes, identifiers of code, and files."""

from __future__ import annotations

import re

_LETTER = "0-9A-Za-z\u00c0-\u024f\u0370-\u06ff"  # a straight mark behind one of these closes, or is an apostrophe or inch
_QUOTES = (
    rf'(?<![{_LETTER}])"([^"]{{1,300}})"|[„“”]([^„“”]{{1,300}})[“”]|«([^«»]{{1,300}})»|»([^«»]{{1,300}})«|「([^「」]{{1,300}})」'
    rf"|『([^『』]{{1,300}})』|‹([^‹›]{{1,300}})›|[‚‘]([^‚‘’]{{1,300}})[‘’](?!\w)|《([^《》]{{1,300}})》"
    rf"|(?<![{_LETTER}])'([^']{{1,300}})'(?![{_LETTER}])"
)
QUOTED = re.compile(_QUOTES)
"""A quotation in any style; exactly one of its groups is what stands between the marks."""

_EXTENSIONS = (
    "pdf|docx?|pptx?|xlsx?|xlsb|od[tps]|rtf|epub|txt|md|rst|html?|xml|json|ya?ml|toml|ini|cfg|conf|csv|tsv|log|eml|msg|srt|vtt|"
    "png|jpe?g|gif|tiff?|svg|webp|mp[34]|m4a|wav|mkv|mov|webm|avi|zip|tar|gz|7z|py|pyi|ipynb|js|jsx|mjs|ts|tsx|java|kt|scala|go|rs|"
    "c|h|cc|cpp|hpp|cs|rb|php|swift|sh|bash|ps1|sql|css|scss|lua|hs|jl|exs?|vue|svelte|tf|proto|gradle|lock|env|bat|tex|bib"
)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_FILE = re.compile(
    r"(?<![\w@])(?:[A-Za-z]:\\[^\s\"'`<>|?*]+"  # C:\folder\file
    rf"|(?:~|\.{{1,2}})?/?(?:[\w.+-]{{1,80}}/)*[\w+-][\w.+-]{{0,80}}\.(?:{_EXTENSIONS})(?![\w])"  # a/b/file.py, file.pdf
    r"|(?:~|\.{1,2})?/[\w.+-]+(?:/[\w.+-]+)+/?"  # /etc/hosts
    r"|[A-Za-z0-9_.+-]+(?:/[A-Za-z0-9_.+-]+){2,}/?"  # src/phidex/cli
    r"|[A-Za-z0-9_.-]+/(?=\s|$))",  # src/
    re.IGNORECASE,
)
_SYMBOL = re.compile(
    r"`([^`\n]{1,200})`"
    r"|(?<![\w-])(--[A-Za-z][\w-]*)"
    r"|(?<![\w.])([A-Za-z_][\w]*(?:(?:::|->|\.|#)[A-Za-z_]\w*)+(?:\(\))?)"  # Foo.bar, std::vector
    r"|(?<![\w.])([A-Za-z_]\w*)\(\)"
    r"|(?<!\w)(_*[A-Za-z0-9]+(?:_[A-Za-z0-9]+)+_*|__?[A-Za-z]\w*)(?!\w)"  # snake_case
    r"|(?<!\w)((?:[a-z]+|[A-Z][a-z0-9]+)(?:[A-Z][a-z0-9]+)+"  # camelCase, CamelCase
    r"|[A-Z]{2,}[a-z]+(?:[A-Z][a-z0-9]+)*|[a-z]+[A-Z]{2,})(?!\w)"  # HTTPServer
    r"|(?<![\w-])(0x[0-9A-Fa-f]{2,}|[A-Z]{1,6}-?\d{2,}(?:-\d+)*)(?!\w)",  # E0308, CVE-2024-1234
    re.ASCII,
)
_BRANDS = re.compile(r"[a-z][A-Z]|(?:Mc|Mac|La|De|Di|Le|Van|You|Pay|Face|Linked)[A-Z]")  # iPhone, McDonald: names, not code
_DOTTED_PROSE = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]\.?\Z|www\.|.*\.(?:com|org|net|de|io|eu|uk)\Z")
_HAS_NAME = re.compile(r"[`_./\\:]|--|[a-z][A-Z]|[A-Z]{2}|\(\)|0x|[A-Z]-?\d\d")


def phrases_in(text: str) -> tuple[str, ...]:
    """What stands in quotation marks, without them, in order.

    >>> phrases_in("„Guten Tag“ and «oui» or don't, 5\\" wide")
    ('Guten Tag', 'oui')
    """
    found = (next(group for group in match.groups() if group is not None).strip() for match in QUOTED.finditer(text))
    return tuple(dict.fromkeys(phrase for phrase in found if phrase))


def names_in(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Identifiers, flags and error codes; and file names and paths.

    >>> names_in("how does Foo.bar in src/app/main.py use `--dry-run` and parse_file?")
    (('Foo.bar', '--dry-run', 'parse_file'), ('src/app/main.py',))
    >>> names_in("the iPhone costs 5 and/or 6, e.g. at www.example.com")
    ((), ())
    """
    if not _HAS_NAME.search(text):
        return (), ()
    if "://" in text:
        text = _URL.sub(" ", text)
    files: list[str] = []
    if "." in text or "/" in text or "\\" in text:
        files = [match.group() for match in _FILE.finditer(text)]
        for name in files:
            text = text.replace(name, " ", 1)
    symbols: list[str] = []
    for match in _SYMBOL.finditer(text):
        kind = match.lastindex or 0
        name = match[kind].strip().removesuffix("()")
        prose = (kind == 3 and _DOTTED_PROSE.match(name)) or (kind == 6 and _BRANDS.match(name))
        if name and not prose:
            symbols.append(name)
    return tuple(dict.fromkeys(symbols)), tuple(dict.fromkeys(files))
