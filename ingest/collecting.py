"""Python's collector of reference cycles, off while something is made that has none.

The collector looks through all that lives again and again while objects pile up: a tenth of the time that parsing takes. What
parsing and chunking make is freed by reference counts alone.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


def without_collecting(function: Callable[_Given, _Made]) -> Callable[_Given, _Made]:
    """The function, during whose calls cycles are not collected."""

    @functools.wraps(function)
    def quiet(*args: _Given.args, **kwargs: _Given.kwargs) -> _Made:
        if not gc.isenabled():
            return function(*args, **kwargs)
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            gc.enable()

    return quiet
