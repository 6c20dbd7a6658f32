"""E-mail: one message (.eml, .emlx) or a box of many (.mbox), by the standard library.

The plain text of a message is preferred to its HTML; signatures and quotations stay. Attachments are read as files would be.
Nothing that a message refers to is fetched.
"""

from __future__ import annotations

import email
import email.policy
import mimetypes
import re
from collections.abc import Iterator
from email.errors import MessageError
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, cast

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.office.letter import MAX_DEPTH, Letter, file_name, unflow
from phidex.ingest.options import DEFAULT, ParseOptions
from phidex.ingest.records import Parsed
from phidex.ingest.text import decode_text

Mail = Any
"""A message or a part of one, as the standard library parses it; its types change with its policies."""

_HEAD = ("From", "To", "Cc", "Date", "Subject")
_FIELD = re.compile(rb"[!-9;-~]{1,70}:[ \t]?", re.ASCII)
_KNOWN = re.compile(
    rb"^(?:From|To|Subject|Date|Received|Return-Path|Message-ID|MIME-Version|Delivered-To):", re.IGNORECASE | re.MULTILINE
)
_BOX_LINE = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From \S[^\r\n]*\r?\n(?=[!-9;-~]{1,70}:)")
_ESCAPED = re.compile(rb"^>(>*From )", re.MULTILINE)
_LEAST_TEXT = 3  # a plain part with less is an empty stand-in
_MOST_PARTS = 2_000


def parse_mail(data: bytes, path: Path, options: ParseOptions = DEFAULT) -> Parsed:
    """The blocks of a message and of what is attached to it.

    Raises:
        InputError: there is no text in it.
    """
    if path.suffix.lower() == ".emlx":  # Apple's: a line with the length in front
        data = data.partition(b"\n")[2]
    letter = Letter(path.name, options)
    message: Mail = email.message_from_bytes(data, policy=email.policy.compat32)
    fields = read_fields(message)
    _read_message(letter, message, "", 1)
    metadata = {key.lower(): fields[key] for key in ("From", "To", "Cc", "Date") if fields.get(key)}
    if "from" in metadata:
        metadata["author"] = metadata["from"]
    return letter.finished(fields.get("Subject", ""), metadata)


def parse_mailbox(data: bytes, path: Path, options: ParseOptions = DEFAULT) -> Parsed:
    """The blocks of all messages of a box; each is a part, named by its number and subject.

    Raises:
        InputError: there is no text in it.
    """
    letter = Letter(path.name, options)
    messages = list(_split_box(data))
    for number, (start, end) in enumerate(messages, 1):
        message: Mail = email.message_from_bytes(_ESCAPED.sub(rb"\1", data[start:end]), policy=email.policy.compat32)
        subject = read_fields(message).get("Subject", "")
        _read_message(letter, message, f"{number}: {subject}" if subject else str(number), 1)
        if options.on_page:
            options.on_page(number, len(messages))
    return letter.finished("", {"messages": str(len(messages))}, "application/mbox")


def looks_like_mail(head: bytes) -> bool:
    """Whether a file's first bytes are the head of a message: fields only, two known ones among them."""
    fields = re.split(rb"\r?\n\r?\n", head.lstrip(b"\r\n"), maxsplit=1)[0]
    lines = [line for line in re.split(rb"\r?\n", fields) if line and line[:1] not in b" \t"]
    known = {name.lower() for name in _KNOWN.findall(fields)}
    return len(known) >= 2 and all(_FIELD.match(line) for line in lines[:-1])


def looks_like_box(head: bytes) -> bool:
    """Whether a file's first bytes begin a box of messages."""
    return _BOX_LINE.match(head) is not None


def read_fields(message: Mail) -> dict[str, str]:
    """The head lines that people see, decoded; the date in ISO order."""
    fields = {name: _decoded(message.get(name)) for name in _HEAD}
    fields["Date"] = _iso_date(fields["Date"])
    return {name: value for name, value in fields.items() if value}


