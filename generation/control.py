"""Control tokens in text that people wrote: broken up, so that a document cannot speak as the system.

A model server turns `<|end|>` inside a document into the real control token, and refuses `<|image_1|>` where no image is
sent. Applied to titles, texts, questions and history just before they enter a prompt; what is stored stays as it was.
"""

from __future__ import annotations

import re

ZERO_WIDTH_SPACE = "\u200b"
# `<|name|>` as every Phi-3.5 control token is written, and the three names that its vocabulary took over from Llama.
_OPENING = re.compile(r"<(?=\|[^\s|]{1,64}\|>|/?s>|unk>)")


def break_control_tokens(text: str) -> str:
    """Returns `text` with U+200B after the `<` of everything that reads as a control token; the rest is unchanged.

    Quotations that a model copies may carry the U+200B: compare them without it.

    >>> break_control_tokens("a <|end|> b <b>").replace(ZERO_WIDTH_SPACE, "·")
    'a <·|end|> b <b>'
    """
    return _OPENING.sub("<" + ZERO_WIDTH_SPACE, text)
