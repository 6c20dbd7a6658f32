"""Scans made for a test: text set by PyMuPDF's own fonts, drawn as pixels, and where its lines truly stand."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from typing import Any

import pymupdf as _pymupdf
from PIL import Image

from phidex.ingest.records import Box, Parsed

pymupdf: Any = _pymupdf  # its own types are incomplete

DPI = 150
WIDTH_PT, HEIGHT_PT = 420.0, 300.0

# Article 1 of the Universal Declaration of Human Rights, as the United Nations publish it.
ARTICLE: dict[str, str] = {
    "ar": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق، وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا بروح الإخاء.",
    "cs": "Všichni lidé rodí se svobodní a sobě rovní co do důstojnosti a práv. Jsou nadáni rozumem a svědomím "
    "a mají spolu jednat v duchu bratrství.",
    "da": "Alle mennesker er født frie og lige i værdighed og rettigheder. De er udstyret med fornuft og samvittighed, "
    "og de bør handle mod hverandre i en broderskabets ånd.",
    "de": "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt "
    "und sollen einander im Geiste der Brüderlichkeit begegnen.",
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience "
    "and should act towards one another in a spirit of brotherhood.",
    "es": "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y "
    "conciencia, deben comportarse fraternalmente los unos con los otros.",
    "fi": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan. Heille on annettu järki ja "
    "omatunto, ja heidän on toimittava toisiaan kohtaan veljeyden hengessä.",
    "fr": "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de "
    "conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
    "he": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג "
    "איש ברעהו ברוח של אחווה.",
    "hu": "Minden emberi lény szabadon születik és egyenlő méltósága és joga van. Az emberek, ésszel és lelkiismerettel "
    "bírván, egymással szemben testvéri szellemben kell hogy viseltessenek.",
    "it": "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di ragione e di "
    "coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
    "人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
    "ko": "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 "
    "부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
    "nl": "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en "
    "geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen.",
    "no": "Alle mennesker er født frie og med samme menneskeverd og menneskerettigheter. De er utstyrt med fornuft og "
    "samvittighet og bør handle mot hverandre i brorskapets ånd.",
    "pl": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem "
    "i sumieniem i powinni postępować wobec innych w duchu braterstwa.",
    "pt": "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de razão e de consciência, "
    "devem agir uns para com os outros em espírito de fraternidade.",
    "ru": "Все люди рождаются свободными и равными в своем достоинстве и правах. Они наделены разумом и совестью "
    "и должны поступать в отношении друг друга в духе братства.",
    "sv": "Alla människor är födda fria och lika i värde och rättigheter. De är utrustade med förnuft och samvete "
    "och bör handla gentemot varandra i en anda av broderskap.",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ",
    "tr": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve "
    "birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler.",
    "uk": "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю "
    "і повинні діяти у відношенні один до одного в дусі братерства.",
    "zh": "人人生而自由，在尊严和权利上一律平等。"
    "他们赋有理性和良心，并应以兄弟关系的精神相对待。"
    "人人有资格享受本宣言所载的一切权利和自由，不分种族、肤色、性别、语言、宗教。",
}
TRADITIONAL = (
    "人人生而自由，在尊嚴和權利上一律平等。"
    "他們賦有理性和良心，並應以兄弟關係的精神相對待。"
    "人人有資格享受本宣言所載的一切權利和自由，不分種族、膚色、性別、語言、宗教。"
)


def set_page(texts: Sequence[str], *, size: float = 14) -> Any:
    """A PDF page with real text, one paragraph each; keep the document it belongs to (`page.parent`)."""
    page = pymupdf.open().new_page(width=WIDTH_PT, height=HEIGHT_PT)
    body = "".join(f"<p>{text}</p>" for text in texts)
    direction = ' dir="rtl"' if any("\u0590" <= char <= "\u06ff" for char in texts[0]) else ""
    style = f"p {{font-size: {size}pt; line-height: 1.4; margin: 0 0 10pt 0; font-family: serif}}"
    page.insert_htmlbox(pymupdf.Rect(30, 30, WIDTH_PT - 30, HEIGHT_PT - 20), f"<div{direction}>{body}</div>", css=style)
    return page


def picture_of(page: Any, *, dpi: int = DPI) -> Image.Image:
    """The page as grey pixels."""
    drawn = page.get_pixmap(dpi=dpi, colorspace=pymupdf.csGRAY)
    return Image.frombytes("L", (drawn.width, drawn.height), drawn.samples)


def scan_of(*texts: str, **options: Any) -> Image.Image:
    """A page with these paragraphs as grey pixels."""
    return picture_of(set_page(texts, **options))


def image_bytes(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """An image file."""
    file = io.BytesIO()
    picture.save(file, kind, **{"dpi": (DPI, DPI), **options})
    return file.getvalue()


def pdf_of(*pictures: Image.Image) -> Any:
    """An open PDF whose pages are pictures."""
    document = pymupdf.open()
    for picture in pictures:
        page = document.new_page(width=picture.width * 72 / DPI, height=picture.height * 72 / DPI)
        page.insert_image(page.rect, stream=image_bytes(picture))
    return document


def likeness(truth: str, read: str) -> float:
    """The share of characters that two texts have in common, white space apart; 1 for the same."""
    a, b = ("".join(unicodedata.normalize("NFC", text).split()) for text in (truth, read))
    row = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, right in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (left != right))
    return 1 - row[-1] / max(len(a), len(b), 1)


def text_of(parsed: Parsed) -> str:
    return "\n".join(block.text for block in parsed.blocks)


def boxes_of(parsed: Parsed, page_number: int = 1) -> list[Box]:
    return [anchor.box for block in parsed.blocks if block.page_number == page_number for anchor in block.anchors if anchor.box]
