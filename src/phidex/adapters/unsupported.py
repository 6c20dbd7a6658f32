"""What a framework asks for and Phidex does not do."""

from __future__ import annotations

from phidex.errors import InputError


class UnsupportedError(InputError, NotImplementedError):
    """Asked for something that would not be done as it was meant. An `InputError` to us, a `NotImplementedError` to others.

    >>> str(UnsupportedError("a search by meaning alone", hint="use the mode default"))
    'Phidex does not do this: a search by meaning alone (use the mode default)'
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(f"Phidex does not do this: {message}", hint=hint)
