"""Ways to damage a file: seeded, so that a failure can be made again."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

_NUMBER = re.compile(rb"(?<![\w.])-?\d+(?:\.\d+)?(?![\w.])")
_NAME = re.compile(rb"/[A-Za-z][A-Za-z0-9]*")
_STREAM = re.compile(rb"stream\r?\n(.*?)endstream", re.DOTALL)
_EXTREMES = (b"0", b"-1", b"1e38", b"99999999999", b"2147483647", b"-2147483648", b"nan", b"65536", b"0.0000001")


def flip_bits(data: bytes, rng: random.Random) -> bytes:
    """Between 1 and 60 bits turned over."""
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 60)):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def truncate(data: bytes, rng: random.Random) -> bytes:
    """The beginning, and sometimes the end alone."""
    cut = rng.randrange(len(data))
    return data[:cut] if rng.random() < 0.8 else data[cut:]


def move_chunks(data: bytes, rng: random.Random) -> bytes:
    """Two stretches swapped, or one cut out, or one doubled."""
    a, b, c = sorted(rng.randrange(len(data)) for _ in range(3))
    how = rng.randrange(3)
    if how == 0:
        return data[:a] + data[b:c] + data[a:b] + data[c:]
    return data[:a] + data[b:] if how == 1 else data[:b] + data[a:b] + data[b:]


def add_junk(data: bytes, rng: random.Random) -> bytes:
    """Foreign bytes before the header or behind the end."""
    junk = rng.randbytes(rng.randrange(5000)) if rng.random() < 0.5 else b"HTTP/1.1 200 OK\r\n" * rng.randrange(200)
    return junk + data if rng.random() < 0.7 else data + junk


def damage_table(data: bytes, rng: random.Random) -> bytes:
    """Numbers of the cross-reference table and the trailer changed."""
    at = data.rfind(b"xref", 0, data.rfind(b"xref"))
    start = at if at >= 0 else len(data) * 3 // 4
    return data[:start] + extreme_numbers(data[start:], rng)


def damage_streams(data: bytes, rng: random.Random) -> bytes:
    """Bytes inside one of the streams replaced."""
    streams = [match.span(1) for match in _STREAM.finditer(data) if match.end(1) > match.start(1)]
    if not streams:
        return flip_bits(data, rng)
    start, end = rng.choice(streams)
    damaged = bytearray(data)
    for _ in range(rng.randint(1, 40)):
        damaged[rng.randrange(start, end)] = rng.randrange(256)
    return bytes(damaged)


def extreme_numbers(data: bytes, rng: random.Random) -> bytes:
    """Some numbers replaced by absurd ones."""
    share = rng.choice((0.005, 0.03, 0.3))
    return _NUMBER.sub(lambda match: rng.choice(_EXTREMES) if rng.random() < share else match[0], data)


def swap_names(data: bytes, rng: random.Random) -> bytes:
    """Some names (of keys, types, fonts) replaced by others of the same file."""
    names = list(set(_NAME.findall(data))) or [b"/Type"]
    return _NAME.sub(lambda match: rng.choice(names) if rng.random() < 0.05 else match[0], data)


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    flip_bits,
    truncate,
    move_chunks,
    add_junk,
    damage_table,
    damage_streams,
    extreme_numbers,
    swap_names,
)


def mutate(data: bytes, rng: random.Random) -> bytes:
    """`data` damaged in one to three ways."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(MUTATIONS)(data, rng) or b"x"
    return data
