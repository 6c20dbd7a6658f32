"""Pages, times and days in questions of all 23 languages."""

from __future__ import annotations

import datetime

import pytest

from phidex.retrieval.query.places import dates_in, pages_in, times_in
from phidex.retrieval.query.understand import understand
from phidex.retrieval.query.words import all_words

PAGES = {
    "ar": ["ماذا يوجد في الصفحة 12؟", "ما المكتوب في صفحة ١٢", "انظر ص 12"],
    "cs": ["Co je na straně 12?", "viz str. 12", "co stojí na 12. straně"],
    "da": ["Hvad står der på side 12?", "se s. 12"],
    "de": ["Was steht auf Seite 12?", "siehe S. 12", "die 12. Seite"],
    "en": ["What is on page 12?", "see p. 12", "see pp. 12", "p12", "the 12th page", "PAGE 12?"],
    "es": ["¿Qué hay en la página 12?", "véase pág. 12", "págs. 12"],
    "fi": ["Mitä on sivulla 12?", "katso s. 12", "mitä sivun 12 taulukko sanoo", "12. sivu"],
    "fr": ["Qu'y a-t-il à la page 12 ?", "voir p. 12"],
    "he": ["מה כתוב בעמוד 12?", "ראה עמ' 12"],
    "hu": ["Mi van a 12. oldalon?", "12. oldal"],
    "it": ["Cosa c'è a pagina 12?", "vedi pag. 12"],
    "ja": ["12ページには何がありますか", "第12頁", "p.12の図"],
    "ko": ["12페이지에는 무엇이 있습니까?", "12쪽", "페이지 12"],
    "nl": ["Wat staat er op pagina 12?", "zie blz. 12", "bladzijde 12"],
    "no": ["Hva står på side 12?", "se s. 12"],
    "pl": ["Co jest na stronie 12?", "zob. str. 12", "co jest na 12 stronie"],
    "pt": ["O que há na página 12?", "ver pág. 12"],
    "ru": ["Что на странице 12?", "см. стр. 12", "что написано на 12 странице"],
    "sv": ["Vad står på sidan 12?", "se s. 12"],
    "th": ["หน้า 12 มีอะไร", "ในหน้าที่ 12"],
    "tr": ["Sayfa 12'de ne var?", "12. sayfada ne var", "12. sayfa"],
    "uk": ["Що на сторінці 12?", "див. стор. 12", "що на 12 сторінці"],
    "zh": ["第12页有什么？", "第十二页写了什么", "12頁", "页码12", "第１２页"],
}
RANGES = {
    "en": ["pages 10-20", "pp. 10–20", "pages 10 to 20", "pages 10 through 20"],
    "de": ["Seiten 10 bis 20", "S. 10-20"],
    "fr": ["pages 10 à 20"],
    "es": ["páginas 10 a 20", "páginas 10 hasta 20"],
    "it": ["pagine 10 a 20"],
    "pt": ["páginas 10 até 20"],
    "nl": ["pagina's 10 tot 20", "blz. 10 t/m 20"],
    "sv": ["sidorna 10 till 20"],
    "da": ["siderne 10 til 20"],
    "no": ["sidene 10 til 20"],
    "pl": ["strony 10 do 20"],
    "cs": ["strany 10 až 20"],
    "ru": ["страницы 10 по 20", "стр. 10—20"],
    "uk": ["сторінки 10 до 20"],
    "zh": ["第10到20页", "第10至20页", "第10-20页", "第10页到第20页"],
    "ja": ["10から20ページ", "10〜20ページ"],
    "ko": ["10~20쪽", "10에서 20페이지"],
    "th": ["หน้า 10 ถึง 20"],
    "hu": ["10-20. oldal"],
    "fi": ["sivut 10-20"],
    "tr": ["sayfa 10 ile 20"],
    "ar": ["الصفحات 10 إلى 20"],
    "he": ["עמודים 10 עד 20"],
}


