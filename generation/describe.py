"""What a picture shows, in words, by the vision model, so that figures of documents can be found by their content.

Called from the worker processes of an ingest: it can be pickled, and connects where it is called.
"""

from __future__ import annotations

import base64
from contextlib import closing
from dataclasses import dataclass

from phidex.errors import ConfigError
from phidex.generation.chat_wire import Delta, Message
from phidex.generation.endpoints.pool import Pool
from phidex.ingest.records import Picture
from phidex.settings import ChatSettings

_MAX_TOKENS = 256
_ASK = (
    "Describe this picture from a document so that it can be found by a search: what it shows, the text, numbers, axes and "
    "labels in it, and what follows from it. Facts only, no introduction, at most 120 words."
)


@dataclass(frozen=True, slots=True)
class Describer:
    """Asks the endpoint's vision model about one picture at a time.

    Raises:
        ConfigError: no endpoint or no vision model is set.
    """

    settings: ChatSettings

    def __post_init__(self) -> None:
        if not (self.settings.vision and (self.settings.vision_url or self.settings.url)):
            raise ConfigError(
                "pictures can be described by a vision model alone, and none is set",
                hint="set PHIDEX_CHAT__URL and PHIDEX_CHAT__VISION, or PHIDEX_INGEST__DESCRIBE=false",
            )

    def __call__(self, picture: Picture, about: str) -> str:
        """The description.

        Args:
            about: what is known already: the caption, and the text around.

        Raises:
            ServiceError: the endpoint is down, or refuses the picture.
        """
        url = f"data:{picture.mime};base64,{base64.b64encode(picture.data).decode()}"
        text = f"{_ASK}\n\nIts caption and surroundings, for context only:\n{about[:1000]}" if about else _ASK
        with Pool(self.settings) as chat:
            answer = chat.stream([Message("user", text, (url,))], model=self.settings.vision, max_tokens=_MAX_TOKENS)
            with closing(answer):
                return "".join(event.text for event in answer if isinstance(event, Delta)).strip()
