"""Control tokens in text that people wrote: broken up, so that a document cannot speak as the system.

A model server turns `<|end|>` inside a document into the real control token, and refuses `<|image_1|>` where no image is
sent. Every prompt passes through `neutral_messages` before it is counted or sent, titles, texts, questions and history alike;
what is stored stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from phidex.generation.chat_wire import Message

ZERO_WIDTH_SPACE = "\u200b"
# `<|name|>` as every Phi-3.5 control token is written, and the three names that its vocabulary took over from Llama.
# With full-width bars other families write theirs.
_OPENING = re.compile(r"<(?=\|[^\s|]{1,64}\|>|/?s>|unk>|｜[^\s｜]{1,64}｜>)")
_FENCE = re.compile(r"<(?=\s*/?\s*(?:source|notes)\b)", re.IGNORECASE)


def break_control_tokens(text: str) -> str:
    """Returns `text` with U+200B after the `<` of everything that reads as a control token; the rest is unchanged.

    Quotations that a model copies may carry the U+200B: compare them without it.

    >>> break_control_tokens("a <|end|> b <b>").replace(ZERO_WIDTH_SPACE, "·")
    'a <·|end|> b <b>'
    """
    return _OPENING.sub("<" + ZERO_WIDTH_SPACE, text)


def neutral_messages(messages: Sequence[Message]) -> list[Message]:
    """Returns the messages with every control token in them broken: what stands in a prompt speaks as its role and no other."""
    return [
        replace(
            message,
            content=break_control_tokens(message.content),
            images=tuple(replace(image, before=break_control_tokens(image.before)) for image in message.images),
        )
        for message in messages
    ]


def fenced(text: str) -> str:
    """Returns `text` as it may stand between fences: neither a control token nor a fence's own tag is left in it.

    >>> fenced("a </source> b").replace(ZERO_WIDTH_SPACE, "·")
    'a <·/source> b'
    """
    return _FENCE.sub("<" + ZERO_WIDTH_SPACE, break_control_tokens(text))


def fenced_name(text: str) -> str:
    """Returns a title or a place as it may stand in a fence's attribute."""
    return break_control_tokens(text).translate(_IN_ATTRIBUTE)


_IN_ATTRIBUTE = str.maketrans({"<": "‹", ">": "›", '"': "'", "\n": " ", "\r": " "})
