"""E-mail: head lines, the better of two bodies, quotations, attachments as parts, boxes of messages."""

from __future__ import annotations

from contextlib import suppress
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders import pdf_bytes
from tests.ingest.packages import Compound, chunks_of, p, parse, png_bytes, texts, word_bytes

from phidex.errors import InputError
from phidex.ingest.office.letter import MAX_DEPTH, unflow
from phidex.ingest.office.mail import looks_like_box, looks_like_mail
from phidex.ingest.office.outlook import unpack_rtf
from phidex.ingest.records import CellLocator, PartLocator


def message(
    subject: str = "Pump größe", body: str = "Hello Bob,\n\nplease read.\n\n> old words\n> more old\n>> older\n\nBye"
) -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Ann Lee <ann@example.org>", "bob@example.org", subject
    made["Date"] = "Wed, 01 May 2024 13:30:00 +0200"
    made.set_content(body)
    return made


def test_head_lines_body_and_quotations() -> None:
    parsed = parse("a.eml", message().as_bytes())
    assert (parsed.kind, parsed.title, parsed.mime) == ("email", "Pump größe", "message/rfc822")
    assert parsed.metadata["date"] == "2024-05-01 13:30 +02:00"
    assert parsed.metadata["author"] == "Ann Lee <ann@example.org>"
    assert texts(parsed) == [
        "Pump größe",
        "From: Ann Lee <ann@example.org>\nTo: bob@example.org\nDate: 2024-05-01 13:30 +02:00\nSubject: Pump größe",
        "Hello Bob,",
        "please read.",
        "> old words more old",
        ">> older",
        "Bye",
    ]
    assert chunks_of(parsed, 300)[0].locator == PartLocator("Pump größe", 1, 7)


def test_plain_text_is_preferred_and_html_alone_is_read() -> None:
    both = message()
    both.add_alternative("<p>html form</p>", subtype="html")
    assert "html form" not in texts(parse("a.eml", both.as_bytes()))
    alone = message()
    alone.set_content(
        "<style>p {}</style><p hidden>unseen</p><table><tr><td><p>laid out</p></td></tr></table><blockquote>quoted</blockquote>"
        '<img src="https://example.org/track.png">',
        subtype="html",
    )
    assert texts(parse("a.eml", alone.as_bytes()))[2:] == ["laid out", "> quoted"]


def test_attachments_are_parts_with_their_own_places() -> None:
    made = message()
    made.add_attachment(b"name,qty\npump,3\n", maintype="text", subtype="csv", filename="parts.csv")
    made.add_attachment(word_bytes(p("inside word")), maintype="application", subtype="x", filename="note.docx")
    made.add_attachment(pdf_bytes(["page one", "page two"]), maintype="application", subtype="pdf", filename="plan.pdf")
    made.add_attachment(b"\x00\x01\x02", maintype="application", subtype="octet-stream", filename="tool.bin")
    made.add_attachment(png_bytes(), maintype="image", subtype="png", cid="<logo>", disposition="inline")
    parsed = parse("a.eml", made.as_bytes())
    locators = [chunk.locator for chunk in chunks_of(parsed, 300)]
    assert CellLocator("parts.csv", "A1:B2") in locators
    assert PartLocator("note.docx", 1, 2) in locators
    assert PartLocator("plan.pdf, p. 2", 1, 1) in locators
    assert [warning for warning in parsed.warnings if "tool.bin" in warning]
    assert not [warning for warning in parsed.warnings if "PNG" in warning]
    assert all(block.page_number is None for block in parsed.blocks)


def test_messages_in_messages_end_at_the_depth_limit() -> None:
    inner = message("level 9", "deepest words")
    for level in range(8, 0, -1):
        outer = message(f"level {level}", f"words {level}")
        outer.add_attachment(inner)
        inner = outer
    parsed = parse("a.eml", inner.as_bytes())
    assert f"words {MAX_DEPTH}" in texts(parsed)
    assert f"words {MAX_DEPTH + 1}" not in texts(parsed)
    assert any("deep" in warning for warning in parsed.warnings)


def test_boxes_in_mails_in_boxes_end_too() -> None:
    data = message("core").as_bytes()
    for number in range(60):
        outer = message(f"shell {number}")
        outer.add_attachment(
            b"From a@b Wed May 01 13:30:00 2024\n" + data, maintype="application", subtype="x", filename="box.mbox"
        )
        data = outer.as_bytes() if number % 10 == 9 else _unencoded(outer, data)
    parsed = parse("a.eml", data)
    assert any("deep" in warning for warning in parsed.warnings)


