"""More pictures than one prompt takes: a first look at groups of them, to find the few that the answer looks at closely.

It costs a request a group, bounded by the settings (`chat.vision_looks`). A picture costs as much here as in a close look,
since a server cuts all pictures alike: what is gained is that each group is seen at all.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from phidex.generation.chat import ChatModel, Delta
from phidex.generation.chat_faults import unanswered
from phidex.generation.chat_wire import Message, Usage
from phidex.generation.prompt import look_messages

_REPLY_TOKENS = 48
_KEPT = 4  # of a group at most


@dataclass(slots=True)
class Looker:
    """Asks which pictures help.

    Args:
        model: served name.
        usages: those of its requests are added.
    """

    chat: ChatModel
    model: str
    cancelled: threading.Event | None = None
    usages: list[Usage] = field(default_factory=list[Usage])

    def choose(
        self, question: str, groups: Sequence[Sequence[int]], show: Callable[[int], tuple[str, str]], most: int
    ) -> list[int]:
        """The pictures of all groups to look at closely, at most `most`: what each group's best are, then its second best …

        Args:
            groups: of pictures by number, each of a size that one prompt holds.
            show: place and `data:` URL of a picture.

        Raises:
            ServiceError: the model cannot be asked.
        """
        chosen: list[list[int]] = []
        for group in groups:
            if self.cancelled is not None and self.cancelled.is_set():
                break
            reply = self._ask(look_messages(question, [show(index) for index in group]))
            chosen.append([group[number - 1] for number in read_numbers(reply, len(group))[:_KEPT]])
        found: list[int] = []
        for place in range(_KEPT):
            found += [group[place] for group in chosen if place < len(group)]
        return found[:most]

    def _ask(self, messages: list[Message]) -> str:
        said: list[str] = []
        stream = self.chat.stream(
            messages, model=self.model, max_tokens=_REPLY_TOKENS, temperature=0.0, cancelled=self.cancelled
        )
        with unanswered(), closing(stream) as events:
            for event in events:
                if isinstance(event, Delta):
                    said.append(event.text)
                elif event.usage is not None:
                    self.usages.append(event.usage)
        return "".join(said)


def read_numbers(reply: str, count: int) -> list[int]:
    """The numbers from 1 to `count` that a reply names, in its order, each once.

    >>> read_numbers("4, 1 and 4; not 30", 9), read_numbers("0", 9)
    ([4, 1], [])
    """
    numbers = [int(digits) for digits in re.findall(r"\d{1,4}", reply)]
    return list(dict.fromkeys(number for number in numbers if 1 <= number <= count))
