"""What a passage bears out, what it does not, and why: one case for each reason, in several languages."""

from __future__ import annotations

import pytest

from phidex.generation.support import Rarity
from phidex.generation.verdict import Verdict, judge

BRIDGE = (
    "The Corran swing bridge was opened on 12 June 1934 by Margaret Hale. It is 182.5 metres long and carries 4,300 vehicles a "
    "day. Lorries heavier than 18 tonnes are not allowed to cross."
)
DAM = "Die Talsperre wurde zwischen 1908 und 1911 nach Plänen von Friedrich Sommer gebaut. Das Baden ist nicht erlaubt."
BRIDGE_ZH = "青石大桥于1957年由工程师李文华主持修建。全桥长八百二十米，宽18.5米。"
BRIDGE_AR = "بنى المهندس سامي الحداد جسر الوادي عام ١٩٦٢. لا يسمح بمرور الشاحنات التي يزيد وزنها على ٢٥ طناً."
OTHERS = ("The museum is open from April to October.", "Der Rundweg ist acht Kilometer lang.", "桥梁博物馆周二至周日开放。")


def look(claim: str, passage: str, language: str = "en", written: str = "en") -> Verdict:
    return judge(claim, [passage], Rarity.of([passage, *OTHERS]), language=language, written=written)


@pytest.mark.parametrize(
    ("claim", "passage", "language"),
    [
        ("Margaret Hale opened the Corran swing bridge on 12 June 1934.", BRIDGE, "en"),
        ("The bridge is 182,5 metres long and carries 4300 vehicles a day.", BRIDGE, "en"),
        ('It says that "lorries heavier than 18 tonnes are not allowed".', BRIDGE, "en"),
        ("Nach Plänen von Friedrich Sommer wurde die Talsperre von 1908 bis 1911 gebaut.", DAM, "de"),
        ("青石大桥长820米，宽18.5米。", BRIDGE_ZH, "zh"),
        ("بنى المهندس سامي الحداد جسر الوادي عام 1962.", BRIDGE_AR, "ar"),
    ],
)
def test_what_a_passage_says(claim: str, passage: str, language: str) -> None:
    found = look(claim, passage, language, language)
    assert (found.is_borne_out, found.reason) == (True, "")
    assert " ".join(found.quote.split()).casefold() in " ".join(passage.split()).casefold()


@pytest.mark.parametrize(
    ("claim", "passage", "language", "reason"),
    [
        ("The Corran swing bridge was opened on 12 June 1943 by Margaret Hale.", BRIDGE, "en", "the number 1943"),
        ("The Corran swing bridge was opened on 12 June 1934 by Eleanor Finch.", BRIDGE, "en", "does not name Eleanor"),
        ("Lorries heavier than 18 tonnes are allowed to cross.", BRIDGE, "en", "denies it"),
        ('Margaret Hale called it "the finest bridge of the county".', BRIDGE, "en", "does not have the words"),
        ("Margaret Hale was the first woman to lead an engineering firm.", BRIDGE, "en", "not say so"),
        ("The Corran swing bridge was opened on 18 June 1934 by Margaret Hale.", BRIDGE, "en", "another number"),
        ("Das Baden ist erlaubt.", DAM, "de", "denies it"),
        ("Die Talsperre wurde zwischen 1908 und 1911 nach Plänen von Otto Brandt gebaut.", DAM, "de", "does not name Otto"),
        ("青石大桥于1957年由工程师王建国主持修建。", BRIDGE_ZH, "zh", "does not name 王建国"),
        ("بنى المهندس يوسف المنصور جسر الوادي عام ١٩٦٢.", BRIDGE_AR, "ar", "does not name"),
        ("يسمح بمرور الشاحنات التي يزيد وزنها على ٢٥ طناً.", BRIDGE_AR, "ar", "denies it"),
    ],
)
def test_what_a_passage_does_not_say(claim: str, passage: str, language: str, reason: str) -> None:
    found = look(claim, passage, language, language)
    assert not found.is_borne_out
    assert reason in found.reason


def test_a_passage_in_another_language_is_compared_by_its_numbers_and_names() -> None:
    same = look("The dam was built between 1908 and 1911 to plans by Friedrich Sommer.", DAM, "en", "de")
    assert same.is_borne_out
    assert "only numbers and names" in same.reason
    assert not look("The dam was built between 1918 and 1921.", DAM, "en", "de").is_borne_out
    assert not look("The dam was planned by Paul Morvan.", DAM, "en", "de").is_borne_out
    open_ = look("Bathing is forbidden.", DAM, "en", "de")
    assert (open_.is_borne_out, open_.is_comparable) == (False, False)
