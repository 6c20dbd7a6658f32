"""What is read off a question: names, quotations, operators, style; and that nothing is ever lost."""

from __future__ import annotations

import re
import statistics
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phidex.retrieval.filters import Filters
from phidex.retrieval.query.understand import Style, understand
from phidex.retrieval.query.words import all_words

PIECES = st.sampled_from(
    [
        "kind:code",
        "-tag:draft",
        'source:"Annual report"',
        "page:1-2",
        "page:x",
        "lang:de",
        "after:2024",
        "path:a/b",
        "note:",
        "»",
        "«",
        "“",
        "”",
        "„",
        '"',
        "'",
        "`",
        "「",
        "」",
        "Foo.bar",
        "a_b",
        "C:\\d",
        "http://x:1/y",
        "第",
        "页",
        "12",
        "：",
        ":",
        "-",
        "und",
        "\n",
        "12:30",
        "2024-01-15",
        "\ud800",
        "\x00",
        "𝒌ind:code",
        "İ",
        "ß",
        "kind：code",
    ]
)


@settings(deadline=None)  # the first call reads the words
@given(st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=12).map(" ".join) | st.text(max_size=300))
def test_nothing_fails_and_no_word_is_lost(question: str) -> None:
    query = understand(question)
    assert query.original == question
    words = question.replace("\ud800", "\ufffd").split()
    assert sorted(" ".join([query.text, *query.operators]).split()) == sorted(words)
    query.text.encode()
    assert bool(query.filters) == bool(query.operators)
    if query.pages:
        assert 1 <= query.pages[0] <= query.pages[1]
    if query.times_s:
        assert 0 <= query.times_s[0] <= query.times_s[1]
    assert all(first <= last for first, last in query.dates)
    query.filters.to_dict()


@pytest.mark.parametrize(
    "quoted",
    [
        '"net income"',
        "“net income”",
        "„net income“",
        "„net income”",
        "”net income”",
        "«net income»",
        "« net income »",
        "»net income«",
        "‹net income›",
        "‘net income’",
        "‚net income‘",
        "'net income'",
        "「net income」",
        "『net income』",
        "《net income》",
    ],
)
def test_quotations_in_every_style(quoted: str) -> None:
    assert understand(f"where is {quoted} reported").phrases == ("net income",)
    assert quoted in understand(f"where is {quoted} reported").text


@pytest.mark.parametrize(
    "text", ["don't and won't", "the dogs' and cats' bowls", '5" pipe and 3" hose', 'צה"ל ומנכ"ל', "l'eau d'ici", '"']
)
def test_apostrophes_and_inches_quote_nothing(text: str) -> None:
    assert understand(text).phrases == ()


@pytest.mark.parametrize(
    ("text", "symbols", "files"),
    [
        ("how does Foo.bar work", ("Foo.bar",), ()),
        ("what calls parse_file()?", ("parse_file",), ()),
        ("where is parseFile or HttpClient defined", ("parseFile", "HttpClient"), ()),
        ("what is HTTPServer", ("HTTPServer",), ()),
        ("use of `x + y` here", ("x + y",), ()),
        ("std::vector and a->b", ("std::vector", "a->b"), ()),
        ("what does --dry-run do", ("--dry-run",), ()),
        ("error E0308 and CVE-2024-1234 and 0x80070005", ("E0308", "CVE-2024-1234", "0x80070005"), ()),
        ("ERR_CONNECTION_REFUSED", ("ERR_CONNECTION_REFUSED",), ()),
        ("__init__ of it", ("__init__",), ()),
        ("open src/phidex/sdk.py please", (), ("src/phidex/sdk.py",)),
        ("what says manual.pdf?", (), ("manual.pdf",)),
        ("was steht in Übersicht.pdf und 报告.docx", (), ("Übersicht.pdf", "报告.docx")),
        ('in "Annual report.pdf"', (), ("Annual report.pdf",)),
        ("look in /etc/ssh/sshd_config", (), ("/etc/ssh/sshd_config",)),
        ("under src/ there", (), ("src/",)),
        (r"C:\Users\a.txt", (), (r"C:\Users\a.txt",)),
        ("see https://example.com/a_b/c.py", (), ()),
        ("and/or km/h e.g. i.e. U.S. www.example.com", (), ()),
        ("the iPhone of McDonald", (), ()),
        ("How much is it?", (), ()),
        ("end of it.New sentence", ("it.New",), ()),
    ],
)
def test_names(text: str, symbols: tuple[str, ...], files: tuple[str, ...]) -> None:
    query = understand(text)
    assert (query.symbols, query.files) == (symbols, files)


