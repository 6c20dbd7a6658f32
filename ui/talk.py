"""A conversation as the app keeps it: its turns, newest first, saved after every answer. No Streamlit in here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phidex.errors import PhidexError
from phidex.generation.conversation import Conversation
from phidex.ui.turn import Turn

if TYPE_CHECKING:
    from phidex.generation.answer import Role
    from phidex.generation.conversation import Turn as PastTurn
    from phidex.sdk import Phidex

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Talk:
    """Questions over one collection, each asked in the light of those before it.

    Args:
        name: that it is saved under; "" before the first answer.
        turns: of this session, newest first.
        earlier: the turns that were there when it was resumed, newest first.
        is_deleted: it is saved no more.
    """

    collection: str
    name: str = ""
    conversation: Conversation = field(default_factory=Conversation)
    turns: list[Turn] = field(default_factory=list[Turn])
    earlier: list[PastTurn] = field(default_factory=list["PastTurn"])
    is_deleted: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)  # the next question waits for the answer before it

    @classmethod
    def resumed(cls, phidex: Phidex, name: str, collection: str) -> Talk:
        """The one that was saved under that name.

        Raises:
            NotFoundError, InputError: there is none, or it is damaged.
        """
        conversation = phidex.conversations.load(name)
        return cls(conversation.collection or collection, name, conversation, earlier=conversation.turns[::-1])

    def ask(self, question: str, phidex: Phidex, *, role: Role | None = None, images: Sequence[bytes] = ()) -> Turn:
        """Put a new turn first and begin to answer it."""
        turn = Turn(len(self.turns) + 1, question, self.collection, role, tuple(images))
        self.turns.insert(0, turn)
        turn.start(phidex, self.conversation, self._lock, lambda: self._keep(phidex))
        return turn

    def forget(self) -> None:
        """Save it no more, and end what is being answered."""
        self.is_deleted = True
        for turn in self.turns:
            turn.stop()

    def _keep(self, phidex: Phidex) -> None:
        """Save it; that it cannot be is no reason to lose the answer."""
        if self.is_deleted:
            return
        self.conversation.collection = self.collection
        try:
            if not self.name:
                self.name = phidex.conversations.free_name(self.conversation)
            phidex.conversations.save(self.name, self.conversation)
        except PhidexError as exc:
            log.warning("talk.not_saved error=%s", exc.message)
