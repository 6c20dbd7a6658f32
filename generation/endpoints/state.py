"""How a role is at this moment, as the router sees it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from phidex.generation.answer import Role

_CROWDED_WAITING = 4  # requests, of ours or of the server's own queue
_CROWDED_CACHE = 0.95  # of the key-value cache: beyond it, requests are pushed out and begin again


@dataclass(frozen=True, slots=True)
class RoleState:
    """One role.

    Args:
        trouble: why nothing is sent to it now ("does not answer"); empty where it is well.
        running: requests of this process that are under way.
        waiting: requests that wait, here or in the server's own queue.
        cache: share of the server's key-value cache in use; 0 where it does not tell.
    """

    trouble: str = ""
    running: int = 0
    waiting: int = 0
    cache: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether it can be asked."""
        return not self.trouble

    @property
    def is_crowded(self) -> bool:
        """Whether a further request would wait."""
        return self.waiting >= _CROWDED_WAITING or self.cache >= _CROWDED_CACHE


class Roles(Protocol):
    """What the way of an answer asks of those who can give it."""

    def states(self) -> Mapping[Role, RoleState]:
        """How the roles are at this moment."""
        ...

    def may_escalate(self) -> bool:
        """Whether one more answer may be asked for again of the larger model."""
        ...

    def answered(self) -> None:
        """An answer was given that was not."""
        ...