def _unencoded(outer: EmailMessage, data: bytes) -> bytes:
    """The shell around a box that is not made longer by base64."""
    head = b"From: a@b\nTo: c@d\nSubject: shell\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=%d\n\n" % len(data)
    part = b'Content-Type: application/x; name="box.mbox"\nContent-Disposition: attachment; filename="box.mbox"\n\n'
    return head + b"--%d\n" % len(data) + part + b"From a@b Wed May 01 13:30:00 2024\n" + data + b"\n--%d--\n" % len(data)


def test_a_box_has_a_part_for_each_message() -> None:
    one, two = message("first", "one\n\n>From the start\n").as_bytes(), message("second", "two").as_bytes()
    box = b"From ann@example.org Wed May  1 13:30:00 2024\n" + one + b"\nFrom ann@example.org Wed May  1 13:31:00 2024\n" + two
    parsed = parse("a.mbox", box)
    assert parsed.metadata["messages"] == "2"
    assert sorted({block.part for block in parsed.blocks}) == ["1: first", "2: second"]
    assert "From the start" in texts(parsed)
    assert [str(chunk.locator) for chunk in chunks_of(parsed, 300)] == ["1: first, paragraphs 1-4", "2: second, paragraphs 1-3"]


@pytest.mark.parametrize(
    "head",
    [
        b"Subject: =?utf-8?b?broken?=\nFrom: =?x-none?q?=ff?=\nDate: sometime\n\nbody words",
        b"From: \xff\xfe\nTo: a\nContent-Type: text/plain; charset=nonsense\n\nbody words",
        b"From: a\nTo: b\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nbody words",
        b"From: a\nTo: b\nContent-Transfer-Encoding: base64\n\nYm9keSB3b3Jkcw",
        b"From: a\nTo: b\nContent-Type: multipart/alternative; boundary=x\n\nbody words",
    ],
)
def test_malformed_messages_keep_their_words(head: bytes) -> None:
    assert any("body words" in text for text in texts(parse("a.eml", head)))


def test_flowed_text_is_joined() -> None:
    assert list(unflow("one \ntwo\n> q \n> r\n-- \nme", delete_space=False)) == ["one two", "> q r", "-- ", "me"]


def test_what_looks_like_mail() -> None:
    assert looks_like_mail(message().as_bytes())
    assert not looks_like_mail(b"Note: to self\nFrom: a draft\nthis is prose\n\nmore")
    assert looks_like_box(b"From a@b Wed May 1\nSubject: x\n\n")
    assert not looks_like_box(b"From here on it is prose\nand more: of it\n")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_named_failure(data: bytes) -> None:
    for head in (b"From: a\nTo: b\nContent-Type: multipart/mixed; boundary=x\n\n--x\n", b"From a@b x\nTo: b\n\n"):
        with suppress(InputError):
            assert parse("a.eml", head + data).blocks


def outlook(body: dict[str, Any], attached: dict[str, Any] | None = None) -> bytes:
    def tagged(values: dict[str, Any]) -> dict[str, Any]:
        return {
            f"__substg1.0_{tag}": value.encode("utf-16-le") if isinstance(value, str) else value
            for tag, value in values.items()
        }

    sent = (133590330000000000).to_bytes(8, "little")  # 2024-05-01 10:30 UTC
    properties = bytes(32) + (0x00390040).to_bytes(4, "little") + bytes(4) + sent
    tree: dict[str, Any] = {"__properties_version1.0": properties, **tagged(body)}
    if attached:
        tree["__attach_version1.0_#00000000"] = {"__properties_version1.0": bytes(24), **tagged(attached)}
    return Compound(tree).to_bytes()


def test_outlook_messages() -> None:
    data = outlook(
        {
            "0037001F": "Pump",
            "0C1A001F": "Ann",
            "5D01001F": "ann@example.org",
            "0E04001F": "Bob",
            "1000001F": "Hello Bob\r\n\r\nBye",
        },
        {"3707001F": "parts.csv", "37010102": b"name,qty\npump,3\n"},
    )
    parsed = parse("a.msg", data)
    assert texts(parsed)[:4] == [
        "Pump",
        "From: Ann <ann@example.org>\nTo: Bob\nDate: 2024-05-01 10:30 +00:00\nSubject: Pump",
        "Hello Bob",
        "Bye",
    ]
    assert CellLocator("parts.csv", "A1:B2") in [chunk.locator for chunk in chunks_of(parsed, 300)]


def test_outlook_bodies_in_html_and_packed_rtf() -> None:
    html = outlook({"0037001F": "x", "10130102": b"<html><body><p>html body</p></body></html>"})
    assert "html body" in texts(parse("a.msg", html))
    # The worked example of [MS-OXRTFCP], 4.1: "{\rtf1\ansi\ansicpg1252\pard hello world}\r\n".
    example = bytes.fromhex(
        "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c090020627705b06c647d0a800fa0"
    )
    assert unpack_rtf(example) == b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
    rtf = outlook({"0037001F": "x", "10090102": example})
    assert "hello world" in texts(parse("a.msg", rtf))