@pytest.mark.parametrize(
    ("operator", "filters"),
    [
        ("kind:code", Filters(kinds=("code",))),
        ("KIND:Code", Filters(kinds=("code",))),
        ("kind:code,pdf", Filters(kinds=("code", "pdf"))),
        ("lang:de", Filters(languages=("de",))),
        ("language:German", Filters(languages=("de",))),
        ("lang:pt-BR", Filters(languages=("pt",))),
        ("lang:日本語", Filters(languages=("ja",))),
        ('source:"Annual report"', Filters(names=("Annual report",))),
        ("source:„Annual report“", Filters(names=("Annual report",))),
        ("source:manual.pdf", Filters(names=("manual.pdf",))),
        ("tag:x", Filters(tags=("x",))),
        ("page:10-20", Filters(pages=(10, 20))),
        ("pages:7", Filters(pages=(7, 7))),
        ("path:src/", Filters(paths=("src/",))),
        ("symbol:Foo.bar", Filters(symbols=("Foo.bar",))),
        ("modality:table", Filters(modalities=("table",))),
        ("after:2024-01", Filters(after="2024-01")),
        ("before:2024-01-31", Filters(before="2024-01-31")),
        ("-tag:draft", Filters(without=Filters(tags=("draft",)))),
        ("tag：x", Filters(tags=("x",))),
        ("lang:de?", Filters(languages=("de",))),
    ],
)
def test_operators(operator: str, filters: Filters) -> None:
    for text in (f"pump speed {operator}", f"{operator} pump speed", f"pump {operator} speed"):
        query = understand(text)
        assert (query.text, query.filters, query.operators, query.warnings) == ("pump speed", filters, (operator,), ())


def test_operators_together() -> None:
    query = understand('kind:code lang:de kind:pdf "quoted kind:text" -tag:draft -lang:en source:"Annual report" pump')
    assert query.text == '"quoted kind:text" pump'
    assert query.filters == Filters(
        kinds=("code", "pdf"), languages=("de",), names=("Annual report",), without=Filters(tags=("draft",), languages=("en",))
    )


@pytest.mark.parametrize(
    "text",
    [
        "note: this",
        "C:\\dir",
        "http://a.b:80/c",
        "open-source:yes",
        "author:Smith",
        "kind: code",
        "at 14:30",
        "std::kind:x",
        '"kind:code"',
        "say „tag:x“ twice",
        "source:",
        "::",
        "is it 16:9?",
    ],
)
def test_what_is_no_operator_stays(text: str) -> None:
    query = understand(text)
    assert (query.text, query.filters, query.warnings) == (text, Filters(), ())


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("kind:cod x", "did you mean code"),
        ("page:20-10 x", "range of pages"),
        ("after:soon x", "not a day"),
        ("before:2024-13 x", "not a day"),
        ("lang:klingonish x", "no language"),
        ("modality:tables x", "did you mean table"),
        ("page:1 page:2 x", "limited already"),
    ],
)
def test_an_operator_that_cannot_be_meant_is_searched_and_told(text: str, warning: str) -> None:
    query = understand(text)
    assert query.text.endswith("x")
    assert warning in " ".join(query.warnings)
    assert re.sub(r"^page:1 ", "", text) == query.text


