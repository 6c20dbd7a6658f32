"""Numbers as a spreadsheet shows them: by their format's code, with dates in ISO order.

Colours, padding, conditions and fractions are passed over; a code that is not understood leaves the number as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

Formatter = Callable[[float], str]

_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 5: "#,##0", 6: "#,##0", 7: "#,##0.00", 8: "#,##0.00", 9: "0%", 10: "0.00%",
    37: "#,##0", 38: "#,##0", 39: "#,##0.00", 40: "#,##0.00", 41: "#,##0", 42: "#,##0", 43: "#,##0.00", 44: "#,##0.00",
    14: "yyyy-mm-dd", 15: "yyyy-mm-dd", 16: "yyyy-mm-dd", 17: "yyyy-mm-dd", 18: "h:mm", 19: "h:mm:ss", 20: "h:mm",
    21: "h:mm:ss", 22: "yyyy-mm-dd h:mm", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss",
}  # fmt: skip
_EAST_ASIAN_DATES = (*range(27, 37), *range(50, 59))
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|\[\$([^\]-]*)[^\]]*\]|\[(h+|m+|s+)\]|\[[^\]]*\]|_.|\*.|(.)', re.IGNORECASE | re.DOTALL)
_DIGITS = re.compile(r"[0#?][0#?,.]*|\.[0#?]+")
_MAX_SERIAL = 2_958_466  # the year 10000


def format_code(number: int, custom: dict[int, str]) -> str:
    """The code of a number format by its id: the workbook's own, or a built-in one; "" for General."""
    if number in custom:
        return custom[number]
    return "yyyy-mm-dd" if number in _EAST_ASIAN_DATES else _BUILT_IN.get(number, "")


def make_formatter(code: str, *, is_1904: bool = False) -> Formatter:
    """A function from a cell's number to what the cell shows.

    >>> make_formatter("0.0%")(0.256), make_formatter('#,##0.00 "€"')(-1234.5), make_formatter("dd/mm/yyyy")(45413)
    ('25.6%', '-1,234.50 €', '2024-05-01')
    """
    if not code or code.lower() == "general" or code == "@":
        return format_plain
    sections = _sections(code)
    if any(kind == "date" for kind, _ in sections[0]):
        return lambda value: _date(value, sections[0], is_1904=is_1904)
    formatters = [_number_formatter(section) for section in sections]
    if any(formatter is None for formatter in formatters[:2]):
        return format_plain
    positive = formatters[0]
    negative = formatters[1] if len(formatters) > 1 else None
    zero = formatters[2] if len(formatters) > 2 else None

    def show(value: float) -> str:
        if value < 0 and negative:
            shown = negative(-value)
            return shown if shown.strip() else "-"
        chosen = zero if value == 0 and zero else positive
        return chosen(value) if chosen else format_plain(value)

    return show


def format_plain(value: float) -> str:
    """A number in its shortest form.

    >>> format_plain(12.0), format_plain(0.1 + 0.2), format_plain(1e21)
    ('12', '0.3', '1e+21')
    """
    if value == int(value) and abs(value) < 1e15 if abs(value) != float("inf") and value == value else False:
        return str(int(value))
    return f"{value:.15g}"


def _sections(code: str) -> list[list[tuple[str, str]]]:
    """The code's sections (positive; negative; zero) as tokens: text, date, digits or other signs."""
    sections: list[list[tuple[str, str]]] = [[]]
    for match in _TOKEN.finditer(code):
        quoted, escaped, currency, elapsed, sign = match.groups()
        if elapsed:
            sections[-1].append(("date", f"[{elapsed.lower()}]"))
        elif sign == ";":
            sections.append([])
        elif sign is not None and sign.lower() in "ymdhs":
            sections[-1].append(("date", sign.lower()))
        elif sign is not None:
            sections[-1].append(("sign", sign))
        elif (text := quoted or escaped or currency) is not None:
            sections[-1].append(("text", text))
    return sections[:3]


def _number_formatter(tokens: list[tuple[str, str]]) -> Formatter | None:
    """A formatter for one section; None where the code is not understood."""
    picture = "".join(sign if kind == "sign" else "\x00" for kind, sign in tokens)
    if "/" in picture or re.search(r"E[+-]", picture, re.IGNORECASE) or re.search("general", picture, re.IGNORECASE):
        return None
    digits = _DIGITS.search(picture)
    texts = iter([text for kind, text in tokens if kind != "sign"])
    filled = re.sub("\x00", lambda _: next(texts), picture[: digits.start()] if digits else picture)
    after = re.sub("\x00", lambda _: next(texts, ""), picture[digits.end() :]) if digits else ""
    if digits is None:
        return lambda _: filled.strip()
    body = digits[0]
    whole, _, part = body.partition(".")
    scale = 1000 ** (len(body) - len(body.rstrip(",")))
    grouped = "," in whole.rstrip(",")
    least, most = part.count("0"), len(part.rstrip(","))
    percent = 100 ** (filled + after).count("%")

    def show(value: float) -> str:
        shown = f"{abs(value) * percent / scale:{',' if grouped else ''}.{most}f}"
        if most > least:
            kept = len(shown) - (most - least)
            shown = (shown[:kept] + shown[kept:].rstrip("0")).rstrip(".")
        sign = "-" if value < 0 and shown.strip("0.,") else ""
        return f"{sign}{filled}{shown}{after}".strip()

    return show


def _date(value: float, tokens: list[tuple[str, str]], *, is_1904: bool) -> str:
    """A serial day in ISO order: what the format shows of date and time, or hours run where it counts those."""
    letters = "".join(sign for kind, sign in tokens if kind == "date")
    if not 0 <= value < _MAX_SERIAL:
        return format_plain(value)
    if "[" in letters:
        seconds = round(value * 86400)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    has_time = "h" in letters or "s" in letters
    has_day = "y" in letters or "d" in letters or not has_time
    epoch = datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 31 if value < 60 else 30)
    moment = epoch + timedelta(seconds=round(value * 86400))
    clock = moment.strftime("%H:%M:%S" if moment.second else "%H:%M")
    if not has_day:
        return clock
    day = f"{moment:%Y-%m-%d}" if moment.year > 999 else moment.isoformat()[:10]
    return f"{day} {clock}" if has_time else day