def _split_box(data: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of each message, behind its "From " line."""
    starts = [(match.start(), match.end()) for match in _BOX_LINE.finditer(data)]
    ends = [start for start, _ in starts[1:]] + [len(data)]
    for (_, start), end in zip(starts, ends, strict=True):
        yield start, end


def _read_message(letter: Letter, message: Mail, part: str, depth: int) -> None:
    letter.add_head(read_fields(message), part, level=min(depth, 6))
    bodies, others = _sort_parts(letter, message)
    for body in bodies:
        _read_body(letter, body, part)
    for number, other in enumerate(others, 1):
        _read_attachment(letter, other, part, depth, number)


def _sort_parts(letter: Letter, message: Mail) -> tuple[list[Mail], list[Mail]]:
    """The parts that are the message's text, best form of each, and those attached to it."""
    bodies: list[Mail] = []
    others: list[Mail] = []
    count = 0

    def sort(part: Mail, depth: int) -> None:
        nonlocal count
        count += 1
        kind = part.get_content_type()
        children = _children(part)
        if count > _MOST_PARTS or depth > 50:
            letter.warnings.append("The message has too many parts; the last ones were not read.")
        elif kind in ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"):
            letter.warnings.append("The message is encrypted or sealed; what is inside was not read.")
        elif kind == "message/rfc822" and children:
            others.append(part)
        elif children:
            if kind == "multipart/alternative":
                children = _best(children)
            for child in children:
                sort(child, depth + 1)
        elif kind.startswith("multipart/") or _is_body(part, kind):  # a multipart without parts: its text is all there is
            bodies.append(part)
        elif not _is_trimming(part, kind):
            others.append(part)

    sort(message, 0)
    return bodies, others


def _children(part: Mail) -> list[Mail]:
    """The parts of a part; none of one that is content itself."""
    return cast("list[Mail]", part.get_payload()) if part.is_multipart() else []


def _is_body(part: Mail, kind: str) -> bool:
    """Whether it is text that is shown with the message, not a file."""
    return kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment" and not part.get_filename()


def _best(parts: list[Any]) -> list[Any]:
    """Of alternatives, the plain text where it has any, otherwise the last one, which is the richest."""
    plain = [part for part in parts if part.get_content_type() == "text/plain"]
    if plain and len(_text_of(plain[0]).strip()) >= _LEAST_TEXT:
        return plain[:1]
    return parts[-1:]


def _is_trimming(part: Mail, kind: str) -> bool:
    """Whether it is a picture that the HTML shows, a signature, or a notice for machines."""
    inline = part.get("Content-ID") and part.get_content_disposition() != "attachment"
    return bool(inline and kind.startswith("image/")) or kind in (
        "application/pgp-signature",
        "application/pkcs7-signature",
        "application/x-pkcs7-signature",
        "message/delivery-status",
        "text/rfc822-headers",
    )


def _read_body(letter: Letter, body: Mail, part: str) -> None:
    if body.get_content_type() == "text/html":
        letter.add_html(_text_of(body), part)
        return
    text = _text_of(body)
    if str(body.get_param("format", "")).lower() == "flowed":
        text = "\n".join(unflow(text, delete_space=str(body.get_param("delsp", "")).lower() == "yes"))
    letter.add_text(text, part)


def _read_attachment(letter: Letter, other: Mail, part: str, depth: int, number: int) -> None:
    """An attached message as a part of this one, any other file through the parsers."""
    kind = other.get_content_type()
    inner: Mail | None = next(iter(_children(other)), None)
    guessed = mimetypes.guess_extension(kind) or ""
    name = file_name(_decoded(other.get_filename()), number, guessed)
    data = b"" if inner is not None else _bytes_of(other)
    if inner is None and (name.lower().endswith(".eml") or kind == "message/rfc822") and looks_like_mail(data[:8192]):
        inner = email.message_from_bytes(data, policy=email.policy.compat32)
    if inner is None:
        if data:
            letter.add_attachment(name, data, part)
        return
    name = read_fields(inner).get("Subject") or name
    if depth >= MAX_DEPTH:
        letter.warnings.append(f"The message {name} was not read: it is attached more than {MAX_DEPTH} deep.")
        return
    _read_message(letter, inner, letter.part_name(name, part), depth + 1)


def _bytes_of(part: Mail) -> bytes:
    """The part's content, its transfer encoding taken off."""
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, MessageError):
        payload = None
    return payload if isinstance(payload, bytes) else b""


def _text_of(part: Mail) -> str:
    """The part's text by its declared encoding, or by its bytes."""
    data = _bytes_of(part)
    charset = part.get_content_charset()
    if charset and charset not in ("us-ascii", "unknown-8bit"):
        try:
            return data.decode(charset)
        except (LookupError, UnicodeDecodeError, ValueError):
            pass
    try:
        return decode_text(data, "the message")[0]
    except InputError:
        return data.decode("utf-8", "replace")


def _decoded(value: object) -> str:
    """A head line in words; what cannot be decoded stays as it is."""
    if value is None:
        return ""
    raw = str(value)
    try:
        return clean_line(str(make_header(decode_header(raw))))
    except (ValueError, LookupError, MessageError):
        return clean_line(raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _iso_date(value: str) -> str:
    """ "2024-05-01 13:30 +02:00" for a date as mails write it; as it stands when it is none."""
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return value
    zone = moment.strftime("%z")
    return f"{moment:%Y-%m-%d %H:%M}" + (f" {zone[:3]}:{zone[3:5]}" if zone else "")
