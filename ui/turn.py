"""A question and its answer as it comes: made in a thread of its own, followed by whoever shows it.

Streamlit kills the running script at every click and at every lost connection. The thread goes on, and the next run of the
script follows it from the start. No Streamlit in here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from phidex.errors import IncompleteAnswerError, PhidexError
from phidex.generation.answer import Answer, Route
from phidex.generation.chat_wire import Delta

if TYPE_CHECKING:
    from phidex.sdk import Phidex

log = logging.getLogger(__name__)


class Turn:
    """One question to one collection.

    `route`, `answer` and `error` are set by the thread; when `is_done`, either `answer` or `error` is.
    """

    def __init__(self, number: int, question: str, collection: str) -> None:
        self.number = number
        self.question = question
        self.collection = collection
        self.route: Route | None = None
        self.answer: Answer | None = None
        self.error: PhidexError | None = None
        self._pieces: list[str] = []
        self._changed = threading.Condition()
        self._done = False
        self._cancelled = threading.Event()

    @property
    def text(self) -> str:
        """What has arrived so far."""
        return self.answer.text if self.answer else "".join(self._pieces)

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come."""
        return self._done

    def start(self, phidex: Phidex) -> None:
        """Begin to answer."""
        threading.Thread(target=self._run, args=(phidex,), name=f"phidex-turn-{self.number}", daemon=True).start()

    def stop(self) -> None:
        """End the answer where it is."""
        self._cancelled.set()

    def follow(self) -> Iterator[str]:
        """The text so far, each time that there is more, until the answer is whole."""
        while not self._done:
            with self._changed:
                self._changed.wait(timeout=0.5)
            yield self.text

    def _run(self, phidex: Phidex) -> None:
        try:
            for event in phidex.ask(self.question, self.collection, stream=True, cancelled=self._cancelled):
                match event:
                    case Route():  # a second one begins the answer anew
                        with self._changed:
                            self.route, self._pieces = event, []
                    case Delta():
                        with self._changed:
                            self._pieces.append(event.text)
                            self._changed.notify_all()
                    case Answer():
                        self.answer = event
                    case _:
                        pass
        except IncompleteAnswerError as exc:
            self._pieces = [exc.partial] if exc.partial else self._pieces
            self.error = exc
        except PhidexError as exc:
            self.error = exc
        except Exception as exc:
            log.exception("answering failed")
            self.error = PhidexError(f"answering failed: {type(exc).__name__}", hint="the log of the app says more")
        finally:
            with self._changed:
                self._done = True
                self._changed.notify_all()
