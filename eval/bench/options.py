"""What every benchmark is given (`Options`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from phidex.eval.bench.corpus import FOLDER, fetch_manuals
from phidex.eval.machine import has_bfloat16, machine_facts

__all__ = ["ROOT", "Options", "default_manuals", "default_xquad", "has_bfloat16", "machine_facts"]

ROOT = Path(__file__).resolve().parents[2]
"""The repository's root."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where data lie and how much to do.

    Args:
        xquad: folder with `xquad.<language>.json`.
        manuals: folder of PDFs that `corpus.py` fills.
        cache: what is kept between runs: vectors, indexes of peers.
        peers: whether peers are measured too.
        full: all documents where the default is a part of them.
        say: told what goes on.
    """

    xquad: Path
    manuals: Path
    cache: Path
    peers: bool = True
    full: bool = False
    say: Callable[[str], None] = print

    def documents(self, names: Sequence[str]) -> list[Path]:
        """The manuals of these names, fetched when they are not there.

        Raises:
            RuntimeError: one cannot be had; the message names it.
        """
        paths = [self.manuals / name for name in names]
        if not all(path.exists() for path in paths):
            self.say(f"fetching manuals to {self.manuals}")
            fetch_manuals(self.manuals)
        missing = [path.name for path in paths if not path.exists()]
        if missing:
            raise RuntimeError(f"not in {self.manuals} and not to be had from Debian's packages: {', '.join(missing)}")
        return paths


def default_xquad() -> Path:
    """Where XQuAD is looked for; it is not fetched (`xquad.py` says where to get it)."""
    return Path("~/.cache/phidex/bench/xquad").expanduser()


def default_manuals() -> Path:
    """Where `corpus.py` leaves the manuals."""
    return FOLDER.expanduser()
