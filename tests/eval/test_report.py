"""The report: one page, nothing fetched, what the runs say; and, in a browser, readable in light and dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.eval.made import made_run
from tests.ui.browser import find_chromium, open_page

from phidex.errors import InputError
from phidex.eval.metrics.doubt import Mean
from phidex.eval.report.charts import Bar, Curve, bars, curves
from phidex.eval.report.page import render_report


@pytest.fixture
def page(tmp_path: Path) -> str:
    first = made_run(tmp_path / "before", [{"f1": 0.2, "contains": 0.0, "packed_at": at / 40} for at in range(40)], failed=2)
    second = made_run(tmp_path / "<after>", [{"f1": 0.6, "contains": float(at < 20), "packed_at": at / 40} for at in range(40)])
    return render_report([first, second], "Machines & more")


def test_a_report_says_what_the_runs_say(page: str) -> None:
    assert page.startswith("<!doctype html>")
    assert "<h1>Machines &amp; more</h1>" in page
    assert "&lt;after&gt;" in page
    assert "<after>" not in page
    assert '<span class="better">better</span>' in page
    assert "+0.400 (+0.400 to +0.400)" in page
    assert "Failed questions (2)" in page
    assert "By language" in page
    assert "By place in the context: contains" in page
    assert "prefers-color-scheme:dark" in page


def test_a_report_fetches_nothing(page: str) -> None:
    assert not re.search(r"""(?:src|href)\s*=|url\(|@import|<script|https?://""", page)


def test_a_report_reads_well_in_a_browser(page: str, tmp_path: Path) -> None:
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("Chromium is not installed")
    (tmp_path / "report.html").write_text(page, "utf-8")
    with open_page(chromium, (tmp_path / "report.html").as_uri(), tmp_path / "profile") as shown:
        shown.wait("document.querySelectorAll('svg').length >= 3")
        assert shown.hosts == {""}  # the file alone
        colours: list[str] = []
        for scheme in ("light", "dark"):
            shown.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
            colours.append(shown.wait("getComputedStyle(document.body).backgroundColor"))
        assert colours == ["rgb(255, 255, 255)", "rgb(18, 23, 29)"]
        assert shown.read("document.documentElement.scrollWidth <= innerWidth")


def test_charts_escape_and_scale() -> None:
    bar = bars("t", [Bar('<"label">', Mean(0.5, 0.4, 0.6, 9))])
    assert 'aria-label="t"' in bar
    assert "&lt;&quot;label&quot;&gt;" in bar
    assert 'width="210.0"' in bar  # half of the rail
    line = curves("t", [Curve("rank", [(0.1, 1.0, 3), (0.9, 0.5, 4)])])
    assert 'd="M90.0 44.0L458.0 144.0"' in line
    assert "rank: 0.500 (4 questions)" in line


def test_a_report_shows_one_to_four_runs() -> None:
    with pytest.raises(InputError, match="0 runs"):
        render_report([])
