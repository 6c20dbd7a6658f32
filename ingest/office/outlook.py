"""Outlook messages (.msg): head lines, text and attachments from their property streams ([MS-OXMSG]), by olefile (BSD).

The libraries made for this kind are GPL (extract-msg) or no longer kept (msg-parser), and the format is little beside its
container: a stream for each property, named by its number and type.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from phidex.errors import InputError
from phidex.ingest.clean import clean_line
from phidex.ingest.office.letter import MAX_DEPTH, Letter, file_name
from phidex.ingest.office.rtf import rtf_text
from phidex.ingest.options import ParseOptions
from phidex.ingest.records import Parsed

MIME = "application/vnd.ms-outlook"
_SUBJECT, _BODY, _HTML, _RTF = "0037", "1000", "1013", "1009"
_SENDER, _SENDER_ADDRESS, _TO, _CC = "0C1A", "5D01", "0E04", "0E03"
_LONG_NAME, _SHORT_NAME, _DATA = "3707", "3704", "3701"
_SENT = (0x0039, 0x0E06)  # when it was sent, when it arrived
_TIME_TYPE = 0x0040
_EMBEDDED = "__substg1.0_3701000D"
_MOST_STREAM = 256 << 20
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_RTF_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans Serif"
    b"SymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def parse_outlook(data: bytes, path: Path, options: ParseOptions) -> Parsed:
    """The blocks of a message and of what is attached to it.

    Raises:
        InputError: it is damaged, or has no text.
        InputError: olefile is not installed.
    """
    try:
        import olefile as _olefile  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as exc:
        raise InputError(f"{path.name} needs olefile to be read.", hint="pip install 'phidex[office]'") from exc
    olefile: Any = _olefile
    letter = Letter(path.name, options)
    try:
        with olefile.OleFileIO(BytesIO(data)) as file:
            message = _Message(file, ())
            fields = message.fields()
            _read(letter, message, "", 1)
    except (OSError, ValueError, IndexError, TypeError, AttributeError) as exc:  # what olefile raises on damaged files
        raise InputError(f"{path.name} is damaged: {exc}.", hint="export it again, as .eml or .msg") from exc
    metadata = {key.lower(): fields[key] for key in ("From", "To", "Cc", "Date") if fields.get(key)}
    if "from" in metadata:
        metadata["author"] = metadata["from"]
    return letter.finished(fields.get("Subject", ""), metadata, MIME)


class _Message:
    """A message, or an attachment, at a storage of the compound file."""

    def __init__(self, file: Any, place: tuple[str, ...]) -> None:
        self.file = file
        self.place = place

    def text(self, number: str) -> str:
        """A text property, in Unicode or in the message's code page."""
        if data := self.stream(f"__substg1.0_{number}001F"):
            return data.decode("utf-16-le", "replace").rstrip("\x00")
        return self.stream(f"__substg1.0_{number}001E").decode("cp1252", "replace").rstrip("\x00")

    def binary(self, number: str) -> bytes:
        """A binary property."""
        return self.stream(f"__substg1.0_{number}0102")

    def stream(self, name: str) -> bytes:
        """A stream's bytes; empty when there is none."""
        path = [*self.place, name]
        if not self.file.exists(path) or self.file.get_size(path) > _MOST_STREAM:
            return b""
        with self.file.openstream(path) as stream:
            return stream.read()

    def fields(self) -> dict[str, str]:
        """The head lines that people see."""
        sender, address = clean_line(self.text(_SENDER)), clean_line(self.text(_SENDER_ADDRESS))
        found = {
            "From": f"{sender} <{address}>" if sender and address and address != sender else sender or address,
            "To": clean_line(self.text(_TO)),
            "Cc": clean_line(self.text(_CC)),
            "Date": self._date(),
            "Subject": clean_line(self.text(_SUBJECT)),
        }
        return {name: value for name, value in found.items() if value}

    def _date(self) -> str:
        """The time of sending from the fixed properties: entries of 16 bytes behind a head of 24 or 32."""
        data = self.stream("__properties_version1.0")
        found: dict[int, int] = {}
        for at in range(24 if self.place else 32, len(data) - 15, 16):
            tag = int.from_bytes(data[at : at + 4], "little")
            if tag & 0xFFFF == _TIME_TYPE:
                found[tag >> 16] = int.from_bytes(data[at + 8 : at + 16], "little")
        ticks = next((found[number] for number in _SENT if found.get(number)), 0)
        if not 0 < ticks < 2_650_467_743_999_999_999:  # the year 9999
            return ""
        return f"{_EPOCH + timedelta(microseconds=ticks // 10):%Y-%m-%d %H:%M} +00:00"

    def attachments(self) -> list[_Message]:
        """What is attached, in order."""
        depth = len(self.place)
        names = {
            entry[depth]
            for entry in self.file.listdir(streams=True, storages=True)
            if len(entry) > depth and tuple(entry[:depth]) == self.place and entry[depth].startswith("__attach_version1.0_")
        }
        return [_Message(self.file, (*self.place, name)) for name in sorted(names)]


def _read(letter: Letter, message: _Message, part: str, depth: int) -> None:
    letter.add_head(message.fields(), part, level=min(depth, 6))
    body = message.text(_BODY)
    if body.strip():
        letter.add_text(body, part)
    elif not letter.add_html(message.binary(_HTML), part) and (packed := message.binary(_RTF)):
        letter.add_text(rtf_text(unpack_rtf(packed), letter.name), part)
    for number, attached in enumerate(message.attachments(), 1):
        if attached.file.exists([*attached.place, _EMBEDDED]):
            inner = _Message(attached.file, (*attached.place, _EMBEDDED))
            name = clean_line(inner.text(_SUBJECT)) or f"message {number}"
            if depth >= MAX_DEPTH:
                letter.warnings.append(f"The message {name} was not read: it is attached more than {MAX_DEPTH} deep.")
            else:
                _read(letter, inner, letter.part_name(name, part), depth + 1)
        elif data := attached.binary(_DATA):
            name = file_name(attached.text(_LONG_NAME) or attached.text(_SHORT_NAME), number, "")
            letter.add_attachment(name, data, part)


def unpack_rtf(data: bytes) -> bytes:
    """The RTF of a compressed body ([MS-OXRTFCP]); what is damaged ends early."""
    if len(data) < 16:
        return b""
    size, kind = int.from_bytes(data[4:8], "little"), data[8:12]
    if kind == b"MELA":
        return data[16 : 16 + size]
    if kind != b"LZFu":
        return b""
    window = bytearray(_RTF_START.ljust(4096, b"\x00"))
    write, at = len(_RTF_START), 16
    unpacked = bytearray()
    while at < len(data) and len(unpacked) < size:
        control = data[at]
        at += 1
        for bit in range(8):
            if at + (control >> bit & 1) >= len(data) or len(unpacked) >= size:
                break
            if control >> bit & 1:
                reference = int.from_bytes(data[at : at + 2], "big")
                at += 2
                offset, length = reference >> 4, (reference & 15) + 2
                if offset == write:  # the mark of the end
                    return bytes(unpacked[:size])
                for step in range(length):
                    byte = window[(offset + step) % 4096]
                    window[write] = byte
                    unpacked.append(byte)
                    write = (write + 1) % 4096
            else:
                window[write] = data[at]
                unpacked.append(data[at])
                at += 1
                write = (write + 1) % 4096
    return bytes(unpacked[:size])
