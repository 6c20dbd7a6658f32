"""What a repository's .gitattributes say of its files: `linguist-vendored` and `linguist-generated`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from phidex.ingest.sources.git import Git

Marks = tuple[bool | None, bool | None]
"""Vendored, generated; None where nothing is said."""

_T = TypeVar("_T")
_VALUES = {b"set": True, b"true": True, b"unset": False, b"false": False}


class Attributes:
    """The marks of files, a batch at a time: git is started once a batch.

    Args:
        git: None where the repository has no attributes.
        cached: read them from git's index and not from the working tree.
    """

    def __init__(self, git: Git | None, *, cached: bool = False) -> None:
        self._git = git
        self._arguments = ("check-attr", "-z", "--stdin", *(("--cached",) if cached else ()))

    def of(self, paths: Sequence[bytes]) -> list[Marks]:
        """The marks of each path, in order."""
        if self._git is None or not paths:
            return [(None, None)] * len(paths)
        feed = b"".join(path + b"\0" for path in paths)
        told = self._git.run(*self._arguments, "linguist-vendored", "linguist-generated", feed=feed).split(b"\0")
        values = [_VALUES.get(value) for value in told[2::3]]  # path, attribute, value, and so on
        return list(zip(values[::2], values[1::2], strict=True))


def batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """The items in lists of `size`, the last one shorter."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
