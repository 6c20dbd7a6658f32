"""A question and its answer as it comes: made in a thread of its own, followed by whoever shows it.

Streamlit kills the running script at every click and at every lost connection. The thread goes on, and the next run of the
script follows it from the start. No Streamlit in here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from phidex.errors import IncompleteAnswerError, PhidexError
from phidex.generation.answer import Answer, Role, Route
from phidex.generation.chat_wire import Delta

if TYPE_CHECKING:
    from phidex.generation.conversation import Conversation
    from phidex.sdk import Phidex

log = logging.getLogger(__name__)


class Turn:
    """One question to one collection.

    `route`, `answer` and `error` are set by the thread; when `is_done`, either `answer` or `error` is.

    Args:
        role: who is to answer; None as the router decides.
        images: image files that the question is about.
    """

    def __init__(
        self, number: int, question: str, collection: str, role: Role | None = None, images: tuple[bytes, ...] = ()
    ) -> None:
        self.number = number
        self.question = question
        self.collection = collection
        self.role: Role | None = role
        self.images = images
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

    def start(self, phidex: Phidex, conversation: Conversation, lock: threading.Lock, on_answer: Callable[[], None]) -> None:
        """Begin to answer, once the turn before it in the conversation is done.

        Args:
            lock: held while the conversation is in use.
            on_answer: called with the lock held, once the answer is whole.
        """
        arguments = (phidex, conversation, lock, on_answer)
        threading.Thread(target=self._run, args=arguments, name=f"phidex-turn-{self.number}", daemon=True).start()

    def stop(self) -> None:
        """End the answer where it is."""
        self._cancelled.set()

    def follow(self) -> Iterator[str]:
        """The text so far, each time that there is more, until the answer is whole."""
        while not self._done:
            with self._changed:
                self._changed.wait(timeout=0.5)
            yield self.text

    def _run(self, phidex: Phidex, conversation: Conversation, lock: threading.Lock, on_answer: Callable[[], None]) -> None:
        try:
            with lock:
                self._answer(phidex, conversation)
                on_answer()
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

    def _answer(self, phidex: Phidex, conversation: Conversation) -> None:
        events = phidex.ask(
            self.question,
            self.collection,
            conversation=conversation,
            role=self.role,
            images=self.images,
            stream=True,
            cancelled=self._cancelled,
        )
        for event in events:
            match event:
                case Route():  # a further one begins the answer anew
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
