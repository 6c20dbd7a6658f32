"""Decisions, tasks and open questions are told by phrases and rules, in many languages, and what looks like them is not."""

from __future__ import annotations

import pytest
from tests.generation.summary.spoken_chunk import spoken

from phidex.generation.summary.items import Found, find_items
from phidex.generation.summary.phrases import languages, phrases
from phidex.generation.summary.prompts import LANGUAGES
from phidex.generation.summary.spoken import utterances


def found(*words: str, language: str = "en", people: tuple[str, str] = ("Ada", "Bob")) -> list[Found]:
    said = utterances([spoken([(people[0], one) for one in words], language=language).chunk])
    return find_items(said, people, language)


def test_all_languages_of_the_models_have_phrases() -> None:
    assert languages() == frozenset(LANGUAGES)
    assert all(len(phrases(one)) == 1 for one in languages())
    assert len(phrases("und")) == len(LANGUAGES)


@pytest.mark.parametrize(
    ("language", "decided", "undecided"),
    [
        ("en", "We have decided to renew the lease.", "We have not decided on the roof yet."),
        ("de", "Wir haben beschlossen, den Vertrag zu verlängern.", "Wir haben noch nicht entschieden."),
        ("fr", "Nous avons décidé de garder le local.", "On n'a pas encore décidé."),
        ("es", "Hemos decidido renovar el contrato.", "Todavía no hemos decidido nada."),
        ("it", "Abbiamo deciso di rinnovare il contratto.", "Non abbiamo ancora deciso."),
        ("pt", "Decidimos renovar o contrato.", "Ainda não está decidido."),
        ("nl", "We hebben besloten het contract te verlengen.", "We hebben nog niets besloten."),
        ("sv", "Vi har beslutat att förnya avtalet.", "Vi har inte bestämt något ännu."),
        ("da", "Vi har besluttet at forny aftalen.", "Vi har ikke besluttet noget endnu."),
        ("no", "Vi har bestemt å fornye avtalen.", "Vi har ikke bestemt noe ennå."),
        ("fi", "Päätimme jatkaa sopimusta.", "Emme ole vielä päättäneet asiasta."),
        ("pl", "Zdecydowaliśmy przedłużyć umowę.", "Jeszcze nie zdecydowaliśmy."),
        ("cs", "Rozhodli jsme se prodloužit smlouvu.", "Ještě není rozhodnuto."),
        ("hu", "Úgy döntöttünk, hogy meghosszabbítjuk.", "Még nem döntöttünk."),
        ("ru", "Мы решили продлить договор.", "Мы ещё не решили."),
        ("uk", "Ми вирішили продовжити договір.", "Ми ще не вирішили."),
        ("tr", "Sözleşmeyi uzatmaya karar verdik.", "Henüz karar vermedik."),
        ("ar", "قررنا تجديد العقد.", "لم نقرر بعد."),
        ("he", "החלטנו לחדש את החוזה.", "עדיין לא החלטנו."),
        ("zh", "我们决定续签合同。", "我们还没有决定。"),
        ("ja", "契約を更新することに決めました。", "まだ決まっていません。"),
        ("ko", "계약을 갱신하기로 결정했습니다.", "아직 결정되지 않았습니다."),
        ("th", "เราตัดสินใจต่อสัญญาเช่า", "เรายังไม่ได้ตัดสินใจ"),
    ],
)
def test_a_decision_is_told_from_what_is_not_decided_yet(language: str, decided: str, undecided: str) -> None:
    assert [one.kind for one in found(decided, language=language)] == ["decision"]
    assert "decision" not in [one.kind for one in found(undecided, language=language)]


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("Last year we decided to paint the hall.", "en"),
        ("If we decided to sell, we would regret it.", "en"),
        ("Once we have decided, the bank gets a letter.", "en"),
        ("I'll be honest, the numbers are bad.", "en"),
        ("I will not send anything by Friday.", "en"),
        ("Bob said that the weather will be fine.", "en"),
        ("Letztes Jahr haben wir beschlossen, das Dach zu decken.", "de"),
        ("Ich werde nie vergessen, wie das war.", "de"),
        ("L'année dernière, nous avons décidé de vendre.", "fr"),
        ("去年我们决定搬家。", "zh"),
        ("去年、移転を決定しました。", "ja"),
    ],
)
def test_what_looks_like_an_item_is_none(words: str, language: str) -> None:
    assert [one.kind for one in found(words, language=language)] == []


@pytest.mark.parametrize(
    ("words", "language", "owner", "due"),
    [
        ("I'll send the report by Friday.", "en", "Ada", "by Friday"),
        ("Bob, can you call the plumber by the end of March?", "en", "Bob", "by the end of March"),
        ("Bob will prepare the slides.", "en", "Bob", ""),
        ("I will tell Bob about it by tomorrow.", "en", "Ada", "by tomorrow"),
        ("Zoe, please check the invoices.", "en", "Zoe", ""),
        ("Ich schicke das Protokoll bis Ende März.", "de", "Ada", "bis Ende März"),
        ("Bob, ich schicke dir das bis morgen.", "de", "Ada", "bis morgen"),
        ("Bob übernimmt die Abrechnung.", "de", "Bob", ""),
        ("Bob, peux-tu appeler le plombier avant lundi ?", "fr", "Bob", "avant lundi"),
        ("Voy a enviar el informe antes del viernes.", "es", "Ada", "antes del viernes"),
    ],
)
def test_a_task_has_its_owner_and_date(words: str, language: str, owner: str, due: str) -> None:
    assert [(one.kind, one.owner, one.due) for one in found(words, language=language)] == [("action", owner, due)]


@pytest.mark.parametrize(
    ("words", "language", "people", "owner", "due"),
    [
        ("Боб, позвони клиенту до понедельника.", "ru", ("Ада", "Боб"), "Боб", "до понедельника"),
        ("Борису нужно передать отчёт до пятницы.", "ru", ("Саша", "Борис"), "Борис", "до пятницы"),
        ("鲍勃，请你在下周一前联系客户。", "zh", ("艾达", "鲍勃"), "鲍勃", "下周一前"),
        ("ボブさん、月曜日までに確認をお願いします。", "ja", ("アダ", "ボブ"), "ボブ", "月曜日までに"),
    ],
)
def test_names_are_known_in_other_scripts(words: str, language: str, people: tuple[str, str], owner: str, due: str) -> None:
    assert [(one.owner, one.due) for one in found(words, language=language, people=people)] == [(owner, due)]


def test_a_question_without_an_answer_is_open() -> None:
    turns = [("Ada", "Who pays for the boiler?"), ("Bob", "I don't know."), ("Ada", "Is it warm?"), ("Bob", "Yes, it is.")]
    said = utterances([spoken(turns).chunk])
    assert [(one.kind, one.said.text) for one in find_items(said, ["Ada", "Bob"], "en")] == [
        ("question", "Who pays for the boiler?")
    ]


def test_sentences_are_without_names_and_slides_and_have_their_times() -> None:
    turns = [("Ada", "We begin. The boiler: it is old."), ("Bob", "Who pays?")]
    said = utterances([spoken(turns, slide="Boiler costs").chunk])
    assert [(one.text, one.speaker, one.start_s) for one in said] == [
        ("We begin.", "Ada", 10.0),
        ("The boiler: it is old.", "Ada", 10.0),
        ("Who pays?", "Bob", 15.0),
    ]
