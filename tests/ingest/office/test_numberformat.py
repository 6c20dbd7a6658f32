"""Numbers as spreadsheets show them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phidex.ingest.office.numberformat import format_code, format_plain, make_formatter


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("", 12.0, "12"),
        ("General", 0.1 + 0.2, "0.3"),
        ("0", 2.6, "3"),
        ("0.00", -1.5, "-1.50"),
        ("0.##", 1.5, "1.5"),
        ("0.##", 2.0, "2"),
        ("#,##0", 1234567.0, "1,234,567"),
        ("0%", 0.07, "7%"),
        ("0.00%", 0.12345, "12.35%"),
        ('"$"#,##0.00;[Red]("$"#,##0.00)', -1234.5, "($1,234.50)"),
        ("[$€-407] #,##0", 5.0, "€ 5"),
        ("#,##0,", 12_000.0, "12"),
        ("0.00E+00", 12345.0, "12345"),
        ("# ?/?", 0.5, "0.5"),
        ("yyyy-mm-dd", 45413.0, "2024-05-01"),
        ("dd.mm.yyyy hh:mm", 45413.5625, "2024-05-01 13:30"),
        ("h:mm AM/PM", 0.5, "12:00"),
        ("[h]:mm", 1.5, "36:00:00"),
        ("mmm yy", 45413.0, "2024-05-01"),
        ("d/m/yyyy", 1.0, "1900-01-01"),
        ("yyyy", -5.0, "-5"),
        ('"no digits"', 5.0, "no digits"),
        (";;;", 5.0, ""),
    ],
)
def test_codes(code: str, value: float, shown: str) -> None:
    assert make_formatter(code)(value) == shown


def test_built_in_ids_and_the_calendar_of_1904() -> None:
    assert make_formatter(format_code(10, {}))(0.5) == "50.00%"
    assert make_formatter(format_code(14, {}), is_1904=True)(0.0) == "1904-01-01"
    assert format_code(200, {200: "0.0"}) == "0.0"
    assert format_code(999, {}) == ""


@given(st.text(alphabet='0#?.,%;"\\[]$€yYmMdDhHsS/ E+-@_*AP', max_size=20), st.floats())
def test_any_code_shows_something(code: str, value: float) -> None:
    assert isinstance(make_formatter(code)(value), str)


@given(st.floats(-1e300, 1e300))
def test_plain_numbers_keep_fifteen_digits(value: float) -> None:
    assert float(format_plain(value)) == pytest.approx(value, rel=1e-14)
