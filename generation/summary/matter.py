"""Which sections say what a document is about, and which say nothing of its own, by their titles in Phi-3.5's languages."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"^(?:[^\W\d_]{1,12}\s+)?(?:[A-Z]|\d+)(?:\.\d+)*[.:)]?\s+|^第\s*\d+\s*[章节節]\s*")

_BACK = frozenset(
    """
references|bibliography|works cited|further reading|index|contents|table of contents|list of figures|list of tables|licence
license|copyright|copyright notice|acknowledgements|acknowledgments|colophon|changelog|revision history
literatur|literaturverzeichnis|quellen|quellenverzeichnis|stichwortverzeichnis|inhalt|inhaltsverzeichnis|lizenz|danksagung
abbildungsverzeichnis|tabellenverzeichnis
références|bibliographie|table des matières|sommaire|remerciements|licence|table des figures
referencias|bibliografía|índice|contenido|licencia|agradecimientos
riferimenti|bibliografia|indice|licenza|ringraziamenti|indice analitico
referências|bibliografia|conteúdo|sumário|licença|agradecimentos
referenties|literatuur|bibliografie|inhoud|inhoudsopgave|register|licentie|dankwoord
referenser|litteratur|innehåll|innehållsförteckning|licens|referencer|indhold|indholdsfortegnelse
referanser|innhold|innholdsfortegnelse|lisens|lähteet|kirjallisuus|sisällys|sisällysluettelo|hakemisto|lisenssi
literatura|spis treści|indeks|licencja|reference|obsah|rejstřík|licence
irodalom|irodalomjegyzék|hivatkozások|tartalom|tartalomjegyzék|tárgymutató
литература|список литературы|содержание|оглавление|предметный указатель|лицензия|благодарности
література|список літератури|зміст|покажчик|ліцензія
kaynakça|kaynaklar|içindekiler|dizin|lisans
المراجع|المحتويات|الفهرس|فهرس المحتويات|מקורות|ביבליוגרפיה|תוכן העניינים|מפתח
参考文献|目录|索引|目錄|參考文獻|致谢|致謝|许可证|目次|謝辞|ライセンス|参考資料
참고문헌|참고 문헌|목차|차례|색인|บรรณานุกรม|เอกสารอ้างอิง|สารบัญ|ดัชนี
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

# Introductions, abstracts, overviews, conclusions: what their titles begin with.
_TELLING = re.compile(
    "abstract|introduction|overview|summary|executive summary|conclusion|preface|about this|synopsis|key (?:points|findings)"
    "|einleitung|einführung|überblick|zusammenfassung|fazit|vorwort|résumé|aperçu|synthèse|avant-propos"
    "|resumen|introducción|conclusi|panorama|riassunto|introduzione|panoramica|resumo|introdução|visão geral"
    "|samenvatting|inleiding|overzicht|conclusie|sammanfattning|inledning|översikt|slutsats|sammendrag|sammenfatning|innledning"
    "|indledning|konklusjon|konklusion|tiivistelmä|johdanto|yhteenveto|streszczenie|wstęp|wprowadzenie|podsumowanie|wnioski"
    "|souhrn|shrnutí|úvod|závěr|összefoglal|bevezet|áttekintés|аннотация|введение|обзор|резюме|заключение|выводы"
    "|анотація|вступ|огляд|висновки|özet|giriş|genel bakış|sonuç|ملخص|مقدمة|خلاصة|نظرة عامة|خاتمة|תקציר|מבוא|סקירה|סיכום|מסקנות"
    "|摘要|引言|简介|簡介|介绍|概述|概要|总结|結論|结论|前言|要旨|序論|はじめに|まとめ|序文|초록|서론|요약|개요|결론|소개|머리말"
    "|บทคัดย่อ|บทนำ|คำนำ|ภาพรวม|บทสรุป|สรุป"
)


def bare_title(title: str) -> str:
    """A section's title without its number, in lower case.

    >>> bare_title("Chapter 3. Building"), bare_title("2.1 Results"), bare_title("第1章 概要")
    ('building', 'results', '概要')
    """
    text = " ".join(title.split())
    return (_NUMBER.sub("", text) or text).casefold().strip(" .:")


def is_back_matter(title: str) -> bool:
    """Whether a section of this title is a table of contents, a list of references, an index, a licence or thanks.

    >>> is_back_matter("12 Literaturverzeichnis"), is_back_matter("Referencing items"), is_back_matter("参考文献")
    (True, False, True)
    """
    return bare_title(title) in _BACK


def is_telling(title: str) -> bool:
    """Whether a section of this title says what the whole is about.

    >>> is_telling("1 Introduction"), is_telling("第1章 概要"), is_telling("Installation")
    (True, True, False)
    """
    return _TELLING.match(bare_title(title)) is not None


# What a sentence begins with that leans on the one before it: "this", "it", "however", "for example".
_LEANING = re.compile(
    r"(?:(?:this|these|that|those|it|they|he|she|its|such|here|there|thus|hence|therefore|however|moreover|furthermore|also|but|and"
    r"|so|then|if so|in addition|for example|for instance|note that|otherwise|instead|similarly|likewise"
    r"|dies|diese|dieser|dieses|er|es|sie|dabei|dazu|daher|deshalb|jedoch|außerdem|zum beispiel|hier|dann|aber|und|so|somit"
    r"|ce|cet|cette|ces|cela|ceci|il|ils|elle|elles|cependant|toutefois|ainsi|donc|par exemple|de plus|ici|mais|et|alors"
    r"|este|esta|esto|estos|estas|eso|sin embargo|además|por ejemplo|por lo tanto|así|pero|aquí|entonces"
    r"|questo|questa|questi|queste|ciò|tuttavia|inoltre|quindi|per esempio|ad esempio|così|ma|qui"
    r"|isto|isso|estes|no entanto|além disso|por exemplo|portanto|assim|mas|aqui|deze|dit|dat|het|zij|echter|bovendien|dus|hier"
    r"|det|den|dette|denne|disse|dessa|detta|denna|men|dock|dessutom|också|derfor|därför|imidlertid|tämä|nämä|se|ne|mutta|lisäksi"
    r"|to|ten|ta|te|jednak|dlatego|ponadto|na przykład|tento|tato|tyto|však|proto|ez|ezek|azonban|ezért|például"
    r"|это|этот|эта|эти|он|она|оно|они|однако|поэтому|например|кроме того|также|здесь|но|и"
    r"|це|цей|ця|ці|він|вона|вони|однак|тому|наприклад|також|bu|bunlar|ancak|ayrıca|örneğin|böylece"
    r"|هذا|هذه|ذلك|لكن|ومع ذلك|זה|זאת|אלה|אבל|לכן|이것은|그러나|하지만|또한|예를 들어|따라서)\b"
    r"|この|これ|その|それ|しかし|また|例えば|たとえば|したがって|这|此外|但是|然而|因此|例如|所以|它|นี้|อย่างไรก็ตาม|ดังนั้น|เช่น)",
    re.IGNORECASE,
)


def leans_back(sentence: str) -> bool:
    """Whether a sentence begins as if another stood before it.

    >>> leans_back("However, it rains."), leans_back("しかし雨だ。"), leans_back("Italy is warm.")
    (True, True, False)
    """
    return _LEANING.match(sentence) is not None
