"""What a picture shows, in words, by the vision model, so that figures of documents can be found by their content.

Called from the worker processes of an ingest: it can be pickled, and connects where it is called.
"""

from __future__ import annotations

import logging
import threading
from contextlib import closing

from phidex.errors import ConfigError, InputError
from phidex.generation.chat_wire import Delta, ImagePart, Message, data_url
from phidex.generation.control import neutral_messages
from phidex.generation.endpoints.pool import Pool
from phidex.generation.routing.route import seeing_model
from phidex.generation.vision.picture import read_pictures
from phidex.ingest.records import Picture
from phidex.settings import ChatSettings

log = logging.getLogger(__name__)

_MAX_TOKENS = 256
_ASK = (
    "Describe this picture from a document so that it can be found by a search: what it shows, the text, numbers, axes and "
    "labels in it, and what follows from it. Facts only, no introduction, at most 120 words."
)


class Describer:
    """Asks the endpoint's vision model about one picture at a time. Thread-safe; `close` gives its connections back.

    Raises:
        ConfigError: no endpoint or no vision model is set.
    """

    def __init__(self, settings: ChatSettings) -> None:
        if not seeing_model(settings):
            raise ConfigError(
                "pictures can be described by a vision model alone, and none is set",
                hint="set PHIDEX_CHAT__URL and PHIDEX_CHAT__VISION, or PHIDEX_INGEST__DESCRIBE=false",
            )
        self._settings = settings
        self._lock = threading.Lock()
        self._pool: Pool | None = None

    def __reduce__(self) -> tuple[type[Describer], tuple[ChatSettings]]:
        return Describer, (self._settings,)

    def close(self) -> None:
        """Closes the connections; the next picture opens others."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def __call__(self, picture: Picture, about: str) -> str:
        """The description; empty of a picture that cannot be read.

        Args:
            about: what is known already: the caption, and the text around.

        Raises:
            ServiceError: the endpoint is down, or refuses the picture.
        """
        try:
            shown = read_pictures(picture.data, "the picture", crops=self._settings.vision_crops)[0]
        except InputError as exc:
            log.info("describe.unreadable error=%s", exc.message)
            return ""
        text = f"{_ASK}\n\nIts caption and surroundings, for context only:\n{about[:1000]}" if about else _ASK
        messages = neutral_messages([Message("user", text, (ImagePart(data_url(shown)),))])
        with closing(self._chat().stream(messages, model=self._settings.vision, max_tokens=_MAX_TOKENS)) as answer:
            return "".join(event.text for event in answer if isinstance(event, Delta)).strip()

    def _chat(self) -> Pool:
        """One for all pictures: a server that fails is left alone for a while, and connections are used again."""
        with self._lock:
            if self._pool is None:
                self._pool = Pool(self._settings)
            return self._pool
