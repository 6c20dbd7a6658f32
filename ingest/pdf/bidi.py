"""Logical order for lines that mix right-to-left script with Latin letters or digits.

MuPDF turns each right-to-left run around where it stands, which is enough for pure lines; in mixed ones the order of runs
and the spaces between them stay as drawn. Here the line is rebuilt from where its characters stand on the page.
"""

from __future__ import annotations

import re
import unicodedata

RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LTR = re.compile("[0-9A-Za-z\u00c0-\u02af\u0370-\u052f\u0660-\u0669\u06f0-\u06f9]")


def is_mixed(text: str) -> bool:
    """Whether a line has both right-to-left letters and what runs left to right among them (digits do).

    >>> is_mixed("שלום 45"), is_mixed("שלום"), is_mixed("hello")
    (True, False, False)
    """
    return not text.isascii() and RTL.search(text) is not None and _LTR.search(text) is not None


def order_logically(chars: list[tuple[str, float]]) -> str:
    """The text of a line from its characters and where each begins (x, in any unit), in any order.

    The base direction is that of most letters. Combining marks follow the character they were listed after.

    >>> order_logically([("ש", 9), ("ל", 8), (" ", 7), ("4", 5), ("5", 6)])
    'של 45'
    """
    clusters: list[tuple[float, str]] = []
    for char, x in chars:
        if clusters and unicodedata.combining(char):
            clusters[-1] = (clusters[-1][0], clusters[-1][1] + char)
        else:
            clusters.append((x, char))
    seen = [cluster for _, cluster in sorted(clusters, key=lambda cluster: cluster[0])]  # from left to right
    kinds = ["r" if RTL.match(c) and not _LTR.match(c) else "l" if _LTR.match(c) else "n" for c in seen]
    is_rtl = kinds.count("r") >= kinds.count("l")
    if is_rtl:
        seen.reverse()
        kinds.reverse()
    against = "l" if is_rtl else "r"
    ordered: list[str] = []
    start = 0
    for run in re.finditer(f"{against}(?:[{against}n]*{against})?", "".join(kinds)):
        ordered += seen[start : run.start()]
        ordered += reversed(seen[run.start() : run.end()])
        start = run.end()
    return "".join(ordered + seen[start:])
