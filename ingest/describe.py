"""Words for the pictures of a document: a vision model's description becomes part of the figure's text, where one is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from phidex.errors import ServiceError
from phidex.ingest.records import Block, Parsed, Picture

Describe = Callable[[Picture, str], str]
"""What a picture shows, given what is known of it already (`generation/describe.py`)."""

_GIVE_UP = 3  # failures in a row: the endpoint is down


def describe_figures(parsed: Parsed, describe: Describe, beat: Callable[[], None]) -> Parsed:
    """The document with a description behind each figure's own text; what could not be described is named in a warning.

    Args:
        beat: called between two pictures, each of which may take seconds.
    """
    blocks: list[Block] = []
    failed: list[str] = []
    for block in parsed.blocks:
        if block.image is None or len(failed) >= _GIVE_UP:
            blocks.append(block)
            continue
        beat()
        try:
            words = describe(parsed.images[block.image], block.text)
        except ServiceError as exc:
            failed.append(exc.message)
            blocks.append(block)
            continue
        blocks.append(replace(block, text=f"{block.text}\n{words}".strip()) if words else block)
    if not failed:
        return replace(parsed, blocks=tuple(blocks))
    told = (
        "Pictures were left without description" if len(failed) >= _GIVE_UP else f"{len(failed)} pictures have no description"
    )
    return replace(parsed, blocks=tuple(blocks), warnings=(*parsed.warnings, f"{told}: {failed[-1]}"))