STYLES: list[tuple[str, Style]] = [
    ("pump speed", "keywords"),
    ("What is the speed of the pump?", "question"),
    ("how do I replace the filter", "question"),
    ("wie hoch ist die Drehzahl", "question"),
    ("как заменить фильтр насоса", "question"),
    ("什么是量子纠缠", "question"),
    ("ポンプの速度はどのくらいですか", "question"),
    ("parse_file arguments", "code"),
    ("what does Foo.bar return?", "code"),
    ("page 12", "reference"),
    ("manual.pdf p. 12", "reference"),
    ("What is on page 12?", "question"),
    ("COVID-19 cases", "keywords"),
]


@pytest.mark.parametrize(("text", "style"), STYLES)
def test_style(text: str, style: Style) -> None:
    assert understand(text).style == style


QUESTIONS = {
    "ar": "كيف أستبدل مرشح المضخة",
    "cs": "jak vyměním filtr čerpadla",
    "da": "hvordan udskifter jeg pumpens filter",
    "de": "wie wechsle ich den Filter der Pumpe",
    "en": "how do I replace the filter of the pump",
    "es": "cómo cambio el filtro de la bomba",
    "fi": "miten vaihdan pumpun suodattimen",
    "fr": "comment changer le filtre de la pompe",
    "he": "איך מחליפים את המסנן של המשאבה",
    "hu": "hogyan cserélem ki a szivattyú szűrőjét",
    "it": "come si cambia il filtro della pompa",
    "ja": "ポンプのフィルターはどう交換しますか",
    "ko": "펌프의 필터는 어떻게 교체합니까",
    "nl": "hoe vervang ik het filter van de pomp",
    "no": "hvordan bytter jeg filteret på pumpen",
    "pl": "jak wymienić filtr pompy",
    "pt": "como troco o filtro da bomba",
    "ru": "как заменить фильтр насоса",
    "sv": "hur byter jag pumpens filter",
    "th": "เปลี่ยนไส้กรองของปั๊มอย่างไร",
    "tr": "pompanın filtresi nasıl değiştirilir",
    "uk": "як замінити фільтр насоса",
    "zh": "如何更换水泵的过滤器",
}


@pytest.mark.parametrize("language", QUESTIONS)
def test_a_question_is_told_without_its_mark_in_every_language(language: str) -> None:
    assert QUESTIONS.keys() == all_words().keys()
    query = understand(QUESTIONS[language])
    if language != "tr":  # Turkish asks in the middle
        assert query.style == "question"
    assert understand(QUESTIONS[language] + "?").style == "question"
    assert query.language in (language, "da" if language == "no" else language)


def test_scripts() -> None:
    assert understand("Москва and Киев").scripts == ("Cyrl", "Latn")
    assert understand("東京タワーのなかは").scripts == ("Hira", "Kana", "Hani")
    assert understand("12 + 3").scripts == ()


def test_it_costs_less_than_a_third_of_a_millisecond() -> None:
    texts = [
        *QUESTIONS.values(),
        "What does page 12 of manual.pdf say about “net income” on 15 January 2024? kind:pdf -tag:draft",
    ]
    for text in texts:
        understand(text)
    spent: list[float] = []
    for _ in range(5):
        for text in texts:
            started = time.perf_counter()
            understand(text)
            spent.append(time.perf_counter() - started)
    assert statistics.median(spent) < 0.0003


@pytest.mark.parametrize("piece", ["1.", "a.", "12:", "-", "x/", "a_", '"a ', "kind:a ", "第", "1月"])
def test_a_long_text_costs_little_and_stays_whole(piece: str) -> None:
    text = (piece * 20_000)[:20_000].strip()
    started = time.perf_counter()
    query = understand(text)
    assert time.perf_counter() - started < 2
    assert " ".join([query.text, *query.operators]).count(piece.strip()) == text.count(piece.strip())
