"""What of a recording could not be read, and from when: kept as times, told as sentences."""

from __future__ import annotations

from typing import Literal

Part = Literal["picture", "sound", "subtitles"]

_JOIN_S = 5.0  # damage that is no further apart is told as one
_MOST = 20  # stretches that are told one by one
_CLAIM_SLACK_S, _CLAIM_SHARE = 2.0, 0.01  # how much sooner than its header says a sound recording may end


class Damage:
    """Collects damage while a file is read.

    >>> damage = Damage()
    >>> damage.add("picture", 61.0)
    >>> damage.sentences()
    ('The picture is damaged at 1:01.',)
    """

    def __init__(self) -> None:
        self._stretches: dict[str, list[tuple[float, float]]] = {}
        self._ends: list[str] = []

    def add(self, part: Part, at_s: float) -> None:
        """Something could not be decoded at that time."""
        found = self._stretches.setdefault(part, [])
        if found and at_s - found[-1][1] <= _JOIN_S:
            found[-1] = found[-1][0], max(at_s, found[-1][1])
        else:
            found.append((at_s, at_s))

    def check_end(self, part: Part, end_s: float, claimed_s: float) -> None:
        """Compare where it really ended with what the header claims."""
        if claimed_s - end_s > max(_CLAIM_SLACK_S, _CLAIM_SHARE * claimed_s):
            self._ends.append(
                f"The {part} ends at {clock(end_s)}, although the file says that it lasts {clock(claimed_s)}: "
                "what follows is missing."
            )

    def sentences(self) -> tuple[str, ...]:
        """What was lost and from when."""
        told: list[str] = []
        for part, stretches in self._stretches.items():
            verb = "are" if part == "subtitles" else "is"
            told += [f"The {part} {verb} damaged {_stretch(start, end)}." for start, end in stretches[:_MOST]]
            if len(stretches) > _MOST:
                told.append(f"The {part} {verb} damaged in {len(stretches) - _MOST} more places.")
        return (*told, *self._ends)


def clock(seconds: float) -> str:
    """A time as people write it.

    >>> clock(61.9), clock(3600)
    ('1:01', '1:00:00')
    """
    minutes, rest = divmod(int(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _stretch(start_s: float, end_s: float) -> str:
    return f"at {clock(start_s)}" if clock(start_s) == clock(end_s) else f"from {clock(start_s)} to {clock(end_s)}"