def test_every_language_has_its_cases() -> None:
    assert PAGES.keys() == RANGES.keys() == all_words().keys()
    assert len(PAGES) == 23


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, texts in PAGES.items() for text in texts])
def test_pages(language: str, text: str) -> None:
    assert understand(text).pages == (12, 12)


@pytest.mark.parametrize(("language", "text"), [(language, text) for language, texts in RANGES.items() for text in texts])
def test_ranges_of_pages(language: str, text: str) -> None:
    assert understand(text).pages == (10, 20)


@pytest.mark.parametrize(
    "text",
    [
        "a 12 page report",
        "the report has 12 pages",
        "ein Bericht von 12 Seiten",
        "共12页",
        "отчёт на 12 страниц",
        "page 0",
        "page 1.5",
        "pages 20-10",
        "homepage 12",
        "version 12",
        "what is a page?",
        "12 oldalas",
        "en 12 siders rapport",
    ],
)
def test_counts_and_other_numbers_are_no_pages(text: str) -> None:
    assert understand(text).pages is None


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("what is said at 14:30?", 870, 870),
        ("um 12:30", 750, 750),
        ("at 1:02:30 in the film", 3750, 3750),
        ("between 1:00 - 1:30", 60, 90),
        ("1h02m", 3720, 3720),
        ("2h30", 9000, 9000),
        ("at 2m15s", 135, 135),
        ("2分30秒", 150, 150),
        ("2분 30초에", 150, 150),
        ("minute 12", 720, 720),
        ("in der 12. minute", 720, 720),
        ("на 12-й минуте", 720, 720),
        ("第12分钟", 720, 720),
    ],
)
def test_times(text: str, start: float, end: float) -> None:
    assert times_in(text) == (start, end)


@pytest.mark.parametrize(
    "text", ["it takes 12 minutes", "ratio 1:2", "john 3:16:9999", "http://host:8080/", "10:99", "v1.2:30"]
)
def test_durations_and_other_numbers_are_no_times(text: str) -> None:
    assert times_in(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-15",
        "2024/1/15",
        "15.01.2024",
        "15. 1. 2024",
        "january 15, 2024",
        "jan 15 2024",
        "january 15th, 2024",
        "15 january 2024",
        "15th of january 2024",
        "15. januar 2024",
        "15 janvier 2024",
        "15 de enero de 2024",
        "15 de janeiro de 2024",
        "15 января 2024 года",
        "15 stycznia 2024",
        "15. ledna 2024",
        "2024. január 15",
        "15. tammikuuta 2024",
        "15 ocak 2024",
        "15 يناير 2024",
        "15 בינואר 2024",
        "15 มกราคม 2567",
        "2024年1月15日",
        "2024년 1월 15일",
        "２０２４年１月１５日",
    ],
)
def test_days(text: str) -> None:
    day = datetime.date(2024, 1, 15)
    assert understand(f"… {text} …").dates == ((day, day),)


@pytest.mark.parametrize(
    ("language", "name", "number"),
    [(code, form, at) for code, words in all_words().items() for at, forms in enumerate(words.months, 1) for form in forms],
)
def test_months_in_every_language(language: str, name: str, number: int) -> None:
    ((first, last),) = dates_in(f"({name} 2024)".lower())
    assert (first, last.month, (last + datetime.timedelta(1)).day) == (datetime.date(2024, number, 1), number, 1)


def test_dates_that_do_not_exist_or_can_be_read_twice() -> None:
    assert dates_in("30 february 2024, 2024-13-01, 32.01.2024") == ()
    assert [first.isoformat() for first, _ in dates_in("03/04/2024", "en")] == ["2024-04-03", "2024-03-04"]
    assert [first.isoformat() for first, _ in dates_in("03/04/2024", "fr")] == ["2024-04-03"]
    assert dates_in("you may 12 times") == ()


def test_pages_of_lower_case_text_in_any_digits() -> None:
    assert pages_in("صفحة ٣٤") == (34, 34)
    assert pages_in("第二百零三页") == (203, 203)
