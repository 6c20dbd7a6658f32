"""How many answers may be asked for again of the larger model: a part, so that doubt does not double the cost of all."""

from __future__ import annotations

import threading
from collections import deque

_SHARE = 1 / 3
_LAST = 30  # answers that the share is of
_FREE = 3  # answers that are asked for again before there is a share to speak of


class EscalationBudget:
    """Thread-safe.

    Args:
        share: of the last answers that may be asked for again.
    """

    def __init__(self, share: float = _SHARE) -> None:
        self._share = share
        self._answers: deque[bool] = deque(maxlen=_LAST)
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more may be; if so, it counts as one."""
        with self._lock:
            again = sum(self._answers)
            free = again < _FREE or again + 1 <= self._share * (len(self._answers) + 1)
            if free:
                self._answers.append(True)
            return free

    def note(self) -> None:
        """An answer that was not asked for again."""
        with self._lock:
            self._answers.append(False)
